"""What `sf-eval attach train` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sf_eval.cli.actions.training_progress import TrainingProgress, training_into
from sf_eval.core import files
from sf_eval.core.cards import ModelCard, card_for
from sf_eval.core.errors import UsageError
from sf_eval.inference.device import resolve_device
from sf_eval.inference.families import open_model
from sf_eval.inference.families.transformers_model import TransformersVideoModel
from sf_eval.model.attach import attach_slow_path, has_slow_path
from sf_eval.training.attached import release
from sf_eval.training.attached.examining import Examined, Examiner, keep_out
from sf_eval.training.attached.examples import Examples
from sf_eval.training.attached.questions import TrainingQuestion, mini_split, read_questions, table_below
from sf_eval.training.attached.trainer import WORK, Plan, train
from sf_eval.video import ClipLoader

MINI = "mini"
_LAST = 50


@dataclass(frozen=True)
class AttachOptions:
    """What `attach_slow_path` takes."""

    every_n_layers: int | None
    temporal_stride: int
    spatial_stride: int
    rope: str


def train_attached(
    *,
    model: str,
    data: str,
    media: Path | None,
    videos: int,
    output: Path,
    attaching: AttachOptions,
    plan: Plan,
    questions: int,
    held_out: int,
    examine_every: int | None,
    cache_gib: float,
    num_frames: int | None,
    device: str,
    dtype: str,
    threads: int | None,
    command: tuple[str, ...],
) -> int:
    """Attach a slow path to a model, train it, and write a directory that `sf-eval run --model` takes.

    Raises:
        UsageError: a model that is not of transformers' known families, or has a slow path already; no video
            left to learn from.
        DataError: a table that cannot be read, or videos that are not there.
        OutputError: the folder cannot be written, or holds another training.
    """
    card = card_for(model).with_frames(num_frames)
    _refuse(card, plan)
    if threads is not None:
        torch.set_num_threads(threads)
    table = None if data == MINI else table_below(Path(data).expanduser())
    asked = [] if table is None else read_questions(table, media)
    console = Console()
    progress = TrainingProgress(console)
    with training_into(output, progress):
        if table is None:
            progress.stage("Videos of the mini editions' kind")
            table = mini_split(videos, lambda done, total: progress.step("videos", done, total))
            asked = read_questions(table)
        learned, kept = keep_out(asked, held_out, plan.seed)
        progress.stage(_described(learned, kept))
        opened = _opened(card, attaching, device=device, dtype=dtype)
        facts = {
            "model": opened.loaded.digest,
            "data": files.sha256(table),
            "rule": asdict(opened.rule),
            "questions_a_step": questions,
            "dtype": dtype,
            # Only where there are any, so that a training from before there was such a thing goes on.
            **({"held_out_videos": held_out} if held_out else {}),
        }
        losses: deque[float] = deque(maxlen=_LAST)

        def say(step: int, loss: float) -> None:
            losses.append(loss)
            progress.step("steps", step + 1, plan.steps, loss)

        with ClipLoader(opened.rule) as loader:
            examples = Examples(
                opened, learned, loader, seed=plan.seed, count=questions, cache_bytes=int(cache_gib * 2**30)
            )
            examiner = Examiner(
                opened.model,
                lambda: map(examples.inputs, kept),
                output / WORK,
                steps=plan.steps,
                every=examine_every,
                say=lambda found: progress.stage(_told(found)),
            )
            train(
                opened.model, examples.draw, plan, output, say, facts,
                examine=examiner if kept else lambda _: None,
            )  # fmt: skip
            found = [asdict(item) for item in examiner.found]
        release.write(
            output,
            card,
            processor=opened.processor if plan.llm_learning_rate else None,
            facts={**facts, "plan": asdict(plan), "attached": asdict(attaching), "held_out": found},
            command=command,
        )
    if losses:
        mean = sum(losses) / len(losses)
        console.print(f"Loss of the last {len(losses)} steps: {mean:.3f} nats.", highlight=False)
    console.print(
        f"Attached model: {output}. Evaluate it: sf-eval run --model {output} --data ...",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 0


def _described(learned: Sequence[TrainingQuestion], kept: Sequence[TrainingQuestion]) -> str:
    def counted(questions: Sequence[TrainingQuestion]) -> str:
        return f"{len(questions)} questions about {len({item.video for item in questions})} videos"

    return counted(learned) + (f", {counted(kept)} held out" if kept else "")


def _told(found: Examined) -> str:
    return (
        f"held out, after {found.step} steps: {100 * found.right:.1f}% of {found.questions} questions right, "
        f"loss {found.loss:.3f} nats"
    )


def _refuse(card: ModelCard, plan: Plan) -> None:
    if card.slow_path == "on":
        raise UsageError(
            f"{card.name} has a slow path already; the slow path of a slow-fast model is trained otherwise "
            "(sf-eval mini train)."
        )
    if plan.steps < 1:
        raise UsageError(f"--steps is {plan.steps}; it must be 1 or more.")


def _opened(card: ModelCard, attaching: AttachOptions, *, device: str, dtype: str) -> Any:
    opened = open_model(card, device=resolve_device(device), dtype=dtype)
    if not isinstance(opened, TransformersVideoModel):
        raise UsageError(
            f"{card.name}: a slow path is trained on Qwen2.5-VL, Qwen3-VL, LLaVA-OneVision, InternVL and "
            f"LLaVA-NeXT-Video alone; this model's family is {card.family}.",
            hint="For others see sf_eval.training.attached.trainer (docs/attaching.md).",
        )
    assert not has_slow_path(opened.model)
    attach_slow_path(opened.model, **asdict(attaching))
    release.name_base(opened.model, card)
    return TransformersVideoModel(opened.loaded, opened.traits, opened.options, opened.rule)
