"""A run that is to leave the house, and what must stand on it wherever it goes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sf_eval.benchmarks import catalog
from sf_eval.harness.finished import FinishedRun
from sf_eval.harness.record import RunRecord, TaskRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.caveats import caveats, is_mini
from sf_eval.report.leaderboard import Entry, entries
from sf_eval.report.means import made_of
from sf_eval.report.model_label import alterations, card_of, model_label
from sf_eval.report.settled import settled_notes

MINI = "mini-edition"
PARTIAL = "partial"
SUBSET = "subset"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


@dataclass(frozen=True)
class Exported:
    """A run and its names."""

    run: FinishedRun

    @property
    def record(self) -> RunRecord:
        return self.run.output.record

    @property
    def samples(self) -> Sequence[SampleRecord]:
        return self.run.output.samples

    @property
    def is_mini(self) -> bool:
        return is_mini(self.record)

    @property
    def marks(self) -> tuple[str, ...]:
        """What every file's name says of its content: mini data, a part of a run or of a benchmark."""
        return (*([MINI] if self.is_mini else []), *self._conditions(), *self._part(self.record.tasks))

    @property
    def completeness(self) -> str:
        """ "true", or why the run's numbers are not those of whole benchmarks: "partial" or "subset"."""
        return next(iter(self._part(self.record.tasks)), "true")

    @property
    def title(self) -> str:
        return model_label(self.record)

    @property
    def caveats(self) -> list[str]:
        """What must be known before a number of the run is quoted."""
        return caveats(self.record)

    @property
    def model_id(self) -> str:
        """The Hub's id of the model where that is what was asked; else "local/NAME".

        Not the Hub's are weights in a directory, whose name may look like an id, and a model that a setting,
        an attached slow path or the command line makes another one than the Hub has.
        """
        model = self.record.model
        is_of_hub = model.revision and card_of(model) and _HUB_ID.fullmatch(model.weights)
        if is_of_hub and not self.alterations():
            return model.weights
        return f"local/{re.sub(r'[^A-Za-z0-9._-]+', '-', model.name).strip('-.') or 'model'}"

    def alterations(self) -> list[str]:
        """What makes the model another one than its weights' repository holds; empty where nothing does."""
        return [*self.record.conditions.names, *alterations(self.record.model)]

    def _conditions(self) -> list[str]:
        """In what it asked otherwise than the benchmark is, as a part of a file's name."""
        return [word.replace(" ", "-") for word in self.record.conditions.names]

    def judged(self) -> list[Entry]:
        """Benchmarks with an accuracy, groups as one."""
        return [entry for entry in entries(self.record, folded=True) if entry.score.accuracy is not None]

    def tasks_of(self, entry: Entry) -> list[TaskRecord]:
        return [task for task in self.record.tasks if task.task in entry.tasks]

    def settled(self, entry: Entry) -> str:
        """By what the open answers of its tasks were settled, in sentences; "" where letters were."""
        return " ".join(settled_notes(self.tasks_of(entry)))

    def data_name(self, title: str, tasks: Sequence[TaskRecord]) -> str:
        """The title of what is made of `tasks`, as it may be quoted: mini data and parts are named so."""
        said = [
            *([self.record.data] if self.is_mini else []),
            *self.record.conditions.names,
            *self._part(tasks),
        ]
        return f"{title} ({', '.join(said)})" if said else title

    def data_id(self, task: TaskRecord) -> str:
        """The Hub's id of the data; mini data has none and is never called by the benchmark's."""
        return f"sf-eval/{MINI}" if self.is_mini else task.dataset

    def file_name(self, stem: str, suffix: str) -> str:
        """ "samples.mini-edition.partial.csv"."""
        return ".".join((stem, *self.marks, suffix))

    def gaps(self) -> list[str]:
        """Why its numbers are not those of whole benchmarks; empty where they are.

        Mini data are whole at whatever size: their name says what they are.
        """
        stopped = [] if self.record.complete else ["the run was stopped before its end"]
        return stopped + self._gaps(self.record.tasks)

    def _part(self, tasks: Sequence[TaskRecord]) -> list[str]:
        if not self.record.complete:
            return [PARTIAL]
        return [SUBSET] if self._gaps(tasks) else []

    def _gaps(self, tasks: Sequence[TaskRecord]) -> list[str]:
        found = [gap for task in tasks for gap in self._gaps_of(task)]
        names = {task.task for task in tasks}
        groups = [group for group in self.record.groups if names & {*group.tasks, *group.unanswered}]
        return found + [f"{group.title}: {made_of([group])}" for group in groups if not group.complete]

    def _gaps_of(self, task: TaskRecord) -> Iterator[str]:
        expected = catalog.get_benchmark(task.task).expected_questions
        if task.questions_asked < task.questions_total:
            yield f"{task.title}: {task.questions_asked} of {task.questions_total} questions asked"
        elif not self.is_mini and expected is not None and task.questions_total != expected:
            yield f"{task.title}: the data has {task.questions_total} questions, not {expected}"
        if failed := sum(task.micro.failures.values()):
            yield f"{task.title}: {failed} questions failed"
        if task.micro.not_judged and task.micro.n:
            yield f"{task.title}: {task.micro.not_judged} open answers are not judged yet"
