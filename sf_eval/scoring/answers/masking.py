"""Takes the options' texts out of an output, so that what is left can be read for letters and denials.

"(d) cannot be seen" denies nothing where "cannot be seen" is option D's text, and the C of EgoSchema's
"c is cooking" is the camera wearer. Each text becomes one sign; the longest text at a place wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sf_eval.scoring.answers.normalise import BETWEEN_STEPS, bare, steps
from sf_eval.scoring.answers.wording import TEXT

_FIRST_SIGN = 0xE000
_MOST_TEXTS = 32
_STRANGERS = re.compile(TEXT)
# "no cut", "no-one": a word of the sentence. Before these words "no" is an answer: "no it does not".
_NOT_OF_A_NOUN = (
    r"(?:i|he|she|it|they|we|you|the|a|an|this|that|these|those|there|is|are|was|were|does|did|do|and|or|but"
    r"|not|because|since|as|if|when|while|until|unless|then|so|in|on|at|to|for|from|with|by|of|based|due"
    r"|wait|sorry|actually|no|yes|way(?=[^\w\s]|\s*$))\b"
)
_DETERMINER = rf"(?:-[a-z]| (?!{_NOT_OF_A_NOUN})[a-z])"


@dataclass(frozen=True)
class Masked:
    """An output whose option texts are signs.

    Attributes:
        text: the normalised output with one sign in place of each option's text.
        letters: sign to the lower-case letters of the options that have this text.
        texts: sign to the text it stands for.
        names: letters that the options' own texts use as names ("person b"), lower case.
    """

    text: str
    letters: Mapping[str, frozenset[str]]
    texts: Mapping[str, str]
    names: frozenset[str]

    def owner(self, sign: str) -> str | None:
        """The one letter whose text the sign stands for; None where options share the text."""
        owners = self.letters[sign]
        return next(iter(owners)) if len(owners) == 1 else None

    def length(self, sign: str) -> int:
        """The number of words of the text the sign stands for."""
        return len(self.texts[sign].split())

    def is_number(self, sign: str) -> bool:
        """The text is a number, so that it can also be the label of a list."""
        return self.texts[sign].isdigit()


@dataclass(frozen=True)
class _Signs:
    """What of the options every output is masked with."""

    pattern: re.Pattern[str] | None
    by_group: tuple[str, ...]
    letters: Mapping[str, frozenset[str]]
    texts: Mapping[str, str]
    names: frozenset[str]


def mask(text: str, options: Mapping[str, str]) -> Masked:
    """`text`, which is normalised, with the options' texts replaced by signs."""
    signs = _signs(tuple(options.items()))
    text = _STRANGERS.sub("", text)
    if signs.pattern is not None:
        text = signs.pattern.sub(lambda found: signs.by_group[(found.lastindex or 1) - 1], text)
    return Masked(text, signs.letters, signs.texts, signs.names)


@lru_cache(maxsize=256)
def _signs(options: tuple[tuple[str, str], ...]) -> _Signs:
    owners: dict[str, set[str]] = {}
    for letter, option in options:
        shown = bare(option)
        if shown and not (len(shown) == 1 and shown.isalpha()):
            owners.setdefault(shown, set()).add(letter.casefold())
    texts = {chr(_FIRST_SIGN + place): shown for place, shown in enumerate(owners) if place < _MOST_TEXTS}
    longest_first = sorted(texts, key=lambda sign: len(texts[sign]), reverse=True)
    return _Signs(
        re.compile("|".join(f"({_whole(texts[sign])})" for sign in longest_first)) if texts else None,
        tuple(longest_first),
        {sign: frozenset(owners[shown]) for sign, shown in texts.items()},
        texts,
        frozenset(letter for letter in "abcdefgh" if any(_is_name(letter, text) for _, text in options)),
    )


def _whole(shown: str) -> str:
    """The text as whole words; a number also not as a part of another number, and without a sign."""
    before, after = "", ""
    if shown[0].isalnum():
        before = r"(?<![a-z0-9%\-–])(?<!\d[.,:/])" if shown[0].isdigit() else r"(?<![a-z0-9])"
    if shown[-1].isalnum():
        after = r"(?![a-z0-9%])(?![.,:/\-–]\d)" if shown[-1].isdigit() else r"(?![a-z0-9])"
    if shown == "no":
        after += rf"(?!{_DETERMINER})"
    return before + BETWEEN_STEPS.join(_spaced(step) for step in steps(shown)) + after


def _spaced(text: str) -> str:
    return r"\s+".join(re.escape(word) for word in text.split())


def _is_name(letter: str, option: str) -> bool:
    """The option's text uses `letter` as a word that is no article."""
    option = option.strip()
    if len(option) < 2:
        return False
    if letter == "a":
        return re.search(r"(?<=[\w\])] )A\b|(?<![\w'])[aA](?=\s*(?:$|[.,;:!?)\]/>-]))", option) is not None
    return re.search(rf"(?<![\w']){letter}(?!\w)(?!'t)", option, re.IGNORECASE) is not None
