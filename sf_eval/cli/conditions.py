"""The options of `sf-eval run` that ask otherwise than a benchmark is, and the runs that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from sf_eval.harness.settings import RunSettings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--control",
        metavar="NAME[,NAME...]",
        help="Also run blind (no video), shuffled (another video), choice (no model: the most frequent right "
        "letter); docs/controls.md.",
    ),
    click.option("--control-only", is_flag=True, help="The controls alone, without the model's own run."),
    click.option(
        "--options",
        type=click.Choice(["as-given", "shuffled"]),
        default="as-given",
        show_default=True,
        help="shuffled: each question's options in another order.",
    ),
    click.option(
        "--subtitles",
        type=click.Choice(["none", "text", "interleaved"]),
        help="Benchmarks that have them: none, one text before the question, between the frames. Default: as "
        "the task's name says.",
    ),
    click.option("--options-seed", type=int, default=0, show_default=True, help="Which other order."),
)


def condition_options(command: _Command) -> _Command:
    """Give a command the options of `RunSettings.conditions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_conditions(
    settings: Sequence[RunSettings],
    *,
    control: str | None,
    control_only: bool,
    options: str,
    options_seed: int,
) -> list[RunSettings]:
    """Each run under the conditions asked for, and the controls behind them.

    A control without videos is the same for all numbers of frames, one without a model for all models.

    Raises:
        UsageError: an unknown control, or `--control-only` without any.
    """
    from sf_eval.core.errors import UsageError
    from sf_eval.harness.controls.conditions import Conditions, parse_controls

    controls = parse_controls(control)
    if control_only and not controls:
        raise UsageError("--control-only names no control.", hint="Add --control blind,shuffled,choice.")
    shuffled = options == "shuffled"
    plain = [
        replace(
            each,
            conditions=Conditions(
                options="shuffled" if shuffled else "as-given",
                video_seed=each.seed,
                options_seed=options_seed,
            ),
        )
        for each in settings
    ]
    runs = [] if control_only else list(plain)
    for name in controls:
        seen: set[str | None] = set()
        for each in plain:
            asked = replace(each.conditions, control=name)
            of = each.model if asked.asks_model else None
            if asked.shows_video or of not in seen:
                runs.append(replace(each, conditions=asked))
            seen.add(of)
    return runs
