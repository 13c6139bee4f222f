"""The options of a card for an endpoint, read into what they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from sf_eval.core.cards import ModelCard
from sf_eval.core.chat import checked_address
from sf_eval.core.errors import UsageError, nearest


@dataclass(frozen=True)
class EndpointSettings:
    """How an endpoint is asked.

    Attributes:
        model: its name there.
        base_url: address of its API, such as http://localhost:8000/v1.
        jpeg_quality: of the frames, 1 to 95 (Pillow's scale).
        max_side: pixels of a frame's longer side at most.
        timeout_s: seconds one request may take.
        retries: how often a request is sent again after 429, 5xx or a cut connection.
    """

    model: str
    base_url: str
    jpeg_quality: int = 90
    max_side: int = 768
    timeout_s: float = 600.0
    retries: int = 4


def read_settings(card: ModelCard) -> EndpointSettings:
    """Hold a card's options to what an endpoint has.

    Raises:
        UsageError: no address, or one that is none; an unknown option, or a value out of range.
    """
    where, known = card.name, {item.name for item in fields(EndpointSettings)}
    for name in card.options:
        if name not in known:
            raise UsageError(f"{where}: an endpoint has no option {name!r}.", hint=nearest(str(name), known))
    model = card.options.get("model") or card.weights.removeprefix("openai:")
    base_url = card.options.get("base_url")
    if not base_url:
        raise UsageError(
            f"{where} needs the address of its server.", hint="Add --base-url http://HOST:PORT/v1."
        )
    settings = EndpointSettings(
        **{**card.options, "model": model, "base_url": checked_address(base_url, where)}
    )
    _check(settings, where)
    return settings


def _check(settings: EndpointSettings, where: str) -> None:
    ranges = {"jpeg_quality": (1, 95), "max_side": (16, 8192), "retries": (0, 20)}
    for name, (least, most) in ranges.items():
        value = getattr(settings, name)
        if type(value) is not int or not least <= value <= most:
            raise UsageError(f"{where}: {name} is {value!r}; it must be a whole number, {least} to {most}.")
    limit = settings.timeout_s
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < math.inf:
        raise UsageError(f"{where}: timeout_s is {limit!r}; it must be a number above 0.")
    if not isinstance(settings.model, str) or not settings.model:
        raise UsageError(f"{where}: model is {settings.model!r}; it must be the name of a served model.")
