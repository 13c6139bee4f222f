"""Puts the figures of committed GPU reports into README.md and docs/, between markers.

python -m benchmarks.gpu.figures           writes the pages
python -m benchmarks.gpu.figures --check   says which page is not what the reports make it; exit code 1
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.gpu.report import Report, Row, StepRecord, card_slug, read_report
from benchmarks.gpu.table import shown, target, three_digits, verdict

ROOT = Path(__file__).resolve().parents[2]

_NOT_RUN = (
    "No GPU was at hand either: CUDA and flash-attention code paths have not been run, and no latency\n"
    "of the 7B shape is claimed. The script is ready for the minute a GPU is there:\n"
    "[benchmarks/gpu/run.sh](docs/benchmarks-gpu.md)."
)
_NOT_MEASURED = (
    "**Not measured yet.** No GPU was lent to the sessions that wrote this, so `results/` holds no latency\n"
    "of the 7B shape, and none is claimed anywhere."
)
_COLUMNS = (
    "model", "frames", "tokens in the LLM", "vision", "prefill", "TTFT", "TPOT, plain", "peak memory",
    "MFU vision", "MFU prefill", "MBU",
)  # fmt: skip
_HEADLINES = (
    "shape.overhead", "graph.plain.tpot", "graph.graph.ratio", "graph.compiled.ratio", "limit.self_attention",
    "memory.alike",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    reports = committed_reports(ROOT / "results" / "gpu")
    stale = [page for page, text in pages(ROOT, reports).items() if text != page.read_text(encoding="utf-8")]
    if list(arguments) == ["--check"]:
        for page in stale:
            print(
                f"{page} is not what results/gpu makes it: run python -m benchmarks.gpu.figures",
                file=sys.stderr,
            )
        return 1 if stale else 0
    for page in stale:
        page.write_text(pages(ROOT, reports)[page], encoding="utf-8")
        print(f"wrote {page}")
    return 0


def committed_reports(folder: Path) -> list[Report]:
    """The reports of all cards, in the order of their folders.

    Raises:
        ValueError: a rehearsal lies among them: its figures say nothing of a GPU.
    """
    reports = []
    for path in sorted(folder.glob("*/report.json")):
        report = read_report(path)
        if report.dry:
            raise ValueError(f"{path} is a rehearsal on a CPU; it does not belong below results/gpu.")
        reports.append(report)
    return reports


def pages(root: Path, reports: Sequence[Report]) -> dict[Path, str]:
    """Every page that shows figures, as it should be."""
    blocks: dict[str, Callable[[Sequence[Report]], str]] = {
        "readme": readme_block,
        "profiling": profiling_block,
    }
    places = {"readme": root / "README.md", "profiling": root / "docs" / "profiling.md"}
    return {
        page: with_block(page.read_text(encoding="utf-8"), name, blocks[name](reports))
        for name, page in places.items()
    }


def with_block(text: str, name: str, block: str) -> str:
    """`text` with what stands between the markers of `name` replaced.

    Raises:
        ValueError: the markers are not there exactly once.
    """
    pattern = re.compile(rf"(<!-- gpu:{name} begin[^\n]*-->\n).*?(<!-- gpu:{name} end -->)", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"the page must have the markers of gpu:{name} once.")
    return pattern.sub(lambda found: f"{found[1]}{block}\n{found[2]}", text)


def readme_block(reports: Sequence[Report]) -> str:
    """What was measured on a GPU in a few sentences, and what still was not."""
    return "\n\n".join(map(_in_short, reports)) if reports else _NOT_RUN


def profiling_block(reports: Sequence[Report]) -> str:
    """The tables of every card."""
    return "\n\n".join(map(_in_full, reports)) if reports else _NOT_MEASURED


def _in_short(report: Report) -> str:
    sentences = [f"On one {report.card} ({_when(report)}), by `{report.command}`:"]
    for prefix, what in (("verify.", "recorded cases"), ("answers.", "the mini model's answers")):
        rows = [row for row in report.rows if row.key.startswith(prefix)]
        held = [row for row in rows if row.met is not None]
        if held:
            good = sum(row.met is True for row in held)
            sentences.append(f"{what} agree in {good} of {len(held)} ways that have to;")
    sentences += [
        f"{_figure(row)};" for key in _HEADLINES if (row := report.row(key)) and row.value is not None
    ]
    sentences[-1] = sentences[-1].rstrip(";:") + "."
    lacking = _lacking(report)
    if lacking:
        sentences.append(f"Not measured there: {'; '.join(lacking)}.")
    sentences.append(
        "The released weights and real data were not at hand there either ([profiling](docs/profiling.md))."
    )
    return "\n".join(sentences)


def _in_full(report: Report) -> str:
    page = f"../results/gpu/{card_slug(report.card)}/report.md"
    lines = [
        f"**{report.card}**, {_when(report)}; all figures: [report]({page}).",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" + "|---:" * (len(_COLUMNS) - 1) + "|",
    ]
    step = report.step("shape")
    lines += _shape_lines(step) if step else []
    lines.append("")
    for row in (report.row(key) for key in _HEADLINES):
        if row is not None:
            lines.append(f"- {_figure(row)}" + (f" ({row.note})" if row.note else ""))
    lines += [f"- not measured: {what}" for what in _lacking(report)]
    return "\n".join(lines)


def _shape_lines(step: StepRecord) -> list[str]:
    lines = []
    for key, value in step.detail.items():
        name, _, frames = key.partition(".")
        if name not in ("slow_fast", "self_attention") or not frames:
            continue
        vision = step.detail[f"vision.{frames}"]
        cells = (
            "slow-fast" if name == "slow_fast" else "self-attention only",
            frames,
            str(value["fast_tokens"] + value["text_tokens"]),
            shown(value["vision_s"], "s"),
            shown(value["prefill"]["median"], "s"),
            shown(value["ttft_s"], "s"),
            shown(value["tpot"]["median"], "s"),
            shown(value["peak_bytes"], "bytes"),
            _percent(vision["share_of_measured_peak"]),
            _percent(value["prefill_share"]["share_of_measured_peak"]),
            _percent(value["mbu"]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _figure(row: Row) -> str:
    """What a row says, with its target and by how much it is missed."""
    text = f"{row.what}: {shown(row.value, row.unit)}"
    if aim := target(row):
        text += f" (to reach: {aim}{', ' if verdict(row) else ''}{verdict(row)})"
    return text


def _lacking(report: Report) -> list[str]:
    """What was not measured, and why: steps that did not go through, rows without a value, flash."""
    lacking = [f"the step {step.name} ({step.reason})" for step in report.steps if step.status != "ok"]
    lacking += [f"{row.what} ({row.note})" for row in report.rows if row.value is None]
    verify = report.step("verify")
    if verify is not None and verify.detail.get("flash_attention") is False:
        lacking.append("flash-attention (not installed there)")
    return lacking


def _when(report: Report) -> str:
    return f"{report.created[:10]}, commit {report.commit[:12]}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{three_digits(100 * value)}%"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
