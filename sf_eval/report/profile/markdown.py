"""`profile.md` and `profile.csv`."""

from __future__ import annotations

from dataclasses import fields

from sf_eval.core import tables
from sf_eval.profiler.record import Profile, ProfileRow
from sf_eval.report.profile.tables import all_tables, convention_line


def to_markdown(profile: Profile) -> str:
    """The findings and every table."""
    made = ", ".join(f"{name} {version}" for name, version in profile.versions.items())
    blocks = [
        f"# Profile of {tables.escaped(profile.model)}\n",
        "".join(f"- {tables.escaped(sentence)}\n" for sentence in profile.words),
        *(tables.to_markdown(table) for table in all_tables(profile)),
        f"Convention: {convention_line(profile)}.\n\nMade {profile.created} with {made}:\n",
        f"    {' '.join(profile.command.split())}\n",
    ]
    return "\n".join(blocks)


def to_csv(profile: Profile) -> str:
    """One line a row of the profile, FLOPs as integers; the breakdown's parts are columns `part_*`."""
    plain = [item.name for item in fields(ProfileRow) if item.name not in ("breakdown", "trace")]
    parts = list(dict.fromkeys(part for row in profile.rows for part in row.breakdown))
    columns = [*plain, "trace", *(f"part_{part}_flops" for part in parts)]
    return tables.to_csv(columns, (_csv_row(row, plain) for row in profile.rows))


def _csv_row(row: ProfileRow, plain: list[str]) -> dict[str, object]:
    parts = {f"part_{part}_flops": value for part, value in row.breakdown.items()}
    return {**{name: getattr(row, name) for name in plain}, "trace": row.trace.status, **parts}
