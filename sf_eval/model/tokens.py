"""From tower output to fast and slow tokens. Pure functions, no weights.

Shapes: T frames, h x w grid of a frame, D width of the language model.
Source of every rule: the published `prepare_inputs_labels_for_multimodal` and `split_slow_fast_tokens`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch.nn.functional import avg_pool2d, pad


@dataclass(frozen=True)
class VideoFeatures:
    """What the language model needs of one video; the frames themselves are not needed any more.

    Attributes:
        fast_tokens: [N_fast, D], take the placeholder's place in the prompt.
        words: text before, between and after runs of the fast tokens; one more than there are runs.
        runs: how many fast tokens each run has, in order; () for all of them as one.
        slow_tokens: [N_slow, D], seen through cross-attention only.
        num_frames: frames that were encoded.
    """

    fast_tokens: torch.Tensor
    slow_tokens: torch.Tensor
    num_frames: int
    runs: tuple[int, ...] = ()
    words: tuple[str, ...] = ("", "")

    @property
    def run_lengths(self) -> list[int]:
        """Fast tokens of each placeholder that the prompt has for this video."""
        return list(self.runs) or [self.fast_tokens.shape[0]]

    def to(self, device: torch.device | str) -> VideoFeatures:
        return replace(self, fast_tokens=self.fast_tokens.to(device), slow_tokens=self.slow_tokens.to(device))


def stack_slow_tokens(videos: Sequence[VideoFeatures | None]) -> torch.Tensor | None:
    """Slow tokens of one video (or None) a row: [B, N, D], zeros up to the longest N; None without any."""
    given = [item.slow_tokens for item in videos if item is not None]
    longest = max((len(tokens) for tokens in given), default=0)
    if not longest:
        return None
    rows = [given[0][:0] if item is None else item.slow_tokens for item in videos]
    return torch.stack([pad(tokens, (0, 0, 0, longest - len(tokens))) for tokens in rows])


def pool_frames(grid_THWD: torch.Tensor, stride: int) -> torch.Tensor:
    """Average `stride` x `stride` cells of every frame: [T, h, w, D] -> [T, h // stride, w // stride, D]."""
    if stride == 1:
        return grid_THWD
    pooled_TDHW = avg_pool2d(grid_THWD.permute(0, 3, 1, 2), kernel_size=stride, stride=stride)
    return pooled_TDHW.permute(0, 2, 3, 1)


def fast_tokens(
    pooled_THWD: torch.Tensor,
    *,
    sampling_stride: int,
    temporal_stride: int,
    spatial_stride: int,
    min_fast_frames: int,
) -> torch.Tensor:
    """Compress pooled tokens [T, h, w, D] to fast tokens [N_fast, D].

    A video is thinned out, averaged in time, then averaged in space. A single image is only averaged in
    space.
    """
    frames = pooled_THWD
    if frames.shape[0] > 1:
        frames = frames[_on(frames, sampled_frames(frames.shape[0], sampling_stride, min_fast_frames))]
        frames = average_in_time(frames, temporal_stride, min_fast_frames)
    return pool_frames(frames, spatial_stride).flatten(0, 2)


def sampled_frames(num_frames: int, stride: int, min_fast_frames: int) -> list[int]:
    """Which frames the fast path looks at: every `stride`-th, but `min_fast_frames` if there are so many."""
    if stride == 1 or num_frames < min_fast_frames:
        return list(range(num_frames))
    count = max(num_frames // stride, min_fast_frames)
    step = num_frames / count
    return [min(int(i * step), num_frames - 1) for i in range(count)]


def average_in_time(frames: torch.Tensor, stride: int, min_fast_frames: int) -> torch.Tensor:
    """Average windows of `stride` frames of [T, ...]; frames that fill no window at the end are dropped.

    Where that would leave fewer than `min_fast_frames` frames, T is divided into min(T, min_fast_frames)
    windows as even as can be instead (they may overlap by a frame: adaptive average pooling).
    """
    count = frames.shape[0]
    if stride == 1:
        return frames
    if count // stride >= min_fast_frames:
        windows = count // stride
        means: torch.Tensor = frames[: windows * stride].unflatten(0, (windows, stride)).mean(1)
        return means
    return torch.stack(
        [frames[start:stop].mean(0) for start, stop in time_windows(count, stride, min_fast_frames)]
    )


def time_windows(count: int, stride: int, min_fast_frames: int) -> list[tuple[int, int]]:
    """Which of `count` frames, as half-open ranges, `average_in_time` averages into each of its frames."""
    if stride == 1:
        return [(at, at + 1) for at in range(count)]
    if count // stride >= min_fast_frames:
        return [(at * stride, (at + 1) * stride) for at in range(count // stride)]
    windows = min(count, min_fast_frames)
    # Window i is [floor(i T / n), ceil((i + 1) T / n)).
    return [(i * count // windows, -(-(i + 1) * count // windows)) for i in range(windows)]


def slow_places(
    fast_places: torch.Tensor,
    *,
    frames: int,
    cells: int,
    sampling_stride: int,
    temporal_stride: int,
    spatial_stride: int,
    min_fast_frames: int,
) -> torch.Tensor:
    """Where slow tokens of `frames` frames of `cells` x `cells` stand in the prompt: [N_slow], float64.

    A frame stands on the line between the places of neighbouring fast frames, at the same share of the way
    as it lies between their centres; before the first and after the last the line goes on. A fast frame's
    centre is the mean number of the frames it was averaged from. A cell takes the place of the fast cell that
    it is averaged into: a prompt's places have no second dimension. A video of one fast frame has no line:
    all its frames stand there.

    Args:
        fast_places: [N_fast], position in the prompt of each fast token, in order.
    """
    kept = sampled_frames(frames, sampling_stride, min_fast_frames)
    windows = time_windows(len(kept), temporal_stride, min_fast_frames)
    centres = torch.tensor([sum(kept[start:stop]) / (stop - start) for start, stop in windows]).double()
    row = (torch.arange(cells) // spatial_stride).clamp(max=cells // spatial_stride - 1)
    places = fast_places.double().unflatten(0, (len(centres), cells // spatial_stride, -1))
    return interpolate(places[:, row][:, :, row], _numbers_among(centres, frames), dim=0).flatten()


def _numbers_among(centres: torch.Tensor, frames: int) -> torch.Tensor:
    """The fractional number among `centres` [n] of each frame: [frames]."""
    numbers = torch.arange(frames, dtype=centres.dtype)
    if len(centres) == 1:
        return torch.zeros_like(numbers)
    below = (torch.searchsorted(centres, numbers, right=True) - 1).clamp(0, len(centres) - 2)
    return below + (numbers - centres[below]) / (centres[below + 1] - centres[below])


def interpolate(values: torch.Tensor, at: torch.Tensor, *, dim: int) -> torch.Tensor:
    """`values` at the fractional indices `at` [n] of one dimension; beyond its ends the line goes on."""
    last = values.shape[dim] - 1
    if last == 0:
        return values.expand(*[len(at) if axis == dim else -1 for axis in range(values.ndim)])
    below = at.floor().clamp(0, last - 1).long()
    shape = [len(at) if axis == dim else 1 for axis in range(values.ndim)]
    share = (at - below).view(shape)
    low, high = values.index_select(dim, below), values.index_select(dim, below + 1)
    return low + (high - low) * share


def _on(frames: torch.Tensor, indices: list[int]) -> torch.Tensor:
    return torch.tensor(indices, device=frames.device)
