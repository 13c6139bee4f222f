"""A comparison as tables, markdown and CSV; all from the record that `comparison.json` holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sf_eval.core.tables import (
    ABSENT,
    Table,
    escaped,
    interval,
    percent,
    scaled,
    seconds,
    to_csv,
    to_markdown,
)
from sf_eval.report.comparison import pair_tables
from sf_eval.report.comparison.community import community_table
from sf_eval.report.comparison.record import (
    BenchmarkColumn,
    ComparedRun,
    ComparisonRecord,
    EstimateRecord,
    GainRecord,
    KindRecord,
    KindScore,
    PairRecord,
)
from sf_eval.report.settled import score_cell

CSV_COLUMNS = (
    "run", "model", "frames", "data", "measure", "of", "reference", "value", "interval95_low",
    "interval95_high", "n", "coverage", "chance", "complete", "remark",
)  # fmt: skip
MEAN = "mean"
OUTSIDE = " *"
"""Stands behind a benchmark that is not in the mean."""


def score_table(record: ComparisonRecord) -> Table:
    """One row a run, one column a benchmark, and the mean with its interval."""
    titles = [column.title for column in record.benchmarks]
    rows = [
        (
            run.name,
            _frames(run),
            _mean(run),
            *(_score(run, column) for column in record.benchmarks),
        )
        for run in record.runs
    ]
    rows.append(("questions", "", "", *(_counts(record, column) for column in record.benchmarks)))
    columns = ("model", "frames", MEAN, *titles)
    return Table(
        title=f"Compared: {record.data}",
        columns=columns,
        rows=tuple(rows),
        numeric=frozenset(columns[1:]),
        notes=(
            *(f"{run.name}: {run.title}." for run in record.runs),
            f"Percent right. {record.mean_rule}",
            f"The mean's 95% interval: {record.resamples} resamples of the videos of each benchmark, "
            f"seed {record.seed}.",
            *_remarks(record),
            *record.notes,
        ),
    )


def summary_table(record: ComparisonRecord) -> Table:
    """One row a run: what it got right, and what that cost; short enough for a screen."""
    rows = tuple((run.name, _frames(run), _mean(run), *_cost_cells(run)[:3]) for run in record.runs)
    columns = ("model", "frames", "mean %", "prefill FLOPs", "total FLOPs", "latency")
    return Table(
        title=f"Accuracy and cost per question: {record.data}",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[1:]),
        notes=(
            *(f"{run.name}: {run.title}." for run in record.runs),
            *record.notes,
            *_differing(record),
            f"Latency: {record.machine}.",
        ),
    )


def benchmark_table(record: ComparisonRecord) -> Table:
    """One row a benchmark, one column a run: percent right; short enough for a screen."""
    rows = tuple(
        (
            column.title + ("" if column.in_mean else OUTSIDE),
            _counts(record, column),
            *(_score(run, column) for run in record.runs),
        )
        for column in record.benchmarks
    )
    names = tuple(run.name for run in record.runs)
    has_outside = not all(column.in_mean for column in record.benchmarks)
    return Table(
        title=f"Percent right by benchmark: {record.data}",
        columns=("benchmark", "questions", *names),
        rows=rows,
        numeric=frozenset({"questions", *names}),
        notes=(*((f"{OUTSIDE.strip()} not in the mean.",) if has_outside else ()), *_remarks(record)),
    )


def gain_table(record: ComparisonRecord) -> Table:
    """The first run against each of the others, by the mean over benchmarks."""
    rows = tuple((gain.reference, *_pair_cells(gain.overall)) for gain in record.gains)
    tested = record.runs[0].name
    return Table(
        title=f"Gain of {tested} by the mean over benchmarks: {record.data}",
        columns=("against", *_PAIR_COLUMNS),
        rows=rows,
        numeric=frozenset(_PAIR_COLUMNS),
        notes=(*_pair_notes(record), *_differing(record)),
    )


def gain_by_benchmark_table(record: ComparisonRecord) -> Table:
    """The first run against each of the others, benchmark by benchmark."""
    titles = {column.name: column.title for column in record.benchmarks}
    rows = tuple(
        (gain.reference, titles[pair.benchmark or ""], *_pair_cells(pair))
        for gain in record.gains
        for pair in gain.by_benchmark
    )
    return Table(
        title=f"Gain of {record.runs[0].name} by benchmark: {record.data}",
        columns=("against", "benchmark", *_PAIR_COLUMNS),
        rows=rows,
        numeric=frozenset(_PAIR_COLUMNS),
        notes=(*_pair_notes(record), *_remarks(record)),
    )


def kind_table(record: ComparisonRecord) -> Table | None:
    """One row a run, one column a group or kind of question; None for data that has no kinds."""
    if not record.kinds:
        return None
    rows = [(run.name, *(_kind_cell(_score_of(kind, run)) for kind in record.kinds)) for run in record.runs]
    rows.append(("chance", *(percent(kind.chance) for kind in record.kinds)))
    rows.append(("questions", *(_range([score.n for score in kind.scores]) for kind in record.kinds)))
    columns = ("model", *(kind.name for kind in record.kinds))
    notes = [
        "Percent right with its 95% interval, questions of one video as a cluster. All benchmarks together: "
        "each row of the data counts once.",
        "brief takes a moment of the video, global the whole of it.",
    ]
    if any("none shown" in kind.name for kind in record.kinds):
        notes.append("none shown: asked about subtitles without showing them; nobody can know the answer.")
    return Table(
        title=f"By kind of question: {record.data}",
        columns=columns,
        rows=tuple(rows),
        numeric=frozenset(columns[1:]),
        notes=tuple(notes),
    )


def cost_table(record: ComparisonRecord) -> Table:
    """What each run cost per question."""
    columns = (
        "model",
        "prefill FLOPs",
        "total FLOPs",
        "latency",
        "prompt tokens",
        "fast tokens",
        "slow tokens",
    )
    resumed = [
        f"{run.name}: {run.cost.resumed} of the answers are an earlier process's, and so are their times."
        for run in record.runs
        if run.cost is not None and run.cost.resumed
    ]
    return Table(
        title=f"Cost per question: {record.data}",
        columns=columns,
        rows=tuple((run.name, *_cost_cells(run)) for run in record.runs),
        numeric=frozenset(columns[1:]),
        notes=(
            "Means. FLOPs in closed form of what was really asked (docs/profiling.md); total is end to end, "
            "with the vision tower. Prompt tokens are the text's and the fast ones; slow tokens are seen by "
            "cross-attention only.",
            f"Latency measured on {record.machine}; decoding the video included. What the questions of a "
            "video or of a batch share is divided among them.",
            *resumed,
        ),
    )


def markdown(record: ComparisonRecord) -> str:
    """`comparison.md`."""
    tables = [
        score_table(record),
        gain_table(record),
        gain_by_benchmark_table(record),
        pair_tables.second_table(record),
        pair_tables.group_score_table(record),
        kind_table(record),
        cost_table(record),
        community_table(record),
    ]
    names = ", ".join(run.name for run in record.runs)
    head = f"# {escaped(f'Comparison: {names} on {record.data}')}\n"
    return "\n".join([head, *(to_markdown(table) for table in tables if table is not None)])


def csv_text(record: ComparisonRecord) -> str:
    """`comparison.csv`: one line a number; `measure` says of what."""
    lines = [line for run in record.runs for line in _run_lines(run, record)]
    lines += [line for gain in record.gains for line in _gain_lines(gain, record)]
    return to_csv(CSV_COLUMNS, lines)


# --- cells ------------------------------------------------------------------------------------------------

_PAIR_COLUMNS = (
    "tested %", "reference %", "difference", "95% interval", "relative %", "relative 95%", "n"
)  # fmt: skip


def _remarks(record: ComparisonRecord) -> list[str]:
    """How a benchmark's score is made, where it is not all questions alike by their letters."""
    return [f"{column.title}: {column.remark}." for column in record.benchmarks if column.remark]


def _frames(run: ComparedRun) -> str:
    return ABSENT if run.num_frames is None else str(run.num_frames)


def _mean(run: ComparedRun) -> str:
    if run.mean is None:
        return ABSENT
    bounds = f" {interval(run.mean.interval95)}" if run.mean.interval95 else ""
    return percent(run.mean.value) + bounds


def _score(run: ComparedRun, column: BenchmarkColumn) -> str:
    score = next((one.score for one in run.scores if one.benchmark == column.name), None)
    return ABSENT if score is None else score_cell(score)


def _counts(record: ComparisonRecord, column: BenchmarkColumn) -> str:
    counts = [one.score.n for run in record.runs for one in run.scores if one.benchmark == column.name]
    return _range(counts)


def _range(counts: Sequence[int]) -> str:
    if not counts:
        return ABSENT
    return str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"


def _pair_cells(pair: PairRecord | None) -> tuple[str, ...]:
    if pair is None:
        return (ABSENT,) * len(_PAIR_COLUMNS)
    return (
        percent(pair.tested),
        percent(pair.reference),
        _signed(pair.difference),
        interval(pair.difference.interval95),
        _signed(pair.relative),
        interval(pair.relative.interval95 if pair.relative else None),
        str(pair.n),
    )


def _signed(value: EstimateRecord | None) -> str:
    return ABSENT if value is None else f"{value.value:+.1f}"


def _pair_notes(record: ComparisonRecord) -> tuple[str, ...]:
    return (
        "difference: tested minus reference, in percentage points; relative: 100 (tested / reference - 1). "
        "Only questions that both answered, n of them.",
        f"95% intervals: the same {record.resamples} resamples of the videos for both (paired, clustered "
        f"bootstrap, seed {record.seed}). An interval that holds 0 shows no difference.",
    )


def _differing(record: ComparisonRecord) -> Iterator[str]:
    for gain in record.gains:
        if not gain.same_questions:
            yield f"{gain.tested} and {gain.reference} were NOT asked the same questions."
        both = f"{gain.tested} or {gain.reference}"
        failed = gain.left_out - gain.not_judged - gain.judge_errors
        for count, why in (
            (failed, f"as {both} failed on them"),
            (gain.not_judged, f"as they are not judged in {both}"),
            (gain.judge_errors, f"as the judge of {both} gave no verdict on them"),
        ):
            if count:
                yield f"Left out, {why}: {count} questions."
        yield from pair_tables.not_the_same_notes(gain)


def _score_of(kind: KindRecord, run: ComparedRun) -> KindScore | None:
    return next((score for score in kind.scores if score.run == run.name), None)


def _kind_cell(score: KindScore | None) -> str:
    if score is None:
        return ABSENT
    return percent(score.accuracy) + (f" {interval(score.interval95)}" if score.interval95 else "")


def _cost_cells(run: ComparedRun) -> tuple[str, ...]:
    cost = run.cost
    if cost is None:
        return (ABSENT,) * 6
    tokens = (cost.prompt_tokens, cost.fast_tokens, cost.slow_tokens)
    return (
        scaled(cost.prefill_flops),
        scaled(cost.total_flops),
        seconds(cost.latency_s),
        *(ABSENT if count is None else f"{count:.0f}" for count in tokens),
    )


# --- lines of the CSV -------------------------------------------------------------------------------------

Line = dict[str, object]


def _line(run: ComparedRun, record: ComparisonRecord) -> Line:
    return {
        "run": run.name,
        "model": run.title,
        "frames": run.num_frames,
        "data": record.data,
        "complete": "yes" if run.complete else "partial",
    }


def _run_lines(run: ComparedRun, record: ComparisonRecord) -> Iterator[Line]:
    base = _line(run, record)
    remarks = {column.name: column.remark for column in record.benchmarks}
    for one in run.scores:
        score = one.score
        yield {
            **base,
            "remark": remarks.get(one.benchmark, ""),
            "measure": "accuracy",
            "of": one.benchmark,
            "value": score.accuracy,
            **_bounds(score.interval95),
            "n": score.n,
            "coverage": score.coverage,
        }
    if run.mean is not None:
        yield {**base, "measure": "accuracy", "of": MEAN, **_estimate(run.mean)}
    for kind in record.kinds:
        of_kind = _score_of(kind, run)
        if of_kind is not None:
            yield {
                **base,
                "measure": "accuracy of a group" if kind.is_group else "accuracy of a kind",
                "of": kind.name,
                "value": of_kind.accuracy,
                **_bounds(of_kind.interval95),
                "n": of_kind.n,
                "chance": kind.chance,
            }
    if run.cost is not None:
        for name, value in run.cost.model_dump(exclude={"questions", "resumed"}).items():
            if value is not None:
                yield {**base, "measure": name, "of": "all", "value": value, "n": run.cost.questions}


def _gain_lines(gain: GainRecord, record: ComparisonRecord) -> Iterator[Line]:
    run = next(run for run in record.runs if run.name == gain.tested)
    base = _line(run, record)
    for pair in [gain.overall, *gain.by_benchmark]:
        if pair is None:
            continue
        of = {**base, "of": pair.benchmark or MEAN, "reference": gain.reference, "n": pair.n}
        yield {**of, "measure": "difference", **_estimate(pair.difference)}
        if pair.relative is not None:
            yield {**of, "measure": "relative", **_estimate(pair.relative)}
        for name in ("p_value", "p_holm", "mcnemar_p", "gained", "lost", "agreement", "detectable"):
            if (value := getattr(pair, name)) is not None:
                yield {**of, "measure": name, "value": value}
    yield from (base | line for line in pair_tables.group_score_lines(gain))


def _estimate(value: EstimateRecord) -> Line:
    return {"value": value.value, **_bounds(value.interval95)}


def _bounds(bounds: tuple[float, float] | None) -> Line:
    low, high = bounds or (None, None)
    return {"interval95_low": low, "interval95_high": high}
