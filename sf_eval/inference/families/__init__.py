"""The families of models, by the name that a card gives in `family`.

A family is a module with an object `FAMILY` (`sf_eval.inference.family.Family`), imported when it is needed.
Nothing outside of this room names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sf_eval.core.cards import SLOW_FAST, ModelCard
from sf_eval.core.errors import UsageError, nearest
from sf_eval.inference.family import Family, ModelSize, VideoModel
from sf_eval.video import SamplingRule

if TYPE_CHECKING:
    import torch

_HERE = "sf_eval.inference.families"
MODULES: Mapping[str, str] = MappingProxyType(
    {
        name: f"{_HERE}.{name}"
        for name in (
            SLOW_FAST, "qwen2_5_vl", "qwen3_vl", "llava_onevision", "internvl", "llava_next_video", "generic",
            "endpoint",
        )
    }
)  # fmt: skip
WATCHABLE = frozenset({SLOW_FAST})
"""Those whose loaded models tell where they look (`sf_eval.inference.family.Watchable`)."""


def family_of(card: ModelCard) -> Family:
    """The card's family.

    Raises:
        UsageError: there is none of that name.
    """
    if card.family not in MODULES:
        raise UsageError(
            f"model card {card.name}: there is no family called {card.family!r}.",
            hint=nearest(card.family, MODULES),
        )
    family: Family = import_module(MODULES[card.family]).FAMILY
    return family


def open_model(
    card: ModelCard,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str | None = None,
    attn: str | None = None,
    revision: str | None = None,
) -> VideoModel:
    """Load the model that `card` names, of whatever family, onto one device.

    Every argument is plain and picklable: another process may call this.

    Args:
        dtype: of the weights in memory; None keeps the checkpoint's.
        attn: "sdpa", "eager" or "flash_attention_2"; None is sdpa.
        revision: Hub commit, tag or branch instead of the card's.

    Raises:
        CheckpointError: the weights cannot be had or do not fit.
        UsageError: the card's settings are not its family's, or the attention cannot be used here.
    """
    family = family_of(card)
    family.check(card)
    return family.load(card, device=device, dtype=dtype, attn=attn, revision=revision)


def check_card(card: ModelCard) -> None:
    """Hold a card to its family.

    Raises:
        UsageError: no such family, option or value.
    """
    family_of(card).check(card)


def check_weights(card: ModelCard) -> None:
    """Refuse weights that cannot be had or used, before data is fetched. The weights stay on the Hub.

    Raises:
        CheckpointError: no such checkpoint, or one that is not whole or not of the card's family.
    """
    family_of(card).check_weights(card)


def can_interleave(card: ModelCard) -> bool:
    """Whether the card's model takes text between the frames of a video."""
    return getattr(family_of(card), "interleaves", False)


def rule_of(card: ModelCard) -> SamplingRule:
    """Which frames of a clip the card's model is shown."""
    return family_of(card).rule(card)


def size_of(card: ModelCard) -> ModelSize:
    """What the card's model takes, without its weights.

    Raises:
        CheckpointError: the checkpoint is here, and what tells its size cannot be read.
    """
    return family_of(card).size(card)


def determinants(card: ModelCard) -> dict[str, Any]:
    """What a card says beyond a slow-fast model's settings, for a run's fingerprint; {} for those."""
    plain = replace(card, family=SLOW_FAST, options={})
    return {} if card == plain else {"family": card.family, "options": dict(card.options)}
