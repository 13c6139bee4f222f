"""What stands beside every number of a run: conditions that are not the benchmark's own, and its setting."""

from __future__ import annotations

from collections.abc import Iterator

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import RunRecord


def condition_notes(record: RunRecord) -> Iterator[str]:
    """In what the run is not the benchmark as it is, and which of its settings it is."""
    asked = record.conditions
    if asked.control == "blind":
        yield "A control: no video was shown (blind); question and options alone."
    if asked.control == "shuffled":
        yield (
            "A control: every question was asked about another video of the same benchmark (shuffled, seed "
            f"{asked.video_seed})."
        )
    if asked.options == "shuffled":
        kept = asked.order_kept or 0
        said = f"; {kept} questions kept theirs, since it cannot be changed honestly" if kept else ""
        yield f"Each question's options stood in another order (seed {asked.options_seed}{said})."
    for task in record.tasks:
        if setting := catalog.get_benchmark(task.task).setting:
            yield f"{task.title}: {setting}"
