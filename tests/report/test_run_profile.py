"""A run's `profile.json`: FLOPs of what was really asked, held against a trace of the very model."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from transformers import PretrainedConfig

from sf_eval.core.cards import load_card
from sf_eval.harness.ask import Asked
from sf_eval.harness.facts import documents_of, facts_of, report_of
from sf_eval.harness.plan import make_plan
from sf_eval.harness.record import MemoryRecord, Usage
from sf_eval.harness.recording import RunOutput, record
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.inference import Answer
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.question import StageTimings
from sf_eval.model import VIDEO_TOKEN_ID
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.profiler import DecodeVariant, Workload
from sf_eval.profiler.traced.trace import compare, meta_model
from sf_eval.report.run_profile import build, cost_table, latency_table
from sf_eval.report.run_profile_record import RunProfile

FRAMES, TEXT, NEW = 24, 60, 7


@dataclass(frozen=True)
class Finished:
    """A run's output, and the model that it was made with."""

    loaded: LoadedModel
    run: RunOutput


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """A run of two questions with the mini model, each of 24 frames, 60 text tokens and 7 new ones."""
    settings = RunSettings(
        model="mini", tasks="mlvu", data="mini", limit=parse_limit("2"), batch_size=2, output=tmp_path / "run"
    )
    plan = make_plan(settings)
    loaded = load_model(load_card("mini"))
    model = SlowFastVideoModel(loaded)
    timings = StageTimings(0.1, 0.1, 0.0, 0.1, 0.2, 0.4, 2)
    questions = list(documents_of(plan))
    results = {
        each.key: Answer(
            each.key, "A question?", "A", FRAMES, (), TEXT + 16, 16, FRAMES, NEW, "length", timings
        )
        for each in questions
    }
    facts = facts_of(
        plan,
        report_of(plan.card, model, attn="sdpa", video_backend="pyav", batch_size=2, share=True),
        load_seconds=0.1,
    )
    shown = facts.model.model_copy(update={"num_frames": FRAMES})
    facts = facts.model_copy(update={"model": shown})
    memory = MemoryRecord(
        process_peak_bytes=1, device_allocated_peak_bytes=None, device_reserved_peak_bytes=None
    )
    usage = Usage(seconds=1.0, memory=memory)
    plan.output.mkdir()
    return Finished(loaded, record(plan.output, facts, questions, Asked(results), usage))


def before_video(finished: Finished) -> int:
    """Of a real prompt, by the model's own tokenizer (the published one makes 14 of the same text)."""
    ids = finished.loaded.processor.tokenize("What happens?\nA. This\nB. That")[0].tolist()
    return ids.index(VIDEO_TOKEN_ID)


def traced_decoding_and_crossing(
    finished: Finished, config: PretrainedConfig, decode: DecodeVariant
) -> tuple[int, int]:
    """FLOPs that the model itself does: in decoding steps, and for the slow path at prefill."""
    work = Workload(FRAMES, TEXT, NEW, text_before_video=before_video(finished))
    rows = compare(meta_model(config), work, decode)
    return (
        2 * sum(row.traced for row in rows if row.part.startswith("decode ")),
        2 * sum(row.traced for row in rows if row.part.startswith("prefill cross")),
    )


@pytest.mark.parametrize("published_decoding", [False, True])
@pytest.mark.parametrize(
    "implementation",
    ["text-only-vanilla", pytest.param("text-only-vanilla-masksystem", marks=pytest.mark.thorough)],
)
def test_flops_are_those_of_the_model_as_it_was_run(
    finished: Finished, published_decoding: bool, implementation: str
) -> None:
    config = finished.loaded.model.config
    config.decode_slow_attention = not published_decoding
    config.cross_attn_implementation = implementation
    recorded = finished.run.record
    model = recorded.model.model_copy(
        update={"decode_slow_attention": not published_decoding, "config": config.to_dict()}
    )
    profile = build(replace(finished.run, record=recorded.model_copy(update={"model": model})))
    (row,) = [row for row in profile.flops if (row.group, row.who) == ("all", "model")]
    decode = DecodeVariant.WITHOUT if published_decoding else DecodeVariant.CACHED
    assert (row.flops.decode_flops, row.flops.cross_attention_flops) == traced_decoding_and_crossing(
        finished, config, decode
    )
    assert profile.decode == decode.value
    assert profile.text_before_video == before_video(finished)
    notes = " ".join(cost_table(profile).notes)
    assert ("--published-decoding" in notes) == published_decoding


def test_the_record_is_typed_versioned_and_documented(finished: Finished) -> None:
    profile = build(finished.run)
    data = json.loads(json.dumps(profile.model_dump(mode="json"), allow_nan=False))
    assert RunProfile.model_validate(data) == profile
    assert data["schema_version"] == 2
    docs = Path(__file__).parents[2] / "docs" / "schemas"
    schema = json.loads((docs / "run_profile.schema.json").read_text())
    assert schema == RunProfile.model_json_schema(), "run python -m sf_eval.report.run_profile_record"
    documented = (docs / "run_profile.md").read_text()
    keys = [*data, *data["flops"][0], *data["flops"][0]["flops"], *data["latency"], *data["tokens"]]
    assert [key for key in keys if f"`{key}`" not in documented] == []


def test_two_questions_have_no_p90(finished: Finished) -> None:
    profile = build(finished.run)
    assert profile.latency["vision_s"].p90 is None
    assert "p90" not in latency_table(profile).columns
    many = build(replace(finished.run, samples=[*finished.run.samples] * 5))
    assert many.latency["vision_s"].p90 == pytest.approx(0.1)
    assert "p90" in latency_table(many).columns
