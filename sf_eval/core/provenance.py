"""Where a number came from: versions and commit."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

from sf_eval import __version__
from sf_eval.core.paths import checkout_root

PACKAGES = (
    "torch", "torchvision", "transformers", "timm", "lmms-eval", "datasets", "huggingface-hub", "av",
    "decord", "torchcodec", "flash-attn", "numpy", "pillow", "tokenizers", "safetensors",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Versions of Python, sf-eval and the packages a number depends on; absent packages are left out."""
    found = {"python": platform.python_version(), "sf-eval": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The checkout's commit, with "+changes" where files differ from it; None outside a checkout."""
    root = checkout_root()
    if root is None:
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")


def _git(root: Path, *args: str) -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip()
