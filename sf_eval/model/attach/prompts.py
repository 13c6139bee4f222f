"""From a processor's inputs to what an attached model reads: fast tokens inside, slow tokens beside.

An engine that asks several questions about a video takes the steps by themselves: `encode_videos` once,
`shorten` for each prompt, `slow_context` once, then the prefix with the context, a copy of the cache and the
same context for each question. `slow_fast_inputs` takes them all for one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad

from sf_eval.model.attach.context import SlowContext, SlowVideo, Spans, joined, spans_where
from sf_eval.model.attach.decoder import plain_model, rotation_of
from sf_eval.model.attach.families import Family, family_of
from sf_eval.model.attach.grids import Grid, VideoGrid, pooled_grid, slow_places
from sf_eval.model.attach.inspecting import settings_of
from sf_eval.model.errors import PromptError

_OF_EACH_TOKEN = ("mm_token_type_ids", "labels")
_PIXELS = ("pixel_values_videos", "pixel_values")


@dataclass(frozen=True)
class ShortPrompt:
    """A batch of prompts in which each video has as many placeholders as fast tokens.

    Attributes:
        inputs: `input_ids`, `attention_mask`, `position_ids` and the family's own; no pixels, no features.
        videos_in: of each row, which of the batch's videos it shows.
    """

    inputs: dict[str, Any]
    videos_in: tuple[tuple[int, ...], ...]


def slow_fast_inputs(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What `forward` and `generate` of an attached model take for what its processor made of a batch.

    Without the key "slow" it is what the plain model takes for the pooled video.

    Args:
        inputs: `input_ids` and `attention_mask` [B, L], pixels, and whatever else the processor gave. Rows
            without a video may be among them.

    Raises:
        SlowPathError: no slow path, or an unknown family.
        PromptError: placeholders and videos that do not belong together.
    """
    grids = encode_videos(model, inputs)
    prompt = shorten(model, inputs, [grid.grid for grid in grids])
    slow = slow_context(model, prompt, grids)
    if not grids:
        return {**prompt.inputs, "slow": slow}
    return {**prompt.inputs, **fast_features(model, grids), "slow": slow}


def encode_videos(model: Any, inputs: Mapping[str, Any]) -> list[VideoGrid]:
    """The tower's output for each video of a batch: all that is needed of its frames."""
    family = family_of(model)
    if all(inputs.get(name) is None for name in _PIXELS):
        return []
    runs = [len(spans) for spans in _runs(model, family, inputs) if spans]
    counts = runs if family.runs == "frame" else []
    return family.encode(model, inputs, counts)


def fast_features(model: Any, grids: Sequence[VideoGrid]) -> dict[str, Any]:
    """The fast tokens of videos, as the keyword with which `forward` takes them instead of pixels."""
    family, settings = family_of(model), settings_of(model)
    return {"mm_encoder_outputs": {family.modality: family.pack([grid.pooled(settings) for grid in grids])}}


def shorten(model: Any, inputs: Mapping[str, Any], grids: Sequence[Grid]) -> ShortPrompt:
    """Prompts with placeholders for fast tokens in the place of those for all tokens.

    Args:
        grids: the slow grid of each video of the batch, in order.

    Raises:
        PromptError: another number of placeholders than the grids have tokens.
    """
    family, settings = family_of(model), settings_of(model)
    ids: torch.Tensor = inputs["input_ids"]
    mask = inputs.get("attention_mask")
    mask = torch.ones_like(ids) if mask is None else mask
    fast = [pooled_grid(grid, settings) for grid in grids]
    keeps, videos_in, at = [], [], 0
    for row, runs in enumerate(_runs(model, family, inputs)):
        keep = mask[row].bool().clone()
        mine: list[int] = []
        while runs:
            if at == len(grids):
                raise PromptError(f"there are placeholders for more than the {len(grids)} videos given.")
            taken = grids[at][0] if family.runs == "frame" else 1
            _shorten_video(family, keep, runs[:taken], grids[at], fast[at], settings.temporal_stride)
            runs, mine, at = runs[taken:], [*mine, at], at + 1
        keeps.append(keep)
        videos_in.append(tuple(mine))
    if at != len(grids):
        raise PromptError(f"{len(grids)} videos were given, the prompts have placeholders for {at}.")
    short = _kept(inputs, ids, mask, keeps)
    if grids:
        short |= family.pooled_inputs(model, inputs, grids, fast)
    short["position_ids"] = family.positions(model, short)
    return ShortPrompt(short, tuple(videos_in))


def slow_context(model: Any, prompt: ShortPrompt, grids: Sequence[VideoGrid]) -> SlowContext:
    """The slow side of prompts: every video's tokens at their places, and who queries them.

    Text queries: every position that is neither a fast token nor padding.
    """
    inner, family, settings = plain_model(model), family_of(model), settings_of(model)
    ids, mask = prompt.inputs["input_ids"], prompt.inputs["attention_mask"]
    placeholders = ids == family.placeholder(model)
    positions = prompt.inputs["position_ids"]
    videos: list[SlowVideo | None] = []
    queries: list[Spans] = []
    for row, shown in enumerate(prompt.videos_in):
        queries.append(joined(spans_where(mask[row].bool() & ~placeholders[row])))
        if not shown:
            videos.append(None)
            continue
        parts = [grids[video].tokens.flatten(0, 2) for video in shown]
        tokens = parts[0] if len(parts) == 1 else torch.cat(parts)  # of one video, no copy
        rotation = None
        if settings.rope == "own":
            of_row = positions[1:, row] if family.axes == 3 else positions[row]
            mine = of_row[..., placeholders[row]]  # [P, F] or [F]
            rotation = rotation_of(inner, _places_of(model, [grids[video] for video in shown], mine))
        videos.append(SlowVideo(tokens, rotation))
    return SlowContext(videos, queries, ids.shape[1], keep=not inner.training)


def _places_of(model: Any, grids: Sequence[VideoGrid], fast_places: torch.Tensor) -> torch.Tensor:
    settings = settings_of(model)
    parts, at = [], 0
    for grid in grids:
        fast = pooled_grid(grid.grid, settings)
        count = fast[0] * fast[1] * fast[2]
        mine = fast_places[..., at : at + count]
        parts.append(slow_places(mine, fast, grid.grid, settings))
        at += count + (0 if grid.tail is None else len(grid.tail))
    return torch.cat(parts, dim=-1)


def _runs(model: Any, family: Family, inputs: Mapping[str, Any]) -> list[Spans]:
    """Of each row, the ranges of placeholders."""
    return [spans_where(row) for row in inputs["input_ids"] == family.placeholder(model)]


def _shorten_video(
    family: Family, keep: torch.Tensor, runs: Spans, slow: Grid, fast: Grid, stride: int
) -> None:
    """Take out of `keep` [L] what a pooled video does not have."""
    frames, height, width = slow
    cells = fast[1] * fast[2]
    if family.runs == "one":
        ((start, stop),) = runs
        surplus = frames * height * width - fast[0] * cells
        wanted = frames * height * width + family.tail
        if stop - start != wanted:
            raise PromptError(f"{stop - start} placeholders were given for {wanted} video tokens.")
        keep[start : start + surplus] = False
        return
    if len(runs) != frames or any(stop - start != height * width for start, stop in runs):
        raise PromptError(f"placeholders do not fit a video of {frames} frames of {height * width} tokens.")
    step = stride if family.kept == "first" else 1
    kept = [window * step for window in range(fast[0])]
    for frame, (start, stop) in enumerate(runs):
        if frame in kept:
            keep[start + cells : stop] = False
        else:  # with the text between the run before and this one
            keep[runs[frame - 1][1] : stop] = False


def _kept(
    inputs: Mapping[str, Any], ids: torch.Tensor, mask: torch.Tensor, keeps: Sequence[torch.Tensor]
) -> dict[str, Any]:
    """Every tensor of shape [B, L] with the kept positions alone, padded on the side it was padded on."""
    right = bool((mask[:, -1] == 0).any())
    longest = max(int(keep.sum()) for keep in keeps)

    def packed(tensor: torch.Tensor) -> torch.Tensor:
        rows = []
        for row, keep in zip(tensor, keeps, strict=True):
            taken = row[keep]
            room = longest - len(taken)
            rows.append(pad(taken, (0, room) if right else (room, 0)))
        return torch.stack(rows)

    short: dict[str, Any] = {"input_ids": packed(ids), "attention_mask": packed(mask)}
    for name in _OF_EACH_TOKEN:
        if (given := inputs.get(name)) is not None:
            short[name] = packed(given)
    if "labels" in short:
        short["labels"] = short["labels"].masked_fill(short["attention_mask"] == 0, -100)
    return short
