"""What the toy found, on disk and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.tables import Table
from sf_eval.training.attached.toy import Budget, Result, attached
from sf_eval.training.attached.toy_videos import CHANCE, KINDS
from sf_eval.training.learning_report import LearningReport, Record, begun_or, versions_of

FILE = "attached_toy.json"


class ToyResult(Record):
    """One model of one seed; accuracies on held-out videos as shares of 1."""

    name: str
    accuracy: dict[str, float]
    loss: float | None


class ToyRun(Record):
    seed: int
    results: tuple[ToyResult, ...]


class ToyReport(LearningReport):
    """`attached_toy.json` (docs/schemas/attached_toy.schema.json).

    Attributes:
        budget: steps, batch, learning rate; a report of another budget is not continued.
        command: the last that worked on it.
    """

    runs: tuple[ToyRun, ...] = ()

    @classmethod
    def open(cls, folder: Path, budget: Budget, command: str) -> ToyReport:
        """What `folder` holds of this learning; an empty report where it holds nothing.

        Raises:
            OutputError: it holds a learning with another budget, or a file that cannot be read.
        """
        versions = versions_of("torch", "transformers")
        return begun_or(cls(command=command, versions=versions, budget=asdict(budget)), folder / FILE)

    def has(self, seed: int) -> bool:
        return any(run.seed == seed for run in self.runs)

    def with_seed(self, seed: int, results: Sequence[Result]) -> ToyReport:
        kept = tuple(ToyResult(**asdict(result)) for result in results)
        return self.model_copy(update={"runs": (*self.runs, ToyRun(seed=seed, results=kept))})

    def save(self, folder: Path) -> None:
        files.write_json(folder / FILE, self.model_dump(mode="json"))


def toy_table(report: ToyReport) -> Table:
    """Percent right, the seeds one after another."""
    names = dict.fromkeys(result.name for run in report.runs for result in run.results)
    rows = [("chance", *(f"{100 * CHANCE[kind]:.1f}" for kind in KINDS))]
    for name in names:
        found = [result for run in report.runs for result in run.results if result.name == name]
        rows.append(
            (name, *(", ".join(f"{100 * result.accuracy[kind]:.1f}" for result in found) for kind in KINDS))
        )
    seeds = ", ".join(str(run.seed) for run in report.runs)
    return Table(
        f"Percent right on held-out videos, seeds {seeds}",
        ("model", *KINDS),
        tuple(rows),
        numeric=frozenset(KINDS),
        notes=("64 slow tokens, 4 fast ones. Tokens drawn by rule: evidence about no real model.",),
    )


def finding(report: ToyReport) -> str:
    """What the rotation of slow keys decides, in one sentence, with its figures."""
    own, published = (_of(report, attached(rope), "when") for rope in ("own", "published"))
    return (
        f'With the language model frozen, "early or late?" is answered right in {own} percent of held-out '
        f"videos where slow keys are rotated at their own places, in {published} where they are not, as "
        f"published (chance {100 * CHANCE['when']:.0f}; "
        f"seeds {', '.join(str(run.seed) for run in report.runs)})."
    )


def _of(report: ToyReport, name: str, kind: str) -> str:
    found = [result.accuracy[kind] for run in report.runs for result in run.results if result.name == name]
    return " and ".join(f"{100 * share:.1f}" for share in found)


def main() -> None:
    """Print the JSON schema of the report."""
    import json

    print(json.dumps(ToyReport.model_json_schema(), indent=2))


if __name__ == "__main__":
    main()
