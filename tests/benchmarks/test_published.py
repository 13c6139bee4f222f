"""The published scorers, reproduced: on the recorded outputs, and on others that show their defects."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.errors import UsageError
from sf_eval.scoring.published import PublishedVerdict, counts_in_published_denominator, published_score
from sf_eval.verifying.protocol import SCORES, recorded_protocol_dir, verify_protocol

SOUND: dict[str, Any] = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))

CORRECT, WRONG = PublishedVerdict.correct, PublishedVerdict.wrong
GUESS, RAISES = PublishedVerdict.random_guess, PublishedVerdict.raises


def test_recorded_scores() -> None:
    results = [result for result in verify_protocol(recorded_protocol_dir()) if result.file == SCORES]
    assert [result for result in results if not result.passed] == []
    assert Counter(result.expected for result in results) == {
        "correct": 65, "wrong": 223, "random guess": 36, "raises": 6,
    }  # fmt: skip


# The right answer of each sound row is B, but for EgoSchema's, which is E.
DEFECTS = [
    ("videomme", "Answer: B", WRONG),  # the A of "Answer"
    ("videomme", "Because I cannot see", CORRECT),  # the B of "Because"
    ("videomme", "The answer is B", CORRECT),
    ("videomme", "The best option is B", CORRECT),
    ("mlvu", "The answer is B", WRONG),  # T
    ("mlvu", ")", RAISES),
    ("mlvu", "I think (B)", CORRECT),
    ("mvbench_action_count", "A man holds (B)", WRONG),  # the article
    ("mvbench_action_count", "b. two", CORRECT),
    ("mvbench_action_count", "2", WRONG),  # the option's text
    ("mvbench_action_count", "", WRONG),
    ("egoschema_subset", "THE answer is not known", CORRECT),  # the E of "THE"
    ("egoschema_subset", "e", GUESS),
    ("egoschema_subset", "(A) or (E)", WRONG),  # the first
    ("longvideobench", "(A) or (B)", CORRECT),  # the last
    ("longvideobench", "b", GUESS),
    ("longvideobench", "what I see here is probably a dog", CORRECT),
    ("longvideobench", "it is a dog", GUESS),  # too short to be searched for an option's text
    ("nextqa", "(A) or (B)", CORRECT),  # the last
    ("nextqa", "b", GUESS),
    ("perceptiontest", "A cup. The answer is B.", WRONG),  # the article
    ("perceptiontest", "B because A is wrong", CORRECT),  # the first
    ("perceptiontest", "in the box", WRONG),  # the option's text
]


@pytest.mark.parametrize(("name", "output", "verdict"), DEFECTS)
def test_defects_are_reproduced(name: str, output: str, verdict: PublishedVerdict) -> None:
    document = get_benchmark(name).read_row(0, SOUND[name])
    assert published_score(name, document, output) is verdict


def test_only_empty_mvbench_outputs_leave_the_average() -> None:
    assert not counts_in_published_denominator("mvbench_action_count", "")
    assert counts_in_published_denominator("mvbench_action_count", " ")
    assert counts_in_published_denominator("egoschema_subset", "")


def test_no_verdict_without_a_truth() -> None:
    document = get_benchmark("egoschema").read_row(0, SOUND["egoschema"])
    with pytest.raises(ValueError, match="no public answer"):
        published_score("egoschema", document, "A")


def test_no_verdict_for_an_unknown_benchmark() -> None:
    document = get_benchmark("mlvu").read_row(0, SOUND["mlvu"])
    with pytest.raises(UsageError, match="no task called 'nosuch'"):
        published_score("nosuch", document, "A")
