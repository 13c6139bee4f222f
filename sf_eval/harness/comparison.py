"""The plan of a comparison: ordinary runs, each in its own folder below one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sf_eval.core.errors import UsageError
from sf_eval.data.opened import OpenBenchmark
from sf_eval.harness import output_dir
from sf_eval.harness.controls.conditions import FINGERPRINT
from sf_eval.harness.plan import MiniProgress, RunPlan, fingerprint_of, make_plan, placed
from sf_eval.harness.settings import RunSettings

NAME = "comparison"

# What each run of a comparison may have of its own; all else is the same for all of them.
_OF_A_RUN = frozenset(
    {
        "model", "weights", "revision", "num_frames", "slow_path", "decode_slow_attention", "max_new_tokens",
        "family", "options", *FINGERPRINT,
    }
)  # fmt: skip


@dataclass(frozen=True)
class ComparisonPlan:
    """What will be compared.

    Attributes:
        runs: by name, which is also the name of the run's folder in `output`; the first is the one that the
            others are references for.
    """

    runs: dict[str, RunPlan]
    output: Path

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes two comparisons the same; see `output_dir.choose`."""
        return _fingerprint(self.runs)


def make_comparison(
    settings: Sequence[RunSettings],
    *,
    progress: MiniProgress | None = None,
    opened: dict[str, OpenBenchmark] | None = None,
) -> ComparisonPlan:
    """Plan every run, so that a mistake in any shows before the first begins.

    Args:
        settings: one entry a run; `output`, the same for all, is the comparison's.
        opened: as of `make_plan`.

    Raises:
        UsageError, DataError, CheckpointError: as `make_plan`, of the first run that has one; two models
            whose folders would have one name.
        OutputError: the output directory is another comparison's, or a single run's.
    """
    output_dir.check(settings[0].output, {output_dir.COMPARISON: True})
    several = len({each.num_frames for each in settings}) > 1
    opened = {} if opened is None else opened
    runs: dict[str, RunPlan] = {}
    for each in settings:
        plan = make_plan(replace(each, output=None), progress=progress, opened=opened)
        frames = f"-{plan.card.num_frames}f" if several and plan.settings.conditions.shows_video else ""
        name = output_dir.folder_name(plan.card.name) + frames + plan.settings.conditions.slug
        if name in runs:
            raise UsageError(
                f"two of the models are called {plan.card.name}.", hint="Give one of them another name."
            )
        runs[name] = plan
    output = output_dir.choose(settings[0].output, NAME, _fingerprint(runs))
    return ComparisonPlan({name: placed(plan, output / name) for name, plan in runs.items()}, output)


def _fingerprint(runs: dict[str, RunPlan]) -> dict[str, Any]:
    each = {name: fingerprint_of(plan) for name, plan in runs.items()}
    common = next(iter(each.values()))
    return {
        output_dir.COMPARISON: True,
        **{key: value for key, value in common.items() if key not in _OF_A_RUN},
        output_dir.RUNS_OF_A_COMPARISON: {
            name: {key: value for key, value in run.items() if key in _OF_A_RUN} for name, run in each.items()
        },
    }
