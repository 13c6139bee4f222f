"""What was found, on disk, as tables and as a sentence.

python -m sf_eval.training.when.report prints the JSON schema of the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.tables import Table, to_markdown
from sf_eval.scoring.intervals import Observation, interval95, mean_of_means
from sf_eval.training.learning_report import LearningReport, Record, begun_or, versions_of
from sf_eval.training.when.learning import Budget, Rope
from sf_eval.training.when.questions import WHEN_KINDS

FILE, PAGE = "mini_when.json", "mini_when.md"
_BEFORE_TRAINING = "the shipped model"


class KindScore(Record):
    """Accuracy on one kind of question, a share of 1, with its 95% interval (clustered by video)."""

    accuracy: float
    interval95: tuple[float, float]
    questions: int
    videos: int


class WhenRun(Record):
    """One training, or none.

    Attributes:
        rope: how its slow keys are: "published" or "own".
        seed: of the training; None for the shipped model as it is.
        kinds: by name; "when" is all kinds that ask when, each as much as the next.
        loss: of training, mean of the last steps, in nats; None where nothing was trained.
    """

    rope: Rope
    seed: int | None
    kinds: dict[str, KindScore]
    loss: float | None


class WhenReport(LearningReport):
    """`mini_when.json` (docs/schemas/mini_when.schema.json).

    Attributes:
        budget: steps, videos, learning rate; a report of another budget is not continued.
        command: the last that worked on it.
    """

    runs: tuple[WhenRun, ...] = ()

    @classmethod
    def open(cls, folder: Path, budget: Budget, command: str) -> WhenReport:
        """What `folder` holds of this learning; an empty report where it holds nothing.

        Raises:
            OutputError: it holds a learning with another budget, or a file that cannot be read.
        """
        versions = versions_of("torch", "transformers", "timm", "av")
        return begun_or(cls(command=command, versions=versions, budget=asdict(budget)), folder / FILE)

    def has(self, rope: Rope, seed: int | None) -> bool:
        return any((run.rope, run.seed) == (rope, seed) for run in self.runs)

    def with_run(
        self, rope: Rope, seed: int | None, found: Mapping[str, Sequence[Observation]], loss: float | None
    ) -> WhenReport:
        kinds = {kind: _score([seen]) for kind, seen in found.items()}
        kinds["when"] = _score([found[kind] for kind in WHEN_KINDS])
        run = WhenRun(rope=rope, seed=seed, kinds=kinds, loss=loss)
        return self.model_copy(update={"runs": (*self.runs, run)})

    def save(self, folder: Path) -> None:
        """Write a page and then the record: where this is cut short, the training is examined again."""
        files.write_text(folder / PAGE, _page(self))
        files.write_json(folder / FILE, self.model_dump(mode="json"))


def _score(groups: Sequence[Sequence[Observation]]) -> KindScore:
    accuracy, interval = mean_of_means(groups), interval95(groups)
    assert accuracy is not None
    assert interval is not None  # there are always several videos
    return KindScore(
        accuracy=accuracy,
        interval95=interval,
        questions=sum(map(len, groups)),
        videos=len({video for group in groups for video, _ in group}),
    )


def table(report: WhenReport) -> Table:
    """Percent right with 95% intervals on what asks when, and percent right on the kinds of before."""
    columns = ("slow keys", "seed", "when", *WHEN_KINDS, "brief, before", "global, before")
    rows = [("chance", "", "50.0", *("50.0" for _ in WHEN_KINDS), "", "")]
    for run in sorted(report.runs, key=_order):
        name = run.rope if run.seed is not None else f"{run.rope}, {_BEFORE_TRAINING}"
        seed = "" if run.seed is None else str(run.seed)
        rows.append(
            (name, seed, _with_interval(run.kinds["when"]),
             *(_with_interval(run.kinds[kind]) for kind in WHEN_KINDS),
             _mean(run, ("disc_colour", "bar_count", "disc_background")),
             _mean(run, ("direction", "mover_colour", "background_seen")))
        )  # fmt: skip
    return Table("Percent right on held-out videos", columns, tuple(rows), numeric=frozenset(columns[1:]))


def _order(run: WhenRun) -> tuple[bool, int]:
    """Published keys first; the shipped model before its trainings."""
    return run.rope != "published", -1 if run.seed is None else run.seed


def _page(report: WhenReport) -> str:
    budget = ", ".join(f"{name} {value:g}" for name, value in report.budget.items())
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    said = [finding(report)] if _paired_seeds(report) else []
    parts = [to_markdown(table(report)).rstrip(), *said, f"`{report.command}`", f"{budget}; {versions}"]
    return "\n\n".join(parts) + "\n"


def finding(report: WhenReport) -> str:
    """What the rotation of slow keys decides, in one sentence, with its figures.

    They are of every seed that was trained with both kinds of slow keys; there must be one.
    """
    paired = _paired_seeds(report)
    when = {(run.rope, run.seed): 100 * run.kinds["when"].accuracy for run in report.runs}
    own, published = (
        " and ".join(f"{when[rope, seed]:.1f}" for seed in paired) for rope in ("own", "published")
    )
    seeds = ", ".join(map(str, paired))
    return (
        f"Trained alike, the mini model says when a brief event was in {own} percent of held-out questions "
        f"with slow keys rotated at their own places, in {published} with slow keys as published (chance 50; "
        f"seeds {seeds})."
    )


def _paired_seeds(report: WhenReport) -> list[int]:
    return sorted(
        run.seed
        for run in report.runs
        if run.seed is not None and run.rope == "own" and report.has("published", run.seed)
    )


def _with_interval(score: KindScore) -> str:
    low, high = score.interval95
    return f"{100 * score.accuracy:.1f} ({100 * low:.0f} to {100 * high:.0f})"


def _mean(run: WhenRun, kinds: Sequence[str]) -> str:
    return f"{100 * sum(run.kinds[kind].accuracy for kind in kinds) / len(kinds):.1f}"


def main() -> None:
    """Print the JSON schema of the report."""
    print(json.dumps(WhenReport.model_json_schema(), indent=2))


if __name__ == "__main__":
    main()
