"""Miniature editions of the benchmarks: the real format, synthetic videos, true answers (`--data mini`).

Nothing made from them may be taken for the real benchmark: `LABEL` goes on every table and file.
"""

from __future__ import annotations

from sf_eval.editions.cache import EDITIONS, LABEL, VERSION, mini_root

__all__ = ["EDITIONS", "LABEL", "VERSION", "mini_root"]
