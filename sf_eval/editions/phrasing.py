"""How the mini editions ask: many wordings of each kind of question, some of them kept for the test data.

A wording is made from a pattern such as "{What|Which} colour is the {disc|spot}?". One in five, by a hash of
its text, belongs to the test: training never sees it (`sf_eval.training` takes the others).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Literal

Split = Literal["test", "train"]

_TEST_SHARE = 5  # one in so many

_DISC = "{disc|spot}"
_FLASHES = "{flashes|appears|lights up}"
_BRIEFLY = "{for a moment|briefly|once}"
_ARROW = "{arrow|pointer}"
_VIDEO = "{video|clip|film}"

PATTERNS: dict[str, tuple[str, ...]] = {
    "disc_colour": (
        f"{{What|Which}} colour {{is|has}} the {_DISC} that {_FLASHES} {_BRIEFLY}?",
        f"A {_DISC} {_FLASHES} {_BRIEFLY}. {{What|Which}} colour {{is it|does it have}}?",
        f"{{Name|Choose}} the colour of the {_DISC} that {_FLASHES} {_BRIEFLY}.",
    ),
    "disc_background": (
        f"On {{what|which}} background does the {_DISC} {{flash|appear|light up}} {_BRIEFLY}?",
        f"{{What|Which}} background is {{seen|shown}} {{when|while}} the {_DISC} {_FLASHES}?",
        f"{{Name|Choose}} the background on which the {_DISC} {_FLASHES}.",
    ),
    "bar_count": (
        f"How many {{bars|stripes}} {{flash|appear|light up}} {_BRIEFLY}?",
        f"{{Count|Give the number of}} the {{bars|stripes}} that {{flash|appear|light up}} {_BRIEFLY}.",
        f"{{Bars|Stripes}} {{flash|appear|light up}} {_BRIEFLY}. How many {{are there|are they}}?",
    ),
    "direction": (
        f"In {{what|which}} direction does the {_ARROW} {{move|travel|go}} in the {_VIDEO}?",
        f"{{What|Which}} way does the {_ARROW} {{move|travel|go}}?",
        f"{{Name|Choose}} the direction in which the {_ARROW} {{moves|travels|goes}}.",
    ),
    "mover_colour": (
        f"{{What|Which}} colour {{is|has}} the {{moving|travelling}} {_ARROW} in the {_VIDEO}?",
        f"{{What|Which}} colour {{is|has}} the {_ARROW} that {{moves|travels|goes}} across?",
        f"{{Name|Choose}} the colour of the {{moving|travelling}} {_ARROW}.",
    ),
    "background_seen": (
        f"Which of {{these|the listed}} backgrounds {{is seen|is shown|appears}} in the {_VIDEO}?",
        f"{{What|Which}} background {{can be seen|is part of the scene}} in the {_VIDEO}?",
        f"{{Name|Choose}} the background that {{is seen|is shown}} in the {_VIDEO}.",
    ),
    "subtitle_word": (
        f"{{What|Which}} word {{is spoken|is said|is heard}} in the {_VIDEO}?",
        "{What|Which} word does the {speaker|voice} {say|name}?",
        "{Name|Choose} the word that the {speaker|voice} {says|names}.",
    ),
    "saying": (
        "{The|Our|My} word {is|will be} WORD.",
        "{Remember|Mind|Note} {the|this|our} word WORD.",
    ),
}
"""Patterns of each kind of question, and of what a subtitle says; `{a|b}` stands for either."""


@lru_cache(maxsize=32)
def wordings(kind: str, split: Split) -> tuple[str, ...]:
    """Every wording of `kind` that belongs to `split`, in a fixed order."""
    return of_split(PATTERNS[kind], split)


def of_split(patterns: Sequence[str], split: Split) -> tuple[str, ...]:
    """Every wording of these patterns that belongs to `split`, in a fixed order."""
    texts = [text for pattern in patterns for text in _expand(pattern)]
    return tuple(text for text in texts if (_hash(text) % _TEST_SHARE == 0) == (split == "test"))


def _expand(pattern: str) -> list[str]:
    parts = re.split(r"\{([^}]*)\}", pattern)  # text, choice, text, choice, ..., text
    choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
