"""Typed reading of annotation rows: a row that is damaged or hostile is an error naming row and column."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, NoReturn

from sf_eval.core.errors import DataError

MAX_TEXT = 100_000  # characters; the longest real question has about 2,000
MAX_OPTIONS = 6
# C0 and C1 controls and DEL, which a terminal may obey, but for tab and ends of lines (U+0085 is one); halves
# of surrogate pairs, which no encoding can write.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_ENDS_OF_LINE = re.compile("[\t\n\r\x85\u2028\u2029]")
# Longest path that file systems commonly take.
_MAX_PATH = 1024


class RowReader:
    """Reads one row's columns by name and kind.

    Args:
        row: column to value.
        index: the row's number in its file, from 0; every error names it.
        source: what the row is of, e.g. the benchmark's name; every error starts with it.
    """

    def __init__(self, row: Mapping[str, Any], index: int, source: str) -> None:
        self.index = index
        self.source = source
        if not isinstance(row, Mapping):
            raise DataError(f"{source}, row {index} is {_kind(row)}, not a mapping of columns to values.")
        self._row = row

    def text(self, name: str) -> str:
        """A text that is not blank."""
        value = self._text(name, self._value(name))
        if not value.strip():
            self.fail(name, "is empty")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text, or None where the column is missing, null or empty."""
        value = self._row.get(name)
        return None if value is None or value == "" else self._text(name, value)

    def identifier(self, name: str) -> str:
        """A text of one line, or a whole number as text."""
        value = self._value(name)
        value = str(value) if _is_integer(value) else self._text(name, value).strip()
        if not value or _ENDS_OF_LINE.search(value):
            self.fail(name, "is not a name of one line")
        return str(value)

    def integer(self, name: str, *, low: int | None = None, high: int | None = None) -> int:
        """A whole number, also one written as text ("3"); between low and high, both included."""
        value = self._value(name)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not _is_integer(value):
            self.fail(name, f"is {_kind(value)}, not a whole number")
        if (low is not None and value < low) or (high is not None and value > high):
            self.fail(name, f"is {value}, not between {low} and {high}")
        return int(value)

    def number(self, name: str) -> float:
        """A finite number, also one written as text."""
        value = self._value(name)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                self.fail(name, "is a text, not a number")
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(name, f"is {_kind(value)}, not a number")
        if not math.isfinite(value):
            self.fail(name, f"is {value}, not a finite number")
        return float(value)

    def optional_number(self, name: str) -> float | None:
        """A finite number, or None where the column is missing or null."""
        return None if self._row.get(name) is None else self.number(name)

    def texts(self, name: str, *, low: int = 2, high: int = MAX_OPTIONS) -> list[str]:
        """A list of low to high texts, none blank."""
        value = self._value(name)
        if not isinstance(value, list | tuple):
            self.fail(name, f"is {_kind(value)}, not a list of texts")
        if not low <= len(value) <= high:
            self.fail(name, f"has {len(value)} entries, not {low} to {high}")
        entries = [self._text(name, entry) for entry in value]
        if not all(entry.strip() for entry in entries):
            self.fail(name, "has an empty entry")
        return entries

    def nullable_text(self, name: str) -> str | None:
        """A text, which may be blank, or None where the column is null (or NaN, which stands for null)."""
        if name not in self._row:
            self.fail(name, "is missing")
        return self._nullable(name, self._row[name])

    def nullable_texts(self, name: str, *, high: int = MAX_OPTIONS) -> list[str | None]:
        """A list of at most `high` entries, each a text or null."""
        value = self._value(name)
        if not isinstance(value, list | tuple):
            self.fail(name, f"is {_kind(value)}, not a list of texts")
        if len(value) > high:
            self.fail(name, f"has {len(value)} entries, more than {high}")
        return [self._nullable(name, entry) for entry in value]

    def letter(self, name: str, offered: Mapping[str, str]) -> str:
        """The letter of one of the options offered."""
        value = self.identifier(name).strip("().").upper()
        if value not in offered:
            self.fail(name, f"is {value[:20]!r}, which is none of the options {', '.join(offered)}")
        return value

    def path(self, name: str) -> str:
        """A relative POSIX path that names something below the folder it starts from."""
        value = self.identifier(name)
        parts = PurePosixPath(value).parts
        unsafe = value.startswith("/") or ".." in parts or "\\" in value or re.match(r"[A-Za-z]:", value)
        if unsafe or not parts or len(value) > _MAX_PATH:
            self.fail(name, f"is {value[:80]!r}, which is no path below the media folder")
        return str(PurePosixPath(value))

    def file_name(self, name: str) -> str:
        """A name that is one component of a path."""
        value = self.path(name)
        if "/" in value:
            self.fail(name, f"is {value[:80]!r}, not a plain file name")
        return value

    def has(self, name: str) -> bool:
        """The column exists and is not null."""
        return self._row.get(name) is not None

    def fail(self, name: str, problem: str) -> NoReturn:
        """Raise the DataError that says `problem` of column `name`."""
        raise DataError(
            f"{self.source}, row {self.index}, column {name!r} {problem}.",
            hint="The annotation file is damaged or not this benchmark's: fetch it again.",
        )

    def _value(self, name: str) -> Any:
        if name not in self._row:
            self.fail(name, "is missing")
        if self._row[name] is None:
            self.fail(name, "is null")
        return self._row[name]

    def _nullable(self, name: str, value: Any) -> str | None:
        is_null = value is None or (isinstance(value, float) and math.isnan(value))
        return None if is_null else self._text(name, value)

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str):
            self.fail(name, f"is {_kind(value)}, not a text")
        if len(value) > MAX_TEXT:
            self.fail(name, f"has {len(value)} characters, more than {MAX_TEXT}")
        if found := _FORBIDDEN.search(value):
            self.fail(name, f"holds the control character U+{ord(found.group()):04X}")
        return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", str: "a text", bool: "a truth value", int: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")
