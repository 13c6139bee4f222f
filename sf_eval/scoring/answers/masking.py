"""Takes the options' texts out of an output, so that what is left can be read for letters and denials.

"(d) cannot be seen" denies nothing where "cannot be seen" is option D's text, and the C of EgoSchema's
"c is cooking" is the camera wearer. Each text becomes one sign; the longest text at a place wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sf_eval.scoring.answers.normalise import bare, normalise
from sf_eval.scoring.answers.wording import TEXT

_FIRST_SIGN = 0xE000
_STRANGERS = re.compile(TEXT)


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


def mask(output: str, options: Mapping[str, str]) -> Masked:
    """`output`, normalised, with the options' texts replaced by signs."""
    text = _STRANGERS.sub("", normalise(output))
    owners: dict[str, set[str]] = {}
    for letter, option in options.items():
        shown = bare(option)
        if shown and not (len(shown) == 1 and shown.isalpha()):
            owners.setdefault(shown, set()).add(letter.casefold())
    signs = {shown: chr(_FIRST_SIGN + place) for place, shown in enumerate(owners)}
    if signs:
        longest_first = sorted(signs, key=len, reverse=True)
        pattern = re.compile("|".join(_whole(shown) for shown in longest_first))
        text = pattern.sub(lambda found: signs[" ".join(found.group().split())], text)
    return Masked(
        text,
        {sign: frozenset(owners[shown]) for shown, sign in signs.items()},
        {sign: shown for shown, sign in signs.items()},
        frozenset(
            letter for letter in "abcdefgh" if any(_is_name(letter, text) for text in options.values())
        ),
    )


def _whole(shown: str) -> str:
    """The text as whole words; a number also not as a part of another number, and without a sign."""
    before, after = "", ""
    if shown[0].isalnum():
        before = r"(?<![a-z0-9%\-–])(?<!\d[.,:/])" if shown[0].isdigit() else r"(?<![a-z0-9])"
    if shown[-1].isalnum():
        after = r"(?![a-z0-9%])(?![.,:/\-–]\d)" if shown[-1].isdigit() else r"(?![a-z0-9])"
    return before + r"\s+".join(re.escape(word) for word in shown.split()) + after


def _is_name(letter: str, option: str) -> bool:
    """The option's text uses `letter` as a word that is no article."""
    option = option.strip()
    if len(option) < 2:
        return False
    if letter == "a":
        return re.search(r"(?<=[\w\])] )A\b|(?<![\w'])[aA](?=\s*(?:$|[.,;:!?)\]/>-]))", option) is not None
    return re.search(rf"(?<![\w']){letter}(?!\w)(?!'t)", option, re.IGNORECASE) is not None
