"""What a dry run says of the cost of subtitles: it is told before any frame's time is known."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from sf_eval.harness.controls.conditions import Conditions, Control
from sf_eval.harness.plan import make_plan
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.report.dry_run import show

TITLES = {
    "videomme": "Video-MME",
    "videomme_w_subtitle": "Video-MME with subtitles",
    "videomme_v2": "Video-MME-v2",
    "videomme_v2_w_subtitle": "Video-MME-v2 with subtitles",
    "longvideobench": "LongVideoBench (validation)",
    "longvideobench_w_subtitle": "LongVideoBench (validation), subtitles as text",
    "longvideobench_interleaved": "LongVideoBench (validation), subtitles between frames",
}
SCALE = {"M": 1e6, "G": 1e9}


def dry_run(output: Path, control: Control | None = None) -> tuple[dict[str, float], str]:
    """The FLOPs of each task, and all that is shown."""
    console = Console(file=io.StringIO(), width=200)
    settings = RunSettings(
        model="mini", tasks=",".join(TITLES), data="mini", num_frames=2, limit=parse_limit("4"),
        output=output, conditions=Conditions(control=control),
    )  # fmt: skip
    show(make_plan(settings), console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    flops = {}
    for task, title in TITLES.items():
        (line,) = [line for line in said.splitlines() if line.startswith(f" {title}  ")]
        value, unit = line.removeprefix(f" {title}").split()[2:4]
        flops[task] = float(value) * SCALE[unit]
    return flops, said


def test_the_words_of_subtitles_are_in_the_flops(tmp_path: Path) -> None:
    flops, said = dry_run(tmp_path / "out")
    assert flops["videomme_w_subtitle"] > 1.1 * flops["videomme"]
    assert flops["videomme_v2_w_subtitle"] > 1.1 * flops["videomme_v2"]
    assert flops["longvideobench_w_subtitle"] > flops["longvideobench_interleaved"] > flops["longvideobench"]
    assert "Subtitles: all words of a video's file, whichever of them its frames show." in said


def test_without_a_video_there_are_no_subtitles(tmp_path: Path) -> None:
    flops, said = dry_run(tmp_path / "out", "blind")
    assert flops["videomme_w_subtitle"] == flops["videomme"]
    assert "Subtitles" not in said
