"""Common answers that are easily missed, outputs of any length, and which rule read what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sf_eval.scoring.answers.extract import LONGEST_READ, extract_answer, read_answer
from sf_eval.scoring.answers.reading import Frame, Rule

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


# --- 13.21: common answers ----------------------------------------------------------------------------
MISSED = (
    "\u200b{}", "{}\u200b", "\ufeff{}", "\x00{}.", "{}\x00", "\u2060{}\u2060", "✅ {}", "✅ {}. {t}", "👉 {}",
    "{} ✅",
    "☑ {}. {t}", "Assistant: {}", "assistant\n{}", "AI: {}. {t}", "addCriterion\n{}. {t}", "addCriterion\n{}",
    "{{'prediction': '{}'}}", '{{"predicted_answer": "{}"}}', '{{"answer": ["{}"]}}',
    '```json\n{{"answer": "{}"}}\n```',
    "The best match is {}.", "The closest match is option {}.", "The most accurate description is {}.",
    "In conclusion, {}.", "To conclude: {}", "Overall, {}.", "The man walks. In conclusion, {}.",
    "故选：{}", "故选{}", "【答案】{}", "【答案】：{}", "答案:【{}】", "正确的选项是{}", "正确选项是{}。",
    "正确答案：{}", "答案应该是{}",
    "答案应为{}", "{}选项正确", "选项{}正确", "{}是正确的", "因此选{}", "应选{}", "我选{}",
    "最合适的选项是{}", "故选：{}，因为视频显示",
    "正解は{}です", "정답은 {}입니다.", "<|assistant|>{}", "{}</s>", "\x08oxed{{{}}}", "**Conclusion:** {}",
    "{} is the best match.",
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
    [("- [x] {}", "- [ ] {}"), ("[X] {}", "[ ] {}"), ("✅ {}", "❌ {}"), ("☑ {}", "☐ {}"), ("{} ✅", "{} ❌"),
    ("(x) {}", "( ) {}")],
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
    (COUNTS, {"3 people": "C", "3 people.": "C", "The number of people is 3.": "C",
    "There are three men.": "C",
              "Three": "C", "There are 3 people in the video.": "C", "3 or 4 people": None, "at 3 pm": None,
              "more than 3 people": None, "3 of the 4 men": None, "There are 3 men and 1 woman": None,
              "Scene 3": None, "33 people": None, "not 3 people": None,
              "The number of people is not 3.": None}),
    (ORDERS, {"2-1-3-4": "B", "2 - 1 - 3 - 4": "B", "2→1→3→4": "B", "2, 1, 3, 4": "B", "B. 2-1-3-4": "B",
              "The answer is 2-1-3-4.": "B", "1-2-3": None, "12-1-3-4": None, "2-1-3-45": None}),
    (WEARER, {"C is the correct answer.": "C", "Option C is correct.": "C", "C is the best cook": None,
              "C cooks": None, "C is cooking a meal.": "B"}),
    (GERMS, {"E. coli": "A", "The answer is E. coli": "A", "A. E. coli": "A", "B. subtilis": "D",
             "The answer is B. subtilis.": "D", "B. Salmonella": "B", "E": None}),
    (COLOURS, {"The answer isn't A, it's B.": "B", "It isn't A; it's B.": "B", "不是A，答案是B": "B",
    "答案不是A，而是B": "B",
               "B选项错误": None, "B不正确": None, "答案不是B": None, "不选B": None, "不正确的选项是B": None,
               "排除B": None,
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


# --- 13.22: any length ----------------------------------------------------------------------------------
UNITS = (
    "(A) ", "(", "[({", "a, ", "answer is ", "answer: ", "<answer>", "<answer>a</answer>", "\\boxed{",
    "\\boxed{a} ",
    "option ", "not ", "\n", " \n", "A. ", "A\n", "the answer is a. ", "i think a, but b. ", "<think>",
    "</think>", "<a",
    "{", "[x] a\n", "a: 0.1, ", '{"a": 1, ', "actually, a. ", "b is correct. ", "故选", "答案", "选项a",
    "\u200b", "✅",
    "the man is cooking ", "1->", "\\text{", "◁think▷", "<|channel|>final", "in fact, a. ", "a or ",
    "<x>a</x>",
    "here is my response: ", "explanation:\na. ", "   ", "\r\n", "->",
)  # fmt: skip


@pytest.mark.timeout(60)  # a hang, not a slow machine: each takes less than a second where time is linear
@pytest.mark.parametrize("unit", UNITS)
def test_an_output_of_any_length_ends(unit: str) -> None:
    reading = read_answer(unit * (300_000 // len(unit)) + " x", DEEDS)
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


# --- Which rule read it ------------------------------------------------------------------------
BY_RULE = {
    Rule.lone_letter: "(b)", Rule.whole_text: "The man sleeps.", Rule.labelled_text: "C. The man sleeps",
    Rule.at_start: "B. Because he does.", Rule.after_cue: "It shows a man. The answer is B.",
    Rule.final_answer: "The answer is A. Final answer: B", Rule.statement: "Clearly, B is correct.",
    Rule.ticked: "- [ ] A. x\n- [x] B. y", Rule.after_hint: "I think it's B.",
    Rule.in_brackets: "He holds a cup (B)",
    Rule.at_end: "It shows a man.\nB", Rule.text_after_cue: "I think it's the man sleeps.",
    Rule.text_at_start: "The man sleeps. It is late.", Rule.text_inside: "We see that the man sleeps",
}  # fmt: skip


@pytest.mark.parametrize("rule", list(BY_RULE), ids=lambda rule: rule.value)
def test_the_reading_names_its_rule(rule: Rule) -> None:
    assert read_answer(BY_RULE[rule], DEEDS).rule is rule


def test_every_rule_is_shown_above() -> None:
    assert read_answer("3 people", COUNTS).rule is Rule.counted
    assert {*BY_RULE, Rule.counted} == set(Rule)


def test_the_reading_names_its_frame() -> None:
    frames = {"B": Frame.plain, "<think>x</think>B": Frame.after_thought,
    "<answer>B</answer>": Frame.answer_mark,
              "\\boxed{B}": Frame.boxed}  # fmt: skip
    assert {output: read_answer(output, COLOURS).frame for output in frames} == frames


def test_nothing_read_has_no_rule() -> None:
    assert read_answer("A or B", COLOURS).rule is None
    assert read_answer("\x00sf-eval-failed:decode_error", COLOURS).letter is None
