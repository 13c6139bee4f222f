"""Decoding at 128 frames: plain, with CUDA graphs, and with graphs over compiled norms and MLPs.

The floor is the time to read each weight once; the goal is 1.3 times that.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch

from benchmarks.gpu.book import Book, StepProblem
from benchmarks.gpu.graphs import GraphDecoder, make_room, rewind
from benchmarks.gpu.report import Row
from benchmarks.gpu.workload import Workload, build, repeated
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.pipeline import compile_layers
from sf_eval.profiler.measured.stopwatch import Samples

_FRAMES = 128
_STEPS = 16
_SPARE = 8
_GOAL = 1.3


def run(book: Book) -> None:
    device = torch.device(book.setup.device)
    work = build(book.setup.dry, device)
    bandwidth = hardware.measure_peak(device, work.dtype).measured_bytes
    floor = work.weight_bytes() / bandwidth
    book.put("floor_s", floor)
    book.row(Row("graph.floor", "weights that a decoding step reads / measured bandwidth", floor, "s"))
    with torch.no_grad(), work.pipeline.set_to(work.slow_fast):
        features = work.random_features(work.slow_fast, _FRAMES)
        first, cache = work.pipeline.prefill(work.ask(work.slow_fast, _FRAMES), [features])
        length = cache.get_seq_length()
        make_room(cache, _STEPS + _SPARE)
        plain = _tokens(work, cache, first, length)
        again = _tokens(work, cache, first, length)
        book.put("plain_repeats_itself", bool(torch.equal(plain, again)))
        seconds, _ = repeated(work, partial(_tokens, work, cache, first, length), at_most=3, budget_s=4.0)
        _book(book, "plain", "plain, keys and values written in place", seconds, floor, None)
        if device.type != "cuda":
            for name in ("graph", "compiled"):
                book.row(_absent(name, "CUDA graphs need a CUDA device"))
            return
        problems = [
            problem
            for name, compiled in (("graph", False), ("compiled", True))
            if (problem := _captured(book, work, cache, first, length, plain, floor, name, compiled))
        ]
    if problems:
        raise StepProblem("; ".join(problems))


def _step(work: Workload, cache: Any, token: torch.Tensor) -> torch.Tensor:
    return work.pipeline.decode_tokens(token, cache, 1)


def _tokens(work: Workload, cache: Any, first: torch.Tensor, length: int) -> torch.Tensor:
    """The tokens of all steps [steps, B, 1], step by step as `decode_tokens` does it."""
    rewind(cache, length)
    tokens = [first]
    for _ in range(_STEPS):
        tokens.append(_step(work, cache, tokens[-1]))
    return torch.stack(tokens[1:])


def _captured(
    book: Book, work: Workload, cache: Any, first: torch.Tensor, length: int, plain: torch.Tensor, floor: float,
    name: str, compiled: bool,
) -> str:  # fmt: skip
    """Book one way of capturing; what went wrong, or ""."""
    try:
        rewind(cache, length)
        if compiled:
            compile_layers(work.pipeline.model)
        decoder = GraphDecoder(partial(_step, work, cache), cache, first, _STEPS)
        tokens = decoder.decode().clone()
        seconds, _ = repeated(work, decoder.decode, at_most=20, budget_s=4.0)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        book.row(_absent(name, reason))
        return f"{name} could not be captured"
    equal = int((tokens == plain).all(dim=(1, 2)).sum())
    title = "CUDA graphs" + (", norms and MLPs compiled" if compiled else "")
    _book(book, name, title, seconds, floor, f"{equal} of {_STEPS} tokens equal plain decoding's")
    return ""


def _book(book: Book, name: str, title: str, seconds: Samples, floor: float, equal: str | None) -> None:
    tpot = Samples(tuple(value / _STEPS for value in seconds.values))
    book.put(name, {"tpot": tpot.to_json(), "times_floor": tpot.median / floor, "equal": equal})
    book.row(
        Row(f"graph.{name}.tpot", f"slow-fast, {_FRAMES} frames: TPOT, {title}", tpot.median, "s", len(tpot.values),
            note="; ".join(filter(None, (f"{1 / tpot.median:.0f} tokens/s", equal))))
    )  # fmt: skip
    goal = None if name == "plain" else _GOAL
    book.row(
        Row(
            f"graph.{name}.ratio",
            f"the same over the floor ({title})",
            tpot.median / floor,
            "x",
            at_most=goal,
        )
    )


def _absent(name: str, why: str) -> Row:
    title = "CUDA graphs" if name == "graph" else "CUDA graphs, norms and MLPs compiled"
    what = f"slow-fast, {_FRAMES} frames: TPOT, {title}: not available"
    return Row(f"graph.{name}.ratio", what, None, "x", at_most=_GOAL, note=why)
