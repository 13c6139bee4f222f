"""The stock `lmms-eval` command with our plugin gives the answers that `sf-eval run` gives."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sf_eval.cli.main import _run
from sf_eval.core.errors import UsageError
from sf_eval.lmms.adapter import SlowFast

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readmes_stock_command_answers_as_sf_eval_does(tmp_path: Path, in_a_shell: Callable) -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    (command,) = [line.removeprefix("$ ") for line in lines if "lmms-eval --model slowfast" in line]
    done = in_a_shell(f"{command} --log_samples --output_path stock", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    (log,) = tmp_path.glob("stock/**/*_samples_sf_videomme.jsonl")
    samples = [json.loads(line) for line in log.read_text().splitlines()]
    stock = {sample["doc_id"]: sample["filtered_resps"] for sample in samples}
    assert len(stock) == 4

    (frames,) = re.findall(r"num_frames=(\d+)", command)
    args = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", "4"]
    assert _run([*args, "--num-frames", frames, "--output", str(tmp_path / "own")]) == 0
    lines = (tmp_path / "own" / "samples.jsonl").read_text().splitlines()
    own = {sample["doc_id"]: sample["output"] for sample in map(json.loads, lines)}
    assert own == stock


def test_a_wrong_model_argument_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no model argument 'num_frame'\. Did you mean num_frames"):
        SlowFast(pretrained="mini", num_frame=64)


def test_without_pretrained_the_error_says_what_to_give() -> None:
    with pytest.raises(UsageError, match="pretrained=DIR"):
        SlowFast()
