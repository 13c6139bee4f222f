"""WordNet, read by nltk from where its downloader puts it: words' basic forms, and how like they are.

Nothing is fetched here, and nothing stands in for it: without WordNet there is no WUPS.

Basic forms are found as NExT-QA's authors find them (pywsd's `lemmatize_sentence`): nltk's perceptron tagger
tells the part of speech; the shortest of WordNet's basic forms is taken; a word that WordNet does not know by
it is stemmed (Porter), if WordNet knows the stem, and else left alone. Sentences are cut at `.`, `!` and `?`
before a space; the authors' punkt model, which also knows abbreviations, is not needed for that.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sf_eval.core.errors import DataError

CORPUS = ("corpora/wordnet", "corpora/wordnet.zip/wordnet/")
TAGGER = "taggers/averaged_perceptron_tagger_eng/"
_WANTED = "python -m nltk.downloader wordnet averaged_perceptron_tagger_eng"
_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_PARTS = {"NN": "n", "JJ": "a", "VB": "v", "RB": "r"}

Tagged = Sequence[tuple[str, str]]


class WordNet:
    """A `Lexicon` of nltk's reader and tagger."""

    def __init__(self, reader: Any, tag: Callable[[list[str]], Tagged]) -> None:
        from nltk.stem import PorterStemmer
        from nltk.tokenize import NLTKWordTokenizer

        self._reader, self._tag = reader, tag
        self._cut, self._stem = NLTKWordTokenizer().tokenize, PorterStemmer().stem
        self._known: dict[tuple[str, str], float] = {}

    @property
    def name(self) -> str:
        return f"WordNet {self._reader.get_version()}"

    def lemmas(self, text: str) -> list[str]:
        words = [word for sentence in _SENTENCES.split(text) for word in self._cut(sentence)]
        return [self._lemma(word.lower(), _PARTS.get(tag[:2], "")) for word, tag in self._tag(words)]

    def likeness(self, one: str, other: str) -> float:
        if (one, other) not in self._known:
            first, second = (self._reader.synsets(word)[:1] for word in (one, other))
            found = first[0].wup_similarity(second[0]) if first and second else None
            self._known[one, other] = float(found or 0.0)
        return self._known[one, other]

    def _lemma(self, word: str, part: str) -> str:
        if not part:  # a pronoun, a number, a mark: the tag that the word has by itself decides, else a noun
            part = _PARTS.get(self._tag([word])[0][1][:2], "n")
        forms = self._reader._morphy(word, part)  # what nltk's own lemmatizer takes the shortest of
        lemma = min(forms, key=len) if forms else word
        if self._reader.synsets(lemma):
            return str(lemma)
        stem = self._stem(word)
        return str(stem) if self._reader.synsets(stem) else word


@lru_cache(maxsize=1)
def wordnet() -> WordNet:
    """WordNet as nltk finds it on this machine (`$NLTK_DATA`, ~/nltk_data and so on), read once.

    Raises:
        DataError: it, or the tagger, is not here or cannot be read; says how to get it.
    """
    import nltk
    from nltk.corpus.reader.wordnet import WordNetCorpusReader
    from nltk.tag import PerceptronTagger

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there are no other languages
            reader = WordNetCorpusReader(_found(nltk.data.find), None)
        tagger = PerceptronTagger()
    except LookupError as error:
        raise DataError(
            "WUPS needs WordNet and a part-of-speech tagger, which are not on this machine: "
            f"{_missing(nltk.data.find)}.",
            hint=f"Get them with {_WANTED}; or set NLTK_DATA to a folder that holds corpora/ and taggers/.",
        ) from error
    except (OSError, ValueError, KeyError, AssertionError) as error:
        raise DataError(
            f"WordNet cannot be read: {type(error).__name__}: {error}.", hint=f"Get it anew: {_WANTED}."
        ) from error
    return WordNet(reader, tagger.tag)


def _found(find: Callable[[str], Any]) -> Any:
    """The corpus as a folder or as the archive that the downloader leaves."""
    try:
        return find(CORPUS[0])
    except LookupError:
        return find(CORPUS[1])


def _missing(find: Callable[[str], Any]) -> str:
    """Which of the two nltk does not find."""
    missing = []
    try:
        _found(find)
    except LookupError:
        missing.append("corpora/wordnet")
    try:
        find(TAGGER)
    except LookupError:
        missing.append(TAGGER.rstrip("/"))
    return " and ".join(missing) or "their files are not whole"
