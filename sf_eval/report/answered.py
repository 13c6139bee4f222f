"""What a run's profile needs of its answered questions, in columns: some 200 bytes a question, so that the
report of a million fits in memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import get_args

from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.inference import StageTimings
from sf_eval.report.run_profile_record import Stage, TokenCount

_GROUPED_BY = ("duration", "duration_group")


@dataclass(frozen=True)
class Asked:
    """What determines the FLOPs of a question: frames shown, tokens of its text, new tokens, visual ones.

    Attributes:
        grid: as `visual_grid` of a sample.
    """

    frames: int
    text_tokens: int
    new_tokens: int
    visual_tokens: int
    grid: tuple[int, int, int] | None


@dataclass
class Answered:
    """The answered questions by their number, from 0, in the order of `samples.jsonl`.

    Attributes:
        tokens, stages: values of those questions that have them.
        seconds: of each, its part of what it shared.
        shared_by: how many questions shared a video's times, of each.
        correct: whether each was right.
        asked: of each; empty where the FLOPs of a model are not counted.
        members: the numbers of the questions of each (task, category, value), and of each (task, "", "").
    """

    tokens: dict[TokenCount, array[int]] = field(
        default_factory=lambda: {name: array("q") for name in get_args(TokenCount)}
    )
    stages: dict[Stage, array[float]] = field(
        default_factory=lambda: {name: array("d") for name in get_args(Stage)}
    )
    seconds: array[float] = field(default_factory=lambda: array("d"))
    shared_by: array[float] = field(default_factory=lambda: array("d"))
    correct: bytearray = field(default_factory=bytearray)
    asked: list[Asked] = field(default_factory=list)
    members: dict[tuple[str, str, str], array[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.seconds)

    def _add(self, sample: SampleRecord) -> None:
        for of in ("", *(name for name in _GROUPED_BY if name in sample.categories)):
            group = (sample.task, of, sample.categories[of] if of else "")
            self.members.setdefault(group, array("q")).append(len(self))
        for name, counts in self.tokens.items():
            if (count := getattr(sample, name)) is not None:
                counts.append(count)
        timings = sample.timings or {}
        for stage, values in self.stages.items():
            if timings:
                values.append(timings[stage])
        self.correct.append(sample.outcome == "correct")
        self.shared_by.append(timings.get("shared_by", 1))
        self.seconds.append(StageTimings(**timings).per_question_s)  # type: ignore[arg-type]

    def categories_of(self, task: str) -> Iterable[tuple[str, str, array[int]]]:
        """The task's durations and duration groups, in this order, with the numbers of their questions."""
        for name in _GROUPED_BY:
            for (of, category, value), numbers in self.members.items():
                if of == task and category == name:
                    yield category, value, numbers


def answered(samples: Iterable[SampleRecord], *, with_flops: bool) -> Answered:
    """The columns of those samples that were answered.

    Args:
        with_flops: what determines their FLOPs is kept, too.
    """
    found = Answered()
    known: dict[Asked, Asked] = {}  # many questions are asked alike
    for sample in samples:
        if sample.num_frames is None:
            continue
        if with_flops:
            asked = _asked(sample)
            found.asked.append(known.setdefault(asked, asked))
        found._add(sample)
    return found


def _asked(sample: SampleRecord) -> Asked:
    assert sample.num_frames is not None
    assert sample.prompt_tokens is not None
    assert sample.fast_tokens is not None
    assert sample.new_tokens is not None
    return Asked(
        sample.num_frames,
        sample.prompt_tokens - sample.fast_tokens,
        sample.new_tokens,
        sample.fast_tokens,
        sample.visual_grid,
    )
