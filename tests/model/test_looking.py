"""What the slow path looks at: the weights of the attention that really ran, and nothing in it is changed."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from sf_eval.core.errors import UsageError
from sf_eval.model.looking import attention_weights, look
from sf_eval.model.shared_prefix import answer_suffixes, prefill_prefix

BEFORE, SUFFIX = [5, 6, 17, -200], [7, 8, 9, 30]
NEW = 4


def looked(model, frames, *, new=NEW):
    prefix = prefill_prefix(model, BEFORE, model.encode_video(frames(8)))
    return look(model, prefix, SUFFIX, max_new_tokens=new, stop_ids=[-1]), prefix


def hooks(model):
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


def test_the_weights_are_those_that_the_fused_kernel_averages_with() -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(1, 4, 3, 8, generator=generator)
    key = torch.randn(1, 2, 11, 8, generator=generator)
    gates = torch.tensor([0.5, 0.0, 2.0])
    summed, last = attention_weights(query, key, gates, 0.3)
    one_hot = torch.eye(11).expand(1, 4, 11, 11)  # values that show the weights themselves
    weights = scaled_dot_product_attention(query, key.repeat_interleave(2, 1), one_hot, scale=0.3).mean(1)[0]
    torch.testing.assert_close(summed, 0.5 * weights[0] + 2.0 * weights[2])
    torch.testing.assert_close(last, weights[2])


def test_a_long_prompt_that_asks_in_parts_gets_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    arguments = (
        torch.randn(1, 4, 9, 8, generator=generator),
        torch.randn(1, 2, 11, 8, generator=generator),
        torch.rand(9, generator=generator),
        0.3,
    )
    at_once = attention_weights(*arguments)
    monkeypatch.setattr("sf_eval.model.looking._WEIGHTS_AT_ONCE", 4 * 11 * 2)
    torch.testing.assert_close(attention_weights(*arguments), at_once)


def test_looking_changes_no_answer_and_leaves_no_hook(model, frames) -> None:
    before = hooks(model)
    seen, prefix = looked(model, frames)
    (plain,) = answer_suffixes(model, [(prefix, SUFFIX)], max_new_tokens=NEW, stop_ids=[-1])
    assert seen.answer.token_ids == plain.token_ids
    assert hooks(model) == before


def test_every_row_is_a_distribution_over_the_slow_tokens(model, frames) -> None:
    seen, prefix = looked(model, frames)
    assert seen.layers == model.config.hybrid_layers
    assert set(seen.attention) == {"question", "last", "answer"}
    for weights in seen.attention.values():
        assert weights.shape == (len(seen.layers), prefix.cache.slow_lengths[0])
        torch.testing.assert_close(weights.sum(-1), torch.ones(len(seen.layers)))


def test_an_implementation_that_gives_its_weights_and_one_that_does_not_look_alike(load, frames) -> None:
    fused, plain = (
        looked(load("s1t4_f8", attn_implementation=name), frames)[0] for name in ("sdpa", "eager")
    )
    for asker, weights in fused.attention.items():
        torch.testing.assert_close(weights, plain.attention[asker], rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(fused.gates[asker], plain.gates[asker], rtol=1e-3, atol=1e-5)


def test_an_answer_whose_tokens_do_not_query_slow_tokens_has_no_look_of_its_own(model, frames) -> None:
    assert "answer" not in looked(model, frames, new=1)[0].attention  # nothing follows the only token
    model.config.decode_slow_attention = False
    assert set(looked(model, frames)[0].attention) == {"question", "last"}


def test_without_a_slow_path_there_is_nothing_to_look_at(model, frames) -> None:
    model.config.slow_path = "off"
    with pytest.raises(UsageError, match="slow path is off"):
        looked(model, frames)
