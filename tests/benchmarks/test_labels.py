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
        # "No" before a word tells what there is not; at the end of a clause it is an answer.
        ("Yes, he has no hat.", "A"),
        ("Yes, there is no other person", "A"),
        ("Yes — no change in speed.", "A"),
        ("Yes - he dunks, with no help", "A"),
        ("Yes.\nThere is no cut in the video.", "A"),
        ("Yes. No-one else is there.", "A"),
        ("**Yes**, there is **no** cut", "A"),
        ("The answer is yes, there is no cut.", "A"),
        ("There is no cut, so yes.", "A"),
        ("No, there is no dog", "B"),
        ("No – no dog is there", "B"),
        ("There is no dog, so no.", "B"),
        ("Yes, but no", None),
        ("Yes. No.", None),
        ("Yes. No, he does not.", None),
        ("Yes, no it is not", None),
        ("Yes and no", None),
        ("Yes, no way", None),
        ("There is no way the answer is yes.", None),
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
    [("Yes, he has no hat.", "A"), ("(B) no hat", "B"), ("A. No cut is seen", "A"), ("Yes, but no", None)],
)
def test_no_before_a_word_is_no_option_where_options_have_letters_either(
    output: str, answer: str | None
) -> None:
    assert read_labelled(output, YES_NO, None).letter == answer


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
        ("3", None),
        # Letters were never shown.
        ("B", None),
        ("(A)", None),
        ("Option A", None),
        ("The answer is B.", None),
        ("The man dunks. (B)", None),
        # Wherever a letter would be an answer by its place or by what is said before it.
        ("The answer is 2", "B"),
        ("Answer: **2**", "B"),
        ("I choose 2.", "B"),
        ("**2**", "B"),
        ("<think>Is it 1?</think>2", "B"),
        ("<answer>2</answer>", "B"),
        ("\\boxed{2}", "B"),
        ("**Option 2**: he dribbles", "B"),
        ("Option (2)", "B"),
        ("A man dunks, so the answer is Option 1", "A"),
        ("The answer is not 2", None),
        ("The answer is 2 men", None),
        ("The answer is 2.5", None),
        ("The number of men is 2.", None),
        ("The answer is 1 or 2", None),
        ("Options 1 and 2", None),
        ("Option 1/2", None),
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


@pytest.mark.parametrize(
    ("output", "answer"),
    [
        ("A", "B"),
        ("The answer is A", "B"),
        ("Caption B", "A"),
        ("b.", "A"),
        ("Captions A and B", None),
    ],
)
def test_a_letter_is_that_of_the_label_and_not_of_the_place(output: str, answer: str | None) -> None:
    assert read_labelled(output, CAPTIONS, {"A": "Caption B", "B": "Caption A"}).letter == answer


@pytest.mark.parametrize("output", ["Option 1: A man dunks.", "Option 1: A man dunks.\nOption"])
def test_the_first_option_may_begin_a_list_of_all_where_the_output_was_cut_off(output: str) -> None:
    options = {"A": "A man dunks.", "B": "A man dribbles."}
    assert read_labelled(output, options, NUMBERED).letter == "A"
    assert read_labelled(output, options, NUMBERED, cut_off=True).letter is None
    assert read_labelled("Option 2: A man dribbles.", options, NUMBERED, cut_off=True).letter == "B"


def test_the_rule_is_that_of_the_extractor() -> None:
    assert read_labelled("Yes", YES_NO, NAMELESS).rule is Rule.whole_text
    assert read_labelled("B", CAPTIONS, None).rule is Rule.lone_letter
    assert read_labelled("The answer is 1", CAPTIONS, NUMBERED, cut_off=True).letter is None
