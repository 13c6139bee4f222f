"""The key of an answer changes with everything that determines it, and with nothing else."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sf_eval.benchmarks import Document, MediaRef
from sf_eval.benchmarks.prompts import SubtitledPrompt
from sf_eval.harness.identity import ModelIdentity, digest_of
from sf_eval.inference import Question, QuestionKey
from sf_eval.video import Clip

MODEL = ModelIdentity(
    weights_digest="w", slow_path="on", decode_slow_attention=True, dtype="float32", attn="sdpa",
    device_type="cpu", sampling="published", num_frames=64, target_fps=2.0, video_backend="pyav",
    prompt_format="qwen2-chatml", libraries="torch=2",
)  # fmt: skip
DOCUMENT = Document(
    0, "q", "v", MediaRef(("v.mp4",)), "v.srt", "What?", {"A": "x", "B": "y"}, "A", {}, "What?"
)


@pytest.fixture
def question(tmp_path: Path) -> Question:
    (tmp_path / "v.mp4").write_bytes(b"video")
    return Question(QuestionKey("videomme", 3), Clip(tmp_path / "v.mp4"), "What?", 16, name="videomme:q3")


def test_each_determinant_changes_it(question: Question) -> None:
    others = [
        (replace(question, prompt="Who?"), MODEL),
        (replace(question, max_new_tokens=17), MODEL),
        (replace(question, name="videomme:q4"), MODEL),
        (replace(question, clip=None), MODEL),
        (replace(question, clip=replace(question.clip, end_s=2.0)), MODEL),
    ]
    for field, value in vars(MODEL).items():
        changed = not value if isinstance(value, bool) else value * 2 or "another family"
        others.append((question, replace(MODEL, **{field: changed})))
    digests = {digest_of(question, MODEL), *(digest_of(*other) for other in others)}
    assert len(digests) == 1 + len(others)


def test_a_key_that_a_slow_fast_model_was_given_once_stays_its_key(question: Question) -> None:
    """Journals of earlier versions hold it."""
    asked = replace(question, clip=None)
    assert digest_of(asked, MODEL) == "1dfe254b0d97cd6c763f3c7934cd16cc7e4049f520a3f9b5bc3ee0a93ca69d54"


def test_a_moved_directory_and_another_row_number_do_not(question: Question, tmp_path: Path) -> None:
    moved = shutil.copytree(tmp_path, tmp_path.with_name("moved"))
    shutil.copystat(question.clip.path, moved / "v.mp4")
    other = replace(question, key=QuestionKey("videomme", 8), clip=Clip(moved / "v.mp4"))
    assert digest_of(other, MODEL) == digest_of(question, MODEL)


def test_a_changed_video_or_subtitle_file_does(question: Question, tmp_path: Path) -> None:
    (tmp_path / "v.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    subtitled = replace(question, prompt=SubtitledPrompt(DOCUMENT, tmp_path / "v.srt"))
    before = digest_of(subtitled, MODEL)
    assert before != digest_of(replace(question, prompt=SubtitledPrompt(DOCUMENT, None)), MODEL)
    assert before == digest_of(subtitled, MODEL)
    (tmp_path / "v.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHullo\n")
    changed = digest_of(subtitled, MODEL)
    assert changed != before
    os.utime(question.clip.path, ns=(1, 1))
    assert digest_of(subtitled, MODEL) != changed
