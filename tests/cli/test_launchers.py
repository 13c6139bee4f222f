"""The stock command under a launcher, and ours, which refuses one."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from zygote import shared_zygote

from sf_eval.cli.main import _run
from sf_eval.core.paths import tasks_dir
from sf_eval.harness.decoding.cores import automatic_decoders, models_here
from sf_eval.inference.device import resolve_device

RANKS = 2
QUESTIONS = 5  # which two ranks cannot share evenly: lmms-eval fills one up with a copy


def launched(rank: int, port: int) -> dict[str, str]:
    """What torchrun and `accelerate launch` tell each process (torch.distributed.run)."""
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(RANKS), "LOCAL_WORLD_SIZE": str(RANKS),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.mark.thorough
def test_two_ranks_of_the_stock_command_give_what_one_process_gives(tmp_path: Path) -> None:
    alone = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", str(QUESTIONS),
             "--num-frames", "16", "--device", "cpu", "--output", str(tmp_path / "one")]  # fmt: skip
    assert _run(alone) == 0
    port = free_port()
    stock = ("--model", "slowfast", "--model_args", "pretrained=mini,num_frames=16,device=cpu",
             "--tasks", "sf_videomme", "--include_path", tasks_dir(), "--limit", str(QUESTIONS),
             "--log_samples", "--output_path", "stock")  # fmt: skip
    ranks = [
        shared_zygote().start(
            tmp_path,
            *stock,
            program="lmms-eval",
            env={**launched(rank, port), "SF_EVAL_DATA": "mini"},
            streams=f"rank{rank}",
        )
        for rank in range(RANKS)
    ]
    ended = [rank.wait() for rank in ranks]
    assert [each.code for each in ended] == [0, 0], ended[0].err[-2000:]
    (log,) = tmp_path.glob("stock/**/*_samples_sf_videomme.jsonl")
    gathered = [json.loads(line) for line in log.read_text().splitlines()]
    own = [json.loads(line) for line in (tmp_path / "one" / "samples.jsonl").read_text().splitlines()]
    assert {sample["doc_id"]: sample["filtered_resps"] for sample in gathered} == {
        sample["doc_id"]: sample["output"] for sample in own
    }
    assert len(gathered) == len(own) == QUESTIONS
    (summary,) = tmp_path.glob("stock/**/*_results.json")
    results = json.loads((tmp_path / "one" / "results.json").read_text())
    accuracy = json.loads(summary.read_text())["results"]["sf_videomme"]["accuracy,none"]
    assert accuracy == pytest.approx(results["tasks"][0]["score"]["accuracy"])


def test_sf_eval_run_under_a_launcher_names_workers_in_one_line(
    monkeypatch: pytest.MonkeyPatch, sf_eval: Callable, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in launched(0, 1).items():
        monkeypatch.setenv(name, value)
    ended = sf_eval("run", "--model", "mini", "--data", "mini", "--tasks", "videomme")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert "--workers 2" in ended.err
    monkeypatch.setenv("LOCAL_RANK", "1")  # the first says it for all
    with pytest.raises(SystemExit) as left:
        sf_eval("run", "--model", "mini", "--data", "mini", "--tasks", "videomme")
    assert left.value.code == 2
    assert capfd.readouterr().err == ""


def test_processes_of_a_launcher_divide_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = automatic_decoders(resolve_device("cpu"))
    assert models_here() == 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "64")
    assert models_here() == 64
    assert automatic_decoders(resolve_device("cpu")) == 1 <= alone
