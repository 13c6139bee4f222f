"""Which benchmarks there are: read from the adapters in `tasks/<folder>/adapter.py`."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sf_eval.benchmarks.document import Benchmark
from sf_eval.core import paths
from sf_eval.core.errors import UsageError, nearest

_ALIASES = {"mlvu_dev": "mlvu", "video_mme": "videomme", "longvideobench_val": "longvideobench"}
_ALL = "all"


@dataclass(frozen=True)
class Group:
    """Benchmarks that are reported as one: the mean of the members' accuracies.

    Attributes:
        published_column: its column in results/published/published_results.csv.
    """

    name: str
    title: str
    members: tuple[str, ...]
    published_column: str | None


_GROUP_TITLES = {"mvbench": ("MVBench", "mvbench")}


def benchmark_names() -> list[str]:
    """Every benchmark, groups' members included, in the order of the task folders."""
    return list(_benchmarks())


def group_names() -> list[str]:
    return list(_groups())


def get_benchmark(name: str) -> Benchmark:
    """The benchmark called `name`, also by its lmms-eval name ("sf_videomme") or an alias ("mlvu_dev").

    Raises:
        UsageError: no such benchmark, with the nearest names; or a group, with its members.
    """
    known = _benchmarks()
    plain = _plain(name)
    if plain in known:
        return known[plain]
    if plain in _groups():
        raise UsageError(
            f"{plain} is a group of {len(_groups()[plain].members)} benchmarks, not one.",
            hint=f"One of them is {_groups()[plain].members[0]}.",
        )
    raise _unknown(name)


def get_group(name: str) -> Group:
    """The group called `name` ("mvbench" or "sf_mvbench").

    Raises:
        UsageError: no such group, with the nearest names.
    """
    plain = _plain(name)
    if plain in _groups():
        return _groups()[plain]
    raise UsageError(f"there is no group called {name!r}.", hint=nearest(name, group_names()))


def resolve_tasks(text: str) -> list[Benchmark]:
    """The benchmarks of a comma-separated list of names, groups and "all", each once, in the order named.

    Raises:
        UsageError: an unknown or empty name, with the nearest names.
    """
    chosen: dict[str, Benchmark] = {}
    for name in (part.strip() for part in text.split(",")):
        for benchmark in _named(name):
            chosen.setdefault(benchmark.name, benchmark)
    return list(chosen.values())


def _named(name: str) -> list[Benchmark]:
    known = _benchmarks()
    plain = _plain(name)
    if plain == _ALL:
        return list(known.values())
    if plain in _groups():
        return [known[member] for member in _groups()[plain].members]
    if plain in known:
        return [known[plain]]
    raise _unknown(name)


def _unknown(name: str) -> UsageError:
    if not name:
        return UsageError("a task name is empty.", hint="Separate names by single commas: videomme,mlvu.")
    known = [_ALL, *group_names(), *benchmark_names()]
    return UsageError(f"there is no task called {name!r}.", hint=nearest(_plain(name), known))


def _plain(name: str) -> str:
    plain = name.strip().lower().replace("-", "_").removeprefix("sf_")
    return _ALIASES.get(plain, plain)


@lru_cache(maxsize=1)
def _benchmarks() -> dict[str, Benchmark]:
    found: dict[str, Benchmark] = {}
    for adapter in sorted(paths.tasks_dir().glob("*/adapter.py")):
        for benchmark in _load(adapter):
            if benchmark.name in found:
                raise UsageError(f"{adapter} defines {benchmark.name!r}, which another folder defines too.")
            found[benchmark.name] = benchmark
    return found


@lru_cache(maxsize=1)
def _groups() -> dict[str, Group]:
    members: dict[str, list[str]] = {}
    for benchmark in _benchmarks().values():
        if benchmark.group is not None:
            members.setdefault(benchmark.group, []).append(benchmark.name)
    groups: dict[str, Group] = {}
    for name, names in members.items():
        title, column = _GROUP_TITLES.get(name, (name, None))
        groups[name] = Group(name, title, tuple(names), column)
    return groups


def _load(adapter: Path) -> tuple[Benchmark, ...]:
    name = f"sf_eval_task_{adapter.parent.name}"
    spec = importlib.util.spec_from_file_location(name, adapter)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered, so that the functions in it can be pickled to worker processes.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    benchmarks = getattr(module, "BENCHMARKS", None)
    if not isinstance(benchmarks, tuple) or not all(isinstance(item, Benchmark) for item in benchmarks):
        raise UsageError(f"{adapter} does not define BENCHMARKS, a tuple of Benchmark.")
    return benchmarks
