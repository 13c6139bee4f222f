"""The tiny model as transformers' own classes: processor, weights to begin with, checkpoint directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from sf_eval.core.paths import PACKAGE
from sf_eval.inference.families.prompts import Placeholder, PromptWriter
from sf_eval.model.modeling import VIDEO_TOKEN_ID
from sf_eval.training.mini_qwen import recipe

_START = PACKAGE / "assets" / recipe.BEGUN_FROM


def new_processor() -> Any:
    """The processor: the mini models' tokenizer with the tokens of a video added."""
    tokenizer = Qwen2Tokenizer.from_pretrained(_START)
    tokenizer.add_special_tokens({"additional_special_tokens": list(recipe.CONTROL)})
    sizes = {
        "patch_size": recipe.PATCH, "temporal_patch_size": recipe.PAIR, "merge_size": recipe.MERGE,
        "size": {"shortest_edge": (recipe.PATCH * recipe.MERGE) ** 2, "longest_edge": recipe.MOST_PIXELS},
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(**sizes),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(**sizes, cap_pixels_per_frame=False),
        chat_template=recipe.CHAT_TEMPLATE,
    )


def new_model(processor: Any, seed: int) -> Any:
    """The model with weights to begin with: the tower's by lot, the decoder's of `recipe.BEGUN_FROM`."""
    names = (*recipe.CONTROL, "<|im_end|>")
    ids = {name: processor.tokenizer.convert_tokens_to_ids(name) for name in names}
    torch.manual_seed(seed)
    model = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**recipe.config(ids)))
    tokenizer_settings = json.loads((_START / "generation_config.json").read_text(encoding="utf-8"))
    model.generation_config.eos_token_id = tokenizer_settings["eos_token_id"]
    model.generation_config.pad_token_id = tokenizer_settings["pad_token_id"]
    for module in model.model.visual.modules():
        if isinstance(module, nn.Linear):  # transformers' 0.02 is made for widths of thousands
            nn.init.normal_(module.weight, std=0.7 * module.in_features**-0.5)
    _adopt_decoder(model)
    return model


@torch.no_grad()
def _adopt_decoder(model: Any) -> None:
    known = {name: tensor.float() for name, tensor in load_file(_START / "model.safetensors").items()}
    decoder = model.model.language_model
    words = known.pop("model.embed_tokens.weight")
    decoder.embed_tokens.weight[: len(words)] = words
    decoder.embed_tokens.weight[len(words) :] = words.mean(0)
    layers = {
        name.removeprefix("model."): tensor
        for name, tensor in known.items()
        if name.startswith(("model.layers.", "model.norm."))
    }
    missing = decoder.load_state_dict(layers, strict=False)
    assert missing.missing_keys == ["embed_tokens.weight"], missing
    assert not missing.unexpected_keys, missing


def write(folder: Path, model: Any, processor: Any) -> None:
    """Model in float16 and processor, as `save_pretrained` of both writes them."""
    model.half().save_pretrained(folder)
    model.float()
    processor.save_pretrained(folder)


class QwenPrompter:
    """The processor as a teacher needs it (`lessons.Prompter`): the harness's own prompts."""

    def __init__(self, processor: Any) -> None:
        self.tokenizer: Any = processor.tokenizer
        token = "<|video_pad|>"  # noqa: S105
        self._pad: int = self.tokenizer.convert_tokens_to_ids(token)
        self._writer = PromptWriter(processor, token, self._pad)
        self._video = Placeholder(token, (1,))

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        return (int(self.tokenizer.eos_token_id),)

    def tokenize(self, prompt: str) -> torch.Tensor:
        ids, (start,) = self._writer.ids(prompt, self._video)
        ids[start] = VIDEO_TOKEN_ID
        return torch.tensor([ids])
