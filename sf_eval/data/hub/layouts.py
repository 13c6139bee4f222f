"""Which files of a benchmark's repository on the Hub are which."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from sf_eval.benchmarks.document import Benchmark


def matches(path: str, globs: tuple[str, ...]) -> bool:
    """Whether the repository path fits one of a layout's globs."""
    return any(fnmatchcase(path, glob) for glob in globs)


def annotation_paths(benchmark: Benchmark, paths: Iterable[str]) -> list[str]:
    """Which of a repository's files hold the questions: all that the first glob of `annotation_files` with a
    match matches, which is how `sf_eval.data.opening` finds them in a folder."""
    listed = sorted(paths)
    for glob in benchmark.annotation_files:
        if found := [path for path in listed if _matches_parts(path, glob)]:
            return found
    return []


def _matches_parts(path: str, glob: str) -> bool:
    parts, wanted = path.split("/"), glob.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
