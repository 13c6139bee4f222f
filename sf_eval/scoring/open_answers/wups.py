"""WUPS: how like an open answer is to an accepted one, by the Wu-Palmer likeness of their words.

Malinowski and Fritz, "A Multi-World Approach to Question Answering about Real-World Scenes" (NeurIPS 2014),
as NExT-QA's authors compute it (doc-doc/NExT-OE, metrics.py; lmms-eval's nextqa tasks copy it): both texts as
lemmas without stop words; each word counts by the word of the other text that is likest to it, one that is
like none is passed over; the product of these is taken both ways, and the smaller is the score.

Where the number differs from lmms-eval's: an answer without words scores 0 (there it may equal an accepted
answer of stop words alone), and a text is cut into words once, not twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

THRESHOLD = 0.0
"""What the headline takes, as lmms-eval's: no likeness is scaled down."""

_SCALE = 0.1

_LISTED = (
    "i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves "
    "he him his himself she she's her hers herself it it's its itself they them their theirs themselves "
    "what which who whom this that that'll these those am is are was were be been being have has had "
    "having do does did doing a an the and but if or because as until while to from of at for with "
    "about into through during again further then here there when where why how all any each most other "
    "some such only own so than too very s t can will just don don't should should've now d ll m o re "
    "ve y ain aren aren't couldn couldn't didn didn't doesn doesn't hadn hadn't hasn hasn't haven "
    "haven't isn isn't ma mightn mightn't mustn mustn't needn needn't shan shan't shouldn shouldn't "
    "wasn wasn't weren weren't won won't wouldn wouldn't "
)
STOP_WORDS = frozenset(_LISTED.split())
"""NExT-QA's, as lmms-eval's task lists them; "no", "not" and words of place are not among them."""


class Lexicon(Protocol):
    """What knows words and how like they are."""

    @property
    def name(self) -> str:
        """As tables name it, e.g. "WordNet 3.0"."""

    def lemmas(self, text: str) -> list[str]:
        """The text's words in order, in small letters and each in its basic form."""

    def likeness(self, one: str, other: str) -> float:
        """Wu-Palmer likeness of the first senses of two lemmas, from 0 to 1; 0 for a word without any."""


def content_words(text: str, lexicon: Lexicon) -> list[str]:
    """The lemmas of `text` that are no stop words."""
    return [word for word in lexicon.lemmas(text) if word not in STOP_WORDS]


def wups(text: str, references: Iterable[str], lexicon: Lexicon, *, threshold: float = THRESHOLD) -> float:
    """The score of `text` against the accepted answer that it is likest to, from 0 to 1.

    Args:
        threshold: likenesses below it count a tenth (0.9 for the stricter WUPS of the literature).
    """
    words = content_words(text, lexicon)
    if not words:
        return 0.0
    return max(
        (
            _both_ways(words, content_words(reference, lexicon), lexicon, threshold)
            for reference in references
        ),
        default=0.0,
    )


def same_words(text: str, references: Iterable[str], lexicon: Lexicon) -> bool:
    """Whether `text` has the lemmas of an accepted answer, stop words aside: for counts, and yes or no."""
    words = content_words(text, lexicon)
    return bool(words) and any(words == content_words(reference, lexicon) for reference in references)


def _both_ways(one: Sequence[str], other: Sequence[str], lexicon: Lexicon, threshold: float) -> float:
    return min(_one_way(one, other, lexicon, threshold), _one_way(other, one, lexicon, threshold))


def _one_way(words: Sequence[str], others: Sequence[str], lexicon: Lexicon, threshold: float) -> float:
    best = [
        max((_likeness(word, other, lexicon, threshold) for other in others), default=0.0) for word in words
    ]
    known = [likeness for likeness in best if likeness > 0]
    product = 1.0 if known else 0.0
    for likeness in known:
        product *= likeness
    return product


def _likeness(word: str, other: str, lexicon: Lexicon, threshold: float) -> float:
    if word == other:
        return 1.0
    likeness = lexicon.likeness(word, other)
    return likeness if likeness >= threshold else _SCALE * likeness
