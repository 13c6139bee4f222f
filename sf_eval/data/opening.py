"""Opens a benchmark from the Hub, a directory or the mini editions: rows, documents, places of videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sf_eval.benchmarks import media
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.documents import annotations_in, find_annotations, read_documents
from sf_eval.data.completeness import require_complete
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.source import DataSource
from sf_eval.editions import mini_root
from sf_eval.editions.index import is_edition

Progress = Callable[[str, int, int], None]


def open_benchmark(
    benchmark: Benchmark,
    source: DataSource,
    *,
    progress: Progress | None = None,
    fetch_media: bool = True,
) -> OpenBenchmark:
    """Read and validate a benchmark's annotations; its videos are only looked for, by `media_path`.

    Args:
        progress: told (edition, videos done, videos in all) while a mini edition is rendered.
        fetch_media: with a Hub source, download the videos too, once the annotations are found valid.
            False also leaves incomplete data to be told by the doctor.

    Raises:
        DataError: annotations that cannot be found or reached (every place is named), or that are damaged
            (file, row and column are named); an unfinished fetch, or subtitles that are missing as a whole
            or damaged (`completeness`).
    """
    revision: str | None = None
    if source.kind == "hub":
        from sf_eval.data.hub import repository as hub  # takes a second to import, which local data need not

        files, revision = hub.annotations(benchmark, source.revision)
        folder = hub.default_root(benchmark, revision)
    elif source.kind == "mini":
        folder = mini_root([edition_of(benchmark)], progress) / edition_of(benchmark)
        files = find_annotations(benchmark, [folder])[1]
    else:
        folder, files = find_annotations(benchmark, _folders_in(source, benchmark))
    documents, row_seconds = read_documents(benchmark, files)
    if source.kind == "directory":
        folder = _folder_of(benchmark, _folders_in(source, benchmark), files, documents)
    opened = OpenBenchmark(
        benchmark=benchmark,
        source=source,
        documents=documents,
        row_seconds=row_seconds,
        annotation_files=tuple(files),
        folder=folder,
        media_root=_media_root(benchmark, folder),
        revision=revision,
        source_label=_label(benchmark, source, folder, revision),
        is_mini=is_edition(folder),
    )
    return with_media(opened) if fetch_media else opened


def with_media(opened: OpenBenchmark) -> OpenBenchmark:
    """The same benchmark with its videos: fetched from a Hub source, found complete from any other.

    Raises:
        DataError: as `open_benchmark`.
    """
    if opened.source.kind == "hub":
        from sf_eval.data.hub import repository as hub

        folder = hub.media_root(opened.benchmark, opened.revision)
        opened = replace(opened, folder=folder, media_root=_media_root(opened.benchmark, folder))
    require_complete(opened)
    return opened


def _media_root(benchmark: Benchmark, folder: Path) -> Path:
    return folder / benchmark.media_root if benchmark.media_root else folder


def _label(benchmark: Benchmark, source: DataSource, folder: Path, revision: str | None) -> str:
    if source.kind == "hub":
        return f"Hub {benchmark.hub_id}@{revision}"
    if source.kind == "directory" and is_edition(folder):
        return f"mini edition (synthetic), {source.label}"
    return source.label


def _folder_of(
    benchmark: Benchmark, folders: list[Path], files: list[Path], documents: Sequence[Document]
) -> Path:
    """Which of `folders` is the benchmark's own: media paths start from it.

    `DIR/videomme/test-00000-of-00001.parquet` may lie in the benchmark's folder `DIR/videomme`, or in the
    inner folder of the Hub repository `DIR`. A mini edition's index tells, or the videos: the folder that has
    more of them. Without any, it is the repository, whose layout this is.
    """
    holding = [folder for folder in dict.fromkeys(folders) if annotations_in(folder, benchmark) == files]
    outermost_first = sorted(holding, key=lambda folder: len(folder.parts))
    if len(holding) == 1:
        return holding[0]
    if mini := next(filter(is_edition, outermost_first), None):
        return mini

    def videos(folder: Path) -> int:
        return media.count_present(_media_root(benchmark, folder), documents)

    return max(outermost_first, key=videos)  # the first of several that have as many


def edition_of(benchmark: Benchmark) -> str:
    """The name of the folder that holds the benchmark, which is also that of its mini edition."""
    return benchmark.folder or benchmark.name


def _folders_in(source: DataSource, benchmark: Benchmark) -> list[Path]:
    """Where a directory source may hold the benchmark: its own subfolder, else the directory itself."""
    if source.root is None:
        raise ValueError("a directory source has a root")
    names = dict.fromkeys((edition_of(benchmark), benchmark.name))
    return [*(source.root / name for name in names), source.root]
