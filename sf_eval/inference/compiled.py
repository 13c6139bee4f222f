"""The vision tower and every decoder layer of a model, compiled: all of them, or an error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed, TorchDynamoException
from torch._inductor.exc import InductorError

from sf_eval.core.errors import UsageError
from sf_eval.inference.family import TOWER, Asked, Postponing, VideoModel
from sf_eval.video import ClipPlan, VideoInfo


@dataclass
class Compiled:
    """What torch.compile made of a model.

    Attributes:
        graphs: compiled graphs of each part; every part has at least one once it has run.
    """

    parts: tuple[str, ...]
    graphs: Counter[str] = field(default_factory=Counter)

    @property
    def layers(self) -> int:
        """Decoder layers that run compiled."""
        return sum(self.graphs[part] > 0 for part in self.parts if part != TOWER)

    def check(self) -> None:
        """Hold it to its word, once every stage has run.

        Raises:
            UsageError: a part was never compiled, for torch.compile is switched off here.
        """
        if left := [part for part in self.parts if not self.graphs[part]]:
            raise UsageError(
                f"--compile: torch.compile left {len(left)} of {len(self.parts)} parts as they are "
                f"({left[0]} first).",
                hint="Unset TORCH_COMPILE_DISABLE and TORCHDYNAMO_DISABLE, or leave --compile out.",
            )


_GRAPHS_PER_PART = 256
"""More than any run needs: prefill and decoding, with and without padding, at sizes that change."""


@contextmanager
def compiled_model(model: VideoModel, *, share: bool = True, backend: str = "inductor") -> Iterator[Compiled]:
    """A model of any family, compiled inside of the block and tried out once.

    Compiling is done, or has failed, before anything is asked: an error in the midst of a run would be taken
    for one of its questions.

    Args:
        share: whether the questions of a video share its prefix (`Engine`); otherwise whole prompts are
            tried out.

    Raises:
        UsageError: it cannot be compiled here, or its family has nothing to compile.
    """
    parts = getattr(model, "parts_to_compile", None)
    if not parts:
        raise UsageError("--compile: this kind of model cannot be compiled.", hint="Leave --compile out.")
    with _prefixes_at_once(model), compiled(parts, backend=backend) as done:
        _try_out(model, share=share)
        done.check()
        yield done


@contextmanager
def _prefixes_at_once(model: VideoModel) -> Iterator[None]:
    """Inside, none is left to a later batch: passes over several would be compiled in the midst of a run."""
    if not isinstance(model, Postponing):
        yield
        return
    before, model.postpones = model.postpones, False
    try:
        yield
    finally:
        model.postpones = before


def _try_out(model: VideoModel, *, share: bool) -> None:
    """Every kind of call, twice: torch makes a size variable when it meets its second value."""
    side = 224 if model.resize is None else model.resize.size
    for frames in (2, 3):
        shown = ClipPlan(
            VideoInfo(Path("trial"), frames, 1.0, float(frames), side, side, "trial"),
            tuple(range(frames)),
            tuple(map(float, range(frames))),
        )
        pixels = torch.zeros(frames, side, side, 3, dtype=torch.uint8, device=model.device)
        video = model.encode(pixels, shown, chunk_frames=frames)
        for asked_about in (video, None):  # a question without a video is another shape of prompt
            for said in ("", "What is said. " * 4 * frames):  # and so is a prefix that ends in shared text
                texts = (f"{said}Is it?", f"{said}Or is it not?")
                prefixes = model.prefixes(asked_about, texts) if share else [None, None]
                model.answer(
                    [Asked(text, asked_about, one, 3) for text, one in zip(texts, prefixes, strict=True)]
                )


@contextmanager
def compiled(
    parts: Mapping[str, torch.nn.Module], *, backend: str | Callable[..., Any] = "inductor"
) -> Iterator[Compiled]:
    """Every part compiled inside of the block; the first calls then take long.

    Args:
        parts: modules by name, none inside of another: `VideoModel.parts_to_compile`.

    Dynamo keeps its graphs with a function's code, which all layers share, and gives up on a code with more
    than 8 of them (`recompile_limit`): from the ninth layer on everything would silently run uncompiled. So
    each part gets a copy of its forward's code. `fullgraph` makes an error of whatever cannot be compiled: a
    part runs compiled or not at all.

    Raises:
        UsageError: from inside the block, where this machine cannot compile it.
    """
    done = Compiled(tuple(parts))
    limits = torch._dynamo.config.patch(
        recompile_limit=_GRAPHS_PER_PART, accumulated_recompile_limit=_GRAPHS_PER_PART * len(parts)
    )
    try:
        with limits:
            for name, module in parts.items():
                counted = _counting(done.graphs, name, backend)
                own = _forward_of_its_own(module, name)
                module.forward = torch.compile(own, fullgraph=True, backend=counted)
            yield done
    except (TorchDynamoException, InductorError) as error:
        raise UsageError(f"--compile: {_reason(error)}", hint="Leave --compile out.") from error
    finally:
        for module in parts.values():
            vars(module).pop("forward", None)


def _reason(error: Exception) -> str:
    """The first line of what went wrong; the compiler's own error is wrapped in one that names it alone."""
    cause = error.inner_exception if isinstance(error, BackendCompilerFailed) else error
    lines = (line.strip() for line in str(cause).splitlines())
    return next(filter(None, lines), type(cause).__name__)


def _forward_of_its_own(module: torch.nn.Module, name: str) -> Callable[..., Any]:
    """The class's `forward`, bound, with a code object that no other module shares."""
    shared: Any = type(module).forward
    code = shared.__code__.replace(co_name=f"{shared.__code__.co_name} of {name}")
    copy = FunctionType(code, shared.__globals__, shared.__name__, shared.__defaults__, shared.__closure__)
    copy.__kwdefaults__ = shared.__kwdefaults__
    return MethodType(copy, module)


def _counting(graphs: Counter[str], part: str, backend: str | Callable[..., Any]) -> Callable[..., Any]:
    """The backend, counting the graphs that it compiles for one part."""
    compile_graph = torch._dynamo.lookup_backend(backend)

    def compile_and_count(graph: Any, inputs: Any) -> Any:
        graphs[part] += 1
        return compile_graph(graph, inputs)

    return compile_and_count
