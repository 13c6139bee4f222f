"""Opens a benchmark from the Hub, a directory or the mini editions: rows, documents, places of videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sf_eval.benchmarks import media
from sf_eval.benchmarks.annotations import check_document, check_row, read_rows
from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.media import MissingFile
from sf_eval.core.errors import DataError, UsageError, nearest

#: A mini edition's list of its files; where it lies, the data is synthetic.
MINI_INDEX = "mini_edition.json"

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
            self.media_root,
            document.media,
            what=f"{self.benchmark.name} question {document.id}",
            follow_links=self._is_users_own,
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
            return media.resolve(self.media_root, reference, what=what, follow_links=self._is_users_own)
        except media.MissingMediaError:
            return None

    def missing_media(self, documents: Iterable[Document] | None = None) -> list[MissingFile]:
        """The videos that are not there, of `documents` or of all.

        Raises:
            UnsafePathError: a row names a path that it must not.
        """
        wanted = self.documents if documents is None else documents
        return media.missing_media(
            self.media_root, wanted, name=self.benchmark.name, follow_links=self._is_users_own
        )

    @property
    def _is_users_own(self) -> bool:
        """The folder was given by the user, who may have put links into it."""
        return self.source.kind == "directory"


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
        from sf_eval.benchmarks.mini import LABEL

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
        from sf_eval.benchmarks import hub

        files, revision = hub.annotations(benchmark, source.revision)
        folder = hub.default_root(benchmark, revision)
    elif source.kind == "mini":
        from sf_eval.benchmarks.mini import mini_root

        folder = mini_root([_folder_name(benchmark)], progress) / _folder_name(benchmark)
        files = find_annotations(benchmark, [folder])[1]
    else:
        folder, files = find_annotations(benchmark, _folders_in(source, benchmark))
    rows, documents = read_documents(benchmark, files)
    if source.kind == "directory":
        folder = _folder_of(benchmark, _folders_in(source, benchmark), files, documents)
    if source.kind == "hub" and fetch_media:
        folder = hub.media_root(benchmark, revision)
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
        is_mini=is_mini_edition(folder),
    )
    if fetch_media:
        from sf_eval.benchmarks.completeness import require_complete

        require_complete(opened)
    return opened


def is_mini_edition(folder: Path) -> bool:
    """Whether `folder` is a mini edition, also one that was copied and is given as a directory."""
    return (folder / MINI_INDEX).exists()


def _label(benchmark: Benchmark, source: DataSource, folder: Path, revision: str | None) -> str:
    if source.kind == "hub":
        return f"Hub {benchmark.hub_id}@{revision}"
    if source.kind == "directory" and is_mini_edition(folder):
        return f"mini edition (synthetic), {source.label}"
    return source.label


def find_annotations(benchmark: Benchmark, folders: list[Path]) -> tuple[Path, list[Path]]:
    """The first folder with annotation files of the benchmark, and those files.

    Raises:
        DataError: there are none; the message lists every place.
    """
    for folder in folders:
        if files := _annotations_in(folder, benchmark):
            return folder, files
    places = [str(folder / pattern) for folder in folders for pattern in benchmark.annotation_files]
    hint = (
        f"Put the files of {benchmark.hub_id} there (sf-eval data fetch --tasks {benchmark.name} "
        "--to DIR does it), or use --data mini."
    )
    if snapshots := sorted((folders[-1] / "snapshots").glob("*/")):
        hint = f"It is a repository of the Hub's cache: give one of its snapshots, such as {snapshots[0]}."
    raise DataError(
        f"the annotations of {benchmark.name} are missing; looked for {', '.join(places)}.", hint=hint
    )


def _annotations_in(folder: Path, benchmark: Benchmark) -> list[Path]:
    """What the first of the benchmark's globs that matches anything matches in `folder`."""
    for pattern in benchmark.annotation_files:
        try:
            files = sorted(path for path in folder.glob(pattern) if path.is_file())
        except OSError as error:
            raise DataError(f"cannot look into {folder}: {error.strerror or error}.") from error
        if files:
            return files
    return []


def _folder_of(
    benchmark: Benchmark, folders: list[Path], files: list[Path], documents: list[Document]
) -> Path:
    """Which of `folders` is the benchmark's own: media paths start from it.

    `DIR/videomme/test-00000-of-00001.parquet` may lie in the benchmark's folder `DIR/videomme`, or in the
    inner folder of the Hub repository `DIR`. A mini edition's index tells, or the videos: the folder that has
    more of them. Without any, it is the repository, whose layout this is.
    """
    holding = [folder for folder in dict.fromkeys(folders) if _annotations_in(folder, benchmark) == files]
    outermost_first = sorted(holding, key=lambda folder: len(folder.parts))
    if len(holding) == 1:
        return holding[0]
    if mini := next(filter(is_mini_edition, outermost_first), None):
        return mini

    def videos(folder: Path) -> int:
        return media.count_present(_media_root(benchmark, folder), documents)

    return max(outermost_first, key=videos)  # the first of several that have as many


def _media_root(benchmark: Benchmark, folder: Path) -> Path:
    return folder / benchmark.media_root if benchmark.media_root else folder


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
