"""The process that decodes for a `ClipLoader`: it can hang or crash without taking the run along.

It reads requests from its standard input and answers on what was its standard output (`wire`). It ends
when its input ends, when its parent dies, and when a request takes far longer than its time limit, even
while a decoder holds Python's lock: then only the kernel can end it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any, BinaryIO

from sf_eval.core.errors import UsageError
from sf_eval.video import wire
from sf_eval.video.errors import VideoError
from sf_eval.video.reading import check, load_clip, plan_frames
from sf_eval.video.types import SamplingRule

_PR_SET_PDEATHSIG = 1
_GRACE_S = 30.0  # the parent kills us first, if it is there


def main(parent_pid: int) -> int:
    """Serve until the input ends."""
    requests, answers = _take_over_streams()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _die_with_parent(parent_pid)
    wire.send(answers, {"ready": True})
    while (request := _read_request(requests)) is not None:
        wire.send(answers, {"taken": True})
        signal.setitimer(signal.ITIMER_REAL, request["timeout_s"] + _GRACE_S)
        _answer(request, answers)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return 0


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    try:
        rule, options = SamplingRule(**request["rule"]), wire.options_from_json(request["options"])
        clip, backend = wire.clip_from_json(request["clip"]), request["backend"]
        if request["do"] == "load":
            frames = load_clip(clip, rule, backend=backend, options=options)
            wire.send(answers, wire.frames_to_json(frames), frames.pixels)
        elif request["do"] == "plan":
            plan = plan_frames(clip, rule, options=options)
            wire.send(answers, {"plan": wire.plan_to_json(plan)})
        else:
            indices = rule if request["indices"] == "rule" else request["indices"]
            info = check(clip.path, indices, backend=backend, fps=clip.fps, options=options)
            wire.send(answers, {"info": wire.info_to_json(info)})
    except (VideoError, UsageError) as error:
        wire.send(answers, wire.error_to_json(error))
    except BrokenPipeError:
        raise
    except Exception:
        wire.send(answers, {"defect": traceback.format_exc()})


def _read_request(stream: BinaryIO) -> dict[str, Any] | None:
    length = stream.read(wire.LENGTH.size)
    if len(length) < wire.LENGTH.size:
        return None
    request: dict[str, Any] = json.loads(stream.read(wire.LENGTH.unpack(length)[0]))
    return request


def _take_over_streams() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes to ourselves: what a decoder prints must not get between the messages."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, answers


def _die_with_parent(parent_pid: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it died before the kernel was told
        os._exit(1)
