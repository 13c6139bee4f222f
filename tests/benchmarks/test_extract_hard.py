"""Outputs that invite a guess: lists, denials, corrections, mentions, articles; and forms easily missed.

A row is an output and what may be read of it. Where two readings are listed one of them is None: the letter
is right, and to read nothing is no error. Any other letter would be a guess.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sf_eval.scoring import extract_answer

COLOURS = {"A": "Red", "B": "Blue", "C": "Green", "D": "Yellow"}
EVENTS = {"A": "The dog runs", "B": "A cat sleeps", "C": "Driving a car", "D": "None of the above"}
# EgoSchema calls the camera wearer C.
WEARER = {
    "A": "C is cleaning the kitchen",
    "B": "C is cooking a meal",
    "C": "C and the man play cards",
    "D": "The man helps c paint",
    "E": "To showcase c's skills",
}
PEOPLE = {"A": "Man", "B": "Woman", "C": "Both a man and a woman", "D": "None"}
PERSONS = {"A": "a man", "B": "a woman", "C": "a man and a woman", "D": "a child"}
PETS = {"A": "Dog", "B": "Dog and cat", "C": "A cat", "D": "Bird"}
COUNTS = {"A": "1", "B": "2", "C": "3", "D": "4"}
OTHER_COUNTS = {"A": "3", "B": "13", "C": "30", "D": "0"}
YES_NO = {"A": "Yes", "B": "No"}
ORDERS = {"A": "A->B->C", "B": "B->A->C", "C": "C->B->A", "D": "A->C->B"}
SHOWN = {"A": "Wrong way sign", "B": "Not a sign", "C": "never moves", "D": "Cannot be seen"}
VERDICTS = {"A": "Correct", "B": "Incorrect", "C": "Not given"}
TEAMS = {"A": "Team B won", "B": "Team A won", "C": "It was a draw", "D": "Cannot be determined"}
LETTERS = {"A": "Letter B", "B": "Letter A", "C": "Letter C", "D": "Letter D"}
NESTED = {"A": "In front of B", "B": "Behind a", "C": "Left of C", "D": "(A) and (B)", "E": "A or B"}
MOVES = {"A": "not moving", "B": "moving", "C": "moving slowly", "D": "The object is not visible"}

Row = tuple[str, str | None] | tuple[str, str | None, str | None]
_A, _B, _D = ("A", None), ("B", None), ("D", None)

# Options are gone through, repeated or listed.
LISTS: list[Row] = [
    ("Let's go through each option:\n\n**A.** This does not fit.\n\n**B.** This fits what we see.", None),
    ("Let's analyze each option:\n\nA. Red: The car is not red.\nB. Blue: The car is blue.", None),
    ("Let's analyze each option:\n\nA. Red: Not seen.\nB. Blue: Seen.\n\nSo the correct option is B.", "B"),
    ("Let's analyze each option:\nA: The car is not red.\nB: It is.", None),
    ("Let me consider each option: (A) the car is not red; (B) the car is blue", None),
    ("Let me analyze the options:\nA. Red - not visible\nB. Blue - visible\nC. Green - not visible", None),
    ("Analysis of each choice:\n- A: not seen\n- B: seen", None),
    ("Consider every choice: a red car is not seen", None), ("For each option: a) no b) yes", None),
    ("Which option? A is not visible.", None), ("Possible answer: A, or B", None),
    ("A. B. C. D.", None), ("A; B", None), ("A - B", None), ("A-B", None), ("A.B", None), ("A\nB", None),
    ("A\nB\nC\nD", None), ("A? B?", None), ("A B C D", None), ("(A) 0.1 (B) 0.7", None), ("A < B", None),
    ("A = B", None), ("A > B", None), ("A or maybe B", None), ("A->B", None), ("(A)(B)", None),
    ("A,B,C,D", None),
    ("Option A: no. Option B: yes.", *_B), ("A. The man is red. B. The man is blue.", None),
    ("[A] [ ] [B] [x]", None), ("A: 10%\nB: 80%", None), ("A. No\nB. No\nC. Yes\nD. No", None, "C"),
    ("(a) first he runs (b) then he jumps", None), ("He walks from (A) to (B)", None),
    ("A? B? C? I don't know", None),
    ("Select one: A B C D", None), ("A (or B)", None), ("B (possibly A)", None), ("1. A\n2. B", None),
    ("A = red, B = blue", None), ("The answer is B (or A)", None), ("The answer is A... or is it B?", *_A),
    ("Choose A, B, C or D.", None), ("The options are A, B, C and D.", None),
    ("| Option | Text |\n|---|---|\n| A | Red |\n| B | Blue |", None),
    ("| Option | Correct |\n|---|---|\n| A | No |\n| B | Yes |", *_B),
    ("A. Red\nB. Blue\nC. Green\nD. Yellow\n\nB", *_B), ("Options: (A) Red (B) Blue. Answer: (B)", "B"),
    ("B. Blue\n\nExplanation:\nA. Red is incorrect.\nC. Green is not shown.", "B"),
    ("A. Red\n\nExplanation:\nB. Blue is incorrect.\nC. Green is not shown.", "A"),
]  # fmt: skip
# The answer that is named is the wrong one, or is denied after it is named.
DENIED: list[Row] = [
    ("The wrong answer is A", None), ("The incorrect option is B.", None), ("Wrong answer: A", None),
    ("The least likely answer is A", None), ("An incorrect answer would be (A)", None),
    ("The only incorrect answer is C", None), ("The answer is unlikely to be A", None),
    ("The answer is anything but A", None), ("The answer is hardly A", None),
    ("(A) False", None), ("(A) No", None), ("A (wrong)", None), ("A [incorrect]", None),
    ("A - incorrect", None),
    ("A, no.", None), ("A? No.", None), ("A? I don't think so", None), ("A... no", None), ("A: false", None),
    ("A != correct", None), ("A, which is wrong", None), ("A. This option says red. It is incorrect.", None),
    ("Option A - this does not match the video", None), ("(A) does not match the video.", None),
    ("Some would choose A, but that is wrong.", None), ("We can exclude (A)", None),
    ("We can rule out (A)", None),
    ("A (incorrect), B (correct)", *_B), ("A. Wrong.", None), ("Option A. Incorrect.", None),
    ("(A) is not the answer", None), ("A, B and C are wrong.", None), ("Answer: A is incorrect", None),
]  # fmt: skip
CORRECTED: list[Row] = [
    ("You might think the answer is A, but it is B.", *_B), ("Answer: A. Wait, actually B.", *_B),
    ("A. No, B.", *_B), ("A... wait, B", *_B), ("A. Red is not seen. So it must be B.", *_B),
    ("A, B and C are wrong, so D.", *_D), ("A, B, and C can be eliminated. The answer is D.", "D"),
    ("Someone might say A. But B.", *_B), ("The answer was A but now it is B", *_B),
    ("Answer: A. Correction: B", *_B), ("It is 2. No, it is 3.", None),
    ("The answer seems to be B at first, but is C.", None),
    ("The answer is either A or B, but most likely B.", *_B),
    ("I initially thought A but the answer is B", "B"),
    ("The correct option is not A, C or D. Hence, B.", "B"), ("It's not A, it's B.", *_B),
]  # fmt: skip
DOUBTED: list[Row] = [
    ("I doubt that the answer is A.", None), ("I doubt it is A", None),
    ("If the man ran, the answer is A.", None),
    ("If it were red, the answer would be A.", None), ("Is the answer A?", None), ("Could it be A?", None),
    ("A would be the answer if the man ran", None), ("Why is A correct?", None),
    ("A if red, B if blue", None), ("A? maybe", None), ("Assume the answer is B", None),
    ("You might think the answer is A.", None),
]  # fmt: skip
# A letter that is the name of something else, or a choice that is someone else's.
MENTIONED: list[Row] = [
    ("Team A is best", None), ("Player B is right there", None), ("Person A is the best player", None),
    ("Point C is right of D", None), ("A/C unit", None), ("The man goes on to pick a.", None),
    ("We choose c programming", None), ("The man chose D.", None),
    ("The chosen letter is D on the sign", None),
    ("They select a red ball and choose B-roll", None), ("Video data/a.mp4 can not load", None),
    ("B-roll footage", None), ("The student's answer is B", None), ("His answer: B", None),
    ("The teacher says the answer is B", None), ("There are many, such as (A)", None),
    ("C major chord", None), ("The sign says \"B\".", None), ("Plan B", *_B),
]  # fmt: skip
ARTICLES: list[Row] = [
    ("A red car drives by.", None), ("Answer: a red car", None), ("He would pick a red one", None),
    ("A blue", None),
    ("Answer: a blue car", None), ("A (very) red thing", None), ("A Red", "A"), ("The answer is A Red", "A"),
]  # fmt: skip
# What is said after a leading letter never makes it another letter.
OVERRULED: list[Row] = [
    (start + said, "B", None)
    for start in ("B", "**B**", "B.", "(B)", "B:", "The answer is B.", "Answer: B", "I think it's B.")
    for said in (
        " He chose a red one.", " It is red.", " Team A is right.", " The answer is red.", " Red.",
        " He says: a.",
        " This would be a.", " A would be right if he ran.", " Camera A is right.", " | C", " and a cat",
        "\nThe man is A.",
    )
]  # fmt: skip
# An explanation after the answer takes nothing from it.
EXPLAINED: list[Row] = [
    (start + said, "B")
    for start in ("B.", "(B)", "B:", "The answer is B.", "Answer: B.", "I think it's B.")
    for said in (
        " A man is walking.", " It is a dog.", " Not A.", " Because A is wrong.",
        " Option A is incorrect since he ran.",
        " A, C and D do not match.", " The other options (A, C, D) are wrong.", " (A) and (C) are wrong.",
        " It can't be A, since he ran.", " The answer is clear.", " This answer is correct.",
        " Unlike A, it fits.",
        " If it were A, the man would run.", " I hope this helps!", " He must be a doctor.",
        " The answer isn't A or C.",
    )
]  # fmt: skip
TEXTS: list[Row] = [
    ("Red. Blue.", None), ("Red, blue", None), ("red and blue", None),
    ("The answer is red, or maybe blue.", None),
    ("I think it's red but it might be blue.", None), ("It could be red, it could be blue.", None),
    ("It is red? It is blue?", None), ("Red: the first. Blue: the second.", None), ("Red, not blue", "A"),
    ("The answer is red.", "A"), ("Blue (A)", None), ("Red (A)", "A"), ("A. Blue", "A"),
]  # fmt: skip
EVENT_TEXTS: list[Row] = [
    ("Nobody is driving a car.", None), ("No one is driving a car", None),
    ("He is no longer driving a car", None),
    ("Instead of driving a car, he walks", None), ("Without driving a car", None),
    ("It shows no driving a car", None),
    ("It is false that the dog runs", None), ("It's unlikely that the dog runs", None),
    ("The dog runs is false", None),
    ("Is he driving a car?", None), ("The dog runs? No.", None), ("A cat sleeps, the dog runs", None),
    ("He is driving a car.", "C"), ("The dog runs.", "A"), ("B A cat sleeps", "B"),
    ("It's none of the above", "D"),
]  # fmt: skip
WEARER_ROWS: list[Row] = [
    ("The answer is C is cooking a meal.", "B"), ("Answer: C is cooking a meal", "B"),
    ("I think C is cooking a meal", "B"),
    ("C is cooking a meal.", "B"), ("The camera wearer (c) is cooking food.", None),
    ("C is the best cook", None),
    ("C, the camera wearer, cooks a meal.", None), ("C's goal is to cook", None),
    ("The man and the woman (C) cook.", None),
    ("C cooks a meal", None), ("It shows C.", None), ("B. C is cooking a meal", "B"),
    ("(B) C is cooking a meal", "B"),
    ("The answer is B. C is cooking a meal.", "B"), ("C. C and the man play cards", "C"), ("C", "C"),
    ("c.", "C"),
    ("(C)", "C"), ("The answer is C.", "C"), ("To showcase c's skills", "E"), ("The man helps C.", None),
]  # fmt: skip
OTHER_SETS: list[tuple[Mapping[str, str], list[Row]]] = [
    (PEOPLE, [("A man and a woman", None), ("A man and a woman.", None),
              ("The answer is a man and a woman.", None),
              ("A man is walking with a woman.", None), ("A man", *_A), ("Both a man and a woman", "C")]),
    (PERSONS, [("a man, a woman", None), ("A man? A woman?", None), ("a woman", "B"), ("A. a man", "A")]),
    (PETS, [("A dog and a cat", None), ("A dog and a cat.", None), ("A cat", "C"), ("dog and cat", "B")]),
    (COUNTS, [("1. The man enters\n2. He leaves", None), ("1. The man enters. 2. He leaves.", None),
              ("1) The dog runs first", None), ("1, 2, 3", None), ("1, maybe 2", None), ("2, 3", None),
              ("3", "C"),
              ("The answer is 3.", "C"), ("C. 3", "C"), ("3 (C)", "C"), ("3.5", None), ("3/4", None)]),
    (OTHER_COUNTS, [("The answer is -3", None), ("-3", None), ("The answer is 3.5", None),
    ("The answer is 13", "B"),
                    ("3:30", None), ("The answer is 3,000", None)]),
    (YES_NO, [("Yes. No.", None), ("No, yes", None), ("Yes, no", None), ("Yes? No?", None), ("no, A", None),
              ("No. A", None), ("Yes, it does.", "A"), ("No, it doesn't.", "B"), ("A. Yes", "A")]),
    (ORDERS, [("B -> A -> C", "B"), ("B->A->C", "B"), ("B → A → C", "B"), ("(C) C->B->A", "C"),
              ("A->B", None)]),
    (SHOWN, [("The answer is (D) Cannot be seen", "D"), ("The answer is D. Cannot be seen", "D"),
             ("(B) Not a sign", "B"), ("C never moves", "C"), ("A. Wrong way sign", "A"),
             ("Cannot be seen", "D")]),
    (VERDICTS, [("B. Incorrect", "B"), ("The answer is B. Incorrect", "B"), ("A is incorrect", None),
                ("A: Correct", "A"),
                ("The answer is incorrect.", *_B)]),
    (TEAMS, [("The answer is A. Team B won.", "A"), ("Team A won", "B"), ("The answer is Team A won", "B"),
             ("Team A. Team B", None)]),
    (LETTERS, [("The answer is Letter A", *_B), ("The letter shown is A", *_B), ("A. Letter B", "A")]),
    (NESTED, [("(A) and (B)", "D"), ("Answer: D. (A) and (B)", "D"), ("A or B", "E"),
              ("In front of B", "A")]),
    (MOVES, [("It is not moving slowly.", None), ("It is not moving.", *_A), ("It is moving slowly.", "C")]),
]  # fmt: skip
EASILY_MISSED = (
    "Definitely {}!", "definitely {}", '{{"answer":"{}"}}', '{{"final_answer": "{}", "reason": "clear"}}',
    "The option that best describes the video is {}.", "Based on the video, {}.", "Sure, {}", "Yes, {}.",
    "The car is tall, which corresponds to option {}.", "The answer is: \n- {}", "| Answer | {} |",
    "{} —", "• {}",
    "选项{}", "「{}」", "答え：{}", "La respuesta correcta es {}.", "Die Antwort ist {}.",
    "La réponse est {}.", "Without a doubt, the answer is {}.", "Option {} best describes the video.",
    "«{}»", "Answer→{}", "Ответ: {}", "정답: {}", "{}、", "...{}", "| {} |", "Prediction: {}",
    "### Answer\n\n**{}**",
)  # fmt: skip


def _check(output: str, options: Mapping[str, str], *allowed: str | None) -> None:
    for said in (output, output.upper(), output.lower()):
        assert extract_answer(said, options) in allowed, said


@pytest.mark.parametrize(
    "row",
    [*LISTS, *DENIED, *CORRECTED, *DOUBTED, *MENTIONED, *ARTICLES, *OVERRULED, *EXPLAINED, *TEXTS],
    ids=lambda row: row[0],
)
def test_no_guess_among_colours(row: Row) -> None:
    output, *allowed = row
    _check(output, COLOURS, *allowed)


@pytest.mark.parametrize("row", EVENT_TEXTS, ids=lambda row: row[0])
def test_no_guess_among_events(row: Row) -> None:
    output, *allowed = row
    _check(output, EVENTS, *allowed)


@pytest.mark.parametrize("row", WEARER_ROWS, ids=lambda row: row[0])
def test_c_is_the_camera_wearer(row: Row) -> None:
    output, *allowed = row
    _check(output, WEARER, *allowed)


@pytest.mark.parametrize(("options", "rows"), OTHER_SETS, ids=lambda part: str(part)[:40])
def test_no_guess_among_other_options(options: Mapping[str, str], rows: list[Row]) -> None:
    for output, *allowed in rows:
        _check(output, options, *allowed)


@pytest.mark.parametrize("form", EASILY_MISSED)
def test_reads_forms_that_are_easily_missed(form: str) -> None:
    for letter in COLOURS:
        _check(form.format(letter), COLOURS, letter)
