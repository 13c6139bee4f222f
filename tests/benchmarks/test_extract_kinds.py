"""Kinds of outputs that are easily misread, made from parts: hedges and turns, lists that the token limit cut
off, marks of reasoning, mappings, ticks, other languages, and outputs beyond any length.

Each is either read as the letter that it gives or as none. The parts are combined by Hypothesis, so that a
wording that no table lists is tried too.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sf_eval.benchmarks.extract import LONGEST_READ, extract_answer, read_answer
from sf_eval.benchmarks.reading import Frame, Rule

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
COUNTS = {"A": "1", "B": "2", "C": "3", "D": "4"}
ORDERS = {"A": "1->2->3->4", "B": "2->1->3->4", "C": "4->3->2->1", "D": "2->3->1->4"}
WEARER = {"A": "C is cleaning", "B": "C is cooking a meal", "C": "C and the man play", "D": "The man helps c"}
GERMS = {"A": "E. coli", "B": "Salmonella", "C": "Yeast", "D": "B. subtilis"}

some = settings(max_examples=250, deadline=None)
OPTION_SETS = st.sampled_from((COLOURS, DEEDS, EIGHT))


@st.composite
def two_of_the_options(draw: st.DrawFn) -> tuple[Mapping[str, str], str, str]:
    options = draw(OPTION_SETS)
    first, second = draw(st.permutations(list(options)))[:2]
    return options, first, second


# --- 13.17: a hedge, then another letter ---------------------------------------------------------------------
HEDGES = (
    "I think {}", "I think it's {}", "I think the answer is {}", "Perhaps {}", "Maybe {}", "Probably {}",
    "It might be {}", "It could be {}", "The answer might be {}", "The answer could be {}",
    "The answer is probably {}", "I'd guess {}", "My guess is {}", "My first thought is {}", "My first guess is {}",
    "My initial answer is {}", "At first glance, {}", "At first I thought {}", "I'm leaning towards {}",
    "I'd say {}", "I believe it is {}", "Possibly {}", "It seems to be {}", "It looks like {}", "{} seems right",
    "{} looks correct", "{} might be right", "{} is possible", "{} is plausible", "I suspect {}",
    "I was going to say {}", "Presumably {}", "Most likely {}", "It's probably ({})", "Maybe option {}",
    "I initially chose {}", "{}, I think", "{}?", "If I had to guess, {}", "My answer would be {}, I think",
)  # fmt: skip
TURNS = (
    "but {} is better", "but on closer inspection {} is correct", "however, {} fits better", "however {} is right",
    "but {} fits", "no wait, {}", "no, {}", "wait, {}", "actually, {}", "actually it's {}", "on second thought, {}",
    "on second thought {} is better", "then again, {}", "then again {} fits better", "in fact, {}",
    "in fact {} is correct", "instead, {}", "or rather {}", "though {} is more likely", "yet {} matches better",
    "but then again {}", "but {}", "but maybe {}", "but the answer is {}", "but looking closer, it's {}",
    "still, {} is the better answer", "but option {} matches the video", "but ({}) is shown", "but I now think {}",
    "on reflection, {}", "after watching again, {}", "but I'd go with {}", "except that {} fits better",
    "no doubt {} is better", "whereas {} is exactly what we see", "but no, {}", "nevertheless {} is what is shown",
)  # fmt: skip
JOINTS = (", ", ". ", "; ", " - ", "... ", ".\n")
STATED = (
    "The answer is {}", "Answer: {}", "({})", "The correct option is {}", "I choose {}", "{} is correct",
    "So the answer is {}", "Final answer: {}", "**{}**", "\\boxed{{{}}}", "<answer>{}</answer>", "Definitely {}",
)  # fmt: skip
TAKEN_BACK = (
    "wait, {}", "no wait, it's {}", "Actually, {}", "On second thought, {}", "Correction: {}", "Sorry, {}",
    "I mean {}", "Scratch that, {}", "Then again, {}", "in fact, {}", "Instead, {}", "or rather {}",
    "Let me reconsider. {}", "but {} is better", "However, {} is correct", "but the answer is {}", "No, it's {}",
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
     ("I think it's B. Option A is incorrect.", "B"), ("I'd guess B.", "B"), ("I believe B is the correct answer.", "B"),
     ("It might be A, it might be B", None), ("B is better than A.", "B"), ("Is B better?", None)],
)  # fmt: skip
def test_hedges_that_can_be_read(output: str, letter: str | None) -> None:
    assert extract_answer(output, COLOURS) == letter


# --- 13.18: options repeated and cut off --------------------------------------------------------------------
STYLES = (
    "{l}. {t}", "({l}) {t}", "{l}) {t}", "{l}: {t}", "**{l}.** {t}", "**{l}**: {t}", "Option {l}: {t}", "- {l}. {t}",
    "1. {l}. {t}", "[{l}] {t}", "{l} - {t}", "* ({l}) {t}", "### {l}. {t}", "{l}\n{t}", "| {l} | {t} |",
    "{l} = {t}", '"{l}": "{t}"', "• {l}. {t}", "选项{l}：{t}", "{l}、{t}", "**Option {l}:** {t}", "{l}> {t}",
)  # fmt: skip
INTRODUCTIONS = (
    "", "Let's analyze each option:\n", "Options:\n", "The options are:\n", "Let me consider each option one by one.\n",
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


# --- 13.19: reasoning in other marks -------------------------------------------------------------------------
THOUGHT_MARKS = (
    ("<think>", "</think>"), ("<think >", "</think >"), ("< think >", "</ think>"), ("<thinking>", "</thinking>"),
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
    "The answer is {}.", "{}", "Looks like {}", "({})", "Final answer: {}", "\\boxed{{{}}}", "<answer>{}</answer>",
)  # fmt: skip
ANSWERS = (
    "{}", "{}.", "({})", "The answer is {}.", "<answer>{}</answer>", "<CONCLUSION>{}</CONCLUSION>", "\\boxed{{{}}}",
    "<|begin_of_solution|>{}<|end_of_solution|>", "**{}**", "{}<|im_end|>", "<answer>{}", "<response>{}</response>",
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


# --- 13.20: a mapping over options ----------------------------------------------------------------------------
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


# --- 13.21: common answers ------------------------------------------------------------------------------------
MISSED = (
    "\u200b{}", "{}\u200b", "\ufeff{}", "\x00{}.", "{}\x00", "\u2060{}\u2060", "✅ {}", "✅ {}. {t}", "👉 {}", "{} ✅",
    "☑ {}. {t}", "Assistant: {}", "assistant\n{}", "AI: {}. {t}", "addCriterion\n{}. {t}", "addCriterion\n{}",
    "{{'prediction': '{}'}}", '{{"predicted_answer": "{}"}}', '{{"answer": ["{}"]}}', '```json\n{{"answer": "{}"}}\n```',
    "The best match is {}.", "The closest match is option {}.", "The most accurate description is {}.",
    "In conclusion, {}.", "To conclude: {}", "Overall, {}.", "The man walks. In conclusion, {}.",
    "故选：{}", "故选{}", "【答案】{}", "【答案】：{}", "答案:【{}】", "正确的选项是{}", "正确选项是{}。", "正确答案：{}", "答案应该是{}",
    "答案应为{}", "{}选项正确", "选项{}正确", "{}是正确的", "因此选{}", "应选{}", "我选{}", "最合适的选项是{}", "故选：{}，因为视频显示",
    "正解は{}です", "정답은 {}입니다.", "<|assistant|>{}", "{}</s>", "\x08oxed{{{}}}", "**Conclusion:** {}", "{} is the best match.",
)  # fmt: skip


@pytest.mark.parametrize("options", [COLOURS, EIGHT], ids=["four options", "eight options"])
@pytest.mark.parametrize("form", MISSED)
def test_reads_common_answers(form: str, options: Mapping[str, str]) -> None:
    for letter, text in options.items():
        assert extract_answer(form.format(letter, t=text), options) == letter


@pytest.mark.parametrize(
    "first", ["{}\n", "{}\n\n", "{}. {t}\n\n", "**{}**\n\n", "The answer is {}.\n", "{}\nOptions:\n"]
)
@pytest.mark.parametrize("style", ["{l}. {t}", "({l}) {t}", "{l}: {t}"])
def test_the_letter_first_and_the_options_after_it(first: str, style: str) -> None:
    for options in (COLOURS, EIGHT):
        listed = "\n".join(style.format(l=letter, t=text) for letter, text in options.items())
        for letter, text in options.items():
            assert extract_answer(first.format(letter, t=text) + listed, options) == letter


@pytest.mark.parametrize(
    ("ticked", "unticked"),
    [("- [x] {}", "- [ ] {}"), ("[X] {}", "[ ] {}"), ("✅ {}", "❌ {}"), ("☑ {}", "☐ {}"), ("{} ✅", "{} ❌"), ("(x) {}", "( ) {}")],
)  # fmt: skip
def test_ticks(ticked: str, unticked: str) -> None:
    lines = {letter: f"{letter}. {text}" for letter, text in EIGHT.items()}

    def shown(*chosen: str) -> str:
        return "\n".join(
            (ticked if letter in chosen else unticked).format(line) for letter, line in lines.items()
        )

    for letter in EIGHT:
        assert read_answer(shown(letter), EIGHT).letter == letter
    assert extract_answer(shown("B", "C"), EIGHT) is None
    assert extract_answer(shown(), EIGHT) is None
    assert extract_answer(unticked.format(lines["A"]), EIGHT) is None


OTHER_SETS: list[tuple[Mapping[str, str], dict[str, str | None]]] = [
    (COUNTS, {"3 people": "C", "3 people.": "C", "The number of people is 3.": "C", "There are three men.": "C",
              "Three": "C", "There are 3 people in the video.": "C", "3 or 4 people": None, "at 3 pm": None,
              "more than 3 people": None, "3 of the 4 men": None, "There are 3 men and 1 woman": None,
              "Scene 3": None, "33 people": None, "not 3 people": None, "The number of people is not 3.": None}),
    (ORDERS, {"2-1-3-4": "B", "2 - 1 - 3 - 4": "B", "2→1→3→4": "B", "2, 1, 3, 4": "B", "B. 2-1-3-4": "B",
              "The answer is 2-1-3-4.": "B", "1-2-3": None, "12-1-3-4": None, "2-1-3-45": None}),
    (WEARER, {"C is the correct answer.": "C", "Option C is correct.": "C", "C is the best cook": None,
              "C cooks": None, "C is cooking a meal.": "B"}),
    (GERMS, {"E. coli": "A", "The answer is E. coli": "A", "A. E. coli": "A", "B. subtilis": "D",
             "The answer is B. subtilis.": "D", "B. Salmonella": "B", "E": None}),
    (COLOURS, {"The answer isn't A, it's B.": "B", "It isn't A; it's B.": "B", "不是A，答案是B": "B", "答案不是A，而是B": "B",
               "B选项错误": None, "B不正确": None, "答案不是B": None, "不选B": None, "不正确的选项是B": None, "排除B": None,
               "答案是B吗？": None, "选A还是B": None, "A和B都正确": None, "如果答案是B": None,
               "In conclusion, a red car.": None, "The second best match is B.": None}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "output", "letter"),
    [(options, output, letter) for options, rows in OTHER_SETS for output, letter in rows.items()],
)
def test_other_options(options: Mapping[str, str], output: str, letter: str | None) -> None:
    assert extract_answer(output, options) == letter


def test_letters_beyond_h_are_read_where_they_stand_alone() -> None:
    ten = {letter: f"thing {place} here" for place, letter in enumerate("ABCDEFGHIJ")}
    assert [extract_answer(said, ten) for said in ("J", "(I)", "J. thing 9 here", "I cannot tell")] == [
        "J", "I", "J", None,
    ]  # fmt: skip


# --- 13.22: any length ------------------------------------------------------------------------------------------
UNITS = (
    "(A) ", "(", "[({", "a, ", "answer is ", "answer: ", "<answer>", "<answer>a</answer>", "\\boxed{", "\\boxed{a} ",
    "option ", "not ", "\n", " \n", "A. ", "A\n", "the answer is a. ", "i think a, but b. ", "<think>", "</think>", "<a",
    "{", "[x] a\n", "a: 0.1, ", '{"a": 1, ', "actually, a. ", "b is correct. ", "故选", "答案", "选项a", "\u200b", "✅",
    "the man is cooking ", "1->", "\\text{", "◁think▷", "<|channel|>final", "in fact, a. ", "a or ", "<x>a</x>",
    "here is my response: ", "explanation:\na. ", "   ", "\r\n", "->",
)  # fmt: skip


@pytest.mark.timeout(60)  # a hang, not a slow machine: each takes about a second or less where time is linear
@pytest.mark.parametrize("unit", UNITS)
def test_an_output_of_a_million_characters_ends(unit: str) -> None:
    reading = read_answer(unit * (1_000_000 // len(unit)) + " x", DEEDS)
    assert reading.letter in {None, *DEEDS}


def test_of_a_long_output_the_end_gives_the_answer() -> None:
    talk = "The man walks to the tall house. " * 2000
    assert len(talk) > LONGEST_READ
    assert read_answer(talk + "The answer is B.", COLOURS).letter == "B"
    assert read_answer(talk + "The answer is B.", COLOURS).truncated
    # What was cut out may have taken it back.
    assert read_answer("The answer is B. " + talk, COLOURS).letter is None
    assert read_answer("The answer is A. " + talk + "The answer is B.", COLOURS).letter is None
    assert not read_answer("The answer is B.", COLOURS).truncated


def test_thinking_does_not_count_towards_the_bound() -> None:
    thought = "The man walks to the tall house. " * 2000
    assert read_answer(f"<think>{thought}</think>B", COLOURS).truncated is False


# --- Which rule read it ------------------------------------------------------------------------------------------
BY_RULE = {
    Rule.lone_letter: "(b)", Rule.whole_text: "The man sleeps.", Rule.labelled_text: "C. The man sleeps",
    Rule.at_start: "B. Because he does.", Rule.after_cue: "It shows a man. The answer is B.",
    Rule.final_answer: "The answer is A. Final answer: B", Rule.statement: "Clearly, B is correct.",
    Rule.ticked: "- [ ] A. x\n- [x] B. y", Rule.after_hint: "I think it's B.", Rule.in_brackets: "He holds a cup (B)",
    Rule.at_end: "It shows a man.\nB", Rule.text_after_cue: "I think it's the man sleeps.",
    Rule.text_at_start: "The man sleeps. It is late.", Rule.text_inside: "We see that the man sleeps",
}  # fmt: skip


@pytest.mark.parametrize("rule", list(BY_RULE), ids=lambda rule: rule.value)
def test_the_reading_names_its_rule(rule: Rule) -> None:
    assert read_answer(BY_RULE[rule], DEEDS).rule is rule


def test_every_rule_is_shown_above() -> None:
    assert read_answer("3 people", COUNTS).rule is Rule.count
    assert {*BY_RULE, Rule.count} == set(Rule)


def test_the_reading_names_its_frame() -> None:
    frames = {"B": Frame.plain, "<think>x</think>B": Frame.after_thought, "<answer>B</answer>": Frame.answer_mark,
              "\\boxed{B}": Frame.boxed}  # fmt: skip
    assert {output: read_answer(output, COLOURS).frame for output in frames} == frames


def test_nothing_read_has_no_rule() -> None:
    assert read_answer("A or B", COLOURS).rule is None
    assert read_answer("\x00sf-eval-failed:decode_error", COLOURS).letter is None
