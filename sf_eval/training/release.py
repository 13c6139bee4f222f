"""A trained variant as a checkpoint directory in the published layout, with where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import torch
import yaml
from safetensors.torch import save

from sf_eval.core import files
from sf_eval.training import recipe
from sf_eval.training.recipe import Budget, Variant

ORIGIN, CARD = "origin.json", "sf_eval_card.yaml"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "generation_config.json")
_VERSIONS = ("torch", "transformers", "timm", "tokenizers", "av", "numpy")


@dataclass(frozen=True)
class Origin:
    """What made the weights.

    Attributes:
        commits: of the checkout that worked on it; with "+changes" where files differed from it.
        seconds: spent a finished stage; those before the last are shared by all variants.
        tower: percent right of what the tower's tokens say, on frames of videos that it did not learn from.
        held_out: percent of right letters a kind, on videos of the training's own kind and wordings.
    """

    command: tuple[str, ...]
    commits: tuple[str, ...]
    seed: int
    budget: Budget
    device: str
    threads: int
    seconds: dict[str, float]
    tower: dict[str, float]
    held_out: dict[str, float]


def write(
    folder: Path, variant: Variant, weights: Mapping[str, torch.Tensor], tokenizer: Path, origin: Origin
) -> None:
    """Write config, tokenizer, card, float16 weights under the published names and `origin.json`.

    Raises:
        OutputError: it cannot be written; `folder` is whole or absent.
    """
    versions = {name: metadata.version(name) for name in _VERSIONS}
    try:
        with files.replacing_folder(folder) as part:
            for name in _TOKENIZER_FILES:
                files.write_bytes(part / name, (tokenizer / name).read_bytes())
            files.write_json(part / "config.json", recipe.config(variant))
            files.write_bytes(
                part / "model.safetensors", save(_published(weights), metadata={"format": "pt"})
            )
            files.write_text(part / CARD, yaml.safe_dump(_card(variant), sort_keys=False))
            files.write_json(
                part / ORIGIN,
                {"schema_version": 1, "model": variant.name, **asdict(origin), "versions": versions},
            )
    except OSError as error:
        raise files.output_error(folder, error) from error


def _card(variant: Variant) -> dict[str, object]:
    """What `--model DIR` goes by, see docs/model_cards.md."""
    return {
        "title": f"{variant.name}, trained anew",
        "num_frames": variant.num_frames,
        "slow_path": "on" if variant.slow_path else "off",
    }


def _published(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """float16, in the published names: the tower's layer scale is called weight there; tied weights once."""
    return {
        name.replace(".gamma", ".weight"): tensor.detach().cpu().half().contiguous()
        for name, tensor in weights.items()
        if name != "lm_head.weight"
    }
