"""Cards for other models than slow-fast ones: of a checkpoint by its model type, of an endpoint by name."""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

ENDPOINT = "openai:"
"""What `--model` begins with for a model behind an OpenAI-compatible address."""

_SLOW_FAST_TYPES = (None, "llava_qwen_slow_fast")
_KNOWN = frozenset({"qwen2_5_vl", "qwen3_vl", "llava_onevision", "internvl", "llava_next_video"})
GENERIC = "generic"

# Frames where neither card nor checkpoint says: what the family's examples and evaluations show.
_FRAMES = MappingProxyType({"internvl": 32, "llava_onevision": 32, "llava_next_video": 16, GENERIC: 32})
_SLOW_PATH = "slow_path.json"


def of_checkpoint(directory: Path) -> dict[str, Any] | None:
    """What a card says of a checkpoint that is no slow-fast model; None where it is one, or no checkpoint.

    With a `slow_path.json` and no config.json beside it, the weights are those of the base that it names.
    """
    slow_path = _mapping(directory / _SLOW_PATH)
    config = _mapping(directory / "config.json")
    if config is None and slow_path is not None:
        base = str(slow_path.get("base", ""))
        config = _mapping(Path(base).expanduser() / "config.json")
        found = _of_type(config, Path(base).expanduser())
        return None if found is None else {
            **found, "weights": base, "slow_path": "on", "options": {"slow_path": str(directory)},
        }  # fmt: skip
    found = _of_type(config, directory)
    if found is not None and slow_path is not None:
        found["slow_path"] = "on"
    return found


def base_of_slow_path(directory: Path) -> str | None:
    """Id or directory of the weights that the slow path in `directory` is for; None where there is none."""
    base = (_mapping(directory / _SLOW_PATH) or {}).get("base")
    return base if isinstance(base, str) and base else None


def of_endpoint(model: str) -> dict[str, Any]:
    """What a card says of `openai:NAME`; its address comes from the command line."""
    name = model.removeprefix(ENDPOINT)
    return {
        "name": name, "title": name, "weights": model, "family": "endpoint", "sampling": "family",
        "slow_path": "off", "num_frames": 32, "options": {"base_url": ""},
    }  # fmt: skip


def _of_type(config: dict[str, Any] | None, directory: Path) -> dict[str, Any] | None:
    kind = None if config is None else config.get("model_type")
    if kind in _SLOW_FAST_TYPES or not isinstance(kind, str):
        return None
    family = kind if kind in _KNOWN else GENERIC
    card: dict[str, Any] = {"family": family, "sampling": "family", "slow_path": "off"}
    if family in _FRAMES:
        card["num_frames"] = _FRAMES[family]
    video = _mapping(directory / "video_preprocessor_config.json") or {}
    nested = (_mapping(directory / "processor_config.json") or {}).get("video_processor")
    video = nested if isinstance(nested, dict) else video
    fps, frames = video.get("fps"), video.get("num_frames")
    if isinstance(fps, (int, float)) and not isinstance(fps, bool) and fps > 0:
        card["target_fps"] = float(fps)
    if type(frames) is int and frames > 0:
        card["num_frames"] = frames
    return card


def _mapping(path: Path) -> dict[str, Any] | None:
    """A JSON file's mapping; None where there is none: loading the checkpoint will say what is wrong."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
