"""What the scorers behind the published numbers say of an output, with a random guess told apart.

Each function follows what the authors' pinned copy of lmms-eval does, defects included; the recorded cases
in `sf_eval/assets/recorded/protocol/scores.jsonl` hold them to it. What is wrong with each: docs/scoring.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from sf_eval.benchmarks.document import Document

_Reader = Callable[[str, Mapping[str, str]], str]  # output and options to a letter, or to something else


class PublishedVerdict(str, Enum):
    """What a published scorer said.

    `random_guess`: it found no letter and drew one; we count it as wrong and say how many there were.
    `raises`: it ended in an exception; counted as wrong too.
    """

    correct = "correct"
    wrong = "wrong"
    random_guess = "random guess"
    raises = "raises"

    @property
    def is_correct(self) -> bool:
        return self is PublishedVerdict.correct


class _RandomGuessError(Exception):
    """A published scorer found no letter and drew one."""


def published_score(benchmark: str, document: Document, output: str) -> PublishedVerdict:
    """The published scorer's verdict on `output`.

    Args:
        benchmark: the benchmark's name, e.g. "videomme_w_subtitle" or "mvbench_action_count".
        document: must have an answer.

    Raises:
        ValueError: no published scorer for this benchmark, or a document without a public answer.
    """
    if document.answer is None:
        raise ValueError(f"question {document.id} of {benchmark} has no public answer to score against")
    try:
        letter = _reader(benchmark)(output, document.options)
    except _RandomGuessError:
        return PublishedVerdict.random_guess
    except IndexError:  # MLVU's reader takes the first character of an empty text
        return PublishedVerdict.raises
    return PublishedVerdict.correct if letter == document.answer else PublishedVerdict.wrong


def counts_in_published_denominator(benchmark: str, output: str) -> bool:
    """False where the published average leaves the sample out: MVBench drops empty outputs."""
    return not (benchmark.startswith("mvbench") and output == "")


def _reader(benchmark: str) -> _Reader:
    for name, reader in _READERS.items():
        if benchmark == name or benchmark.startswith(f"{name}_"):
            return reader
    raise ValueError(f"no published scorer is known for {benchmark!r}")


def _videomme(output: str, _options: Mapping[str, str]) -> str:
    """The first capital A to D that is left once some phrases are cut out."""
    # The last two phrases are each two that were meant to be separate; so they never match.
    phrases = (
        "The best answer is",
        "The correct answer is",
        "The answer is",
        "The answer",
        "The best option isThe correct option is",
        "Best answer:Best option:",
    )
    text = output.strip()
    for phrase in phrases:
        text = text.replace(phrase, "")
    found = re.search("[ABCD]", text)
    return found.group() if found else ""


def _mlvu(output: str, _options: Mapping[str, str]) -> str:
    """The character before the first ")", or the very first character."""
    text = output.strip()
    closing = text.find(")")
    if closing < 0:
        return text[0]
    return text[closing - 1 : closing][0]


def _mvbench(output: str, _options: Mapping[str, str]) -> str:
    """A leading "B." or else the first lone a to e of the text, article or not."""
    if labelled := re.match(r"([A-E])\.\s*.+$", output.strip(), re.IGNORECASE):
        return labelled.group(1).upper()
    text = _without_punctuation(output.replace("\n", " ").replace("\t", " ").strip())
    text = text.strip("'").strip('"').strip(")").strip("(").strip().lower()
    lone = re.search(r"\b[a-e]\b", text)
    return lone.group().upper() if lone else text


def _without_punctuation(text: str) -> str:
    """Punctuation goes; a space takes its place where it stood between two other characters."""
    number_with_comma = re.search(r"\d,\d", text) is not None
    result = text
    for mark in ';/[]"{}()=+\\_-><@`,?!':
        beside_space = f"{mark} " in text or f" {mark}" in text
        result = result.replace(mark, "" if beside_space or number_with_comma else " ")
    # 32 is the value of a flag that was passed where a count was expected.
    return re.sub(r"\.(?!\d)", "", result, count=32)


def _egoschema(output: str, options: Mapping[str, str]) -> str:
    """The form found furthest to the left (by its last occurrence), else the option's text, else a guess."""
    text = _stripped(output)
    forms = [f"({c})" for c in "ABCDE"] + [f"{c} " for c in "ABCDE"] + [f"{c}." for c in "ABCDE"]
    found = [form for form in forms if form in text]
    if found:
        places = [text.rfind(form) for form in found]
        return found[places.index(min(places))].strip("(). ")
    # The texts searched for carry their labels ("A. a dog"), since the rows do.
    labelled = {letter: f"{letter}. {option}" for letter, option in options.items()}
    return _by_content(text, labelled, first=True)


def _longvideobench(output: str, options: Mapping[str, str]) -> str:
    """Letters in brackets, else followed by a space, else by a full stop; of several the last one."""
    text = _stripped(output)
    for form in ("({})", "{} ", "{}."):
        found = [letter for letter in options if form.format(letter) in text]
        if found:
            shown = "({})" if form == "({})" else " {} "
            places = [text.rfind(shown.format(letter)) for letter in found]
            return found[places.index(max(places))]
    return _by_content(text, options, first=False)


def _stripped(output: str) -> str:
    for mark in ",.!?;:'":
        output = output.strip(mark)
    return f" {output} "


def _by_content(text: str, options: Mapping[str, str], *, first: bool) -> str:
    """The option whose text occurs in an output of more than five words.

    Raises:
        _RandomGuessError: none does.
    """
    lowered = text.lower()
    found = [letter for letter, option in options.items() if option.lower() in lowered]
    if len(text.split()) <= 5 or not found:
        raise _RandomGuessError
    places: Sequence[int] = [lowered.rfind(options[letter].lower()) for letter in found]
    return found[places.index(min(places) if first else max(places))]


_READERS: dict[str, _Reader] = {
    "videomme": _videomme,
    "mlvu": _mlvu,
    "mvbench": _mvbench,
    "egoschema": _egoschema,
    "longvideobench": _longvideobench,
}
