"""What determines an answer, of model, machine and question: the journal's keys are made of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sf_eval.core import provenance
from sf_eval.inference import Question
from sf_eval.video import Clip

# Raise when a change of ours changes what the same model answers to the same question.
ANSWER_PROTOCOL = 2

_LIBRARIES_THAT_ANSWER = (
    "torch", "transformers", "timm", "tokenizers", "av", "decord", "torchcodec", "pillow", "flash-attn",
)  # fmt: skip


@dataclass(frozen=True)
class ModelIdentity:
    """What of the model and the machine determines an answer."""

    weights_digest: str
    slow_path: str
    decode_slow_attention: bool
    dtype: str
    attn: str
    device_type: str
    sampling: str
    num_frames: int
    target_fps: float
    video_backend: str
    prompt_format: str
    libraries: str
    family: str = ""
    """What a family other than the slow-fast one adds, as canonical JSON; "" adds nothing to a key."""


def libraries_that_answer() -> str:
    """Versions of what decodes, resizes, tokenises and computes: with others an answer may differ."""
    found = provenance.versions()
    return " ".join(f"{name}={found[name]}" for name in _LIBRARIES_THAT_ANSWER if name in found)


def digest_of(question: Question, model: ModelIdentity) -> str:
    """The key of an answer: SHA-256 over the canonical JSON of everything that determines it."""
    determinants = {
        "protocol": ANSWER_PROTOCOL,
        "model": {name: value for name, value in asdict(model).items() if value or name != "family"},
        "question": question.identity,
        "prompt": question.prompt if isinstance(question.prompt, str) else question.prompt.identity,
        "video": _file_identity(question.clip),
        "generation": {"do_sample": False, "max_new_tokens": question.max_new_tokens},
    }
    return hashlib.sha256(canonical_json(determinants).encode()).hexdigest()


def canonical_json(value: Any) -> str:
    """The same text for the same value, anywhere."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _file_identity(clip: Clip | None) -> dict[str, Any] | None:
    """Size and modification time of the video (of every frame, for a folder), and the part shown.

    Not its path: a data directory that was moved is the same data.
    """
    if clip is None:
        return None
    return {
        "name": clip.path.name,
        "files": _stats(clip.path),
        "part": [clip.start_s, clip.end_s, clip.fps],
    }


def _stats(path: Path) -> list[Any] | None:
    try:
        if path.is_dir():
            return [[entry.name, *_stat(entry)] for entry in sorted(path.iterdir())]
        return _stat(path)
    except OSError:
        return None  # missing: the engine will say so


def _stat(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
