"""The task that decodes one clip, wherever it runs: loads no torch, since there may be hundreds of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from sf_eval.core.resize import Resize
from sf_eval.video import Clip, ClipLoader, Frames, LoaderClosedError, SamplingRule, WorkerStartError


@dataclass(frozen=True)
class DecodeSetup:
    """How clips are decoded, by whomever.

    Attributes:
        decoders: of each worker; None for as many as its machine can use, 0 for none ahead.
    """

    rule: SamplingRule
    backend: str
    timeout_s: float
    seek: bool
    decoders: int | None


def decoded(clip: Clip, setup: DecodeSetup, resize: Resize | None) -> tuple[Frames | Exception, bool]:
    """The task: the clip's pictures, or what they ended in; and that it is done.

    Raises:
        WorkerStartError: no decoder starts, and no other clip would fare better.
    """
    try:
        return _loader(setup, resize).load(clip), True
    except (WorkerStartError, LoaderClosedError):
        raise
    except Exception as error:  # whoever wants the pictures records it, as with decoders of its own
        return error, True


@lru_cache(maxsize=1)
def _loader(setup: DecodeSetup, resize: Resize | None) -> ClipLoader:
    """One a process: Ray asks the same process again."""
    return ClipLoader(
        setup.rule,
        backend=setup.backend,
        timeout_s=setup.timeout_s,
        seek=setup.seek,
        threads=1,
        resize=resize,
    )
