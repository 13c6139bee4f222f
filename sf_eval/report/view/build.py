"""Builds the page's folder: `index.html`, scripts and style, `data/` and `frames/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from sf_eval.benchmarks import catalog
from sf_eval.core import files
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.report.model_label import with_words
from sf_eval.report.view import chunks, frames, page, questions
from sf_eval.report.view.kept import Key, Viewed, ViewedRun

FOLDER = "view"
VERSION = 1
_MARK = "sf-eval-view.txt"
_ROWS_A_PART = 2_000

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PagePlan:
    """What will be written.

    Attributes:
        side: of a frame's tile in pixels; None leaves frames out.
        data_bytes, frame_bytes: about what data and pictures will take.
    """

    viewed: Viewed
    output: Path
    side: int | None
    data_bytes: int
    frame_bytes: int


def plan_page(viewed: Viewed, output: Path | None, *, with_frames: bool, budget: int) -> PagePlan:
    """Say beforehand what the page takes.

    Args:
        output: default: `view/` in the folder itself.
        budget: most bytes of pictures.

    Raises:
        UsageError: not even the smallest pictures fit the budget.
        OutputError: `output` holds something else than a page of ours.
    """
    where = viewed.folder / FOLDER if output is None else output
    if where.exists() and not (where / _MARK).is_file() and (not where.is_dir() or any(where.iterdir())):
        raise OutputError(f"--output {where} is not a page of sf-eval.", hint="Name a new directory.")
    side = frames.largest_side(viewed.runs, budget) if with_frames else None
    if with_frames and side is None:
        least = frames.estimated_bytes(viewed.runs, frames.SIDES[-1])
        raise UsageError(
            f"the frames would take about {least / 1e6:,.0f} MB even at {frames.SIDES[-1]} pixels.",
            hint=f"Allow it (--budget {least // 1_000_000 + 1}) or leave them out (--no-frames).",
        )
    texts = sum(chunks.size(sample.model_dump()) for run in viewed.runs for sample in run.samples.values())
    looked = sum(
        4 * look.grid.size + 8 * look.frames.size for run in viewed.runs for look in run.looks.values()
    )
    pictures = frames.estimated_bytes(viewed.runs, side) if side else 0
    return PagePlan(viewed, where, side, texts + looked, pictures)


def build(plan: PagePlan, *, data: str | None, progress: Progress) -> Path:
    """Write the page, whole or not at all; returns the file to open.

    Args:
        data: as `--data` of a run, where a run's own cannot be had any more.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        plan.output.parent.mkdir(parents=True, exist_ok=True)
        with (
            FileLock(plan.output.parent / f".{plan.output.name}.lock"),
            files.replacing_folder(plan.output) as folder,
        ):
            _fill(folder, plan, data, progress)
    except OSError as error:
        raise files.output_error(plan.output, error) from error
    return plan.output / page.INDEX


def _fill(folder: Path, plan: PagePlan, data: str | None, progress: Progress) -> None:
    viewed = plan.viewed
    (folder / _MARK).write_text(
        "A page that `sf-eval view` made; it is replaced as a whole.\n", encoding="utf-8"
    )
    strips = _strips(folder, plan, data, progress)
    looks = _write_looks(folder, viewed)
    tasks = list(dict.fromkeys(questions.first_sample(viewed, key).task for key in viewed.keys))
    facets = questions.facets_of(viewed)
    place_of: dict[Key, int] = {}
    keys = iter(viewed.keys)
    count = 0
    for count, chunk in enumerate(questions.chunks(viewed, strips, looks), start=1):
        progress("questions", len(place_of), len(viewed.keys))
        place_of.update({next(keys): count for _ in chunk.questions})
        chunks.write(folder, f"chunk-{count:04d}", chunk.as_json())
    parts = 0
    for parts, batch in enumerate(chunks.batches(viewed.keys, _ROWS_A_PART), start=1):
        rows = [questions.row(viewed, key, place_of[key], tasks, facets) for key in batch]
        chunks.write(folder, f"rows-{parts:03d}", rows)
        chunks.write(folder, f"text-{parts:03d}", [questions.searched(viewed, key) for key in batch])
    progress("questions", len(place_of), len(viewed.keys))
    chunks.write(folder, "meta", _meta(viewed, tasks, facets, parts=parts, chunk_count=count))
    page.write(folder, viewed)


def _strips(
    folder: Path, plan: PagePlan, data: str | None, progress: Progress
) -> list[Mapping[Key, frames.Shown]]:
    viewed = plan.viewed
    if plan.side is None:
        why_not = "the page was made without frames (--no-frames)"
        return [
            {key: frames.without_pictures(run, key, why_not) for key in run.samples} for run in viewed.runs
        ]
    pictures: frames.Pictures = {}
    return [
        frames.decode(
            run, frames.Clips(run, data), folder, side=plan.side, pictures=pictures, progress=progress
        )
        for run in viewed.runs
    ]


def _write_looks(folder: Path, viewed: Viewed) -> dict[tuple[int, Key], str]:
    """One script each, loaded when its question is opened."""
    names: dict[tuple[int, Key], str] = {}
    for number, run in enumerate(viewed.runs):
        for key, look in run.looks.items():
            if key in run.samples:
                names[number, key] = name = f"look-{len(names) + 1:04d}"
                chunks.write(folder, name, questions.look_json(look))
    return names


def _meta(
    viewed: Viewed, tasks: list[str], facets: list[questions.Facet], *, parts: int, chunk_count: int
) -> dict[str, Any]:
    return {
        "version": VERSION,
        "runs": [_run(run) for run in viewed.runs],
        "tasks": [[task, catalog.get_benchmark(task).title] for task in tasks],
        "facets": [[facet.name, list(facet.values)] for facet in facets],
        "outcomes": questions.OUTCOMES,
        "count": len(viewed.keys),
        "parts": parts,
        "chunks": chunk_count,
    }


def _run(run: ViewedRun) -> dict[str, Any]:
    model = run.record.model
    return {
        "name": run.name,
        "title": with_words(model.title, run.record.conditions.words),
        "frames": model.num_frames,
        "slow_path": model.slow_path == "on",
        "complete": run.record.complete,
    }
