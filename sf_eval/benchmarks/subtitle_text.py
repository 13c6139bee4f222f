"""Subtitle files as text: their encoding, and their markup taken off, as a person would read them."""

from __future__ import annotations

import codecs
import html
import re

# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What every .srt holds, in two bytes a letter: it tells UTF-16 without a mark from everything else.
_ARROW = "-->"
_WITHOUT_MARK = tuple((_ARROW.encode(name), name) for name in ("utf-16-le", "utf-16-be"))

# Nobody sees these. Joiners (U+200C, U+200D) stay: they change how Persian, Hindi and emoji are written.
_INVISIBLE = dict.fromkeys(
    [code for code in (*range(0x20), *range(0x7F, 0xA0)) if not chr(code).isspace()]
    + [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF]
)

_BREAK = re.compile(r"<\s?/?\s?(?:br|p|div|li)\b[^<>]*>", re.IGNORECASE)
_NAMES = "b|i|u|s|em|strong|small|big|font|span|c|v|lang|ruby|rt|rp|sub|sup|tt|center|strike|del|ins|mark"
_TAG = re.compile(rf"<\s?/?\s?(?:{_NAMES})(?:[\s.][^<>]*)?/?>", re.IGNORECASE)
_INLINE_TIME = re.compile(
    r"<\s?(?:\d{1,3}:)?\d{1,3}:\d{1,2}(?:[.,]\d{1,9})?\s?>"
)  # YouTube's: when each word is spoken
_OVERRIDE = re.compile(r"\{\s?\\[^{}]*\}")  # ASS: {\an8}, {\i1}
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")


class SubtitleError(ValueError):
    """A subtitle file that cannot be read for sure.

    Attributes:
        line: counted from 1; None where it is about the whole file.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def decoded(data: bytes) -> str:
    r"""The text of a file in UTF-8, UTF-16 or UTF-32, its lines ended by "\n", without what nobody sees.

    Other encodings cannot be told apart for sure (the same bytes are French in one and Russian in another),
    and a wrong guess would put wrong words into the prompt.

    Raises:
        SubtitleError: another encoding, with the line that shows it.
    """
    mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", ""))
    if not encoding:
        # At an even place: in the other order of bytes the same three letters begin one byte later.
        placed = (name for arrow, name in _WITHOUT_MARK if (at := data.find(arrow)) >= 0 and at % 2 == 0)
        encoding = next(placed, "utf-8")
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        before = data[len(mark) :][: error.start].decode(encoding, errors="replace")
        line = _lines_ended(before).count("\n") + 1
        what = f"is not {encoding.upper()}: convert the file (iconv -f ITS-ENCODING -t UTF-8)"
        raise SubtitleError(what, line) from error
    seen = cleaned(text)
    if text.strip() and not seen.strip():
        raise SubtitleError("holds no subtitle, only characters that nobody sees")
    return seen


def cleaned(text: str) -> str:
    r"""The text with its lines ended by "\n" and without what nobody sees."""
    return _lines_ended(text).translate(_INVISIBLE)


def plain(text: str) -> str:
    r"""A subtitle without its markup, in one line: `<br>` parts words, `&#39;` is an apostrophe.

    Only what is known as markup goes: "x < 3", "<laughter>" and `C:\Notes` are what somebody said.
    """
    text = _BREAK.sub(" ", text)
    for markup in (_INLINE_TIME, _TAG, _OVERRIDE):
        text = markup.sub("", text)
    text = _ENTITY.sub(lambda entity: html.unescape(entity[0]).replace("\ufffd", ""), text)  # &#0;
    return " ".join(text.translate(_INVISIBLE).split())


def plain_ass(text: str) -> str:
    r"""The text of an ASS line: `\N` and `\n` end lines, `\h` is a space."""
    return " ".join(re.sub(r"\\[Nnh]", " ", _OVERRIDE.sub("", text)).translate(_INVISIBLE).split())


def _lines_ended(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
