"""The published numbers, each with its source."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from sf_eval.core.paths import published_results_csv


@dataclass(frozen=True)
class PublishedModel:
    """One row of `results/published/published_results.csv`; accuracies in percent by column name."""

    model: str
    frames: str
    accuracies: dict[str, float]
    source: str

    @property
    def key(self) -> str:
        """How a model card's `published` names it."""
        return f"{self.model}:{self.frames}" if self.frames else self.model


def published_models() -> list[PublishedModel]:
    with published_results_csv().open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    models = []
    for row in rows:
        model, frames, source = row.pop("model"), row.pop("frames"), row.pop("source")
        accuracies = {column: float(value) for column, value in row.items() if value}
        models.append(PublishedModel(model, frames, accuracies, source))
    return models
