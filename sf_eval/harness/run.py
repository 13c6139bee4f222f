"""Carries a plan out: load the model, ask all questions, record the answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from sf_eval.harness import output_dir
from sf_eval.harness.ask import ask
from sf_eval.harness.asked.questions import write_questions
from sf_eval.harness.facts import documents_of, facts_of
from sf_eval.harness.identity import digest_of
from sf_eval.harness.journal import Journal
from sf_eval.harness.judged.settled import settlings_of
from sf_eval.harness.judging import JudgedWatcher, Judging
from sf_eval.harness.logs import logging_to
from sf_eval.harness.opened import Opened, OpeningWatcher
from sf_eval.harness.opening import opened
from sf_eval.harness.plan import RunPlan, fingerprint_of
from sf_eval.harness.record import RunRecord, Usage
from sf_eval.harness.recording import QUESTIONS, RESULTS, RunOutput, questions_recorded, record
from sf_eval.harness.stopped import InterruptedRunError

LOG = "run.log"
Opening = Callable[[RunPlan, OpeningWatcher], AbstractContextManager[Opened]]


class Watcher(JudgedWatcher, OpeningWatcher, Protocol):
    """Whoever shows what happens."""

    def begin(self, total: int, *, waiting_s: Callable[[], float]) -> None:
        """So many questions are asked now; `waiting_s` tells for how long the model waits for videos."""


def execute(plan: RunPlan, watcher: Watcher, *, opening: Opening = opened) -> RunOutput:
    """Evaluate the plan; write its questions, answers and results. The caller holds the directory's lock.

    Args:
        opening: makes what answers ready; only a test or a benchmark puts something else in its place.

    Raises:
        CheckpointError: the weights cannot be had or do not fit.
        WorkersDifferError: workers that would not answer alike.
        StoppedError: the run was stopped before there was anything to write, or where writing it would
            replace the results of a complete run.
        OutputError: the output directory cannot be written.
    """
    started = time.perf_counter()
    fingerprint = fingerprint_of(plan)
    before = output_dir.read_state(plan.output)  # its facts hold until the model is loaded anew
    output_dir.write_state(
        plan.output, fingerprint, complete=False, facts=None if before is None else before.facts
    )
    with logging_to(plan.output / LOG), opening(plan, watcher) as answering:
        facts = facts_of(plan, answering.model, load_seconds=time.perf_counter() - started)
        questions = write_questions(
            plan.output / QUESTIONS,
            zip(documents_of(plan), plan.questions(), strict=True),
            digest_of=partial(digest_of, model=answering.model.identity),
            make=plan.question,
        )
        output_dir.write_state(plan.output, fingerprint, complete=False, facts=facts)
        with Journal(plan.output / output_dir.JOURNAL) as journal:
            judging = Judging(plan.document, settlings_of(facts), watcher)
            watcher.begin(plan.total, waiting_s=answering.waiting_s)
            asked = ask(
                questions,
                answering.engine,
                journal,
                watcher=judging,
                failures=plan.settings.failures,
                at_once=answering.at_once,
            )
        took = answering.took()
    if asked.stopped is not None and (
        not asked.results
        or _holds_complete_results(plan)
        or questions_recorded(plan.output) > len(asked.results)
    ):
        raise asked.stopped
    usage = Usage(
        seconds=time.perf_counter() - started,
        memory=took.memory,
        waited_s=took.waited_s,
        first_video_s=took.first_video_s,
        degraded=list(took.degraded),
        workers=list(took.workers),
        resumed=asked.resumed,
    )
    output = record(plan.output, facts, questions.documents, asked, usage)
    is_complete = output.record.complete and not output.failed
    output_dir.write_state(plan.output, fingerprint, complete=is_complete, facts=facts)
    return output


def interrupted(plan: RunPlan) -> InterruptedRunError:
    """What to say on Ctrl-C before or after the asking."""
    return InterruptedRunError(
        f"interrupted; every answer is kept in {plan.output}.", hint="Run the same command again to go on."
    )


def _holds_complete_results(plan: RunPlan) -> bool:
    try:
        return RunRecord.model_validate_json((plan.output / RESULTS).read_bytes()).complete
    except (OSError, ValueError):
        return False
