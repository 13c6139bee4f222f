"""What a comparison needs of a run, whoever made it: `sf-eval run`, or another model under lmms-eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sf_eval.harness.controls.published_order import in_published_order
from sf_eval.harness.record import GroupRecord, RunRecord, ScoreRecord, TaskRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.caveats import caveats, is_mini
from sf_eval.report.comparison.community import community_of
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.record import CommunityRecord, CostRecord, UnreadRecord
from sf_eval.report.leaderboard import data_label, entries
from sf_eval.report.model_label import model_label, with_words


@dataclass(frozen=True)
class Contestant:
    """A run as it is compared.

    Attributes:
        scores: by benchmark, groups as one.
        notes: what a reader must know before quoting its numbers.
        machine: where it ran, in words.
        is_scored_otherwise: its own tables are by other scorers than ours.
        samples: those whose options stood in another order, by their published letters.
        unread: lines of a sample log that no question was found for.
        words: in what it asked otherwise than the benchmark is.
    """

    model: str
    title: str
    untrained: bool
    num_frames: int | None
    data: str
    is_mini: bool
    machine: str
    command: Sequence[str]
    tasks: Sequence[TaskRecord]
    groups: Sequence[GroupRecord]
    scores: Mapping[str, ScoreRecord]
    samples: Sequence[SampleRecord]
    cost: CostRecord | None
    notes: Sequence[str]
    complete: bool = True
    is_scored_otherwise: bool = False
    source: Literal["sf-eval", "lmms-eval"] = "sf-eval"
    folder: str | None = None
    community: CommunityRecord | None = None
    unread: Sequence[UnreadRecord] = field(default_factory=tuple)
    words: Sequence[str] = ()
    is_control: bool = False


def contestant_of(run: Finished, *, folder: str | None = None, notes: Sequence[str] = ()) -> Contestant:
    """A run of ours.

    Args:
        folder: where it lies, if not in a folder of its name beside the comparison.
        notes: what is to be said of it beside its caveats.
    """
    record = run.record
    return Contestant(
        model=record.model.name,
        title=model_label(record),
        untrained=record.model.untrained,
        num_frames=record.model.num_frames,
        data=data_label(record),
        is_mini=is_mini(record),
        machine=_machine(record),
        command=record.command,
        tasks=record.tasks,
        groups=record.groups,
        scores={entry.name: entry.score for entry in entries(record)},
        samples=[in_published_order(sample) for sample in run.samples],
        cost=_cost(run.profile, has_slow_path=record.model.slow_path == "on"),
        notes=[*caveats(record), *_failures(run), *notes],
        complete=record.complete,
        is_scored_otherwise=record.scoring != "sf-eval",
        folder=folder,
        community=community_of(run),
        words=record.conditions.words,
        is_control=record.conditions.control is not None,
    )


def contestants_of(runs: Mapping[str, Finished]) -> dict[str, Contestant]:
    """The runs of one comparison by what they are called, each in the folder that it is named after."""
    found = {}
    for folder, run in runs.items():
        name = with_words(folder, run.record.conditions.words)
        found[name] = contestant_of(run, folder=None if name == folder else folder)
    return found


def _failures(run: Finished) -> list[str]:
    if not run.failed:
        return []
    return [
        f"{run.failed} of {run.output.planned} questions failed and are in no score "
        f"(coverage {100 * (1 - run.failed / run.output.planned):.1f}%); samples.jsonl says why."
    ]


def _machine(record: RunRecord) -> str:
    described = record.machine
    where = described.get("gpu") or described["processor"]
    return f"{where}, {record.model.dtype}, {record.model.attn}, batch size {record.settings['batch_size']}"


def _cost(profile: Mapping[str, Any], *, has_slow_path: bool) -> CostRecord | None:
    rows = [row for row in profile["flops"] if row["group"] == "all" and row["who"] == "model"]
    latency_s = profile.get("seconds") if not rows else rows[0]["seconds"]
    if latency_s is None:
        return None
    flops = rows[0]["flops"] if rows else {"prefill_flops": None, "total_flops": None}
    tokens = {name: values["mean"] for name, values in profile["tokens"].items()}
    return CostRecord(
        questions=rows[0]["questions"] if rows else profile["questions"],
        prefill_flops=flops["prefill_flops"],
        total_flops=flops["total_flops"],
        latency_s=latency_s,
        prompt_tokens=tokens.get("prompt_tokens"),
        fast_tokens=tokens.get("fast_tokens"),
        slow_tokens=tokens["slow_tokens"] if has_slow_path else 0.0,
        resumed=profile["resumed"],
    )
