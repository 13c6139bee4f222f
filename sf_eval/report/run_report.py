"""The report of a run: what it writes beside its results, and what it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import Console

from sf_eval.core import files
from sf_eval.core.tables import Table, escaped, print_table, to_markdown
from sf_eval.harness.run import RESULTS, SAMPLES, RunOutput
from sf_eval.report import leaderboard, pareto, run_profile

LEADERBOARD_MD, LEADERBOARD_CSV = "leaderboard.md", "leaderboard.csv"
PROFILE_JSON, PROFILE_MD = "profile.json", "profile.md"
PARETO_MD, PARETO_SVG = "pareto.md", "pareto.svg"
BENCHMARKS_A_TABLE = 3


def write(output: RunOutput) -> None:
    """Write leaderboard and profile into the output directory, each whole or not at all.

    Raises:
        OutputError: the directory cannot be written.
    """
    folder = output.plan.output
    profile = run_profile.build(output)
    files.write_text(folder / LEADERBOARD_MD, leaderboard.markdown(output.record))
    files.write_text(folder / LEADERBOARD_CSV, leaderboard.csv_text(output.record))
    files.write_json(folder / PROFILE_JSON, profile)
    files.write_text(folder / PROFILE_MD, profile_markdown(profile))
    points = pareto.collect(output.record, folder)
    if points:
        files.write_text(
            folder / PARETO_MD, to_markdown(pareto.table(points, leaderboard.data_label(output.record)))
        )
        files.write_text(folder / PARETO_SVG, pareto.svg(points, leaderboard.data_label(output.record)))


def profile_markdown(profile: dict[str, Any]) -> str:
    tables = (
        run_profile.cost_table(profile),
        run_profile.group_table(profile),
        run_profile.latency_table(profile),
    )
    head = f"# {escaped('FLOPs and latency: ' + profile['title'] + ' on ' + profile['data'])}\n"
    caveats = "".join(f"- {escaped(caveat)}\n" for caveat in profile["caveats"])
    return "\n".join([head, caveats, *map(to_markdown, tables)])


def show(output: RunOutput, console: Console) -> None:
    """The tables on the terminal, then where everything is."""
    profile = run_profile.build(output)
    tables = [
        leaderboard.measured_table(output.record),
        leaderboard.failures_table(output.record),
        *_for_terminal(leaderboard.reported_table(output.record)),
        run_profile.cost_table(profile),
        run_profile.latency_table(profile),
        _comparison(output),
    ]
    for table in tables:
        if table is not None:
            print_table(console, table)
    names = (
        RESULTS,
        SAMPLES,
        LEADERBOARD_MD,
        LEADERBOARD_CSV,
        PROFILE_JSON,
        PROFILE_MD,
        PARETO_MD,
        PARETO_SVG,
    )
    present = [name for name in names if (output.plan.output / name).exists()]
    written = f"Written to {output.plan.output}: {', '.join(present)}"
    console.print(written, highlight=False, markup=False, soft_wrap=True)


def _comparison(output: RunOutput) -> Table | None:
    """Accuracy against cost, once there is more than one run to compare."""
    points = pareto.collect(output.record, output.plan.output)
    if len({point.run for point in points}) < 2:
        return None
    return pareto.table(points, leaderboard.data_label(output.record))


def _for_terminal(table: Table | None) -> list[Table]:
    """The published numbers without their sources, in pieces that fit a narrow terminal."""
    if table is None:
        return []
    benchmarks = range(2, len(table.columns) - 1)
    starts = range(0, len(benchmarks), BENCHMARKS_A_TABLE)
    pieces = [benchmarks[start : start + BENCHMARKS_A_TABLE] for start in starts]
    tables = []
    for number, piece in enumerate(pieces, start=1):
        kept = (0, 1, *piece)
        tables.append(
            replace(
                table,
                columns=tuple(table.columns[index] for index in kept),
                rows=tuple(tuple(row[index] for index in kept) for row in table.rows),
                notes=(*table.notes, f"Sources: {LEADERBOARD_MD}.") if number == len(pieces) else (),
            )
        )
    return tables
