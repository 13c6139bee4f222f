"""The mini models' tokenizer: byte-level BPE of Qwen2's kind, trained on the training's own prompts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from sf_eval.core.files import write_json, write_text

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def write_tokenizer(folder: Path, texts: Iterable[str], *, vocabulary: int, max_length: int) -> None:
    """Train on `texts` and write the files that a Qwen2 checkpoint has; the same texts give the same bytes.

    Args:
        vocabulary: tokens in all, the special ones included.
        max_length: `model_max_length`, in tokens.

    Raises:
        ValueError: the texts do not hold enough different words for so many tokens.
    """
    tokenizer = _train(texts, vocabulary)
    if tokenizer.get_vocab_size() != vocabulary:
        raise ValueError(f"{tokenizer.get_vocab_size()} tokens were found, {vocabulary} were wanted")
    ids = {token: int(tokenizer.token_to_id(token) or 0) for token in SPECIAL_TOKENS}
    write_json(folder / "tokenizer_config.json", _settings(ids, max_length))
    write_json(
        folder / "generation_config.json",
        {
            "do_sample": False,
            "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
            "pad_token_id": ids["<|endoftext|>"],
        },
    )
    # Last: with it the tokenizer is whole.
    write_text(folder / "tokenizer.json", tokenizer.to_str(pretty=True))


def _train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return tokenizer


def _settings(ids: dict[str, int], max_length: int) -> dict[str, Any]:
    added = {
        str(index): {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True,
        }
        for token, index in ids.items()
    }  # fmt: skip
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "added_tokens_decoder": added,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "model_max_length": max_length,
        "clean_up_tokenization_spaces": False,
    }
