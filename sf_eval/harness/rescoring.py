"""A run's folder is judged anew: no weights, no GPU, no video, no annotation file is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from sf_eval.core.errors import OutputError
from sf_eval.harness import output_dir
from sf_eval.harness.ask import Asked
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.asked.questions import read_questions
from sf_eval.harness.asked.results import KeptResults
from sf_eval.harness.journal import read_journal
from sf_eval.harness.record import RunFacts, RunRecord, Usage
from sf_eval.harness.recording import QUESTIONS, RESULTS, RunOutput, questions_recorded, record
from sf_eval.harness.settings import Scoring
from sf_eval.inference import QuestionKey, Result


@dataclass(frozen=True)
class KeptRun:
    """What a run's folder holds.

    Attributes:
        results: of every question that has one; failures too.
        digests: the journal's keys of all questions.
        usage: what the run took; empty where it was killed before it wrote that.
    """

    folder: Path
    facts: RunFacts
    documents: Sequence[AskedDocument]
    results: Mapping[QuestionKey, Result]
    digests: Collection[str]
    usage: Usage


def read_run(folder: Path) -> KeptRun:
    """Read what a run left behind, finished or not.

    Raises:
        OutputError: no run of ours, one that was stopped before its model was loaded, or a damaged file.
    """
    state = output_dir.read_state(folder)
    if state is None:
        raise OutputError(f"{folder} holds no run of sf-eval.", hint="Give the folder of a run (--output).")
    if state.facts is None:
        if runs := state.plan.get(output_dir.RUNS_OF_A_COMPARISON):
            raise OutputError(
                f"{folder} is a comparison, not a run.",
                hint=f"Give its runs: {' '.join(str(folder / name) for name in runs)}.",
            )
        raise OutputError(
            f"the run in {folder} was stopped before anything was asked.", hint="Run its command again."
        )
    questions = read_questions(folder / QUESTIONS)
    results = KeptResults(questions, read_journal(folder / output_dir.JOURNAL))
    results.add_kept()
    return KeptRun(
        folder, state.facts, questions.documents, results, questions.digests, _usage(folder / RESULTS)
    )


def rescore(run: KeptRun, *, scoring: Scoring | None = None, is_own: bool = False) -> RunOutput:
    """Write the results of a kept run anew, by today's reading of the answers. The caller holds the lock.

    Args:
        scoring: what the tables show; None keeps the run's own.
        is_own: the run itself records what a judge said of it: that is no scoring anew.

    Raises:
        OutputError: nothing was answered, or the folder cannot be written.
    """
    if not run.results:
        raise OutputError(f"nothing was answered in {run.folder}.", hint="Run its command again.")
    if (held := questions_recorded(run.folder)) > len(run.results):
        raise OutputError(
            f"the results in {run.folder} are of {held} questions, its journal now answers "
            f"{len(run.results)}.",
            hint="Run its command again to the end first.",
        )
    facts = run.facts if scoring is None else run.facts.model_copy(update={"scoring": scoring})
    return record(
        run.folder,
        facts,
        run.documents,
        Asked(run.results),
        run.usage,
        rescored=None if is_own else datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _usage(results: Path) -> Usage:
    """What the run wrote of it; nothing where it was killed before."""
    try:
        kept = RunRecord.model_validate_json(results.read_bytes())
    except (OSError, ValidationError):
        return Usage(seconds=None, memory=None)
    return Usage(**{name: getattr(kept, name) for name in Usage.model_fields})
