"""Opens a benchmark from the Hub, a directory or the mini editions: rows, documents, places of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sf_eval.benchmarks import media
from sf_eval.benchmarks.annotations import check_document, check_row, read_rows
from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.media import MissingFile
from sf_eval.core.errors import DataError, UsageError, nearest
from sf_eval.editions.index import is_edition

Kind = Literal["hub", "directory", "mini"]
Row = dict[str, Any]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class DataSource:
    """Where a run's data comes from.

    Attributes:
        kind: "hub", "directory" or "mini".
        root: the directory, for kind "directory".
        revision: the Hub commit, branch or tag that was asked for, for kind "hub".
        label: how tables name the source.
    """

    kind: Kind
    root: Path | None = None
    revision: str | None = None
    label: str = ""


@dataclass(frozen=True)
class OpenBenchmark:
    """A benchmark whose annotations were read and validated.

    Attributes:
        documents, rows: the same length and order; a document's `index` is its row's number.
        annotation_files: the files that the rows came from.
        folder: the benchmark's own folder: the annotation globs and the media root start from it.
        media_root: the folder that media paths start from.
        revision: the Hub commit the data has, where it is known.
        source_label: how tables name the source, e.g. "mini edition v1 (synthetic)".
        is_mini: the data is synthetic, whatever way it was given: every table must say so.
    """

    benchmark: Benchmark
    source: DataSource
    documents: list[Document]
    rows: list[Row]
    annotation_files: tuple[Path, ...]
    folder: Path
    media_root: Path
    revision: str | None
    source_label: str
    is_mini: bool

    def media_path(self, document: Document) -> Path:
        """The document's video (or folder of frames).

        Raises:
            MissingMediaError: it is at none of its places (a DataError naming all of them).
            UnsafePathError: its path leaves the media root (a DataError).
        """
        return media.resolve(
            self.media_root, document.media, what=f"{self.benchmark.name} question {document.id}"
        )

    def subtitle_path(self, document: Document) -> Path | None:
        """The document's subtitle file, or None where it has none (some videos really have none).

        Raises:
            UnsafePathError: its path leaves the benchmark's folder.
        """
        if document.subtitles is None:
            return None
        reference = MediaRef((document.subtitles,))
        try:
            what = f"{self.benchmark.name} question {document.id}, subtitles"
            return media.resolve(self.media_root, reference, what=what)
        except media.MissingMediaError:
            return None

    def missing_media(self, documents: Iterable[Document] | None = None) -> list[MissingFile]:
        """The videos that are not there, of `documents` or of all.

        Raises:
            UnsafePathError: a row names a path that it must not.
        """
        wanted = self.documents if documents is None else documents
        return media.missing_media(self.media_root, wanted, name=self.benchmark.name)


def parse_source(text: str, revision: str | None = None) -> DataSource:
    """Read `--data`: "hub", "mini" or a directory.

    Raises:
        UsageError: no such directory, or a revision for something that has none.
    """
    if text == "hub":
        label = f"Hub, revision {revision}" if revision else "Hub"
        return DataSource("hub", revision=revision, label=label)
    if revision is not None:
        raise UsageError(f"--data {text} has no revisions.", hint="Only --data hub takes --data-revision.")
    if text == "mini":
        from sf_eval.editions import LABEL

        return DataSource("mini", label=LABEL)
    root = Path(text).expanduser()
    if root.is_dir():
        return DataSource("directory", root=root.absolute(), label=f"directory {root}")
    if root.exists():
        raise UsageError(f"--data {text} is a file.", hint="Give the folder that it lies in.")
    guess = "" if "/" in text else f" {nearest(text, ('hub', 'mini'))}"
    raise UsageError(
        f"--data {text}: there is no such directory.{guess}",
        hint="--data takes hub, mini or a directory that holds the benchmarks.",
    )


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
        from sf_eval.data.hub import repository as hub

        files, revision = hub.annotations(benchmark, source.revision)
        folder = hub.default_root(benchmark, revision)
    elif source.kind == "mini":
        from sf_eval.editions import mini_root

        folder = mini_root([_folder_name(benchmark)], progress) / _folder_name(benchmark)
        files = find_annotations(benchmark, [folder])[1]
    else:
        folder, files = find_annotations(benchmark, _folders_in(source, benchmark))
    rows, documents = read_documents(benchmark, files)
    opened = OpenBenchmark(
        benchmark=benchmark,
        source=source,
        documents=documents,
        rows=rows,
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
    from sf_eval.data.completeness import require_complete

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


def find_annotations(benchmark: Benchmark, folders: list[Path]) -> tuple[Path, list[Path]]:
    """The first folder with annotation files of the benchmark, and those files.

    Raises:
        DataError: there are none; the message lists every place.
    """
    for folder in folders:
        for pattern in benchmark.annotation_files:
            try:
                files = sorted(path for path in folder.glob(pattern) if path.is_file())
            except OSError as error:
                raise DataError(f"cannot look into {folder}: {error.strerror or error}.") from error
            if files:
                return folder, files
    places = [str(folder / pattern) for folder in folders for pattern in benchmark.annotation_files]
    raise DataError(
        f"the annotations of {benchmark.name} are missing; looked for {', '.join(places)}.",
        hint=f"Put the files of {benchmark.hub_id} there (sf-eval data fetch --tasks {benchmark.name} "
        "--to DIR does it), or use --data mini.",
    )


def read_documents(benchmark: Benchmark, files: Iterable[Path]) -> tuple[list[Row], list[Document]]:
    """Read, validate and translate all rows; a document's index counts through all files.

    Raises:
        DataError: naming file, row (counted from 0 through all files) and column of the first fault.
    """
    rows: list[Row] = []
    documents: list[Document] = []
    seen: dict[str, str] = {}
    for path in files:
        for row in read_rows(path):
            number = len(rows)
            try:
                check_row(row, number)
                document = benchmark.read_row(number, row)
                check_document(document, number)
            except DataError as error:
                raise DataError(f"{path}: {error.message}", hint=error.hint or _DAMAGED) from error
            place = f"row {number} of {path}"
            if document.id in seen:
                raise DataError(
                    f"{path}: row {number}: the question id {document.id!r} is already that of "
                    f"{seen[document.id]}.",
                    hint=_DAMAGED,
                )
            seen[document.id] = place
            rows.append(row)
            documents.append(document)
    if not documents:
        named = ", ".join(str(path) for path in files)
        raise DataError(f"{named}: there is no row in it.", hint=_DAMAGED)
    return rows, documents


_DAMAGED = "The file is damaged or not this benchmark's: fetch it again."


def _folder_name(benchmark: Benchmark) -> str:
    return benchmark.folder or benchmark.name


def _folders_in(source: DataSource, benchmark: Benchmark) -> list[Path]:
    """Where a directory source may hold the benchmark: its own subfolder, else the directory itself."""
    if source.root is None:
        raise ValueError("a directory source has a root")
    names = dict.fromkeys((_folder_name(benchmark), benchmark.name))
    return [*(source.root / name for name in names), source.root]
