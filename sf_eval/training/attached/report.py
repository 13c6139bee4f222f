"""What the toy found, on disk and as a table."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.core.tables import Table, to_markdown
from sf_eval.training.attached.toy import Budget, Result
from sf_eval.training.attached.toy_videos import CHANCE, KINDS

FILE = "attached_toy.json"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ToyResult(_Record):
    """One model of one seed; accuracies on held-out videos as shares of 1."""

    name: str
    accuracy: dict[str, float]
    loss: float | None


class ToyRun(_Record):
    seed: int
    results: tuple[ToyResult, ...]


class ToyReport(_Record):
    """`attached_toy.json` (docs/schemas/attached_toy.schema.json).

    Attributes:
        budget: steps, batch, learning rate; a report of another budget is not continued.
        command: the last that worked on it.
    """

    schema_version: Literal[1] = 1
    command: str
    versions: dict[str, str]
    budget: dict[str, float]
    runs: tuple[ToyRun, ...] = ()

    @classmethod
    def open(cls, folder: Path, budget: Budget, command: str) -> ToyReport:
        """What `folder` holds of this learning; an empty report where it holds nothing.

        Raises:
            OutputError: it holds a learning with another budget, or a file that cannot be read.
        """
        import torch
        import transformers

        versions = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }
        fresh = cls(command=command, versions=versions, budget=asdict(budget))
        path = folder / FILE
        if not path.exists():
            return fresh
        try:
            found = cls.model_validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise OutputError(f"{path} is no report of this command.", hint="Name a new --output.") from error
        if found.budget != fresh.budget:
            raise OutputError(
                f"{path} was made with other numbers of steps.",
                hint="Name a new --output, or the same steps.",
            )
        return found.model_copy(update={"command": command, "versions": versions})

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


BEGIN, FINISH = "<!-- toy: python -m sf_eval.training.attached.report docs -->", "<!-- /toy -->"


def with_table(page: str, report: ToyReport) -> str:
    """A page of the documentation with the report's table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(FINISH)
    return f"{before}{BEGIN}\n\n{to_markdown(toy_table(report)).strip()}\n\n{FINISH}{after}"


def main() -> None:
    """Print the JSON schema of the report; with the argument `docs`, write docs/attaching.md's table anew."""
    import json
    import sys

    if sys.argv[1:] != ["docs"]:
        print(json.dumps(ToyReport.model_json_schema(), indent=2))
        return
    report = ToyReport.model_validate_json(Path("results/attach", FILE).read_bytes())
    page = Path("docs/attaching.md")
    files.write_text(page, with_table(page.read_text(encoding="utf-8"), report))


if __name__ == "__main__":
    main()
