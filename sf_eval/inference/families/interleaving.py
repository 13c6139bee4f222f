"""Words between the frames of a video: fast tokens in several runs, with text between them by time.

A slow-fast model has one video in its prompt, as fast tokens of fast frames, each an average over a window of
the frames shown. Between two fast frames there is room for text. The slow path is not touched: it holds all
frames shown, and every text token, those between the frames included, queries it. Where nothing is said, the
prompt is the plain one, bit for bit. No released checkpoint was trained on such prompts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sf_eval.model.config import SlowFastConfig
from sf_eval.model.tokens import VideoFeatures, sampled_frames, time_windows


def fast_frames(config: SlowFastConfig, num_frames: int) -> list[tuple[int, ...]]:
    """Which of the frames shown, from 0, each frame of the fast path was averaged from."""
    if num_frames <= 1:
        return [(frame,) for frame in range(num_frames)]
    least = config.min_fast_frames or 1
    sampled = sampled_frames(num_frames, config.fast_token_temporal_sampling_stride or 1, least)
    windows = time_windows(len(sampled), config.fast_token_temporal_stride or 1, least)
    return [tuple(sampled[start:stop]) for start, stop in windows]


def interleaved(
    video: VideoFeatures, config: SlowFastConfig, times_s: Sequence[float], said: Iterable[tuple[float, str]]
) -> VideoFeatures:
    """The video with what is said between its fast frames.

    A line stands behind every fast frame whose time, the mean of its frames', is not after the line's.

    Args:
        times_s: of the frames shown, in seconds.
        said: seconds and text of each line, in the order in which they stand.
    """
    windows = fast_frames(config, video.num_frames)
    shown_s = [sum(times_s[frame] for frame in window) / len(window) for window in windows]
    each = video.fast_tokens.shape[0] // max(len(windows), 1)
    lines: list[list[str]] = [[]]
    counts: list[int] = []
    at, since = 0, 0
    for time_s, text in said:
        while at < len(shown_s) and shown_s[at] <= time_s:
            at += 1
        if at > since:
            counts.append(at - since)
            lines.append([])
            since = at
        lines[-1].append(text)
    if since < len(shown_s):
        counts.append(len(shown_s) - since)
        lines.append([])
    if len(counts) == 1 and not any(lines):
        return video
    return replace(video, runs=tuple(each * count for count in counts), words=tuple(_joined(lines)))


def marked(video: VideoFeatures) -> str:
    """The text between the frames with a mark for each run of fast tokens, for people; "" without any."""
    if not video.runs:
        return ""
    parts = [video.words[0]]
    for length, words in zip(video.runs, video.words[1:], strict=True):
        parts += [f"<video: {length} fast tokens>", words]
    return "".join(parts)


def _joined(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    """Lines and frames each in a line of their own; the prompt begins with the last line break itself."""
    for place, texts in enumerate(lines):
        before = "\n" if place else ""
        behind = "\n" if place < len(lines) - 1 else ""
        yield before + "\n".join(texts) + behind if texts else ""
