"""How large a video is to a model: what memory and FLOPs of a question about it depend on."""

from __future__ import annotations

from dataclasses import dataclass

CODED = (720, 1280)
"""Height and width of the pictures that are reckoned with where nobody has looked at the videos yet."""


@dataclass(frozen=True)
class VideoSize:
    """A video as a model's own processor makes it.

    Attributes:
        frames: pictures that are shown.
        coded: their height and width in the file.
        resized: values (three a pixel) of all of them as they are resized, before any is cropped.
        values: that the processor hands to the tower, in float32; a repeated last frame among them.
        grid: of the tower's tokens before any pooling: frames (as it merges them), height, width.
        visual_tokens: that stand in a prompt, once pooled; those after the grid among them.
        text_tokens: of a prompt up to the end of the video, between its runs of visual tokens too.
        markup_after: tokens of a prompt's markup behind the video: those around and behind the question.
    """

    frames: int
    coded: tuple[int, int]
    resized: int
    values: int
    grid: tuple[int, int, int]
    visual_tokens: int
    text_tokens: int
    markup_after: int
