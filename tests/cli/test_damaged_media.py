"""Damaged videos through the command line: each costs its own questions, and says so everywhere."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "video"))

import video_files as files
from zygote import Ended, Zygote, assert_no_workers, shared_zygote

from sf_eval.editions import mini_root

# Nine videos: the long ones, which take longest to decode, come after them.
RUN = ("run", "--model", "mini", "--num-frames", "4", "--tasks", "videomme", "--limit", "45")
QUESTIONS, OF_A_VIDEO = 45, 5
TABLE = "videomme/test-00000-of-00001.parquet"


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("This is a log file that somebody renamed.\n" * 200)


def endless(path: Path) -> None:
    """Four sparse terabytes of nothing follow: a Matroska reader looks through them for the next frame."""
    os.truncate(path, 4 << 40)


# What was done to each video: how, the outcome of its questions, and the reason that is given.
DAMAGE: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "mini-000": (lambda path: files.cut(path, 0.6), "decode_error", "not_decodable"),
    "mini-001": (emptied, "decode_error", "empty"),
    "mini-002": (text, "decode_error", "not_decodable"),
    "mini-003": (endless, "timeout", "timeout"),
    "mini-004": (lambda path: files.write_audio(path), "decode_error", "no_video_stream"),
    "mini-005": (lambda path: path.unlink(), "missing_media", "missing"),
    "mini-006": (lambda path: files.overstate_frames(path, 500), "decode_error", "ends_early"),
    "mini-007": (lambda path: files.cut(path, 0.6), "decode_error", "ends_early"),
}
FAILED = OF_A_VIDEO * len(DAMAGE)


@dataclass(frozen=True)
class Finished:
    data: Path
    run: Path
    ended: Ended

    @property
    def samples(self) -> list[dict[str, Any]]:
        text = (self.run / "samples.jsonl").read_text(encoding="utf-8")
        return [{**json.loads(line), "timings": None} for line in text.splitlines()]

    @property
    def results(self) -> dict[str, Any]:
        results: dict[str, Any] = json.loads((self.run / "results.json").read_text(encoding="utf-8"))
        return results

    @property
    def journal(self) -> list[dict[str, Any]]:
        text = (self.run / "journal.jsonl").read_text(encoding="utf-8")
        return [json.loads(line.partition(" ")[2]) for line in text.splitlines()]


@pytest.fixture(scope="module")
def zygote() -> Zygote:
    return shared_zygote()


def copy_of_mini(folder: Path) -> Path:
    shutil.copytree(mini_root(["videomme"]) / "videomme", folder / "data" / "videomme")
    return folder / "data"


def video(data: Path, name: str) -> Path:
    (path,) = (data / "videomme" / "data").glob(f"{name}.*")
    return path


def damage(data: Path, *names: str) -> None:
    for name in names:
        DAMAGE[name][0](video(data, name))


@pytest.fixture(scope="module")
def sound(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("sound")
    data = copy_of_mini(folder)
    ended = zygote.run(folder, *RUN, "--data", "data", "--output", "run")
    assert ended.code == 0, ended
    return Finished(data, folder / "run", ended)


@pytest.fixture(scope="module")
def damaged(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    # A folder whose name looks like the markup of the library that prints it.
    folder = tmp_path_factory.mktemp("damaged") / "[" / "red]"
    data = copy_of_mini(folder)
    damage(data, *DAMAGE)
    process = zygote.start(
        folder, *RUN, "--data", "data", "--output", "run", "--skip-missing", "--decode-timeout", "4"
    )
    ended = process.wait()
    assert_no_workers(process.pid)
    return Finished(data, folder / "run", ended)


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_video_costs_its_own_questions_and_says_why(damaged: Finished, name: str) -> None:
    _, outcome, reason = DAMAGE[name]
    samples = [sample for sample in damaged.samples if sample["video"] == name]
    assert len(samples) == OF_A_VIDEO
    for sample in samples:
        assert sample["outcome"] == outcome
        assert f"[{reason}]" in sample["failure_reason"]
        assert f"{name}." in sample["failure_reason"]
        assert sample["output"] is None
        assert sample["answer"] is None
        assert sample["published_verdict"] is None


def test_all_other_questions_are_answered_as_ever(damaged: Finished, sound: Finished) -> None:
    assert [sample["question_id"] for sample in damaged.samples] == [
        sample["question_id"] for sample in sound.samples
    ]
    for sample, same in zip(damaged.samples, sound.samples, strict=True):
        if sample["video"] not in DAMAGE:
            assert sample == same


def test_coverage_and_bounds_say_what_is_missing(damaged: Finished) -> None:
    (task,) = damaged.results["tasks"]
    score = task["micro"]
    answered = QUESTIONS - FAILED
    assert damaged.results["complete"] is True
    assert score["n"] == answered
    assert score["coverage"] == pytest.approx(100 * answered / QUESTIONS)
    assert score["failures"] == {"decode_error": 30, "timeout": 5, "missing_media": 5}
    assert score["bounds"] == pytest.approx(
        [100 * score["correct"] / QUESTIONS, 100 * (score["correct"] + FAILED) / QUESTIONS]
    )
    leaderboard = (damaged.run / "leaderboard.md").read_text(encoding="utf-8")
    for place in (damaged.ended.out, leaderboard):
        assert f"{score['coverage']:.1f}" in place
        assert "30 decode_error" in place
        assert "5 timeout" in place
    assert "if all failed were wrong / right" in leaderboard


def test_the_run_is_completed_and_its_exit_code_is_1(damaged: Finished) -> None:
    assert damaged.ended.code == 1
    assert damaged.ended.err == ""
    assert f"{FAILED} of {QUESTIONS} questions failed (samples.jsonl says why)" in damaged.ended.out
    assert "Traceback" not in damaged.ended.out + (damaged.run / "run.log").read_text()


def test_a_hanging_decoder_is_waited_for_once_a_video(damaged: Finished) -> None:
    """Five questions about it, at a default of ten minutes each, would be most of an hour."""
    reasons = {sample["failure_reason"] for sample in damaged.samples if sample["video"] == "mini-003"}
    assert len(reasons) == 1
    assert "within 4 s" in reasons.pop()


def test_a_missing_video_stops_before_the_model_unless_it_may_be_missing(
    zygote: Zygote, tmp_path: Path
) -> None:
    data = copy_of_mini(tmp_path)
    damage(data, "mini-005")
    ended = zygote.run(tmp_path, *RUN, "--data", "data", "--output", "run")
    assert ended.code == 2
    assert "mini-005" in ended.complaint
    assert str(data / "videomme" / "data" / "mini-005.mp4") in ended.complaint
    assert "--skip-missing" in ended.complaint
    assert not (tmp_path / "run").exists()
    assert "Loading" not in ended.out


@pytest.mark.parametrize(("policy", "failures"), [("any", 1), ("4", 5), ("0.05", 3)])
def test_fail_on_error_stops_and_keeps_what_there_is(
    zygote: Zygote, sound: Finished, tmp_path: Path, policy: str, failures: int
) -> None:
    data = copy_of_mini(tmp_path)
    damage(data, "mini-001", "mini-002")
    # One question per batch: what waits for its batch when the run stops is asked by the next.
    args = (*RUN, "--batch-size", "1", "--data", "data", "--output", "run", "--fail-on-error", policy)
    ended = zygote.run(tmp_path, *args)
    assert ended.code == 1
    assert "--fail-on-error" in ended.complaint
    assert "mini-00" in ended.complaint
    stopped = Finished(data, tmp_path / "run", ended)
    assert sum("failure" in line for line in stopped.journal) == failures
    assert stopped.results["complete"] is False
    assert len(stopped.samples) == len(stopped.journal) == OF_A_VIDEO + failures
    assert stopped.samples[:OF_A_VIDEO] == sound.samples[:OF_A_VIDEO]


def test_failures_that_are_accepted_neither_stop_a_run_nor_fail_it(zygote: Zygote, tmp_path: Path) -> None:
    data = copy_of_mini(tmp_path)
    damage(data, "mini-001")
    args = (*RUN, "--data", "data", "--output", "run", "--limit", "10")
    ended = zygote.run(tmp_path, *args, "--fail-on-error", "0.9")
    assert ended.code == 0, ended
    assert "5 of 10 questions failed, which --fail-on-error accepts" in ended.out
    assert Finished(data, tmp_path / "run", ended).results["tasks"][0]["micro"]["coverage"] == 50.0
    assert zygote.run(tmp_path, *args).code == 1


def test_a_repaired_file_is_tried_again_and_nothing_else(
    zygote: Zygote, sound: Finished, tmp_path: Path
) -> None:
    data = copy_of_mini(tmp_path)
    names = ("mini-000", "mini-002")
    damage(data, *names)
    args = (*RUN, "--data", "data", "--output", "run", "--limit", "20")
    first = Finished(data, tmp_path / "run", zygote.run(tmp_path, *args))
    assert first.ended.code == 1
    for name in names:
        shutil.copy2(video(sound.data, name), video(data, name))
    before = len(first.journal)
    second = Finished(data, tmp_path / "run", zygote.run(tmp_path, *args))
    assert second.ended.code == 0, second.ended
    new = second.journal[before:]
    assert len(new) == OF_A_VIDEO * len(names)
    assert all("answer" in line for line in new)
    assert second.samples == sound.samples[:20]


def test_a_video_cut_without_coding_it_anew_is_shown_as_published(
    zygote: Zygote, sound: Finished, tmp_path: Path
) -> None:
    data = copy_of_mini(tmp_path)
    files.trim_by_edit_list(video(sound.data, "mini-000"), video(data, "mini-000"), 24)  # one second
    thumbnail, film = {"frames": 1, "size": (48, 32), "codec": "mjpeg"}, {"frames": 20, "size": (96, 64)}
    files.write_streams(video(data, "mini-001"), thumbnail, film)
    done = Finished(data, tmp_path / "run", zygote.run(
        tmp_path, *RUN, "--data", "data", "--output", "run", "--limit", "15"
    ))  # fmt: skip
    assert done.ended.code == 0, done.ended
    trimmed, second, others = (done.samples[start : start + OF_A_VIDEO] for start in (0, 5, 10))
    assert [[note["kind"] for note in s["video_notes"]] for s in second] == [["film_stream"]] * OF_A_VIDEO
    assert [[note["kind"] for note in s["video_notes"]] for s in trimmed] == [["in_order"]] * OF_A_VIDEO
    assert all(s["video_notes"] == [] for s in others)
    assert [(s["video"], s["num_frames"], s["frames_missing"]) for s in trimmed] == [
        ("mini-000", 3, 1)
    ] * OF_A_VIDEO
    assert others == sound.samples[10:15]
    assert [(s["num_frames"], s["frames_missing"]) for s in others] == [(4, 0)] * OF_A_VIDEO
    log = (done.run / "run.log").read_text(encoding="utf-8")
    assert "its edit list hides 1 of the 4 wanted frames" in log
    assert f"{video(data, 'mini-000')}" in log
    assert f"{video(data, 'mini-001')}: the film is stream 1" in log


@pytest.mark.parametrize("batch_size", [pytest.param("1", marks=pytest.mark.thorough), "4"])
def test_a_question_that_does_not_fit_the_model_fails_alone(
    zygote: Zygote, sound: Finished, tmp_path: Path, batch_size: str
) -> None:
    data = copy_of_mini(tmp_path)
    rows = pq.read_table(data / "videomme" / TABLE).to_pylist()
    rows[1]["question"] = "What " + "very " * 5000 + "long film is this?"
    pq.write_table(pa.Table.from_pylist(rows), data / "videomme" / TABLE)
    args = (*RUN, "--data", "data", "--output", "run", "--limit", "6", "--batch-size", batch_size)
    done = Finished(data, tmp_path / "run", zygote.run(tmp_path, *args))
    assert done.ended.code == 1
    failed = done.samples[1]
    assert failed["outcome"] == "model_error"
    assert failed["output"] is failed["answer"] is None
    assert "4096" in failed["failure_reason"]
    assert [s for i, s in enumerate(done.samples) if i != 1] == [
        s for i, s in enumerate(sound.samples[:6]) if i != 1
    ]
    assert "videomme/1 cannot be asked" in (done.run / "run.log").read_text()
    assert done.results["degraded"] == []
