"""What planning, asking and recording take a question: peak memory and seconds, with a stub for an engine.

Synthetic rows of Video-MME's format about empty files that nobody opens; everything else is the run's own:
annotations read and validated, digests, journal (each answer synced to disk), scores, samples.jsonl.

    python benchmarks/million.py --questions 100000 --questions 1000000
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from sf_eval.core import files
from sf_eval.harness import run
from sf_eval.harness.distributed.tally import WorkerStatus
from sf_eval.harness.facts import report_of
from sf_eval.harness.memory import measure
from sf_eval.harness.opened import Opened, OpeningWatcher, Took
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import Answer, Question, Result, StageTimings
from sf_eval.inference.families import open_model
from sf_eval.scoring.outcome import Outcome

OUT = Path("results/benchmarks/million.json")
PAGE = Path("docs/scaling.md")
VIDEOS = 1000
TIMINGS = StageTimings(0.5, 0.2, 0.01, 0.1, 0.05, 0.01, 8, 0.02, 3)


class StubEngine:
    """Answers "A" at once, as if 64 frames had been shown."""

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]:
        indices = tuple(range(0, 1920, 30))  # one for all questions of a video, as the engine has it
        for question in questions:
            yield Answer(
                question.key, question.text(), "A", 64, indices, 3000, 2900, 9000, 2, "stop", TIMINGS
            )


class Silent:
    """Nobody watches."""

    def stage(self, text: str) -> None: ...
    def begin(self, total: int, *, waiting_s: Callable[[], float]) -> None: ...
    def workers(self, status: Sequence[WorkerStatus]) -> None: ...
    def result(
        self, result: Result, *, resumed: bool, outcome: Outcome, video: str, credit: float | None = None
    ) -> None: ...


def write_rows(folder: Path, count: int) -> None:
    """`count` questions about `VIDEOS` files."""
    for number in range(VIDEOS):
        (folder / "data").mkdir(exist_ok=True, parents=True)
        (folder / "data" / f"v{number}.mp4").touch()
    with (folder / "videomme.jsonl").open("w", encoding="utf-8") as stream:
        for number in range(count):
            stream.write(json.dumps(_row(number)) + "\n")


def _row(number: int) -> dict[str, Any]:
    video = number % VIDEOS
    return {
        "video_id": f"{video:04d}",
        "duration": ("short", "medium", "long")[video % 3],
        "domain": "Knowledge",
        "sub_category": "Humanity & History",
        "url": "",
        "videoID": f"v{video}",
        "question_id": f"{video:04d}-{number // VIDEOS}",
        "task_type": "Information Synopsis",
        "question": f"What is the genre of part {number // VIDEOS} of this video, seen as a whole?",
        "options": ["A. News report.", "B. It is a documentary.", "C. A lecture.", "D. None of the above."],
        "answer": "ABCD"[number % 4],
    }


@contextmanager
def stubbed(plan: RunPlan, _: OpeningWatcher) -> Iterator[Opened]:
    model = open_model(plan.card)
    report = report_of(plan.card, model, attn="sdpa", video_backend="pyav", batch_size=8, share=True)
    yield Opened(report, StubEngine(), lambda: 0.0, lambda: Took(measure(model.device), 0.0, ()))


def once(count: int, folder: Path) -> dict[str, Any]:
    """One run in this process."""
    write_rows(folder / "rows", count)
    before = _peak()
    started = time.perf_counter()
    settings = RunSettings("mini", "videomme", str(folder / "rows"), output=folder / "run", device="cpu")
    plan = make_plan(settings)
    planned, planned_peak = time.perf_counter() - started, _peak()
    output = run.execute(plan, Silent(), opening=stubbed)
    assert sum(task.questions_asked for task in output.record.tasks) == count
    return {
        "questions": count,
        "imports_bytes": before,
        "planned_bytes": planned_peak,
        "peak_bytes": _peak(),
        "plan_s": round(planned, 1),
        "run_s": round(time.perf_counter() - started - planned, 1),
        "samples_bytes": (folder / "run" / "samples.jsonl").stat().st_size,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [
        "| questions | peak memory | of it beyond the imports, a question | plan | ask and record |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        beyond = (row["peak_bytes"] - row["imports_bytes"]) / row["questions"]
        lines.append(
            f"| {row['questions']:,} | {row['peak_bytes'] / 1e9:.2f} GB | {beyond / 1e3:.1f} kB | "
            f"{row['plan_s']} s | {row['run_s']} s |"
        )
    return "\n".join(lines)


@click.command()
@click.option("--questions", type=int, multiple=True, default=(10_000, 100_000), show_default=True)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=None, help="Where runs are written; then removed."
)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
@click.option("--page", type=click.Path(path_type=Path), default=PAGE, show_default=True)
@click.option("--once", "alone", is_flag=True, hidden=True)
def main(questions: tuple[int, ...], folder: Path | None, out: Path, page: Path, alone: bool) -> None:
    """Each number of questions in a process of its own; write the figures and the table in the page."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        if alone:
            click.echo(json.dumps(once(questions[0], Path(place))))
            return
    rows = []
    for count in questions:
        command = [sys.executable, __file__, "--once", "--questions", str(count)]
        command += [] if folder is None else ["--folder", str(folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        click.echo(table(rows))
    files.write_json(out, {"schema_version": 1, "runs": rows})
    before, _, rest = page.read_text(encoding="utf-8").partition("<!-- million -->\n")
    after = rest.partition("<!-- /million -->")[2]
    files.write_text(page, f"{before}<!-- million -->\n{table(rows)}\n<!-- /million -->{after}")


if __name__ == "__main__":
    main()
