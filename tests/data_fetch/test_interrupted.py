"""Fetches that are cut off, killed, stopped or meet a full disk go on where they ended."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fetch_machine import VIDEOMME, Machine, assert_holds, finish, kill, noise, videomme_files, zip_of
from loopback_hub import Faults, HubServer

from sf_eval.data.hub import manifest

CHUNK = "videos_chunked_01.zip"


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.004)


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def _with_a_long_video() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Its archive is of 21 MB: huggingface_hub writes to disk every 10 MB."""
    repository, expected = videomme_files()
    first = {**expected, "data/video0.mp4": noise(21_000_000, 0)}
    repository[CHUNK] = zip_of({name: first[name] for name in ("data/video0.mp4", "data/video1.mp4")})
    return repository, first


def test_a_dropped_connection_is_taken_up_again_in_the_same_run(machine: Machine, server: HubServer) -> None:
    repository, expected = _with_a_long_video()
    server.add(VIDEOMME, repository)
    server.faults = Faults(drop_once={CHUNK: 15_000_000})
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)
    starts = [entry.start for entry in server.requests if entry.path.endswith(CHUNK)]
    assert len(starts) == 2
    assert starts[1] >= 10_000_000


@pytest.mark.thorough
def test_a_server_that_goes_away_in_the_middle(machine: Machine, server: HubServer) -> None:
    repository, expected = _with_a_long_video()
    server.add(VIDEOMME, repository)
    server.faults = Faults(gone_after=18_000_000)

    output = machine.fetch_to(code=2)

    assert "broke off" in output
    assert "Run the same command again" in output
    assert f"{CHUNK}: is not completely fetched and unpacked" in map(
        str, manifest.verify(machine.to / "videomme")
    )
    back = HubServer(server.server_address[1])
    try:
        back.datasets = server.datasets
        machine.fetch_to()
        assert_holds(machine.to / "videomme", expected)
        assert back.sent_of(CHUNK) <= len(repository[CHUNK]) - 10_000_000  # what had arrived was kept
        assert {path for path in repository if back.sent_of(path)} == {CHUNK}
    finally:
        back.close()


@pytest.mark.thorough
def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(machine: Machine, server: HubServer) -> None:
    repository, expected = _with_a_long_video()
    server.add(VIDEOMME, repository)
    server.faults = Faults(bytes_per_second=20_000_000)
    process = machine.start_fetch("--tasks", "videomme", "--to", str(machine.to))
    _wait_for(lambda: server.sent_of(CHUNK) > 14_000_000)
    process.send_signal(signal.SIGINT)

    output = finish(process, 130)

    assert "Run the same command again" in output
    assert "Traceback" not in output
    server.faults = Faults()
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)
    assert max(entry.start for entry in server.requests) >= 10_000_000


@pytest.mark.thorough
def test_killed_at_any_moment_it_is_never_taken_for_complete(machine: Machine, server: HubServer) -> None:
    """SIGKILL at moments all through download, unpacking and moving; what is noted as there is whole."""
    videos = {f"data/video{i}.mp4": noise(2_000, i) for i in range(600)}
    repository = {**videomme_files()[0], CHUNK: zip_of(videos)}
    del repository["videos_chunked_02.zip"]
    server.add(VIDEOMME, repository)
    folder = machine.to / "videomme"
    unpacked = folder / ".sf_eval_fetch" / "unpacked" / "data"
    moved = folder / "data"
    moments: list[Callable[[], bool]] = [
        lambda: server.sent > 500_000,
        lambda: _count(unpacked) > 400,
        lambda: _count(moved) > 1,
    ]
    for moment in moments:
        server.sent = 0
        process = machine.start_fetch("--tasks", "videomme", "--to", str(machine.to))
        _wait_for(lambda moment=moment, process=process: moment() or process.poll() is not None)
        was_running = process.poll() is None
        kill(process)
        if was_running:
            problems = [str(problem) for problem in manifest.verify(folder, full=True)]
            assert f"{CHUNK}: is not completely fetched and unpacked" in problems
            assert all("is not completely" in problem for problem in problems)
    machine.fetch_to()
    assert manifest.verify(folder, full=True) == []
    assert _count(moved) == 600
    assert not (folder / ".sf_eval_fetch").exists()


def test_a_second_fetch_into_the_same_folder_says_so_and_stops(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files(400_000)[0])
    server.faults = Faults(bytes_per_second=300_000)
    first = machine.start_fetch("--tasks", "videomme", "--to", str(machine.to))
    _wait_for(lambda: server.sent > 100_000)
    assert "another sf-eval is fetching" in machine.fetch_to(code=2)
    server.faults = Faults()
    finish(first, 0)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 4 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no right to mount a small file system: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def _remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


def test_too_small_a_disk_is_refused_before_the_download(
    machine: Machine, server: HubServer, small_disk: Path
) -> None:
    server.add(VIDEOMME, videomme_files(2_000_000)[0])
    machine.to = small_disk
    output = machine.fetch_to(code=2)
    assert "needs about 16.0 MB" in output
    assert server.sent == 0


@pytest.mark.thorough
def test_an_archive_that_unpacks_to_more_than_the_disk_holds(
    machine: Machine, server: HubServer, small_disk: Path
) -> None:
    repository = videomme_files()[0]
    repository[CHUNK] = zip_of({"data/video0.mp4": bytes(6_000_000)}, compress=True)
    server.add(VIDEOMME, repository)
    machine.to = small_disk
    assert f"{CHUNK} does not fit" in machine.fetch_to(code=2)
    assert not (small_disk / "videomme" / "data" / "video0.mp4").exists()


@pytest.mark.thorough
def test_a_disk_that_fills_up_while_unpacking_and_is_given_room(
    machine: Machine, server: HubServer, small_disk: Path
) -> None:
    # A file of 10 bytes takes a page of 4 kB: no size that is announced tells that they will not fit.
    repository, expected = videomme_files(1_000)
    tiny = {f"data/video0/{i}.jpg": b"0123456789" for i in range(2_000)}
    repository["videos_chunked_03.zip"] = zip_of(tiny)
    server.add(VIDEOMME, repository)
    machine.to = small_disk

    output = machine.fetch_to("videomme", "--workers", "1", code=2)

    assert "is full" in output
    assert "Free some space" in output
    problems = [str(problem) for problem in manifest.verify(small_disk / "videomme")]
    assert problems == ["videos_chunked_03.zip: is not completely fetched and unpacked"]
    _remount(small_disk, "size=40m")
    machine.fetch_to()
    assert_holds(small_disk / "videomme", {**expected, **tiny})
    assert server.sent_of("videos_chunked_03.zip") == len(repository["videos_chunked_03.zip"])


def test_a_read_only_target(machine: Machine, server: HubServer, small_disk: Path) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    _remount(small_disk, "ro")
    machine.to = small_disk
    output = machine.fetch_to(code=2)
    assert "Read-only file system" in output
    assert "--to" in output


def test_a_target_that_is_a_file(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    machine.to.write_text("notes")
    assert "sf-eval: error: cannot use" in machine.fetch_to(code=2)
    assert machine.to.read_text() == "notes"


def test_a_damaged_manifest_is_named_and_can_be_deleted(machine: Machine, server: HubServer) -> None:
    repository, expected = videomme_files()
    server.add(VIDEOMME, repository)
    path = machine.to / "videomme" / "sf_eval_manifest.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema": 1, "datas')
    assert "sf_eval_manifest.json is damaged" in machine.fetch_to(code=2)
    path.unlink()
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)
