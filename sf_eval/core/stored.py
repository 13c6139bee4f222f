"""Records that stay on the disk: a sequence that reads each one when it is asked for.

A run has as many questions, answers and samples as its benchmarks have rows. In memory stands where each
begins in its file (8 bytes), not what it says.
"""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar, cast, overload

from sf_eval.core.errors import OutputError

T = TypeVar("T")
_READ_BYTES = 4096


class LineFile:
    """A file of lines, read anywhere; what is read stays the same where the file is replaced by another.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._hold(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    @classmethod
    def of(cls, stream: BinaryIO) -> LineFile:
        """The file that `stream` writes, also after it is closed or renamed."""
        made = cls.__new__(cls)
        made._hold(os.dup(stream.fileno()))
        return made

    def _hold(self, handle: int) -> None:
        self._handle = handle
        weakref.finalize(self, os.close, handle)

    def line_at(self, start: int) -> bytes:
        """The line that begins at byte `start`, without its end."""
        pieces: list[bytes] = []
        while piece := os.pread(self._handle, _READ_BYTES, start):
            head, end, _ = piece.partition(b"\n")
            pieces.append(head)
            if end:
                break
            start += len(piece)
        return b"".join(pieces)


class Stored(Sequence[T], Generic[T]):
    """The records whose lines begin at `starts`, in that order."""

    def __init__(self, file: LineFile, starts: array[int], decode: Callable[[bytes], T]) -> None:
        self._file = file
        self._starts = starts
        self._decode = decode

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Stored[T]: ...
    def __getitem__(self, index: int | slice) -> T | Stored[T]:
        if isinstance(index, slice):
            return Stored(self._file, self._starts[index], self._decode)
        return self._decode(self._file.line_at(self._starts[index]))

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[T]:
        return (self._decode(self._file.line_at(start)) for start in self._starts)

    def __eq__(self, other: object) -> bool:
        """Whether it has the same records, as a sequence of any kind."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(one == two for one, two in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def write_lines(stream: BinaryIO, lines: Iterable[bytes]) -> array[int]:
    """Write a line each; returns where each begins."""
    starts = array("q")
    for line in lines:
        starts.append(stream.tell())
        stream.write(line + b"\n")
    stream.flush()
    return starts


def stored(records: Iterable[T], encode: Callable[[T], bytes], decode: Callable[[bytes], T]) -> Stored[T]:
    """The records in a file without a name in the temporary folder (`$TMPDIR`): it goes with the process.

    Args:
        encode: to one line, without its end.

    Raises:
        OutputError: the temporary folder is full or cannot be written.
    """
    try:
        return _spill.store(records, encode, decode)
    except OSError as error:
        raise _without_room(error) from error


class _Spill:
    """The one file of all that this process stores: a comparison of a hundred runs opens no more."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # records may be made of others that are stored meanwhile
        self._stream: BinaryIO | None = None
        self._file: LineFile | None = None

    def store(
        self, records: Iterable[T], encode: Callable[[T], bytes], decode: Callable[[bytes], T]
    ) -> Stored[T]:
        with self._lock:
            try:
                if self._stream is None or self._file is None:
                    self._stream = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - open as long as we are
                    self._file = LineFile.of(self._stream)
                stream, file = self._stream, self._file
                starts = write_lines(stream, map(encode, records))
            except OSError:
                self._stream = self._file = None  # what it could not write is still in its buffer
                raise
            return Stored(file, starts, decode)


def _begin_anew() -> None:
    """In a forked child: its parent goes on writing into its own file."""
    global _spill
    _spill = _Spill()


_spill = _Spill()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _without_room(error: OSError) -> OutputError:
    folder = tempfile.tempdir or "the temporary folder"
    return OutputError(
        f"cannot write {folder}: {error.strerror or error}.",
        hint="A run keeps its questions there: set TMPDIR to a folder that has room and can be written.",
    )
