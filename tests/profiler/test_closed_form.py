"""The closed form on its own: the reference table, the paper's claim, identities that any cost must keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config

from sf_eval.core.cards import load_card
from sf_eval.core.config_defaults import QWEN2, SLOW_FAST
from sf_eval.core.errors import CheckpointError
from sf_eval.model import SlowFastConfig
from sf_eval.model.loading import config_for
from sf_eval.profiler import (
    Convention,
    DecodeVariant,
    ModelShape,
    Workload,
    compare_question,
    cost,
    cost_of_question,
    count_tokens,
)
from sf_eval.profiler.cost.question import shape_of

# frames -> TMAC at 100 text tokens, s2t4, at least 16 fast frames: vision, projector, self-attention-only
# prefill, fast frames, slow-fast prefill, of it cross-attention. From the project's reference table.
PUBLISHED = {
    16: (16.0, 0.12, 9.31, 16, 9.33, 0.023),
    64: (64.1, 0.49, 37.3, 16, 9.40, 0.091),
    128: (128.3, 0.99, 79.3, 16, 9.49, 0.182),
    512: (513.1, 3.96, 444.7, 64, 38.0, 0.728),
    1024: (1026, 7.91, 1234, 128, 80.8, 1.455),
}


def slow_fast() -> ModelShape:
    return shape_of(load_card("slowfast-7b-128f"))


@pytest.mark.parametrize("frames", PUBLISHED)
def test_reference_table_is_reproduced(frames: int) -> None:
    vision, projector, baseline_prefill, fast_frames, prefill, cross = PUBLISHED[frames]
    ours = cost(slow_fast(), Workload(frames))
    baseline = cost(slow_fast().self_attention_only(), Workload(frames))
    assert ours.vision.total / 1e12 == pytest.approx(vision, abs=_last_digit(vision))
    assert ours.projector / 1e12 == pytest.approx(projector, abs=0.005)
    assert baseline.prefill.total / 1e12 == pytest.approx(baseline_prefill, abs=_last_digit(baseline_prefill))
    assert ours.tokens.fast_frames == fast_frames
    assert ours.prefill.total / 1e12 == pytest.approx(prefill, abs=_last_digit(prefill))
    assert ours.prefill.cross_total / 1e12 == pytest.approx(cross, abs=0.0005)


def _last_digit(value: float) -> float:
    """Half of the last digit that the table prints."""
    text = str(value)
    return 0.5 * 10 ** -(len(text.partition(".")[2])) if "." in text else 0.5


def test_paper_claims_at_most_three_percent_of_prefill(capsys: pytest.CaptureFixture[str]) -> None:
    """arXiv 2504.01328: 16 to 128 frames for at most 3% more computation, which is the LLM's prefill."""
    figures = {}
    for text_tokens in (50, 100, 400):
        ours = cost(slow_fast(), Workload(128, text_tokens))
        baseline = cost(shape_of(load_card("self-attention-16f")), Workload(16, text_tokens))
        figures[text_tokens] = (
            ours.prefill.total / baseline.prefill.total - 1,
            ours.total / baseline.total,
        )
    with capsys.disabled():
        for text_tokens, (prefill, end_to_end) in figures.items():
            claim = f"prefill +{prefill:.2%}, end to end x{end_to_end:.2f}"
            print(f"\n16 -> 128 frames, {text_tokens} text tokens: {claim}", end="")
    assert [round(100 * prefill, 2) for prefill, _ in figures.values()] == [1.86, 1.96, 2.39]
    assert figures[100][1] == pytest.approx(5.43, abs=0.05)


def test_vision_tower_is_what_the_reference_says() -> None:
    tower = cost(slow_fast(), Workload(1)).vision
    assert tower.total / 1e9 == pytest.approx(1002.2, abs=0.05)
    assert tower.stages[2] / tower.total == pytest.approx(0.74, abs=0.005)


def test_full_convention_doubles_only_self_attention() -> None:
    half, full = (cost(slow_fast(), Workload(64), convention=kind).prefill for kind in Convention)
    assert full.self_attention == 2 * half.self_attention
    assert full.total - full.self_attention == half.total - half.self_attention


def test_published_decoding_projects_again_at_every_step() -> None:
    work = Workload(128, new_tokens=5)
    cached, published, without = (cost(slow_fast(), work, decode=variant).decode for variant in DecodeVariant)
    assert cached.cross_kv_projection == 0
    # 4 layers, 10368 slow tokens, 3584 -> 1024, 4 steps; twice the MACs of a step are the known 305 GFLOP
    assert published.cross_kv_projection == 4 * (4 * 10368 * 3584 * 1024)
    assert 2 * published.cross_kv_projection / 4 / 1e9 == pytest.approx(304.4, abs=0.1)
    assert published.total - published.cross_kv_projection == cached.total
    assert without.cross_total == 0


def test_batch_costs_as_much_as_its_samples() -> None:
    one, three = cost(slow_fast(), Workload(64, new_tokens=4)), cost(slow_fast(), Workload(64, 100, 4, 3))
    assert three.total == 3 * one.total


def test_text_only_has_no_visual_cost() -> None:
    found = cost(slow_fast(), Workload(0, new_tokens=3))
    assert (found.vision.total, found.projector, found.pooling) == (0, 0, 0)
    assert found.prefill.cross_total == found.decode.cross_total == 0


def test_question_cost_adds_up_and_compares_with_both_baselines() -> None:
    card = load_card("slowfast-7b-64f")
    asked = cost_of_question(card, 64, 100, 16)
    assert asked.total_flops == (
        asked.vision_flops
        + asked.projector_flops
        + asked.pooling_flops
        + asked.prefill_flops
        + asked.decode_flops
    )
    pair = compare_question(card.config, 64, 100, 16)
    assert pair.model == asked
    assert pair.same_budget.vision_flops * 4 == pair.same_frames.vision_flops
    assert pair.same_budget.cross_attention_flops == pair.same_frames.cross_attention_flops == 0
    assert pair.same_budget.prefill_flops == asked.prefill_flops - asked.cross_attention_flops


def test_slow_path_off_leaves_the_fast_tokens() -> None:
    shape = slow_fast()
    off = cost_of_question(shape, 128, 100, 1, slow_path=False)
    on = cost_of_question(shape, 128, 100, 1)
    assert on.prefill_flops - off.prefill_flops == on.cross_attention_flops > 0
    assert off.vision_flops == on.vision_flops


def test_every_variant_has_the_tokens_of_the_published_table() -> None:
    for name, slow in {"slowfast-7b-64f": 5184, "slowfast-7b-96f": 7776, "slowfast-7b-128f": 10368}.items():
        card = load_card(name)
        tokens = count_tokens(shape_of(card), card.num_frames)
        assert (tokens.slow_tokens, tokens.fast_tokens) == (slow, 1296), name
    image = count_tokens(slow_fast(), 1)
    assert (image.slow_tokens, image.fast_tokens) == (324, 324)


def test_configuration_without_sizes_is_refused_by_name() -> None:
    with pytest.raises(CheckpointError, match="num_hidden_layers"):
        ModelShape.from_config({"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2})
    with pytest.raises(CheckpointError, match="qformer"):
        ModelShape.from_config({**load_card("slowfast-7b-64f").config, "mm_projector_type": "qformer"})


SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 20, "num_attention_heads": 32,
    "num_key_value_heads": 4, "vocab_size": 500,
}  # fmt: skip


REQUIRED = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
STATED = {**SLOW_FAST, **SIZES, "tie_word_embeddings": True, "max_position_embeddings": 999}
MAY_BE_NULL = (
    "mm_video_pooling_stride", "fast_token_spatial_stride", "fast_token_temporal_stride",
    "fast_token_temporal_sampling_stride", "min_fast_frames", "cross_attn_every_n_layers",
    "cross_attn_min_layer_depth", "cross_attn_max_layer_depth", "tokenizer_model_max_length",
    "num_key_value_heads", "vision_config",
)  # fmt: skip


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in STATED.items() if name != key}


@pytest.mark.parametrize(
    "config",
    [
        *(pytest.param(without(key), id=f"no {key}") for key in sorted({*SLOW_FAST, *QWEN2})),
        *(pytest.param({**STATED, key: None}, id=f"{key} null") for key in MAY_BE_NULL),
        pytest.param({key: SIZES[key] for key in REQUIRED}, id="nothing but sizes"),
        pytest.param({**STATED, "mm_vision_tower": "convnext-320"}, id="image size in the tower's name"),
    ],
)
def test_what_a_configuration_lacks_counts_as_the_model_takes_it(config: dict[str, Any]) -> None:
    """One source of defaults: closed form and model never disagree about a key that is not there."""
    made = SlowFastConfig(**config)
    made.check()
    shape = ModelShape.from_config(config)
    assert shape == ModelShape.from_config(made.to_dict())
    assert shape.context_tokens == made.max_prompt_tokens
    assert shape.decode_slow_attention == made.decode_slow_attention
    assert shape.hybrid_layers == len(made.hybrid_layers)


def test_the_language_models_defaults_are_transformers() -> None:
    config = Qwen2Config()
    assert {key: getattr(config, key) for key in QWEN2} == dict(QWEN2)


@pytest.mark.parametrize(
    "implementation", ["vanilla", "vanilla-masksystem", "text-only-vanilla-masksystem-x"]
)
def test_who_queries_is_decided_by_the_models_rule(implementation: str) -> None:
    config = SlowFastConfig(**SIZES, cross_attn_implementation=implementation)
    rule = shape_of(config).query_rule
    assert (rule == "all") == config.all_tokens_query
    assert (rule == "text after video") == (config.masks_system and not config.all_tokens_query)


def test_decoding_without_slow_tokens_is_counted_without_them() -> None:
    """What `--published-decoding` does; 256 tokens then cost 4.0% less to decode than with cached K/V."""
    config = load_card("slowfast-7b-128f").config
    off = {**config, "decode_slow_attention": False}
    cached, without = cost_of_question(config, 128, 100, 256), cost_of_question(off, 128, 100, 256)
    assert without == cost_of_question(config, 128, 100, 256, decode="without")
    assert cached == cost_of_question(off, 128, 100, 256, decode="cached")
    assert cached.decode_flops / without.decode_flops == pytest.approx(1.040, abs=0.001)
    assert compare_question(off, 128, 100, 256).model == without
    off_card = replace(load_card("slowfast-7b-128f"), decode_slow_attention=False)
    assert cost_of_question(off_card, 128, 100, 256) == without


def test_masked_system_prompts_are_not_counted_as_querying() -> None:
    config = load_card("slowfast-7b-128f").config
    masked = {**config, "cross_attn_implementation": "text-only-vanilla-masksystem"}
    all_text, after = cost_of_question(config, 128, 100, 1), cost_of_question(masked, 128, 100, 1)
    # The published markup has 14 tokens before the video: 4 layers, 2 n N_s A and the gate's n A, in FLOPs
    fewer = 2 * 4 * 14 * (2 * 10368 + 1) * 3584
    assert all_text.cross_attention_flops - after.cross_attention_flops == fewer
    assert cost_of_question(masked, 128, 100, 1, text_before_video=0) == all_text
    assert cost_of_question(masked, 128, 5, 1).cross_attention_flops > 0  # projecting keys and values


def test_the_packaged_controls_have_the_llms_budget_of_the_slow_fast_model() -> None:
    """At their own frames the LLM's prefill differs by cross-attention alone, the tower by the frames."""
    costs = {
        name: cost(shape_of(config_for(load_card(name))), Workload(load_card(name).num_frames, new_tokens=3))
        for name in ("mini", "mini-16f", "mini-pooled")
    }
    for name in ("mini-16f", "mini-pooled"):
        assert costs[name].prefill.cross_total == costs[name].decode.cross_total == 0
        assert costs["mini"].prefill.total - costs["mini"].prefill.cross_total == costs[name].prefill.total
    assert costs["mini"].prefill.cross_total > 0
    assert costs["mini"].vision == costs["mini-pooled"].vision
    assert costs["mini"].vision.total == 8 * costs["mini-16f"].vision.total
