"""Our verdicts beside those of lmms-eval 0.7.3's own scorers, on the same outputs.

Every disagreement must be of a kind that the table "Where lmms-eval 0.7.3 errs" of docs/scoring.md lists
for that benchmark, and every kind listed there must be seen here.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import benchmark_names, get_benchmark, group_names
from sf_eval.benchmarks.document import Document
from sf_eval.core.paths import tasks_dir
from sf_eval.scoring.answers.extract import extract_answer
from sf_eval.verifying.protocol import PROMPTS, SCORES, recorded_protocol_dir

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scoring.md"
EDITIONS = {"mvbench": "mvbench_action_count", "egoschema": "egoschema_subset"}
GUESS = "?"

# R and W stand for the right and a wrong letter, {r} and {w} for their options' texts, r for R in lower case.
ANSWERS_R = (
    "R", "R.", "(R)", "R. {r}", "(R) {r}", "The answer is R.", "Answer: R", "**R**", "Option R", "R: {r}",
    "The best answer is: R. {r}", "A man is shown. The answer is R.", "(r)", "r",
    "The answer is R because W is wrong", "The best answer is: R. Driving a car",
    "The correct option is R, because W is wrong", "I think it's R.", "The person holds a cup (R)", "{r}",
    "{r}.", "\\boxed{R}", "Answer: (R)", "So the answer is (R).", "The video shows that {r}.",
    "Definitely R!", '{"answer":"R"}', "Based on the video, R.", "Sure, R", "The answer is: \n- R",
    "The option that best describes the video is R.", "W is wrong. The answer is R.",
)  # fmt: skip
ANSWERS_NOTHING = (
    "Because I can't see", "I cannot tell from the video.", "A man is shown.", "R or W", "Both R and W",
    "not R", "The answer is not R.", "Option R is wrong", "", "Choose between (R) and (W)", "Every Dog",
    "The answer is F.", "Video can not load, check the source", "I see a dog, so it is.", "None of these",
    "The wrong answer is R", "(R) False", "Is the answer R?", "R? W?", "Team R is best",
    "Let's go through each option:\n\nR. It does not fit.\n\nW. It fits.",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    task: str
    row: dict[str, Any]
    document: Document
    output: str
    right: str | None  # what the output answers, said by the template and not by any extractor

    @property
    def ours(self) -> str | None:
        return extract_answer(self.output, self.document.options)


def _rows(name: str) -> Iterator[dict[str, Any]]:
    for line in (recorded_protocol_dir() / name).read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def _document(task: str, row: dict[str, Any]) -> Document:
    return get_benchmark(EDITIONS.get(task, task)).read_row(0, row)


def _recorded(record: dict[str, Any]) -> Case:
    """The recorded outputs name a lone capital letter, or are an option's text, or answer nothing."""
    document, output = _document(record["task"], record["doc"]), record["output"]
    letters = re.findall(r"(?<![A-Za-z])[A-E](?![A-Za-z])", output)
    by_text = [letter for letter, text in document.options.items() if text.rstrip(".") == output]
    return Case(record["task"], record["doc"], document, output, next(iter(letters + by_text), None))


def _filled(template: str, document: Document) -> str:
    right = document.answer or "A"
    wrong = next(letter for letter in document.options if letter != right)
    if template in ("r", "(r)"):
        return template.replace("r", right.lower())
    text = re.sub(r"\bR\b", right, re.sub(r"\bW\b", wrong, template))
    return text.replace("{r}", document.options[right])


def _templates(task: str, row: dict[str, Any]) -> Iterator[Case]:
    document = _document(task, row)
    for template in ANSWERS_R:
        yield Case(task, row, document, _filled(template, document), document.answer or "A")
    for template in ANSWERS_NOTHING:
        yield Case(task, row, document, _filled(template, document), None)
    yield Case(task, row, document, "E", "E" if "E" in document.options else None)


def cases() -> list[Case]:
    found = [_recorded(record) for record in _rows(SCORES)]
    for record in _rows(PROMPTS):
        found += _templates(record["task"], record["doc"])
    six = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))["mlvu_test"]
    six["answer"] = "F"
    document = _document("mlvu_test", six)
    named = {"A": "A", "D.": "D", "E": "E", "(F)": "F", "The answer is F.": "F"}
    return found + [Case("mlvu_test", six, document, said, letter) for said, letter in named.items()]


Theirs = Callable[[Case], str]


@pytest.fixture(scope="module")
def theirs() -> Theirs:
    """The letter that lmms-eval reads ("" for none, GUESS where it draws one)."""
    tasks = ("videomme", "mlvu", "mvbench", "egoschema", "longvideobench")
    utils: dict[str, ModuleType] = {
        task: importlib.import_module(f"lmms_eval.tasks.{task}.utils") for task in tasks
    }
    for task in ("egoschema", "longvideobench"):
        utils[task].random = SimpleNamespace(choice=lambda _: GUESS)  # type: ignore[attr-defined]

    def read(case: Case) -> str:
        module, row, results = utils[case.task.removesuffix("_test")], case.row, [case.output]
        if case.task == "videomme":
            return module.videomme_process_results(row, results)["videomme_perception_score"]["pred_answer"]
        if case.task in ("mlvu", "mlvu_test"):
            return module.mlvu_process_results(row, results)["mlvu_percetion_score"]["pred_answer"]
        if case.task == "mvbench":
            return next((letter for letter in "ABCDE" if module.mcq_acc(letter, case.output)), "")
        if case.task == "longvideobench":
            return module.longvideobench_process_results(row, results)["lvb_acc"]["parsed_pred"]
        place = module.egoschema_process_results_generation(row, results)["score"]["pred"]
        return GUESS if place < 0 else "ABCDE"[place]

    return read


def _stands_alone(letter: str, output: str, *, lower: bool = False) -> bool:
    pattern = rf"(?<![A-Za-z]){letter}(?![A-Za-z])"
    return re.search(pattern, output, re.IGNORECASE if lower else 0) is not None


def _article(output: str) -> bool:
    return re.search(r"\b[Aa] (?!(?:is|or|and|because)\b)[a-z]+", output) is not None


def kinds_of(case: Case, letter: str) -> set[str]:
    """The kinds of error that explain why lmms-eval reads `letter` where we read something else."""
    ours, output = case.ours, case.output
    kinds = set()
    if case.task == "mlvu_test" and ours in ("E", "F"):
        kinds.add("does not know options E and F")
    elif letter == GUESS:
        kinds.add("draws a letter")
    elif letter == "" and ours is not None:
        kinds.add("does not read a lower-case letter" if ours in output.upper().split() or
                  f"({ours})" in output.upper() else "does not read an option's text")  # fmt: skip
    elif letter and letter not in case.document.options:
        kinds.add("reads a letter that was not offered")
    elif letter and not _stands_alone(letter, output):
        kinds.add(
            "reads the article as A" if letter == "A" and _article(output) else "reads a letter inside a word"
        )
    elif letter == "A" and _article(output):
        kinds.add("reads the article as A")
    elif ours is None and letter:
        named = [other for other in case.document.options if _stands_alone(other, output)]
        kinds.add("picks one of two letters" if len(named) > 1 else "reads an option that is denied")
    elif ours is not None and letter:
        kinds.add("reads a letter that is only mentioned")
    return kinds


def documented() -> dict[str, set[str]]:
    """Kind to benchmarks, from the page's table."""
    table = PAGE.read_text(encoding="utf-8").split("## Where lmms-eval 0.7.3 errs")[1].split("\n## ")[0]
    found: dict[str, set[str]] = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "kind":
            found[cells[0]] = set(cells[1].split(", "))
    return found


def test_ours_is_right_on_every_output() -> None:
    """First of all, so that a miss of ours is never taken for an error of theirs."""
    errors = {
        f"{c.output!r} {c.document.options}: {c.ours}, not {c.right}" for c in cases() if c.ours != c.right
    }
    assert errors == set()


def test_every_disagreement_is_a_documented_defect(theirs: Theirs) -> None:
    listed = documented()
    unexplained: list[str] = []
    seen: dict[str, set[str]] = {}
    for case in cases():
        letter = theirs(case)
        if letter == (case.ours or ""):
            continue
        kinds = kinds_of(case, letter)
        if not any(case.task in listed.get(kind, ()) for kind in kinds):
            unexplained.append(f"{case.task}: {case.output!r} ours {case.ours} theirs {letter!r} {kinds}")
        for kind in kinds:
            seen.setdefault(kind, set()).add(case.task)
    assert sorted(set(unexplained)) == []
    assert seen == listed


def test_plain_answers_are_read_alike(theirs: Theirs) -> None:
    """The forms that models mostly use; here a disagreement would be ours to mend."""
    for record in _rows(PROMPTS):
        document = _document(record["task"], record["doc"])
        for template in ("R", "R.", "(R)", "R. {r}"):
            output = _filled(template, document)
            case = Case(record["task"], record["doc"], document, output, document.answer)
            assert theirs(case) == case.ours == document.answer


def test_lmms_eval_indexes_our_tasks() -> None:
    from lmms_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks_dir()), include_defaults=False)
    expected = {get_benchmark(name).lmms_task for name in benchmark_names()}
    expected |= {f"sf_{group}" for group in group_names()}
    assert set(manager.all_tasks) == expected
