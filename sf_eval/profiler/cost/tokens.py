"""How many slow and fast tokens a video becomes, from counts alone.

The rule is the published model's (docs/profiling.md, "Tokens").

`tests/profiler/test_tokens.py` holds this against the tensors that the model itself makes.
"""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.profiler.cost.shape import ModelShape


@dataclass(frozen=True)
class TokenCounts:
    """Tokens of one video.

    Attributes:
        frames: frames encoded.
        tower_tokens: tokens of one frame as the tower and the projector see them.
        pooled_grid: side of a frame's grid after pooling.
        sampled_frames: frames of the fast path after strided sampling.
        fast_frames: frames of the fast path after averaging over time.
        slow_tokens: tokens that are cross-attended to (0 without a slow path).
        fast_tokens: visual tokens in the LLM's prompt.
        pooling_reads: values read, each channel apart, by all the average poolings; their cost.
    """

    frames: int
    tower_tokens: int
    pooled_grid: int
    sampled_frames: int
    fast_frames: int
    slow_tokens: int
    fast_tokens: int
    pooling_reads: int


def count_tokens(shape: ModelShape, frames: int) -> TokenCounts:
    """Tokens of a video of `frames` frames; 0 frames is a prompt without a video, 1 a single image."""
    grid = shape.vision.grids[-1]
    if frames == 0:
        return TokenCounts(0, grid * grid, 0, 0, 0, 0, 0, 0)
    reads = 0
    pooled = grid
    if frames > 1 and shape.pooling_stride > 1:
        pooled = grid // shape.pooling_stride
        # Each output averages one stride x stride window; trailing rows that fill no window are not read.
        reads += frames * (pooled * shape.pooling_stride) ** 2
    sampled = _sampled_frames(shape, frames)
    fast_frames, frame_reads = _time_pooling(shape, sampled) if frames > 1 else (1, 0)
    reads += frame_reads * pooled * pooled
    fast_grid = pooled
    if shape.spatial_stride > 1:
        fast_grid = pooled // shape.spatial_stride
        reads += fast_frames * (fast_grid * shape.spatial_stride) ** 2
    return TokenCounts(
        frames=frames,
        tower_tokens=grid * grid,
        pooled_grid=pooled,
        sampled_frames=sampled,
        fast_frames=fast_frames,
        slow_tokens=frames * pooled * pooled if shape.slow_path else 0,
        fast_tokens=fast_frames * fast_grid * fast_grid,
        pooling_reads=reads * shape.hidden_size,
    )


def _sampled_frames(shape: ModelShape, frames: int) -> int:
    """Step (a): strided sampling that never leaves fewer than `min_fast_frames` frames."""
    if frames == 1 or shape.sampling_stride == 1 or frames < shape.min_fast_frames:
        return frames
    return max(frames // shape.sampling_stride, shape.min_fast_frames)


def _time_pooling(shape: ModelShape, sampled: int) -> tuple[int, int]:
    """Step (b): frames after averaging over time, and frames read by the averages."""
    if shape.temporal_stride == 1:
        return sampled, 0
    windows = sampled // shape.temporal_stride
    if windows >= shape.min_fast_frames:
        return windows, windows * shape.temporal_stride
    wanted = min(sampled, shape.min_fast_frames)
    # Adaptive pooling: output i averages the frames floor(i n / m) to ceil((i + 1) n / m): windows overlap.
    return wanted, sum(-(-(i + 1) * sampled // wanted) - i * sampled // wanted for i in range(wanted))


def fast_windows(
    frames: int, *, sampling_stride: int, temporal_stride: int, min_fast_frames: int
) -> list[tuple[int, ...]]:
    """Which of the frames shown, counted from 0, are averaged into each frame of the fast path.

    Rules (a) and (b) of docs/profiling.md, "Tokens", with the frames named. A frame in no window is seen by
    the slow path alone; where windows overlap, a frame is in two.
    """
    if frames <= 1:
        return [(frame,) for frame in range(frames)]
    sampled = list(range(frames))
    if sampling_stride != 1 and frames >= min_fast_frames:
        count = max(frames // sampling_stride, min_fast_frames)
        sampled = [min(int(at * (frames / count)), frames - 1) for at in range(count)]
    if temporal_stride == 1:
        return [(frame,) for frame in sampled]
    total = len(sampled)
    windows = total // temporal_stride
    if windows >= min_fast_frames:
        bounds = [(at * temporal_stride, (at + 1) * temporal_stride) for at in range(windows)]
    else:
        windows = min(total, min_fast_frames)
        bounds = [(at * total // windows, -(-(at + 1) * total // windows)) for at in range(windows)]
    return [tuple(sampled[start:stop]) for start, stop in bounds]
