"""Training by other people's loops: checkpointed layers, transformers' Trainer, ragged batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainingArguments

from sf_eval.core.errors import UsageError
from sf_eval.model import SlowFastForConditionalGeneration

Model = SlowFastForConditionalGeneration
IDS = torch.tensor([[5, 6, -200, 7, 8, 9], [5, -200, 7, 8, 9, 4]])
LABELS = IDS.masked_fill(IDS == -200, 3)


@pytest.fixture(autouse=True)
def _gradients(_no_gradients):
    with torch.enable_grad():
        yield


def checkpoint_layers(model: Model, *, reentrant: bool) -> None:
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": reentrant})


def loss_and_gradients(model: Model, **inputs: Any) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    loss = model(**inputs).loss
    loss.backward()
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return loss.item(), gradients


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize(
    ("case", "rope"), [("masksystem", "published"), ("layers_1_to_4", "published"), ("masksystem", "own")]
)
def test_checkpointing_changes_neither_loss_nor_gradients(
    load, frames, case: str, rope: str, reentrant: bool
) -> None:
    """transformers 45242, peft 869: checkpointed layers are given no cache, where the slow path was."""
    model = load(case, slow_rope=rope).train()
    videos = [frames(8), frames(3)]  # 8 and 4 fast tokens: a ragged batch
    inputs = {"input_ids": IDS, "pixel_values_videos": videos, "labels": LABELS}
    loss, gradients = loss_and_gradients(model, **inputs)
    checkpoint_layers(model, reentrant=reentrant)
    for cache in (None, model.new_cache([model.encode_video(video) for video in videos])):
        again, found = loss_and_gradients(model, **inputs, past_key_values=cache)
        assert again == loss
        assert found.keys() == gradients.keys()
        assert any("cross_attn_kv_proj" in name for name in found)
        for name, gradient in found.items():
            torch.testing.assert_close(gradient, gradients[name], atol=1e-6, rtol=1e-5, msg=name)


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointing_trains_a_frozen_model_s_slow_path(model, frames, reentrant: bool) -> None:
    """As with adapters: nothing but some of the layers' weights learns."""
    model.train().requires_grad_(False)
    for layer in model.config.hybrid_layers:
        model.model.layers[layer].self_attn.cross_attn_kv_proj.requires_grad_(True)
    model.enable_input_require_grads()
    inputs = {"input_ids": IDS, "pixel_values_videos": [frames(8), frames(3)], "labels": LABELS}
    loss, gradients = loss_and_gradients(model, **inputs)
    assert len(gradients) == 2 * len(model.config.hybrid_layers)
    checkpoint_layers(model, reentrant=reentrant)
    again, found = loss_and_gradients(model, **inputs)
    assert again == loss
    assert found.keys() == gradients.keys()
    for name, gradient in found.items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(gradient, gradients[name], atol=1e-6, rtol=1e-5, msg=name)


def test_checkpointed_layers_cannot_continue_and_say_so(model, frames) -> None:
    prompt = {"input_ids": IDS, "pixel_values_videos": [frames(8), frames(8)]}
    cache = model(**prompt).past_key_values
    checkpoint_layers(model.train(), reentrant=False)
    with pytest.raises(UsageError, match="checkpointing") as caught:
        model.generate(**prompt, max_new_tokens=2)
    assert "eval()" in caught.value.hint
    with pytest.raises(UsageError, match="checkpointing"):
        model(input_ids=IDS[:, :1], past_key_values=cache)
    assert model.eval().generate(**prompt, max_new_tokens=2).shape == (2, 8)


def videos_of(frames: Callable[..., torch.Tensor]) -> list[dict[str, Any]]:
    return [
        {"input_ids": row, "labels": labels, "video": frames(count)}
        for row, labels, count in zip(IDS.repeat(2, 1), LABELS.repeat(2, 1), (8, 3, 4, 8), strict=True)
    ]


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "input_ids": torch.stack([sample["input_ids"] for sample in samples]),
        "labels": torch.stack([sample["labels"] for sample in samples]),
        "pixel_values_videos": [sample["video"] for sample in samples],
    }


def train(model: Model, directory: Path, data: list[dict[str, Any]], **options: Any) -> Trainer:
    """A trainer of two steps; one checkpoint after the first."""
    arguments = TrainingArguments(
        str(directory), per_device_train_batch_size=2, max_steps=2, save_steps=1, learning_rate=1e-2,
        optim="sgd", logging_steps=1, report_to=[], use_cpu=True, remove_unused_columns=False,
        disable_tqdm=True, **options,
    )  # fmt: skip
    return Trainer(model, arguments, data_collator=collate, train_dataset=data)


@pytest.mark.parametrize("reentrant", [pytest.param(True, marks=pytest.mark.thorough), False])
def test_trainer_with_checkpointing_learns_the_same(load, frames, tmp_path: Path, reentrant: bool) -> None:
    plain, checkpointed = load("s1t4_f8"), load("s1t4_f8")
    data = videos_of(frames)
    before = {name: weight.clone() for name, weight in plain.named_parameters()}
    losses = []
    for model, options in (
        (plain, {}),
        (
            checkpointed,
            {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": reentrant}},
        ),
    ):
        trainer = train(model, tmp_path, data, save_strategy="no", **options)
        trainer.train()
        losses.append([entry["loss"] for entry in trainer.state.log_history if "loss" in entry])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
    learned = dict(plain.named_parameters())
    for name, weight in checkpointed.named_parameters():
        torch.testing.assert_close(weight, learned[name], atol=1e-4, rtol=1e-3, msg=name)
    name = "model.layers.0.self_attn.cross_attn_kv_proj.weight"
    assert not torch.equal(learned[name], before[name])


def test_trainer_resumes_with_every_weight(load, frames, tmp_path: Path, caplog) -> None:
    """The tower's layer scale is called `weight` in what is saved, and Trainer reads by `load_state_dict`."""
    data = videos_of(frames)
    model = load("s1t4_f8")
    train(model, tmp_path, data).train()
    stored = load_file(tmp_path / "checkpoint-2" / "model.safetensors")
    assert "model.vision_tower.vision_tower.stages.0.blocks.0.weight" in stored
    resumed = load("s1t4_f8")
    for block in resumed.model.vision_tower.vision_tower.stages[0].blocks:
        torch.nn.init.constant_(block.gamma, 7.0)
    caplog.clear()
    train(resumed, tmp_path, data).train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    assert not [record for record in caplog.records if "missing keys" in record.getMessage()]
    expected = dict(model.named_parameters())
    for name, weight in resumed.named_parameters():
        torch.testing.assert_close(weight, expected[name], atol=1e-6, rtol=1e-5, msg=name)


def test_published_names_and_our_own_both_load(model, tmp_path: Path) -> None:
    own = {name: weight.clone() for name, weight in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    published = load_file(tmp_path / "model.safetensors")
    assert published.keys() != own.keys()
    for state in (own, published, {f"{name}": weight for name, weight in published.items()}):
        names = list(state)
        for block in model.model.vision_tower.vision_tower.stages[0].blocks:
            torch.nn.init.zeros_(block.gamma)
        assert model.load_state_dict(state, strict=True).missing_keys == []
        assert list(state) == names  # the caller's mapping is not touched
        assert all(torch.equal(weight, own[name]) for name, weight in model.state_dict().items())


def pad_left(rows: list[list[int]], fill: int) -> torch.Tensor:
    length = max(map(len, rows))
    return torch.tensor([[fill] * (length - len(row)) + row for row in rows])


@pytest.mark.parametrize("with_video", [True, False])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("ignored_padding", [True, False])
def test_a_ragged_batch_s_loss_counts_what_single_rows_count(
    model, frames, with_video: bool, side: str, ignored_padding: bool
) -> None:
    """No real token comes before a row's first one, so nothing may be held to predicting it."""
    model.config.tokenizer_padding_side = side
    rows = [[5, 6, 7, -200, 8, 9, 4, 3], [5, -200, 9], [1, 2, -200, 3, 4]]
    if not with_video:
        rows = [[token for token in row if token != -200] for row in rows]
    videos = [frames(8), frames(3), frames(4)] if with_video else None
    total = count = 0.0
    for index, row in enumerate(rows):
        ids = torch.tensor([row])
        video = [videos[index]] if videos else None
        labels = ids.masked_fill(ids == -200, -100)
        targets = int((labels[:, 1:] != -100).sum())
        total += targets * model(input_ids=ids, pixel_values_videos=video, labels=labels).loss.item()
        count += targets
    ids = pad_left(rows, 0)
    mask = pad_left([[1] * len(row) for row in rows], 0)
    if side == "right" and not with_video:  # text keeps its padding where it is
        ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        mask = torch.nn.utils.rnn.pad_sequence(
            [torch.ones(len(row)).long() for row in rows], batch_first=True
        )
    labels = ids.masked_fill(ids == -200, -100)
    if ignored_padding:
        labels = labels.masked_fill(mask == 0, -100)
    batch = model(input_ids=ids, attention_mask=mask, pixel_values_videos=videos, labels=labels).loss
    assert batch.item() == pytest.approx(total / count, abs=1e-5)


def test_embeddings_with_labels_count_alike(model) -> None:
    rows = [[5, 6, 7, 8], [9, 4]]
    ids, mask = pad_left(rows, 0), pad_left([[1] * len(row) for row in rows], 0)
    embeds = model.get_input_embeddings()(ids)
    by_ids = model(input_ids=ids, attention_mask=mask, labels=ids).loss
    assert torch.equal(model(inputs_embeds=embeds, attention_mask=mask, labels=ids).loss, by_ids)
