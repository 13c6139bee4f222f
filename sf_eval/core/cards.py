"""Model cards: one YAML a model in `model_cards/`, read into frozen dataclasses.

A card says where a model's weights are, how it is asked, and what was published of it. Schema and an
annotated example: `docs/model_cards.md`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from sf_eval.core import paths
from sf_eval.core.errors import UsageError, nearest
from sf_eval.core.foreign_cards import ENDPOINT, base_of_slow_path, of_checkpoint, of_endpoint

SLOW_FAST = "slow_fast"
VISUAL_TOKENS = "visual_tokens"
"""Key in a run's `config`: how a tower's tokens are pooled, and which layers read them beside the prompt."""
"""The family of a card that names none."""

_SLOW = "+slow"  # what `sf-eval profile` calls a card's model with an attached slow path
SlowPath = Literal["on", "off"]
SamplingRule = Literal["published", "uniform", "family"]


@dataclass(frozen=True)
class ModelCard:
    """What is known of one model.

    Attributes:
        name: what `--model` takes.
        title: what tables show.
        weights: a Hub id, `package:NAME` for weights that sf-eval ships, a directory's path, or "" for a
            model of which only the shape is public (it can be profiled, not evaluated).
        revision: Hub commit the card was checked with, or "" where none is known.
        num_frames: frames shown to the model; also the frame budget of the sampling rule.
        sampling: "published" (`sf_eval.video.sampling`), "uniform", or "family": its own rule.
        target_fps: the published rule's target rate in frames per second.
        slow_path: "on" for slow-fast, "off" for the self-attention-only baseline (fast tokens only).
        decode_slow_attention: response tokens attend to slow tokens, as in training; False reproduces the
            published code.
        max_new_tokens: limit of one answer in tokens; 0 takes the task's own.
        config: the model's shape in the published keys of `config.json`, so that it can be profiled without
            weights. Where weights are loaded, their own config.json counts, not this.
        untrained: True where the weights are random: every table says so.
        family: what kind of model it is (`sf_eval.inference.families`).
        options: settings of that family alone, held to its own rules when the model is asked for.
        published: which row of `results/published/published_results.csv` is this model's, "" for none.
    """

    name: str
    title: str
    weights: str = ""
    revision: str = ""
    num_frames: int = 64
    sampling: SamplingRule = "published"
    target_fps: float = 2.0
    slow_path: SlowPath = "on"
    decode_slow_attention: bool = True
    max_new_tokens: int = 0
    prompt_format: str = "qwen2-chatml"
    config: dict[str, Any] = field(default_factory=dict)
    untrained: bool = False
    licence: str = ""
    published: str = ""
    notes: str = ""
    family: str = SLOW_FAST
    options: dict[str, Any] = field(default_factory=dict)

    def with_frames(self, num_frames: int | None) -> ModelCard:
        """The same card asked with another number of frames."""
        return self if num_frames is None else replace(self, num_frames=num_frames)


def card_names() -> list[str]:
    return sorted(path.stem for path in paths.model_cards_dir().glob("*.yaml"))


def load_card(name: str) -> ModelCard:
    """Read the card called `name`.

    Raises:
        UsageError: no such card (with the nearest names), or a card that does not fit the schema.
    """
    if name not in card_names():
        raise UsageError(
            f"there is no model called {name!r}.",
            hint=f"{nearest(name, card_names())} A local checkpoint directory works too.",
        )
    return read_card(paths.model_cards_dir() / f"{name}.yaml")


def read_card(path: Path) -> ModelCard:
    """Read one card file; its stem is the card's name.

    Raises:
        UsageError: not a mapping, an unknown key, or a value of the wrong kind.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} must be a mapping of keys to values (see docs/model_cards.md).")
    known = {item.name for item in fields(ModelCard)} - {"name"}
    if unknown := set(values) - known:
        key = sorted(unknown)[0]
        raise UsageError(f"{path} has the unknown key {key!r}.", hint=nearest(key, known))
    if "title" not in values:
        raise UsageError(f"{path} has no title (see docs/model_cards.md).")
    card = ModelCard(name=path.stem, **values)
    check_card(card, str(path))
    return card


def card_for(model: str) -> ModelCard:
    """The card of `--model`: a card's name, or one made for a local checkpoint directory or `openai:NAME`.

    A name goes before a directory of the same name (write ./mini for that one). A directory's card shows as
    many frames as `_frames_of` reads from its config.json; a file `sf_eval_card.yaml` in it overrides all.

    Raises:
        UsageError: neither a card nor a directory, or a directory whose config.json has a `num_frames` that
            is no number of frames.
    """
    if model.startswith(ENDPOINT) and len(model) > len(ENDPOINT):
        return ModelCard(**of_endpoint(model))
    directory = Path(model).expanduser()
    if model.endswith(_SLOW) and model.removesuffix(_SLOW) in card_names():
        raise UsageError(
            f"{model} is a shape to profile: nobody has trained that slow path.",
            hint="sf-eval attach train does; then give the directory that it wrote (docs/attaching.md).",
        )
    if model in card_names() or not directory.is_dir():
        if "/" in model or model.startswith((".", "~")):
            raise UsageError(
                f"the checkpoint directory {model} does not exist.",
                hint="Give an existing directory, or one of: " + ", ".join(card_names()) + ".",
            )
        return load_card(model)
    name = directory.resolve().name
    own = directory / "sf_eval_card.yaml"
    if own.is_file():
        return _own_card(directory, read_card(own))
    foreign = of_checkpoint(directory)
    if foreign is not None:
        return ModelCard(**{"name": name, "title": name, "weights": str(directory), **foreign})
    if (base := base_of_slow_path(directory)) is not None:
        return _attached(directory, base)
    return ModelCard(name=name, title=name, weights=str(directory), num_frames=_frames_of(directory))


def _own_card(directory: Path, card: ModelCard) -> ModelCard:
    """The card that lies in a directory: of its weights, or of the slow path that it holds alone."""
    card = replace(card, name=directory.resolve().name)
    base = base_of_slow_path(directory)
    if base is None or (directory / "config.json").is_file():
        return replace(card, weights=str(directory))
    return replace(card, weights=card.weights or base, options={**card.options, "slow_path": str(directory)})


def _attached(directory: Path, base: str) -> ModelCard:
    """A card for a slow path alone: what the card of its base says, and where it lies.

    Raises:
        UsageError: no card is of those weights.
    """
    of_base = [card for card in map(load_card, card_names()) if card.weights == base and not card.options]
    if not of_base:
        raise UsageError(
            f"{directory} holds the slow path of {base}, for which there is no directory and no model card.",
            hint="Write a card with these weights and options: slow_path (docs/families.md).",
        )
    name = directory.resolve().name
    changes: dict[str, Any] = {"name": name, "title": name, "published": "", "slow_path": "on"}
    return replace(of_base[0], **changes, options={"slow_path": str(directory)})


def _frames_of(directory: Path) -> int:
    """Frames a checkpoint was trained with: its config's `num_frames`, else fast frames times the strides.

    The published configurations state no number of frames, but all variants keep 16 fast frames, so the
    product is the training's number: 16 * 1 * 4 = 64, 16 * 1 * 6 = 96, 16 * 2 * 4 = 128. Where it is not in
    the config either, the default of a card.

    Raises:
        UsageError: a `num_frames` that is no number of frames: each verb would read it in its own way.
    """
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ModelCard.num_frames  # loading the checkpoint will say what is wrong with it
    if not isinstance(config, dict):
        return ModelCard.num_frames
    if (stated := config.get("num_frames")) is not None:
        if type(stated) is not int or stated < 1:
            raise UsageError(
                f"{directory / 'config.json'}: num_frames is {stated!r}; it must be a whole number, 1 or "
                "more."
            )
        return stated
    parts = [
        config.get(key)
        for key in ("min_fast_frames", "fast_token_temporal_sampling_stride", "fast_token_temporal_stride")
    ]
    known = [part for part in parts if type(part) is int and part > 0]
    return math.prod(known) if len(known) == len(parts) else ModelCard.num_frames


_KINDS: dict[type | tuple[type, ...], str] = {
    str: "text", int: "a whole number", (int, float): "a number", bool: "true or false",
    dict: "a mapping of keys to values",
}  # fmt: skip


def check_card(card: ModelCard, path: str) -> None:
    """Hold a card to its schema; `path` is what an error names.

    Raises:
        UsageError: a value of the wrong kind or out of range.
    """
    kinds: dict[str, type | tuple[type, ...]] = {
        "title": str, "weights": str, "revision": str, "num_frames": int, "target_fps": (int, float),
        "max_new_tokens": int, "config": dict, "decode_slow_attention": bool, "untrained": bool,
        "licence": str, "published": str, "notes": str, "prompt_format": str,
        "family": str, "options": dict,
    }  # fmt: skip
    for key, kind in kinds.items():
        value = getattr(card, key)
        # True is an int in Python; no card means 1 by it.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(f"{path}: {key} is {value!r}; it must be {_KINDS[kind]}.")
    if card.sampling not in get_args(SamplingRule):
        raise UsageError(
            f"{path}: sampling is {card.sampling!r}; it must be 'published', 'uniform' or 'family'."
        )
    if card.slow_path not in ("on", "off"):
        raise UsageError(f"{path}: slow_path is {card.slow_path!r}; it must be 'on' or 'off' (in quotes).")
    if card.num_frames < 1:
        raise UsageError(f"{path}: num_frames is {card.num_frames}; it must be at least 1.")
    if not 0 < card.target_fps < math.inf:
        raise UsageError(f"{path}: target_fps is {card.target_fps}; it must be above 0.")
    if card.max_new_tokens < 0:
        raise UsageError(f"{path}: max_new_tokens is {card.max_new_tokens}; it must be 0 or more.")
    if card.prompt_format != "qwen2-chatml":
        raise UsageError(f"{path}: prompt_format is {card.prompt_format!r}; only 'qwen2-chatml' is known.")
