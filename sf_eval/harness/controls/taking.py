"""Which benchmarks a model, or a control, can be asked at all."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark
from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import UsageError
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import families


def that_can_be_asked(
    benchmarks: Sequence[Benchmark], card: ModelCard, settings: RunSettings
) -> tuple[list[Benchmark], tuple[str, ...]]:
    """The benchmarks that can, and a line on those that only a group or "all" named and that cannot.

    Raises:
        UsageError: one of those was asked for by its name or by `--subtitles`, or none is left.
    """
    kept, notes = list(benchmarks), []
    for without, why, hint in _refusals(benchmarks, card, settings):
        names = ", ".join(benchmark.name for benchmark in without)
        by_name = {benchmark.name for benchmark in catalog.resolve_tasks(settings.tasks, groups=False)}
        kept = [benchmark for benchmark in kept if benchmark not in without]
        if not kept or settings.subtitles is not None or any(each.name in by_name for each in without):
            raise UsageError(f"{why} ({names}).", hint=hint)
        notes.append(f"Left out: {why} ({names}).")
    return kept, tuple(notes)


def _refusals(
    benchmarks: Sequence[Benchmark], card: ModelCard, settings: RunSettings
) -> list[tuple[list[Benchmark], str, str]]:
    """Benchmarks that cannot be asked, why, and what to do instead."""
    found = []
    interleaved = [benchmark for benchmark in benchmarks if benchmark.subtitles == "interleaved"]
    if interleaved and settings.conditions.shows_video and not families.can_interleave(card):
        why = f"{card.name} takes no text between the frames of a video"
        found.append((interleaved, why, "Show the subtitles as one text: --subtitles text."))
    without_letters = [benchmark for benchmark in benchmarks if benchmark.settled_by != "letter"]
    if without_letters and settings.conditions.control == "choice":
        why = "--control choice: questions without options have no most frequent letter"
        found.append((without_letters, why, "Leave them out."))
    return found
