"""`--judge URL --judge-model NAME`, of the commands that have open answers judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def judge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds both options."""
    judge = click.option(
        "--judge",
        metavar="URL",
        help="OpenAI-compatible address of who judges open answers; its key: $SF_EVAL_JUDGE_KEY.",
    )
    model = click.option("--judge-model", metavar="NAME", help="The judge's name there.")
    return judge(model(command))


def judge_of(url: str | None, model: str | None) -> Any:
    """What both options say (`JudgeSettings`), or None without them.

    Raises:
        UsageError: one without the other, or an address that is none.
    """
    from sf_eval.core.errors import UsageError
    from sf_eval.harness.judged.settings import JudgeSettings

    if url is None and model is None:
        return None
    if url is None or model is None:
        missing = "--judge URL" if url is None else "--judge-model NAME"
        raise UsageError("a judge takes an address and a model.", hint=f"Add {missing}.")
    return JudgeSettings(url, model)
