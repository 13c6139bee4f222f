"""Waiting for the device, so that a clock read next means something."""

from __future__ import annotations

import torch


def synchronise(device: torch.device) -> None:
    """Wait until the device has done all that it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
