"""From figures to a table, to JSON and back, and into README and docs by script."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu import figures
from benchmarks.gpu.report import Report, Row, StepRecord, card_slug, read_report
from benchmarks.gpu.search import largest
from benchmarks.gpu.table import markdown, shown, verdict

ROOT = Path(__file__).resolve().parents[2]


def language(prefill: float, tokens: int) -> dict[str, object]:
    samples = {
        "unit": "s",
        "n": 3,
        "median": prefill,
        "p90": prefill,
        "p99": prefill,
        "values": [prefill] * 3,
    }
    return {
        "fast_tokens": tokens, "text_tokens": 100, "vision_s": 0.4, "prefill": samples, "ttft_s": 0.5,
        "tpot": {**samples, "median": 0.025}, "peak_bytes": 20 * 2**30, "mbu": 0.17,
        "prefill_share": {"share_of_measured_peak": 0.456},
    }  # fmt: skip


REPORT = Report(
    dry=False,
    created="2026-12-01T10:00:00+00:00",
    finished=True,
    card="NVIDIA H100 80GB HBM3",
    commit="0123456789abcdef",
    source_sha256="f" * 64,
    command="benchmarks/gpu/run.sh",
    seconds=400.0,
    steps=(
        StepRecord("verify", "Cases", "ok", "", 30.0, 60.0, detail={"flash_attention": False}, rows=(
            Row("verify.float32.sdpa", "recorded cases that agree, float32, sdpa", 100.0, "%", at_least=100),
            Row("verify.float16.sdpa", "recorded cases that agree, float16, sdpa", 50.0, "%", at_least=100),
        )),
        StepRecord("shape", "7B", "timeout", "ended after its 120 s", 120.0, 120.0, detail={
            "vision.16": {"share_of_measured_peak": 0.31}, "slow_fast.16": language(0.05, 1296),
        }, rows=(
            Row("shape.overhead", "prefill, 128 over 16", 6.25, "%", 12, at_most=5.0, note="counted: 1.96%"),
            Row("shape.self_attention.1536.ttft", "self-attention only, 1536 frames: TTFT", None, "s",
                note="the time | would not have lasted"),
        )),
    ),
)  # fmt: skip


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(REPORT.to_json()))
    assert read_report(path) == REPORT
    assert json.loads(path.read_text())["steps"][1]["rows"][0]["met"] is False


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps({**REPORT.to_json(), "schema_version": 99}))
    with pytest.raises(ValueError, match="99"):
        read_report(path)


def test_the_schema_page_names_every_key() -> None:
    page = (ROOT / "docs" / "schemas" / "gpu_report.md").read_text(encoding="utf-8")
    value = REPORT.to_json()
    for key in {*value, *value["steps"][1], *value["steps"][1]["rows"][0]}:
        assert f"`{key}`" in page, key


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12.3 ms"), (1.5, "s", "1.5 s"), (2.5e-5, "s", "25 µs"),
        (798e12, "FLOP/s", "798 TFLOP/s"), (3.02e12, "byte/s", "3.02 TB/s"), (3 * 2**30, "bytes", "3 GiB"),
        (1.964, "%", "1.96 %"),
        (3456, "frames", "3456 frames"), (0, "count", "0"), (None, "s", "-"), (1.234, "x", "1.23 x"),
    ],
)  # fmt: skip
def test_figures_are_shown_in_the_unit_that_suits_them(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (Row("a", "a", 6.25, "%", at_most=5.0), "**missed by 1.25 %**"),
        (Row("a", "a", 5.0, "%", at_most=5.0), "met"),
        (Row("a", "a", 90.0, "%", at_least=100.0), "**missed by 10 %**"),
        (Row("a", "a", None, "%", at_least=100.0), ""),
        (Row("a", "a", 1.0, "s"), ""),
    ],
)
def test_a_figure_that_is_missed_says_by_how_much(row: Row, said: str) -> None:
    assert verdict(row) == said


def test_the_table_shows_figures_and_steps_that_did_not_go_through() -> None:
    text = markdown(REPORT)
    assert (
        "| shape | prefill, 128 over 16 | 6.25 % | 12 | ≤ 5 % | **missed by 1.25 %** | counted: 1.96% |"
        in text
    )
    assert "| shape | the step itself: timeout | - |  |  |  | ended after its 120 s |" in text
    assert "time \\| would" in text
    assert "ehearsal" not in text
    assert "none of these figures" in markdown(replace(REPORT, dry=True))
    assert "cut off" in markdown(replace(REPORT, finished=False))


def test_pages_say_what_was_measured_and_what_still_was_not() -> None:
    short = figures.readme_block([REPORT])
    assert "On one NVIDIA H100 80GB HBM3 (2026-12-01, commit 0123456789ab)" in short
    assert "recorded cases agree in 1 of 2 ways" in short
    assert "missed by 1.25 %" in short
    assert "flash-attention (not installed there)" in short
    assert "the step shape (ended after its 120 s)" in short
    full = figures.profiling_block([REPORT])
    assert "| slow-fast | 16 | 1396 | 400 ms | 50 ms | 500 ms | 25 ms | 20 GiB | 31% | 45.6% | 17% |" in full
    assert f"results/gpu/{card_slug(REPORT.card)}/report.md" in full


def test_without_a_report_the_pages_say_that_nothing_ran_on_a_gpu() -> None:
    assert "have not been run" in figures.readme_block([])
    assert "Not measured yet" in figures.profiling_block([])


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    page = "before\n<!-- gpu:readme begin; x -->\nold\n<!-- gpu:readme end -->\nafter\n"
    once = figures.with_block(page, "readme", r"new \1")
    assert once == "before\n<!-- gpu:readme begin; x -->\nnew \\1\n<!-- gpu:readme end -->\nafter\n"
    assert figures.with_block(once, "readme", r"new \1") == once
    with pytest.raises(ValueError, match="markers"):
        figures.with_block("no markers", "readme", "new")


def test_a_rehearsal_is_no_result(tmp_path: Path) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    (folder / "report.json").write_text(json.dumps(replace(REPORT, dry=True).to_json()))
    with pytest.raises(ValueError, match="rehearsal"):
        figures.committed_reports(tmp_path)


def test_readme_and_docs_hold_the_committed_figures() -> None:
    """After new results: python -m benchmarks.gpu.figures."""
    assert figures.main(["--check"]) == 0


@pytest.mark.parametrize("border", [1, 63, 64, 100, 2048, 2111, 3500, 7000, 32768])
def test_the_largest_number_that_fits_is_found_within_a_step(border: int) -> None:
    tried = []

    def fits(number: int) -> bool:
        tried.append(number)
        return number <= border

    found = largest(fits, 2048, step=64, most=32768, may_go_on=lambda: True)
    if border >= 32768:
        assert (found.fits, found.fails) == (32768, None)
    elif border < 64:
        assert (found.fits, found.fails) == (None, 64)
    else:
        assert found.fits == border // 64 * 64
        assert found.fails == found.fits + 64
    assert len(tried) == len(set(tried)) == found.trials <= 12


def test_a_search_that_must_end_tells_the_border_it_had() -> None:
    turns = iter([True, True, True, False])
    found = largest(lambda number: number <= 5000, 2048, step=64, most=32768, may_go_on=lambda: next(turns))
    assert (found.fits, found.fails) == (4096, 8192)
