"""Where a number came from: versions, commit, machine."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from typing import Any

import torch

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


def machine(device: torch.device) -> dict[str, Any]:
    """The device that answered and the machine around it."""
    described: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        described.update(
            gpu=properties.name, gpu_memory_bytes=properties.total_memory, cuda=torch.version.cuda
        )
    return described


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123 - not a file of ours
            for line in stream:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git(root: Any, *args: str) -> str:
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
