"""What the answer extractor reads, and what it refuses to read."""

from __future__ import annotations

import string

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sf_eval.scoring.answers.extract import extract_answer

OPTIONS = {"A": "Two cats", "B": "A dog", "C": "Driving a car", "D": "None of the above"}

PLAIN = [
    ("A", "A"), ("a", "A"), ("A.", "A"), ("(a)", "A"), ("a)", "A"), ("(b", "B"), ("[C]", "C"), ("b", "B"),
    ("(b)", "B"),
    ("b / (b)", "B"), ("**B**", "B"), ("'B'", "B"), ('"B"', "B"), ("B: text", "B"), ("B - a dog", "B"),
    ("### B", "B"),
    ("Option C", "C"), ("choice d", "D"), ("option c: driving", "C"), ("Ｂ", "B"), ("（Ｂ）", "B"),
    ("【B】", "B"),
    ("B\nBecause the dog barks", "B"), ("B because the dog barks", "B"), ("A because", "A"),
    ("B, not A", "B"),
    ("A. Two cats", "A"), ("A Two cats", "A"), ("B.A dog", "B"), ("<b>C</b>", "C"),
    ("D: none of these are right", "D"),
]  # fmt: skip
STATED = [
    ("The best answer is: B. Driving a car", "B"), ("A man is shown. The answer is C.", "C"),
    ("The answer is B because A is wrong", "B"), ("Answer: C", "C"), ("Answer: C (LongVideoBench)", "C"),
    ("Answer: (C)", "C"), ("Answer: **C**", "C"), ("**Answer:** B", "B"), ("answer:a", "A"), ("Ans: B", "B"),
    ("The correct option is D, because A ...", "D"), ("I think it's B.", "B"),
    ("... So the answer is (D).", "D"),
    ("The answer is A.", "A"), ("The answer is A because of this", "A"), ("The answer is A: Two cats", "A"),
    ("The answer is A Two cats", "A"), ("The answer is B, A is wrong", "B"), ("My answer is: d", "D"),
    ("The correct letter is B", "B"), ("I would go with option C.", "C"), ("I choose B", "B"),
    ("Answer B", "B"),
    ("B is correct", "B"), ("Option B is the best answer.", "B"), ("(A) is wrong. (B) is right.", "B"),
    ("Option A is wrong, so C", "C"), ("C is tempting but the answer is D.", "D"),
    ("It is B, isn't it?", "B"),
    ("It could be A, but the answer is C.", "C"), ("The answer is B. Final answer: C", "C"),
    ("the most appropriate answer to the question based on the video is B", "B"), ("答案是B", "B"),
    ("选C。", "C"),
    ("A. Two cats\nB. A dog\nThe answer is B.", "B"), ("B. A dog\n\nA. Two cats: no", "B"),
]  # fmt: skip
MARKED = [
    ("\\boxed{B}", "B"), ("So $\\boxed{\\text{B}}$", "B"), ("<answer>B</answer>", "B"),
    ("<answer>(b) A dog</answer>", "B"),
    ("<think>A, no. B, no.</think>C", "C"), ("<think>hm</think>\n\nThe answer is D", "D"),
]  # fmt: skip
AT_THE_END = [
    ("The person holds a cup (C)", "C"), ("The person holds a cup (C) (MVBench)", "C"),
    ("The video shows a man. B", "B"), ("The video shows a man.\nC", "C"),
]  # fmt: skip
BY_TEXT = [
    ("A dog", "B"), ("a dog.", "B"), ("Two cats", "A"), ("None of the above", "D"),
    ("The answer is a dog", "B"),
    ("I think it's a dog.", "B"), ("The man is driving a car.", "C"), ("Two cats. They play.", "A"),
    ("A dog is shown, so the answer is two cats.", "A"),
]  # fmt: skip
NO_ANSWER = [
    "", "  ", "\n", ".", "I cannot tell from the video.", "Because I can't see", "A man is shown.",
    "A dog runs.",
    "a small (brown) dog", "The answer is a (small) cat", "the answer is a cat", "I cannot answer a question",
    "A or B", "Both A and C", "A and C are wrong", "A/B", "A & B", "A, B", "(A) (B)",
    "Both (A) and (C) are plausible",
    "The answer is A or B", "The answer is either A or B.", "Answer: A, B, or C", "A or B is correct",
    "not A", "Not A.", "Neither A nor B", "Option A is wrong", "(A) is wrong.", "The answer is not A",
    "The answer isn't B", "I don't think B is correct", "I'm not sure if it's A.",
    "The man is not driving a car.",
    "The answer is B. The answer is C.", "B. The answer is C", "\\boxed{A} or \\boxed{B}",
    "<answer></answer>",
    "<think>the answer is B", "E", "The answer is E.", "G",
    "A. Two cats\nB. A dog\nC. Driving a car\nD. None",
    "A. Two cats B. A dog C. Driving a car", "e.g. a dog", "A.M. is shown", "D'accord", "C'est la vie",
    "Video a.mp4 can not load, check the source", "Either two cats or a dog", "None",
]  # fmt: skip


@pytest.mark.parametrize(("output", "letter"), PLAIN + STATED + MARKED + AT_THE_END + BY_TEXT)
def test_reads_the_letter(output: str, letter: str) -> None:
    assert extract_answer(output, OPTIONS) == letter


@pytest.mark.parametrize("output", NO_ANSWER)
def test_never_guesses(output: str) -> None:
    assert extract_answer(output, OPTIONS) is None


@pytest.mark.parametrize("output", [o for o, _ in PLAIN + STATED + MARKED + AT_THE_END + BY_TEXT] + NO_ANSWER)
def test_case_never_matters(output: str) -> None:
    expected = extract_answer(output, OPTIONS)
    assert extract_answer(output.upper(), OPTIONS) == expected
    assert extract_answer(output.lower(), OPTIONS) == expected


def test_text_of_one_option_within_another() -> None:
    options = {"A": "a red car", "B": "a red car and a bus", "C": "a bus"}
    assert extract_answer("a red car", options) == "A"
    assert extract_answer("It shows a red car and a bus", options) == "B"
    assert extract_answer("a red car and a bus.", options) == "B"


def test_letter_wins_over_a_text_that_contradicts_it() -> None:
    assert extract_answer("A. A dog", OPTIONS) == "A"


def test_text_that_two_options_share_is_no_answer() -> None:
    assert extract_answer("red", {"A": "red", "B": "red", "C": "blue"}) is None


def test_yes_and_no() -> None:
    options = {"A": "Yes", "B": "No"}
    assert extract_answer("No, there is none.", options) == "B"
    assert extract_answer("There is no way to see it.", options) is None


def test_letters_beyond_the_offered_are_refused_even_beside_an_offered_one() -> None:
    assert extract_answer("The answer is C.", {"A": "x", "B": "y"}) is None
    assert extract_answer("The answer is F.", dict(zip("ABCDEF", "uvwxyz", strict=True))) == "F"


def test_no_options() -> None:
    assert extract_answer("A", {}) is None


LETTERS = st.integers(2, 6).flatmap(lambda count: st.tuples(st.just(count), st.integers(0, count - 1)))
# Words without a letter of their own and without any that deny, doubt or give an answer.
WORDS = st.lists(st.sampled_from(("the", "man", "walks", "to", "his", "tall", "house", "today")), max_size=8)
FORMS = (
    "{}", "({})", "[{}]", "{})", "{}.", "**{}**", "{}:", "Option {}", "The answer is {}.", "Answer: {}",
    "answer is ({})",
    "The correct option is {}.", "I think it's {}.", "I choose {}.", "<answer>{}</answer>", "\\boxed{{{}}}",
)  # fmt: skip


def _options(count: int) -> dict[str, str]:
    return {letter: f"thing number {place}" for place, letter in enumerate(string.ascii_uppercase[:count])}


@given(LETTERS, st.sampled_from(FORMS), st.booleans(), WORDS)
def test_forms_case_and_trailing_text(
    offered: tuple[int, int], form: str, lower: bool, trailing: list[str]
) -> None:
    count, place = offered
    letter = string.ascii_uppercase[place]
    said = form.format(letter)
    if trailing:
        said += "\n" + " ".join(trailing) + "."
    assert extract_answer(said.lower() if lower else said, _options(count)) == letter


@given(LETTERS, st.sampled_from(("({})", "{})", "{}.", "[{}]", "{}:")), st.text(max_size=60))
def test_any_text_may_follow_a_labelled_letter(offered: tuple[int, int], form: str, trailing: str) -> None:
    assume(not any(mark in trailing for mark in ("<", "\\boxed", "(", "[", "/", "&", ",", "|", "+")))
    assume(not any(word in trailing.casefold() for word in ("answer", "is", "not")))
    count, place = offered
    letter = string.ascii_uppercase[place]
    assert extract_answer(f"{form.format(letter)} {trailing}", _options(count)) in {letter, None}
    assert extract_answer(f"{form.format(letter)} Text {trailing}", _options(count)) == letter


@given(st.text(max_size=300), st.integers(2, 6))
@example("(((((((((((((((((((a", 4)
def test_never_a_letter_outside_the_offered(output: str, count: int) -> None:
    options = _options(count)
    assert extract_answer(output, options) in {None, *options}


@given(st.text(alphabet="abcdeABCDE .,:;()[]/'\"\nor and not is the answer", max_size=120))
def test_case_invariance_of_arbitrary_outputs(output: str) -> None:
    assert extract_answer(output.upper(), OPTIONS) == extract_answer(output.lower(), OPTIONS)


@given(
    st.sampled_from(list(OPTIONS)),
    st.sampled_from(("{}", "({})", '"{}"', "{}.", "**{}**", "[{}]!")),
    st.booleans(),
)
def test_option_text_alone_in_any_dress(letter: str, dress: str, upper: bool) -> None:
    said = dress.format(OPTIONS[letter])
    assert extract_answer(said.upper() if upper else said, OPTIONS) == letter


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from(
        ["(", "[({", "'", "a, ", "answer is ", "answer: ", "<answer>", "\\boxed{", "option ", "not "]
    )
)
def test_hostile_repetition_ends(unit: str) -> None:
    assert extract_answer(unit * 8000, OPTIONS) in {None, *OPTIONS}
