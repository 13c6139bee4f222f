"""What a comparison says of pairs beside their gains: second opinions, what was not matched or not shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sf_eval.core.tables import ABSENT, Table, interval, percent
from sf_eval.report.comparison.record import ComparisonRecord, GainRecord, PairRecord
from sf_eval.report.group_scores import RULES
from sf_eval.scoring.group_score import ALL

_NAMED = 3
_VERDICTS = {
    "better": "better", "worse": "worse", "no_difference": "no difference shown",
    "too_few": "too few questions",
}  # fmt: skip
_COLUMNS = ("verdict", "p", "p (Holm)", "McNemar", "gained", "lost", "same answer %", "detectable")


def second_table(record: ComparisonRecord) -> Table | None:
    """One row a reference and benchmark; None for files of version 1, which lack all of it."""
    if not any(pair.verdict for gain in record.gains for pair in _pairs(gain)):
        return None
    titles = {column.name: column.title for column in record.benchmarks}
    rows = tuple(
        (gain.reference, titles.get(pair.benchmark or "", "mean"), *_cells(pair))
        for gain in record.gains
        for pair in _pairs(gain)
    )
    return Table(
        title=f"How sure: {record.runs[0].name} against each: {record.data}",
        columns=("against", "benchmark", *_COLUMNS),
        rows=rows,
        numeric=frozenset(_COLUMNS[1:]),
        notes=(
            "p: of no difference, by the resamples of the interval; Holm: over the benchmarks of one "
            "reference. McNemar: exact, takes all questions for independent; none where answers earn parts "
            "(WUPS), which it does not know.",
            "gained, lost: questions that only the one or only the other got right (comparison.json lists "
            "them). same answer: from both the same letter was read, or none; the "
            "same words were said to an open question.",
            "detectable: points of true difference that these videos show with a power of 80%; above "
            f"{record.tell:g} there are too few questions.",
        ),
    )


def group_score_table(record: ComparisonRecord) -> Table | None:
    """One row a reference and part of a benchmark that is also scored in groups; None where none is."""
    titles = {column.name: column.title for column in record.benchmarks}
    rows = tuple(
        (
            gain.reference,
            titles[found.benchmark],
            found.part,
            percent(found.tested),
            percent(found.reference),
            f"{found.difference.value:+.1f}",
            interval(found.difference.interval95),
            str(found.groups),
            str(found.left_out),
        )
        for gain in record.gains
        for found in gain.group_scores
    )
    if not rows:
        return None
    columns = ("tested", "reference", "difference", "95% interval", "n", "left out")
    return Table(
        title=f"Gain of {record.runs[0].name} in group score: {record.data}",
        columns=("against", "benchmark", "groups", *columns),
        rows=rows,
        numeric=frozenset(columns),
        notes=(
            RULES,
            "Only groups whose four questions both answered, n of them; the interval is the paired bootstrap "
            "of the other tables, a group one observation.",
        ),
    )


def group_score_lines(gain: GainRecord) -> Iterator[dict[str, object]]:
    """What `comparison.csv` says of the table, but for the run."""
    for found in gain.group_scores:
        low, high = found.difference.interval95 or (None, None)
        yield {
            "of": found.benchmark,
            "reference": gain.reference,
            "measure": "group score difference" + ("" if found.part == ALL else f", {found.part}"),
            "value": found.difference.value,
            "interval95_low": low,
            "interval95_high": high,
            "n": found.groups,
        }


def not_the_same_notes(gain: GainRecord) -> Iterator[str]:
    """What only one of the two was asked, and where they did not show the same."""
    yield from _unmatched_notes(gain)
    yield from _shown_notes(gain)


def _unmatched_notes(gain: GainRecord) -> Iterator[str]:
    if gain.unmatched is None:
        return
    for run, keys in (
        (gain.tested, gain.unmatched.only_tested),
        (gain.reference, gain.unmatched.only_reference),
    ):
        if keys:
            yield f"Asked of {run} alone: {len(keys)} questions ({_some(keys)})."
    if gain.unmatched.differing:
        keys = gain.unmatched.differing
        yield f"Left out, since their options or truth differ: {len(keys)} questions ({_some(keys)})."


def _shown_notes(gain: GainRecord) -> Iterator[str]:
    if gain.shown is None:
        return
    both = f"{gain.tested} and {gain.reference}"
    for what, keys in (("other frames", gain.shown.other_frames), ("other pixels", gain.shown.other_pixels)):
        if keys:
            yield f"{both} showed {what} on {len(keys)} of {gain.shown.compared} questions ({_some(keys)})."
    if gain.shown.unknown:
        yield f"Whether {both} showed the same is not known of {gain.shown.unknown} questions."


def _some(keys: Sequence[str]) -> str:
    named = ", ".join(keys[:_NAMED])
    return f"{named}, ..." if len(keys) > _NAMED else named


def _pairs(gain: GainRecord) -> list[PairRecord]:
    return [*([gain.overall] if gain.overall else []), *gain.by_benchmark]


def _cells(pair: PairRecord) -> tuple[str, ...]:
    return (
        ABSENT if pair.verdict is None else _VERDICTS[pair.verdict],
        *(
            ABSENT if value is None else f"{value:.3g}"
            for value in (pair.p_value, pair.p_holm, pair.mcnemar_p)
        ),
        *(ABSENT if value is None else str(value) for value in (pair.gained, pair.lost)),
        percent(pair.agreement),
        percent(pair.detectable),
    )
