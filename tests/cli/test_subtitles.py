"""Subtitles through the command line: what is said at the shown frames, whatever is wrong with the files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.editions import mini_root
from sf_eval.video import Clip, SamplingRule, load_clip

RUN = ("run", "--model", "mini", "--num-frames", "4", "--tasks", "videomme_w_subtitle")
NOTHING_SAID = "listed below: \nNo subtitles available\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    source = mini_root(["videomme"]) / "videomme"
    return Path(shutil.copytree(source, tmp_path / "data" / "videomme")).parent


def samples_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


def cut_off(video: Path) -> None:
    video.write_bytes(video.read_bytes()[:4000])


def endless(video: Path) -> None:
    """Four sparse terabytes of nothing follow: a Matroska reader looks through them for the next frame."""
    os.truncate(video, 4 << 40)


def test_bad_videos_cost_their_own_questions(sf_eval: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    videos = data / "videomme" / "data"
    cut_off(videos / "mini-000.mp4")
    endless(videos / "mini-003.mkv")
    ended = sf_eval(
        *RUN, "--data", data, "--limit", "20", "--decode-timeout", "4", "--output", tmp_path / "run"
    )
    assert ended.code == 1, ended
    assert "Traceback" not in ended.err
    outcomes = {(sample["video"], sample["outcome"]) for sample in samples_of(tmp_path / "run")}
    failed = {("mini-000", "decode_error"), ("mini-003", "timeout")}
    assert failed <= outcomes
    assert {video for video, _ in outcomes - failed} == {"mini-001", "mini-002"}


def test_the_prompt_holds_what_is_said_while_a_shown_frame_is_on_the_screen(
    sf_eval: Callable[..., Any], data: Path, tmp_path: Path
) -> None:
    times_s = load_clip(Clip(data / "videomme/data/mini-000.mp4"), SamplingRule("published", 4)).times_s
    blocks = [
        f"{number}\n00:00:0{time:.3f} --> 00:00:0{time + 0.001:.3f}\nFrame {number}.\n".replace(".", ",", 2)
        for number, time in enumerate(times_s, 1)
    ]
    (data / "videomme/subtitle/mini-000.srt").write_text(
        "\n".join([*blocks, "9\n00:00:09,000 --> 00:00:09,500\nToo late.\n"])
    )
    assert sf_eval(*RUN, "--data", data, "--limit", "3", "--output", tmp_path / "run").code == 0
    for sample in samples_of(tmp_path / "run"):
        assert "listed below: \nFrame 1.\nFrame 2.\nFrame 3.\nFrame 4.\nSelect" in sample["prompt"]


@pytest.mark.parametrize("content", ["<html>404 not found</html>", None])
def test_damaged_or_missing_subtitles_are_one_line_before_the_weights(
    sf_eval: Callable[..., Any], data: Path, tmp_path: Path, content: str | None
) -> None:
    folder = data / "videomme" / "subtitle"
    if content is None:
        shutil.rmtree(folder)
    else:
        (folder / "mini-001.srt").write_text(content)
    ended = sf_eval(*RUN, "--data", data, "--output", tmp_path / "run")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert str(folder) in ended.err
    assert "Loading" not in ended.out
    assert not (tmp_path / "run").exists()


def test_a_video_without_subtitles_says_so(sf_eval: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    (data / "videomme" / "subtitle" / "mini-000.srt").unlink()
    assert sf_eval(*RUN, "--data", data, "--limit", "1", "--output", tmp_path / "run").code == 0
    (sample,) = samples_of(tmp_path / "run")
    assert NOTHING_SAID in sample["prompt"]
