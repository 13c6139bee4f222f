"""Everything that silently turns a slow path off elsewhere: here it works, or is refused with the reason."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from tiny_families import FAMILIES, STRIDES, open_gates, tiny_model
from transformers import Qwen2Config, Qwen2ForCausalLM

from sf_eval.core.errors import UsageError
from sf_eval.core.paths import PACKAGE
from sf_eval.model import attach_slow_path, detach_slow_path
from sf_eval.model.attach import (
    SlowContext,
    SlowVideo,
    freeze_all_but_slow_path,
    slow_fast_inputs,
    slow_parameter_groups,
)
from sf_eval.model.errors import SlowPathError


def test_a_layer_that_lost_the_slow_path_is_an_error(qwen, batch):
    attention = qwen.model.language_model.layers[2].self_attn
    attention.__class__ = type(attention).__bases__[0]  # what silently undoes the attaching
    with pytest.raises((SlowPathError, TypeError)):
        qwen(**batch)


def test_attention_that_is_replaced_for_one_layer_is_an_error(qwen, batch):
    attention = qwen.model.language_model.layers[0].self_attn
    attention.forward = lambda hidden_states, **_: (hidden_states, None)
    with pytest.raises(SlowPathError, match=r"were read in layers \[2\], not in \[0, 2\]"):
        qwen(**batch)


@pytest.mark.thorough
def test_compiled_without_a_break_it_computes_the_same(qwen, batch):
    inputs = {**batch, "slow": SlowContext(batch["slow"].videos, batch["slow"].queries, 14, keep=False)}
    features = inputs.pop("mm_encoder_outputs")
    decoder = qwen.model.language_model
    embeds = qwen.get_input_embeddings()(inputs["input_ids"])
    mask = inputs["input_ids"] == qwen.config.video_token_id
    embeds[mask] = torch.cat(features["video"].pooler_output)
    from sf_eval.model.attach.context import SlowCall

    call = SlowCall(inputs["slow"], 0)
    given = {
        "inputs_embeds": embeds,
        "attention_mask": inputs["attention_mask"],
        "position_ids": inputs["position_ids"],
        "use_cache": False,
        "slow": call,
    }
    wanted = decoder(**given).last_hidden_state
    compiled = torch.compile(decoder, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(**given).last_hidden_state, wanted)
    assert call.read == {0, 2}


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_changes_no_gradient(qwen, batch, reentrant):
    gradients = []
    for checkpointed in (False, True):
        model = copy.deepcopy(qwen).train()
        if checkpointed:
            model.gradient_checkpointing_enable({"use_reentrant": reentrant})
        with torch.enable_grad():
            model(**batch, labels=batch["input_ids"], use_cache=False).loss.backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, wanted in gradients[0].items():
        if wanted is None:
            assert gradients[1][name] is None
        else:
            torch.testing.assert_close(gradients[1][name], wanted, atol=1e-6, rtol=1e-4, msg=name)
    assert gradients[0]["model.language_model.layers.0.self_attn.slow_kv_proj.weight"].abs().max() > 0


def test_reentrant_checkpointing_that_would_lose_the_towers_gradient_is_refused(qwen, batch):
    slow = batch["slow"]
    videos = [None if video is None else SlowVideo(video.tokens.clone().requires_grad_(), video.rotation)
              for video in slow.videos]  # fmt: skip
    batch["slow"] = SlowContext(videos, slow.queries, slow.prompt_length)
    qwen.train().gradient_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(SlowPathError, match="reentrant"):
        qwen(**batch)
    qwen.gradient_checkpointing_enable({"use_reentrant": False})
    with torch.enable_grad():
        qwen(**batch, labels=batch["input_ids"]).loss.backward()
    assert videos[0].tokens.grad.abs().max() > 0


def test_a_static_cache_answers_the_same(qwen, batch, answers):
    wanted = answers(qwen, batch)
    assert torch.equal(answers(qwen, batch, cache_implementation="static", disable_compile=True), wanted)


def test_beams_see_the_slow_tokens_of_their_own_row(qwen, batch, answers):
    """As if each row were searched by itself."""
    found = answers(qwen, _shallow(batch), num_beams=3)
    rows = []
    for row in (0, 2):
        slow = batch["slow"].pick([row])
        video = row // 2
        features = copy.copy(batch["mm_encoder_outputs"]["video"])
        features.pooler_output = features.pooler_output[video : video + 1]
        one = {
            "input_ids": batch["input_ids"][row : row + 1],
            "attention_mask": batch["attention_mask"][row : row + 1],
            "mm_token_type_ids": batch["mm_token_type_ids"][row : row + 1],
            "position_ids": batch["position_ids"][:, row : row + 1],
            "video_grid_thw": batch["video_grid_thw"][video : video + 1],
            "mm_encoder_outputs": {"video": features},
            "slow": slow,
        }
        rows.append(answers(qwen, one, num_beams=3)[0])
    assert torch.equal(torch.stack(rows), found[[0, 2]])


def test_lora_before_and_after_attaching(batch):
    """Around o_proj, which the context goes through: both orders give one model."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(target_modules=r".*language_model.*o_proj", init_lora_weights=False, r=2)
    logits = []
    for attach_first in (True, False):
        model = tiny_model("qwen2.5-vl")
        if attach_first:
            attach_slow_path(model, **STRIDES)
        torch.manual_seed(1)
        model = peft.get_peft_model(model, config)
        if not attach_first:
            attach_slow_path(model, **STRIDES)
        open_gates(model)
        logits.append(model(**batch).logits)
    assert torch.equal(*logits)
    merged = model.merge_and_unload()
    torch.testing.assert_close(merged(**batch).logits, logits[1], atol=1e-4, rtol=1e-4)


def test_offloaded_after_attaching_it_computes_the_same(qwen, batch, tmp_path):
    from accelerate import disk_offload

    wanted = qwen(**batch).logits
    disk_offload(qwen, tmp_path / "offload", execution_device=torch.device("cpu"))
    assert qwen.model.language_model.layers[0].self_attn.slow_kv_proj.weight.device.type == "meta"
    slow = batch["slow"]
    again = SlowContext(slow.videos, slow.queries, slow.prompt_length)
    assert torch.equal(qwen(**{**batch, "slow": again}).logits, wanted)


def test_attaching_after_accelerates_hooks_is_refused():
    from accelerate import cpu_offload

    model = tiny_model("qwen2.5-vl")
    cpu_offload(model, execution_device=torch.device("cpu"))
    with pytest.raises(SlowPathError, match="Attach before device_map"):
        attach_slow_path(model, **STRIDES)


@pytest.mark.thorough
def test_two_processes_that_share_its_weights_compute_the_same():
    """FSDP2 over gloo: output, gradients, and a slow path saved from shards."""
    script = Path(__file__).with_name("sharded_attached.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, str(script), "2"], env=environment, capture_output=True, text=True, timeout=280
    )
    assert sorted(done.stdout.split()) == ["equal:0", "equal:1"], done.stdout + done.stderr


def test_a_deep_copy_is_a_model_of_its_own(qwen, batch):
    other = copy.deepcopy(qwen)
    wanted = qwen(**batch).logits
    open_gates(other, 0.0)
    with torch.no_grad():
        other.model.language_model.layers[0].input_layernorm.weight.mul_(2)
    assert torch.equal(qwen(**_fresh(batch)).logits, wanted)
    assert not torch.equal(other(**_fresh(batch)).logits, wanted)


def test_threads_do_not_see_each_others_videos(qwen, batch):
    other = _fresh(batch)
    slow = other["slow"]
    other["slow"] = SlowContext([slow.videos[0], None, None], slow.queries, slow.prompt_length)
    wanted = [qwen(**_fresh(inputs)).logits for inputs in (batch, other)]
    assert not torch.equal(*wanted)

    def ask(number: int) -> bool:
        with torch.no_grad():
            inputs = _shallow((batch, other)[number % 2])
            return torch.equal(qwen(**inputs).logits, wanted[number % 2])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(16)))


def test_at_first_the_warm_up_gates_alone_have_a_gradient_and_ten_times_the_learning_rate(batch):
    model = attach_slow_path(tiny_model("qwen2.5-vl"), **STRIDES).train()
    freeze_all_but_slow_path(model)
    with torch.enable_grad():
        model(**_fresh(batch), labels=batch["input_ids"]).loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".")[-1] for name, grad in gradients.items() if grad.abs().max() > 0} == {"warm_up"}
    others, warm_up = slow_parameter_groups(model, 1e-3)
    assert (len(others["params"]), len(warm_up["params"])) == (8, 2)
    assert warm_up["lr"] == pytest.approx(10 * others["lr"])


def test_any_decoder_that_uses_the_attention_interface_can_have_one():
    """A model of text alone, its slow side made by hand."""
    config = Qwen2Config(
        hidden_size=32, intermediate_size=48, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, vocab_size=50,
    )  # fmt: skip
    model = attach_slow_path(Qwen2ForCausalLM(config).eval(), every_n_layers=2, fast_tokens=1 / 16)
    ids = torch.tensor([[1, 2, 3]])
    plain = model(input_ids=ids).logits
    slow = SlowContext([SlowVideo(torch.randn(7, 32))])
    assert torch.equal(model(input_ids=ids, slow=slow).logits, plain)
    open_gates(model)
    assert not torch.equal(model(input_ids=ids, slow=slow).logits, plain)
    with pytest.raises(SlowPathError, match="how a qwen2 model writes videos into prompts is not known"):
        slow_fast_inputs(model, {"input_ids": ids})


def test_what_cannot_have_a_slow_path_is_refused_with_the_reason(qwen):
    from transformers import BloomConfig, BloomForCausalLM

    bloom = BloomForCausalLM(BloomConfig(hidden_size=16, n_layer=1, n_head=2, vocab_size=20))
    with pytest.raises(SlowPathError, match="has no decoder with a list of layers"):
        attach_slow_path(bloom, every_n_layers=1)
    with pytest.raises(SlowPathError, match="has a slow path already"):
        attach_slow_path(qwen, every_n_layers=2)
    with pytest.raises(SlowPathError, match="has no slow path"):
        detach_slow_path(tiny_model("qwen2.5-vl"))


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({}, "every_n_layers or layers"),
        ({"every_n_layers": 2, "layers": [0]}, "every_n_layers or layers"),
        ({"layers": [3]}, "layers are 0 to 2"),
        ({"every_n_layers": 1, "fast_tokens": 0.3}, "must be 1/n"),
        ({"every_n_layers": 1, "fast_tokens": 0.25, "temporal_stride": 4}, "not both"),
        ({"every_n_layers": 1, "gating": "static"}, "gating 'static'"),
        ({"every_n_layers": 1, "rope": "none"}, "rope 'none'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(choices, reason):
    with pytest.raises(UsageError, match=reason):
        attach_slow_path(tiny_model("llava-next-video"), **choices)


@pytest.mark.parametrize(
    ("share", "strides"),
    [(1 / 2, (2, 1)), (1 / 4, (4, 1)), (1 / 8, (2, 2)), (1 / 16, (4, 2)), (1 / 32, (8, 2))],
)
def test_a_share_of_fast_tokens_means_strides(share, strides):
    model = attach_slow_path(tiny_model("llava-next-video"), every_n_layers=2, fast_tokens=share)
    assert (model.slow_path.temporal_stride, model.slow_path.spatial_stride) == strides
    assert float(model.slow_path.fast_share) == share
    assert model.slow_path.layers == (0, 2)


def test_frames_too_small_to_be_pooled_are_refused():
    model = attach_slow_path(tiny_model("qwen2.5-vl"), layers=[0], spatial_stride=8)
    with pytest.raises(SlowPathError, match="cannot be pooled by 8"):
        slow_fast_inputs(model, FAMILIES["qwen2.5-vl"].batch())


def _shallow(inputs):
    """Features are handed in as a copy: transformers' generation changes them."""
    features = {key: copy.copy(value) for key, value in inputs["mm_encoder_outputs"].items()}
    return {**inputs, "mm_encoder_outputs": features}


def _fresh(inputs):
    slow = inputs["slow"]
    return {**_shallow(inputs), "slow": SlowContext(slow.videos, slow.queries, slow.prompt_length)}
