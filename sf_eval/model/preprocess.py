"""Frames as they come from a decoder -> normalised squares, as the published evaluation makes them.

Bicubic resize of the shortest edge with Pillow's antialiasing, rounded to uint8; centre crop; CLIP mean and
standard deviation.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from sf_eval.core.resize import centre_square as centre_square
from sf_eval.core.resize import resized_shape as resized_shape
from sf_eval.model.errors import PromptError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def preprocess_frames(
    frames: np.ndarray,
    size: int,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """uint8 RGB [T, H, W, 3] -> [T, 3, size, size] on `device`.

    Pixels travel to the device as bytes and are normalised there in float32, then cast to `dtype`.

    Raises:
        PromptError: not a stack of at least one uint8 RGB frame.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise PromptError(
            f"frames are {frames.dtype} {list(frames.shape)}; preprocessing takes uint8 RGB [T, H, W, 3]."
        )
    squares = np.stack([centre_square(frame, size) for frame in frames])  # [T, size, size, 3]
    return normalise(torch.from_numpy(squares).to(device)).to(dtype).contiguous()


def resize_squares(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """uint8 RGB [T, H, W, 3] -> [T, size, size, 3], on the device they are on.

    What `centre_square` does: as in Pillow each of the two passes ends in uint8. Only the weights are
    float32, not whole numbers: no value differs by more than 2 (of 255) from Pillow 13's.
    """
    width, height = resized_shape(pictures.shape[2], pictures.shape[1], size)
    planes = pictures.permute(0, 3, 1, 2).float()
    rows, columns = planes.shape[-2:]
    # Pillow 13 begins with the width, but for pictures more than twice as tall as wide.
    first = (rows, width) if rows <= 2 * columns else (height, columns)
    for shape in (first, (height, width)):
        if planes.shape[-2:] != shape:
            # With antialiasing torch takes Pillow's bicubic kernel (a = -0.5) and its places of pixels.
            planes = functional.interpolate(planes, shape, mode="bicubic", antialias=True)
            planes = planes.round().clamp(0, 255)
    left, top = (width - size) // 2, (height - size) // 2
    square = planes[..., top : top + size, left : left + size]
    return square.to(torch.uint8).permute(0, 2, 3, 1)


def check_pixels(pixel_values: torch.Tensor, size: int) -> None:
    """Refuse what is no stack of frames as `preprocess_frames` makes them: [T, 3, size, size], or one frame.

    Raises:
        PromptError: another shape, no frame, or whole numbers, which nobody has normalised.
    """
    shape = list(pixel_values.shape)
    if not pixel_values.is_floating_point():
        raise PromptError(
            f"frames are {str(pixel_values.dtype).removeprefix('torch.')} {shape}, and not normalised.",
            hint="SlowFastProcessor.preprocess makes pixel values of uint8 RGB frames [T, H, W, 3].",
        )
    if len(shape) not in (3, 4) or shape[-3:] != [3, size, size] or 0 in shape:
        raise PromptError(
            f"frames are {shape}; this model takes [T, 3, S, S] with S = {size}.",
            hint="SlowFastProcessor.preprocess makes pixel values of that size.",
        )


def normalise(squares: torch.Tensor) -> torch.Tensor:
    """uint8 RGB [T, size, size, 3] -> float32 [T, 3, size, size], by CLIP's mean and standard deviation."""
    # In the order of the result, and in place: three times as fast on a CPU, and the same to the last bit.
    pixels = squares.permute(0, 3, 1, 2).contiguous().float().div_(255)
    mean = torch.tensor(CLIP_MEAN, device=squares.device).view(3, 1, 1)
    std = torch.tensor(CLIP_STD, device=squares.device).view(3, 1, 1)
    return pixels.sub_(mean).div_(std)
