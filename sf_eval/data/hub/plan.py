"""What a benchmark needs of its repository: annotation files, archives, media files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sf_eval.benchmarks.document import Benchmark
from sf_eval.core.errors import DataError
from sf_eval.data.hub.archives import Archive, group_archives
from sf_eval.data.hub.layouts import annotation_paths, matches
from sf_eval.data.hub.manifest import Manifest, RepositoryFile


@dataclass(frozen=True)
class Unit:
    """What is fetched and put in place as one: an archive with all its parts, or a single file.

    Attributes:
        name: repository path (for a split archive without the parts' suffix).
        sources: the repository files it is made of, in order.
        archive: how to unpack it; None for a file that is used as it is.
        into: subfolder that the archive is unpacked into.
        is_annotation: it holds questions, not media.
    """

    name: str
    sources: tuple[RepositoryFile, ...]
    archive: Archive | None = None
    into: str = ""
    is_annotation: bool = False

    @property
    def size(self) -> int:
        """Bytes to download."""
        return sum(source.size for source in self.sources)


def plan(benchmarks: Sequence[Benchmark], manifest: Manifest, *, annotations_only: bool) -> list[Unit]:
    """What `benchmarks` need of the repository, annotations first.

    Raises:
        DataError: the repository lacks the annotations or the media, or a part of a split archive.
    """
    units: dict[str, Unit] = {}
    for benchmark in benchmarks:
        for unit in _plan_one(benchmark, manifest, annotations_only):
            units.setdefault(unit.name, unit)
    return sorted(units.values(), key=lambda unit: not unit.is_annotation)


def _plan_one(benchmark: Benchmark, manifest: Manifest, annotations_only: bool) -> list[Unit]:
    by_path = {file.path: file for file in manifest.repository}
    layout = benchmark.layout
    annotations = annotation_paths(benchmark, by_path)
    if not annotations:
        raise _unlike(benchmark, manifest, benchmark.annotation_files, "annotations")
    units = [Unit(path, (by_path[path],), is_annotation=True) for path in annotations]
    if annotations_only:
        return units
    media = _media_units(benchmark, by_path, set(annotations))
    if not media and (layout.archives or layout.media):
        raise _unlike(benchmark, manifest, layout.archives + layout.media, "media")
    return units + media


def _media_units(benchmark: Benchmark, by_path: dict[str, RepositoryFile], taken: set[str]) -> list[Unit]:
    layout, into = benchmark.layout, benchmark.media_root
    archives = group_archives(path for path in by_path if matches(path, layout.archives))
    loose = [path for path in sorted(by_path) if matches(path, layout.media) and path not in taken]
    return [
        *(
            Unit(archive.name, tuple(by_path[part] for part in archive.parts), archive, into)
            for archive in archives
        ),
        *(Unit(path, (by_path[path],)) for path in loose),
    ]


def _unlike(benchmark: Benchmark, manifest: Manifest, globs: tuple[str, ...], what: str) -> DataError:
    names = sorted(file.path for file in manifest.repository)
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return DataError(
        f"{manifest.dataset} at {manifest.commit[:12]} has no {what} of {benchmark.name} "
        f"(looked for {', '.join(globs)}); it has: {shown or 'no files'}.",
        hint="Its layout may have changed: pin an older commit with --data-revision, or prepare a "
        "--data DIR.",
    )
