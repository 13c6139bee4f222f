"""How an evaluation decodes: greedily, and what of a checkpoint's own generation settings that leaves out.

transformers' `generate` takes every setting it is not given from the checkpoint's generation_config.json:
beams, sampling, penalties, stop strings. A score would then depend on a file that no table names.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from transformers import GenerationConfig

from sf_eval.core.errors import CheckpointError
from sf_eval.core.text import printable
from sf_eval.model.checkpoint_files.json_files import read_mapping

_FILE = "generation_config.json"
_LONGEST_VALUE = 60

# Nothing that an answer depends on: padding is masked, a prompt has no start token, and the rest says who
# wrote the file.
_WITHOUT_EFFECT = frozenset(
    {"pad_token_id", "bos_token_id", "decoder_start_token_id", "transformers_version", "_from_model_config"}
)
# Settings that ask for what greedy decoding does anyway, by transformers' own defaults.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "temperature": (1.0,),
    "top_k": (0, 50),
    "top_p": (1.0,),
    "typical_p": (1.0,),
    "min_length": (0,),
    "max_length": (20,),
    "repetition_penalty": (1.0,),
    "encoder_repetition_penalty": (1.0,),
    "length_penalty": (1.0,),
    "diversity_penalty": (0.0,),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "guidance_scale": (1.0,),
    "num_assistant_tokens": (20,),
    "num_assistant_tokens_schedule": ("constant",),
    "assistant_confidence_threshold": (0.4,),
    "assistant_lookbehind": (10,),
    "target_lookbehind": (10,),
}


def greedy_settings() -> GenerationConfig:
    """Settings for `generate` that are the caller's alone: one beam, no sampling, no rule on tokens."""
    return GenerationConfig(
        do_sample=False, num_beams=1, num_return_sequences=1, use_cache=True, return_dict_in_generate=False
    )


def check_generation_config(directory: Path) -> None:
    """Hold generation_config.json, where there is one, to what transformers can read.

    Raises:
        CheckpointError: not JSON, or values of which no generation settings can be made.
    """
    path = directory / _FILE
    if not path.is_file():
        return
    values = read_mapping(path)
    try:
        GenerationConfig(**values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} holds no generation settings: {reason}") from error


def what_greedy_leaves_out(directory: Path, eos_token_ids: Collection[int]) -> str:
    """One sentence on what a checkpoint's generation settings ask for and greedy decoding does not do.

    Args:
        eos_token_ids: at which tokens an answer ends.

    Returns:
        "" where they ask for nothing else.

    Raises:
        CheckpointError: generation_config.json is not a JSON mapping.
    """
    path = directory / _FILE
    asked = _stated(path) if path.is_file() else _stated_in_config(directory / "config.json")
    if ends := [token for token in _listed(asked.pop("eos_token_id", None)) if token not in eos_token_ids]:
        asked["eos_token_id"] = ends
    if not asked:
        return ""
    source = _FILE if path.is_file() else "config.json"
    listed = ", ".join(f"{printable(key)}={_short(value)}" for key, value in sorted(asked.items()))
    return (
        f"{source} asks for {listed}; not done: every answer is decoded greedily, up to its task's or card's "
        "limit of tokens."
    )


def _stated(path: Path) -> dict[str, Any]:
    """The settings that would change an answer, or how it is made."""
    return {
        key: value
        for key, value in read_mapping(path).items()
        if key not in _WITHOUT_EFFECT and not _is_neutral(key, value)
    }


def _stated_in_config(path: Path) -> dict[str, Any]:
    """Where there is no generation_config.json, transformers takes such settings from config.json."""
    known = GenerationConfig().to_dict().keys() - {"use_cache"}
    return {key: value for key, value in _stated(path).items() if key in known}


def _is_neutral(key: str, value: Any) -> bool:
    """Nothing, or what is done anyway. What can be on or off is off by default, except the cache."""
    if isinstance(value, bool):
        return value is (key == "use_cache")
    return value in (None, [], {}, "") or value in _NEUTRAL.get(key, ())


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _short(value: Any) -> str:
    text = printable(repr(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
