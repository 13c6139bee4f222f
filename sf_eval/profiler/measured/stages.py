"""The names of what is measured."""

from __future__ import annotations

DECODE = "video decode"
RESIZE = "resize"
PIPE = "from the decoder's process"
UPLOAD = "upload"
VISION = "vision"
PREFILL = "prefill (TTFT from cached features)"
PREFIX = "prefill of the shared prefix"
QUESTIONS = "prefill of the questions (TTFT from a shared prefix)"
FIRST = "TTFT from file"
STEP = "new token (TPOT)"
WHOLE = "end to end"

STAGES = (DECODE, RESIZE, PIPE, UPLOAD, VISION, PREFILL, PREFIX, QUESTIONS, FIRST, STEP, WHOLE)
"""In the order of the work; `FIRST` and `WHOLE` are measured without instruments inside."""

FROM_FILE = (DECODE, PIPE, FIRST)
NOT_SHARED = (PREFILL,)
SHARED = (PREFIX, QUESTIONS)


def stages_of(*, shared: bool) -> tuple[str, ...]:
    """Those that a batch goes through, whose questions share a video or do not."""
    left_out = NOT_SHARED if shared else SHARED
    return tuple(stage for stage in STAGES if stage not in left_out)
