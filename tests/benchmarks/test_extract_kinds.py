"""Kinds of outputs that are easily misread, made from parts: hedges and turns, lists that the token limit cut
off, marks of reasoning, and mappings.

Each is either read as the letter that it gives or as none. The parts are combined by Hypothesis, so that a
wording that no table lists is tried too.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sf_eval.scoring.answers.extract import extract_answer, read_answer

COLOURS = {"A": "Red", "B": "Blue", "C": "Green", "D": "Yellow"}
DEEDS = {
    "A": "The man is cooking dinner", "B": "The man is washing dishes", "C": "The man sleeps",
    "D": "None of the above",
}  # fmt: skip
EIGHT = dict(
    zip(
        "ABCDEFGH",
        (
            "one thing",
            "two things",
            "a small dog",
            "a red car",
            "they leave",
            "she sings",
            "he falls",
            "no one",
        ),
        strict=True,
    )
)

some = settings(max_examples=250, deadline=None)
OPTION_SETS = st.sampled_from((COLOURS, DEEDS, EIGHT))


@st.composite
def two_of_the_options(draw: st.DrawFn) -> tuple[Mapping[str, str], str, str]:
    options = draw(OPTION_SETS)
    first, second = draw(st.permutations(list(options)))[:2]
    return options, first, second


# --- 13.17: a hedge, then another letter -------------------------------------------------------------
HEDGES = (
    "I think {}", "I think it's {}", "I think the answer is {}", "Perhaps {}", "Maybe {}", "Probably {}",
    "It might be {}", "It could be {}", "The answer might be {}", "The answer could be {}",
    "The answer is probably {}", "I'd guess {}", "My guess is {}", "My first thought is {}",
    "My first guess is {}",
    "My initial answer is {}", "At first glance, {}", "At first I thought {}", "I'm leaning towards {}",
    "I'd say {}", "I believe it is {}", "Possibly {}", "It seems to be {}", "It looks like {}",
    "{} seems right",
    "{} looks correct", "{} might be right", "{} is possible", "{} is plausible", "I suspect {}",
    "I was going to say {}", "Presumably {}", "Most likely {}", "It's probably ({})", "Maybe option {}",
    "I initially chose {}", "{}, I think", "{}?", "If I had to guess, {}", "My answer would be {}, I think",
)  # fmt: skip
TURNS = (
    "but {} is better", "but on closer inspection {} is correct", "however, {} fits better",
    "however {} is right",
    "but {} fits", "no wait, {}", "no, {}", "wait, {}", "actually, {}", "actually it's {}",
    "on second thought, {}",
    "on second thought {} is better", "then again, {}", "then again {} fits better", "in fact, {}",
    "in fact {} is correct", "instead, {}", "or rather {}", "though {} is more likely",
    "yet {} matches better",
    "but then again {}", "but {}", "but maybe {}", "but the answer is {}", "but looking closer, it's {}",
    "still, {} is the better answer", "but option {} matches the video", "but ({}) is shown",
    "but I now think {}",
    "on reflection, {}", "after watching again, {}", "but I'd go with {}", "except that {} fits better",
    "no doubt {} is better", "whereas {} is exactly what we see", "but no, {}",
    "nevertheless {} is what is shown",
)  # fmt: skip
JOINTS = (", ", ". ", "; ", " - ", "... ", ".\n")
STATED = (
    "The answer is {}", "Answer: {}", "({})", "The correct option is {}", "I choose {}", "{} is correct",
    "So the answer is {}", "Final answer: {}", "**{}**", "\\boxed{{{}}}", "<answer>{}</answer>",
    "Definitely {}",
)  # fmt: skip
TAKEN_BACK = (
    "wait, {}", "no wait, it's {}", "Actually, {}", "On second thought, {}", "Correction: {}", "Sorry, {}",
    "I mean {}", "Scratch that, {}", "Then again, {}", "in fact, {}", "Instead, {}", "or rather {}",
    "Let me reconsider. {}", "but {} is better", "However, {} is correct", "but the answer is {}",
    "No, it's {}",
    "but {} fits better", "On closer inspection, {} is right", "My mistake, {}", "but no, {}",
)  # fmt: skip


@some
@given(
    two_of_the_options(),
    st.sampled_from(HEDGES),
    st.sampled_from(JOINTS),
    st.sampled_from(TURNS),
    st.booleans(),
)
def test_a_hedge_and_then_another_letter_is_never_the_first(
    case: tuple[Mapping[str, str], str, str], hedge: str, joint: str, turn: str, lower: bool
) -> None:
    options, first, second = case
    said = hedge.format(first) + joint + turn.format(second) + "."
    assert extract_answer(said.lower() if lower else said, options) in (second, None)


@some
@given(
    two_of_the_options(),
    st.sampled_from(
        ("I think {}", "Perhaps {}", "It might be {}", "I'd guess {}", "My first thought is {}", "{}?")
    ),
    st.sampled_from(JOINTS),
    st.sampled_from(TURNS),
)
def test_a_hedged_text_and_then_another_text_is_never_the_first(
    case: tuple[Mapping[str, str], str, str], hedge: str, joint: str, turn: str
) -> None:
    options, first, second = case
    said = hedge.format(options[first]) + joint + turn.format(options[second]) + "."
    assert extract_answer(said, options) in (second, None)


@some
@given(two_of_the_options(), st.sampled_from(STATED), st.sampled_from(JOINTS), st.sampled_from(TAKEN_BACK))
def test_a_statement_that_is_taken_back_is_never_the_first(
    case: tuple[Mapping[str, str], str, str], stated: str, joint: str, turn: str
) -> None:
    options, first, second = case
    assert extract_answer(stated.format(first) + joint + turn.format(second) + ".", options) in (second, None)


@pytest.mark.parametrize(
    "beside",
    ["but {} is also plausible", "though {} is also possible", "although {} could work", "but {} is tempting",
     "but {} might also fit", "but ({}) could also be considered", "while {} is less likely", "but not {}"],
)  # fmt: skip
@pytest.mark.parametrize(
    "stated", ["The answer is {}", "Answer: {}", "The correct option is ({})", "I choose {}"]
)
def test_a_statement_stands_beside_what_is_only_plausible(stated: str, beside: str) -> None:
    for first, second in (("A", "B"), ("B", "A"), ("C", "D")):
        said = f"{stated.format(first)}, {beside.format(second)}."
        assert extract_answer(said, COLOURS) == first, said


@pytest.mark.parametrize(
    ("output", "letter"),
    [("I think A, but B is better.", "B"), ("Perhaps A, but on closer inspection B is correct.", "B"),
     ("It might be A; however, B fits better.", "B"), ("I think it's A. No wait, B.", "B"),
     ("I think it's B. Option A is incorrect.", "B"), ("I'd guess B.", "B"),
     ("I believe B is the correct answer.", "B"),
     ("It might be A, it might be B", None), ("B is better than A.", "B"), ("Is B better?", None)],
)  # fmt: skip
def test_hedges_that_can_be_read(output: str, letter: str | None) -> None:
    assert extract_answer(output, COLOURS) == letter


# --- 13.18: options repeated and cut off ------------------------------------------------------------
STYLES = (
    "{l}. {t}", "({l}) {t}", "{l}) {t}", "{l}: {t}", "**{l}.** {t}", "**{l}**: {t}", "Option {l}: {t}",
    "- {l}. {t}",
    "1. {l}. {t}", "[{l}] {t}", "{l} - {t}", "* ({l}) {t}", "### {l}. {t}", "{l}\n{t}", "| {l} | {t} |",
    "{l} = {t}", '"{l}": "{t}"', "• {l}. {t}", "选项{l}：{t}", "{l}、{t}", "**Option {l}:** {t}", "{l}> {t}",
)  # fmt: skip
INTRODUCTIONS = (
    "", "Let's analyze each option:\n", "Options:\n", "The options are:\n",
    "Let me consider each option one by one.\n",
    "Here are the options: ",
)  # fmt: skip
NOTES = ("", ": This is not seen", ". This is seen in the video.", " - not visible", "\nThis is not seen.")


@settings(max_examples=500, deadline=None)
@given(
    OPTION_SETS, st.sampled_from(STYLES), st.sampled_from(INTRODUCTIONS), st.sampled_from(NOTES),
    st.sampled_from(("\n", "\n\n", "; ")), st.floats(0, 1), st.booleans(),
)  # fmt: skip
def test_a_list_of_the_options_is_no_answer_wherever_it_ends(
    options: Mapping[str, str], style: str, start: str, note: str, between: str, end: float, cut_off: bool
) -> None:
    assume(not ("\n" in style and between == "; "))  # nobody writes a label's text on a line of its own so
    lines = [style.format(l=letter, t=text) + note for letter, text in options.items()]
    listed = start + between.join(lines)
    # From the letter of the second label on (or of the first, where the list was announced).
    first_end = listed.index("A") + 1 if start else len(lines[0]) + len(between) + style.index("{l}") + 1
    said = listed[: first_end + round(end * (len(listed) - first_end))]
    assert read_answer(said, options, cut_off=cut_off).letter is None, said


@pytest.mark.parametrize("rest", ["\n", "\n(", "\n**", "\n- ", "\nOption", "\n2.", " ("])
def test_a_cut_off_output_that_holds_the_first_option_alone_may_have_begun_a_list(rest: str) -> None:
    assert read_answer(f"A. {DEEDS['A']}{rest}", DEEDS, cut_off=True).letter is None
    assert read_answer(f"B. {DEEDS['B']}{rest}", DEEDS, cut_off=True).letter == "B"  # no list begins with B


def test_what_the_token_limit_takes_from_an_output() -> None:
    assert read_answer("B", COLOURS, cut_off=True).letter == "B"  # with one new token every answer is cut off
    assert read_answer("B. The man is wash", DEEDS, cut_off=True).letter == "B"
    assert read_answer("A. The man is cook", DEEDS, cut_off=True).letter == "A"  # nothing tells of a list
    assert read_answer("The man holds a cup (C)", COLOURS, cut_off=True).letter is None
    assert read_answer("The man holds a cup (C)", COLOURS).letter == "C"
    assert read_answer("I think it's B, but", COLOURS, cut_off=True).letter is None
    assert read_answer("The dog", {"A": "The dog", "B": "The dog runs"}, cut_off=True).letter is None
    assert read_answer("The dog", {"A": "The dog", "B": "The dog runs"}).letter == "A"


# --- 13.19: reasoning in other marks -----------------------------------------------------------------
THOUGHT_MARKS = (
    ("<think>", "</think>"), ("<think >", "</think >"), ("< think >", "</ think>"), ("<thinking>",
    "</thinking>"),
    ("<REASONING>", "</REASONING>"), ("<seed:think>", "</seed:think>"), ("<reflection>", "</reflection>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"), ("◁think▷", "◁/think▷"), ("[THINK]", "[/THINK]"),
    ("<analysis>", "</analysis>"), ("<rationale>", "</rationale>"), ("", "</think>"), ("", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"), ("<inner_monologue>", "</inner_monologue>"),
    ("<musings>", "</musings>"), ("<chain_of_thought>", "</chain_of_thought>"), ("＜think＞", "＜/think＞"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel>thought\n", "<channel|>"), ("<|im_start|>think\n", "<|im_start|>answer\n"),
    ("analysis", "assistantfinal"), ("<unused94>thought\n", "<unused95>"), ("<think type='x'>", "</think>"),
    ("Here is my thought process:\n", "\nHere is my response:\n"),
)  # fmt: skip
THOUGHTS = (
    "The answer is {}.", "{}", "Looks like {}", "({})", "Final answer: {}", "\\boxed{{{}}}",
    "<answer>{}</answer>",
)  # fmt: skip
ANSWERS = (
    "{}", "{}.", "({})", "The answer is {}.", "<answer>{}</answer>", "<CONCLUSION>{}</CONCLUSION>",
    "\\boxed{{{}}}",
    "<|begin_of_solution|>{}<|end_of_solution|>", "**{}**", "{}<|im_end|>", "<answer>{}",
    "<response>{}</response>",
    "[ANSWER]{}[/ANSWER]", "<|begin_of_box|>{}<|end_of_box|>", "Final answer: {}</s>",
)  # fmt: skip


@some
@given(
    two_of_the_options(), st.sampled_from(THOUGHT_MARKS), st.sampled_from(THOUGHTS), st.sampled_from(ANSWERS),
    st.sampled_from(("", "\n", "\n\n")),
)  # fmt: skip
def test_what_was_thought_is_no_answer(
    case: tuple[Mapping[str, str], str, str], marks: tuple[str, str], thought: str, answer: str, space: str
) -> None:
    options, first, second = case
    said = marks[0] + thought.format(first) + marks[1] + space + answer.format(second)
    assert extract_answer(said, options) == second


@pytest.mark.parametrize(
    "mark", ["<think>", "<seed:think>", "◁think▷", "[THINK]", "<|channel|>analysis<|message|>"]
)
def test_thinking_that_never_ended_holds_no_answer(mark: str) -> None:
    assert extract_answer(f"{mark}The answer is B.", COLOURS) is None


def test_what_is_said_after_a_marked_answer_may_take_it_back() -> None:
    assert extract_answer("<answer>B</answer> It shows a man.", COLOURS) == "B"
    assert extract_answer("<answer>B</answer> Wait, actually C.", COLOURS) is None
    assert extract_answer("\\boxed{B}. No, C is right.", COLOURS) is None


def test_a_word_in_brackets_is_no_mark() -> None:
    assert extract_answer("The answer is B. His [reflection] is in the mirror.", COLOURS) == "B"


# --- 13.20: a mapping over options --------------------------------------------------------------------
MAPPINGS = (
    '{{"{}": 0.1, "{}": 0.8}}', "{{'{}': 10, '{}': 80}}", '{{"{}": "x", "{}": "y"}}', "{} (10%), {} (80%)",
    "{}: 10%, {}: 80%", "{}: 0.1\n{}: 0.8", "{}=0.1, {}=0.8", "{} 10% {} 80%", "({}) 10%, ({}) 80%",
    "{} - 10%\n{} - 80%", "{} → 10%, {} → 80%", "| {} | 0.1 |\n| {} | 0.8 |", "[('{}', 0.1), ('{}', 0.8)]",
    '{{"scores": {{"{}": 0.1, "{}": 0.8}}}}', "{} [10%], {} [80%]", "Option {} (10%), Option {} (80%)",
    "Answer: {} (10%), {} (80%)", "{}: low, {}: high", '{{"{}": null, "{}": null}}', '{{"{}": 0.1, "{}',
    "{} (10%), {}", "{}:1,{}:4", "**{}**: 10%\n**{}**: 80%",
)  # fmt: skip


@pytest.mark.parametrize("form", MAPPINGS)
def test_a_mapping_over_options_is_no_answer_for_its_first(form: str) -> None:
    for first, second in (("A", "B"), ("B", "A"), ("B", "D"), ("C", "A")):
        said = form.format(first, second)
        assert extract_answer(said, COLOURS) in (second, None), said


def test_a_key_named_answer_is_read_beside_a_mapping() -> None:
    assert extract_answer('{"scores": {"A": 0.1, "B": 0.8}, "answer": "C"}', COLOURS) in ("C", None)
    assert extract_answer('{"reason": "he walks", "answer": "C"}', COLOURS) == "C"
    assert extract_answer("A: 10%, B: 80%. The answer is B.", COLOURS) == "B"
