"""However a driver ends, nothing that it started is left; and what is refused before anything starts."""

from __future__ import annotations

import signal
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from zygote import Process, shared_zygote

from sf_eval.core.errors import UsageError
from sf_eval.harness.distributed import cluster
from sf_eval.harness.distributed.opening import require_gpus
from sf_eval.harness.settings import RunSettings

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason='Ray is not installed: "sf-eval[ray]"')


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def listening(processes: list[psutil.Process]) -> set[str]:
    """Addresses that they listen on."""
    found = set()
    for process in processes:
        try:
            opened = process.net_connections("inet")
        except psutil.Error:
            continue
        found |= {each.laddr.ip for each in opened if each.status == psutil.CONN_LISTEN}
    return found


def wait_for_an_answer(run: Process, folder: Path) -> None:
    journal = folder / "run" / "journal.jsonl"
    assert run.wait_until(lambda: journal.exists() and b"\n" in journal.read_bytes(), limit_s=200)


@needs_ray
@pytest.mark.thorough
@pytest.mark.parametrize(
    "number", [pytest.param(signal.SIGINT, id="ctrl-c"), pytest.param(signal.SIGKILL, id="kill")]
)
def test_nothing_is_left_of_a_local_ray(tmp_path: Path, number: signal.Signals) -> None:
    asked = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme,mlvu", "--num-frames", "128"]
    slowly = ["--share", "off", "--device", "cpu", "--workers", "1", "--decoders", "1"]
    run = shared_zygote().start(tmp_path, *asked, *slowly, "--output", tmp_path / "run")
    wait_for_an_answer(run, tmp_path)
    started = descendants(run.pid)
    assert any("raylet" in process.name() for process in started)
    addresses = listening([*started, psutil.Process(run.pid)])
    assert {address.removeprefix("::ffff:") for address in addresses} <= {"127.0.0.1", "::1"}
    run.signal(number)
    ended = run.wait()
    if number is signal.SIGINT:
        assert ended.code == 130
        assert "Run the same command again to go on." in ended.complaint
    deadline = time.monotonic() + 120  # after a kill, Ray's two agents look for their parent now and then
    while left := [process for process in started if process.is_running() and process.status() != "zombie"]:
        assert time.monotonic() < deadline, f"{left} survived the driver"
        time.sleep(0.05)


def test_more_workers_than_gpus_are_refused_before_anything_is_loaded() -> None:
    settings = RunSettings("mini", "videomme", "mini", workers=8)
    with pytest.raises(UsageError, match=r"--workers 8: this machine has 2 GPU\(s\)\. Give --workers 2"):
        require_gpus(settings, cluster.Cluster(is_local=True, gpus=2, machines=1))
    assert require_gpus(settings, cluster.Cluster(is_local=True, gpus=8, machines=1)) == 1
    assert require_gpus(settings, cluster.Cluster(is_local=True, gpus=0, machines=1)) == 0  # auto: the CPU
    with pytest.raises(UsageError, match="--device cpu"):
        require_gpus(
            RunSettings("mini", "videomme", "mini", workers=2, ray_address="auto"),
            cluster.Cluster(is_local=False, gpus=0, machines=4),
        )


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ray_address": "auto"}, "--ray-address is for a run on several workers. Add --workers N"),
        ({"decode_workers": 2}, "--decode-workers is for a run on several workers"),
        ({"workers": 2, "device": "cuda:1"}, "CUDA_VISIBLE_DEVICES"),
        ({"workers": 2, "decode_workers": 2, "share": False}, "Leave --share off out"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        RunSettings("mini", "videomme", "mini", **settings)


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'pip install "sf-eval\[ray\]"'):
        cluster.require_ray()
