"""Puts a model's words into the one form that answers are looked for in."""

from __future__ import annotations

import re
import unicodedata

_SAME = {
    '"': "“”„«»「」『』《》〈〉",
    "'": "’‘′",
    ",": "，、",
    ".": "。",
    "[": "【",
    "]": "】",
    "-": "•●▪‣",
}
_SAME_SIGN = str.maketrans({other: sign for sign, others in _SAME.items() for other in others})
_NAME_JOINT = re.compile(r"(?<=[a-z])_(?=[a-z])")
_MARKDOWN = re.compile(r"[*_`#$~]+")
_LATEX_WRAPPER = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mathit|bf|rm)\s*\{([^{}]*)\}")
_LATEX_BRACKET = re.compile(r"\\[()\[\]]")
_HTML_STYLE = re.compile(r"</?(?:b|i|u|p|em|strong|span|code)\s*>")
_ARROW = re.compile(r" ?(?:-{1,2}>|=>|→) ?")
_SPACES = re.compile(r"[^\S\n]+")
_WORD = re.compile(r"\w+(?:'\w+)*")
# What may stand around an answer without being part of it.
AROUND = " \t\n.,;:!?\"'()[]{}<>-–—…|"


def normalise(text: str) -> str:
    """Case, width, quotes, markup and spaces that carry no meaning are taken away; line breaks stay."""
    text = unicodedata.normalize("NFKC", text.replace("…", "...")).translate(_SAME_SIGN).casefold()
    if "</" in text:
        text = _HTML_STYLE.sub("", text)
    text = _LATEX_WRAPPER.sub(r"\1", text)
    text = _LATEX_BRACKET.sub(" ", text)
    text = _MARKDOWN.sub("", _NAME_JOINT.sub(" ", text))
    return _ARROW.sub("->", _SPACES.sub(" ", text)).strip()


def bare(text: str) -> str:
    """`text`, normalised, in one line, without punctuation and brackets around it."""
    return " ".join(normalise(text).strip(AROUND).split())


def words(text: str) -> list[str]:
    """The words of a normalised text."""
    return _WORD.findall(text)
