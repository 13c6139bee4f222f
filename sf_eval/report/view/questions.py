"""Questions as the page's scripts take them: rows of the list, and details in chunks."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sf_eval.core.cards import SLOW_FAST
from sf_eval.harness.looking.record import KeptLook
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.inference import StageTimings
from sf_eval.profiler.cost.tokens import fast_windows
from sf_eval.report.view.chunks import CHUNK_BYTES, shortened, size
from sf_eval.report.view.frames import Shown
from sf_eval.report.view.kept import Key, Viewed, ViewedRun
from sf_eval.scoring.outcome import Outcome

OUTCOMES = [outcome.value for outcome in Outcome]
_SNIPPET, _SEARCHED = 140, 4_000
_KIND, _KIND_GROUP = "kind", "takes"
_MOST_VALUES = 200  # of a category that can be chosen from a menu

Strips = Sequence[Mapping[Key, Shown]]
"""What each run was shown, in the order of runs."""


@dataclass(frozen=True)
class Facet:
    """A category that questions can be filtered by."""

    name: str
    values: tuple[str, ...]


@dataclass
class Chunk:
    """Details that are loaded together. Strips of frames are kept once, whoever shares them."""

    questions: list[dict[str, Any]] = field(default_factory=list)
    strips: list[dict[str, Any]] = field(default_factory=list)
    bytes: int = 0

    def as_json(self) -> dict[str, Any]:
        return {"questions": self.questions, "strips": self.strips}


def first_sample(viewed: Viewed, key: Key) -> SampleRecord:
    """The question as the first run that asked it has it."""
    return next(run.samples[key] for run in viewed.runs if key in run.samples)


def facets_of(viewed: Viewed) -> list[Facet]:
    """Every category with few enough values, in the order of their first question."""
    values: dict[str, dict[str, None]] = {}
    for key in viewed.keys:
        for name, value in _categories(first_sample(viewed, key)):
            values.setdefault(name, {})[value] = None
    return [Facet(name, tuple(found)) for name, found in values.items() if len(found) <= _MOST_VALUES]


def row(viewed: Viewed, key: Key, chunk: int, tasks: Sequence[str], facets: Sequence[Facet]) -> list[Any]:
    """[task, question id, chunk, facet values, outcome of each run, looked at, beginning of the question].

    Tasks, facet values and outcomes by number, -1 for none.
    """
    sample = first_sample(viewed, key)
    categories = dict(_categories(sample))
    return [
        tasks.index(sample.task),
        _clean(sample.question_id),
        chunk,
        [_place(facet.values, categories.get(facet.name)) for facet in facets],
        [OUTCOMES.index(run.samples[key].outcome) if key in run.samples else -1 for run in viewed.runs],
        int(any(key in run.looks for run in viewed.runs)),
        _clean(_question(viewed, key))[:_SNIPPET],
    ]


def searched(viewed: Viewed, key: Key) -> str:
    """All that the search box looks through, in small letters."""
    sample = first_sample(viewed, key)
    said = [run.samples[key].output or "" for run in viewed.runs if key in run.samples]
    truths = [*sample.options.values(), *sample.references]
    parts = [sample.question_id, sample.video, _question(viewed, key), *truths, *said]
    return _clean("\n".join(part[:_SEARCHED] for part in parts)).lower()


def chunks(viewed: Viewed, strips: Strips, looks: Mapping[tuple[int, Key], str]) -> Iterator[Chunk]:
    """The details of all questions, in the order of `Viewed.keys`.

    Args:
        looks: name of the script of a run's look at a question.
    """
    chunk, known = Chunk(), dict[Any, int]()
    for key in viewed.keys:
        detail = _detail(viewed, key, looks)
        for number, run in enumerate(viewed.runs):
            shown = strips[number].get(key)
            if shown is None or not shown.count:
                detail["runs"][number]["no_strip"] = "" if shown is None else shown.why_not
                continue
            identity = (shown, number)
            if identity not in known:
                known[identity] = len(chunk.strips)
                chunk.strips.append(_strip(run, shown))
                chunk.bytes += size(chunk.strips[-1])
            detail["runs"][number]["strip"] = known[identity]
        chunk.questions.append(detail)
        chunk.bytes += size(detail)
        if chunk.bytes >= CHUNK_BYTES:
            yield chunk
            chunk, known = Chunk(), {}
    if chunk.questions:
        yield chunk


def look_json(look: KeptLook) -> dict[str, Any]:
    """A look as the page takes it: shares of frames, and the grid in 255 steps up to its largest value."""
    grid = look.grid.astype(np.float32)  # [A, T, h, w]
    largest = grid.max(axis=(1, 2, 3), keepdims=True)
    steps = np.round(255 * grid / np.maximum(largest, 1e-6)).astype(np.uint8)
    return {
        "askers": look.record.askers,
        "layers": look.record.layers,
        "frames": np.round(look.frames.astype(np.float64), 5).tolist(),
        "gates": np.round(look.gates.astype(np.float64), 4).tolist(),
        "grid": list(look.record.grid),
        "largest": np.round(largest.reshape(-1).astype(np.float64), 3).tolist(),
        "steps": [base64.b64encode(asker.tobytes()).decode("ascii") for asker in steps],
        "times_s": look.record.times_s,
        "as_asked": look.record.as_asked,
        "same_output": look.record.same_output,
    }


def _detail(viewed: Viewed, key: Key, looks: Mapping[tuple[int, Key], str]) -> dict[str, Any]:
    sample = first_sample(viewed, key)
    return {
        "question": shortened(_question(viewed, key)),
        "options": [[letter, shortened(text)] for letter, text in sample.options.items()],
        "target": sample.target,
        "accepted": [shortened(text) for text in sample.references],
        "video": _clean(sample.video),
        "categories": [[_clean(name), _clean(value)] for name, value in _categories(sample)],
        "prompt": shortened(sample.prompt),
        "runs": [
            _said(run.samples[key], looks.get((number, key), "")) if key in run.samples else {"outcome": -1}
            for number, run in enumerate(viewed.runs)
        ],
    }


def _said(sample: SampleRecord, look: str) -> dict[str, Any]:
    tokens = [sample.prompt_tokens, sample.fast_tokens, sample.slow_tokens, sample.new_tokens]
    return {
        "outcome": OUTCOMES.index(sample.outcome),
        "output": None if sample.output is None else shortened(sample.output),
        "answer": sample.answer,
        "credit": sample.credit,
        "judge": None if sample.judge_said is None else shortened(sample.judge_said),
        "rule": sample.answer_rule,
        "frame": sample.answer_frame,
        "truncated": bool(sample.output_truncated),
        "reason": None if sample.failure_reason is None else shortened(sample.failure_reason),
        "published": sample.published_verdict,
        "tokens": tokens,
        "frames": sample.num_frames,
        "missing": sample.frames_missing or 0,
        "notes": [*_changed(sample), *(_clean(note.detail) for note in sample.video_notes)],
        "finish": sample.finish_reason,
        "timings": _timings(sample),
        "look": look,
    }


def _changed(sample: SampleRecord) -> list[str]:
    """In what it was asked otherwise than its row has it, for people."""
    change = sample.change
    if change is None:
        return []
    told = [f"another video was shown: {_clean(change.shown_video)}"] if change.shown_video else []
    if change.order_kept:
        told.append(f"the options kept their order: {_clean(change.order_kept)}")
    elif change.options_order:
        told.append(f"the options stood in the order {change.options_order}")
    return told


def _timings(sample: SampleRecord) -> list[list[Any]]:
    """[stage, seconds, shared by so many questions], and the question's part of all.

    Where nobody knows the visual tokens (an endpoint, the generic family), the stages are not a tower's and
    an LLM's: what was done to the pictures here, and all that the model took.
    """
    if sample.timings is None:
        return []
    values = {
        name: value for name, value in sample.timings.items() if name in StageTimings.__dataclass_fields__
    }
    times = StageTimings(**values)  # type: ignore[arg-type]
    of_video = [
        ("decode", times.decode_s), ("resize", times.preprocess_s), ("upload", times.upload_s),
    ]  # fmt: skip
    if sample.fast_tokens is None:
        of_video.append(("pictures for the model", times.vision_s))
        of_batch = [("the model", times.prefill_s + times.generate_s)]
    else:
        of_video += [("vision tower", times.vision_s), ("prefill of the video", times.prefix_s)]
        of_batch = [("prefill", times.prefill_s), ("answer", times.generate_s)]
    return [
        *([name, value, int(times.shared_by)] for name, value in of_video),
        *([name, value, int(times.batch_size)] for name, value in of_batch),
        ["this question's part", times.per_question_s, 1],
    ]


def _strip(run: ViewedRun, shown: Shown) -> dict[str, Any]:
    return {
        "count": shown.count,
        "indices": list(shown.indices),
        "times_s": [round(time, 3) for time in shown.times_s],
        "sprite": shown.sprite,
        "side": shown.side,
        "why_not": _clean(shown.why_not),
        "windows": _windows(run, shown.count),
    }


def _windows(run: ViewedRun, count: int) -> list[list[int]] | None:
    """Which frames each frame of the fast path was averaged from; None for a family without a fast path."""
    if run.record.model.family != SLOW_FAST:
        return None
    config = run.record.model.config
    windows = fast_windows(
        count,
        sampling_stride=config.get("fast_token_temporal_sampling_stride") or 1,
        temporal_stride=config.get("fast_token_temporal_stride") or 1,
        min_fast_frames=config.get("min_fast_frames") or 1,
    )
    return [list(window) for window in windows]


def _question(viewed: Viewed, key: Key) -> str:
    """The question alone; a run that did not keep it has the whole prompt."""
    documents = (run.documents.get(key) for run in viewed.runs)
    document = next((found for found in documents if found is not None), None)
    return first_sample(viewed, key).prompt if document is None else document.question


def _categories(sample: SampleRecord) -> list[tuple[str, str]]:
    own = [(str(name), str(value)) for name, value in sample.categories.items()]
    if sample.kind is None:
        return own
    group = [(_KIND_GROUP, sample.kind.group)] if sample.kind.group else []
    return [*group, (_KIND, sample.kind.name), *own]


def _place(values: Sequence[str], value: str | None) -> int:
    return values.index(value) if value in values else -1


def _clean(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
