"""`sf-eval doctor --data hub` looks, and downloads no video."""

from __future__ import annotations

import pytest
from fetch_machine import VIDEOMME, Machine, finish, videomme_files
from loopback_hub import HubServer

DOCTOR = ("-m", "sf_eval.cli", "doctor", "--tasks", "videomme")


def test_videos_that_are_not_fetched_are_told_in_one_line(machine: Machine, server: HubServer) -> None:
    repository, _ = videomme_files()
    commit = server.add(VIDEOMME, repository)
    output = finish(machine.start(*DOCTOR, "--data", "hub", "--data-revision", commit, COLUMNS="300"), 1)
    command = f"not fetched yet: sf-eval data fetch --tasks videomme --revision {commit} ("
    assert command in output
    assert "4 of 4 videos are missing (12 questions)" in output
    assert ["download", "disk", "ok"] in [line.split()[:3] for line in output.splitlines()]


@pytest.mark.thorough
def test_a_folder_fetched_without_its_videos_is_told_its_own_command(
    machine: Machine, server: HubServer
) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    machine.fetch_to("videomme", "--annotations-only")
    output = finish(machine.start(*DOCTOR, "--data", str(machine.to), COLUMNS="400"), 1)
    assert f"not fetched yet: sf-eval data fetch --tasks videomme --to {machine.to} (" in output


def test_what_was_fetched_is_examined(machine: Machine, server: HubServer) -> None:
    """These videos are noise: each of them is named."""
    commit = server.add(VIDEOMME, videomme_files()[0])
    arguments = ("--data", "hub", "--data-revision", commit)
    machine.fetch("--tasks", "videomme", "--revision", commit)
    asked = len(server.requests)
    output = finish(machine.start(*DOCTOR, *arguments, COLUMNS="300"), 1)
    assert len(server.requests) == asked
    assert "everything fetched is in place (sizes)" in output
    assert all(f"video{number}.mp4: not_decodable" in output for number in range(4))


def test_the_disk_must_hold_what_a_run_would_still_fetch(machine: Machine, server: HubServer) -> None:
    repository, _ = videomme_files()
    commit = server.add(VIDEOMME, repository)
    code = (
        "from sf_eval.benchmarks import catalog\n"
        "from sf_eval.data import doctor\n"
        "from sf_eval.data.hub import repository as hub\n"
        "from sf_eval.data.opening import DataSource\n"
        "both = catalog.resolve_tasks('videomme,videomme_w_subtitle')\n"
        f"source = DataSource('hub', revision='{commit}')\n"
        "hub.annotations(both[0], source.revision)\n"
        "room = hub.room_to_fetch(both, source.revision)\n"
        "print('room', room, doctor.check_download(both, source).status)\n"
        "hub.media_root(both[0], source.revision)\n"
        "print('after', hub.room_to_fetch(both, source.revision), doctor.check_download(both, source))"
    )
    said = machine.python(code)
    archives = sum(len(content) for name, content in repository.items() if name.endswith(".zip"))
    assert f"room {2 * archives} ok" in said, "each archive, and what comes out of it"
    assert "after 0 None" in said
