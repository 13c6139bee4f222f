"""`sf-eval look`: a kept run's questions are asked again, and where the slow path looked is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from math import isqrt

import numpy as np
import torch

from sf_eval.benchmarks import catalog
from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError, DataError, UsageError
from sf_eval.data.opening import open_benchmark
from sf_eval.harness.identity import ModelIdentity, digest_of, libraries_that_answer
from sf_eval.harness.kept_source import source_of
from sf_eval.harness.look_record import KeptLook, LookRecord, Tensor, bytes_of, write_look
from sf_eval.harness.questions import question_of
from sf_eval.harness.record import RunFacts
from sf_eval.harness.recording import AskedDocument
from sf_eval.harness.rescoring import KeptRun
from sf_eval.inference import Answer, Question
from sf_eval.inference.device import resolve_device, resolve_dtype
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.looking import ASKERS, Look, look
from sf_eval.model.shared_prefix import Prefix, prefill_prefix, split_prompt
from sf_eval.video import Clip, ClipLoader, Frames, SamplingRule, VideoError

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
    if kept.facts.model.slow_path != "on":
        raise UsageError(
            f"{kept.facts.model.name} has no slow path: there is nothing that it could look at.",
            hint="Look at a run of a model whose slow path is on.",
        )
    chosen = [_named(kept, name) for name in questions] if questions else kept.documents
    if brief:
        chosen = [asked for asked in chosen if asked.kind is not None and asked.kind.group == BRIEF]
    if not chosen:
        said = "no question about a brief event: only mini editions tell them" if brief else "no question"
        raise UsageError(f"the run in {kept.folder} has {said}.")
    chosen = chosen[:limit]
    answers = [result for result in kept.results.values() if isinstance(result, Answer)]
    slow = max((answer.slow_tokens for answer in answers), default=0)
    frames = max((answer.num_frames for answer in answers), default=kept.facts.model.num_frames)
    each = bytes_of(len(ASKERS), kept.facts.model.config.get("num_hidden_layers", 1), slow, frames)
    if each * len(chosen) > MOST_BYTES:
        raise UsageError(
            f"{len(chosen)} looks of up to {each / 1e6:.1f} MB are more than {MOST_BYTES / 1e6:.0f} MB.",
            hint=f"Give --limit {max(MOST_BYTES // each, 1)} or fewer questions.",
        )
    return LookPlan(kept, tuple(chosen), each * len(chosen))


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
    loaded = _load(facts, weights, device)
    identity = identity_of(facts, loaded)
    model = SlowFastVideoModel(loaded)
    rule = SamplingRule(loaded.card.sampling, loaded.card.num_frames, loaded.card.target_fps)
    with ClipLoader(
        rule, resize=model.resize, backend=identity.video_backend, seek=facts.settings.get("seek", True)
    ) as loader:
        video: _Video | None = None
        for done, asked in enumerate(plan.chosen):
            progress("questions looked at", done, len(plan.chosen))
            task = asked.key.task
            question = question_of(
                opened[task],
                asked.document,
                clip_mode=facts.clip,
                max_new_tokens=loaded.card.max_new_tokens or opened[task].benchmark.max_new_tokens,
            )
            assert question.clip is not None
            try:
                if video is None or video.clip != question.clip:
                    video = _encoded(question.clip, loader.load(question.clip), model)
            except VideoError as error:
                yield DataError(f"{asked.key}: {error}")
                continue
            yield _written(kept, asked, question, video, model, identity)
        progress("questions looked at", len(plan.chosen), len(plan.chosen))


def identity_of(facts: RunFacts, loaded: LoadedModel) -> ModelIdentity:
    """As the run's own, of the model at hand, this machine and its libraries."""
    return ModelIdentity(
        weights_digest=loaded.weights_digest,
        slow_path=facts.model.slow_path,
        decode_slow_attention=facts.model.decode_slow_attention,
        dtype=str(loaded.model.dtype).removeprefix("torch."),
        attn=facts.model.attn,
        device_type=loaded.model.device.type,
        sampling=facts.model.sampling,
        num_frames=facts.model.num_frames,
        target_fps=facts.model.target_fps,
        video_backend=facts.settings.get("video_backend", "pyav"),
        prompt_format=loaded.card.prompt_format,
        libraries=libraries_that_answer(),
    )


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


def _load(facts: RunFacts, weights: str | None, device: str) -> LoadedModel:
    """The run's own model.

    Raises:
        CheckpointError: other weights.
    """
    model = facts.model
    card = ModelCard(
        name=model.name,
        title=model.title,
        weights=weights or model.weights,
        revision="" if weights else model.revision,
        num_frames=model.num_frames,
        sampling="uniform" if model.sampling == "uniform" else "published",
        slow_path=model.slow_path,
        target_fps=model.target_fps,
        decode_slow_attention=model.decode_slow_attention,
        max_new_tokens=facts.settings.get("max_new_tokens") or 0,
    )
    where = resolve_device(device)
    loaded = load_model(card, device=where, dtype=resolve_dtype(model.dtype, where), attn=model.attn)
    if loaded.weights_digest != model.weights_digest:
        raise CheckpointError(
            f"{card.weights} holds other weights than the run was asked with.",
            hint="Give the run's own: --weights DIR.",
        )
    return loaded


@dataclass(frozen=True, eq=False)
class _Video:
    clip: Clip
    frames: Frames
    prefix: Prefix
    per_frame: int


def _encoded(clip: Clip, frames: Frames, model: SlowFastVideoModel) -> _Video:
    pixels = torch.from_numpy(frames.pixels).to(model.device)
    features = model.encode(pixels, chunk_frames=_CHUNK_FRAMES)
    ids, _ = split_prompt(model.loaded.processor.tokenize("", has_video=True)[0].tolist())
    prefix = prefill_prefix(model.loaded.model, ids, features)
    return _Video(clip, frames, prefix, features.slow_tokens.shape[0] // features.num_frames)


def _written(
    kept: KeptRun,
    asked: AskedDocument,
    question: Question,
    video: _Video,
    model: SlowFastVideoModel,
    identity: ModelIdentity,
) -> KeptLook:
    processor = model.loaded.processor
    ids = processor.tokenize(question.text(video.frames.times_s), has_video=True)[0].tolist()
    seen = look(
        model.loaded.model,
        video.prefix,
        split_prompt(ids)[1],
        max_new_tokens=question.max_new_tokens,
        stop_ids=processor.eos_token_ids,
    )
    answer = kept.results.get(asked.key)
    output = processor.decode(seen.answer.token_ids)
    side = isqrt(video.per_frame)
    askers = [asker for asker in ASKERS if asker in seen.attention]
    digest = digest_of(question, identity)
    record = LookRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        task=asked.key.task,
        doc_id=asked.key.index,
        question_id=asked.document.id,
        digest=digest,
        as_asked=digest in kept.digests,
        same_output=answer.text == output if isinstance(answer, Answer) else None,
        output=output,
        askers=list(askers),
        layers=list(seen.layers),
        frame_indices=list(video.frames.indices),
        times_s=list(video.frames.times_s),
        grid=(side, side) if side * side == video.per_frame else (1, video.per_frame),
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
