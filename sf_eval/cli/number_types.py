"""Numbers as options take them, where click's own types take or say too much."""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A number within bounds; `nan`, which no comparison finds out of any bounds, is none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def whole_number(text: str, param: click.Parameter, ctx: click.Context, *, or_else: str = "") -> int:
    """A whole number from 1.

    Args:
        or_else: what the option takes beside numbers.

    Raises:
        BadParameter: it is none.
    """
    try:
        number = int(text)
    except ValueError:
        also = f" nor {or_else}" if or_else else ""
        said = f"{text.strip()!r} is {'neither' if also else 'not'} a whole number{also}."
        raise click.BadParameter(said, ctx, param) from None
    return int(click.IntRange(min=1)(number, param, ctx))
