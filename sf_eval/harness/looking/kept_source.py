"""Where the data of a kept run lies. Needs no model."""

from __future__ import annotations

from sf_eval.core.errors import UsageError
from sf_eval.data.source import DataSource, parse_source
from sf_eval.editions import LABEL
from sf_eval.harness.record import RunFacts


def source_of(facts: RunFacts, task: str, data: str | None = None) -> DataSource:
    """Where the data of one of the run's tasks came from, or `data` if that is given.

    The Hub's is that of the very commit that the run had.

    Raises:
        UsageError: nothing tells, or it is there no more.
    """
    if data is not None:
        return parse_source(data)
    recorded = facts.settings.get("data")
    if recorded is None and facts.data == LABEL:
        recorded = "mini"  # runs of earlier versions tell no more than the label
    if recorded is None:
        raise UsageError("the run does not tell where its data lies.", hint="Say it: --data DIR.")
    commits = {planned.task: planned.revision for planned in facts.planned}
    return parse_source(str(recorded), commits.get(task) if recorded == "hub" else None)
