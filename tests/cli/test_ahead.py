"""A run's first videos are decoded while its libraries are imported, as the run itself would decode them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.actions.ahead import decoding_ahead
from sf_eval.core.cards import card_for
from sf_eval.editions import mini_root
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.inference.families import open_model, rule_of

SETTINGS = RunSettings(model="mini", tasks="videomme", data="mini", limit=parse_limit("4"))


@pytest.fixture(scope="module", autouse=True)
def rendered() -> None:
    mini_root(["videomme"])


def test_neither_torch_nor_transformers_is_waited_for() -> None:
    begun = (
        "import sys; import sf_eval.cli.run; import sf_eval.cli.actions.ahead;"
        "print(sorted({'torch', 'transformers', 'lmms_eval'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", begun], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_first_clips_come_as_the_model_wants_them() -> None:
    card = card_for("mini")
    with decoding_ahead(SETTINGS) as ahead:
        assert ahead.pool is not None
        assert list(ahead.opened) == ["videomme"]
        assert ahead.pool.decodes_as(
            rule_of(card),
            resize=open_model(card).resize,
            backend=SETTINGS.video_backend,
            timeout_s=SETTINGS.decode_timeout_s,
            seek=True,
        )


@pytest.mark.parametrize("model", ["mini-16f", "mini-pooled"])
@pytest.mark.parametrize("frames", [None, 24])
def test_so_for_every_embedded_model(model: str, frames: int | None) -> None:
    settings = replace(SETTINGS, model=model, num_frames=frames)
    card = settings.card(card_for(model))
    with decoding_ahead(settings) as ahead:
        assert ahead.pool is not None
        assert (ahead.pool.rule, ahead.pool.resize) == (rule_of(card), open_model(card).resize)


@pytest.mark.parametrize(
    "changed",
    [
        {"decoders": 0},
        {"workers": 2},
        {"data": "hub"},
        {"resize": "device"},
        {"data": "/nowhere/at/all"},
        {"tasks": "no_such_task"},
        {"model": "qwen2.5-vl-7b"},
    ],
)
def test_nothing_is_begun_where_it_is_not_known_what_the_run_wants(changed: dict[str, Any]) -> None:
    """What is wrong with the command is the plan's to say."""
    with decoding_ahead(replace(SETTINGS, **changed)) as ahead:
        assert ahead.pool is None


def test_a_run_that_is_resumed_decodes_nothing_that_was_answered(tmp_path: Path) -> None:
    with decoding_ahead(replace(SETTINGS, output=tmp_path)) as ahead:
        assert ahead.pool is None


def test_a_run_uses_what_was_begun_and_says_when_the_first_video_was_there(
    sf_eval: Callable[..., Any], tmp_path: Path
) -> None:
    given = []
    for number, extra in enumerate([(), ("--decoders", "0")]):
        folder = tmp_path / str(number)
        done = sf_eval(
            "run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", "4",
            "--num-frames", "16", "--output", folder, *extra,
        )  # fmt: skip
        assert done.code == 0, done.err
        took = json.loads((folder / "results.json").read_text())["first_video_s"]
        assert (took is None) == bool(extra)
        lines = (folder / "samples.jsonl").read_text().splitlines()
        given.append([(sample["output"], sample["pixels_digest"]) for sample in map(json.loads, lines)])
    assert given[0] == given[1]


@pytest.mark.parametrize(
    "config", ["[]", '{"vision_config": {"image_size": "x"}}', '{"vision_config": 3}', "no"]
)
def test_a_checkpoint_that_makes_no_sense_is_the_plans_to_refuse(
    sf_eval: Callable[..., Any], tmp_path: Path, config: str
) -> None:
    (tmp_path / "config.json").write_text(config)
    with decoding_ahead(replace(SETTINGS, model=str(tmp_path))) as ahead:
        assert ahead.pool is None
    done = sf_eval("run", "--model", tmp_path, "--data", "mini", "--tasks", "videomme", "--limit", "1")
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
