"""`ClipLoader`: clips decoded where decoding can be stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize
from sf_eval.video import wire
from sf_eval.video.backends import check_backend
from sf_eval.video.errors import VideoError, VideoErrorReason, WorkerStartError
from sf_eval.video.process import WorkerDiedError, WorkerGoneError, WorkerProcess, WorkerTimeoutError
from sf_eval.video.reading import check, load_clip, plan_frames
from sf_eval.video.types import Clip, ClipPlan, DecodeOptions, Frames, SamplingRule, VideoInfo

_LONGEST_TIMEOUT_S = 1_000_000.0  # what the kernel's timers take without overflow, and more than anyone waits
_ATTEMPTS = 3  # to find a worker that lives long enough to be asked


class LoaderClosedError(RuntimeError):
    """The loader was closed, before or while it was asked for a clip."""


class ClipLoader:
    """Decodes clips in a worker process that is killed if it hangs, and replaced if it crashes.

    The worker starts with the first clip and serves all others. May be used from several threads (one clip
    at a time) and from scripts without an `if __name__ == "__main__"` guard.

    Args:
        rule: which frames to take of every clip.
        backend: one of `available_backends()`.
        timeout_s: limit for one clip in seconds of wall-clock time, probing and decoding together.
        in_process: decode in this process: then nothing can be stopped and `timeout_s` has no effect.
        seek: reach frames by seeking where that gives the same pictures (pyav only).
        threads: of FFmpeg; None is as many as there are cores.
        resize: carried out where the clip is decoded, so that full-size pictures do not cross the pipe.

    Attributes:
        room: gives the memory that a worker's pictures are read into.

    Raises:
        UsageError: the backend is unknown or not installed, the timeout is not positive, or there are no
            threads.
    """

    def __init__(
        self,
        rule: SamplingRule,
        *,
        backend: str = "pyav",
        timeout_s: float = 600.0,
        in_process: bool = False,
        seek: bool = True,
        threads: int | None = None,
        resize: Resize | None = None,
    ) -> None:
        check_backend(backend)
        if not timeout_s > 0:
            raise UsageError(
                f"a timeout of {timeout_s} s leaves no time to decode.", hint="Give more than 0."
            )
        self.rule = rule
        self.backend = backend
        self.timeout_s = min(timeout_s, _LONGEST_TIMEOUT_S)
        self.in_process = in_process
        self.options = DecodeOptions(seek=seek, threads=threads, resize=resize)
        self.room: wire.PixelRoom = wire.ordinary_room
        self._worker: WorkerProcess | None = None
        self._closed = False
        self._unplanned: dict[Clip, VideoError] = {}
        self._turn = threading.Lock()  # held during an exchange: one clip at a time
        self._state = threading.Lock()  # guards _worker and _closed; held only for a moment

    def load(self, clip: Clip) -> Frames:
        """The frames of `clip`.

        Raises:
            VideoError: what is wrong with the clip; `timeout` or `crashed` if the decoder hung or died on it.
                What `plan` said of the clip before, at once.
            LoaderClosedError: after, or because of, `close`.
        """
        if known := self._unplanned.get(clip):
            raise known
        if self.in_process:
            self._refuse_if_closed()
            return load_clip(clip, self.rule, backend=self.backend, options=self.options)
        header, pixels = self._ask(clip, {"do": "load"})
        assert pixels is not None
        return wire.frames_from_json(header, pixels)

    def plan(self, clip: Clip) -> ClipPlan:
        """Which frames `load` gives and when they are shown, with the same protection.

        Raises:
            VideoError: as `load`. A clip that cannot be planned is not tried again.
        """
        if known := self._unplanned.get(clip):
            raise known
        try:
            if self.in_process:
                self._refuse_if_closed()
                return plan_frames(clip, self.rule, options=self.options)
            header, _ = self._ask(clip, {"do": "plan"})
        except VideoError as error:
            self._unplanned[clip] = error
            raise
        return wire.plan_from_json(header["plan"])

    def check(
        self, clip: Clip, indices: Sequence[int] | Literal["ends", "full", "rule"] = "ends"
    ) -> VideoInfo:
        """`sf_eval.video.check` of the clip's file, with the same protection as `load`; raises the same.

        "rule": the frames that the loader's own rule takes of the whole file.
        """
        if self.in_process:
            self._refuse_if_closed()
            wanted = self.rule if indices == "rule" else indices
            return check(clip.path, wanted, backend=self.backend, fps=clip.fps, options=self.options)
        request = {"do": "check", "indices": indices if isinstance(indices, str) else list(indices)}
        header, _ = self._ask(clip, request)
        return wire.info_from_json(header["info"])

    def close(self) -> None:
        """End the worker, also in the middle of a clip. Can be called twice and from any thread."""
        with self._state:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.signal_end()
        with self._turn:  # a thread in the middle of a clip lets go of the pipes first
            worker.end()

    def __enter__(self) -> ClipLoader:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def worker_pid(self) -> int | None:
        """Process id of the worker, None if there is none."""
        with self._state:
            return self._worker.process.pid if self._worker is not None else None

    def _ask(self, clip: Clip, request: dict[str, Any]) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
        request |= {
            "clip": wire.clip_to_json(clip),
            "rule": wire.rule_to_json(self.rule),
            "options": wire.options_to_json(self.options),
            "backend": self.backend,
            "timeout_s": self.timeout_s,
        }
        with self._turn:
            header, pixels = self._exchange(clip, request)
        wire.raise_error(header)
        return header, pixels

    def _exchange(
        self, clip: Clip, request: dict[str, Any]
    ) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
        for _ in range(_ATTEMPTS):
            worker = self._running_worker()
            try:
                return worker.exchange(request, self.timeout_s, room=self.room)
            except WorkerGoneError:
                self._drop(worker)
            except WorkerTimeoutError:
                self._drop(worker)
                detail = f"it was not decoded within {self.timeout_s:g} s"
                raise VideoError(clip.path, VideoErrorReason.timeout, detail) from None
            except WorkerDiedError:
                self._drop(worker)
                detail = f"the decoder died on it ({worker.last_words()})"
                raise VideoError(clip.path, VideoErrorReason.crashed, detail) from None
            except BaseException:  # Ctrl-C too: the worker's next answer would be this clip's
                self._drop(worker)
                raise
        raise WorkerStartError(f"{_ATTEMPTS} video workers were killed from outside before they could decode")

    def _running_worker(self) -> WorkerProcess:
        """The worker; a new one if there is none or if it died while idle."""
        with self._state:
            if self._closed:
                raise LoaderClosedError("the clip loader is closed")
            if self._worker is not None and self._worker.process.poll() is not None:
                self._worker.end()
                self._worker = None
            if self._worker is None:
                self._worker = WorkerProcess()
            return self._worker

    def _drop(self, worker: WorkerProcess) -> None:
        """End a worker that is out of step; the next clip gets a new one."""
        worker.end()
        with self._state:
            self._worker = None
            if self._closed:
                raise LoaderClosedError("the clip loader was closed while it decoded")

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise LoaderClosedError("the clip loader is closed")
