"""The stock `lmms-eval` command with our plugin gives the answers that `sf-eval run` gives."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from lmms_eval.api.instance import Instance

sys.path.insert(0, str(Path(__file__).parent))

from zygote import shared_zygote

from sf_eval.cli.main import _run
from sf_eval.core.errors import UsageError
from sf_eval.core.paths import PACKAGE, tasks_dir
from sf_eval.lmms import context
from sf_eval.lmms.adapter import SlowFast

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readmes_stock_command_answers_as_sf_eval_does(tmp_path: Path) -> None:
    lines = README.read_text(encoding="utf-8").splitlines()
    (command,) = [line.removeprefix("$ ") for line in lines if "lmms-eval --model slowfast" in line]
    setting, program, *words = shlex.split(command.replace('"$(sf-eval tasks --path)"', str(tasks_dir())))
    assert (setting, program) == ("SF_EVAL_DATA=mini", "lmms-eval")
    logged = ("--log_samples", "--output_path", "stock")
    stock = {"program": "lmms-eval", "env": {"SF_EVAL_DATA": "mini"}}
    done = shared_zygote().start(tmp_path, *words, *logged, **stock).wait()
    assert done.code == 0, done.err[-2000:]
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


def answer_tokens(model: SlowFast, limit: int) -> int:
    """How long the answer to a question without a video is, where the task's own limit is `limit`."""
    model.task_dict = {"some_task": {"test": [{"id": "one"}]}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Which?\nA. Red.\nB. Blue."}]}]
    arguments = ("", lambda _: messages, {"max_new_tokens": limit}, 0, "some_task", "test")
    metadata = {"task": "some_task", "doc_id": 0, "repeats": 1}
    (result,) = model.generate_until([Instance("generate_until", arguments, 0, metadata)])
    return result.token_counts.output_tokens


@pytest.fixture
def _own_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock command's context, and none left behind."""
    monkeypatch.setattr(context, "_active", None)
    monkeypatch.setattr(context, "_stock", None)
    monkeypatch.setenv("SF_EVAL_DATA", "mini")


@pytest.mark.usefixtures("_own_context")
def test_the_limit_of_new_tokens_is_the_arguments_then_the_cards_then_the_tasks(tmp_path: Path) -> None:
    """As `sf-eval run` has it, where --max-new-tokens goes before the card's and that before the task's."""
    tasks_own = answer_tokens(SlowFast(pretrained="mini", device="cpu"), 16)
    assert tasks_own > 1
    assert answer_tokens(SlowFast(pretrained="mini", device="cpu", max_new_tokens=1), 16) == 1
    directory = Path(shutil.copytree(PACKAGE / "assets" / "mini", tmp_path / "own"))
    (directory / "sf_eval_card.yaml").write_text("title: Short\nnum_frames: 16\nmax_new_tokens: 1\n")
    assert answer_tokens(SlowFast(pretrained=str(directory), device="cpu"), 16) == 1
    by_argument = SlowFast(pretrained=str(directory), device="cpu", max_new_tokens=16)
    assert answer_tokens(by_argument, 1) == tasks_own


@pytest.mark.usefixtures("_own_context")
@pytest.mark.parametrize(
    ("argument", "value"), [("max_new_tokens", True), ("max_new_tokens", -4), ("max_new_tokens", 2.5),
                            ("num_frames", True), ("num_frames", "many"),
                            ("batch_size", 0), ("batch_size", "many"), ("batch_size", True)],
)  # fmt: skip
def test_a_limit_that_means_nothing_is_refused(argument: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"--model_args: {argument} is "):
        SlowFast(pretrained="mini", **{argument: value})
