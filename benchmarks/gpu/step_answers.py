"""The mini model's answers on the device against the CPU's: equal in float32, a rate in halves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import is_flash_attn_2_available

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.questions import Asked, answers, mini_questions
from benchmarks.gpu.report import Row
from sf_eval.core.cards import card_for
from sf_eval.editions.scene import Scene
from sf_eval.inference.device import DTYPES
from sf_eval.model.loading import load_model


@dataclass(frozen=True)
class _Way:
    """One way of answering."""

    dtype: str
    attn: str
    batch_size: int

    @property
    def name(self) -> str:
        return f"{self.dtype}, batch {self.batch_size}, {self.attn}"


def run(book: Book) -> None:
    dry = book.setup.dry
    torch.set_num_threads(
        min(4, torch.get_num_threads())
    )  # more only wait for one another in so small a model
    asked, scenes = mini_questions(1 if dry else 12)
    cpu = torch.device("cpu")
    expected, _ = _answers(asked, scenes, _Way("float32", "sdpa", 1), cpu)
    book.put("questions", len(asked))
    book.put("right_on_cpu", _right(asked, expected))
    broken = []
    for way in _ways(dry):
        key = f"answers.{way.dtype}.{way.attn}.batch{way.batch_size}"
        what, floor = (
            f"answers as on the CPU in float32: {way.name}",
            100.0 if way.dtype == "float32" else None,
        )
        try:
            texts, seconds = _answers(asked, scenes, way, torch.device(book.setup.device))
        except Exception as error:
            broken.append(way.name)
            book.row(Row(key, what, None, "%", at_least=floor, note=f"{type(error).__name__}: {error}"[:300]))
            continue
        differing = [
            {"question": str(one.question.key), "cpu": theirs, "here": ours}
            for one, theirs, ours in zip(asked, expected, texts, strict=True)
            if theirs != ours
        ]
        book.put(key, {"differing": differing, "right": _right(asked, texts), "seconds": seconds})
        note = f"{len(asked) - len(differing)} of {len(asked)}; {_right(asked, texts)} right"
        book.row(Row(key, what, 100 * (1 - len(differing) / len(asked)), "%", at_least=floor, note=note))
    if broken:
        raise StepError(f"{len(broken)} ways of answering could not be run: {'; '.join(broken)}")


def _ways(dry: bool) -> list[_Way]:
    if dry:
        return [_Way("float32", "sdpa", 4), _Way("bfloat16", "sdpa", 4)]
    ways = [_Way(dtype, "sdpa", batch) for dtype in ("float32", "bfloat16") for batch in (1, 8)]
    if is_flash_attn_2_available():
        ways += [_Way("bfloat16", "flash_attention_2", batch) for batch in (1, 8)]
    return ways


def _answers(
    asked: list[Asked], scenes: dict[Path, Scene], way: _Way, device: torch.device
) -> tuple[list[str], float]:
    loaded = load_model(card_for("mini"), device=device, dtype=DTYPES[way.dtype], attn=way.attn)
    start = time.perf_counter()
    texts, engine = answers(loaded, scenes, [one.question for one in asked], way.batch_size)
    if engine.degraded:
        raise RuntimeError(f"memory ran out with the mini model: {engine.degraded}")
    return texts, time.perf_counter() - start


def _right(asked: list[Asked], texts: list[str]) -> int:
    """Answers that begin with the right letter; the mini model answers with a letter alone."""
    return sum(text.startswith(one.truth) for one, text in zip(asked, texts, strict=True))
