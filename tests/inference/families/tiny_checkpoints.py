"""Checkpoints of all five families with random weights, tiny, made on the spot, and one of another family.

The tokenizer knows bytes and the family's control tokens; chat templates are like the released ones.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPVisionConfig,
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlamaConfig,
    LlavaNextImageProcessor,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaNextVideoProcessor,
    LlavaNextVideoVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Config,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SiglipVisionConfig,
)

CONTROL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|video_pad|>",
    "<|image_pad|>", "<image>", "<video>", "<img>", "</img>", "<IMG_CONTEXT>",
)  # fmt: skip
_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}VIDEO{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
_USER = (
    "{% for message in messages %}USER: {% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<video>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %} ASSISTANT:{% endif %}"
)
_MROPE = {"rope_theta": 10000.0, "rope_type": "default", "mrope_section": [2, 1, 1]}


def make_checkpoint(family: str, folder: Path) -> Path:
    """Write the family's tiny checkpoint; the same weights every time."""
    torch.manual_seed(0)
    model, processor = make_parts(family)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
    model.generation_config.eos_token_id = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_parts(family: str) -> tuple[Any, Any]:
    """The tiny model and its processor, for tests that change them before they use them."""
    return _MAKERS[family](_tokenizer())


def _tokenizer() -> PreTrainedTokenizerFast:
    alphabet = sorted(ByteLevel.alphabet())
    inner = Tokenizer(BPE(vocab={letter: number for number, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = ByteLevel(add_prefix_space=False)
    inner.decoder = ByteLevelDecoder()
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=4096
    )


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": len(tokenizer) + 4, "max_position_embeddings": 8192,
        "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, **more,
    }  # fmt: skip


_CLIP: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "patch_size": 4, "image_size": 32,
}  # fmt: skip


def _ids(tokenizer: Any, **tokens: str) -> dict[str, int]:
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in tokens.items()}


def _qwen_ids(tokenizer: Any) -> dict[str, int]:
    return _ids(
        tokenizer, video_token_id="<|video_pad|>", image_token_id="<|image_pad|>",
        vision_start_token_id="<|vision_start|>", vision_end_token_id="<|vision_end|>",
    )  # fmt: skip


def _qwen25(tokenizer: Any) -> tuple[Any, Any]:
    config = Qwen2_5_VLConfig(
        text_config={**_text(tokenizer), "rope_parameters": _MROPE, "model_type": "qwen2_5_vl_text"},
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
            "out_hidden_size": 32, "window_size": 16, "fullatt_block_indexes": [1], "tokens_per_second": 2,
        },
        **_qwen_ids(tokenizer),
    )  # fmt: skip
    size = {"shortest_edge": 256, "longest_edge": 1024}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=4, size=size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=4, size=size, cap_pixels_per_frame=False),
        chat_template=_SYSTEM + _CHATML.replace("VIDEO", "<|vision_start|><|video_pad|><|vision_end|>"),
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def _qwen3(tokenizer: Any) -> tuple[Any, Any]:
    config = Qwen3VLConfig(
        text_config={
            **_text(tokenizer), "head_dim": 8, "rope_parameters": {**_MROPE, "mrope_interleaved": True},
        },
        vision_config={
            "depth": 3, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
            "out_hidden_size": 32, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64,
        },
        **_qwen_ids(tokenizer),
    )  # fmt: skip
    size = {"shortest_edge": 256, "longest_edge": 8192}
    processor = Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=4, size=size),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(patch_size=4, size=size, cap_pixels_per_frame=False),
        chat_template=_CHATML.replace("VIDEO", "<|vision_start|><|video_pad|><|vision_end|>"),
    )
    return Qwen3VLForConditionalGeneration(config), processor


def _onevision(tokenizer: Any) -> tuple[Any, Any]:
    config = LlavaOnevisionConfig(
        text_config=Qwen2Config(**_text(tokenizer)),
        vision_config=SiglipVisionConfig(**_CLIP, vision_use_head=False),
        **_ids(tokenizer, video_token_index="<video>", image_token_index="<image>"),
    )
    processor = LlavaOnevisionProcessor(
        image_processor=LlavaOnevisionImageProcessor(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        video_processor=LlavaOnevisionVideoProcessor(size={"height": 32, "width": 32}),
        num_image_tokens=64,
        vision_feature_select_strategy="full",
        chat_template=_CHATML.replace("VIDEO", "<video>\n"),
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


def _internvl(tokenizer: Any) -> tuple[Any, Any]:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={
            "start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )  # fmt: skip
    config = InternVLConfig(
        text_config=Qwen2Config(**_text(tokenizer)).to_dict(),
        vision_config={**_CLIP, "image_size": [32, 32], "patch_size": [4, 4]},
        **_ids(tokenizer, image_token_id="<IMG_CONTEXT>"),
    )
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        video_processor=InternVLVideoProcessor(size={"height": 32, "width": 32}),
        image_seq_length=16,
        chat_template=_CHATML.replace("VIDEO", "<video>\n"),
    )
    return InternVLForConditionalGeneration(config), processor


def _next_video(tokenizer: Any) -> tuple[Any, Any]:
    config = LlavaNextVideoConfig(
        text_config=LlamaConfig(**_text(tokenizer)),
        vision_config=CLIPVisionConfig(**_CLIP, projection_dim=16),
        spatial_pool_stride=2,
        **_ids(tokenizer, video_token_index="<video>", image_token_index="<image>"),
    )
    processor = LlavaNextVideoProcessor(
        image_processor=LlavaNextImageProcessor(size={"shortest_edge": 32}),
        tokenizer=tokenizer,
        video_processor=LlavaNextVideoVideoProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
        patch_size=4,
        vision_feature_select_strategy="default",
        chat_template=_USER,
    )
    return LlavaNextVideoForConditionalGeneration(config), processor


def _qwen2(tokenizer: Any) -> tuple[Any, Any]:
    """A family that sf-eval does not know."""
    config = Qwen2VLConfig(
        text_config={**_text(tokenizer), "rope_parameters": _MROPE, "model_type": "qwen2_vl_text"},
        vision_config={
            "depth": 2, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 4,
        },
        **_qwen_ids(tokenizer),
    )  # fmt: skip
    size = {"shortest_edge": 256, "longest_edge": 1024}
    processor = Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(patch_size=4, size=size),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(patch_size=4, size=size, cap_pixels_per_frame=False),
        chat_template=_CHATML.replace("VIDEO", "<|vision_start|><|video_pad|><|vision_end|>"),
    )
    return Qwen2VLForConditionalGeneration(config), processor


_MAKERS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "qwen2_5_vl": _qwen25,
    "qwen3_vl": _qwen3,
    "llava_onevision": _onevision,
    "internvl": _internvl,
    "llava_next_video": _next_video,
    "generic": _qwen2,
}
FAMILIES = tuple(name for name in _MAKERS if name != "generic")
