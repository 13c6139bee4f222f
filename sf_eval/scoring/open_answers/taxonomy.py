"""A lexicon of a few words in one tree: what WUPS over the mini editions' words takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_WORD = re.compile(r"[a-z0-9']+")


@dataclass(frozen=True)
class Taxonomy:
    """Words and what each is a kind of.

    Args:
        name: as tables name it.
        parents: word to the broader word; the root is a kind of nothing ("").
        forms: other forms of words, to their basic form.
    """

    name: str
    parents: Mapping[str, str]
    forms: Mapping[str, str]

    def lemmas(self, text: str) -> list[str]:
        """The words in small letters, in the basic forms that are known."""
        return [self.forms.get(word, word) for word in _WORD.findall(text.lower())]

    def likeness(self, one: str, other: str) -> float:
        """2 * depth of the nearest common kind / (the one's depth + the other's); the root has depth 1.

        Wu and Palmer, "Verb Semantics and Lexical Selection" (ACL 1994).
        """
        first, second = self._path(one), self._path(other)
        common = sum(1 for here, there in zip(first, second, strict=False) if here == there)
        return 2 * common / (len(first) + len(second)) if common else 0.0

    def _path(self, word: str) -> list[str]:
        """From the root to the word; [] for a word that is not in the tree."""
        path: list[str] = []
        while word in self.parents:
            path.append(word)
            word = self.parents[word]
        return path[::-1]
