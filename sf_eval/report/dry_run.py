"""`sf-eval run --dry-run`: what a run would ask, cost and need, told before any weights are loaded.

Nothing here was measured on the model: FLOPs are closed form at the most frames and new tokens a question may
have, for a model that takes videos as they are coded at a stated size of theirs; the time is what those FLOPs
take at the rate of a large matrix product measured on this device.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from rich.console import Console

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.interleaved import InterleavedPrompt
from sf_eval.benchmarks.prompts import with_subtitles
from sf_eval.benchmarks.subtitles import words_of
from sf_eval.core.cards import ModelCard
from sf_eval.core.tables import ABSENT, Table, print_table, scaled
from sf_eval.data.hub import repository as hub
from sf_eval.harness.batching import fitting_batch_size, foreseen, value_bytes
from sf_eval.harness.plan import RunPlan, TaskPlan, questions_per_video
from sf_eval.harness.questions import prompt_of
from sf_eval.inference.device import resolve_device, resolve_dtype, total_memory
from sf_eval.inference.families import size_of
from sf_eval.inference.family import ModelSize
from sf_eval.profiler import compare_question
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.profiler.measured.hardware import measure_peak
from sf_eval.report.model_label import with_words
from sf_eval.video import SamplingRule

# Characters of English a token of Qwen2's vocabulary stands for, roughly; only the estimate depends on it.
CHARACTERS_A_TOKEN = 4
# System prompt and chat markup around every question, where no processor tells.
MARKUP_TOKENS = 25
_EXAMPLE_SIZE = (1280, 720)


@dataclass(frozen=True)
class TaskEstimate:
    """What one task would take.

    Attributes:
        flops: of all its questions together; None where the model's are not counted.
        media_bytes: size of the videos it needs, on this disk; None where some are not here yet.
        fetch_bytes: what a run would still download; None where that is not known.
    """

    title: str
    questions: int
    videos: int
    flops: float | None
    media_bytes: int | None
    fetch_bytes: int | None


def show(plan: RunPlan, console: Console) -> None:
    """Print questions, videos, FLOPs, least time, memory and disk of the plan."""
    settings = plan.settings
    if not settings.conditions.asks_model:
        asked = ", ".join(f"{task.benchmark.title} {task.count}" for task in plan.tasks)
        console.print(f"{plan.card.title}: no model is asked, nothing is computed ({asked} questions).")
        return
    device = resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device) or torch.float16
    frames = plan.card.num_frames if settings.conditions.shows_video else 0
    size = size_of(plan.card)
    estimates = [_estimate(plan.card, size, task, frames) for task in plan.tasks]
    console.print(f"Measuring what {device} can do ...", style="dim")
    rate = measure_peak(device, dtype).measured_flops
    work = _work_table(plan, size, estimates, rate, f"{device}, {_name(dtype)}")
    print_table(console, work)
    print_table(console, _memory_table(plan, size, device, dtype, said=work.notes))


def _asked_of(plan: RunPlan) -> str:
    conditions = plan.settings.conditions
    frames = f"{plan.card.num_frames} frames" if conditions.shows_video else "no video"
    return f"{with_words(plan.card.title, conditions.words)}, {frames}"


def _estimate(card: ModelCard, size: ModelSize, task: TaskPlan, frames: int) -> TaskEstimate:
    videos = {document.video_id: document for document in task.documents} if frames else {}
    return TaskEstimate(
        title=task.benchmark.title,
        questions=len(task.documents),
        videos=len(videos),
        flops=_flops(card, size, task, frames),
        media_bytes=_media_bytes(task) if frames else 0,
        fetch_bytes=hub.bytes_to_fetch(task.benchmark, task.opened.folder) if frames else 0,
    )


def _flops(card: ModelCard, size: ModelSize, task: TaskPlan, frames: int) -> int | None:
    flops = 0
    for document in task.documents:
        said_tokens = _most_characters(task, document, frames) // CHARACTERS_A_TOKEN
        new_tokens = card.max_new_tokens or task.benchmark.max_new_tokens
        one = _flops_of_question(size, frames, said_tokens, new_tokens)
        if one is None:
            return None
        flops += one
    return flops


def _flops_of_question(size: ModelSize, frames: int, said_tokens: int, new_tokens: int) -> int | None:
    """Of a prompt that says `said_tokens` beside its markup; None where the model's are not counted."""
    if size.config is None:
        return None
    if size.largest_video is None:
        return compare_question(
            size.config, frames, MARKUP_TOKENS + said_tokens, new_tokens
        ).model.total_flops
    model, video = family_model(size.config), size.largest_video
    if model is None:
        return None
    if frames:
        text_tokens = video.text_tokens + said_tokens + video.markup_after
        cost = model.cost(video.grid, video.visual_tokens, text_tokens, new_tokens)
    else:
        cost = model.cost(None, 0, MARKUP_TOKENS + said_tokens, new_tokens)
    return None if cost is None else cost.total_flops


def _most_characters(task: TaskPlan, document: Document, frames: int) -> int:
    """Of the longest prompt it may get: which subtitles are shown is known with the frames' times."""
    if not frames:
        return len(document.prompt)  # subtitles are a part of the video
    prompt = prompt_of(task.opened, document)
    if isinstance(prompt, str):
        return len(prompt)
    said = 0 if prompt.subtitles is None else _characters_said(prompt.subtitles)
    heading = 0 if isinstance(prompt, InterleavedPrompt) else len(with_subtitles(document, None, ()))
    return max(heading, len(document.prompt)) + said


@lru_cache(maxsize=4)  # a video's questions come one after the other
def _characters_said(subtitles: Path) -> int:
    """In the whole file, with a line's end for each subtitle."""
    return len(words_of(subtitles)) + 1


def _media_bytes(task: TaskPlan) -> int | None:
    if task.opened.missing_media(task.documents):
        return None
    paths = {task.opened.media_path(document) for document in task.documents}
    return sum(_size(path) for path in paths)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(entry.stat().st_size for entry in path.iterdir())
    return path.stat().st_size


def _work_table(
    plan: RunPlan, size: ModelSize, estimates: list[TaskEstimate], rate: float, where: str
) -> Table:
    rows = [
        (
            estimate.title,
            str(estimate.questions),
            str(estimate.videos),
            *_work(estimate.flops, rate),
            _disk(estimate),
        )
        for estimate in estimates
    ]
    frames = plan.card.num_frames if plan.settings.conditions.shows_video else 0
    counted = [estimate.flops for estimate in estimates if estimate.flops is not None]
    total = sum(counted) if len(counted) == len(estimates) else None
    known = [estimate.media_bytes for estimate in estimates if estimate.media_bytes is not None]
    rows.append(
        (
            "all",
            str(sum(estimate.questions for estimate in estimates)),
            str(sum(estimate.videos for estimate in estimates)),
            *_work(total, rate),
            scaled(sum(known), "B") if len(known) == len(estimates) else ABSENT,
        )
    )
    columns = (
        "task", "questions", "videos", _flops_column(size, frames), "their time at least", "videos' size",
    )  # fmt: skip
    return Table(
        title=f"Dry run: {_asked_of(plan)}, {plan.source.label}",
        columns=columns,
        rows=tuple(rows),
        numeric=frozenset(columns[1:]),
        notes=("The FLOPs of this kind of model are not counted, and so its time is not estimated.",)
        if total is None
        else (
            f"FLOPs: closed form with {frames} frames per video, prompts of about "
            f"{CHARACTERS_A_TOKEN} characters a token, and as many new tokens as the task allows.",
            f"Time: those FLOPs at {scaled(rate, 'FLOP/s')}, a large matrix product measured just now on "
            f"{where}. Decoding videos and everything else comes on top.",
            *(_size_notes(size) if frames else ()),
            *(_subtitle_notes(plan, estimates) if frames else ()),
        ),
    )


def _flops_column(size: ModelSize, frames: int) -> str:
    """The most where pictures are always brought to one size; for others a note says of which they are."""
    return "FLOPs" if size.largest_video is not None and frames else "FLOPs at most"


def _subtitle_notes(plan: RunPlan, estimates: list[TaskEstimate]) -> Iterator[str]:
    shown = [
        estimate
        for task, estimate in zip(plan.tasks, estimates, strict=True)
        if any(document.subtitles is not None for document in task.documents)
    ]
    if shown:
        yield "Subtitles: all words of a video's file, whichever of them its frames show."
    if any(estimate.media_bytes is None for estimate in shown):
        yield "Subtitles that are not on this machine yet are in no figure; they come on top."


def _size_notes(size: ModelSize) -> Iterator[str]:
    """What is assumed of videos that a model takes as they are coded."""
    video = size.largest_video
    if video is not None:
        height, width = video.coded
        yield (
            f"Videos: {video.frames} frames of {width} x {height}, by the checkpoint's own processor "
            f"{video.visual_tokens} tokens in the prompt; smaller ones may take less, larger ones more."
        )


def _memory_table(
    plan: RunPlan, size: ModelSize, device: torch.device, dtype: torch.dtype, *, said: Sequence[str]
) -> Table:
    """`said` are notes that the reader has seen."""
    card, share, width, have = plan.card, plan.settings.share, value_bytes(dtype), total_memory(device)
    batch_size = plan.settings.batch_size or fitting_batch_size(size, card, device, width, share=share) or 1
    foresight = foreseen(
        size, card, batch_size, width, device.type,
        share=share, questions_per_video=questions_per_video(plan),
    )  # fmt: skip
    if foresight is None:
        return _weights_table(None if size.parameters is None else size.parameters * width, device, dtype)
    rows = (
        ("weights", foresight.weights),
        ("keys and values", foresight.keys_and_values),
        ("slow tokens' keys and values", foresight.slow),
        ("visual tokens", foresight.visual_tokens),
        ("in all while a video is encoded", foresight.encoding),
        ("in all while what its questions share is read", foresight.prefix),
        ("in all while a batch of questions is read", foresight.prompts),
        ("in all while answers are written", foresight.decoding),
        ("the most at once", foresight.peak),
        (f"{device} has", have),
    )
    return Table(
        title=f"Memory at batch size {batch_size}, {_name(dtype)}",
        columns=("what", "memory"),
        rows=tuple((what, scaled(value, "B")) for what, value in rows if value),
        numeric=frozenset({"memory"}),
        notes=(
            f"{'It fits.' if foresight.peak < have else 'IT DOES NOT FIT.'} In closed form, with "
            "activations; the allocator, the libraries and (on a CPU) Python and decoders come on top.",
            *(note for note in _size_notes(size) if note not in said),
            *_coded_notes(card, plan.rule),
        ),
    )


def _coded_notes(card: ModelCard, rule: SamplingRule) -> Iterator[str]:
    """What the closed form leaves out where the device resizes: how large the pictures are, no card says."""
    if card.options.get("resize") == "device":
        width, height = _EXAMPLE_SIZE
        coded = rule.num_frames * width * height * 3
        yield (
            f"With --resize device the pictures as coded come on top while a video is encoded: of {width} x "
            f"{height} pixels {scaled(coded, 'B')}."
        )


def _weights_table(weights: int | None, device: torch.device, dtype: torch.dtype) -> Table:
    """What is known of a model whose memory has no closed form."""
    have = total_memory(device)
    fits = "They fit." if weights is not None and weights < have else "THEY DO NOT FIT."
    return Table(
        title=f"Memory, {_name(dtype)}",
        columns=("what", "memory"),
        rows=(
            ("weights", ABSENT if weights is None else scaled(weights, "B")),
            (f"{device} has", scaled(have, "B")),
        ),
        numeric=frozenset({"memory"}),
        notes=(
            "The weights are not on this machine."
            if weights is None
            else f"{fits} Keys and values of the prompts and activations come on top: this kind of model has "
            "no closed form for them.",
        ),
    )


def _work(flops: float | None, rate: float) -> tuple[str, str]:
    return (ABSENT, ABSENT) if flops is None else (scaled(flops), _duration(flops / rate))


def _disk(estimate: TaskEstimate) -> str:
    if estimate.media_bytes is not None:
        return scaled(estimate.media_bytes, "B")
    if estimate.fetch_bytes:
        return f"{scaled(estimate.fetch_bytes, 'B')} to fetch"
    return "missing"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
