"""The engine: decode -> preprocess -> upload -> vision -> prefill -> decode tokens, a batch at a time.

A question that cannot be answered becomes a `Failure`; the others in its batch are answered all the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from sf_eval.inference.generation import Generated, generate_batch, synchronise
from sf_eval.inference.question import Answer, Failure, FailureKind, Question, StageTimings
from sf_eval.model.loading import LoadedModel
from sf_eval.model.modeling import VideoFeatures
from sf_eval.video import (
    Clip,
    ClipLoader,
    Frames,
    LoaderClosedError,
    VideoError,
    VideoErrorReason,
    VideoNote,
    WorkerStartError,
)

logger = logging.getLogger(__name__)

# Frames a tower call: bounds the activations, which grow with it. Halved when memory is short.
CHUNK_FRAMES = 16

_FAILURE_OF_VIDEO = {
    VideoErrorReason.missing: FailureKind.MISSING_MEDIA,
    VideoErrorReason.timeout: FailureKind.TIMEOUT,
}


@dataclass(frozen=True)
class _Prepared:
    """A question whose video is encoded."""

    question: Question
    features: VideoFeatures | None
    frame_indices: tuple[int, ...]
    frames_missing: int
    video_notes: tuple[VideoNote, ...]
    decode_s: float
    preprocess_s: float
    upload_s: float
    vision_s: float


class Engine:
    """Answers questions with one model on one device.

    Args:
        loaded: model, processor and card.
        loader: decodes clips by the card's sampling rule.
        batch_size: questions a prefill; answers do not depend on it beyond rounding.

    Attributes:
        degraded: what was made smaller because memory ran out, in order; it stays smaller.
    """

    def __init__(self, loaded: LoadedModel, loader: ClipLoader, *, batch_size: int = 1) -> None:
        self.loaded = loaded
        self.loader = loader
        self.batch_size = batch_size
        self.chunk_frames = CHUNK_FRAMES
        self.degraded: list[str] = []
        self._timed_out: dict[Clip, VideoError] = {}

    @property
    def device(self) -> torch.device:
        device: torch.device = self.loaded.model.device
        return device

    def answer(self, questions: Iterable[Question]) -> Iterator[Answer | Failure]:
        """Answer in order, one batch after the other; a result is yielded as soon as its batch is done."""
        batch: list[_Prepared] = []
        for question in questions:
            prepared = self._prepare(question, alone=not batch)
            if batch and _ran_out(prepared):
                # The encoded videos that wait for their batch may be what is in the way.
                waiting, chunk_frames = len(batch), self.chunk_frames
                yield from self._answer_batch(batch)
                batch = []
                prepared = self._prepare(question, alone=True)
                if chunk_frames == self.chunk_frames and not _ran_out(prepared):
                    self._shrink_batch(waiting)
            if isinstance(prepared, Failure):
                yield prepared
                continue
            batch.append(prepared)
            if len(batch) >= self.batch_size:
                yield from self._answer_batch(batch)
                batch = []
        if batch:
            yield from self._answer_batch(batch)

    def _prepare(self, question: Question, *, alone: bool) -> _Prepared | Failure:
        try:
            return self._encode(question, alone)
        except VideoError as error:
            if error.reason is VideoErrorReason.timeout and question.clip is not None:
                self._timed_out[question.clip] = error
            kind = _FAILURE_OF_VIDEO.get(error.reason, FailureKind.DECODE_ERROR)
            return Failure(question.key, kind, str(error))
        except Exception as error:  # one sample's failure is recorded, not fatal: the harness counts it
            if _ends_everything(error):
                raise
            return _failure(question, error)

    def _encode(self, question: Question, alone: bool) -> _Prepared:
        """Decode and encode the question's clip; `alone` where no other encoded video waits.

        Raises:
            VideoError: the clip cannot be decoded.
            MemoryError or RuntimeError: not even one frame at a time fits, or it is not alone.
        """
        if question.clip is None:
            return _Prepared(question, None, (), 0, (), 0.0, 0.0, 0.0, 0.0)
        if known := self._timed_out.get(question.clip):
            raise known  # its other questions need not wait as long again
        frames = self.loader.load(question.clip)
        if frames.missing:
            logger.info("%s: %s", question.clip.path, _hidden(frames))
        for note in frames.notes:
            logger.info("%s: %s.", question.clip.path, note.detail)
        start = time.perf_counter()
        pixel_values = self.loaded.processor.preprocess(frames.pixels)  # [T, 3, S, S]
        preprocessed = time.perf_counter()
        pixel_values = pixel_values.to(self.device, self.loaded.model.dtype)
        synchronise(self.device)
        uploaded = time.perf_counter()
        features = self._tower(pixel_values, may_shrink=alone)
        synchronise(self.device)
        encoded = time.perf_counter()
        return _Prepared(
            question=question,
            features=features,
            frame_indices=frames.indices,
            frames_missing=frames.missing,
            video_notes=frames.notes,
            decode_s=frames.decode_s,
            preprocess_s=preprocessed - start,
            upload_s=uploaded - preprocessed,
            vision_s=encoded - uploaded,
        )

    @torch.inference_mode()
    def _tower(self, pixel_values: torch.Tensor, *, may_shrink: bool) -> VideoFeatures:
        """Encode in chunks; when memory is short, halve the chunk for good (if it may) and say so."""
        while True:
            try:
                return self.loaded.model.encode_video(pixel_values, chunk_frames=self.chunk_frames)
            except (MemoryError, RuntimeError) as error:
                if not may_shrink or self.chunk_frames == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the handler, which keeps the failed call's tensors alive.
            _free(self.device)
            self.chunk_frames //= 2
            self._degrade(
                f"out of memory in the vision tower: going on with {self.chunk_frames} frames a chunk"
            )

    def _shrink_batch(self, batch_size: int) -> None:
        if batch_size < self.batch_size:
            self.batch_size = batch_size
            self._degrade(f"out of memory with a batch: going on with batches of {batch_size}")

    def _degrade(self, what: str) -> None:
        self.degraded.append(what)
        logger.warning("%s.", what)

    def _answer_batch(self, batch: list[_Prepared]) -> Iterator[Answer | Failure]:
        middle = -(-len(batch) // 2)
        try:
            generated = self._generate(batch)
        except Exception as error:  # as above: one sample's failure is recorded
            if _ends_everything(error):
                raise
            if len(batch) == 1:
                yield _failure(batch[0].question, error)
                return
            if is_out_of_memory(error):
                self._shrink_batch(middle)
            else:
                logger.warning(
                    "a batch of %d failed, answering it in halves: %s", len(batch), _first_line(error)
                )
        else:
            for prepared, result in zip(batch, generated, strict=True):
                yield self._to_answer(prepared, result, len(batch))
            return
        # Some sample of the batch failed: halves find out which, answer the others, and need less memory.
        _free(self.device)
        yield from self._answer_batch(batch[:middle])
        yield from self._answer_batch(batch[middle:])

    def _generate(self, batch: list[_Prepared]) -> list[Generated]:
        return generate_batch(
            self.loaded,
            prompts=[item.question.prompt for item in batch],
            features=[item.features for item in batch],
            max_new_tokens=[item.question.max_new_tokens for item in batch],
        )

    def _to_answer(self, prepared: _Prepared, result: Generated, batch_size: int) -> Answer | Failure:
        if not result.finite:
            reason = "the logits are not finite (NaN or infinite): the weights or the dtype overflow"
            return Failure(prepared.question.key, FailureKind.MODEL_ERROR, reason)
        features = prepared.features
        reads_slow = self.loaded.model.config.slow_path == "on"
        return Answer(
            key=prepared.question.key,
            text=result.text,
            num_frames=len(prepared.frame_indices),
            frame_indices=prepared.frame_indices,
            prompt_tokens=result.prompt_tokens,
            fast_tokens=0 if features is None else features.fast_tokens.shape[0],
            slow_tokens=features.slow_tokens.shape[0] if features is not None and reads_slow else 0,
            new_tokens=result.new_tokens,
            finish_reason=result.finish_reason,
            timings=StageTimings(
                decode_s=prepared.decode_s,
                preprocess_s=prepared.preprocess_s,
                upload_s=prepared.upload_s,
                vision_s=prepared.vision_s,
                prefill_s=result.prefill_s,
                generate_s=result.generate_s,
                batch_size=batch_size,
            ),
            frames_missing=prepared.frames_missing,
            video_notes=prepared.video_notes,
        )


def _hidden(frames: Frames) -> str:
    wanted = len(frames.indices) + frames.missing
    return f"its edit list hides {frames.missing} of the {wanted} wanted frames; the others are shown."


def _ends_everything(error: Exception) -> bool:
    """Whether every further question would fail alike: no decoder starts, or the GPU's context is lost.

    After an asynchronous CUDA error ("CUDA error: device-side assert triggered") each later call fails too.
    """
    if isinstance(error, (WorkerStartError, LoaderClosedError)):
        return True
    return isinstance(error, RuntimeError) and str(error).startswith(("CUDA error", "AcceleratorError"))


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` is the device's or the machine's memory running out.

    torch has a type for the GPU alone; its CPU allocator raises a plain RuntimeError that says so.
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _failure(question: Question, error: Exception) -> Failure:
    reason = f"{type(error).__name__}: {_first_line(error)}"
    if is_out_of_memory(error):
        return Failure(question.key, FailureKind.OUT_OF_MEMORY, reason)
    logger.error("question %s failed in the model.", question.key, exc_info=error)
    return Failure(question.key, FailureKind.MODEL_ERROR, reason)


def _ran_out(prepared: _Prepared | Failure) -> bool:
    return isinstance(prepared, Failure) and prepared.kind is FailureKind.OUT_OF_MEMORY


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
