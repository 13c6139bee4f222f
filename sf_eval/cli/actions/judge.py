"""Open answers of a recorded run are judged, and the run is recorded anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sf_eval.cli.actions.progress import RunProgress
from sf_eval.harness.judged.judge import judge_run
from sf_eval.harness.judged.settings import JudgeSettings
from sf_eval.harness.recording import RunOutput
from sf_eval.harness.rescoring import read_run, rescore
from sf_eval.harness.settings import Scoring
from sf_eval.harness.stopped import StoppedError


def judge_and_record(
    folder: Path,
    judge: JudgeSettings,
    progress: RunProgress,
    *,
    scoring: Scoring | None = None,
    is_own: bool = False,
) -> RunOutput:
    """Ask the judge what it was not asked yet, and record the run with what it said. The caller has the lock.

    Args:
        is_own: the run itself does so.

    Returns:
        The run; `stopped` where Ctrl-C ended the judging: what was judged until then is in it.

    Raises:
        UsageError: no answer of the run needs a judge.
        OutputError: the folder cannot be read or written.
    """
    stopped = None
    progress.stage(f"{judge.model} judges open answers ({judge.base_url})")
    try:
        judge_run(read_run(folder), judge, progress.rendering)
    except StoppedError as error:
        stopped = error
    output = rescore(read_run(folder), scoring=scoring, is_own=is_own)
    return output if stopped is None else replace(output, stopped=stopped)
