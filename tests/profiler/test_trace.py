"""Closed form and trace agree, part by part, on everything; an operation nobody judged is an error."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sf_eval.core.cards import card_names, load_card
from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.loading import config_for, load_model
from sf_eval.profiler import Convention, DecodeVariant, ModelShape, Workload, cost, count_tokens
from sf_eval.profiler.traced.ops import TraceError
from sf_eval.profiler.traced.trace import compare, meta_model, trace

from .shapes import tiny


@lru_cache(maxsize=4)
def built(config: str) -> SlowFastForConditionalGeneration:
    """Cases of one configuration share a model: building 28 layers takes as long as running them."""
    return meta_model(SlowFastConfig(**json.loads(config)))


def agree(
    config: dict[str, Any] | SlowFastConfig, work: Workload, decode: DecodeVariant = DecodeVariant.CACHED
) -> None:
    if isinstance(config, dict):
        config = SlowFastConfig(**config, decode_slow_attention=decode is not DecodeVariant.WITHOUT)
    rows = compare(built(json.dumps(config.to_dict(), sort_keys=True)), work, decode)
    assert [row for row in rows if row.closed_form != row.traced] == []
    assert sum(row.traced for row in rows) > 0


# Of the full shapes, tests/docs/test_readme.py traces a released card and a baseline: here each card by
# itself, but for the small one, is a second proof.
_ALWAYS = ("mini",)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in _ALWAYS else pytest.mark.thorough)
        for name in card_names()
        if load_card(name).family == "slow_fast"
    ],
)
def test_every_card_agrees(name: str) -> None:
    card = load_card(name)
    agree(config_for(card), Workload(card.num_frames, text_tokens=100, new_tokens=2))


WORK = {
    "text only": Workload(0, 17, 4),
    "single image": Workload(1, 17, 4),
    "cached decoding": Workload(9, 17, 5),
    "batch": Workload(9, 17, 3, batch_size=3),
    "fewer frames than the floor, one token": Workload(2, 1, 1),
}


# Each way of decoding, and a batch; their products take longer.
_FEW = (*((decode, "cached decoding") for decode in DecodeVariant), (DecodeVariant.CACHED, "batch"))


@pytest.mark.parametrize(
    ("work", "decode"),
    [
        pytest.param(
            work,
            decode,
            id=f"{decode.value}-{name}",
            marks=() if (decode, name) in _FEW else pytest.mark.thorough,
        )
        for decode in DecodeVariant
        for name, work in WORK.items()
    ],
)
def test_every_kind_of_work_agrees(work: Workload, decode: DecodeVariant) -> None:
    agree(tiny(), work, decode)


@pytest.mark.parametrize(
    "changes",
    [
        {"slow_path": "off", "mm_projector_type": "linear", "tie_word_embeddings": True},
        {"cross_attn_implementation": "vanilla", "num_key_value_heads": 4, "mm_projector_type": "mlp3x_gelu"},
        {"cross_attn_implementation": "text-only-vanilla-masksystem", "num_key_value_heads": 1,
         "cross_attn_gating_type": "whole-dynamic"},
        {"cross_attn_min_layer_depth": 1, "cross_attn_max_layer_depth": 2, "fast_token_spatial_stride": 2,
         "mm_video_pooling_stride": 1},
        {"cross_attn_every_n_layers": None, "fast_token_temporal_sampling_stride": 3},
    ],
    ids=str,
)  # fmt: skip
def test_keys_of_the_configuration_agree(changes: dict[str, Any]) -> None:
    """Every key, several at a time."""
    agree(tiny(**changes), Workload(8, 13, 2, text_before_video=4))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "changes",
    [
        {"slow_path": "off"},
        {"cross_attn_implementation": "vanilla"},
        {"cross_attn_implementation": "text-only-vanilla-masksystem"},
        {"cross_attn_gating_type": "whole-dynamic"},
        {"cross_attn_min_layer_depth": 1, "cross_attn_max_layer_depth": 2},
        {"cross_attn_every_n_layers": None},
        {"cross_attn_every_n_layers": None, "slow_path": "off"},
        {"tie_word_embeddings": True},
        {"mm_projector_type": "linear"},
        {"mm_projector_type": "mlp3x_gelu"},
        {"fast_token_spatial_stride": 2, "mm_video_pooling_stride": 1},
        {"fast_token_temporal_sampling_stride": 3},
        {"num_key_value_heads": 4},
        {"num_key_value_heads": 1},
    ],
    ids=str,
)
def test_every_key_of_the_configuration_agrees(changes: dict[str, Any]) -> None:
    """Each key alone: which one it is, where several together do not agree."""
    agree(tiny(**changes), Workload(8, 13, 2, text_before_video=4))


@pytest.mark.thorough
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_odd_sizes_agree(data: st.DataObject) -> None:
    def draw(low: int, high: int) -> int:
        return data.draw(st.integers(low, high))

    kv_heads, groups, head_dim = draw(1, 3), draw(1, 3), 2 * draw(1, 5)
    text = draw(2, 20)
    config = tiny(
        num_attention_heads=kv_heads * groups,
        num_key_value_heads=kv_heads,
        hidden_size=kv_heads * groups * head_dim,
        intermediate_size=draw(1, 40),
        num_hidden_layers=draw(1, 4),
        vocab_size=draw(5, 60),
        cross_attn_every_n_layers=draw(1, 3),
        mm_video_pooling_stride=draw(1, 3),
        fast_token_temporal_sampling_stride=draw(1, 3),
        fast_token_temporal_stride=draw(1, 4),
        min_fast_frames=draw(1, 6),
        vision_config={
            "depths": [draw(1, 2) for _ in range(4)],
            "hidden_sizes": [draw(1, 9) for _ in range(4)],
            "image_size": draw(96, 170),
        },
    )
    work = Workload(draw(0, 14), text, draw(1, 3), draw(1, 3), text_before_video=draw(0, text - 1))
    agree(config, work, data.draw(st.sampled_from(DecodeVariant)))


@pytest.mark.thorough
def test_eager_attention_costs_what_sdpa_costs() -> None:
    work = Workload(6, 11, 3)
    counted = [trace(meta_model(SlowFastConfig(**tiny()), attn=attn), work) for attn in ("sdpa", "eager")]
    assert counted[0].total == counted[1].total > 0


def test_trace_counts_the_whole_square() -> None:
    """Halving is ours alone: the trace equals the full convention and not the halved one."""
    config = SlowFastConfig(**tiny())
    shape = ModelShape.from_config(tiny())
    work = Workload(6, 11, 1)
    traced = trace(meta_model(config), work)
    assert traced.total == cost(shape, work, convention=Convention.FULL).total
    halved = cost(shape, work, convention=Convention.HALVED)
    assert traced.total - halved.total == halved.prefill.self_attention


def test_modules_are_named_as_in_the_model() -> None:
    model = meta_model(SlowFastConfig(**tiny()))
    traced = trace(model, Workload(4, 9, 1))
    names = {f"model.{name}" for name, _ in model.named_modules()}
    assert set(traced.by_module) - {"model"} <= names
    assert traced.by_module["model.model.layers.0.mlp"] == 3 * 32 * 56 * (9 + fast_tokens(4))


def fast_tokens(frames: int) -> int:
    return count_tokens(ModelShape.from_config(tiny()), frames).fast_tokens


@pytest.mark.parametrize(("sampling", "temporal", "spatial"), [(1, 2, 1), (2, 2, 1), (3, 4, 1), (1, 1, 2)])
def test_token_counts_are_those_of_the_tensors(sampling: int, temporal: int, spatial: int) -> None:
    config = tiny(
        fast_token_temporal_sampling_stride=sampling,
        fast_token_temporal_stride=temporal,
        fast_token_spatial_stride=spatial,
    )
    model = meta_model(SlowFastConfig(**config))
    for frames in (1, 2, 3, 5, 8, 13):
        features = model.encode_video(torch.empty(frames, 3, 128, 128, device="meta"))
        counted = count_tokens(ModelShape.from_config(config), frames)
        assert counted.fast_tokens == features.fast_tokens.shape[0]
        assert counted.slow_tokens == features.slow_tokens.shape[0]


# With hybrid layers and without.
_TWO_KINDS = ("mini", "mini-16f")


@torch.library.custom_op("sf_eval_test::fused_scale", mutates_args=())
def fused_scale(hidden: torch.Tensor) -> torch.Tensor:
    return hidden * 2


@fused_scale.register_fake
def _(hidden: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(hidden)


def test_planted_operation_without_formula_is_an_error_with_its_name() -> None:
    model = meta_model(SlowFastConfig(**tiny()))
    inner = model.model.layers[1].mlp.forward
    model.model.layers[1].mlp.forward = lambda hidden: inner(fused_scale(hidden))
    with pytest.raises(TraceError, match=r"sf_eval_test\.fused_scale"):
        trace(model, Workload(3, 5, 1))


def test_fast_path_of_multihead_attention_is_an_error_not_a_zero() -> None:
    """torch counts nothing for nn.MultiheadAttention's fused kernel (off meta, in eval, without grad)."""
    model = SlowFastForConditionalGeneration(SlowFastConfig(**tiny())).eval()
    attention = torch.nn.MultiheadAttention(32, 4, batch_first=True).eval()
    inner = model.model.layers[1].mlp.forward
    model.model.layers[1].mlp.forward = lambda hidden: inner(attention(hidden, hidden, hidden)[0])
    with pytest.raises(TraceError, match="_native_multi_head_attention"):
        trace(model, Workload(3, 5, 1))


def test_real_tensors_cost_what_meta_tensors_cost() -> None:
    """The same module off meta, where attention is one fused operation with a formula of its own."""
    model = SlowFastForConditionalGeneration(SlowFastConfig(**tiny())).eval()
    work = Workload(5, 9, 3, batch_size=2)
    assert trace(model, work).total == trace(meta_model(SlowFastConfig(**tiny())), work).total


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in _TWO_KINDS else pytest.mark.thorough)
        for name in card_names()
        if name.startswith("mini")
    ],
)
def test_weights_in_the_package_cost_what_their_configuration_says(name: str) -> None:
    """Loaded from their files: tied embeddings, and controls without any hybrid layer, are no other cost."""
    card = load_card(name)
    for work in (Workload(card.num_frames, 60, 3), Workload(5, 20, 2, batch_size=2)):
        rows = compare(load_model(card, dtype=torch.float32).model, work, DecodeVariant.CACHED)
        assert [row for row in rows if row.closed_form != row.traced] == []
        crossed = sum(row.traced for row in rows if "cross" in row.part)
        assert (crossed > 0) == (card.slow_path == "on")


def test_work_outside_of_the_known_parts_is_an_error() -> None:
    """A product that the closed form has no part for must not hide in the total."""
    model = meta_model(SlowFastConfig(**tiny()))
    norm = model.model.norm
    weight = torch.empty(32, 32, device="meta")
    inner = norm.forward
    norm.forward = lambda hidden: inner(hidden @ weight)
    with pytest.raises(TraceError, match="no part"):
        trace(model, Workload(3, 5, 1))
