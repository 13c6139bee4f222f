"""The report of a run: what it writes beside its results, and what it shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rich.console import Console

from sf_eval.core import files
from sf_eval.core.tables import Table, print_table, to_markdown
from sf_eval.harness.run import RESULTS, SAMPLES, RunOutput
from sf_eval.report import leaderboard, run_profile

LEADERBOARD_MD, LEADERBOARD_CSV = "leaderboard.md", "leaderboard.csv"
PROFILE_JSON, PROFILE_MD = "profile.json", "profile.md"


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


def profile_markdown(profile: dict[str, Any]) -> str:
    tables = (
        run_profile.cost_table(profile),
        run_profile.group_table(profile),
        run_profile.latency_table(profile),
    )
    head = f"# FLOPs and latency: {profile['title']} on {profile['data']}\n"
    caveats = "".join(f"- {caveat}\n" for caveat in profile["caveats"])
    return "\n".join([head, caveats, *map(to_markdown, tables)])


def show(output: RunOutput, console: Console) -> None:
    """The tables on the terminal, then where everything is."""
    profile = run_profile.build(output)
    tables = [
        leaderboard.measured_table(output.record),
        leaderboard.failures_table(output.record),
        _without_sources(leaderboard.reported_table(output.record)),
        run_profile.cost_table(profile),
        run_profile.latency_table(profile),
    ]
    for table in tables:
        if table is not None:
            print_table(console, table)
    names = (RESULTS, SAMPLES, LEADERBOARD_MD, LEADERBOARD_CSV, PROFILE_JSON, PROFILE_MD)
    console.print(f"Written to {output.plan.output}: {', '.join(names)}", highlight=False, soft_wrap=True)


def _without_sources(table: Table | None) -> Table | None:
    """The terminal is narrow: the sources are in leaderboard.md."""
    if table is None:
        return None
    return replace(
        table,
        columns=table.columns[:-1],
        rows=tuple(row[:-1] for row in table.rows),
        notes=(*table.notes, f"Sources: {LEADERBOARD_MD}."),
    )
