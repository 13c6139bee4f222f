"""Prompts to token ids and frames to pixels, as the published evaluation does it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from sf_eval.core import files
from sf_eval.core.errors import CheckpointError
from sf_eval.model import checkpoint
from sf_eval.model.checkpoint_files.json_files import read_mapping
from sf_eval.model.errors import PromptError
from sf_eval.model.plain_text import without_added_tokens
from sf_eval.model.preprocess import preprocess_frames
from sf_eval.model.prompt import VIDEO_TOKEN_ID

SYSTEM_PROMPT = "You are a helpful assistant."
START_OF_TURN = "<|im_start|>"
END_OF_TURN = "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

_OWN_FILE = "processor_config.json"

_BEFORE_USER = f"{START_OF_TURN}system\n{SYSTEM_PROMPT}{END_OF_TURN}\n{START_OF_TURN}user\n"
_AFTER_USER = f"{END_OF_TURN}\n{START_OF_TURN}assistant\n"


class SlowFastProcessor:
    """Tokenizer and image size of one checkpoint.

    Attributes:
        tokenizer: the checkpoint's Qwen2 tokenizer.
        image_size: side of the model's square input in pixels.
        eos_token_ids: an answer ends at any of these.
        pad_token_id: fills short rows of a batch.
    """

    def __init__(self, tokenizer: Any, image_size: int) -> None:
        self.tokenizer = tokenizer
        self.image_size = image_size
        self.eos_token_ids: tuple[int, ...] = (self._special(END_OF_TURN), self._special(END_OF_TEXT))
        self.pad_token_id: int = self.eos_token_ids[1]
        self._markup_ids = frozenset((self._special(START_OF_TURN), *self.eos_token_ids))
        self._plain = without_added_tokens(tokenizer)

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None) -> SlowFastProcessor:
        """Read the tokenizer files and the image size of a directory or Hub id.

        The size is that of config.json, or of what `save_pretrained` wrote where there is no model.

        Raises:
            CheckpointError: no such checkpoint, no tokenizer files, not a Qwen2 chat tokenizer, or one with
                more tokens than the model beside it.
        """
        directory = checkpoint.resolve(source, revision=revision)
        has_model = (directory / "config.json").is_file() or not (directory / _OWN_FILE).is_file()
        config = checkpoint.read_config(directory) if has_model else None
        if not any((directory / name).is_file() for name in ("tokenizer.json", "vocab.json")):
            raise CheckpointError(
                f"{directory} has no tokenizer (tokenizer.json, or vocab.json and merges.txt)."
            )
        try:
            # config.json's own model type is unknown to AutoTokenizer's table: name the class by itself.
            tokenizer = AutoTokenizer.from_pretrained(
                str(directory), tokenizer_type="qwen2", local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # the tokenizers library raises bare Exceptions
            raise CheckpointError(f"the tokenizer files in {directory} cannot be read: {error}") from error
        if config is None:
            return cls(tokenizer, _saved_image_size(directory / _OWN_FILE))
        processor = cls(tokenizer, config.vision_config.image_size)
        if processor.largest_id >= config.vocab_size:
            raise CheckpointError(
                f"the tokenizer in {directory} has the token id {processor.largest_id}, the model ids below "
                f"{config.vocab_size} alone.",
                hint="Its tokenizer or its config.json is another model's.",
            )
        return processor

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the tokenizer files, and the image size for a directory without a model, into `directory`.

        Raises:
            OutputError: it cannot be written.
        """
        folder = Path(directory)
        files.write_json(
            folder / _OWN_FILE, {"processor_class": type(self).__name__, "image_size": self.image_size}
        )
        try:
            self.tokenizer.save_pretrained(str(folder))
        except OSError as error:
            raise files.output_error(folder, error) from error

    @property
    def largest_id(self) -> int:
        """The largest token id that a prompt can hold."""
        return max(*self._markup_ids, *self._plain.get_vocab(with_added_tokens=False).values())

    def preprocess(
        self,
        frames: np.ndarray,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> torch.Tensor:
        """uint8 RGB [T, H, W, 3] -> [T, 3, S, S]; see `sf_eval.model.preprocess`."""
        return preprocess_frames(frames, self.image_size, device=device, dtype=dtype)

    def tokenize(
        self, prompt: str, *, has_video: bool = True, words: Sequence[str] = ("", "")
    ) -> torch.Tensor:
        """One user's turn in ChatML -> ids [1, L], with one placeholder before the prompt if `has_video`.

        The text before and after the placeholder is tokenised apart, as published. The prompt is text: markup
        in it, chat markup and every other added token included, is not interpreted.

        Args:
            words: with a video, what stands before, between and after its placeholders
                (`VideoFeatures.words`).
        """
        return torch.tensor([self._ids(prompt, words if has_video else None)], dtype=torch.long)

    def batch(
        self,
        prompts: Sequence[str],
        *,
        has_video: Sequence[bool] | None = None,
        words: Sequence[Sequence[str]] | None = None,
    ) -> dict[str, torch.Tensor]:
        """Several prompts, padded left: `input_ids` and `attention_mask` [B, L]; `words` as of `tokenize`."""
        flags = [True] * len(prompts) if has_video is None else has_video
        between = [("", "")] * len(prompts) if words is None else words
        rows = [
            self._ids(prompt, own if flag else None)
            for prompt, flag, own in zip(prompts, flags, between, strict=True)
        ]
        length = max(len(row) for row in rows)
        return {
            "input_ids": torch.tensor([[self.pad_token_id] * (length - len(row)) + row for row in rows]),
            "attention_mask": torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows]),
        }

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        """Text of ids [n], without special tokens and chat markup.

        Ids below 0 stand for no text, and are left out: the video's placeholder, labels that are ignored.

        Raises:
            PromptError: not one row of ids.
        """
        try:
            listed = [index(token) for token in (ids.tolist() if isinstance(ids, torch.Tensor) else ids)]
        except TypeError as error:
            raise PromptError("decode takes one row of token ids.") from error
        kept = [token for token in listed if token >= 0 and token not in self._markup_ids]
        text: str = self.tokenizer.decode(kept, skip_special_tokens=True)
        return text.strip()

    def _ids(self, prompt: str, words: Sequence[str] | None) -> list[int]:
        """`words` as of `tokenize`; None without a video."""
        before, after = self._around
        if words is None:
            return [*before, *self._text(prompt), *after]
        video: list[int] = []
        for text in words[:-1]:
            video += [*(self._text(text) if text else ()), VIDEO_TOKEN_ID]
        return [*before, *video, *self._text(f"{words[-1]}\n{prompt}"), *after]

    @cached_property
    def _around(self) -> tuple[list[int], list[int]]:
        """What stands before and after every user's turn."""
        return self._markup(_BEFORE_USER), self._markup(_AFTER_USER)

    def _markup(self, text: str) -> list[int]:
        """Text of ours, in which special tokens are meant."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text(self, text: str) -> list[int]:
        """Text of others, in which nothing is special."""
        return list(self._plain.encode(text, add_special_tokens=False).ids)

    def _special(self, token: str) -> int:
        found = self.tokenizer.convert_tokens_to_ids(token)
        if not isinstance(found, int) or self.tokenizer.convert_ids_to_tokens(found) != token:
            raise CheckpointError(f"the tokenizer has no token {token}: it is not a Qwen2 chat tokenizer.")
        return found


def _saved_image_size(path: Path) -> int:
    size = read_mapping(path).get("image_size")
    if type(size) is not int or size < 1:
        raise CheckpointError(f"{path}: image_size is {size!r}; it must be a whole number, 1 or more.")
    return size
