"""The options of a card for a model of transformers, read into what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import UsageError, nearest
from sf_eval.inference.families.places import PlacesRule
from sf_eval.model.attach.settings import SlowPathSettings, read_settings


@dataclass(frozen=True)
class Options:
    """Attributes:
    pooled: how features are pooled to fewer tokens before the language model sees them; None: not.
    places: where text after a video stands under M-RoPE.
    cap_pixels_per_frame: of Qwen's video processors; None leaves what the checkpoint or transformers has.
    slow_path: directory of an attached slow path that does not lie beside the weights.
    """

    pooled: SlowPathSettings | None = None
    places: PlacesRule = "trained"
    cap_pixels_per_frame: bool | None = None
    slow_path: str | None = None


def read_options(card: ModelCard, known: frozenset[str]) -> Options:
    """Hold a card's options to the `known` ones of its family.

    Raises:
        UsageError: another one, or a value of the wrong kind.
    """
    options = card.options
    where = f"model card {card.name}"
    for name in options:
        if name not in known:
            raise UsageError(
                f"{where}: the family {card.family} has no option {name!r}.", hint=nearest(str(name), known)
            )
    places = options.get("places", Options.places)
    if places not in get_args(PlacesRule):
        raise UsageError(
            f"{where}: places is {places!r}; it must be one of {', '.join(get_args(PlacesRule))}."
        )
    cap = options.get("cap_pixels_per_frame")
    if cap is not None and not isinstance(cap, bool):
        raise UsageError(f"{where}: cap_pixels_per_frame is {cap!r}; it must be true or false.")
    slow_path = options.get("slow_path")
    if slow_path is not None and not isinstance(slow_path, str):
        raise UsageError(f"{where}: slow_path is {slow_path!r}; it must be a directory.")
    return Options(_pooling(options, where), places, cap, slow_path)


def _pooling(options: dict[str, Any], where: str) -> SlowPathSettings | None:
    share, temporal, spatial = (
        options.get(name) for name in ("fast_tokens", "temporal_stride", "spatial_stride")
    )
    if share is None and temporal is None and spatial is None:
        return None
    for name, value in (("temporal_stride", temporal), ("spatial_stride", spatial)):
        if value is not None and type(value) is not int:
            raise UsageError(f"{where}: {name} is {value!r}; it must be a whole number.")
    try:
        fraction = None if share is None else Fraction(share)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise UsageError(f"{where}: fast_tokens is {share!r}; it must be a share such as 1/16.") from error
    return read_settings(
        1,
        every_n_layers=1,
        layers=None,
        fast_tokens=fraction,
        temporal_stride=temporal,
        spatial_stride=spatial,
        gating="dynamic-tanh-warmup",
        rope="own",
    )
