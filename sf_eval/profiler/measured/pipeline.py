"""The stages of answering, each a function of the one before, over the real model.

The same weights serve slow-fast and its self-attention-only baseline: they differ in configuration keys that
the model reads at each call, and latency does not depend on the weights' values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch._dynamo.exc import TorchDynamoException
from torch._inductor.exc import InductorError

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.checkpoint import checked_attention
from sf_eval.model.loading import load_model
from sf_eval.model.preprocess import CLIP_MEAN, CLIP_STD, centre_square
from sf_eval.profiler.rows import Subject
from sf_eval.video import Clip, SamplingRule, load_clip

_FAST_PATH_KEYS = (
    "slow_path",
    "fast_token_temporal_sampling_stride",
    "fast_token_temporal_stride",
    "fast_token_spatial_stride",
    "min_fast_frames",
)


@dataclass(frozen=True)
class Ask:
    """One thing to measure: a subject at a number of frames in a batch of equal samples.

    Attributes:
        video: the clip; None where nothing can decode one.
        prompt_tokens: text tokens, the chat markup included.
        before_video: how many of them stand before the video.
        decode_slow_attention: whether decoding steps attend to slow tokens.
    """

    subject: Subject
    frames: int
    batch_size: int
    prompt_tokens: int
    new_tokens: int
    video: Path | None
    before_video: int = 0
    decode_slow_attention: bool = True


def make_model(
    config: dict[str, Any], device: torch.device, dtype: torch.dtype, attn: str
) -> SlowFastForConditionalGeneration:
    """The full size with seeded random weights, made on the device itself."""
    made = SlowFastConfig(**config)
    made._attn_implementation = checked_attention(attn)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = SlowFastForConditionalGeneration(made)
    finally:
        torch.set_default_dtype(before)
    model.eval()
    return model


def load(
    card: ModelCard, device: torch.device, dtype: torch.dtype, attn: str
) -> SlowFastForConditionalGeneration:
    """The card's weights.

    Raises:
        CheckpointError: there are none here; the hint names `--random-weights`.
    """
    try:
        return load_model(card, device=device, dtype=dtype, attn=attn).model
    except CheckpointError as error:
        raise CheckpointError(
            error.message, hint="Latency does not need them: add --random-weights."
        ) from error


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
        return sum(self.graphs[part] > 0 for part in self.parts if part != _TOWER)

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


_TOWER = "vision tower"
_GRAPHS_PER_PART = 256
"""More than any measurement needs: prefill and decoding of every subject and batch size."""


@contextmanager
def compiled_parts(
    model: SlowFastForConditionalGeneration, *, backend: str = "inductor"
) -> Iterator[Compiled]:
    """The tower and every decoder layer compiled inside of the block; the first calls then take long.

    Dynamo keeps its graphs with a function's code, which all layers share, and gives up on a code with more
    than 8 of them (`recompile_limit`): from the ninth layer on everything would silently run uncompiled. So
    each part gets a copy of its forward's code. `fullgraph` makes an error of whatever cannot be compiled: a
    part runs compiled or not at all.

    Raises:
        UsageError: from inside the block, where this machine cannot compile it.
    """
    layers = {f"decoder layer {index}": layer for index, layer in enumerate(model.model.layers)}
    parts = {_TOWER: model.model.vision_tower, **layers}
    compiled = Compiled(tuple(parts))
    limits = torch._dynamo.config.patch(
        recompile_limit=_GRAPHS_PER_PART, accumulated_recompile_limit=_GRAPHS_PER_PART * len(parts)
    )
    try:
        with limits:
            for name, module in parts.items():
                counted = _counting(compiled.graphs, name, backend)
                own = _forward_of_its_own(module, name)
                module.forward = torch.compile(own, fullgraph=True, backend=counted)
            yield compiled
    except (TorchDynamoException, InductorError) as error:
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UsageError(f"--compile: {reason.strip()}", hint="Leave --compile out.") from error
    finally:
        for module in parts.values():
            vars(module).pop("forward", None)


def _forward_of_its_own(module: torch.nn.Module, name: str) -> Callable[..., Any]:
    """The class's `forward`, bound, with a code object that no other module shares."""
    shared: Any = type(module).forward
    code = shared.__code__.replace(co_name=f"{shared.__code__.co_name} of {name}")
    copy = FunctionType(code, shared.__globals__, shared.__name__, shared.__defaults__, shared.__closure__)
    copy.__kwdefaults__ = shared.__kwdefaults__
    return MethodType(copy, module)


def _counting(graphs: Counter[str], part: str, backend: str) -> Callable[..., Any]:
    """The backend, counting the graphs that it compiles for one part."""
    compile_graph = torch._dynamo.lookup_backend(backend)

    def compile_and_count(graph: Any, inputs: Any) -> Any:
        graphs[part] += 1
        return compile_graph(graph, inputs)

    return compile_and_count


class Pipeline:
    """The stages, with the model set to one subject's configuration."""

    def __init__(self, model: SlowFastForConditionalGeneration, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.dtype = model.lm_head.weight.dtype
        self.side = int(model.config.vision_config.image_size)

    @contextmanager
    def set_to(self, ask: Ask) -> Iterator[None]:
        """Give the model the fast and slow path of the ask's subject; put its own back afterwards.

        Raises:
            UsageError: the subject is not of the model's size.
        """
        config, subject = self.model.config, ask.subject
        if not same_size(subject, config.to_dict()):
            raise UsageError(f"{subject.name} has another size: it cannot be measured with the same weights.")
        before = {key: getattr(config, key) for key in (*_FAST_PATH_KEYS, "decode_slow_attention")}
        try:
            for key in _FAST_PATH_KEYS:
                setattr(config, key, subject.config.get(key, before[key]))
            config.decode_slow_attention = ask.decode_slow_attention
            yield
        finally:
            for key, value in before.items():
                setattr(config, key, value)

    def decode(self, ask: Ask) -> list[np.ndarray]:
        """uint8 [T, H, W, 3] a sample."""
        assert ask.video is not None
        rule = SamplingRule(kind="uniform", num_frames=ask.frames)
        return [load_clip(Clip(path=ask.video), rule).pixels for _ in range(ask.batch_size)]

    def resize(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """uint8 [T, S, S, 3] a sample, as the published preprocessing does it, on the CPU."""
        return [np.stack([centre_square(frame, self.side) for frame in video]) for video in frames]

    def upload(self, squares: list[np.ndarray]) -> list[torch.Tensor]:
        """Bytes to the device and normalised there: [T, 3, S, S] a sample."""
        mean = torch.tensor(CLIP_MEAN, device=self.device).view(3, 1, 1)
        std = torch.tensor(CLIP_STD, device=self.device).view(3, 1, 1)
        pixels = []
        for video in squares:
            on_device = torch.from_numpy(video).to(self.device).permute(0, 3, 1, 2).float() / 255
            pixels.append(((on_device - mean) / std).to(self.dtype))
        return pixels

    def vision(self, pixels: list[torch.Tensor]) -> list[Any]:
        """Tower, projector and pooling: features a sample."""
        return [self.model.encode_video(video) for video in pixels]

    def prompt(self, ask: Ask) -> torch.Tensor:
        """Ids [B, text + 1], the placeholder after the chat markup; on the CPU, where it is looked for."""
        before = ask.before_video
        ids = torch.arange(ask.prompt_tokens) % min(1000, self.model.config.vocab_size)
        place = torch.tensor([VIDEO_TOKEN_ID])
        return torch.cat([ids[:before], place, ids[before:]]).repeat(ask.batch_size, 1)

    def prefill(self, ask: Ask, features: list[Any]) -> tuple[torch.Tensor, Any]:
        """The first new token [B, 1] and the cache."""
        output = self.model(
            input_ids=self.prompt(ask), video_features=features, use_cache=True, logits_to_keep=1
        )
        return output.logits[:, -1:].argmax(-1), output.past_key_values

    def decode_tokens(self, first: torch.Tensor, cache: Any, steps: int) -> torch.Tensor:
        """`steps` greedy steps; the last token [B, 1]."""
        token = first
        for _ in range(steps):
            output = self.model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = output.logits[:, -1:].argmax(-1)
        return token

    def first_token(self, ask: Ask, frames: list[np.ndarray] | None) -> torch.Tensor:
        """From the file (or from `frames` in memory) to the first token, without instruments."""
        decoded = self.decode(ask) if frames is None else frames
        first, _ = self.prefill(ask, self.vision(self.upload(self.resize(decoded))))
        return first

    def answer(self, ask: Ask, frames: list[np.ndarray] | None) -> torch.Tensor:
        """From the file (or from `frames` in memory) to the last token, by the model's own `generate`."""
        decoded = self.decode(ask) if frames is None else frames
        features = self.vision(self.upload(self.resize(decoded)))
        ids: torch.Tensor = self.model.generate(
            self.prompt(ask),
            video_features=features,
            max_new_tokens=ask.new_tokens,
            min_new_tokens=ask.new_tokens,
            do_sample=False,
        )
        return ids


def same_size(subject: Subject, config: dict[str, Any]) -> bool:
    """Whether the two differ at most in what the fast and slow path look at."""
    other = Subject("", "", {**config, **{key: subject.config.get(key) for key in _FAST_PATH_KEYS}}, 1)
    return subject.shape == other.shape
