"""A benchmark whose annotations were read: its documents and the places of its media."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sf_eval.benchmarks import media
from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.media import MissingFile
from sf_eval.data.source import DataSource


@dataclass(frozen=True)
class OpenBenchmark:
    """A benchmark whose annotations were read and validated.

    Attributes:
        documents: in the order of the rows, each read from the disk when it is asked for; a document's
            `index` is its row's number.
        row_seconds: how long each row says that its video is; NaN where it does not.
        annotation_files: the files that the rows came from.
        folder: the benchmark's own folder: the annotation globs and the media root start from it.
        media_root: the folder that media paths start from.
        revision: the Hub commit the data has, where it is known.
        source_label: how tables name the source, e.g. "mini edition v1 (synthetic)".
        is_mini: the data is synthetic, whatever way it was given: every table must say so.
    """

    benchmark: Benchmark
    source: DataSource
    documents: Sequence[Document]
    row_seconds: Sequence[float]
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
