"""Two runs on the questions that both were asked: who was right where, and whether they saw the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.comparison.apart import WHY
from sf_eval.report.comparison.contestant import Contestant
from sf_eval.report.comparison.grouped import group_gains
from sf_eval.report.comparison.record import (
    BenchmarkColumn,
    EstimateRecord,
    FlipRecord,
    GainRecord,
    PairRecord,
    ShownRecord,
    UnmatchedRecord,
)
from sf_eval.report.comparison.verdict import verdict, verdict_name
from sf_eval.scoring import paired
from sf_eval.scoring.open_answers.matching import normalised
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.paired import Judged
from sf_eval.scoring.significance import holm, mcnemar

Asked = tuple[str, str, int]
"""A question: task, the benchmark's own id, and 0 (1 for the second question of the same id, and so on)."""


@dataclass(frozen=True)
class Named:
    """A run under its name in the comparison."""

    name: str
    run: Contestant


@dataclass(frozen=True)
class Resampling:
    seed: int
    resamples: int


def gain_of(
    tested: Named,
    reference: Named,
    columns: Sequence[BenchmarkColumn],
    *,
    how: Resampling,
    tell: float,
) -> GainRecord:
    """`tested` against `reference`."""
    one, other = by_question(tested.run.samples), by_question(reference.run.samples)
    differing = {key for key in one.keys() & other.keys() if _says(one[key]) != _says(other[key])}
    judged_one, judged_other = scored_questions(one), scored_questions(other)
    answered = (judged_one & judged_other) - differing
    columns_of_both = [column for column in columns if _asks(one, column) and _asks(other, column)]
    comparable = [column for column in columns if column.incomparable is None]
    alike = {task for column in comparable for task in column.tasks}
    both = {key for key in answered if key[0] in alike}
    judged = judged_questions([one, other], both, comparable, tested.run)
    in_mean = [column for column in columns_of_both if column.in_mean]
    overall, each = paired.compare(
        judged, [column.name for column in in_mean], seed=how.seed, resamples=how.resamples
    )
    pairs = _Pairs(one, other, both, comparable, judged, tell)
    by_benchmark = _with_holm([pairs.pair(name, compared, [name]) for name, compared in each.items()])
    names = [column.name for column in in_mean]
    whole = None if overall is None else pairs.pair(None, overall, names)
    titles = {column.name: column.title for column in columns}
    named = [(titles[pair.benchmark or ""], pair) for pair in by_benchmark]
    needed = None if overall is None else overall.videos_to_show(tell)
    left_out = [
        {one[key].outcome, other[key].outcome}
        for key in judged_one ^ judged_other
        if key in one and key in other
    ]
    return GainRecord(
        tested=tested.name,
        reference=reference.name,
        same_questions=_asked(one) == _asked(other),
        left_out=len(left_out),
        not_judged=sum(Outcome.not_judged.value in outcomes for outcomes in left_out),
        judge_errors=sum(Outcome.judge_error.value in outcomes for outcomes in left_out),
        mean_over=names,
        overall=whole,
        by_benchmark=by_benchmark,
        group_scores=group_gains(
            [(one[key], other[key]) for key in sorted((one.keys() & other.keys()) - differing)],
            seed=how.seed,
            resamples=how.resamples,
        ),
        verdict=verdict(
            tested.name,
            reference.name,
            whole,
            named,
            where=where(in_mean),
            why_not=_why_not(columns_of_both, in_mean),
            tell=tell,
            needed=needed,
        ),
        flips=[_flip(key, one[key], other[key]) for key in sorted(both) if _is_flip(one[key], other[key])],
        shown=_shown(one, other, answered),
        unmatched=UnmatchedRecord(
            only_tested=_names(one.keys() - other.keys()),
            only_reference=_names(other.keys() - one.keys()),
            differing=_names(differing),
        ),
    )


def where(columns: Sequence[BenchmarkColumn]) -> str:
    """What the mean over `columns` is over, as a phrase."""
    if not columns:
        return "in the mean"
    titles = [column.title for column in columns]
    return f"on {titles[0]}" if len(titles) == 1 else f"in the mean over {len(titles)} benchmarks"


def _why_not(asked: Sequence[BenchmarkColumn], in_mean: Sequence[BenchmarkColumn]) -> str:
    """Why there is no mean of both.

    Args:
        asked: the benchmarks that both were asked; `in_mean` are those of them that are in the mean.
    """
    if in_mean:
        return "a benchmark has no question with a known answer that both answered"
    if not asked:
        return "no benchmark was asked of both"
    apart = [f"{column.title} is {WHY[column.incomparable]}" for column in asked if column.incomparable]
    return "; ".join(apart) or "none of the benchmarks that both were asked is in the mean"


def by_question(samples: Iterable[SampleRecord]) -> dict[Asked, SampleRecord]:
    """Samples by what they ask; in the order given."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[Asked, SampleRecord] = {}
    for sample in samples:
        name = (sample.task, sample.question_id)
        found[sample.task, sample.question_id, seen[name]] = sample
        seen[name] += 1
    return found


def judged_questions(
    runs: Sequence[Mapping[Asked, SampleRecord]],
    keys: set[Asked],
    columns: Sequence[BenchmarkColumn],
    first: Contestant,
) -> dict[str, list[Judged]]:
    """The questions `keys` of each benchmark, with whether each run got it right.

    Args:
        first: the run that `runs` begins with; its tasks say what a headline is the mean over.
    """
    mean_over = {task.task: task.mean_over for task in first.tasks}
    judged: dict[str, list[Judged]] = {column.name: [] for column in columns}
    column_of = {task: column for column in columns for task in column.tasks}
    for key, sample in runs[0].items():
        if key not in keys:
            continue
        column = column_of[sample.task]
        is_group = column.name != sample.task
        group = sample.task if is_group else _group(sample, mean_over[sample.task])
        if group is not None:
            right = tuple(credit_of(each[key]) for each in runs)
            judged[column.name].append(Judged(sample.video, group, right))
    return judged


def scored_questions(samples: Mapping[Asked, SampleRecord]) -> set[Asked]:
    """Those with a judged answer."""
    return {key for key, sample in samples.items() if Outcome(sample.outcome).is_scored}


def credit_of(sample: SampleRecord) -> float:
    """What a judged answer earns: 1 for right, 0 for wrong, a part for an open one."""
    return float(sample.outcome == Outcome.correct.value) if sample.credit is None else sample.credit


def estimate(value: paired.Estimate | None) -> EstimateRecord | None:
    return None if value is None else EstimateRecord(value=value.value, interval95=value.interval95)


@dataclass(frozen=True)
class _Pairs:
    """What both answered."""

    one: Mapping[Asked, SampleRecord]
    other: Mapping[Asked, SampleRecord]
    both: set[Asked]
    columns: Sequence[BenchmarkColumn]
    judged: Mapping[str, Sequence[Judged]]
    tell: float

    def pair(self, benchmark: str | None, compared: paired.Comparison, names: Sequence[str]) -> PairRecord:
        """The record of a comparison over the benchmarks `names`."""
        difference = estimate(compared.difference)
        assert difference is not None
        counts = Counter(item.right for name in names for item in self.judged[name])
        # A part right is neither: such questions have no four counts, and McNemar's test does not take them.
        is_binary = {0.0, 1.0}.issuperset(credit for pair in counts for credit in pair)
        gained, lost = counts[1.0, 0.0], counts[0.0, 1.0]
        return PairRecord(
            benchmark=benchmark,
            tested=compared.first,
            reference=compared.second,
            difference=difference,
            relative=estimate(compared.relative),
            n=compared.n,
            videos=compared.videos,
            verdict=verdict_name(difference, compared.detectable, self.tell),
            p_value=compared.p_value,
            p_holm=None,
            mcnemar_p=mcnemar(gained, lost) if is_binary else None,
            gained=gained if is_binary else None,
            lost=lost if is_binary else None,
            agreement=self._agreement(names),
            detectable=compared.detectable,
        )

    def _agreement(self, names: Sequence[str]) -> float | None:
        tasks = {task for column in self.columns if column.name in names for task in column.tasks}
        same = [_said(self.one[key]) == _said(self.other[key]) for key in self.both if key[0] in tasks]
        return 100 * sum(same) / len(same) if same else None


def _asks(samples: Mapping[Asked, SampleRecord], column: BenchmarkColumn) -> bool:
    """Whether the run was asked anything of the benchmark, be it answered or not."""
    return any(key[0] in column.tasks for key in samples)


def _with_holm(pairs: Sequence[PairRecord]) -> list[PairRecord]:
    tested = [pair for pair in pairs if pair.p_value is not None]
    adjusted = holm([pair.p_value for pair in tested if pair.p_value is not None])
    by_name = {pair.benchmark: value for pair, value in zip(tested, adjusted, strict=True)}
    return [pair.model_copy(update={"p_holm": by_name.get(pair.benchmark)}) for pair in pairs]


def _says(sample: SampleRecord) -> tuple[str | None, dict[str, str], list[str]]:
    return sample.target, sample.options, sample.references


def _said(sample: SampleRecord) -> str | None:
    """The letter that was read; of an open answer its words."""
    return sample.answer if sample.options else normalised(sample.output or "")


def _asked(samples: Mapping[Asked, SampleRecord]) -> set[tuple[Asked, str | None]]:
    return {(key, sample.target) for key, sample in samples.items()}


def _group(sample: SampleRecord, mean_over: str | None) -> str | None:
    """The group of a benchmark's headline that the sample counts in; None where it is in none."""
    return "" if mean_over is None else sample.categories.get(mean_over)


def _is_flip(one: SampleRecord, other: SampleRecord) -> bool:
    partly = Outcome.partial.value in (one.outcome, other.outcome)
    return not partly and (one.outcome == Outcome.correct.value) != (other.outcome == Outcome.correct.value)


def _flip(key: Asked, one: SampleRecord, other: SampleRecord) -> FlipRecord:
    return FlipRecord(
        task=key[0],
        question_id=key[1],
        video=one.video,
        gained=one.outcome == Outcome.correct.value,
        target=one.target,
        tested=_said(one),
        reference=_said(other),
    )


def _shown(
    one: Mapping[Asked, SampleRecord], other: Mapping[Asked, SampleRecord], both: set[Asked]
) -> ShownRecord:
    # A control shows nothing, or another video by its nature: neither is a thing to find out.
    pictured = [key for key in both if _shows_its_video(one[key]) and _shows_its_video(other[key])]
    known = [key for key in pictured if one[key].pixels_digest and other[key].pixels_digest]
    other_frames = {key for key in known if one[key].frames_digest != other[key].frames_digest}
    other_pixels = {key for key in known if one[key].pixels_digest != other[key].pixels_digest}
    return ShownRecord(
        compared=len(known),
        unknown=len(pictured) - len(known),
        other_frames=_names(other_frames),
        other_pixels=_names(other_pixels - other_frames),
    )


def _shows_its_video(sample: SampleRecord) -> bool:
    shows_another = sample.change is not None and sample.change.shown_video is not None
    return sample.num_frames != 0 and not shows_another


def _names(keys: Iterable[Asked]) -> list[str]:
    return [f"{task}/{question}" for task, question, _ in sorted(keys)]
