"""Paths on the command line become what is compared: runs of ours, comparisons' runs, logs of lmms-eval."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sf_eval.benchmarks import catalog
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.harness.finished import read_finished, runs_of
from sf_eval.harness.record import GroupRecord, ScoreRecord, TaskFacts, TaskRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.harness.recording import RESULTS, group_records, scored_by_task, task_record
from sf_eval.report import run_profile
from sf_eval.report.comparison.contestant import Contestant, contestant_of
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.lmms_logs import Log, Matched, is_log, matched, read_log
from sf_eval.report.comparison.record import UnreadRecord
from sf_eval.report.model_label import with_words

_PROFILE = "profile.json"
_EXAMPLES = 5


def contestants(paths: Sequence[Path]) -> dict[str, Contestant]:
    """What lies at `paths`, in their order, by names that tell them apart.

    Raises:
        UsageError: fewer than two; or logs without a run of ours that asked the same questions; or the mini
            edition beside real data.
        OutputError, DataError: something there is damaged, or of another version.
    """
    folders = [each for path in paths for each in _expanded(path)]
    if len(folders) < 2:
        raise UsageError("a comparison takes two runs or more.", hint="Give their folders.")
    if doubled := next((path for path in folders if folders.count(path) > 1), None):
        raise UsageError(f"{doubled} is named twice.")
    runs = {path: _run(path) for path in folders if (path / RESULTS).is_file()}
    logs = {path: read_log(path) for path in folders if path not in runs}
    if logs and not runs:
        raise UsageError(
            "a log of lmms-eval does not hold its questions.",
            hint="Give a run of sf-eval on the same data beside it.",
        )
    _refuse_mixed(runs)
    known = [sample for run in runs.values() for sample in run.samples]
    names = _with_conditions(_names(folders), runs)
    return {
        names[path]: runs[path] if path in runs else _foreign(names[path], path, logs[path], known, runs)
        for path in folders
    }


def _with_conditions(names: dict[Path, str], runs: Mapping[Path, Contestant]) -> dict[Path, str]:
    """Controls by their names ("mini (blind)"), unless two would have the same."""
    told = {
        path: with_words(name, runs[path].words) if path in runs else name for path, name in names.items()
    }
    return told if len(set(told.values())) == len(told) else names


def _expanded(path: Path) -> list[Path]:
    if not path.exists():
        raise UsageError(f"{path} does not exist.", hint="Give the folder of a run, or a log of lmms-eval.")
    if path.is_dir():
        runs = runs_of(path)
        if runs != [path] or (path / RESULTS).is_file():
            return runs
    if is_log(path):
        return [path]
    read_finished(path)  # says what is the matter with it
    raise AssertionError(f"{path} is neither a run nor a log")


def _run(path: Path) -> Contestant:
    finished = read_finished(path)
    output = finished.output
    try:
        profile = json.loads((path / _PROFILE).read_bytes())
    except OSError:  # a run that was killed before its report was written
        profile = run_profile.build(output).model_dump(mode="json")
    except ValueError as error:
        raise OutputError(
            f"{path / _PROFILE} is damaged.", hint=f"sf-eval score {path} writes it."
        ) from error
    notes = (
        [f"{finished.reread} answers are read otherwise than when the run was recorded (sf-eval score)."]
        if finished.reread
        else []
    )
    return contestant_of(Finished(output, profile), folder=str(path), notes=notes)


def _refuse_mixed(runs: Mapping[Path, Contestant]) -> None:
    mini = [path for path, run in runs.items() if run.is_mini]
    if mini and len(mini) < len(runs):
        real = next(path for path in runs if path not in mini)
        raise UsageError(f"{mini[0]} is on the mini edition, {real} is not.", hint="Compare like with like.")


def _foreign(
    name: str, path: Path, log: Log, known: Sequence[SampleRecord], runs: Mapping[Path, Contestant]
) -> Contestant:
    found = matched(log, known, is_mini=next(iter(runs.values())).is_mini)
    if not found.samples:
        why = "; ".join(f"{len(lines)}: {reason.value}" for reason, lines in found.unread.items())
        raise UsageError(f"no line of {path} has a question of the runs beside it ({why}).")
    tasks, groups = _scored(found, next(iter(runs.values())))
    first = next(iter(runs.values()))
    lost = sum(map(len, found.unread.values()))
    notes = [
        "A sample log of lmms-eval: how it was made (frames, decoding, prompts) is not known here.",
        *([f"{lost} of {len(log.lines)} lines of its log are not counted."] if lost else []),
    ]
    return Contestant(
        model=log.model,
        title=f"{log.model} (lmms-eval log)",
        untrained=False,
        num_frames=None,
        data=first.data,
        is_mini=first.is_mini,
        machine="not known",
        command=(),
        tasks=tasks,
        groups=groups,
        scores=_by_benchmark(tasks, groups),
        samples=found.samples,
        cost=None,
        notes=notes,
        source="lmms-eval",
        folder=str(path),
        unread=tuple(
            UnreadRecord(run=name, reason=reason.value, lines=len(lines), examples=lines[:_EXAMPLES])
            for reason, lines in found.unread.items()
        ),
    )


def _scored(found: Matched, like: Contestant) -> tuple[list[TaskRecord], list[GroupRecord]]:
    """The log's scores by our rules; how many questions there are is not known, so those that were found."""
    by_task = scored_by_task(found.samples)
    data = {sample.task: sample.data for sample in reversed(found.samples)}
    scored = {name: by_task[name] for name in catalog.benchmark_names() if name in by_task}
    tasks = []
    for name, own in scored.items():
        facts = TaskFacts(
            task=name,
            data=data[name],
            is_mini=like.is_mini,
            revision=None,
            annotations_digest="",
            questions_total=len(own),
            questions_planned=len(own),
            one_question_per_video=False,
        )
        lexicon = found.lexicons.get(name)
        tasks.append(task_record(facts, own, clip="whole", submission_file=None, lexicon=lexicon))
    return tasks, group_records(scored)


def _by_benchmark(tasks: Sequence[TaskRecord], groups: Sequence[GroupRecord]) -> dict[str, ScoreRecord]:
    return {**{task.task: task.score for task in tasks}, **{group.group: group.score for group in groups}}


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """The end of each path that no other one has, without a log's suffix."""
    parts = {path: path.resolve().with_suffix("" if path.is_file() else path.suffix).parts for path in paths}
    longest = max(map(len, parts.values()))
    for length in range(1, longest + 1):
        names: dict[Path, str] = {path: "/".join(each[-length:]) for path, each in parts.items()}
        if len(set(names.values())) == len(paths):
            return names
    raise UsageError("two of the paths are the same.")
