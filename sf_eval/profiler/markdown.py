"""`profile.md` and `profile.csv`."""

from __future__ import annotations

import csv
import io
from dataclasses import fields

from sf_eval.profiler.record import Profile, ProfileRow
from sf_eval.profiler.tables import Table, all_tables, convention_line


def to_markdown(profile: Profile) -> str:
    """The findings and every table."""
    blocks = [f"# Profile of {_escaped(profile.model)}", ""]
    blocks += [f"- {_escaped(sentence)}" for sentence in profile.words]
    for table in all_tables(profile):
        blocks += ["", f"## {_escaped(table.title)}", "", *_table_lines(table)]
        if table.note:
            blocks += ["", _escaped(table.note)]
    made = ", ".join(f"{name} {version}" for name, version in profile.versions.items())
    blocks += ["", f"Convention: {convention_line(profile)}.", "", f"Made {profile.created} with {made}:"]
    return "\n".join([*blocks, "", f"    {profile.command}", ""])


def _table_lines(table: Table) -> list[str]:
    ruler = ["---" if index < table.text_columns else "---:" for index in range(len(table.columns))]
    lines = [table.columns, tuple(ruler), *table.rows]
    return ["| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines]


def _escaped(cell: str) -> str:
    """Names come from directories and cards: nothing in them may become markup."""
    for character in "\\`|<>[]":
        cell = cell.replace(character, "\\" + character)
    return cell.replace("\n", " ")


def to_csv(profile: Profile) -> str:
    """One line a row of the profile, FLOPs as integers; the breakdown's parts are columns `part_*`."""
    plain = [item.name for item in fields(ProfileRow) if item.name not in ("breakdown", "trace")]
    parts = list(dict.fromkeys(part for row in profile.rows for part in row.breakdown))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*plain, "trace", *(f"part_{part}_flops" for part in parts)])
    for row in profile.rows:
        values = [getattr(row, name) for name in plain]
        writer.writerow([*values, row.trace.status, *(row.breakdown.get(part, "") for part in parts)])
    return out.getvalue()
