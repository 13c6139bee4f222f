"""The dataset commit that a task's yaml pins."""

from __future__ import annotations

import yaml

from sf_eval.benchmarks.document import Benchmark
from sf_eval.core.paths import tasks_dirs


class _YamlWithoutFunctions(yaml.SafeLoader):
    """Reads a task yaml and leaves lmms-eval's `!function` tags alone."""


_YamlWithoutFunctions.add_constructor("!function", lambda _, node: str(node.value))


def pinned_revision(benchmark: Benchmark) -> str | None:
    """The dataset commit that the task's yaml pins (`dataset_kwargs: {revision: ...}`), if it does."""
    found = (path for root in tasks_dirs() for path in root.glob(f"*/{benchmark.lmms_task}.yaml"))
    for path in found:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_YamlWithoutFunctions)  # noqa: S506 - a SafeLoader
        return (config.get("dataset_kwargs") or {}).get("revision")
    return None
