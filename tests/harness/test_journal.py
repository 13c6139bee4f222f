"""The journal: what was answered survives kills, damage and full disks."""

from __future__ import annotations

import os
import random
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from sf_eval.core.errors import OutputError
from sf_eval.harness.journal import Journal
from sf_eval.inference import Answer, Failure, FailureKind, QuestionKey, StageTimings
from sf_eval.video import VideoErrorReason, VideoNote, VideoNoteKind

NOTES = (VideoNote(VideoNoteKind.measured_rate, "it states 1000 frames per second"),)
SLOW = Failure(QuestionKey("t", 0), FailureKind.TIMEOUT, "slow", VideoErrorReason.timeout)
TIMINGS = StageTimings(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 2)


def answer(index: int, text: str = "B") -> Answer:
    return Answer(QuestionKey("t", index), "What?", text, 3, (0, 5, 9), 40, 12, 48, 1, "stop", TIMINGS)


def test_what_was_appended_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("d1", answer(0, "Die Antwort ist „B“\n\x00"))
    with Journal(path) as journal:
        assert journal.get("d1") == answer(0, "Die Antwort ist „B“\n\x00")
        assert journal.get("d2") is None


def test_an_answer_from_before_hidden_frames_were_counted_lacks_none(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("d1", replace(answer(0), frames_missing=2, video_notes=NOTES))
        journal.append("d2", answer(1))
    lines = path.read_bytes().splitlines(keepends=True)
    payload = lines[1].partition(b" ")[2].rstrip().replace(b', "frames_missing": 0', b"")
    assert b"frames_missing" not in payload
    path.write_bytes(lines[0] + f"{zlib.crc32(payload):08x} ".encode() + payload + b"\n")
    with Journal(path) as journal:
        assert journal.get("d1") == replace(answer(0), frames_missing=2, video_notes=NOTES)
        assert journal.get("d2") == answer(1)


def test_a_failure_is_recorded_but_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("d1", SLOW)
    with Journal(path) as journal:
        assert journal.get("d1") is None
        assert journal.last("d1") == SLOW
    earlier = path.read_bytes().partition(b" ")[2].rstrip().replace(b', "video_error": "timeout"', b"")
    path.write_bytes(f"{zlib.crc32(earlier):08x} ".encode() + earlier + b"\n")
    with Journal(path) as journal:
        assert journal.last("d1") == replace(SLOW, video_error=None)


def test_an_answer_after_a_failure_counts(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("d1", Failure(QuestionKey("t", 0), FailureKind.TIMEOUT, "slow"))
        journal.append("d1", answer(0))
    with Journal(path) as journal:
        assert journal.get("d1") == answer(0)


def test_a_kill_at_any_byte_of_a_write_loses_at_most_that_answer(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    with Journal(whole) as journal:
        for number in range(2):
            journal.append(f"d{number}", answer(number))
    data = whole.read_bytes()
    ends = [index + 1 for index, byte in enumerate(data) if byte == ord("\n")]
    for cut in range(ends[0], len(data) + 1):  # the second; the first is written alike
        path = tmp_path / "cut.jsonl"
        path.write_bytes(data[:cut])
        kept = sum(end <= cut for end in ends)
        with Journal(path) as journal:
            assert len(journal) == kept
            journal.append("new", answer(99))
        with Journal(path) as journal:
            assert len(journal) == kept + 1


def test_a_damaged_line_costs_only_its_own_answer(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for number in range(5):
            journal.append(f"d{number}", answer(number))
    lines = path.read_bytes().splitlines(keepends=True)
    generator = random.Random(0)
    for _ in range(50):
        damaged = bytearray(lines[2])
        position = generator.randrange(len(damaged) - 1)
        damaged[position] ^= 1 << generator.randrange(7)
        if b"\n" in damaged[:-1]:
            continue
        path.write_bytes(b"".join([*lines[:2], bytes(damaged), *lines[3:]]))
        with Journal(path) as journal:
            assert [journal.get(f"d{number}") is not None for number in range(5)] == [
                True,
                True,
                False,
                True,
                True,
            ]


def test_a_full_disk_is_one_error_and_damages_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append("d1", answer(0))
    script = f"""
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_journal import answer
from sf_eval.harness.journal import Journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path({str(path)!r})
with Journal(path) as journal:
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 50, -1))
    journal.append("d2", answer(1))
"""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "OutputError" in done.stderr
    assert "cannot write" in done.stderr
    with Journal(path) as journal:
        assert len(journal) == 1
        journal.append("d2", answer(1))
    with Journal(path) as journal:
        assert len(journal) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders")
def test_a_read_only_folder_is_one_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot write"):
        Journal(tmp_path / "journal.jsonl")
