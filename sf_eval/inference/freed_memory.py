"""Memory that tensors on the CPU gave back, kept for the next ones.

A tower's tensors are some megabytes each. glibc gives such pieces back to the kernel as soon as they are
free, and the kernel clears every page anew when the next one is written to.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of glibc's malloc.h
_PIECE_BYTES = 32 << 20  # the largest that glibc allows; larger ones go back to the kernel at once
_KEPT_BYTES = 256 << 20


def keep_freed_memory() -> None:
    """Let this process keep up to 256 MB that it has freed. Nothing where malloc is not glibc's, or the user
    has set it up."""
    if any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ):
        return
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _PIECE_BYTES)
        mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
