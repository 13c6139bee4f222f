"""Answers that survive anything: an append-only file, one line an answer, on disk before the next is asked.

A line is `<crc32 of the JSON, 8 hex digits> <JSON>`. A kill in the middle of a write leaves a last
line without newline: opening the journal cuts it off. A damaged line elsewhere is skipped, so its question
is asked again. The key of an answer is a digest of everything that determines it, so a changed setting is
never mistaken for the same run.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from sf_eval.core.errors import OutputError
from sf_eval.core.files import output_error
from sf_eval.core.stored import LineFile
from sf_eval.inference import Answer, Failure, FailureKind, QuestionKey, Result, StageTimings
from sf_eval.video import VideoErrorReason, VideoNote, VideoNoteKind

SCHEMA = 2


class JournalResults(Mapping[str, Result]):
    """The last result under each digest, failures too, read from the file when it is asked for.

    In memory stand a digest's first 128 bits and where its line begins.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self._places: dict[bytes, int] = {}  # twice the first byte of its line, and 1 more for an answer
        self.answers = 0
        """How many of the results are no failures."""

    def note(self, digest: str, start: int, *, is_answer: bool) -> None:
        """The line at byte `start` holds the last result under `digest`."""
        name = _name(digest)
        self.answers += is_answer - (self._places.get(name, 0) & 1)
        self._places[name] = 2 * start + is_answer

    def is_answer(self, digest: str) -> bool:
        return bool(self._places.get(_name(digest), 0) & 1)

    def __getitem__(self, digest: str) -> Result:
        return self._read(self._places[_name(digest)])[1]

    def __contains__(self, digest: object) -> bool:
        return isinstance(digest, str) and _name(digest) in self._places

    def __iter__(self) -> Iterator[str]:
        return (self._read(place)[0] for place in self._places.values())

    def __len__(self) -> int:
        return len(self._places)

    def _read(self, place: int) -> tuple[str, Result]:
        value = _value_of(self._file.line_at(place // 2))
        assert value is not None, "a line that was whole is damaged now"
        return value.pop("digest"), _from_json(value)


def _name(digest: str) -> bytes:
    return hashlib.blake2b(digest.encode(), digest_size=16).digest()


class Journal:
    """The answers of one output directory.

    Args:
        path: the file; made if missing.

    Attributes:
        results: the last one under each digest, of whatever process.

    Raises:
        OutputError: the file cannot be written (full disk, read-only folder).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: after a failed write nothing may linger that a later close would write.
            self._stream: FileIO = path.open("a+b", buffering=0)
            self.results = self._recover()
        except OSError as error:
            raise output_error(path, error) from error

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()

    def get(self, digest: str) -> Answer | None:
        """The recorded answer; a recorded failure is None, since failed samples are tried again."""
        result = self.results[digest] if self.results.is_answer(digest) else None
        return result if isinstance(result, Answer) else None

    def last(self, digest: str) -> Result | None:
        """The last result under the digest, a failure too."""
        return self.results.get(digest)

    def append(self, digest: str, result: Result) -> None:
        """Write and fsync one result.

        Raises:
            OutputError: the disk is full or the folder read-only; what was recorded before stays whole.
        """
        payload = json.dumps({"v": SCHEMA, "digest": digest, **_to_json(result)}, ensure_ascii=True).encode()
        start = self._stream.seek(0, os.SEEK_END)
        try:
            write_all(self._stream, line_of(payload))
            os.fsync(self._stream.fileno())
        except OSError as error:
            with suppress(OSError):  # a disk that fails here too: opening the journal cuts the tail off
                self._stream.truncate(start)  # takes back a half-written line; needs no free space
            raise output_error(self.path, error) from error
        self.results.note(digest, start, is_answer=isinstance(result, Answer))

    def __len__(self) -> int:
        return self.results.answers

    def _recover(self) -> JournalResults:
        """Note every whole line; cut off what a kill left half-written at the end."""
        results, whole = _results_in(self.path)
        if whole < self._stream.seek(0, os.SEEK_END):
            self._stream.truncate(whole)
        return results


def read_journal(path: Path) -> JournalResults:
    """What a journal holds; a last line that is cut off is left as it is.

    Raises:
        OutputError: the file cannot be read.
    """
    try:
        return _results_in(path)[0]
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}.") from error


def _results_in(path: Path) -> tuple[JournalResults, int]:
    """The results of all whole lines, and how many bytes those are: a last one may be half-written."""
    results = JournalResults(path)
    whole = 0
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            value = _value_of(line[:-1])
            if value is not None:
                results.note(value["digest"], whole, is_answer="answer" in value)
            whole += len(line)
    return results, whole


def line_of(payload: bytes) -> bytes:
    """A line that tells when it is damaged."""
    return f"{zlib.crc32(payload):08x} ".encode() + payload + b"\n"


def payload_of(raw: bytes) -> bytes | None:
    """What `line_of` made a line of, its end taken off; None where the line is damaged."""
    checksum, _, payload = raw.partition(b" ")
    return payload if checksum.decode(errors="replace") == f"{zlib.crc32(payload):08x}" else None


def _value_of(raw: bytes) -> dict[str, Any] | None:
    """What a line says, its end taken off; None where it is damaged or of another version."""
    payload = payload_of(raw)
    value: dict[str, Any] | None = None if payload is None else json.loads(payload)
    return value if value is not None and value.pop("v") == SCHEMA else None


def _to_json(result: Result) -> dict[str, Any]:
    if isinstance(result, Answer):
        fields = {name: getattr(result, name) for name in result.__slots__}  # asdict copies all frame numbers
        notes = [asdict(note) for note in result.video_notes]
        parts = {"key": asdict(result.key), "timings": asdict(result.timings), "video_notes": notes}
        return {"answer": fields | parts}
    why = result.video_error
    said = {"kind": result.kind.value, "reason": result.reason, "video_error": why and why.value}
    return {"failure": {"key": asdict(result.key), **said}}


def _from_json(value: dict[str, Any]) -> Result:
    if "answer" in value:
        fields = dict(value["answer"])
        fields["key"] = QuestionKey(**fields["key"])
        fields["frame_indices"] = tuple(fields["frame_indices"])
        grid = fields.get("visual_grid")  # journals of earlier versions have none
        fields["visual_grid"] = None if grid is None else tuple(grid)
        fields["timings"] = StageTimings(**fields["timings"])
        notes = fields.get("video_notes", ())  # journals of earlier versions have none
        fields["video_notes"] = tuple(
            VideoNote(VideoNoteKind(note["kind"]), note["detail"]) for note in notes
        )
        return Answer(**fields)
    fields = value["failure"]
    why = fields.get("video_error")  # journals of earlier versions have none
    return Failure(
        QuestionKey(**fields["key"]),
        FailureKind(fields["kind"]),
        fields["reason"],
        None if why is None else VideoErrorReason(why),
    )


def write_all(stream: FileIO, data: bytes) -> None:
    """Write all of `data`, in as many pieces as the system takes it."""
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]
