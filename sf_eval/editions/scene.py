"""What the mini editions' videos show, frame by frame, and how it is drawn.

A scene has four dark backgrounds one after another and a bright arrow that crosses the picture once, the way
it points. For half a second each, a coloured disc and one to four white bars flash once in the middle,
and at the very end a pale card closes the video. Everything lies in the central square, so that a centre crop
loses nothing.

Brief events stand on *ticks*: the frames that the published rule samples when it may take 128. Each lasts
half a second around its tick, so 128 sampled frames show it exactly once; 16 frames of a two-minute video
show one in eight, which is what such questions are there to measure. The end card is on the last sampled
frame of every budget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sf_eval.video.sampling import published_indices

Image = NDArray[np.uint8]

#: RGB of the bright things (arrow, disc).
BRIGHT: dict[str, tuple[int, int, int]] = {
    "red": (235, 40, 40),
    "green": (40, 205, 60),
    "blue": (60, 90, 255),
    "yellow": (240, 225, 40),
    "pink": (250, 120, 200),
    "cyan": (40, 215, 225),
    "orange": (250, 140, 20),
}
#: RGB of the backgrounds.
DARK: dict[str, tuple[int, int, int]] = {
    "maroon": (90, 10, 14),
    "pine": (8, 66, 22),
    "navy": (12, 18, 104),
    "plum": (74, 12, 92),
    "grey": (66, 66, 66),
    "teal": (6, 70, 78),
    "olive": (78, 74, 8),
    "black": (6, 6, 6),
    "brown": (86, 46, 12),
}
#: Unit step (x to the right, y down) of each direction.
DIRECTIONS: dict[str, tuple[int, int]] = {
    "rightwards": (1, 0),
    "leftwards": (-1, 0),
    "upwards": (0, -1),
    "downwards": (0, 1),
}
WATCHED_FRAMES = 128
"""Events stand on the frames that this budget of the published rule samples."""

_BARS = (244, 244, 244)
_CARD = (188, 188, 188)

# Fractions of the central square's side.
_MOVER_SIZE = 0.22
_DISC_SIZE = 0.42
_BAR_WIDTH, _BAR_HEIGHT = 0.06, 0.42
_LANES = (0.18, 0.82)  # the mover's distance from the edge it runs along: it never touches the middle


@dataclass(frozen=True)
class Scene:
    """All that is to be seen in one stretch of video.

    Attributes:
        backgrounds: one after another, each for the same share of the time.
        mover: the arrow's colour, "" for a scene without one.
        direction: where the arrow points and goes.
        disc: the flashing disc's colour, "" for none.
        disc_tick: the tick on which it flashes.
        bars: how many bars flash, 0 for none.
        bars_tick: the tick on which they flash.
        end_card: the scene ends with the pale card.
        lane: 0 or 1: on which side of the middle the arrow passes.
    """

    backgrounds: tuple[str, ...]
    mover: str
    direction: str
    disc: str
    disc_tick: int
    bars: int
    bars_tick: int
    duration_s: float
    fps: int
    end_card: bool = True
    width: int = 128
    height: int = 96
    lane: int = 0

    @property
    def num_frames(self) -> int:
        return round(self.duration_s * self.fps)

    @property
    def ticks(self) -> tuple[int, ...]:
        """The frame in the middle of each tick."""
        return tick_frames(self.num_frames, self.fps)

    @property
    def disc_background(self) -> str:
        """The background on which the disc flashes."""
        return self.background_at(self.ticks[self.disc_tick])

    def background_at(self, frame: int) -> str:
        return self.backgrounds[stretch(frame, self.num_frames, len(self.backgrounds))]


@lru_cache(maxsize=256)
def tick_frames(num_frames: int, fps: float) -> tuple[int, ...]:
    """The frames that 128 frames of the published rule show."""
    return tuple(published_indices(num_frames, float(fps), num_frames=WATCHED_FRAMES))


def shown_frames(tick_frame: int, fps: float) -> range:
    """The frames that show an event: one step of the published rule around its tick, and so no other tick."""
    step = max(round(fps / 2), 1)
    first = tick_frame - step // 2
    return range(first, first + step)


def stretch(frame: int, num_frames: int, stretches: int) -> int:
    """In which of so many equally long stretches of a scene a frame lies."""
    return min(frame * stretches // num_frames, stretches - 1)


def event_at(scene: Scene, frame: int) -> str:
    """What is on in the scene's frame number `frame`: "disc", "bars", "card" or ""."""
    ticks = scene.ticks
    if scene.end_card and frame > (ticks[-1] + ticks[-2]) // 2:
        return "card"
    if scene.disc and frame in shown_frames(ticks[scene.disc_tick], scene.fps):
        return "disc"
    return "bars" if scene.bars and frame in shown_frames(ticks[scene.bars_tick], scene.fps) else ""


def frames(*scenes: Scene) -> Iterator[Image]:
    """Draw scenes one after another: uint8 RGB images [height, width, 3]."""
    for scene in scenes:
        for frame in range(scene.num_frames):
            yield draw(scene, frame)


def draw(scene: Scene, frame: int) -> Image:
    """One frame of a scene: uint8 RGB [height, width, 3]."""
    event = event_at(scene, frame)
    if event == "card":
        return np.array(_plain(scene.height, scene.width, _CARD))
    image = np.array(_plain(scene.height, scene.width, DARK[scene.background_at(frame)]))
    side = min(scene.width, scene.height)
    middle = (scene.width / 2, scene.height / 2)
    if scene.mover:
        centre = _in_pixels(scene, mover_centre(scene, frame))
        _paste(image, _arrow(round(side * _MOVER_SIZE), scene.direction), centre, BRIGHT[scene.mover])
    if event == "disc":
        _paste(image, _disc(round(side * _DISC_SIZE)), middle, BRIGHT[scene.disc])
    elif event == "bars":
        bars = _bars(scene.bars, round(side * _BAR_WIDTH), round(side * _BAR_HEIGHT))
        _paste(image, bars, middle, _BARS)
    return image


@lru_cache(maxsize=32)
def _plain(height: int, width: int, colour: tuple[int, int, int]) -> Image:
    """An image of one colour, to be copied: a copy costs a tenth of filling it pixel by pixel."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = colour
    return image


def mover_centre(scene: Scene, frame: int) -> tuple[float, float]:
    """Where the arrow's centre is, in fractions of the central square (x, y): one straight crossing."""
    progress = frame / max(scene.num_frames - 1, 1)
    margin = _MOVER_SIZE / 2
    along = margin + progress * (1 - 2 * margin)
    across = _LANES[scene.lane]
    step_x, step_y = DIRECTIONS[scene.direction]
    if step_x:
        return (along if step_x > 0 else 1 - along), across
    return across, (along if step_y > 0 else 1 - along)


def _in_pixels(scene: Scene, point: tuple[float, float]) -> tuple[float, float]:
    side = min(scene.width, scene.height)
    return (scene.width - side) / 2 + point[0] * side, (scene.height - side) / 2 + point[1] * side


def _paste(
    image: Image, mask: NDArray[np.bool_], centre: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    height, width = mask.shape
    left = min(max(round(centre[0] - width / 2), 0), image.shape[1] - width)
    top = min(max(round(centre[1] - height / 2), 0), image.shape[0] - height)
    image[top : top + height, left : left + width][mask] = colour


@lru_cache(maxsize=16)
def _arrow(size: int, direction: str) -> NDArray[np.bool_]:
    """A triangle whose tip points the way it goes."""
    y, x = np.mgrid[:size, :size] + 0.5
    step_x, step_y = DIRECTIONS[direction]
    along, across = (x, y) if step_x else (y, x)
    from_tip = along if step_x + step_y < 0 else size - along
    inside: NDArray[np.bool_] = np.abs(across - size / 2) <= from_tip / 2
    return inside


@lru_cache(maxsize=16)
def _disc(size: int) -> NDArray[np.bool_]:
    y, x = np.mgrid[:size, :size] + 0.5
    inside: NDArray[np.bool_] = (x - size / 2) ** 2 + (y - size / 2) ** 2 <= (size / 2) ** 2
    return inside


@lru_cache(maxsize=16)
def _bars(count: int, width: int, height: int) -> NDArray[np.bool_]:
    """Upright bars, as far apart as they are wide."""
    columns = np.arange((2 * count - 1) * width) // width % 2 == 0
    return np.repeat(columns[None, :], height, axis=0)
