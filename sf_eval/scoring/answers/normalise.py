"""Puts a model's words into the one form that answers are looked for in."""

from __future__ import annotations

import re
import unicodedata

_SAME = {
    '"': "“”„«»「」『』《》〈〉",
    "'": "’‘′",
    ",": "，",
    ".": "。",
    "[": "【",
    "]": "】",
    "-": "•●▪‣",
}
_SAME_SIGN = str.maketrans({other: sign for sign, others in _SAME.items() for other in others})
_SAME_SIGN[ord("、")] = ", "
_NAME_JOINT = re.compile(r"(?<=[a-z])_(?=[a-z])")
_MARKDOWN = re.compile(r"[*_`#$~]+")
_LATEX_WRAPPER = re.compile(r"\\(?:text|textbf|mathbf|mathrm|mathit|bf|rm)\s*\{([^{}]*)\}")
_LATEX_BRACKET = re.compile(r"\\[()\[\]]")
_HTML_STYLE = re.compile(r"</?(?:b|i|u|p|em|strong|span|code)\s*>")
_BROKEN_TAG = re.compile(r"</?[a-z]{0,6}$")
_ARROW = re.compile(r" ?(?:-{1,2}>|=>|[→➡⇒➔➜]) ?")
# Characters without a look: controls, marks of direction and width, variation selectors, byte order marks.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff]"
)
_SPACES = re.compile(r"[^\S\n]+")
# Blank lines mean no more than one does, and runs of them would cost time at every place of a pattern.
_BLANK_LINES = re.compile(r"\n(?: ?\n)+")
# Pictures of letters that NFKC leaves alone: squared and circled white ones.
_PICTURED = {start + place: chr(ord("a") + place) for start in (0x1F150, 0x1F170) for place in range(26)}
# A mark beside an option that picks it, or that does not. A bare cross in a box may mean either.
TICKED, UNTICKED, UNCLEAR = "[x]", "[ ]", "[?]"
_TICKS = {
    **dict.fromkeys("✅✔☑✓🗸👍◉⦿🔘", TICKED),
    **dict.fromkeys("❌✗✘✖❎⛔🚫👎⨯☐⬜○◯⭕🔲", UNTICKED),
    **dict.fromkeys("☒🗵", UNCLEAR),
}
_MARKED = str.maketrans({mark: f" {tick} " for mark, tick in _TICKS.items()})
_WORD = re.compile(r"\w+(?:'\w+)*")
_PICTURES = ("So", "Sk")
# What may stand around an answer without being part of it.
AROUND = " \t\n.,;:!?\"'()[]{}<>-–—…|"

# Between the steps of an order ("2->1->3") a model may write another sign than the option does.
BETWEEN_STEPS = r"\s?(?:->|[-–,>])\s?"
_BETWEEN = re.compile(BETWEEN_STEPS)
_NUMBERS = re.compile(r"\d{1,3}(?:\s?[-–,>]\s?\d{1,3}){2,}")


def normalise(text: str) -> str:
    """Case, width, quotes, markup, spaces and invisible characters that carry no meaning are taken away.

    Line breaks stay, two in a row at most.
    """
    text = _INVISIBLE.sub("", text)
    text = unicodedata.normalize("NFKC", text.replace("…", "...")).translate(_SAME_SIGN).casefold()
    if "</" in text:
        text = _BROKEN_TAG.sub("", _HTML_STYLE.sub("", text))
    text = _LATEX_WRAPPER.sub(r"\1", text)
    text = _LATEX_BRACKET.sub(" ", text)
    text = _MARKDOWN.sub("", _NAME_JOINT.sub(" ", text))
    text = _ARROW.sub("->", _SPACES.sub(" ", text))
    return _BLANK_LINES.sub("\n\n", text).strip()


def without_pictures(text: str) -> str:
    """A normalised text without pictures; ticks and crosses are "[x]" and "[ ]", pictured letters letters."""
    if text.isascii():
        return text
    text = text.translate(_MARKED).translate(_PICTURED)
    text = "".join(
        " " if sign >= "\u2190" and unicodedata.category(sign) in _PICTURES else sign for sign in text
    )
    return _SPACES.sub(" ", text).strip()


def bare(text: str) -> str:
    """`text`, normalised, in one line, without punctuation and brackets around it."""
    return " ".join(normalise(text).strip(AROUND).split())


def steps(text: str) -> list[str]:
    """The steps of an order such as "2->1->3" or "cut->fry->eat"; any other text is one step.

    Orders of single letters are left alone: "a, b, c" may list options instead.
    """
    if "->" in text or _NUMBERS.fullmatch(text):
        parts = _BETWEEN.split(text)
        if len(parts) > 2 and all(parts) and not all(len(part) == 1 and part.isalpha() for part in parts):
            return parts
    return [text]


def words(text: str) -> list[str]:
    """The words of a normalised text."""
    return _WORD.findall(text)
