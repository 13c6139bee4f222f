"""From a video's pictures to what a model of transformers is shown of it; what families do differently."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers.video_utils import VideoMetadata

from sf_eval.inference.families.options import Options
from sf_eval.inference.families.places import Run
from sf_eval.inference.families.prompts import Placeholder, PromptWriter
from sf_eval.model.attach.families import FAMILIES as LAYOUTS
from sf_eval.model.attach.families import Family as Layout
from sf_eval.model.attach.grids import Grid, VideoGrid
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.errors import PromptError
from sf_eval.video import ClipPlan, SamplingRule


@dataclass(frozen=True, eq=False)
class EncodedVideo:
    """A video that can be asked about.

    Attributes:
        fast: the tokens that stand in the prompt.
        slow: those that an attached model reads beside it; None where there is no such model.
        grid: of the tower's tokens, all: frames, height, width.
        placeholder: what stands for the video in a prompt.
        run_a_frame: whether each frame has a run of its own.
        interval: places under M-RoPE from one of its frames to the next.
    """

    fast: VideoGrid
    slow: VideoGrid | None
    grid: Grid
    placeholder: Placeholder
    run_a_frame: bool
    interval: float

    @property
    def tokens(self) -> int:
        """Of the tower, all."""
        frames, height, width = self.grid
        return frames * height * width

    def runs(self, starts: Sequence[int]) -> list[Run]:
        """Its runs of tokens in a prompt where they begin at `starts`."""
        frames, height, width = self.fast.grid
        if self.run_a_frame:
            return [Run(start, (1, height, width)) for start in starts]
        tail = 0 if self.fast.tail is None else len(self.fast.tail)
        return [Run(start, (frames, height, width), tail) for start in starts]


@dataclass(frozen=True, eq=False)
class Processed:
    """What a family's processor makes of a video.

    Attributes:
        pixels: what the tower takes, its first dimension being frames (of the tower's output) or their parts.
        rows: of `pixels` a frame.
        frames: of the tower's output.
        inputs: what else the tower takes.
        written: the processor's text for the video.
        seconds: between frames of the tower's output; 0 where no place depends on it.
    """

    pixels: torch.Tensor
    rows: int
    frames: int
    inputs: dict[str, Any]
    written: str
    seconds: float = 0.0


class VideoTraits(ABC):
    """What one family does in its own way.

    Attributes:
        model_type: what config.json calls it.
        rule_kind: which frames its processor takes; `least` of them, if the video has so many.
        frames_a_token: frames that the tower merges into one.
        options: names of a card's options.
    """

    model_type: str
    rule_kind: str
    least = 1
    frames_a_token = 1
    options: frozenset[str] = frozenset({"fast_tokens", "temporal_stride", "spatial_stride", "slow_path"})

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.model_type]

    def rule(self, num_frames: int, target_fps: float) -> SamplingRule:
        return SamplingRule(self.rule_kind, num_frames, target_fps, self.least)  # type: ignore[arg-type]

    @abstractmethod
    def process(self, processor: Any, pixels: torch.Tensor, shown: ClipPlan, options: Options) -> Processed:
        """Pictures uint8 [T, 3, H, W] through the family's processor; on the meta device, their sizes."""

    @abstractmethod
    def piece(self, inputs: dict[str, Any], pixels: torch.Tensor, frames: int) -> dict[str, Any]:
        """The tower's inputs for `frames` frames of it."""

    def grid(self, made: Processed, tokens: int) -> Grid:
        """Of a processed video's `tokens`, its tail left out: as the tower will make it. Squares."""
        side = math.isqrt(tokens // made.frames)
        return made.frames, side, side

    @abstractmethod
    def describe(self, processor: Any, options: Options) -> str:
        """One sentence on how frames are chosen and sized."""

    def interval(self, model: Any, seconds: float) -> float:
        """Places under M-RoPE that `seconds` are."""
        return 0.0


def encode_video(
    model: Any,
    processor: Any,
    writer: PromptWriter,
    traits: VideoTraits,
    pixels: torch.Tensor,
    shown: ClipPlan,
    *,
    options: Options,
    pooled: SlowPathSettings | None,
    keep_slow: bool,
    chunk_frames: int,
) -> EncodedVideo:
    """Process, encode in chunks, pool.

    Args:
        pixels: uint8 [T, H, W, 3].
        pooled: how the tokens in the prompt are pooled; None: not.
        keep_slow: keep the tower's own tokens too.

    Raises:
        PromptError: the processor's text and the tower's tokens do not belong together.
    """
    made = traits.process(processor, pixels.permute(0, 3, 1, 2), shown, options)
    step = max(chunk_frames // traits.frames_a_token, 1)
    whole = _joined(list(_pieces(model, traits, made, step)))
    fast = whole if pooled is None else whole.pooled(pooled)
    stride = 1 if pooled is None else min(pooled.temporal_stride, whole.grid[0])
    frames, height, width = whole.grid
    tail = traits.layout.tail
    written = writer.collapsed(made.written)
    if sum(written.runs) != frames * height * width + tail:
        raise PromptError(
            f"the processor writes {sum(written.runs)} tokens for a video of which the tower makes "
            f"{frames * height * width + tail}."
        )
    return EncodedVideo(
        fast=fast,
        slow=VideoGrid(whole.tokens, tail=whole.tail) if keep_slow else None,
        grid=whole.grid,
        placeholder=shortened(traits.layout, written, writer.token, whole.grid, fast.grid, tail, stride),
        run_a_frame=traits.layout.runs == "frame",
        interval=traits.interval(model, made.seconds * stride),
    )


def _pieces(model: Any, traits: VideoTraits, made: Processed, step: int) -> Iterator[VideoGrid]:
    for first in range(0, made.frames, step):
        frames = min(step, made.frames - first)
        pixels = made.pixels[first * made.rows : (first + frames) * made.rows]
        piece = traits.piece(made.inputs, pixels.to(model.device, model.dtype), frames)
        yield traits.layout.encode(model, piece, [frames])[0]


def _joined(parts: list[VideoGrid]) -> VideoGrid:
    if len(parts) == 1:
        return parts[0]
    levels = zip(*(part.deepstack for part in parts), strict=True)
    return VideoGrid(
        torch.cat([part.tokens for part in parts]),
        tuple(torch.cat(list(level)) for level in levels),
        parts[-1].tail,
    )


def shortened(
    layout: Layout, written: Placeholder, token: str, whole: Grid, fast: Grid, tail: int, stride: int
) -> Placeholder:
    """The text for a video whose tokens were pooled: fewer runs, or shorter ones.

    Raises:
        PromptError: another number of runs than the tower's output has frames.
    """
    frames, height, width = fast
    if layout.runs == "one":
        return Placeholder(written.text, (frames * height * width + tail,))
    if len(written.runs) != whole[0]:
        raise PromptError(f"the processor writes {len(written.runs)} runs for {whole[0]} frames.")
    *before, end = written.text.split(token)
    kept = [frame * (stride if layout.kept == "first" else 1) for frame in range(frames)]
    return Placeholder("".join(before[frame] + token for frame in kept) + end, (height * width,) * frames)


def metadata_of(shown: ClipPlan) -> VideoMetadata:
    """As the family's processor would know the video; a part of one as if it were a video of its own."""
    indices, info = list(shown.indices), shown.info
    total = info.num_frames
    if len(indices) > 1:
        stride = (indices[-1] - indices[0]) / (len(indices) - 1)
        if indices[0] > stride or indices[-1] + 2 * stride < total - 1:
            total = max(round(stride * len(indices)), 1)
    return VideoMetadata(
        total_num_frames=total,
        fps=info.fps,
        width=info.width,
        height=info.height,
        duration=info.duration_s,
        frames_indices=indices,
    )


def preprocessed(processor: Any, pixels: torch.Tensor, shown: ClipPlan, **settings: Any) -> tuple[Any, Any]:
    """The video half of a processor: its output, and what it was told of the video."""
    metadata = metadata_of(shown)
    output = processor.video_processor(
        videos=[pixels],
        video_metadata=[metadata],
        do_sample_frames=False,
        return_metadata=True,
        return_tensors="pt",
        **settings,
    )
    return output, metadata
