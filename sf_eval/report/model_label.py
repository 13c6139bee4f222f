"""What a run's model is called, and how it differs from what its model card says."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.core import cards
from sf_eval.core.cards import SLOW_FAST, ModelCard
from sf_eval.harness.record import ModelRecord, RunRecord

_ADDRESS = "base_url"  # where a model is asked, not what it is


def model_label(record: RunRecord) -> str:
    """Title, conditions, what was overridden, frames: "Mini slow-fast model (blind), 0 frames"."""
    model = record.model
    title = with_words(model.title, record.conditions.words)
    untrained = ["untrained"] if model.untrained and "untrained" not in model.title else []
    return ", ".join([title, *overrides(model), f"{model.num_frames} frames", *untrained])


def with_words(name: str, words: Sequence[str]) -> str:
    """A name with the conditions of a run: "mini (blind)"; a folder's "mini-blind" becomes that too."""
    if not words:
        return name
    ending = "".join(f"-{word.replace(' ', '-')}" for word in words)
    return f"{name.removesuffix(ending)} ({', '.join(words)})"


def overrides(model: ModelRecord) -> list[str]:
    """What makes it another model than its card's, a few words each; empty where nothing does.

    A checkpoint directory has no card: of a slow-fast one a slow path that is off is named, of any its
    settings beside where its attached slow path lies, which it always has.
    """
    card = card_of(model)
    expected = card.slow_path if card else "on" if model.family == SLOW_FAST else model.slow_path
    options = dict(card.options) if card else {k: v for k, v in model.options.items() if k == "slow_path"}
    found = [f"slow path {model.slow_path}"] if model.slow_path != expected else []
    for name in sorted({*options, *model.options} - {_ADDRESS}):
        if model.options.get(name) != options.get(name):
            found.append(f"{name} {model.options.get(name, 'as by default')}")
    return found


def alterations(model: ModelRecord) -> list[str]:
    """Why it is not what its weights' own repository holds, a few words each; empty where it is.

    A card's own settings count too: they make another model of the same weights.
    """
    card = card_of(model)
    decodes = True if card is None else card.decode_slow_attention
    own = [name for name in sorted(model.options) if card is None or name in card.options]
    found = [f"{name} {model.options[name]}" for name in own]
    found += [] if model.decode_slow_attention == decodes else ["response tokens that do not see slow tokens"]
    return found + [each for each in overrides(model) if each not in found]


def card_of(model: ModelRecord) -> ModelCard | None:
    """The model card that the run asked for; None for a checkpoint directory, or a card that is gone."""
    if model.name not in cards.card_names():
        return None
    card = cards.load_card(model.name)
    return card if card.weights == model.weights else None
