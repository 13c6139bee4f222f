"""Runs on workers: the same answers as one process, whatever dies. A real Ray, real models, real videos."""

from __future__ import annotations

import json
import os
import platform
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from sf_eval.cli.main import _run
from sf_eval.core.cards import card_for
from sf_eval.data.source import DataSource, parse_source
from sf_eval.harness.distributed.survey import Wanted, survey
from sf_eval.harness.journal import read_journal
from sf_eval.harness.record import RunRecord
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import Answer

pytestmark = pytest.mark.usefixtures("a_ray")

# Video-MME, MLVU and LongVideoBench: files of all kinds, several questions a video, few enough for a test.
RUN = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme,mlvu,longvideobench", "--limit", "12",
       "--num-frames", "16", "--device", "cpu", "--decoders", "1"]  # fmt: skip
KILLS = 20  # at other moments each, all but one of them in `make test-thorough`


def ask(folder: Path, *more: str) -> int:
    return _run([*RUN, *more, "--output", str(folder)])


def samples(folder: Path) -> list[dict[str, Any]]:
    """But for the times."""
    read = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    return [{name: value for name, value in sample.items() if name != "timings"} for sample in read]


def results(folder: Path) -> RunRecord:
    return RunRecord.model_validate_json((folder / "results.json").read_bytes())


@pytest.mark.thorough
def test_the_doctor_asks_every_worker_what_it_sees() -> None:
    settings = RunSettings("mini", "videomme", "mini", device="cpu", workers=2)
    wanted = Wanted(("videomme",), parse_source("mini"), card_for("mini"), "cpu", 60.0)
    alike, *each = survey(settings, wanted)
    assert (alike.status, alike.bad_files) == ("ok", ())
    assert "weights, annotations of videomme, first video of videomme" in alike.detail
    assert [one.status for one in each] == ["ok", "ok"]
    assert [one.subject for one in each] == [platform.node()] * 2
    lost = replace(wanted, source=DataSource("directory", root=Path("/nowhere")))
    _, one = survey(replace(settings, workers=1), lost)
    assert one.status == "failure"
    assert [bad.path for bad in one.bad_files] == ["data of videomme"]


def model_workers() -> list[int]:
    """Process ids of the actors of this process's Ray that run."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name().startswith("ray::Worker") or "ray::Worker" in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


@pytest.fixture(scope="module")
def in_one_process(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("one")
    assert ask(folder / "run") == 0
    return samples(folder / "run")


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["2", "4"])
def test_any_number_of_workers_gives_the_same_samples(
    tmp_path: Path, in_one_process: list[dict[str, Any]], workers: str
) -> None:
    assert ask(tmp_path / "run", "--workers", workers) == 0
    assert samples(tmp_path / "run") == in_one_process
    record = results(tmp_path / "run")
    assert record.complete
    assert [worker.number for worker in record.workers] == list(range(int(workers)))
    rows = Counter(
        (task, row)
        for worker in record.workers
        for task, ranges in worker.answered.items()
        for first, last in ranges
        for row in range(first, last + 1)
    )
    assert set(rows) == {(sample["task"], sample["doc_id"]) for sample in in_one_process}
    assert set(rows.values()) == {1}
    assert sum(worker.questions for worker in record.workers) == len(in_one_process)
    assert all(worker.busy_s > 0 for worker in record.workers if worker.questions)
    if workers == "2":
        assert all(worker.questions for worker in record.workers)


@pytest.mark.thorough
def test_one_worker_whose_videos_are_decoded_elsewhere_gives_the_same_samples(
    tmp_path: Path, in_one_process: list[dict[str, Any]]
) -> None:
    assert ask(tmp_path / "run", "--workers", "1", "--decode-workers", "2") == 0
    assert samples(tmp_path / "run") == in_one_process


@pytest.fixture
def killing() -> Iterator[Callable[[Path, int], threading.Thread]]:
    """Kill a worker, so many answers into a run."""
    over = threading.Event()

    def start(folder: Path, after: int) -> threading.Thread:
        thread = threading.Thread(target=_kill_one, args=(folder / "journal.jsonl", after, over), daemon=True)
        thread.start()
        return thread

    yield start
    over.set()


def _kill_one(journal: Path, after: int, over: threading.Event) -> None:
    while not over.is_set():
        answered = journal.read_bytes().count(b"\n") if journal.exists() else 0
        if answered >= after and (workers := model_workers()):
            with suppress(ProcessLookupError):  # it ended by itself meanwhile: another one then
                os.kill(random.choice(workers), signal.SIGKILL)
                return
        time.sleep(0.005)


@pytest.mark.thorough
def test_a_run_with_no_worker_left_stops_and_goes_on_later(
    tmp_path: Path, in_one_process: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, over = tmp_path / "run", threading.Event()

    def kill_all() -> None:
        while not over.is_set():
            _kill_one(folder / "journal.jsonl", 1, over)

    killer = threading.Thread(target=kill_all, daemon=True)
    killer.start()
    slowly = ("--workers", "1", "--share", "off", "--batch-size", "1")
    assert ask(folder, *slowly) == 1
    over.set()
    killer.join(timeout=60)
    assert "NoWorkerLeftError: no worker is left" in capsys.readouterr().err
    kept = len((folder / "journal.jsonl").read_text().splitlines())
    assert 0 < kept < len(in_one_process)
    assert not results(folder).complete
    assert ask(folder, "--workers", "1") == 0
    assert samples(folder) == in_one_process


@pytest.mark.parametrize(
    "number", [0, *(pytest.param(other, marks=pytest.mark.thorough) for other in range(1, KILLS))]
)
def test_a_worker_killed_at_any_moment_loses_nothing_and_nothing_is_answered_twice(
    tmp_path: Path,
    in_one_process: list[dict[str, Any]],
    killing: Callable[[Path, int], threading.Thread],
    number: int,
) -> None:
    total = len(in_one_process)
    folder = tmp_path / "run"
    killer = killing(folder, random.Random(number).randrange(total // 2))
    # Answers come one by one, and slowly enough for it to be killed before the last.
    assert ask(folder, "--workers", "2", "--share", "off", "--batch-size", "1") == 0
    killer.join(timeout=60)
    assert samples(folder) == in_one_process
    lines = [
        json.loads(line.split(" ", 1)[1]) for line in (folder / "journal.jsonl").read_text().splitlines()
    ]
    assert len(lines) == total
    assert set(Counter(line["digest"] for line in lines).values()) == {1}
    assert all(isinstance(result, Answer) for result in read_journal(folder / "journal.jsonl").values())
    assert sum(len(worker.lost) for worker in results(folder).workers) == 1
