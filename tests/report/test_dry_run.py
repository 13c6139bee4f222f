"""What a dry run says of the cost of subtitles, before any frame's time is known; and of other families."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from rich.console import Console
from tiny_checkpoints import make_checkpoint

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.cards import card_for
from sf_eval.core.tables import scaled
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.harness.controls.conditions import Conditions, Control
from sf_eval.harness.plan import make_plan
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.inference.families import open_model
from sf_eval.inference.family import Asked
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.report.dry_run import CHARACTERS_A_TOKEN, show
from sf_eval.video import ClipPlan, VideoInfo

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


def family_dry_run(family: str, folder: Path, control: Control | None = None) -> str:
    checkpoint = make_checkpoint(family, folder / family)
    settings = RunSettings(
        model=str(checkpoint), tasks="videomme", data="mini", num_frames=4, limit=parse_limit("2"),
        output=folder / "out", device="cpu",
        conditions=Conditions(control=control),
    )  # fmt: skip
    console = Console(file=io.StringIO(), width=200)
    show(make_plan(settings), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def heads(said: str) -> list[str]:
    """Words of the first table's heads, which wrap."""
    return said.partition(" task ")[2].partition(" ──")[0].split()


def test_another_familys_flops_and_memory_are_told_without_its_weights(tmp_path: Path) -> None:
    said = family_dry_run("qwen2_5_vl", tmp_path)
    (line,) = [line for line in said.splitlines() if line.startswith(" Video-MME  ")]
    assert line.split()[4] in ("MFLOP", "M", "G"), line
    assert said.count("Videos: 4 frames of 1280 x 720, by the checkpoint's own processor ") == 1
    assert "most" not in heads(said), "larger pictures take more"
    assert "Memory at batch size 1, float32" in said
    assert "in all while a video is encoded" in said
    assert "It fits. In closed form" in said


def test_the_markup_around_video_and_question_is_counted_once(tmp_path: Path) -> None:
    said = family_dry_run("llava_onevision", tmp_path)
    model = open_model(card_for(str(tmp_path / "llava_onevision")), dtype="float32")
    info = VideoInfo(Path("any"), 4, 1.0, 4.0, 1280, 720, "drawn")
    shown = ClipPlan(info, (0, 1, 2, 3), (0.0, 1.0, 2.0, 3.0))
    encoded = model.encode(torch.zeros(4, 720, 1280, 3, dtype=torch.uint8), shown, chunk_frames=4)
    wordless = model.answer([Asked("", encoded, None, 1)])[0]
    assert wordless.prompt_tokens is not None
    assert wordless.visual_tokens is not None
    shape = family_model(model.facts.config)
    assert shape is not None
    asked = open_benchmark(get_benchmark("videomme"), parse_source("mini")).documents[:2]
    flops = 0
    for document in asked:
        text = wordless.prompt_tokens - wordless.visual_tokens + len(document.prompt) // CHARACTERS_A_TOKEN
        cost = shape.cost(
            wordless.visual_grid, wordless.visual_tokens, text, get_benchmark("videomme").max_new_tokens
        )
        assert cost is not None
        flops += cost.total_flops
    (line,) = [line for line in said.splitlines() if line.startswith(" Video-MME  ")]
    assert f" {scaled(flops)} " in line


def test_without_a_video_another_familys_flops_are_the_most(tmp_path: Path) -> None:
    said = family_dry_run("qwen2_5_vl", tmp_path, "blind")
    assert "most" in heads(said)
    assert said.count("Videos: ") == 1, "its memory is that of videos all the same"


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    said = family_dry_run("generic", tmp_path)
    assert "The FLOPs of this kind of model are not counted, and so its time is not estimated." in said
    assert "They fit. Keys and values of the prompts and activations come on top" in said
