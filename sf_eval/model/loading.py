"""From a model card to a model that answers, or to its shape without weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers.utils import is_accelerate_available

from sf_eval.core.cards import ModelCard
from sf_eval.core.digests import content_digest
from sf_eval.core.errors import CheckpointError
from sf_eval.core.paths import packaged
from sf_eval.core.text import printable
from sf_eval.model import checkpoint
from sf_eval.model.checkpoint_files.decoding import greedy_settings, what_greedy_leaves_out
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.model.progress import without_progress_bars

_SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to answer.

    Attributes:
        weights_digest: SHA-256 over the names and contents of the weights, configuration and tokenizer files.
        revision: the Hub commit the weights are of, "" for weights from a directory or the package.
        parameters: number of weights in use (the slow branch's count only where the slow path is on).
        notes: what the checkpoint asks for or holds and an evaluation leaves out, one sentence each.
    """

    model: SlowFastForConditionalGeneration
    processor: SlowFastProcessor
    card: ModelCard
    weights_digest: str
    revision: str
    parameters: int
    notes: tuple[str, ...] = ()


def load_model(
    card: ModelCard,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | str | None = None,
    attn: str | None = None,
    revision: str | None = None,
) -> LoadedModel:
    """Load the weights and the tokenizer that `card` names, onto one device.

    The model decodes greedily, whatever the checkpoint's generation_config.json says: an evaluation sets how
    it decodes, and `notes` tells what the checkpoint would have liked.

    Args:
        dtype: of the weights in memory; None keeps the checkpoint's.
        revision: Hub commit, tag or branch instead of the card's.

    Raises:
        CheckpointError: the card names no weights, or they cannot be had or do not fit.
        UsageError: the attention implementation cannot be used here.
    """
    attn = checkpoint.checked_attention(attn, device=torch.device(device), dtype=dtype)
    directory = weights_directory(card, revision=revision)
    processor = SlowFastProcessor.from_pretrained(directory)
    notes = _notes(directory, processor)
    with without_progress_bars():
        model = load_on_device(directory, device=device, dtype=dtype, attn=attn)
    model.config.slow_path = card.slow_path
    model.config.decode_slow_attention = card.decode_slow_attention
    return LoadedModel(
        model=model,
        processor=processor,
        card=card,
        weights_digest=weights_digest(directory),
        revision=directory.name if directory.parent.name == _SNAPSHOTS else "",
        parameters=count_parameters(model),
        notes=notes,
    )


def _notes(directory: Path, processor: SlowFastProcessor) -> tuple[str, ...]:
    notes = [what_greedy_leaves_out(directory, processor.eos_token_ids)]
    if unread := checkpoint.unread_weights(directory):
        notes.append(f"Weight files beside the checkpoint's, not read: {', '.join(map(printable, unread))}.")
    return tuple(note for note in notes if note)


def load_on_device(
    directory: Path, *, device: torch.device | str, dtype: torch.dtype | str | None, attn: str | None
) -> SlowFastForConditionalGeneration:
    """Load a whole model onto one device, to decode greedily; straight from the files where accelerate is
    installed.

    Raises:
        CheckpointError, UsageError: see `SlowFastForConditionalGeneration.from_pretrained`.
    """
    direct = torch.device(device).type != "cpu" and is_accelerate_available()
    model: SlowFastForConditionalGeneration = SlowFastForConditionalGeneration.from_pretrained(
        directory,
        dtype=dtype,
        device_map={"": str(device)} if direct else None,
        attn_implementation=attn,
        generation_config=greedy_settings(),
    )
    if not direct:
        model.to(device)
    return model


def weights_directory(card: ModelCard, *, revision: str | None = None, without_weights: bool = False) -> Path:
    """Where the card's weights lie on this machine; downloads them from the Hub where they are not here yet.

    Args:
        without_weights: download only what is beside them (configuration, tokenizer): a few MB that tell
        whether the
            weights can be had.

    Raises:
        CheckpointError: the card names none, or they cannot be had.
    """
    if not card.weights:
        raise CheckpointError(
            f"no weights of {card.name} were published: it can be profiled, not evaluated.",
            hint="sf-eval profile --model " + card.name,
        )
    if (inside := packaged(card.weights)) is not None:
        return inside
    return checkpoint.resolve(
        card.weights, revision=revision or card.revision or None, without_weights=without_weights
    )


def config_for(card: ModelCard) -> SlowFastConfig:
    """The card's shape, without any weights: from its weights' config.json if at hand, else from the card.

    Nothing is downloaded.

    Raises:
        CheckpointError: neither is there, or it makes no slow-fast model.
    """
    local = Path(card.weights).expanduser() if card.weights else Path()
    if (inside := packaged(card.weights)) is not None:
        config = checkpoint.read_config(inside)
    elif card.weights and local.is_dir():
        config = checkpoint.read_config(local)
    elif card.config:
        config = checkpoint.config_from(card.config, f"model card {card.name}")
    else:
        raise CheckpointError(f"model card {card.name} has no config, and its weights are not here.")
    config.slow_path = card.slow_path
    config.decode_slow_attention = card.decode_slow_attention
    return config


def build_on_meta(card: ModelCard, *, attn: str | None = None) -> SlowFastForConditionalGeneration:
    """The card's model on the meta device: shapes without weights, for counting.

    Give it `input_ids` on the CPU: the placeholder has to be found.
    """
    config = config_for(card)
    config._attn_implementation = checkpoint.checked_attention(attn)
    with torch.device("meta"):
        model: SlowFastForConditionalGeneration = SlowFastForConditionalGeneration(config).eval()
    return model


def count_parameters(model: SlowFastForConditionalGeneration) -> int:
    """Weights in use: without the slow branch's where `slow_path` is off."""
    return sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if model.config.slow_path == "on" or ".cross_attn_" not in name
    )


# What of a checkpoint is read besides its weights. No answer depends on generation_config.json any more, but
# a run's notes do.
_READ_BESIDE_WEIGHTS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "special_tokens_map.json",
)


def weights_digest(directory: Path, *, beside: Sequence[str] = _READ_BESIDE_WEIGHTS) -> str:
    """SHA-256 over name and content of every file of the checkpoint that is read, in the order of names."""
    found = [path for name in beside if (path := directory / name).is_file()]
    files = sorted([*found, *checkpoint.shards(directory)])
    digest = hashlib.sha256()
    for path in files:
        digest.update(json.dumps([path.name, content_digest(path)]).encode())
    return digest.hexdigest()
