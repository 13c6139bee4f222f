"""The steps, in the order of what is missed most when the time runs out before the end."""

from __future__ import annotations

from dataclasses import dataclass

TOTAL_S = 470.0
"""A whole run, less the shell's own start: at most 8 minutes."""


@dataclass(frozen=True)
class Step:
    """One measurement.

    Attributes:
        module: has a function `run(book)`.
        limit_s: it is killed after so many seconds; the others still run.
    """

    name: str
    title: str
    module: str
    limit_s: float


STEPS = tuple(
    Step(name, title, f"benchmarks.gpu.step_{name}", limit_s)
    for name, title, limit_s in (
        ("machine", "The device, the libraries, and what the device reaches at best", 20),
        ("verify", "Recorded cases of the published code", 40),
        ("answers", "The mini model's answers against the CPU's", 30),
        ("engine", "The engine's gains on and off: `sf-eval verify --engine`", 45),
        ("throughput", "The 7B shape: a straightforward loop against the engine", 70),
        ("shape", "The 7B shape, stage by stage", 85),
        ("graph", "Decoding with CUDA graphs", 45),
        ("profile", "The documented `sf-eval profile --measure`", 75),
        ("memory", "Out of memory on purpose, and the forecast against the peak", 30),
        ("limit", "The most frames that self-attention only holds in memory", 30),
    )
)
