"""Runs that survive: kills, Ctrl-C, full disks, other settings; nothing that was answered is asked again."""

from __future__ import annotations

import ctypes
import json
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parent))

from zygote import Ended, Zygote, assert_no_workers, shared_zygote, video_workers

from sf_eval.core.paths import PACKAGE
from sf_eval.editions import mini_root

# Four frames instead of 128: these tests are about what is kept, not about what is answered.
# One question per batch, so that there is a moment between any two answers.
BASE = ("run", "--model", "mini", "--data", "mini", "--num-frames", "4", "--batch-size", "1")
TASKS = ("--tasks", "videomme,mlvu", "--limit", "10")
WHOLE = (*BASE, *TASKS)
QUESTIONS = 20

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
root_only = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root can mount a small or read-only disk"
)


@pytest.fixture(scope="module")
def zygote() -> Zygote:
    return shared_zygote()


@pytest.fixture(scope="module")
def undisturbed(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    ended = zygote.run(folder, *WHOLE, "--output", "run")
    assert ended.code == 0, ended
    return folder / "run"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def samples_of(run: Path) -> list[dict[str, Any]]:
    """What was asked and answered, without how long it took."""
    return [{**sample, "timings": None} for sample in lines(run / "samples.jsonl")]


def results_of(run: Path) -> dict[str, Any]:
    """The scores and what they are scores of, without the process that wrote them."""
    results: dict[str, Any] = json.loads((run / "results.json").read_text(encoding="utf-8"))
    for name in (
        "created",
        "command",
        "seconds",
        "load_seconds",
        "memory",
        "waited_s",
        "first_video_s",
        "git_commit",
        "resumed",
    ):
        del results[name]
    return results


def journal_of(run: Path) -> list[dict[str, Any]]:
    """The whole lines of the journal; a half-written last one is not there."""
    path = run / "journal.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line.partition(b" ")[2]) for line in whole]


def times_answered(run: Path) -> Counter[str]:
    return Counter(line["digest"] for line in journal_of(run) if "answer" in line)


def answered(run: Path) -> int:
    return sum(times_answered(run).values())


def assert_as_if_undisturbed(run: Path, undisturbed: Path) -> None:
    assert samples_of(run) == samples_of(undisturbed)
    assert results_of(run) == results_of(undisturbed)
    assert times_answered(run) == times_answered(undisturbed)  # so every question was asked just once
    assert set(times_answered(run).values()) == {1}
    assert not list(run.glob(".*.part")), "half-written files are left"
    leaderboard = (run / "leaderboard.md").read_text(encoding="utf-8")
    assert leaderboard == (undisturbed / "leaderboard.md").read_text(encoding="utf-8")


# --- SIGKILL ---------------------------------------------------------------------------------------------


@linux_only
@pytest.mark.thorough
def test_a_run_killed_at_random_moments_ends_as_if_undisturbed(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    generator = random.Random(20240607)
    run = tmp_path / "run"
    kills = 0
    for attempt in range(80):
        process = zygote.start(tmp_path, *WHOLE, "--output", run)
        before = answered(run)
        if attempt % 2:  # anywhere: reading the data, loading the model, starting lmms-eval
            process.let_run(generator.uniform(0, 0.8))
        else:  # while it answers, up to the last question and the writing of the results
            wanted = before + generator.choice((0, 1, 2))
            process.wait_until(lambda wanted=wanted: answered(run) >= wanted)
            process.let_run(generator.uniform(0, 0.03))
        if process.is_running():
            process.signal(signal.SIGKILL)
        ended = process.wait()
        assert_no_workers(process.pid)
        if ended.code == 0:
            break
        assert ended.code == -signal.SIGKILL, ended
        kills += 1
        assert answered(run) >= before
    else:
        pytest.fail("the run never came to its end")
    assert kills >= 12
    assert_as_if_undisturbed(run, undisturbed)


@pytest.mark.thorough
def test_a_run_killed_in_the_middle_of_each_write_ends_as_if_undisturbed(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    """The kernel kills the process inside write(2), when a file would grow beyond a limit."""
    run = tmp_path / "run"
    state = (undisturbed / "run.json").stat().st_size
    journal = (undisturbed / "journal.jsonl").stat().st_size
    generator = random.Random(7)
    assert zygote.run(tmp_path, *WHOLE, "--output", run, file_limit=state // 2).code == -signal.SIGXFSZ
    # Lines that nobody can read: the journal must be the longest file, so that the limits cut no other.
    longest = max(path.stat().st_size for path in undisturbed.iterdir() if path.is_file()) + 1000
    line = b'00000000 {"digest": "damaged"}\n'
    unread = line * (longest // len(line))
    (run / "journal.jsonl").write_bytes(unread)
    # Ascending, so that each run gets on to its own limit.
    limits = sorted(len(unread) + place for place in generator.sample(range(100, journal), 10))
    halves = 0
    for limit in limits:
        ended = zygote.run(tmp_path, *WHOLE, "--output", run, file_limit=limit)
        assert ended.code == -signal.SIGXFSZ, ended
        path = run / "journal.jsonl"
        if path.exists():
            halves += not path.read_bytes().endswith(b"\n")
    assert halves >= 7, "the kills did not hit the journal in the middle of a line"
    ended = zygote.run(tmp_path, *WHOLE, "--output", run)
    assert ended.code == 0, ended
    assert_as_if_undisturbed(run, undisturbed)


# --- Ctrl-C ----------------------------------------------------------------------------------------------


def assert_interrupted(ended: Ended, run: Path) -> None:
    assert ended.code == 130, ended
    assert "interrupted" in ended.complaint
    assert str(run) in ended.complaint
    assert "Run the same command again" in ended.complaint
    log = run / "run.log"
    assert "Traceback" not in ended.out + (log.read_text() if log.exists() else "")


@linux_only
def test_ctrl_c_ends_with_what_there_is_and_the_same_command_goes_on(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = zygote.start(tmp_path, *WHOLE, "--output", run)
    assert process.wait_until(lambda: answered(run) >= 3)
    assert video_workers(process.pid), "no decoder was running: its end would prove nothing"
    process.signal(signal.SIGINT)
    ended = process.wait()
    assert_interrupted(ended, run)
    assert_no_workers(process.pid)
    kept = answered(run)
    assert 3 <= kept < QUESTIONS

    results, samples = results_of(run), samples_of(run)
    assert results["complete"] is False
    assert samples == samples_of(undisturbed)[: len(samples)]
    assert sum(task["questions_asked"] for task in results["tasks"]) == len(samples)
    assert kept - 1 <= len(samples) <= kept  # the signal may come between the journal and its reader
    assert f"after {len(samples)} of {QUESTIONS} questions" in ended.complaint
    assert "stopped before its end" in (run / "leaderboard.md").read_text()

    assert zygote.run(tmp_path, *WHOLE, "--output", run).code == 0
    assert_as_if_undisturbed(run, undisturbed)


@linux_only
@pytest.mark.parametrize("moment", ["run.json", "run.log", "journal.jsonl"])
def test_ctrl_c_before_the_first_answer_is_one_line_too(
    zygote: Zygote, undisturbed: Path, tmp_path: Path, moment: str
) -> None:
    run = tmp_path / "run"
    process = zygote.start(tmp_path, *WHOLE, "--output", run)
    assert process.wait_until((run / moment).exists)
    process.signal(signal.SIGINT)
    assert_interrupted(process.wait(), run)
    assert_no_workers(process.pid)


@linux_only
def test_ctrl_c_leaves_the_results_of_a_complete_run_alone(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(undisturbed, tmp_path / "run")
    process = zygote.start(
        tmp_path, *BASE, "--tasks", "egoschema_subset,videomme,mlvu", "--limit", "10", "--output", run
    )
    assert process.wait_until(lambda: answered(run) > QUESTIONS)
    process.signal(signal.SIGINT)
    assert_interrupted(process.wait(), run)
    assert results_of(run) == results_of(undisturbed)
    assert samples_of(run) == samples_of(undisturbed)


# --- the same answers under other settings ---------------------------------------------------------------


@pytest.mark.thorough
def test_batch_size_limit_order_and_added_tasks_ask_nothing_again(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"

    def go_on(*args: str) -> int:
        before = times_answered(run)
        ended = zygote.run(tmp_path, *BASE, *args, "--output", run)
        assert ended.code == 0, ended
        after = times_answered(run)
        assert all(after[digest] == count for digest, count in before.items())
        return sum(after.values()) - sum(before.values())

    assert go_on("--tasks", "videomme", "--limit", "5", "--batch-size", "3") == 5
    assert go_on("--tasks", "videomme", "--limit", "10", "--batch-size", "2") == 5
    assert go_on("--tasks", "mlvu,videomme", "--limit", "10", "--batch-size", "4") == 10
    assert go_on(*TASKS) == 0
    assert_as_if_undisturbed(run, undisturbed)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (("--num-frames", "8"), "num_frames was 4, now 8"),
        (("--dtype", "bfloat16"), "dtype was 'auto', now 'bfloat16'"),
        (("--slow-path", "off"), "slow_path was 'on', now 'off'"),
        (("--published-decoding",), "decode_slow_attention"),
        (("--attn", "eager"), "attn was 'sdpa', now 'eager'"),
        (("--max-new-tokens", "3"), "max_new_tokens"),
        (("--model", "./checkpoint"), "weights was 'package:mini', now 'checkpoint'"),
    ],
)
def test_another_setting_is_not_the_same_run(
    zygote: Zygote, undisturbed: Path, tmp_path: Path, other: tuple[str, ...], named: str
) -> None:
    (tmp_path / "checkpoint").symlink_to(PACKAGE / "assets" / "mini")
    before = (undisturbed / "run.json").read_bytes(), answered(undisturbed)
    ended = zygote.run(tmp_path, *WHOLE, *other, "--output", undisturbed)
    assert ended.code == 2
    assert named in ended.complaint
    assert str(undisturbed) in ended.complaint
    assert ((undisturbed / "run.json").read_bytes(), answered(undisturbed)) == before


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (("--tasks", "videomme,mlvu", "--limit", "2"), "it asks 10 questions of videomme, this command 2"),
        (("--tasks", "videomme", "--limit", "10"), "it has answers to mlvu, which this command does not ask"),
        (("--tasks", "videomme,mlvu", "--limit", "10", "--data", "data"), "data was 'mini edition"),
    ],
)
def test_results_are_never_replaced_by_those_of_less_or_other_data(
    zygote: Zygote, undisturbed: Path, tmp_path: Path, other: tuple[str, ...], named: str
) -> None:
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    before = {path.name: path.read_bytes() for path in undisturbed.iterdir() if path.is_file()}
    ended = zygote.run(tmp_path, *BASE, *other, "--output", undisturbed)
    assert ended.code == 2
    assert named in ended.complaint
    assert before == {name: (undisturbed / name).read_bytes() for name in before}


def test_a_run_with_a_failed_sample_is_not_overwritten_by_one_on_other_data(
    zygote: Zygote, tmp_path: Path
) -> None:
    """The failed run counts as unfinished; the next command's data and limit are others."""
    for name in ("data", "other"):
        shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / name / "videomme")
    rows = next((tmp_path / "other" / "videomme").rglob("*.parquet"))
    pq.write_table(pq.read_table(rows).slice(0, 30), rows)
    first = (*BASE[:3], "--num-frames", "4", "--data", "data", "--tasks", "videomme", "--limit", "6")
    for video in (tmp_path / "data" / "videomme").rglob("*.*4"):
        video.write_bytes(video.read_bytes()[:100])
    assert zygote.run(tmp_path, *first).code == 1
    (kept,) = (tmp_path / "results/runs").iterdir()
    before = (kept / "samples.jsonl").read_bytes()
    assert {sample["outcome"] for sample in samples_of(kept)} == {"decode_error"}
    second = (*BASE[:3], "--num-frames", "4", "--data", "other", "--tasks", "videomme", "--limit", "2")
    assert zygote.run(tmp_path, *second).code == 0
    assert (kept / "samples.jsonl").read_bytes() == before
    assert len(list((tmp_path / "results/runs").iterdir())) == 2


def test_a_changed_video_is_asked_about_again_and_no_other(zygote: Zygote, tmp_path: Path) -> None:
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    run = tmp_path / "run"
    command = (*BASE[:3], "--num-frames", "4", "--data", "data", "--tasks", "videomme", "--limit", "9")
    assert zygote.run(tmp_path, *command, "--output", run).code == 0
    video = samples_of(run)[0]["video"]
    asked = sum(sample["video"] == video for sample in samples_of(run))
    before = answered(run)
    (path,) = (tmp_path / "data" / "videomme").rglob(f"{video}.*4")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    assert zygote.run(tmp_path, *command, "--output", run).code == 0
    assert answered(run) - before == asked > 0


# --- one process a directory -----------------------------------------------------------------------------


@linux_only
def test_a_second_process_on_the_same_output_says_so_and_the_first_goes_on(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    first = zygote.start(tmp_path, *WHOLE, "--output", run)
    assert first.wait_until(lambda: answered(run) >= 1)
    first.signal(signal.SIGSTOP)  # so that it cannot end before the second looks
    try:
        second = zygote.start(tmp_path, *WHOLE, "--output", run, streams="second").wait()
    finally:
        first.signal(signal.SIGCONT)
    assert second.code == 2
    assert second.complaint == (
        f"sf-eval: error: another sf-eval run is working in {run}. Wait for it, or name another --output."
    )
    assert first.wait().code == 0
    assert_as_if_undisturbed(run, undisturbed)


# --- disks -----------------------------------------------------------------------------------------------


def _mount(kind: str, target: Path, flags: int, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(kind.encode(), str(target).encode(), kind.encode(), flags, options.encode()):
        pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    _mount("tmpfs", disk, 0, "size=256k")
    yield disk
    ctypes.CDLL(None).umount2(str(disk).encode(), 2)  # MNT_DETACH


def fill(disk: Path, *, leave: int) -> Path:
    """Take all space but `leave` bytes."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize - leave))
    return ballast


@root_only
@pytest.mark.thorough
def test_a_full_disk_at_any_stage_is_one_line_and_damages_nothing(
    zygote: Zygote, undisturbed: Path, small_disk: Path, tmp_path: Path
) -> None:
    run = small_disk / "run"
    named = set()
    for pages in (*range(4), *range(4, 40, 2)):
        ballast = fill(small_disk, leave=pages * 4096)
        ended = zygote.run(tmp_path, *WHOLE, "--output", run)
        if ended.code == 0:
            break
        assert ended.code == 2, ended
        assert "The disk is full: free some space and run the same command again." in ended.complaint
        named.add(
            next(path.name for path in undisturbed.iterdir() if f"{run / path.name}:" in ended.complaint)
        )
        kept = times_answered(run)
        assert set(kept.values()) <= {1}
        ballast.unlink()
    else:
        pytest.fail("no run ended although there was space")
    assert {"run.json", "questions.jsonl", "results.json"} <= named  # a full journal: test_journal.py
    assert_as_if_undisturbed(run, undisturbed)


@root_only
def test_a_full_disk_leaves_the_results_of_an_earlier_run_whole(
    zygote: Zygote, undisturbed: Path, small_disk: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(undisturbed, small_disk / "run")
    before = {
        path.name: path.read_bytes()
        for path in run.iterdir()
        if path.is_file() and path.name not in (".lock", "run.log")
    }
    ballast = fill(small_disk, leave=0)
    ended = zygote.run(tmp_path, *WHOLE, "--output", run)
    assert ended.code == 2
    assert "The disk is full" in ended.complaint
    assert before == {name: (run / name).read_bytes() for name in before}
    ballast.unlink()
    assert zygote.run(tmp_path, *WHOLE, "--output", run).code == 0
    assert_as_if_undisturbed(run, undisturbed)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    _mount("tmpfs", disk, 1, "size=256k")  # MS_RDONLY
    yield disk
    ctypes.CDLL(None).umount2(str(disk).encode(), 2)


@root_only
def test_a_read_only_output_is_one_line(zygote: Zygote, read_only_disk: Path, tmp_path: Path) -> None:
    ended = zygote.run(tmp_path, *WHOLE, "--output", read_only_disk / "run")
    assert ended.code == 2
    assert f"cannot write {read_only_disk / 'run'}" in ended.complaint
    assert "read-only" in ended.complaint


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only folders")
def test_a_folder_without_permission_is_one_line(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o500)
    ended = zygote.run(tmp_path, *WHOLE, "--output", tmp_path / "mine" / "run")
    assert ended.code == 2
    assert f"cannot write {tmp_path / 'mine' / 'run'}" in ended.complaint


def test_an_output_that_is_a_file_or_below_one_is_one_line(zygote: Zygote, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    for output in (tmp_path / "thesis.txt", tmp_path / "thesis.txt" / "run"):
        ended = zygote.run(tmp_path, *WHOLE, "--output", output)
        assert ended.code == 2
        assert str(output) in ended.complaint
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


@root_only
def test_a_cache_that_cannot_be_written_is_one_line(
    zygote: Zygote, read_only_disk: Path, tmp_path: Path
) -> None:
    home = {"HOME": str(read_only_disk), "SF_EVAL_CACHE": "", "XDG_CACHE_HOME": ""}
    ended = zygote.run(tmp_path, *WHOLE, "--output", "run", env=home)
    assert ended.code == 2
    assert str(read_only_disk) in ended.complaint
    assert "SF_EVAL_CACHE" in ended.complaint
    assert not (tmp_path / "run").exists()


def test_a_run_without_output_goes_on_in_the_folder_it_was_killed_in(
    zygote: Zygote, undisturbed: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "results" / "runs"
    process = zygote.start(tmp_path, *WHOLE)
    assert process.wait_until(lambda: runs.is_dir() and any(answered(run) for run in runs.iterdir()))
    process.signal(signal.SIGKILL)
    assert process.wait().code == -signal.SIGKILL
    (run,) = runs.iterdir()
    assert 0 < answered(run) < QUESTIONS
    assert zygote.run(tmp_path, *WHOLE).code == 0
    assert list((tmp_path / "results" / "runs").iterdir()) == [run]
    assert_as_if_undisturbed(run, undisturbed)


# --- memory ----------------------------------------------------------------------------------------------


@linux_only
@pytest.mark.thorough
def test_a_batch_that_the_machine_cannot_hold_is_made_smaller_and_recorded(
    zygote: Zygote, tmp_path: Path
) -> None:
    """Eager attention of 4 prompts of 2,000 tokens takes 300 MB a matrix, and there are several at a time."""
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    table = tmp_path / "data" / "videomme" / "videomme" / "test-00000-of-00001.parquet"
    rows = pq.read_table(table).to_pylist()
    tokenizer = Tokenizer.from_file(str(PACKAGE / "assets" / "mini" / "tokenizer.json"))
    emphasis = "very " * (2000 // len(tokenizer.encode(" very").ids))
    for row in rows[:4]:
        row["question"] = f"What {emphasis}long film is this?"
    pq.write_table(pa.Table.from_pylist(rows), table)
    command = (*BASE[:3], "--data", "data", "--num-frames", "4", "--tasks", "videomme", "--limit", "4")
    slim = ("--attn", "eager", "--max-new-tokens", "1", "--batch-size", "4", "--output", "run")
    ended = zygote.run(tmp_path, *command, *slim, memory_limit=800 << 20)
    assert ended.code == 0, ended
    degraded = results_of(tmp_path / "run")["degraded"]
    assert degraded[0] == "out of memory with a batch: going on with batches of 2"
    log = (tmp_path / "run" / "run.log").read_text()
    assert all(what in log for what in degraded)
