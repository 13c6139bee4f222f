"""A folder of frames, one picture file a frame."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early
from sf_eval.video.types import FOLDER_FPS, VideoInfo

_SUFFIXES = (".jpg", ".jpeg", ".png")


def picture_files(folder: Path) -> list[Path]:
    """The folder's pictures in the order of the numbers in their names (2.jpg before 10.jpg).

    Raises:
        VideoError: there are none, or one is not a plain file of this folder: a link that leads out of it
            would show what is not the dataset's.
    """
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
    ]
    real_folder = os.path.realpath(folder)
    for file in files:
        if file.is_symlink() and Path(real := os.path.realpath(file)).parent != Path(real_folder):
            detail = f"it leads out of its folder, to {real}"
            raise VideoError(file, VideoErrorReason.unsupported, detail)
        if not file.is_file():
            raise VideoError(file, VideoErrorReason.unsupported, "it is not a plain file")
    if not files:
        detail = f"the folder has no pictures ({', '.join(_SUFFIXES)})"
        raise VideoError(folder, VideoErrorReason.empty, detail)
    return sorted(files, key=_natural_key)


def probe_folder(folder: Path, fps: float | None = None) -> VideoInfo:
    """A folder's facts; `fps` in frames per second, 3 where None.

    Raises:
        VideoError: no pictures, a first picture that is damaged, or a rate that is not positive.
    """
    rate = FOLDER_FPS if fps is None else float(fps)
    if not 0 < rate < float("inf"):
        raise VideoError(folder, VideoErrorReason.bad_range, f"{fps} frames per second is not a frame rate")
    files = picture_files(folder)
    height, width, _ = _read_picture(files[0]).shape
    return VideoInfo(folder, len(files), rate, len(files) / rate, width, height, "images")


def read_folder(folder: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """The pictures at `indices`, uint8 [T, H, W, 3], RGB.

    Raises:
        VideoError: a picture is missing, damaged or of another size than the first.
    """
    files = picture_files(folder)
    if indices and max(indices) >= len(files):
        raise ends_early(folder, wanted=max(indices), decoded=len(files), stated=len(files))
    pictures = list(_pictures_of_one_size([files[index] for index in indices]))
    return np.stack(pictures) if pictures else np.empty((0, 0, 0, 3), np.uint8)


def check_folder(folder: Path) -> None:
    """Decode every picture, one after the other.

    Raises:
        VideoError: one is damaged or of another size than the first.
    """
    for _ in _pictures_of_one_size(picture_files(folder)):
        pass


def _pictures_of_one_size(files: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    shape: tuple[int, ...] | None = None
    for file in files:
        picture = _read_picture(file)
        shape = shape or picture.shape
        if picture.shape != shape:
            detail = f"the picture sizes differ: {shape[:2]} and {picture.shape[:2]} (height, width)"
            raise VideoError(file, VideoErrorReason.not_decodable, detail)
        yield picture


def _natural_key(file: Path) -> tuple[list[tuple[int, str]], str]:
    parts = re.split(r"([0-9]+)", file.stem)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], file.name


def _read_picture(file: Path) -> NDArray[np.uint8]:
    from PIL import Image, ImageFile

    # Process-wide, and lmms-eval turns it on: half a picture would pass for a whole one.
    ImageFile.LOAD_TRUNCATED_IMAGES = False

    try:
        with Image.open(file, formats=("JPEG", "PNG")) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        detail = f"the picture cannot be decoded ({error})"
        raise VideoError(file, VideoErrorReason.not_decodable, detail) from error
