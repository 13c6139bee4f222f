"""How many frames self-attention only holds in memory, apart from the context it was trained for.

The keys and values of all layers are held and one decoder layer is run: what a whole prefill holds in its
last layer, in a fraction of its time. The number found is then tried with all layers, if the time lasts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row
from benchmarks.gpu.search import largest
from benchmarks.gpu.table import shown
from benchmarks.gpu.workload import Workload, build, give_back_memory
from sf_eval.inference.device import is_out_of_memory
from sf_eval.model import VideoFeatures
from sf_eval.profiler.measured.stopwatch import timed

_START, _STEP, _MOST = 2048, 64, 1 << 15
_TRAINED_CONTEXT = 32768
_DRY_START, _DRY_STEP, _DRY_HOLDS = 16, 8, 40
_RATE = 250e12  # FLOP/s that a whole prefill is taken to reach, to see whether the time lasts for it


def run(book: Book) -> None:
    dry, device = book.setup.dry, torch.device(book.setup.device)
    work = build(dry, device)
    start, step = (_DRY_START, _DRY_STEP) if dry else (_START, _STEP)
    with torch.inference_mode(), work.set_to(work.baseline):
        if dry:  # a CPU's memory is not to be filled for a rehearsal
            work.model.register_forward_pre_hook(_small_memory, with_kwargs=True)
        _prefill(work, 2 * step, layers=1)  # kernels are loaded, handles made

        found = largest(
            lambda frames: _holds(work, frames, layers=1),
            start, step=step, most=_MOST, may_go_on=lambda: book.seconds_left > 10,
        )  # fmt: skip
        book.put("found", {"fits": found.fits, "fails": found.fails, "trials": found.trials})
        whole = _whole(book, work, found.fits)
    per_frame = work.counted(work.baseline, 16).fast_tokens // 16
    note = (
        f"{(found.fits or 0) * per_frame} tokens; the next one tried, {found.fails}, does not fit; {whole}. "
        f"The trained context of {_TRAINED_CONTEXT} tokens ends at {_TRAINED_CONTEXT // per_frame} frames"
    )
    if dry:
        note = f"an emulated limit of {_DRY_HOLDS} frames; " + note
    value = None if found.fits is None else float(found.fits)
    what = "most frames that self-attention only holds in memory"
    book.row(Row("limit.self_attention", what, value, "frames", note=note))


def _whole(book: Book, work: Workload, frames: int | None) -> str:
    """Try all layers at what was found; what came of it, in words."""
    if frames is None:
        return "nothing fits"
    expected = work.counted(work.baseline, frames).prefill_flops / _RATE
    if expected > book.seconds_left - 3:
        return f"not tried with all layers, which would take about {expected:.0f} s"
    seconds = _seconds(work, frames, layers=work.model.config.num_hidden_layers)
    book.put("whole_prefill", {"frames": frames, "seconds": seconds})
    return (
        "with all layers it does not fit"
        if seconds is None
        else f"with all layers it takes {shown(seconds, 's')}"
    )


def _holds(work: Workload, frames: int, *, layers: int) -> bool:
    return _seconds(work, frames, layers=layers) is not None


def _seconds(work: Workload, frames: int, *, layers: int) -> float | None:
    """Seconds of a prefill; None where memory runs out."""
    seconds = None
    try:
        seconds = _prefill(work, frames, layers=layers)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
    give_back_memory(work.device)  # outside of the handler, which keeps the failed call's tensors alive
    return seconds


def _prefill(work: Workload, frames: int, *, layers: int) -> float:
    """Seconds of a prefill by the first `layers` layers, the others' keys and values held beside it.

    Raises:
        torch.OutOfMemoryError: it does not fit.
    """
    row, config = work.counted(work.baseline, frames), work.model.config
    others = row.kv_cache_bytes * (config.num_hidden_layers - layers) // config.num_hidden_layers
    held = torch.empty(others, dtype=torch.uint8, device=work.device)
    tokens = torch.randn(row.fast_tokens, config.hidden_size, device=work.device, dtype=work.dtype)
    features = VideoFeatures(fast_tokens=tokens, slow_tokens=tokens, num_frames=frames)
    with _first_layers(work, layers):
        seconds, _ = timed(lambda: work.prefill(features), work.device)
    del held
    return seconds


@contextmanager
def _first_layers(work: Workload, layers: int) -> Iterator[None]:
    """Let the model run its first `layers` decoder layers only."""
    config = work.model.config
    before = config.num_hidden_layers
    config.num_hidden_layers = layers
    try:
        yield
    finally:
        config.num_hidden_layers = before


def _small_memory(_model: torch.nn.Module, _args: object, kwargs: dict[str, object]) -> None:
    """Emulates a GPU that holds so many frames: for the rehearsal alone."""
    features = kwargs.get("video_features")
    if isinstance(features, list) and features and features[0].num_frames > _DRY_HOLDS:
        raise torch.OutOfMemoryError("CUDA out of memory (emulated by the rehearsal)")
