"""The 7B shape with random weights, what it is asked, and what that counts: shared by several steps."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row
from benchmarks.gpu.table import shown
from sf_eval.core.cards import card_for
from sf_eval.inference.chunks import CHUNK_FRAMES
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastForConditionalGeneration, VideoFeatures
from sf_eval.model.preprocess import normalise
from sf_eval.profiler.cost.memory import MemoryForecast
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.pipeline import configured, make_model
from sf_eval.profiler.measured.stopwatch import Samples, timed
from sf_eval.profiler.measured.work import WeightBytes
from sf_eval.profiler.profile import subject_of
from sf_eval.profiler.record import ProfileRow
from sf_eval.profiler.rows import Question, Subject, closed_form_row

TEXT_TOKENS = 100
LONG_CONTEXT = 1 << 21
"""Instead of the card's 32,768 tokens, which self-attention only exceeds from 404 frames on: a limit of the
trained positions, not of memory or time."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Workload:
    """One model's weights, asked as slow-fast and as self-attention only.

    Attributes:
        slow_fast, baseline: the two subjects; they differ in configuration keys that the model reads at each
            call.
        frame_counts: numbers of frames to show.
        most_runs: of anything; a rehearsal has few.
    """

    model: SlowFastForConditionalGeneration
    slow_fast: Subject
    baseline: Subject
    frame_counts: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype
    most_runs: int

    def set_to(self, subject: Subject) -> AbstractContextManager[None]:
        """Let the model be `subject` inside the block."""
        return configured(self.model, subject)

    def vision(self, pixels: torch.Tensor) -> VideoFeatures:
        """Tower, projector and pooling of normalised pixels [T, 3, S, S], in the engine's chunks."""
        features: VideoFeatures = self.model.encode_video(pixels, chunk_frames=CHUNK_FRAMES)
        return features

    def prefill(self, features: VideoFeatures) -> tuple[torch.Tensor, Any]:
        """`TEXT_TOKENS` tokens after the video: the first new token [1, 1] and the cache."""
        ids = torch.arange(TEXT_TOKENS) % min(1000, self.model.config.vocab_size)
        ids = torch.cat([torch.tensor([VIDEO_TOKEN_ID]), ids])[None]
        output = self.model(input_ids=ids, video_features=[features], use_cache=True, logits_to_keep=1)
        return output.logits[:, -1:].argmax(-1), output.past_key_values

    def decode_tokens(self, first: torch.Tensor, cache: Any, steps: int) -> torch.Tensor:
        """`steps` greedy steps; the last token [1, 1]."""
        token = first
        for _ in range(steps):
            output = self.model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = output.logits[:, -1:].argmax(-1)
        return token

    def counted(self, subject: Subject, frames: int) -> ProfileRow:
        """FLOPs of the closed form, causal attention halved; `decode_flops_per_token` is the first step's."""
        return closed_form_row(subject, frames, Question(text_tokens=TEXT_TOKENS, new_tokens=2))

    def upload(self, frames: int) -> torch.Tensor:
        """Resized uint8 pixels in host memory -> normalised [T, 3, S, S] on the device, chunk by chunk."""
        side = self.model.config.vision_config.image_size
        host = np.random.default_rng(0).integers(0, 256, (CHUNK_FRAMES, side, side, 3), dtype=np.uint8)
        pixels = torch.empty(frames, 3, side, side, dtype=self.dtype, device=self.device)
        for start in range(0, frames, CHUNK_FRAMES):
            stop = min(start + CHUNK_FRAMES, frames)
            pixels[start:stop] = normalise(torch.from_numpy(host[: stop - start]).to(self.device))
        return pixels

    def random_features(self, subject: Subject, frames: int) -> VideoFeatures:
        """Fast and slow tokens as the subject's paths make them of random pooled tokens."""
        side = round((self.counted(self.baseline, frames).fast_tokens // frames) ** 0.5)
        width = self.model.config.hidden_size
        tokens = torch.randn(frames, side, side, width, device=self.device, dtype=self.dtype)
        with self.set_to(subject):
            features: VideoFeatures = self.model.model.split_paths(tokens)
        return features

    def weight_bytes(self) -> int:
        """Bytes of the weights that a decoding step has to read, each once."""
        return WeightBytes.of(self.model).language

    def decode_bytes(self, subject: Subject, frames: int) -> int:
        """Bytes that the first decoding step has to read: the weights and the caches (in 16 bits)."""
        row = self.counted(subject, frames)
        return self.weight_bytes() + row.kv_cache_bytes + row.slow_bytes


def build(dry: bool, device: torch.device) -> Workload:
    """The 7B shape on the device, or the mini one on the CPU."""
    dtype = torch.float32 if dry else torch.bfloat16
    slow_fast = subject_of(card_for("mini" if dry else "slowfast-7b-128f"))
    slow_fast = slow_fast.with_config(max_position_embeddings=LONG_CONTEXT, tokenizer_model_max_length=None)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    model = make_model(slow_fast.config, device, dtype, "sdpa")
    return Workload(
        model=model,
        slow_fast=slow_fast,
        baseline=slow_fast.self_attention_only(),
        frame_counts=(16, 64, 128) if dry else (16, 64, 128, 512, 1536),
        device=device,
        dtype=dtype,
        most_runs=2 if dry else 20,
    )


def repeated(
    work: Workload, call: Callable[[], _Result], *, at_most: int, budget_s: float
) -> tuple[Samples, _Result]:
    """Time `call` at least once, and again up to `at_most` times while `budget_s` seconds last.

    Returns:
        The times, and the last result; the one before is given up first, so that memory holds one.
    """
    seconds: list[float] = []
    result: Any = None
    most = min(at_most, work.most_runs)
    while not seconds or (len(seconds) < most and sum(seconds) + seconds[-1] < budget_s):
        result = None
        took, result = timed(call, work.device)
        seconds.append(took)
    return Samples(tuple(seconds)), result


def peak_bytes(device: torch.device) -> int | None:
    """Memory allocated at most since `forget_peak`; None without a GPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def book_forecast(book: Book, key: str, foreseen: MemoryForecast, measured: int | None) -> None:
    """A row that says by how much the forecast of a run's memory misses the peak allocated."""
    book.put(key, {"forecast": {**asdict(foreseen), "peak": foreseen.peak}, "measured_bytes": measured})
    what = "forecast of the peak memory, off by"
    off = None if measured is None else 100 * abs(foreseen.peak / measured - 1)
    note = f"forecast {shown(foreseen.peak, 'bytes')}, " + (
        "not measured without a GPU" if measured is None else f"measured {shown(measured, 'bytes')}"
    )
    book.row(Row(key, what, off, "%", at_most=15, note=note))


def forget_peak(device: torch.device) -> None:
    hardware.reset_gpu_memory(device)


def give_back_memory(device: torch.device) -> None:
    """Free what nothing refers to any more, also of an exception's frames."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
