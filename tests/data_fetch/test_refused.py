"""What the Hub refuses or gets wrong ends in one line that says what to do."""

from __future__ import annotations

import pytest
from fetch_machine import VIDEOMME, Machine, assert_holds, tar_of, videomme_files
from loopback_hub import Faults, HubServer

LONGVIDEOBENCH = "longvideobench/LongVideoBench"


def _one_line(output: str) -> str:
    [line] = [line for line in output.splitlines() if line.startswith("sf-eval: error: ")]
    return line


def test_unknown_revision(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    output = _one_line(machine.fetch_to("videomme", "--revision", "nonsense", code=2))
    assert f"{VIDEOMME} has no revision 'nonsense'" in output
    assert not machine.to.exists()


def test_unknown_commit(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    for flag in ("--revision", "--data-revision"):
        refused = machine.fetch("--tasks", "videomme", flag, "0" * 40, code=2)
        assert "has no revision" in refused
        assert "with --data-revision" in " ".join(refused.split())  # what every verb calls it


def test_unknown_dataset(machine: Machine) -> None:
    output = _one_line(machine.fetch_to(code=2))
    assert f"there is no dataset {VIDEOMME} at 127.0.0.1" in output
    assert "--data DIR" in output


@pytest.mark.parametrize("status", [401, 403])
def test_gated_says_to_log_in_and_to_accept_the_terms(
    machine: Machine, server: HubServer, status: int
) -> None:
    files, expected = videomme_files()
    server.add(VIDEOMME, files, gate=status, token="hf_right")
    wrong = {"HF_TOKEN": "hf_wrong_but_secret"} if status == 403 else {}

    output = machine.fetch_to(code=2, **wrong)

    line = _one_line(output)
    assert "is gated" in line
    assert "`hf auth login`" in line
    assert f"accept the terms on {server.url}/datasets/{VIDEOMME}" in line
    assert "secret" not in output

    if status == 401:
        assert "hf_right" not in machine.fetch_to(HF_TOKEN="hf_right")
        assert_holds(machine.to / "videomme", expected)
        assert any(entry.authorization == "Bearer hf_right" for entry in server.requests)


def test_one_gated_dataset_does_not_keep_the_others_away(machine: Machine, server: HubServer) -> None:
    files, expected = videomme_files()
    server.add(VIDEOMME, files)
    server.add(LONGVIDEOBENCH, {"validation-00000-of-00001.parquet": b"x", "videos.tar": b"y"}, gate=403)
    output = machine.fetch_to("longvideobench,videomme", code=2)
    assert f"sf-eval: {LONGVIDEOBENCH}: {LONGVIDEOBENCH} is gated" in output
    assert f"1 of 2 datasets were not fetched: {LONGVIDEOBENCH}" in _one_line(output)
    assert_holds(machine.to / "videomme", expected)


def test_wrong_digest_deletes_the_file(machine: Machine, server: HubServer) -> None:
    files, expected = videomme_files()
    server.add(VIDEOMME, files)
    server.faults = Faults(corrupt={"videos_chunked_02.zip", "subtitle.zip"})  # by SHA-256, by git's blob id
    output = _one_line(machine.fetch_to(code=2))
    assert "other content than" in output
    assert "The file was deleted; run the same command again." in output

    server.faults = Faults()
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)


def test_no_server_at_all(machine: Machine, server: HubServer) -> None:
    server.go()
    output = _one_line(machine.fetch_to(code=2))
    assert "cannot be reached at 127.0.0.1" in output
    assert "--data mini" in output


def test_offline_and_not_here(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    assert "HF_HUB_OFFLINE is set" in _one_line(
        machine.fetch("--tasks", "videomme", code=2, HF_HUB_OFFLINE="1")
    )
    assert server.requests == []


def test_a_server_error_that_stays(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    server.faults = Faults(status={"videos_chunked_01.zip": 500})
    output = _one_line(machine.fetch_to(code=2))
    assert "videos_chunked_01.zip" in output
    assert "the server answered 500" in output


def test_a_folder_keeps_its_commit(machine: Machine, server: HubServer) -> None:
    files, expected = videomme_files()
    old = server.add(VIDEOMME, files)
    machine.fetch_to("videomme", "--annotations-only")
    new = server.add(VIDEOMME, {**files, "subtitle.zip": b"other"})

    assert f"holds commit {old}" in _one_line(machine.fetch_to("videomme", "--revision", new, code=2))
    assert old in machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)


def test_one_revision_for_two_datasets(machine: Machine) -> None:
    output = machine.fetch_to("videomme,mlvu", "--revision", "main", code=2)
    assert "--revision main cannot be meant for 2 datasets" in output


def test_a_split_archive_without_a_middle_part(machine: Machine, server: HubServer) -> None:
    parts = {f"videos.tar.part.{suffix}": b"x" * 600 for suffix in ("aa", "ab", "ad")}
    server.add(LONGVIDEOBENCH, {"validation-00000-of-00001.parquet": b"x", **parts})
    output = _one_line(machine.fetch_to("longvideobench", code=2))
    assert "videos.tar has a part missing before its part 'ad'" in output
    assert server.sent == 0


@pytest.mark.thorough
def test_a_split_archive_without_its_last_part(machine: Machine, server: HubServer) -> None:
    """Also where the cut falls between two files, which tarfile alone takes for the end."""
    whole = tar_of({f"videos/{i}.mp4": bytes([i]) * 512 for i in range(4)})
    parts = {"videos.tar.part.aa": whole[:1024], "videos.tar.part.ab": whole[1024:2048]}
    server.add(LONGVIDEOBENCH, {"validation-00000-of-00001.parquet": b"x", **parts})
    assert "it is cut off, or a part of it is missing" in _one_line(
        machine.fetch_to("longvideobench", code=2)
    )
    assert not (machine.to / "longvideobench" / "videos").exists()


def test_a_hostile_archive_leaves_nothing_behind(machine: Machine, server: HubServer) -> None:
    files, _ = videomme_files()
    files["subtitle.zip"] = _hostile_zip()
    server.add(VIDEOMME, files)
    line = _one_line(machine.fetch_to(code=2))
    assert "subtitle.zip is not safe to unpack" in line
    assert "'../../escaped.srt'" in line
    assert list(machine.folder.rglob("escaped.srt")) == []
    assert not (machine.to / "videomme" / "subtitle").exists()


def _hostile_zip() -> bytes:
    from fetch_machine import zip_of

    return zip_of({"subtitle/fine.srt": b"1", "../../escaped.srt": b"2"})
