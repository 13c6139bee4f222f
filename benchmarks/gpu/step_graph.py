"""Decoding at 128 frames: plain, with CUDA graphs, and with graphs over compiled norms and MLPs.

The floor is the time to read each weight once; the goal is 1.3 times that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.graphs import GraphDecoder, compile_small_kernels
from benchmarks.gpu.report import Row
from benchmarks.gpu.workload import Workload, build, repeated
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.stopwatch import Samples

_FRAMES = 128
_STEPS = 16
_GOAL = 1.3


_TITLES = {
    "plain": "plain, keys and values written in place",
    "graph": "CUDA graphs",
    "compiled": "CUDA graphs, norms and MLPs compiled",
}


@dataclass(frozen=True)
class _Start:
    """Where decoding begins: the prefill's token and its cache, which stays as it is."""

    first: torch.Tensor
    cache: Any

    def fork(self) -> Any:
        """A cache that goes on from there, with room for all steps."""
        return self.cache.fork(1, room=_STEPS)


def run(book: Book) -> None:
    device = torch.device(book.setup.device)
    work = build(book.setup.dry, device)
    floor = work.weight_bytes() / hardware.measure_peak(device, work.dtype).measured_bytes
    book.put("floor_s", floor)
    book.row(Row("graph.floor", "weights that a decoding step reads / measured bandwidth", floor, "s"))
    with torch.no_grad(), work.set_to(work.slow_fast):
        start = _prefilled(work)
        plain = _tokens(work, start)
        book.put("plain_repeats_itself", bool(torch.equal(plain, _tokens(work, start))))
        seconds, _ = repeated(work, partial(_tokens, work, start), at_most=3, budget_s=4.0)
        _book(book, "plain", seconds, floor)
        if device.type != "cuda":
            for name in ("graph", "compiled"):
                book.row(_absent(name, "CUDA graphs need a CUDA device"))
            return
        problems = [_captured(book, work, start, plain, floor, name) for name in ("graph", "compiled")]
    if any(problems):
        raise StepError("; ".join(filter(None, problems)))


def _prefilled(work: Workload) -> _Start:
    features = work.random_features(work.slow_fast, _FRAMES)
    return _Start(*work.prefill(features))


def _step(work: Workload, token: torch.Tensor, cache: Any) -> torch.Tensor:
    return work.decode_tokens(token, cache, 1)


def _tokens(work: Workload, start: _Start) -> torch.Tensor:
    """The tokens of all steps [steps, B, 1], step by step."""
    cache, tokens = start.fork(), [start.first]
    for _ in range(_STEPS):
        tokens.append(_step(work, tokens[-1], cache))
    return torch.stack(tokens[1:])


def _captured(book: Book, work: Workload, start: _Start, plain: torch.Tensor, floor: float, name: str) -> str:
    """Book one way of capturing; what went wrong, or ""."""
    try:
        if name == "compiled":
            compile_small_kernels(work.model)
        decoder = GraphDecoder(partial(_step, work), start.fork, start.first, _STEPS)
        tokens = decoder.decode().clone()
        seconds, _ = repeated(work, decoder.decode, at_most=20, budget_s=4.0)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        book.row(_absent(name, reason))
        return f"{_TITLES[name]} could not be captured"
    equal = int((tokens == plain).all(dim=(1, 2)).sum())
    _book(book, name, seconds, floor, f"{equal} of {_STEPS} tokens equal plain decoding's")
    return ""


def _book(book: Book, name: str, seconds: Samples, floor: float, equal: str = "") -> None:
    tpot, title = Samples(tuple(value / _STEPS for value in seconds.values)), _TITLES[name]
    book.put(name, {"tpot": tpot.to_json(), "times_floor": tpot.median / floor, "equal": equal})
    note = "; ".join(filter(None, (f"{1 / tpot.median:.0f} tokens/s", equal)))
    what = f"slow-fast, {_FRAMES} frames: TPOT, {title}"
    book.row(Row(f"graph.{name}.tpot", what, tpot.median, "s", len(tpot.values), note=note))
    goal = None if name == "plain" else _GOAL
    what = f"TPOT at {_FRAMES} frames over weights / bandwidth, {title}"
    book.row(Row(f"graph.{name}.ratio", what, tpot.median / floor, "x", at_most=goal))


def _absent(name: str, why: str) -> Row:
    what = f"TPOT at {_FRAMES} frames over weights / bandwidth, {_TITLES[name]}"
    return Row(f"graph.{name}.ratio", what, None, "x", at_most=_GOAL, note=f"not available: {why}")
