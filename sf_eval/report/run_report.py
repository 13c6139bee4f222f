"""The report of a run: what it writes beside its results, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from sf_eval.core import files
from sf_eval.core.tables import Table, escaped, print_table, to_markdown
from sf_eval.core.text import printable
from sf_eval.harness.recording import RESULTS, SAMPLES, RunOutput
from sf_eval.report import leaderboard, pareto, run_profile
from sf_eval.report.run_answer import answer
from sf_eval.report.run_profile_record import RunProfile

LEADERBOARD_MD, LEADERBOARD_CSV = "leaderboard.md", "leaderboard.csv"
PROFILE_JSON, PROFILE_MD = "profile.json", "profile.md"
PARETO_MD, PARETO_SVG = "pareto.md", "pareto.svg"
DETAILS = {
    LEADERBOARD_MD: " (beside published numbers, by category)",
    PROFILE_MD: " (FLOPs and latency)",
    PARETO_MD: " (beside other runs)",
    SAMPLES: " (question by question)",
    RESULTS: "",
    LEADERBOARD_CSV: "",
    PROFILE_JSON: "",
    PARETO_SVG: "",
}
"""The files that the screen names, and what it says of them."""


@dataclass(frozen=True)
class Report:
    """What the files and the screen both show, worked out once."""

    profile: RunProfile
    comparison: Table | None


def write(output: RunOutput) -> Report:
    """Write leaderboard and profile into the output directory, each whole or not at all.

    Returns:
        What was written, for `show`.

    Raises:
        OutputError: the directory cannot be written.
    """
    folder = output.folder
    profile = run_profile.build(output)
    files.write_text(folder / LEADERBOARD_MD, leaderboard.markdown(output.record))
    files.write_text(folder / LEADERBOARD_CSV, leaderboard.csv_text(output.record))
    files.write_json(folder / PROFILE_JSON, profile.model_dump(mode="json"))
    files.write_text(folder / PROFILE_MD, profile_markdown(profile))
    points = pareto.collect(output.record, folder)
    if not points:
        return Report(profile, None)
    data = leaderboard.data_label(output.record)
    comparison = pareto.table(points, data)
    files.write_text(folder / PARETO_MD, to_markdown(comparison))
    files.write_text(folder / PARETO_SVG, pareto.svg(points, data))
    # One run alone is no comparison: it is kept in the file, and not shown.
    return Report(profile, comparison if len({point.run for point in points}) > 1 else None)


def profile_markdown(profile: RunProfile) -> str:
    tables = (
        run_profile.cost_table(profile),
        run_profile.group_table(profile),
        run_profile.latency_table(profile),
    )
    head = f"# {escaped(f'FLOPs and latency: {profile.title} on {profile.data}')}\n"
    caveats = "".join(f"- {escaped(caveat)}\n" for caveat in profile.caveats)
    return "\n".join([head, caveats, *map(to_markdown, tables)])


def show(output: RunOutput, report: Report, console: Console, *, all_tables: bool = False) -> None:
    """The answer, a short table, and where the details are.

    Args:
        all_tables: every table of the files instead of the one.
    """
    for sentence in answer(output, report.profile):
        console.print(Text(printable(sentence)))
    console.print()
    short = (leaderboard.measured_table(output.record, folded=True),)
    for table in _all(output, report) if all_tables else short:
        if table is not None:
            print_table(console, table)
    present = [f"{name}{says}" for name, says in DETAILS.items() if (output.folder / name).exists()]
    details = f"Details in {output.folder}: {', '.join(present)}."
    console.print(details, highlight=False, markup=False, soft_wrap=True)


def _all(output: RunOutput, report: Report) -> tuple[Table | None, ...]:
    return (
        leaderboard.measured_table(output.record),
        leaderboard.failures_table(output.record),
        _without_sources(leaderboard.reported_table(output.record)),
        run_profile.cost_table(report.profile),
        run_profile.latency_table(report.profile),
        report.comparison,
    )


def _without_sources(table: Table | None) -> Table | None:
    """The published numbers; the terminal is narrow, and the sources are in leaderboard.md."""
    if table is None:
        return None
    return replace(
        table,
        columns=table.columns[:-1],
        rows=tuple(row[:-1] for row in table.rows),
        notes=(*table.notes, f"Sources: {LEADERBOARD_MD}."),
    )
