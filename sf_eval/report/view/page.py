"""`index.html` with the summary in it, and the scripts and the style that are the same for every page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sf_eval.core.tables import Table
from sf_eval.report import leaderboard
from sf_eval.report.comparison import tables
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.pair_tables import group_score_table
from sf_eval.report.comparison.record import ComparisonRecord
from sf_eval.report.model_label import model_label
from sf_eval.report.view import charts
from sf_eval.report.view.kept import Viewed, ViewedRun
from sf_eval.scoring.outcome import Outcome

INDEX = "index.html"
ASSETS = Path(__file__).parent / "assets"
TEMPLATE = "page.html.j2"
SCRIPTS = ("data.js", "dom.js", "list.js", "heat.js", "strip.js", "question.js", "main.js")
"""In the order in which they are loaded."""
STYLE, ICON = "view.css", "icon.svg"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
_LOOKS_NAMED = 8


def write(folder: Path, viewed: Viewed) -> None:
    """Write the page and what it loads, beside its data, into `folder`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    html = environment.get_template(TEMPLATE).render(
        policy=_POLICY,
        title=_title(viewed),
        data=leaderboard.data_label(viewed.runs[0].record),
        scripts=SCRIPTS,
        style=STYLE,
        icon=ICON,
        runs=viewed.runs,
        count=len(viewed.keys),
        looked=_looked(viewed),
        **(_of_runs(viewed) if viewed.comparison is None else _of_comparison(viewed.comparison)),
    )
    (folder / INDEX).write_text(html, encoding="utf-8")
    for name in (*SCRIPTS, STYLE, ICON):
        shutil.copyfile(ASSETS / name, folder / name)


def _title(viewed: Viewed) -> str:
    if viewed.comparison is None:
        return model_label(viewed.runs[0].record)
    first, *others = (run.name for run in viewed.runs)
    return f"{first} against {', '.join(others)}"


def _of_comparison(record: ComparisonRecord) -> dict[str, Any]:
    found = [
        tables.score_table(record),
        tables.gain_table(record),
        tables.gain_by_benchmark_table(record),
        group_score_table(record),
        tables.kind_table(record),
        tables.cost_table(record),
    ]
    return {
        "sentences": answer(record),
        "bars": charts.bars(record),
        "gains": charts.gains(record),
        "lines": charts.over_frames(record),
        "ticks": charts.frame_counts(record),
        "tables": [table for table in found if table is not None],
    }


def _of_runs(viewed: Viewed) -> dict[str, Any]:
    found: list[Table | None] = []
    for run in viewed.runs:
        record = run.record
        found += [leaderboard.measured_table(record), leaderboard.failures_table(record)]
        found += [leaderboard.reported_table(record), *leaderboard.breakdown_tables(record)]
    return {
        "sentences": [_sentence(run) for run in viewed.runs],
        "bars": [],
        "gains": None,
        "lines": [],
        "ticks": [],
        "tables": [table for table in found if table is not None],
    }


def _sentence(run: ViewedRun) -> str:
    """Right answers of those that could be judged, and what is beside them."""
    outcomes = [Outcome(sample.outcome) for sample in run.samples.values()]
    judged = [outcome for outcome in outcomes if outcome.is_scored]
    partly = judged.count(Outcome.partial)
    unjudged, waiting = outcomes.count(Outcome.unjudged), outcomes.count(Outcome.not_judged)
    failed = sum(outcome.is_failure for outcome in outcomes)
    said = f"{run.name}: {judged.count(Outcome.correct)} of {len(judged)} judged answers right"
    said += f", {partly} partly right" if partly else ""
    said += f", {unjudged} unjudged (their truth is not public)" if unjudged else ""
    said += f", {waiting} not judged (only a judge can tell)" if waiting else ""
    said += f", {failed} failed" if failed else ""
    return said + ("." if run.record.complete else "; the run was stopped before its end.")


def _looked(viewed: Viewed) -> list[tuple[str, str, str]]:
    """Link, question and run of some questions with a look, for the summary."""
    from urllib.parse import quote

    found: list[tuple[str, str, str]] = []
    for run in viewed.runs:
        for task, row in (key for key in run.samples if key in run.looks):
            sample = run.samples.get((task, row))
            if sample is not None and len(found) < _LOOKS_NAMED:
                document = run.documents.get((task, row))
                asked = sample.question_id if document is None else document.question
                link = f"#/q/{quote(task, safe='')}/{quote(sample.question_id, safe='')}"
                found.append((link, asked, run.name))
    return found
