"""From names and numbers to a `Profile`: subjects, rows, traces, comparisons, growth, words."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path

from sf_eval import __version__
from sf_eval.core.cards import ModelCard, card_for, card_names
from sf_eval.core.errors import UsageError, nearest
from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.loading import config_for
from sf_eval.profiler.cost.closed_form import DecodeVariant, Unit
from sf_eval.profiler.cost.tokens import count_tokens
from sf_eval.profiler.growth import GROWTH_FRAMES, growth_of
from sf_eval.profiler.record import Profile, ProfileRow, TraceRecord
from sf_eval.profiler.rows import NOT_TRACED, Question, Subject, closed_form_row, compare_rows
from sf_eval.profiler.traced import others, trace
from sf_eval.profiler.traced.ops import TraceError
from sf_eval.profiler.traced.other_rows import other_row
from sf_eval.profiler.words import findings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What `sf-eval profile` was asked for.

    Attributes:
        against: names to compare with, `NAME` or `NAME:FRAMES`; empty takes the model's own
            self-attention-only baseline with as many frames as the model has fast frames.
        frames: numbers of frames for the model; empty takes its own.
    """

    model: str
    against: tuple[str, ...] = ()
    frames: tuple[int, ...] = ()
    sampling_stride: int | None = None
    temporal_stride: int | None = None
    question: Question = field(default_factory=Question)
    unit: Unit = Unit.FLOP
    trace: bool = True
    command: str = ""


def make_profile(request: Request, *, say: Say = lambda _: None) -> Profile:
    """Count everything that `request` asks for; `say` is told what is under way.

    Raises:
        UsageError: an unknown name (with the nearest ones).
        CheckpointError: a checkpoint directory whose configuration makes no slow-fast model.
    """
    question = request.question
    model = _with_strides(subject_of(card_for(request.model)), request)
    counts = request.frames or (model.frames,)
    rows = []
    for frames in counts:
        rows.append(_row(model, frames, request, "model", say))
    baseline = model.self_attention_only()
    against = [_against_row(name, counts[0], request, say) for name in request.against]
    if not against:
        budget = count_tokens(model.shape, counts[0]).fast_frames
        against.append(_row(baseline, budget, request, "against", say))
    rows += against
    for frames in counts:
        if not _is_shown(closed_form_row(baseline, frames, question), rows):
            rows.append(_row(baseline, frames, request, "same frames", say))
    pairs = [compare_rows(row, other) for row in rows if row.role == "model" for other in against]
    span = sorted({*GROWTH_FRAMES, *(n for n in request.frames if n > 1)})
    subjects = (model,) if _cost_the_same(model, baseline, span, question) else (model, baseline)
    growth = growth_of(subjects, question, span)
    main = main_row(rows, model.frames)
    return Profile(
        model=main.model,
        frames=main.frames,
        command=request.command,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=versions(),
        unit=request.unit.value,
        rows=tuple(rows),
        comparisons=tuple(pairs),
        growth=growth,
        words=findings(main, rows, pairs, growth, request.unit),
    )


def main_row(rows: Sequence[ProfileRow], frames: int) -> ProfileRow:
    """The model at its own number of frames, else at the first one asked for."""
    mine = [row for row in rows if row.role == "model"]
    return next((row for row in mine if row.frames == frames), mine[0])


def versions() -> dict[str, str]:
    import torch
    import transformers

    return {
        "sf-eval": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def subject_of(card: ModelCard) -> Subject:
    """A card's model at the card's frames (a directory without a card of its own: see `card_for`)."""
    return Subject(card.name, card.title, config_for(card).to_dict(), card.num_frames)


def subjects_of(request: Request) -> tuple[list[Subject], list[Subject]]:
    """What to measure: the model at each number of frames, and what it is compared with.

    Other families of models are left out.
    """
    model = _with_strides(subject_of(card_for(request.model)), request)
    models = [replace(model, frames=count) for count in request.frames or (model.frames,)]
    against = []
    for asked in request.against:
        name, wanted = _name_and_frames(asked)
        if name not in others.other_names():
            subject = subject_of(card_for(name))
            against.append(replace(subject, frames=wanted or subject.frames))
    if not request.against:
        budget = count_tokens(model.shape, models[0].frames).fast_frames
        against.append(replace(model.self_attention_only(), frames=budget))
    return models, against


def _with_strides(model: Subject, request: Request) -> Subject:
    changes = {
        "fast_token_temporal_sampling_stride": request.sampling_stride,
        "fast_token_temporal_stride": request.temporal_stride,
    }
    return model.with_config(**{key: value for key, value in changes.items() if value is not None})


def _cost_the_same(one: Subject, other: Subject, frames: Sequence[int], question: Question) -> bool:
    """Whether two subjects are one and the same as far as cost goes, under whatever configuration.

    A model trained as the baseline may keep keys of a fast path that it does not have.
    """
    pairs = ([closed_form_row(subject, count, question) for subject in (one, other)] for count in frames)
    return all(
        mine.breakdown == theirs.breakdown and mine.kv_cache_bytes == theirs.kv_cache_bytes
        for mine, theirs in pairs
    )


def _is_shown(row: ProfileRow, rows: Sequence[ProfileRow]) -> bool:
    """Whether the table has the same model at the same frames already, under whatever name."""
    return any(shown.frames == row.frames and shown.breakdown == row.breakdown for shown in rows)


def _name_and_frames(asked: str) -> tuple[str, int | None]:
    """Read `NAME` or `NAME:FRAMES`; a directory's name may hold a colon.

    Raises:
        UsageError: frames that are no whole number above 0.
    """
    if ":" not in asked or Path(asked).expanduser().is_dir():
        return asked, None
    name, _, wanted = asked.rpartition(":")
    if not (wanted.isascii() and wanted.isdecimal() and int(wanted) > 0):
        raise UsageError(f"--against {asked}: frames must be a whole number above 0, as in {name}:16.")
    return name, int(wanted)


def _against_row(asked: str, frames: int, request: Request, say: Say) -> ProfileRow:
    name, wanted = _name_and_frames(asked)
    if name in others.other_names():
        say(f"tracing {name}")
        return other_row(name, wanted or frames, request.question)
    known = [*card_names(), *others.other_names()]
    if "/" not in name and name not in known and not Path(name).expanduser().is_dir():
        raise UsageError(f"there is no model called {name!r} to compare with.", hint=nearest(name, known))
    subject = subject_of(card_for(name))
    return _row(subject, wanted or subject.frames, request, "against", say)


def _row(subject: Subject, frames: int, request: Request, role: str, say: Say) -> ProfileRow:
    question = request.question
    record = NOT_TRACED
    if request.trace:
        say(f"tracing {subject.name} at {frames} frames")
        record = _traced(subject, frames, question)
    return closed_form_row(subject, frames, question, role=role, trace=record)


@lru_cache(maxsize=2)
def _meta_model(config: str) -> SlowFastForConditionalGeneration:
    """The rows of one subject share one model: on meta it holds no state but its shape."""
    return trace.meta_model(SlowFastConfig(**json.loads(config)))


def _traced(subject: Subject, frames: int, question: Question) -> TraceRecord:
    """Closed form against trace, with one decoding step at most."""
    decode = question.decode_of(subject)
    attends = decode is not DecodeVariant.WITHOUT
    model = _meta_model(json.dumps({**subject.config, "decode_slow_attention": attends}, sort_keys=True))
    work = replace(question.work(frames), new_tokens=min(question.new_tokens, 2))
    try:
        parts = trace.compare(model, work, decode)
    except TraceError as error:
        return TraceRecord("failed", reason=str(error))
    differing = tuple(
        {"part": part.part, "closed_form": part.closed_form, "traced": part.traced, "term": part.term}
        for part in parts
        if part.closed_form != part.traced
    )
    agrees = all(part.agrees for part in parts)
    return TraceRecord("agrees" if agrees else "differs", parts=len(parts), differences=differing)
