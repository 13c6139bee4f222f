"""What an attached slow path costs: docs/attaching.md's table in closed form, and the trace agrees."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from sf_eval.cli.profile import command
from sf_eval.core.errors import UsageError
from sf_eval.profiler.attached import make_attached_profile
from sf_eval.profiler.cost.attached import PLAIN, Compression, attached_cost
from sf_eval.profiler.cost.families import FAMILY_SHAPES
from sf_eval.profiler.traced.attached import build, differences

#: frames: plain, fast 1/8, fast 1/16 (prefill TFLOP / KV MiB / prefill and vision TFLOP), vision TFLOP.
QWEN25 = {
    16: ("29.0 / 117.5 / 39.7", "4.74 / 35.5 / 15.5", "3.06 / 28.5 / 13.8", "10.8"),
    64: ("122.0 / 453.5 / 165.1", "15.2 / 125.5 / 58.3", "8.35 / 97.5 / 51.5", "43.1"),
    128: ("269.7 / 901.5 / 355.9", "29.5 / 245.5 / 115.7", "15.5 / 189.5 / 101.7", "86.2"),
    256: ("645.8 / 1,797.5 / 818.2", "59.4 / 485.5 / 231.9", "30.1 / 373.5 / 202.5", "172.4"),
}


def test_the_table_of_qwen25_is_the_one_that_was_worked_out_by_hand():
    from sf_eval.report.profile.attached import attached_table

    profile = make_attached_profile("qwen2.5-vl-7b+slow", frames=tuple(QWEN25), traced=False)
    table = attached_table(profile)
    assert table.columns == ("frames", "plain", "fast 1/8", "fast 1/16", "vision")
    assert {int(row[0]): row[1:] for row in table.rows} == QWEN25
    assert profile.hybrid_layers == (0, 8, 16, 24)
    assert profile.rows[-1].added_weights == 14_698_504


@pytest.mark.thorough
@pytest.mark.parametrize("name", FAMILY_SHAPES)
def test_the_closed_form_is_what_flop_counter_mode_counts(name):
    """Tower, plain prefill, and a prefill with a slow path, over transformers' modules on meta."""
    shape = FAMILY_SHAPES[name]
    assert differences(shape, build(shape), 4, 100, (PLAIN, Compression(2, 2))) == []


def test_attached_is_the_pooled_control_and_the_slow_path():
    shape = FAMILY_SHAPES["internvl3-8b"]
    pooled = attached_cost(shape, 64, 100, Compression(4, 2, slow=False))
    attached = attached_cost(shape, 64, 100, Compression(4, 2))
    assert attached.prefill == pooled.prefill + attached.slow_path
    assert attached.fast_tokens * 16 == attached.slow_tokens
    assert attached.kv_bytes - pooled.kv_bytes == 4 * 4 * 512 * attached.slow_tokens


def test_on_the_command_line(tmp_path):
    arguments = [
        "--model",
        "qwen2.5-vl-7b+slow",
        "--against",
        "qwen2.5-vl-7b",
        "--frames",
        "64",
        "--no-trace",
        "--output",
    ]
    done = CliRunner().invoke(command, [*arguments, str(tmp_path)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "122.0 / 453.5 / 165.1" in done.output
    written = json.loads((tmp_path / "attached_profile.json").read_text())
    assert written["schema_version"] == 1
    assert {row["kind"] for row in written["rows"]} == {"plain", "pooled", "attached"}


@pytest.mark.parametrize(
    ("model", "against", "reason"),
    [
        ("qwen2.5-vl-7+slow", (), r"Did you mean qwen2\.5-vl-7b\+slow"),
        ("internvl3-8b+slow", ("mini",), "compared with internvl3-8b"),
    ],
)
def test_names_that_are_not_known_are_refused(model, against, reason):
    with pytest.raises(UsageError, match=reason):
        make_attached_profile(model, against=against, traced=False)
