"""Workers that would not answer alike are refused, and the machine that differs is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sf_eval import __version__
from sf_eval.core.resize import Resize
from sf_eval.harness.distributed.alike import WorkersDifferError, refuse_differences
from sf_eval.harness.distributed.work import Hello, Place
from sf_eval.harness.facts import ModelReport
from sf_eval.harness.identity import ModelIdentity
from sf_eval.harness.record import ModelRecord

IDENTITY = ModelIdentity(
    weights_digest="a" * 64, slow_path="on", decode_slow_attention=True, dtype="bfloat16", attn="sdpa",
    device_type="cuda", sampling="published", num_frames=64, target_fps=2.0, video_backend="pyav",
    prompt_format="qwen", libraries="torch=2.9",
)  # fmt: skip
VERSIONS = {"sf-eval": __version__, "torch": "2.9", "av": "15.0"}
MODEL = ModelReport(ModelRecord.model_construct(), IDENTITY, 8, VERSIONS, None, {}, ())


def crew(**others: ModelReport) -> dict[str, Hello]:
    """Three that are alike, and others by the name of their machine."""
    seen = {f"worker {number} on node1": MODEL for number in range(3)} | others
    return {who: Hello(Place(who, "H100", 1), model, 2, Resize(384)) for who, model in seen.items()}


def test_the_same_everywhere_is_accepted_whatever_the_batch_and_the_machine() -> None:
    refuse_differences(crew(node2=replace(MODEL, batch_size=4, machine={"cores": 8})))


@pytest.mark.parametrize(
    ("different", "says"),
    [
        (replace(MODEL, versions={**VERSIONS, "av": "14.1"}), "node2 has av 14.1, the others 15.0."),
        (replace(MODEL, identity=replace(IDENTITY, weights_digest="b" * 64)), "node2 has weights_digest bbb"),
        (
            replace(MODEL, identity=replace(IDENTITY, dtype="float16")),
            "node2 has dtype float16, the others bf",
        ),
    ],
)
def test_the_one_that_differs_is_named_first(different: ModelReport, says: str) -> None:
    with pytest.raises(WorkersDifferError, match=says.replace("bf", "bfloat16")):
        refuse_differences({"node2": crew(node2=different)["node2"], **crew()})


def test_a_machine_with_another_sf_eval_is_named() -> None:
    old = replace(MODEL, versions={**VERSIONS, "sf-eval": "0.0.1"})
    with pytest.raises(WorkersDifferError, match=r"node2 has sf-eval 0\.0\.1"):
        refuse_differences(crew(node2=old))
