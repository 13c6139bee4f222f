"""The engine: a video is decoded, encoded and prefilled once; its questions follow, a batch at a time.

Decoders work ahead in their own processes (`sf_eval.video.ClipPool`) while the model answers. A question that
cannot be answered becomes a `Failure`; the others are answered all the same.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import torch

from sf_eval.core.errors import SfEvalError
from sf_eval.inference.chunks import CHUNK_FRAMES, frames_at_once
from sf_eval.inference.device import is_out_of_memory
from sf_eval.inference.family import Interleaving, VideoModel
from sf_eval.inference.grouping import (
    ClipSource,
    Group,
    Pictures,
    ShownGroups,
    arriving,
    ends_everything,
    grouped,
    with_pictures,
)
from sf_eval.inference.question import Failure, FailureKind, Question, Result, Said
from sf_eval.inference.ready import Ready, Shown, hidden, to_answer
from sf_eval.inference.waiting import synchronise
from sf_eval.video import (
    Clip,
    ClipPlan,
    Frames,
    VideoError,
    VideoErrorReason,
)

logger = logging.getLogger(__name__)


_FAILURE_OF_VIDEO = {
    VideoErrorReason.missing: FailureKind.MISSING_MEDIA,
    VideoErrorReason.timeout: FailureKind.TIMEOUT,
}


class Engine:
    """Answers questions with one model on one device.

    Args:
        model: of any family.
        source: decodes clips by the model card's sampling rule and resizes them as `model.resize` says; None
            where only `answer_arriving` is called.
        batch_size: questions per batch; answers do not depend on it beyond rounding.
        share: decode, encode and prefill a video once for all its questions. False does all of it for each
            question, and asks whole prompts.

    Attributes:
        degraded: what was made smaller because memory ran out, in order; it stays smaller.
    """

    def __init__(
        self, model: VideoModel, source: ClipSource | None, *, batch_size: int = 1, share: bool = True
    ) -> None:
        self.model = model
        self.source = source
        self.batch_size = batch_size
        self.share = share
        self.chunk_frames = CHUNK_FRAMES
        self.degraded: list[str] = []
        self._room_made = (
            0  # questions that were answered, or put off: each may have been the last of a video
        )
        self._put_off: list[Question] = []

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]:
        """Answer video by video, in the order in which they are first asked about.

        A result is yielded as soon as its batch is done, a failure as soon as it is known. Questions without
        a video come first. Nothing decodes ahead any more once the iterator is closed.
        """
        assert self.source is not None, "made without a source: only answer_arriving can be called"
        source = self.source
        return self._answer_groups(
            with_pictures(grouped(questions, share=self.share), source),
            again=lambda put_off: with_pictures(grouped(put_off, share=self.share), source),
        )

    def answer_arriving(
        self, videos: Iterable[Sequence[Question]], load: Callable[[Clip], Frames]
    ) -> Iterator[Result]:
        """As `answer`, for videos that become known one by one.

        Args:
            videos: the questions of one video each, in whatever order; without any, none is at hand now: what
                waits for its batch to fill is answered.
            load: gives a clip's pictures, or raises; called in the order of `videos`, and once more for a
                video that did not fit beside others.
        """
        return self._answer_groups(
            arriving(videos, load, share=self.share),
            again=lambda put_off: arriving(([question] for question in put_off), load, share=self.share),
        )

    def _answer_groups(
        self, groups: ShownGroups, again: Callable[[Sequence[Question]], ShownGroups]
    ) -> Iterator[Result]:
        waiting: deque[Ready] = deque()
        self._put_off.clear()
        with closing(groups):
            for arrived in groups:
                if arrived is None:
                    yield from self._answer_batches(waiting, least=1)
                    yield from self._answer_alone(again)
                    continue
                group, pictures = arrived
                del arrived  # it holds the pictures too
                shown, failures = self._show(group, pictures, alone=not waiting)
                if waiting and any(failure.kind is FailureKind.OUT_OF_MEMORY for failure in failures):
                    # The encoded videos that wait for their batch may be what is in the way.
                    asked, chunk_frames = len(waiting), self.chunk_frames
                    yield from self._answer_batches(waiting, least=1)
                    _free(self.model.device)
                    shown, failures = self._show(group, pictures, alone=True)
                    if shown and chunk_frames == self.chunk_frames:
                        self._shrink_batch(asked)
                del pictures  # the next video must find room, and so must the batches in between
                yield from failures
                waiting.extend(shown)
                del shown
                yield from self._answer_batches(waiting, least=self.batch_size)
        yield from self._answer_batches(waiting, least=1)
        yield from self._answer_alone(again)

    def _answer_alone(self, again: Callable[[Sequence[Question]], ShownGroups]) -> Iterator[Result]:
        """The questions that were put off, with no other video in hand: what does not fit now never will."""
        put_off, self._put_off = self._put_off, []
        if not put_off:
            return
        with closing(again(put_off)) as groups:
            for arrived in groups:
                assert arrived is not None
                group, pictures = arrived
                del arrived
                shown, failures = self._show(group, pictures, alone=True)
                del pictures
                yield from failures
                waiting = deque(shown)
                del shown
                yield from self._answer_batches(waiting, least=1)

    def _show(self, group: Group, pictures: Pictures, *, alone: bool) -> tuple[list[Ready], list[Failure]]:
        """The group's questions with their video, encoded and prefilled; and those that cannot be asked.

        Args:
            alone: no other encoded video waits.
        """
        if isinstance(pictures, VideoError):
            kind = _FAILURE_OF_VIDEO.get(pictures.reason, FailureKind.DECODE_ERROR)
            return [], [
                Failure(question.key, kind, str(pictures), pictures.reason) for question in group.questions
            ]
        if isinstance(pictures, Exception):
            return [], _failures(group.questions, pictures)
        texts, failures = _texts(group.questions, () if pictures is None else pictures.times_s)
        if not texts:
            return [], failures
        words = [text for _, text in texts]
        try:
            if pictures is None:
                shown, prefixes = Shown(None), self._prefixes(None, words, alone)
            else:
                said = texts[0][0].said(pictures.times_s)  # the same for all of them
                shown, prefixes = self._encode(pictures, said, words, alone)
        except Exception as error:  # one video's failure is recorded, not fatal: the harness counts it
            if ends_everything(error):
                raise
            return [], failures + _failures([question for question, _ in texts], error)
        ready = [
            Ready(question, text, shown, prefix)
            for (question, text), prefix in zip(texts, prefixes, strict=True)
        ]
        return ready, failures

    def _encode(
        self, frames: Frames, said: Sequence[Said], texts: Sequence[str], alone: bool
    ) -> tuple[Shown, Sequence[Any]]:
        """Upload, encode and prefill. Each text's prefix is returned too.

        Args:
            said: the text between the frames; none for most prompts.
            texts: what is asked about it.

        Raises:
            MemoryError or RuntimeError: not even one frame at a time fits, or it is not alone.
        """
        if frames.missing:
            logger.info("%s: %s", frames.info.path, hidden(frames))
        for note in frames.notes:
            logger.info("%s: %s.", frames.info.path, note.detail)
        device = self.model.device
        start = time.perf_counter()
        pixels = torch.from_numpy(frames.pixels)
        if device.type == "cuda":
            pixels = pixels.pin_memory()
        pixels = pixels.to(device, non_blocking=True)
        synchronise(device)
        uploaded = time.perf_counter()
        plan = ClipPlan(frames.info, frames.indices, frames.times_s)
        video = self._tower(pixels, plan, may_shrink=alone)
        del pixels
        between = ""
        if said:
            if not isinstance(self.model, Interleaving):
                raise TypeError("the plan lets no such model be asked with text between the frames")
            video, between = self.model.interleaved(video, frames.times_s, said)
        synchronise(device)
        encoded = time.perf_counter()
        prefixes = self._prefixes(video, texts, alone)
        synchronise(device)
        shown = Shown(
            video=video,
            frame_indices=frames.indices,
            frames_missing=frames.missing,
            notes=frames.notes,
            pixels_digest=frames.pixels_digest,
            times_s=frames.times_s,
            between=between,
            decode_s=frames.decode_s,
            preprocess_s=frames.resize_s,
            upload_s=uploaded - start,
            vision_s=encoded - uploaded,
            prefix_s=time.perf_counter() - encoded,
            shared_by=len(texts),
        )
        return shown, prefixes

    def _prefixes(self, video: Any, texts: Sequence[str], alone: bool) -> Sequence[Any]:
        """Each text's. The video's alone where one text cannot be written, or what they share does not fit:
        that must not cost the other questions."""
        if not self.share:
            return [None] * len(texts)
        try:
            return self.model.prefixes(video, texts)
        except Exception as error:
            may_share_less = len(texts) > 1 and (alone or not is_out_of_memory(error))
            if ends_everything(error) or not may_share_less:
                raise
            logger.warning("%d questions of a video share no text: %s", len(texts), _first_line(error))
        # Outside of the handler, as below.
        _free(self.model.device)
        return [self.model.prefix(video)] * len(texts)

    def _tower(self, pixels: torch.Tensor, shown: ClipPlan, *, may_shrink: bool) -> Any:
        """Encode in chunks; when memory is short, halve the chunk for good (if it may) and say so."""
        while True:
            try:
                return self.model.encode(pixels, shown, chunk_frames=self._frames_at_once(pixels))
            except (MemoryError, OSError, RuntimeError) as error:
                if not may_shrink or self.chunk_frames == 1 or not is_out_of_memory(error):
                    raise
            # Outside of the handler, which keeps the failed call's tensors alive.
            _free(self.model.device)
            self.chunk_frames //= 2
            self._degrade(
                f"out of memory in the vision tower: going on with {self.chunk_frames} frames per chunk"
            )

    def _frames_at_once(self, pixels: torch.Tensor) -> int:
        # Memory was short; or the model resizes the pictures, and theirs is not the size that counts.
        if self.chunk_frames < CHUNK_FRAMES or self.model.resize is None:
            return self.chunk_frames
        return frames_at_once(pixels.shape[1], self.model.device.type)  # squares, as `Resize` makes them

    def _shrink_batch(self, batch_size: int) -> None:
        if batch_size < self.batch_size:
            self.batch_size = batch_size
            self._degrade(f"out of memory with a batch: going on with batches of {batch_size}")

    def _degrade(self, what: str) -> None:
        self.degraded.append(what)
        logger.warning("%s.", what)

    def _answer_batches(self, waiting: deque[Ready], *, least: int) -> Iterator[Result]:
        """Answer what waits, in batches of what is the batch size by then, as long as at least `least` wait.

        Takes them out of `waiting`: a video whose questions are answered is held by nobody.
        """
        while waiting and len(waiting) >= min(least, self.batch_size):
            batch = [waiting.popleft() for _ in range(min(self.batch_size, len(waiting)))]
            yield from self._answer_batch(batch, waiting)

    def _answer_batch(self, batch: list[Ready], waiting: deque[Ready]) -> Iterator[Result]:
        """Empties `batch`.

        A question that does not fit beside the other videos in hand waits until one of them may be gone. If
        it has waited for that before, it is put off: its own video makes room for the others.
        """
        parts = [batch[:]]
        batch.clear()
        while parts:
            part = parts.pop()
            results = self._results(part, beside=[*waiting, *(ready for other in parts for ready in other)])
            if results is None:
                _free(self.model.device)
                if len(part) == 1 and part[0].tried_at != self._room_made:
                    waiting.append(replace(part[0], tried_at=self._room_made))
                elif len(part) == 1:
                    self._put_off.append(part[0].question)
                    self._room_made += 1
                else:
                    # Some question of it failed: halves find out which, answer the others, and need less
                    # memory.
                    middle = -(-len(part) // 2)
                    parts += [part[middle:], part[:middle]]
            del part
            self._room_made += len(results or ())
            yield from results or ()

    def _results(self, batch: list[Ready], beside: Sequence[Ready]) -> list[Result] | None:
        """Of every question of the batch; None if it must be asked in halves, or one question later.

        Args:
            beside: the other questions in hand, which hold their videos.
        """
        try:
            generated = self.model.answer([ready.asked for ready in batch])
        except Exception as error:  # as above: one question's failure is recorded
            if ends_everything(error):
                raise
            if len(batch) == 1:
                others = any(other.shown.video is not batch[0].shown.video for other in beside)
                if is_out_of_memory(error) and others:
                    return None
                return list(_failures([batch[0].question], error))
            if is_out_of_memory(error):
                self._shrink_batch(-(-len(batch) // 2))
            else:
                logger.warning(
                    "a batch of %d failed, answering it in halves: %s", len(batch), _first_line(error)
                )
            return None
        return [to_answer(ready, result, len(batch)) for ready, result in zip(batch, generated, strict=True)]


def _texts(
    questions: Sequence[Question], times_s: Sequence[float]
) -> tuple[list[tuple[Question, str]], list[Failure]]:
    """The questions' words, which may depend on when the shown frames are; and those that have none."""
    texts, failures = [], []
    for question in questions:
        try:
            texts.append((question, question.text(times_s)))
        except Exception as error:  # its subtitles, say: recorded, not fatal
            failures += _failures([question], error)
    return texts, failures


def _failures(questions: Sequence[Question], error: Exception) -> list[Failure]:
    """The same for all of them; a defect of ours is logged with its traceback, once."""
    reason = f"{type(error).__name__}: {_first_line(error)}"
    if is_out_of_memory(error):
        return [Failure(question.key, FailureKind.OUT_OF_MEMORY, reason) for question in questions]
    names = ", ".join(str(question.key) for question in questions)
    if isinstance(error, SfEvalError):  # the data's fault, such as subtitles that cannot be read
        logger.warning("%s cannot be asked: %s", names, reason)
    else:
        logger.error("%s failed in the model.", names, exc_info=error)
    return [Failure(question.key, FailureKind.MODEL_ERROR, reason) for question in questions]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
