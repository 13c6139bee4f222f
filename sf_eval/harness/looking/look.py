"""`sf-eval look`: a kept run's questions are asked again, and where the slow path looked is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import islice
from math import isqrt
from typing import Any, cast

import numpy as np
import torch

from sf_eval.benchmarks import catalog
from sf_eval.core.cards import ModelCard, SamplingRule
from sf_eval.core.errors import CheckpointError, DataError, UsageError
from sf_eval.data.opening import open_benchmark
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.facts import identity
from sf_eval.harness.identity import digest_of
from sf_eval.harness.looking.kept_source import source_of
from sf_eval.harness.looking.record import KeptLook, LookRecord, Tensor, bytes_of, read_looks, write_look
from sf_eval.harness.looking.refusing import refuse_to_look
from sf_eval.harness.questions import question_of
from sf_eval.harness.record import RunFacts
from sf_eval.harness.rescoring import KeptRun
from sf_eval.inference import Answer, Question
from sf_eval.inference.device import resolve_device, resolve_dtype
from sf_eval.inference.families import open_model, rule_of
from sf_eval.inference.family import Asked, Interleaving, VideoModel, Watchable
from sf_eval.model.looking import ASKERS, Look
from sf_eval.video import Clip, ClipLoader, ClipPlan, Frames, VideoError

Progress = Callable[[str, int, int], None]
BRIEF = "brief"
MOST_BYTES = 64_000_000
"""Of all looks that one command writes: a page has to carry them."""

_CHUNK_FRAMES = 16
_LARGEST_FLOAT16 = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class LookPlan:
    """What will be looked at.

    Attributes:
        chosen: questions of `kept`, videos together.
        largest_bytes: what will be written at most.
    """

    kept: KeptRun
    chosen: tuple[AskedDocument, ...]
    largest_bytes: int


def plan_looks(
    kept: KeptRun, *, questions: Sequence[str] = (), brief: bool = False, limit: int | None = None
) -> LookPlan:
    """Choose questions of a run.

    Args:
        questions: question ids, or TASK/ID; none for all of them.
        brief: of a mini edition, those about what is to be seen for a moment only.
        limit: at most so many of them.

    Raises:
        UsageError: a question that the run did not ask or that two tasks have, nothing to look at, or more
            than `MOST_BYTES`.
    """
    model = kept.facts.model
    refuse_to_look(
        model.name,
        family=model.family,
        slow_path=model.slow_path,
        shows_video=kept.facts.conditions.shows_video,
    )
    chosen = [_named(kept, name) for name in questions] if questions else kept.documents
    if brief:
        chosen = [asked for asked in chosen if asked.kind is not None and asked.kind.group == BRIEF]
    if not chosen:
        said = "no question about a brief event: only mini editions tell them" if brief else "no question"
        raise UsageError(f"the run in {kept.folder} has {said}.")
    chosen = chosen[:limit]
    each = _bytes_of_one(kept)
    if each * len(chosen) > MOST_BYTES:
        raise UsageError(
            f"{len(chosen)} looks of up to {each / 1e6:.1f} MB are more than {MOST_BYTES / 1e6:.0f} MB.",
            hint=f"Give --limit {max(MOST_BYTES // each, 1)} or fewer questions.",
        )
    return LookPlan(kept, tuple(chosen), each * len(chosen))


def plan_looks_of_a_run(kept: KeptRun, most: int) -> LookPlan | None:
    """The first questions that the run answered, `most` of them or as many as `MOST_BYTES` hold.

    None where all of them have been looked at.
    """
    known = {(look.record.task, look.record.doc_id) for look in read_looks(kept.folder)}
    answered = (asked for asked in kept.documents if isinstance(kept.results.get(asked.key), Answer))
    each = _bytes_of_one(kept)
    chosen = islice(answered, min(most, max(MOST_BYTES // each, 1)))
    left = [asked for asked in chosen if (asked.key.task, asked.key.index) not in known]
    return LookPlan(kept, tuple(left), each * len(left)) if left else None


def execute(
    plan: LookPlan,
    *,
    data: str | None = None,
    weights: str | None = None,
    device: str = "auto",
    progress: Progress,
) -> Iterator[KeptLook | DataError]:
    """Ask and write each look into the run's folder; the caller holds its lock.

    Args:
        data: as `--data` of a run, where the run's own cannot be had any more.
        weights: a directory with the run's weights, where the run's own cannot be had any more.

    Yields:
        Each look as soon as it is written; or what is wrong with its video.

    Raises:
        CheckpointError: the weights cannot be had, or are not those of the run.
        DataError: the annotations cannot be had.
        UsageError: the run does not tell where its data is, and `data` is not given.
    """
    kept = plan.kept
    facts = kept.facts
    opened = {
        task: open_benchmark(catalog.get_benchmark(task), source_of(facts, task, data), progress=progress)
        for task in dict.fromkeys(asked.key.task for asked in plan.chosen)
    }
    card = _card(facts, weights)
    model = _load(card, facts, device)
    backend = facts.settings.get("video_backend", "pyav")
    key_of = identity(card, model, attn=facts.model.attn, video_backend=backend)
    seek = facts.settings.get("seek", True)
    with ClipLoader(rule_of(card), resize=model.resize, backend=backend, seek=seek) as loader:
        video: _Video | None = None
        for done, asked in enumerate(plan.chosen):
            progress("questions looked at", done, len(plan.chosen))
            task = asked.key.task
            question = question_of(
                opened[task],
                asked.document,
                clip_mode=facts.clip,
                max_new_tokens=card.max_new_tokens or opened[task].benchmark.max_new_tokens,
            )
            assert question.clip is not None
            try:
                if video is None or (video.clip, video.film) != (question.clip, question.film):
                    video = _encoded(question, loader.load(question.clip), model)
            except VideoError as error:
                yield DataError(f"{asked.key}: {error}")
                continue
            yield _written(kept, asked, question, video, model, digest_of(question, key_of))
        progress("questions looked at", len(plan.chosen), len(plan.chosen))


def _bytes_of_one(kept: KeptRun) -> int:
    """How large a look at one of the run's questions is at most."""
    slow, frames = 0, 0
    for result in kept.results.values():  # read one by one from the disk
        if isinstance(result, Answer):
            slow, frames = max(slow, result.slow_tokens), max(frames, result.num_frames)
    frames = frames or kept.facts.model.num_frames
    return bytes_of(len(ASKERS), kept.facts.model.config.get("num_hidden_layers", 1), slow, frames)


def _named(kept: KeptRun, name: str) -> AskedDocument:
    found = [
        asked
        for asked in kept.documents
        if name in (asked.document.id, f"{asked.key.task}/{asked.document.id}")
    ]
    if not found:
        raise UsageError(
            f"the run in {kept.folder} did not ask {name!r}.",
            hint="Give question_id as samples.jsonl has it, or TASK/question_id.",
        )
    if len(found) > 1:
        names = ", ".join(f"{asked.key.task}/{asked.document.id}" for asked in found)
        raise UsageError(f"{name!r} is a question of several tasks.", hint=f"Name one: {names}.")
    return found[0]


def _card(facts: RunFacts, weights: str | None) -> ModelCard:
    """The run's card, as far as it determines answers."""
    model = facts.model
    return ModelCard(
        name=model.name,
        title=model.title,
        weights=weights or model.weights,
        revision="" if weights else model.revision,
        num_frames=model.num_frames,
        sampling=cast(SamplingRule, model.sampling),
        target_fps=model.target_fps,
        slow_path=model.slow_path,
        decode_slow_attention=model.decode_slow_attention,
        max_new_tokens=facts.settings.get("max_new_tokens") or 0,
        family=model.family,
        options=model.options,
    )


def _load(card: ModelCard, facts: RunFacts, device: str) -> VideoModel:
    """The run's own model.

    Raises:
        CheckpointError: other weights.
        UsageError: its family does not tell where it looks.
    """
    where = resolve_device(device)
    model = open_model(
        card, device=where, dtype=resolve_dtype(facts.model.dtype, where), attn=facts.model.attn
    )
    if not isinstance(model, Watchable):
        raise UsageError(f"models of the family {card.family} do not tell where they look.")
    if model.facts.weights_digest != facts.model.weights_digest:
        raise CheckpointError(
            f"{card.weights} holds other weights than the run was asked with.",
            hint="Give the run's own: --weights DIR.",
        )
    return model


@dataclass(frozen=True, eq=False)
class _Video:
    """A clip that is ready to be asked about."""

    clip: Clip
    film: str
    frames: Frames
    features: Any
    prefix: Any


def _encoded(question: Question, frames: Frames, model: VideoModel) -> _Video:
    assert question.clip is not None
    pixels = torch.from_numpy(frames.pixels).to(model.device)
    shown = ClipPlan(frames.info, frames.indices, frames.times_s)
    features = model.encode(pixels, shown, chunk_frames=_CHUNK_FRAMES)
    if said := question.said(frames.times_s):
        assert isinstance(model, Interleaving)
        features, _ = model.interleaved(features, frames.times_s, said)
    return _Video(question.clip, question.film, frames, features, model.prefix(features))


def _written(
    kept: KeptRun, asked: AskedDocument, question: Question, video: _Video, model: VideoModel, digest: str
) -> KeptLook:
    assert isinstance(model, Watchable)
    text = question.text(video.frames.times_s)
    output, seen = model.look(Asked(text, video.features, video.prefix, question.max_new_tokens))
    answer = kept.results.get(asked.key)
    frames = len(video.frames.indices)
    per_frame = seen.attention["question"].shape[-1] // frames
    side = isqrt(per_frame)
    record = LookRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        task=asked.key.task,
        doc_id=asked.key.index,
        question_id=asked.document.id,
        digest=digest,
        as_asked=digest in kept.digests,
        same_output=answer.text == output if isinstance(answer, Answer) else None,
        output=output,
        askers=[asker for asker in ASKERS if asker in seen.attention],
        layers=list(seen.layers),
        frame_indices=list(video.frames.indices),
        times_s=list(video.frames.times_s),
        grid=(side, side) if side * side == per_frame else (1, per_frame),
    )
    made = KeptLook(record, *_tensors(seen, record))
    write_look(kept.folder, made)
    return made


def _tensors(seen: Look, record: LookRecord) -> tuple[Tensor, Tensor, Tensor]:
    """frames [A, L, T], grid [A, T, h, w] and gates [A, L] of `KeptLook`."""
    attention = np.stack([seen.attention[asker].numpy() for asker in ASKERS if asker in seen.attention])
    by_frame = attention.reshape(*attention.shape[:2], len(record.frame_indices), -1)  # [A, L, T, h * w]
    gates = np.stack([seen.gates[asker].numpy() for asker in ASKERS if asker in seen.gates])  # [A, L]
    by_gate = gates / np.maximum(gates.sum(1, keepdims=True), np.finfo(np.float32).tiny)
    # In multiples of an even share: float16 is exact enough there.
    relative = (attention * by_gate[..., None]).sum(1) * attention.shape[-1]
    grid = relative.reshape(len(record.askers), len(record.frame_indices), *record.grid)
    return (
        by_frame.sum(-1).astype(np.float16),
        np.minimum(grid, _LARGEST_FLOAT16).astype(np.float16),
        gates.astype(np.float16),
    )
