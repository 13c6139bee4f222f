"""Options that the prompt does not call by letters: yes and no, "Option 1", "Caption A"."""

from __future__ import annotations

import pytest

from sf_eval.scoring.answers.labels import read_labelled
from sf_eval.scoring.answers.reading import Rule

YES_NO = {"A": "yes", "B": "no"}
NAMELESS = {"A": "", "B": ""}
CAPTIONS = {"A": "The man dunks.", "B": "The man dribbles."}
NUMBERED = {"A": "Option 1", "B": "Option 2"}
LETTERED = {"A": "Caption A", "B": "Caption B"}


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("yes", "A"),
        ("No.", "B"),
        ("**Yes**", "A"),
        ("Yes, the man is dunking.", "A"),
        ("No. He dribbles.", "B"),
        ("The answer is no.", "B"),
        ("The man is dunking, so yes.", "A"),
        ("<think>Is it yes?</think>no", "B"),
        # Letters were never shown.
        ("A", None),
        ("B.", None),
        ("(A)", None),
        ("The answer is B.", None),
        ("Option A", None),
        # Words that only look like an answer.
        ("No one is there", None),
        ("There is no man", None),
        ("Not sure", None),
        ("nothing", None),
        ("yes or no", None),
        ("Yes, no", None),
        ("", None),
    ],
)
def test_where_no_option_has_a_name_only_its_text_is_an_answer(output: str, answer: str | None) -> None:
    assert read_labelled(output, YES_NO, NAMELESS).letter == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Option 1", "A"),
        ("option 2.", "B"),
        ("2", "B"),
        ("(1)", "A"),
        ("Option 2: The man dribbles.", "B"),
        ("1. The man dunks.", "A"),
        ("The answer is Option 2.", "B"),
        ("The man dribbles.", "B"),
        ("B", "B"),
        ("3", None),
        ("Option 12", None),
        ("Option 1 or Option 2", None),
        ("1. The man dunks. 2. The man dribbles.", None),
        ("Option 1: The man dunks.\nOption 2: The man dribbles.", None),
        ("There are 2 men", None),
    ],
)
def test_options_that_have_numbers_are_answered_by_them(output: str, answer: str | None) -> None:
    assert read_labelled(output, CAPTIONS, NUMBERED).letter == answer


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("Caption B", "B"),
        ("caption a: The man dunks.", "A"),
        ("The answer is Caption B.", "B"),
        ("A", "A"),
        ("Caption A and Caption B", None),
        ("1", None),
        ("Caption C", None),
    ],
)
def test_captions_are_answered_by_their_names(output: str, answer: str | None) -> None:
    assert read_labelled(output, CAPTIONS, LETTERED).letter == answer


def test_the_rule_is_that_of_the_extractor() -> None:
    assert read_labelled("Yes", YES_NO, NAMELESS).rule is Rule.whole_text
    assert read_labelled("B", CAPTIONS, None).rule is Rule.lone_letter
    assert read_labelled("The answer is 1", CAPTIONS, NUMBERED, cut_off=True).letter is None
