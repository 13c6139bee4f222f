"""Which benchmarks there are: read from the adapters in `tasks/<folder>/adapter.py`, ours and the user's."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from sf_eval.benchmarks.document import Benchmark, Group
from sf_eval.core import paths
from sf_eval.core.errors import UsageError, nearest

_ALL = "all"
_LEFT_OUT = "-"  # before a name


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
            f"{plain} is a group of {len(members_of(plain))} benchmarks, not one.",
            hint=f"One of them is {members_of(plain)[0]}.",
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


def members_of(group: str) -> tuple[str, ...]:
    """The names of the benchmarks of a group, in the order of its task folder.

    Raises:
        UsageError: as `get_group`.
    """
    name = get_group(group).name
    return tuple(
        benchmark.name
        for benchmark in _benchmarks().values()
        if benchmark.group is not None and benchmark.group.name == name
    )


def parts_total(group: str) -> int:
    """How many benchmarks the mean of a group is made of, those that are not here included.

    Raises:
        UsageError: as `get_group`.
    """
    return len(get_group(group).parts) or len(members_of(group))


def parts_without(group: str, tasks: Collection[str]) -> list[str]:
    """The parts of a group that are not among `tasks`, by their own names ("fine_grained_pose").

    Raises:
        UsageError: as `get_group`.
    """
    found = get_group(group)
    parts = found.parts or tuple(map(found.part_of, members_of(group)))
    have = {found.part_of(task) for task in tasks}
    return [part for part in parts if part not in have]


def with_subtitles(benchmarks: Sequence[Benchmark], how: str) -> list[Benchmark]:
    """The edition of each benchmark that shows subtitles in the way `how`, each once.

    Args:
        how: "none", "text" or "interleaved".

    Raises:
        UsageError: a benchmark has no such edition.
    """
    chosen: dict[str, Benchmark] = {}
    for benchmark in benchmarks:
        own = benchmark.edition_of if benchmark.subtitles != "none" else benchmark.name
        editions = [each for each in _benchmarks().values() if own == each.name or _shows(each, own)]
        found = next((each for each in editions if each.subtitles == how), None)
        if found is None:
            ways = [each.subtitles for each in editions]
            raise UsageError(
                f"--subtitles {how}: {own} has no subtitles that can be shown so.",
                hint=f"It has {', '.join(ways)}." if len(ways) > 1 else "It has none: leave it out.",
            )
        chosen.setdefault(found.name, found)
    return list(chosen.values())


def _shows(edition: Benchmark, own: str) -> bool:
    return edition.edition_of == own and edition.subtitles != "none"


def resolve_tasks(text: str, *, groups: bool = True) -> list[Benchmark]:
    """The benchmarks of a comma-separated list of names, groups and "all", each once, in the order named.

    A name with a minus before it is left out, wherever it stands: "mvbench,-mvbench_fine_grained_pose".

    Args:
        groups: False leaves out what only a group or "all" names.

    Raises:
        UsageError: an unknown or empty name, with the nearest names; or nothing is left.
    """
    names = [part.strip() for part in text.split(",")]
    taken = [name for name in names if not name.startswith(_LEFT_OUT)]
    left_out = {
        benchmark.name
        for name in names
        if name.startswith(_LEFT_OUT)
        for benchmark in _named(name.removeprefix(_LEFT_OUT))
    }
    chosen: dict[str, Benchmark] = {}
    for name in taken:
        for benchmark in _named(name):
            if not groups and benchmark.name != _plain(name):
                continue
            chosen.setdefault(benchmark.name, benchmark)
    kept = [benchmark for name, benchmark in chosen.items() if name not in left_out]
    if not kept and (chosen or not taken):
        raise UsageError(
            f"{text!r} names no task: all that it names is left out.",
            hint="A minus before a name leaves it out of the others: mvbench,-mvbench_fine_grained_pose.",
        )
    return kept


def _named(name: str) -> list[Benchmark]:
    known = _benchmarks()
    plain = _plain(name)
    if plain == _ALL:
        return list(known.values())
    if plain in _groups():
        return [known[member] for member in members_of(plain)]
    if plain in known:
        return [known[plain]]
    raise _unknown(name)


def _unknown(name: str) -> UsageError:
    if not name:
        return UsageError("a task name is empty.", hint="Separate names by single commas: videomme,mlvu.")
    known = [_ALL, *group_names(), *benchmark_names()]
    return UsageError(f"there is no task called {name!r}.", hint=nearest(_plain(name), known))


def _plain(name: str) -> str:
    plain = _spelt(name)
    return _aliases().get(plain, plain)


def _spelt(name: str) -> str:
    return name.strip().lower().replace("-", "_").removeprefix("sf_")


def _check_names(benchmark: Benchmark, adapter: Path) -> None:
    """Refuse before anything is asked what lmms-eval or the scores would not find afterwards.

    Raises:
        UsageError: names that are not spelt as the catalogue looks them up, or no yaml of that name.
    """
    if benchmark.name != _spelt(benchmark.name) or benchmark.lmms_task != f"sf_{benchmark.name}":
        raise UsageError(
            f"{adapter}: a benchmark's name is small letters, digits and _, and its lmms_task is sf_NAME; "
            f"these are {benchmark.name!r} and {benchmark.lmms_task!r}."
        )
    if not (adapter.parent / f"{benchmark.lmms_task}.yaml").is_file():
        raise UsageError(
            f"{adapter.parent} has no {benchmark.lmms_task}.yaml, which lmms-eval needs.",
            hint="docs/benchmarks/README.md says what is in it.",
        )


@lru_cache(maxsize=1)
def _aliases() -> dict[str, str]:
    return {alias: benchmark.name for benchmark in _benchmarks().values() for alias in benchmark.aliases}


@lru_cache(maxsize=1)
def _benchmarks() -> dict[str, Benchmark]:
    found: dict[str, Benchmark] = {}
    adapters = [path for root in paths.tasks_dirs() for path in sorted(root.glob("*/adapter.py"))]
    for adapter in adapters:
        for benchmark in _load(adapter):
            _check_names(benchmark, adapter)
            if benchmark.name in found:
                raise UsageError(f"{adapter} defines {benchmark.name!r}, which another folder defines too.")
            found[benchmark.name] = benchmark
    return found


@lru_cache(maxsize=1)
def _groups() -> dict[str, Group]:
    groups = (benchmark.group for benchmark in _benchmarks().values())
    return {group.name: group for group in groups if group is not None}


def _load(adapter: Path) -> tuple[Benchmark, ...]:
    name = f"sf_eval_task_{adapter.parent.name}"
    spec = importlib.util.spec_from_file_location(name, adapter)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered, so that the functions in it can be pickled to worker processes.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"{adapter} cannot be read: {type(error).__name__}: {error}.") from error
    benchmarks = getattr(module, "BENCHMARKS", None)
    if not isinstance(benchmarks, tuple) or not all(isinstance(item, Benchmark) for item in benchmarks):
        raise UsageError(f"{adapter} does not define BENCHMARKS, a tuple of Benchmark.")
    return benchmarks
