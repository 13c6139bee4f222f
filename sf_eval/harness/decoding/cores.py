"""This machine's cores, between a model and the processes that decode its videos."""

from __future__ import annotations

import os

import torch

from sf_eval.core.cores import decoders_beside, helpers_beside, usable_cores
from sf_eval.inference.device import pixel_room
from sf_eval.inference.freed_memory import keep_freed_memory
from sf_eval.video import ClipPool


class SharedCores:
    """The cores of one model and its decoders.

    On the CPU the decoders have theirs and torch those that are left. Helpers decode while the model has no
    decoded video left to begin with; once nothing is left to decode, torch takes what it had before.

    Args:
        device: the model's. A GPU's decoders have the cores to themselves.
        decoders: as the user says; None for what fits this machine, with helpers.

    Attributes:
        decoders: processes that decode ahead.
        helpers: more, for while the model waits.
    """

    def __init__(self, device: torch.device, decoders: int | None) -> None:
        self._device = device
        self._threads_before = torch.get_num_threads()
        cores = usable_cores() // models_here()
        self.decoders = automatic_decoders(device) if decoders is None else decoders
        self.helpers = helpers_beside(device.type, cores) if decoders is None else 0
        limit_threads(device, self.decoders)
        self._beside_decoders = torch.get_num_threads()
        self._alone = max(self._beside_decoders, min(self._threads_before, cores))

    def take_turns(self, pool: ClipPool) -> None:
        """Let torch's threads follow what the pool's decoders do, and pictures be read to where the device
        takes them from; whoever takes the clips calls the model in the same thread."""
        pool.read_into(pixel_room(self._device))
        if self._alone > self._beside_decoders:
            pool.tell_busy(self._decoders_are)

    def close(self) -> None:
        """Torch has as many threads as it had before."""
        if torch.get_num_threads() != self._threads_before:
            torch.set_num_threads(self._threads_before)

    def _decoders_are(self, busy: bool) -> None:
        threads = self._beside_decoders if busy else self._alone
        if threads != torch.get_num_threads():
            torch.set_num_threads(threads)


def automatic_decoders(device: torch.device, models: int | None = None) -> int:
    """Decoders beside the model (`decoders_beside`).

    Args:
        models: among which this machine's cores are divided; None for what a launcher says (`models_here`).
    """
    return decoders_beside(device.type, usable_cores() // (models or models_here()))


def models_here() -> int:
    """Processes with a model each among which this machine's cores are divided: a launcher says how many it
    started here (`LOCAL_WORLD_SIZE`)."""
    count = os.environ.get("LOCAL_WORLD_SIZE", "").strip()
    return max(1, int(count)) if count.isdecimal() else 1


def limit_threads(device: torch.device, decoders: int, models: int | None = None) -> None:
    """Leave the decoders and other models their cores: on the CPU, torch takes those that are left, unless
    the user has said how many.

    Two busy pools of threads on the same cores wait for each other far longer than either works. There it
    keeps the memory of its tensors too (`freed_memory`).
    """
    if device.type == "cpu":
        keep_freed_memory()
    if device.type == "cpu" and not os.environ.get("OMP_NUM_THREADS"):
        cores = usable_cores() // (models or models_here())
        torch.set_num_threads(max(1, min(torch.get_num_threads(), cores - decoders)))
