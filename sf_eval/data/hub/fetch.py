"""Fetches a benchmark's data from the Hub into a folder: plan, look at the disk, download, unpack, note.

A folder belongs to one commit of one dataset for good; its manifest says which
(`sf_eval.data.hub.manifest`). Everything can be interrupted at any moment and is taken up again by the same
call: what is in place stays, what was downloaded in part goes on.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from sf_eval.benchmarks.document import Benchmark
from sf_eval.core.errors import DataError
from sf_eval.data.hub import install, remote
from sf_eval.data.hub import manifest as manifests
from sf_eval.data.hub.install import LOCK, STAGING, disk_errors, staged_path
from sf_eval.data.hub.manifest import Manifest, RepositoryFile
from sf_eval.data.hub.plan import Unit, plan
from sf_eval.data.hub.progress import Reporter, Silent, human_size

DEFAULT_WORKERS = 4
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Fetched:
    """A benchmark's folder after a fetch, the dataset's commit, and bytes that the fetch downloaded."""

    root: Path
    commit: str
    downloaded: int


def fetch(
    benchmarks: Sequence[Benchmark],
    root: Path,
    revision: str | None = None,
    *,
    commit: str | None = None,
    reporter: Reporter | None = None,
    workers: int = DEFAULT_WORKERS,
    annotations_only: bool = False,
    keep_archives: bool = False,
    siblings: Sequence[Path] = (),
) -> Fetched:
    """Have all that `benchmarks`, which share one dataset, need in `root`.

    Without network if all of it is there already. A folder that was begun stays at its commit.

    Args:
        root: the benchmark's own folder, e.g. DIR/videomme.
        revision: branch, tag or commit; None takes the folder's commit, else the main branch.
        commit: what `revision` is, where the caller has resolved it.
        workers: how many files are downloaded at a time.
        annotations_only: leave the media.
        keep_archives: keep the archives beside what was in them.
        siblings: folders of other commits of the same dataset, to link unchanged files from.

    Raises:
        DataError: one line that says what is wrong and what to do (see `sf_eval.data.hub.remote`,
            `unpack`, and here: not enough disk, a folder of another commit, no right to write, in use).
    """
    reporter = reporter or Silent()
    dataset = benchmarks[0].hub_id
    with disk_errors(root):
        manifest = manifests.load(root)
        if manifest is None:
            commit = commit or remote.resolve(dataset, revision)
            manifest = Manifest(dataset, commit, revision or "main", remote.listing(dataset, commit))
        else:
            _check_same(manifest, root, dataset, revision, commit)
        units = plan(benchmarks, manifest, annotations_only=annotations_only)
        if manifest.is_complete(unit.name for unit in units):
            return Fetched(root, manifest.commit, 0)
        with _locked(root):
            # Another fetch may have finished between the first look and the lock.
            manifest = manifests.load(root) or manifest
            downloaded = _bring(root, manifest, units, reporter, workers, keep_archives, siblings)
    return Fetched(root, manifest.commit, downloaded)


def _bring(
    root: Path,
    manifest: Manifest,
    units: list[Unit],
    reporter: Reporter,
    workers: int,
    keep_archives: bool,
    siblings: Sequence[Path],
) -> int:
    manifest.want(unit.name for unit in units)
    manifest.save(root)
    missing = [
        unit
        for unit in units
        if not manifest.units[unit.name] and not install.adopt(root, manifest, unit, siblings)
    ]
    if missing:
        _check_disk(root, missing, workers, keep_archives)
        to_load = sum(_still_to_load(root, unit) for unit in missing)
        reporter.say(
            f"{manifest.dataset} at {manifest.commit[:12]}: {human_size(to_load)} to download into {root}"
        )
        reporter.start("download", to_load)
        reporter.start("unpack", sum(unit.size for unit in missing if unit.archive))
        _Download(root, manifest, reporter, keep_archives).run(missing, workers)
    else:
        to_load = 0
    shutil.rmtree(root / STAGING, ignore_errors=True)
    return to_load


class _Download:
    """Downloads several files at a time and puts each unit in place as soon as it is whole.

    A further unit is only begun when a worker is idle, so that at most about `workers` archives lie on the
    disk beside what was unpacked; `_check_disk` counts on it.
    """

    def __init__(self, root: Path, manifest: Manifest, reporter: Reporter, keep_archives: bool) -> None:
        self._root, self._manifest, self._reporter = root, manifest, reporter
        self._keep_archives = keep_archives
        self._stop = threading.Event()

    def run(self, units: list[Unit], workers: int) -> None:
        waiting = deque(units)
        running: dict[Future[Path], Unit] = {}
        parts: dict[str, list[Future[Path]]] = {}
        pool = ThreadPoolExecutor(workers, thread_name_prefix="sf-eval-fetch")
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    unit = waiting.popleft()
                    parts[unit.name] = [pool.submit(self._one, source) for source in unit.sources]
                    running.update(dict.fromkeys(parts[unit.name], unit))
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for unit in dict.fromkeys(running.pop(future) for future in done):
                    for future in done.intersection(parts[unit.name]):
                        future.result()
                    if all(future.done() for future in parts[unit.name]):
                        paths = [future.result() for future in parts.pop(unit.name)]
                        for future in [future for future, owner in running.items() if owner is unit]:
                            running.pop(future)  # finished since
                        self._install(unit, paths)
        finally:
            # Also on Ctrl-C: workers stop at their next bytes and leave what they have for the next time.
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, source: RepositoryFile) -> Path:
        dataset, commit = self._manifest.dataset, self._manifest.commit
        staged = staged_path(self._root, source)
        if not staged.exists() and (cached := remote.cached_copy(dataset, commit, source)):
            self._reporter.advance("download", source.size)
            return cached
        return remote.download(
            dataset,
            commit,
            source,
            staged,
            on_bytes=lambda count: self._reporter.advance("download", count),
            stop=self._stop,
        )

    def _install(self, unit: Unit, paths: list[Path]) -> None:
        install.install(
            self._root,
            self._manifest,
            unit,
            paths,
            keep_archive=self._keep_archives,
            on_bytes=lambda count: self._reporter.advance("unpack", count),
        )
        if unit.archive:
            self._reporter.say(f"{unit.name}: unpacked")


def room_needed(root: Path, units: list[Unit], workers: int, keep_archives: bool) -> int:
    """Bytes of disk that it takes to download and unpack `units` into `root`, beside what is there.

    Videos hardly compress: an archive's size stands for its content's.
    """
    archives = sorted((unit.size for unit in units if unit.archive), reverse=True)
    content = sum(unit.size for unit in units)
    beside = sum(archives) if keep_archives else sum(archives[:workers])
    here = sum(unit.size - _still_to_load(root, unit) for unit in units)
    return max(content + beside - here, 0)


def _check_disk(root: Path, units: list[Unit], workers: int, keep_archives: bool) -> None:
    """Refuse to begin what cannot end."""
    needed, free = room_needed(root, units, workers, keep_archives), shutil.disk_usage(root).free
    if needed > free:
        raise DataError(
            f"{root} needs about {human_size(needed)} for download and unpacking, "
            f"but its disk has {human_size(free)} free.",
            hint="Free some space, or give another --to; --workers 1 needs the least at a time.",
        )


def _still_to_load(root: Path, unit: Unit) -> int:
    """Bytes of `unit` that earlier, interrupted fetches did not get."""
    missing = 0
    for source in unit.sources:
        staged = staged_path(root, source)
        part = staged.with_name(staged.name + ".part")
        there = source.size if staged.exists() else part.stat().st_size if part.exists() else 0
        missing += max(source.size - there, 0)
    return missing


def _check_same(
    manifest: Manifest, root: Path, dataset: str, revision: str | None, commit: str | None
) -> None:
    if manifest.dataset != dataset:
        raise DataError(f"{root} holds {manifest.dataset}, not {dataset}.", hint="Give another --to.")
    if revision in (None, manifest.revision, manifest.commit):
        return
    if not _COMMIT.fullmatch(revision or ""):
        commit = commit or remote.resolve(dataset, revision)
    if (commit or revision) != manifest.commit:
        raise DataError(
            f"{root} holds commit {manifest.commit} of {dataset}, not {commit or revision}.",
            hint="Give another --to, or leave --data-revision out to complete the one that is there.",
        )


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(root / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise DataError(
            f"another sf-eval is fetching into {root}.", hint="Wait for it, or give another --to."
        ) from error
    try:
        yield
    finally:
        lock.release()
