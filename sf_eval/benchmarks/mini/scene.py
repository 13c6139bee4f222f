"""What the mini editions' videos show, frame by frame, and how it is drawn.

A scene has a dark background, one bright shape that crosses the picture once, and discs that flash in the
middle for a moment. Everything lies in the central square, so that a centre crop loses nothing.

Time is counted in *ticks*: half a second, or a second in a scene longer than 64 s. A flash fills exactly one
tick. The published sampling rule takes at most 2 frames a second and leaves no gap longer than a tick when it
may take 128 frames, so it shows every flash; with fewer frames some are missed, which is what such questions
are there to measure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

#: RGB of the bright things (mover, flash).
BRIGHT: dict[str, tuple[int, int, int]] = {
    "red": (230, 40, 40),
    "green": (40, 200, 60),
    "blue": (60, 90, 255),
    "yellow": (240, 220, 40),
    "purple": (190, 60, 220),
    "cyan": (40, 210, 220),
    "white": (240, 240, 240),
}
#: RGB of the backgrounds.
DARK: dict[str, tuple[int, int, int]] = {
    "dark red": (85, 12, 12),
    "dark green": (10, 68, 18),
    "dark blue": (15, 20, 100),
    "dark purple": (68, 14, 84),
    "dark grey": (56, 56, 56),
    "dark teal": (8, 66, 72),
}
#: Unit step (x to the right, y down) of each direction.
DIRECTIONS: dict[str, tuple[int, int]] = {
    "from left to right": (1, 0),
    "from right to left": (-1, 0),
    "from bottom to top": (0, -1),
    "from top to bottom": (0, 1),
}
SHAPES = ("square", "circle", "triangle")

LONG_S = 64.0  # 128 frames at 2 frames a second

# Fractions of the central square's side.
_MOVER_SIZE = 0.22
_FLASH_SIZE = 0.40
_LANES = (0.18, 0.82)  # the mover's distance from the edge it runs along: it never touches the flash


@dataclass(frozen=True)
class Flash:
    """A disc of one colour in the middle, during one tick."""

    tick: int
    colour: str


@dataclass(frozen=True)
class Scene:
    """All that is to be seen in one stretch of video.

    `lane` is 0 or 1: on which side of the middle the mover passes. `fps` must be even for the published
    sampling rule to step through ticks exactly; 3 is used for the folder of frames.
    """

    background: str
    mover: str
    shape: str
    direction: str
    flashes: tuple[Flash, ...]
    duration_s: float
    fps: int
    width: int = 128
    height: int = 96
    lane: int = 0

    @property
    def num_frames(self) -> int:
        return round(self.duration_s * self.fps)

    @property
    def num_ticks(self) -> int:
        return ticks_in(self.duration_s)

    @property
    def flash_colours(self) -> tuple[str, ...]:
        return tuple(flash.colour for flash in self.flashes)


def ticks_in(duration_s: float) -> int:
    """How many ticks a scene of that length has; at most 128 s are foreseen."""
    return round(duration_s * (2 if duration_s <= LONG_S else 1))


def flash_at(scene: Scene, frame: int) -> Flash | None:
    """The flash that is on in the scene's frame number `frame`, if any."""
    tick = frame * scene.num_ticks // scene.num_frames
    return next((flash for flash in scene.flashes if flash.tick == tick), None)


def frames(*scenes: Scene) -> Iterator[Image]:
    """Draw scenes one after another: uint8 RGB images [height, width, 3]."""
    for scene in scenes:
        for frame in range(scene.num_frames):
            yield draw(scene, frame)


def draw(scene: Scene, frame: int) -> Image:
    """One frame of a scene: uint8 RGB [height, width, 3]."""
    image = np.empty((scene.height, scene.width, 3), np.uint8)
    image[:] = DARK[scene.background]
    side = min(scene.width, scene.height)
    _paste(image, scene.shape, round(side * _MOVER_SIZE), _mover_centre(scene, frame), BRIGHT[scene.mover])
    if flash := flash_at(scene, frame):
        middle = (scene.width / 2, scene.height / 2)
        _paste(image, "circle", round(side * _FLASH_SIZE), middle, BRIGHT[flash.colour])
    return image


def _mover_centre(scene: Scene, frame: int) -> tuple[float, float]:
    """Where the mover's centre is, in pixels (x, y): one straight crossing of the central square."""
    progress = frame / max(scene.num_frames - 1, 1)
    margin = _MOVER_SIZE / 2
    along = margin + progress * (1 - 2 * margin)
    across = _LANES[scene.lane]
    step_x, step_y = DIRECTIONS[scene.direction]
    if step_x:
        x, y = (along if step_x > 0 else 1 - along), across
    else:
        x, y = across, (along if step_y > 0 else 1 - along)
    side = min(scene.width, scene.height)
    return (scene.width - side) / 2 + x * side, (scene.height - side) / 2 + y * side


def _paste(
    image: Image, shape: str, size: int, centre: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    height, width = image.shape[:2]
    left = min(max(round(centre[0] - size / 2), 0), width - size)
    top = min(max(round(centre[1] - size / 2), 0), height - size)
    image[top : top + size, left : left + size][_mask(shape, size)] = colour


def _mask(shape: str, size: int) -> NDArray[np.bool_]:
    """Which pixels of a size x size box belong to the shape."""
    y, x = np.mgrid[:size, :size] + 0.5
    if shape == "circle":
        inside = (x - size / 2) ** 2 + (y - size / 2) ** 2 <= (size / 2) ** 2
    elif shape == "triangle":  # tip up
        inside = np.abs(x - size / 2) <= y / 2
    else:
        inside = np.ones((size, size), bool)
    return np.asarray(inside, dtype=np.bool_)
