"""A judge's words into a verdict: one JSON object of the asked form, or nothing."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

# What chat models put around JSON, and nothing else may.
_FENCE = re.compile(r"\s*```(?:json)?\s*\n(?P<inside>.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)
_SHOWN = 200


class VerdictError(ValueError):
    """The judge's words are no verdict."""


def _small(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


class _Match(BaseModel):
    pred: Annotated[Literal["yes", "no"], BeforeValidator(_small)]
    score: int = Field(strict=True, ge=0, le=5)


class _Choice(BaseModel):
    answer: Annotated[str, BeforeValidator(_small), Field(strict=True, pattern=r"^([a-h]|none)$")]


_Form = TypeVar("_Form", bound=BaseModel)


def yes_or_no(said: str) -> bool:
    """Read `{"pred": "yes", "score": 4}`.

    Raises:
        VerdictError: anything else.
    """
    return _read(_Match, said).pred == "yes"


def chosen(said: str) -> str:
    """Read `{"answer": "B"}`: the letter, or "NONE".

    Raises:
        VerdictError: anything else.
    """
    return _read(_Choice, said).answer.upper()


def _read(form: type[_Form], said: str) -> _Form:
    fenced = _FENCE.fullmatch(said)
    try:
        return form.model_validate_json(said if fenced is None else fenced["inside"])
    except ValidationError as error:
        raise VerdictError(f"the judge gave no verdict: {said[:_SHOWN]!r}") from error
