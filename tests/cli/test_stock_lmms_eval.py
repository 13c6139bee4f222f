"""The stock `lmms-eval` command with our plugin gives the answers that `sf-eval run` gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from sf_eval.cli.main import _run


def test_the_stock_command_answers_as_sf_eval_does(tmp_path: Path, in_a_shell: Callable) -> None:
    done = in_a_shell(
        "lmms-eval --model slowfast --model_args pretrained=mini,num_frames=64 --tasks sf_videomme --limit 5 "
        '--include_path "$(sf-eval tasks --path)" --log_samples --output_path stock',
        tmp_path,
        SF_EVAL_DATA="mini",
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (log,) = tmp_path.glob("stock/**/*_samples_sf_videomme.jsonl")
    stock = {}
    for line in log.read_text().splitlines():
        sample = json.loads(line)
        stock[sample["doc_id"]] = sample["filtered_resps"]
    assert len(stock) == 5

    args = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", "5", "--output"]
    assert _run([*args, str(tmp_path / "own")]) == 0
    lines = (tmp_path / "own" / "samples.jsonl").read_text().splitlines()
    own = {sample["doc_id"]: sample["output"] for sample in map(json.loads, lines)}
    assert own == stock


def test_a_wrong_model_argument_names_the_nearest(tmp_path: Path, in_a_shell: Callable) -> None:
    done = in_a_shell(
        "lmms-eval --model slowfast --model_args pretrained=mini,num_frame=64 --tasks sf_videomme --limit 1 "
        '--include_path "$(sf-eval tasks --path)"',
        tmp_path,
        SF_EVAL_DATA="mini",
    )
    assert "slowfast has no model argument 'num_frame'. Did you mean num_frames" in done.stdout + done.stderr
