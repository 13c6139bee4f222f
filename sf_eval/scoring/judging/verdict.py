"""A judge's words into a verdict: one JSON object of the asked form, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# What chat models put around JSON, and nothing else may.
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)
_SHOWN = 200


class VerdictError(ValueError):
    """The judge's words are no verdict."""


def _small(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Match(_Form):
    pred: Annotated[Literal["yes", "no"], BeforeValidator(_small)]
    score: int = Field(strict=True, ge=0, le=5)


class _Choice(_Form):
    answer: Annotated[str, BeforeValidator(_small), Field(strict=True, pattern=r"^([a-h]|none)$")]


_Asked = TypeVar("_Asked", bound=_Form)


def yes_or_no(said: str) -> bool:
    """Read `{"pred": "yes", "score": 4}`.

    Raises:
        VerdictError: anything else.
    """
    return _read(_Match, said).pred == "yes"


def chosen(said: str, offered: Collection[str]) -> str:
    """Read `{"answer": "B"}`: the letter, or "NONE".

    Args:
        offered: the letters that the judge had the choice of.

    Raises:
        VerdictError: anything else.
    """
    letter = _read(_Choice, said).answer.upper()
    if letter != "NONE" and letter not in offered:
        raise VerdictError(f"the judge chose an option that there is not: {said[:_SHOWN]!r}")
    return letter


def _read(form: type[_Asked], said: str) -> _Asked:
    fenced = _FENCE.fullmatch(said)
    try:
        value = json.loads(said if fenced is None else fenced["inside"], object_pairs_hook=_each_once)
        return form.model_validate(value)
    except (ValueError, RecursionError) as error:  # no JSON, brackets without end, or not of the form
        raise VerdictError(f"the judge gave no verdict: {said[:_SHOWN]!r}") from error


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a name that stands in it twice nobody knows which is meant."""
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name stands twice in an object")
    return value
