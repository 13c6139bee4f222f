"""The Hub as a source of data: what `run --data hub` and `sf-eval data fetch` share.

By default data goes to `<cache>/data/<benchmark folder>/<commit>/` (`sf_eval.core.paths.cache_dir`). What is
complete there needs no network when the revision is a full commit, or when HF_HUB_OFFLINE is set: then a
branch means the commit that it was when it was last looked up.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from sf_eval.benchmarks.document import Benchmark
from sf_eval.benchmarks.documents import find_annotations
from sf_eval.core import files, paths
from sf_eval.core.errors import DataError
from sf_eval.data.hub import manifest as manifests
from sf_eval.data.hub import remote
from sf_eval.data.hub.fetch import DEFAULT_WORKERS, Fetched, fetch, room_needed
from sf_eval.data.hub.plan import plan
from sf_eval.data.hub.progress import Reporter, TerminalReporter

__all__ = [
    "annotations",
    "bytes_to_fetch",
    "default_root",
    "fetch_to",
    "media_root",
    "room_to_fetch",
]

_COMMIT = re.compile(r"[0-9a-f]{40}")


def annotations(benchmark: Benchmark, revision: str | None = None) -> tuple[list[Path], str]:
    """Fetch the annotation files if they are not there yet; returns them and the dataset's commit.

    Raises:
        DataError: one line with what to do (no network, unknown revision, gated, disk full, ...).
    """
    fetched = _fetch_default(benchmark, revision, annotations_only=True)
    return find_annotations(benchmark, [fetched.root])[1], fetched.commit


def media_root(benchmark: Benchmark, revision: str | None = None) -> Path:
    """Fetch annotations and media if they are not there yet; returns the benchmark's folder.

    Before anything is downloaded the disk is checked, and a line on stderr tells how much it will be.

    Raises:
        DataError: as `annotations`.
    """
    return _fetch_default(benchmark, revision, annotations_only=False).root


def bytes_to_fetch(benchmark: Benchmark, folder: Path) -> int | None:
    """Size of what a fetch into `folder`, which holds the annotations, would still download, in bytes.

    None where the folder was not made by a fetch.
    """
    manifest = manifests.load(folder)
    if manifest is None:
        return None
    units = plan([benchmark], manifest, annotations_only=False)
    return sum(unit.size for unit in units if not manifest.units.get(unit.name))


def room_to_fetch(benchmarks: Sequence[Benchmark], revision: str | None) -> int:
    """Bytes of disk that a run would fill with the media of `benchmarks` that are not here yet.

    Their annotations must be here; a benchmark without them counts nothing. Benchmarks that share a folder
    share its archives.

    Raises:
        DataError: as `commit_of`.
    """
    sharing: dict[Path, list[Benchmark]] = {}
    for benchmark in benchmarks:
        sharing.setdefault(default_root(benchmark, commit_of(benchmark, revision)), []).append(benchmark)
    room = 0
    for root, members in sharing.items():
        if (manifest := manifests.load(root)) is not None:
            units = plan(members, manifest, annotations_only=False)
            missing = [unit for unit in units if not manifest.units.get(unit.name)]
            room += room_needed(root, missing, DEFAULT_WORKERS, keep_archives=False)
    return room


def fetch_to(
    benchmarks: Sequence[Benchmark],
    to: Path | None,
    revision: str | None,
    *,
    reporter: Reporter,
    workers: int = DEFAULT_WORKERS,
    annotations_only: bool = False,
    keep_archives: bool = False,
) -> Fetched:
    """Fetch `benchmarks`, which share one dataset, below the directory `to`, or below the cache.

    Below `to` they lie as `--data DIR` wants them: `to/<benchmark folder>`.

    Raises:
        DataError: as `annotations`.
    """
    folder = benchmarks[0].folder or benchmarks[0].name
    if to is not None:
        root, commit, siblings = to / folder, None, []
    else:
        commit = commit_of(benchmarks[0], revision)
        root = default_root(benchmarks[0], commit)
        siblings = [path for path in sorted(root.parent.glob("*/")) if path != root]
    return fetch(
        benchmarks,
        root,
        revision,
        commit=commit,
        reporter=reporter,
        workers=workers,
        annotations_only=annotations_only,
        keep_archives=keep_archives,
        siblings=siblings,
    )


def default_root(benchmark: Benchmark, commit: str) -> Path:
    """Where the data of `benchmark` at `commit` lies unless a user said another place."""
    return paths.cache_dir() / "data" / (benchmark.folder or benchmark.name) / commit


def commit_of(benchmark: Benchmark, revision: str | None) -> str:
    """The commit that `revision` (None: the main branch) is; the same one all through a process.

    Raises:
        DataError: no network, or the dataset or revision does not exist, or HF_HUB_OFFLINE is set and the
            revision was never looked up.
    """
    if revision and _COMMIT.fullmatch(revision):
        return revision
    reference = _reference_path(benchmark, revision)
    if not remote.is_offline():
        commit = _resolved(benchmark.hub_id, revision)
        if not reference.is_file() or reference.read_text(encoding="utf-8").strip() != commit:
            files.write_text(reference, f"{commit}\n")
        return commit
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else ""
    if _COMMIT.fullmatch(commit) and manifests.load(default_root(benchmark, commit)) is not None:
        return commit
    raise DataError(
        f"{benchmark.hub_id} is not on this machine, and HF_HUB_OFFLINE is set.",
        hint="Unset it, use `--data DIR` for data you have, or `--data mini` for the miniature.",
    )


@cache
def _resolved(dataset: str, revision: str | None) -> str:
    """Asked once a process, so that a branch that moves meanwhile does not mix two commits in one run."""
    return remote.resolve(dataset, revision)


def _reference_path(benchmark: Benchmark, revision: str | None) -> Path:
    name = quote(revision or "main", safe="")
    return paths.cache_dir() / "data" / (benchmark.folder or benchmark.name) / "refs" / name


def _fetch_default(benchmark: Benchmark, revision: str | None, *, annotations_only: bool) -> Fetched:
    with TerminalReporter() as reporter:
        return fetch_to([benchmark], None, revision, reporter=reporter, annotations_only=annotations_only)
