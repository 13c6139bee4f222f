"""`sf-eval leaderboard`: all runs below directories and the published models in one table, told apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark, Group
from sf_eval.core.errors import DataError, OutputError, UsageError, nearest
from sf_eval.core.tables import ABSENT, Table, percent, to_csv
from sf_eval.harness.finished import read_finished
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recording import RESULTS
from sf_eval.report.caveats import caveats, is_mini
from sf_eval.report.export.flat import latex
from sf_eval.report.leaderboard import Entry, data_label, entries
from sf_eval.report.model_label import model_label
from sf_eval.report.published import published_models
from sf_eval.report.settled import score_cell, settled_by, settled_notes

MEASURED: Final = "measured"
REPORTED: Final = "reported"
APART: Final = " *"
"""Stands behind a benchmark whose scores were settled in different ways."""
_REAL = "real benchmark"
CSV_COLUMNS = (
    "kind", "model", "frames", "data", "complete", "benchmark", "accuracy", "interval95_low",
    "interval95_high", "n", "parts", "parts_total", "source", "settled",
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """A benchmark's accuracy in percent; what was reported has neither interval nor n nor parts.

    Attributes:
        accuracy: None where no answer was judged.
        shown: what a table says of it, without interval and parts.
        ways: by whom or what each of its tasks was settled (`settled.settled_by`), where that was no letter.
        settled: the same in sentences; "" where letters did.
        parts: of how many subtasks or categories it is the mean, of `parts_total` in all.
    """

    accuracy: float | None
    shown: str
    interval95: tuple[float, float] | None = None
    n: int | None = None
    parts: int | None = None
    parts_total: int | None = None
    ways: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    settled: str = ""

    @property
    def missing(self) -> str:
        """ " (2 of 20)" where parts of the mean are missing, else empty."""
        if self.accuracy is None or self.parts is None or self.parts_total is None:
            return ""
        if self.parts >= self.parts_total:
            return ""
        return f" ({self.parts} of {self.parts_total})"


@dataclass(frozen=True)
class Row:
    """A model on one data.

    Attributes:
        frames: as text; "" where nobody said.
        complete: False for a run that was stopped.
        cells: by benchmark.
        source: the run's folder, or where it was reported.
    """

    kind: Literal["measured", "reported"]
    model: str
    frames: str
    data: str
    complete: bool
    cells: dict[str, Cell]
    source: str


@dataclass(frozen=True)
class Board:
    """Rows in the order asked for.

    Attributes:
        titles: of the benchmarks, by name, in the order of the columns: those that were measured first.
        notes: what a reader must know.
        skipped: folders with results that could not be read, and why.
    """

    rows: list[Row]
    titles: dict[str, str]
    notes: list[str]
    skipped: list[str]


def board(folders: Sequence[Path], *, sort: str | None = None, published: bool = True) -> Board:
    """The board of every run below `folders`.

    Args:
        sort: a benchmark's name, "model", "frames", or None for the order measured, reported.
        published: whether the published models are in it, with all columns of the published table.

    Raises:
        UsageError: a folder that does not exist, no run below any, or nothing of that name to sort by.
    """
    rows: list[Row] = []
    titles: dict[str, str] = {}
    columns: dict[str, str] = {}
    notes: dict[str, list[str]] = {}
    skipped = []
    for path in _results(folders):
        try:
            record = read_finished(path).output.record
        except (OutputError, DataError) as error:
            skipped.append(str(error))
            continue
        rows.append(_measured(record, path))
        for entry in entries(record, folded=True):
            titles.setdefault(entry.name, entry.benchmark)
            if entry.column:
                columns[entry.name] = entry.column
        for caveat in caveats(record):
            notes.setdefault(caveat, []).append(str(path))
    if not rows:
        raise UsageError(f"no run of sf-eval lies below {', '.join(map(str, folders))}.")
    said = [
        caveat if len(where) == len(rows) else f"{', '.join(where)}: {caveat}"
        for caveat, where in notes.items()
    ]
    if published:
        for name, (title, column) in published_columns().items():
            titles.setdefault(name, title)
            columns[name] = column
        rows += _reported(columns)
    apart = {name: how for name in titles if (how := _apart(rows, name))}
    said += [f"{APART.strip()} {titles[name]}: {how}: not comparable." for name, how in apart.items()]
    marked = {name: title + APART * (name in apart) for name, title in titles.items()}
    return Board(_sorted(rows, sort, titles), marked, said, skipped)


def published_columns() -> dict[str, tuple[str, str]]:
    """Title and column of the published table of each benchmark, or group of them, that has one, by name."""
    found: dict[str, tuple[str, str]] = {}
    for name in catalog.benchmark_names():
        benchmark = catalog.get_benchmark(name)
        own: Benchmark | Group = benchmark if benchmark.group is None else benchmark.group
        if own.published_column is not None:
            found[own.name] = (own.title, own.published_column)
    return found


def board_table(found: Board) -> Table:
    """One row a model; "kind" tells measured from reported."""
    columns = ("kind", "model", "frames", "data", *found.titles.values(), "source")
    rows = tuple(
        (
            row.kind if row.complete else f"{row.kind}, partial",
            row.model,
            row.frames or ABSENT,
            row.data,
            *(_shown(row.cells.get(name)) for name in found.titles),
            row.source,
        )
        for row in found.rows
    )
    notes = (
        "Measured: by sf-eval, with 95% interval. Reported: by their authors or third parties on the real "
        "benchmarks, not measured here. A mean that lacks parts says of how many it is.",
        *found.notes,
    )
    return Table("Leaderboard", columns, rows, frozenset({"frames", *found.titles.values()}), notes)


def board_csv(found: Board) -> str:
    """One line an accuracy."""
    return to_csv(CSV_COLUMNS, list(_csv_lines(found)))


def board_latex(found: Board) -> str:
    """A table for a paper (package booktabs)."""
    names = list(found.titles)
    head = " & ".join(latex(text) for text in ("kind", "model", "frames", *found.titles.values()))
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        f"\\begin{{tabular}}{{llr{'r' * len(names)}}}",
        "\\toprule",
        f"{head} \\\\",
        "\\midrule",
    ]
    for row in found.rows:
        kind = row.kind if row.complete else f"{row.kind}, partial"
        model = row.model if row.data == _REAL else f"{row.model} ({row.data})"
        shown = [row.cells.get(name) for name in names]
        accuracies = [ABSENT if cell is None else cell.shown + cell.missing for cell in shown]
        cells = (kind, model, row.frames or ABSENT, *accuracies)
        lines.append(" & ".join(map(latex, cells)) + " \\\\")
    said = " ".join(["Percent right; reported: not measured here.", *found.notes])
    lines += ["\\bottomrule", "\\end{tabular}", f"\\caption{{{latex(said)}}}", "\\end{table}", ""]
    return "\n".join(lines)


def _results(folders: Sequence[Path]) -> list[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder.", hint="Give one with runs below it.")
    return list(dict.fromkeys(found.parent for folder in folders for found in sorted(folder.rglob(RESULTS))))


def _measured(record: RunRecord, path: Path) -> Row:
    return Row(
        kind=MEASURED,
        model=model_label(record),
        frames=str(record.model.num_frames),
        data=data_label(record) if is_mini(record) else _REAL,
        complete=record.complete,
        cells={entry.name: _cell(entry, record) for entry in entries(record, folded=True)},
        source=str(path),
    )


def _cell(entry: Entry, record: RunRecord) -> Cell:
    tasks = [task for task in record.tasks if task.task in entry.tasks]
    score = entry.score
    return Cell(
        score.accuracy,
        score_cell(score),
        score.interval95,
        score.n,
        score.parts,
        score.parts_total,
        ways={task.task: way for task in tasks if task.score.n and (way := settled_by(task))},
        settled=" ".join(settled_notes(tasks)),
    )


def _apart(rows: Sequence[Row], name: str) -> str:
    """How the scores on a benchmark were settled differently; "" where they were settled alike."""
    cells = [row.cells[name] for row in rows if name in row.cells]
    ways: dict[str, dict[tuple[str, str], None]] = {}
    for cell in cells:
        for task, way in cell.ways.items():
            ways.setdefault(task, {})[way] = None
    is_reported = any(row.kind == REPORTED and name in row.cells for row in rows)
    differing = {way[0]: None for each in ways.values() if len(each) > 1 for way in each}
    if differing:
        return f"settled by different judges, prompts or lexicons ({', '.join(differing)})"
    judges = {way[0]: None for each in ways.values() for way in each}
    return (
        f"measured ones were settled by {', '.join(judges)}, reported ones as their authors did"
        if judges and is_reported
        else ""
    )


def _reported(columns: dict[str, str]) -> Iterator[Row]:
    for model in published_models():
        cells = {
            name: Cell(model.accuracies[column], percent(model.accuracies[column]))
            for name, column in columns.items()
            if column in model.accuracies
        }
        if cells:
            yield Row(REPORTED, model.model, model.frames, _REAL, True, cells, model.source)


def _sorted(rows: list[Row], sort: str | None, titles: dict[str, str]) -> list[Row]:
    if sort is None:
        return rows
    if sort == "model":
        return sorted(rows, key=lambda row: row.model.casefold())
    if sort == "frames":
        return sorted(rows, key=lambda row: int(row.frames or 0))
    if sort not in titles:
        raise UsageError(
            f"--sort: no run has a score on {sort}.", hint=nearest(sort, [*titles, "model", "frames"])
        )
    return sorted(rows, key=lambda row: _descending(row.cells.get(sort)))


def _descending(cell: Cell | None) -> float:
    """Best first; what has no accuracy comes last."""
    return 1.0 if cell is None or cell.accuracy is None else -cell.accuracy


def _shown(cell: Cell | None) -> str:
    if cell is None:
        return ABSENT
    if cell.interval95 is None:
        return cell.shown + cell.missing
    low, high = cell.interval95
    return f"{cell.shown} [{low:.0f}, {high:.0f}]{cell.missing}"


def _csv_lines(found: Board) -> Iterator[dict[str, object]]:
    for row in found.rows:
        for name, cell in row.cells.items():
            low, high = cell.interval95 or (None, None)
            yield {
                "kind": row.kind,
                "model": row.model,
                "frames": row.frames,
                "data": row.data,
                "complete": "yes" if row.complete else "partial",
                "benchmark": name,
                "accuracy": cell.accuracy,
                "interval95_low": low,
                "interval95_high": high,
                "n": cell.n,
                "parts": cell.parts,
                "parts_total": cell.parts_total,
                "source": row.source,
                "settled": cell.settled,
            }
