"""Whether an open answer says the same words as an accepted one."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_MARKS = re.compile(r"[^\w\s]|_")


def normalised(text: str) -> str:
    """The words without case, width, punctuation and English articles, one space between them.

    What SQuAD's scorer compares (Rajpurkar et al., EMNLP 2016), with Unicode's compatible forms folded first.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_ARTICLES.sub(" ", _MARKS.sub(" ", plain)).split())


def matches(text: str, references: Iterable[str]) -> bool:
    """Whether `text` says what one of the accepted answers says, and says anything."""
    said = normalised(text)
    return bool(said) and any(said == normalised(reference) for reference in references)
