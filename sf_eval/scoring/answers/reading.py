"""What was read from an output, and by which rule: the vocabulary that `samples.jsonl` records."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Rule(str, Enum):
    """The rule that read a letter. Names are stable: `samples.jsonl` holds them (docs/scoring.md)."""

    lone_letter = "lone_letter"  # "(b)"
    whole_text = "whole_text"  # "a dog"
    labelled_text = "labelled_text"  # "b. a dog", and nothing else
    at_start = "at_start"  # "b. because ..."
    after_cue = "after_cue"  # "the answer is b"
    final_answer = "final_answer"  # "final answer: b", after other answers
    statement = "statement"  # "b is correct"
    ticked = "ticked"  # "- [x] b. a dog" among unticked ones
    after_hint = "after_hint"  # "i think it's b", "the answer is probably b"
    in_brackets = "in_brackets"  # "... a cup (b)"
    at_end = "at_end"  # the last line is "b"
    text_after_cue = "text_after_cue"  # "the answer is a dog"
    text_at_start = "text_at_start"  # "a dog. it barks"
    text_inside = "text_inside"  # "the man is driving a car"
    counted = "counted"  # "3 people", where the options are numbers


class Frame(str, Enum):
    """What stood around the words that were read. Names are stable, as those of `Rule`."""

    plain = "plain"  # nothing
    after_thought = "after_thought"  # "<think>...</think>" or another mark of thinking came before
    answer_mark = "answer_mark"  # "<answer>b</answer>", "<CONCLUSION>b</CONCLUSION>"
    boxed = "boxed"  # "\boxed{b}"


@dataclass(frozen=True)
class Reading:
    """What an output answers.

    Attributes:
        letter: one of the options' letters, or None where no single option is answered with.
        rule: the rule that read the letter; None where there is none.
        frame: what stood around the words that were read.
        truncated: the output was longer than what is read of it (`extract.LONGEST_READ`).
    """

    letter: str | None = None
    rule: Rule | None = None
    frame: Frame = Frame.plain
    truncated: bool = False
