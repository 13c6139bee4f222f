"""Checkpoints of transformers' own image-text-to-text classes: found, checked, loaded; none brings code."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor
from transformers.utils import is_accelerate_available

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError
from sf_eval.core.files import sha256
from sf_eval.inference.device import keep_float32_exact
from sf_eval.model import checkpoint
from sf_eval.model.attach import load_slow_path
from sf_eval.model.attach.attaching import attach
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.attach.storing import DESCRIPTION, WEIGHTS, check_fits, read_record
from sf_eval.model.checkpoint_files.decoding import greedy_settings, what_greedy_leaves_out
from sf_eval.model.checkpoint_files.json_files import read_mapping
from sf_eval.model.loading import weights_digest, weights_directory
from sf_eval.model.progress import without_progress_bars

_SNAPSHOTS = "snapshots"
# What transformers raises of files that do not hold what it expects in them.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, ImportError, AttributeError, StrictDataclassError)
_BESIDE = (
    "added_tokens.json", "chat_template.jinja", "chat_template.json", "config.json", "merges.txt",
    "preprocessor_config.json", "processor_config.json", "special_tokens_map.json", "tokenizer.json",
    "tokenizer.model", "tokenizer_config.json", "video_preprocessor_config.json", "vocab.json",
)  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """A model of transformers, ready to answer greedily.

    Attributes:
        stop_ids: tokens that end an answer.
        pooling: how the slow path beside the weights pools tokens, whether it was attached or turned off.
    """

    model: Any
    processor: Any
    digest: str
    revision: str
    stop_ids: frozenset[int]
    pooling: SlowPathSettings | None
    notes: tuple[str, ...]

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())


def read_config(card: ModelCard) -> tuple[Path, Mapping[str, Any]]:
    """The checkpoint's directory, without weights if they are on the Hub, and its config.json.

    Raises:
        CheckpointError: it cannot be had, or there is no config.json in it.
    """
    directory = weights_directory(card, without_weights=True)
    return directory, read_mapping(_config_in(directory))


def _config_in(directory: Path) -> Path:
    path = directory / "config.json"
    if not path.is_file():
        raise CheckpointError(
            f"{directory} has no config.json.", hint="Give a checkpoint directory as released."
        )
    return path


def names_slow_path(card: ModelCard) -> bool:
    """Whether the card has a slow path, in its options or beside its weights."""
    return "slow_path" in card.options or (Path(card.weights).expanduser() / DESCRIPTION).is_file()


def check(card: ModelCard, model_type: str | None) -> Any:
    """Refuse a checkpoint that cannot be asked; the weights stay on the Hub.

    Args:
        model_type: what config.json must say; None is any.

    Returns:
        Its processor.

    Raises:
        CheckpointError: another type of model, damaged weights, a slow path that cannot be read, no processor
            for videos, no chat template.
    """
    directory, config = read_config(card)
    kind = config.get("model_type")
    if model_type is not None and kind != model_type:
        raise CheckpointError(
            f"{directory / 'config.json'} describes a model of type {kind!r}; the family {card.family} is "
            f"{model_type!r}."
        )
    if Path(card.weights).expanduser().is_dir():
        checkpoint.check_shards(directory)
    if (slow_path := _slow_path(card, directory)) is not None:
        read_record(slow_path)
    return read_processor(directory)


def read_processor(directory: Path) -> Any:
    """The checkpoint's own processor.

    Raises:
        CheckpointError: it cannot be read, has no half for videos, or no chat template.
    """
    try:
        processor = AutoProcessor.from_pretrained(directory, trust_remote_code=False)
    except _UNREADABLE as error:
        raise CheckpointError(f"the processor in {directory} cannot be loaded: {_reason(error)}") from error
    if getattr(processor, "video_processor", None) is None:
        raise CheckpointError(f"the processor in {directory} ({type(processor).__name__}) takes no videos.")
    if not (getattr(processor, "chat_template", None) or processor.tokenizer.chat_template):
        raise CheckpointError(f"{directory} has no chat template, so prompts cannot be written for it.")
    return processor


def load(
    card: ModelCard,
    *,
    device: torch.device | str,
    dtype: torch.dtype | str | None,
    attn: str | None,
    revision: str | None,
) -> Loaded:
    """Load the card's checkpoint onto one device, with the slow path beside its weights if there is one.

    Raises:
        CheckpointError: it cannot be had, or config.json and weights do not fit each other.
        UsageError: the attention implementation cannot be used here.
    """
    attn = checkpoint.checked_attention(attn, device=torch.device(device), dtype=dtype)
    directory = weights_directory(card, revision=revision)
    processor = read_processor(directory)
    with without_progress_bars():
        model, unread = _load_model(directory, device=device, dtype=dtype, attn=attn)
    stop_ids = _stop_ids(model, processor)
    model.generation_config = greedy_settings()
    model.eval()
    keep_float32_exact(torch.device(device), model.dtype)
    slow_path = _slow_path(card, directory)
    digest = weights_digest(directory, beside=_BESIDE)
    pooling = None if slow_path is None else read_record(slow_path).settings
    if slow_path is not None:
        digest = _attach(model, slow_path, digest) if card.slow_path == "on" else _pooled(slow_path, digest)
    notes = [what_greedy_leaves_out(directory, stop_ids)]
    if unread:
        notes.append(
            f"{len(unread)} weights of the checkpoint have no place in its model, such as {unread[0]}."
        )
    return Loaded(
        model=model,
        processor=processor,
        digest=digest,
        revision=directory.name if directory.parent.name == _SNAPSHOTS else "",
        stop_ids=stop_ids,
        pooling=pooling,
        notes=tuple(note for note in notes if note),
    )


@dataclass(frozen=True)
class Outline:
    """A checkpoint without its weights: the model is on the meta device, its slow path too if it has one.

    Attributes:
        pooling: as in `Loaded`.
    """

    model: Any
    processor: Any
    pooling: SlowPathSettings | None

    @property
    def parameters(self) -> int:
        return sum(int(parameter.numel()) for parameter in self.model.parameters())


def outline(card: ModelCard) -> Outline | None:
    """What the card's model is; None where it is not on this machine and cannot be had from the Hub.

    Raises:
        CheckpointError: its configuration, processor or slow path cannot be read, or do not fit each other.
        SlowPathError: no slow path can be attached to it.
    """
    try:
        directory = weights_directory(card, without_weights=True)
    except CheckpointError:
        return None
    model, processor = _on_meta(directory), read_processor(directory)
    slow_path = _slow_path(card, directory)
    if slow_path is None:
        return Outline(model, processor, None)
    record = read_record(slow_path)
    if card.slow_path == "on":
        check_fits(model, record, slow_path)
        attach(model, record.settings)
    return Outline(model, processor, record.settings)


def count_parameters(card: ModelCard) -> int | None:
    """Weights of the card's model; None where it cannot be had.

    Raises:
        CheckpointError, SlowPathError: as `outline`.
    """
    known = outline(card)
    return None if known is None else known.parameters


def _on_meta(directory: Path) -> Any:
    """The model that config.json describes, without weights."""
    path = _config_in(directory)
    try:
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
        with torch.device("meta"):
            return AutoModelForImageTextToText.from_config(config, trust_remote_code=False)
    except (*_UNREADABLE, ArithmeticError, LookupError, RuntimeError) as error:  # sizes that no model has
        raise CheckpointError(f"{path} describes no model: {_reason(error)}") from error


def _load_model(
    directory: Path, *, device: torch.device | str, dtype: torch.dtype | str | None, attn: str | None
) -> tuple[Any, list[str]]:
    """The model, and names of weights that it has no place for."""
    checkpoint.check_shards(directory)
    direct = torch.device(device).type != "cpu" and is_accelerate_available()
    try:
        model, info = AutoModelForImageTextToText.from_pretrained(
            directory,
            dtype="auto" if dtype is None else dtype,
            device_map={"": str(device)} if direct else None,
            attn_implementation=attn,
            output_loading_info=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except _UNREADABLE as error:
        raise CheckpointError(f"the checkpoint in {directory} cannot be loaded: {_reason(error)}") from error
    unread = sorted(info["unexpected_keys"])
    checkpoint.check_loaded(directory, {**info, "unexpected_keys": []})
    return model if direct else model.to(device), unread


def _stop_ids(model: Any, processor: Any) -> frozenset[int]:
    stated = getattr(model.generation_config, "eos_token_id", None)
    listed = stated if isinstance(stated, list) else [stated]
    return frozenset(token for token in (*listed, processor.tokenizer.eos_token_id) if token is not None)


def _slow_path(card: ModelCard, directory: Path) -> Path | None:
    named = card.options.get("slow_path")
    if named is not None:
        return Path(named).expanduser()
    return directory if (directory / DESCRIPTION).is_file() else None


def _attach(model: Any, slow_path: Path, digest: str) -> str:
    """Attach, and the digest of both together."""
    load_slow_path(model, slow_path)
    model.eval()
    both = f"{digest} {sha256(slow_path / DESCRIPTION)} {sha256(slow_path / WEIGHTS)}"
    return hashlib.sha256(both.encode()).hexdigest()


def _pooled(slow_path: Path, digest: str) -> str:
    """The digest of a model that is shown what the slow path's description pools, and has no slow path."""
    return hashlib.sha256(f"{digest} {sha256(slow_path / DESCRIPTION)}".encode()).hexdigest()


def _reason(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
