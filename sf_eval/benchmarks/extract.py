"""From a model's words to a letter, or to none: the one answer extractor of all benchmarks.

It never guesses. Where an output names two options, denies the one it names, or names none, there is no
answer. Upper and lower case never matter, so the word "a" is a letter only where it cannot be an article.
The rules, in the order of their weight, with examples: docs/scoring.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sf_eval.benchmarks import wording
from sf_eval.benchmarks.by_text import option_after, option_at_start, option_inside, whole_option
from sf_eval.benchmarks.normalise import bare, normalise

_LONGEST_CLAUSE = 300  # characters that are searched for a denial


def extract_answer(output: str, options: Mapping[str, str]) -> str | None:
    """The letter of the one option that `output` answers with, or None.

    Args:
        output: the model's words; never an error message.
        options: letter to text, of the two to six options offered.
    """
    output = _after_thought(output)
    tagged = [found.group(1) or found.group(2) or "" for found in wording.TAGGED.finditer(output)]
    if tagged:
        named = {_read(content, options) for content in tagged}
        return named.pop() if len(named) == 1 else None
    return _read(output, options)


def _after_thought(output: str) -> str:
    """What follows the thinking; nothing where the thinking never ended."""
    *_, said = wording.THOUGHT_END.split(output)
    return wording.THOUGHT_START.split(said)[0]


def _read(output: str, options: Mapping[str, str]) -> str | None:
    text = normalise(output)
    if not text or not options:
        return None
    by_text = whole_option(text, options)
    if by_text is not None:
        return by_text
    letters = (
        _final_letters(text, options) or _stated_letters(text, options) or _mentioned_letters(text, options)
    )
    if letters:
        return _only(letters, options)
    return _by_text(text, options)


def _only(letters: set[str], options: Mapping[str, str]) -> str | None:
    """The one letter that all statements agree on, if it was offered."""
    if len(letters) != 1:
        return None
    wanted = letters.pop()
    return next((letter for letter in options if letter.casefold() == wanted), None)


def _final_letters(text: str, options: Mapping[str, str]) -> set[str]:
    """What the last "final answer ..." names."""
    finals = list(wording.FINAL.finditer(text))
    return _after_cues(text[finals[-1].start() :], wording.STRONG, options, strict=False) if finals else set()


def _stated_letters(text: str, options: Mapping[str, str]) -> set[str]:
    """Letters that the output gives as its answer: at its start, or in so many words."""
    named = _at_start(text, options) | _after_cues(text, wording.STRONG, options, strict=False)
    for found in wording.STATEMENT.finditer(text):
        if not _is_denied_before(text, found.start()):
            named.add(found.group("letter"))
            before = wording.ONE_BEFORE.search(text, 0, found.start("letter"))
            if before:
                named.add(before.group().strip("([{ ")[0])
    return named


def _mentioned_letters(text: str, options: Mapping[str, str]) -> set[str]:
    """Weaker signs: "I think it's b", a letter that ends the output, a letter in brackets."""
    named = _after_cues(text, wording.WEAK, options, strict=True)
    if last := wording.LAST.search(text):
        named.add(last.group("letter"))
    if not named:
        for found in wording.BRACKETED.finditer(text):
            if _is_denied_before(text, found.start()) or wording.DENIED.match(text, found.end()):
                continue
            named.add(found.group("letter"))
    return named


def _at_start(text: str, options: Mapping[str, str]) -> set[str]:
    """The letter (or list of letters) that the output begins with: "b", "(b) text", "option b: text"."""
    found = wording.START.match(text)
    if not found or _is_enumeration(text, options):
        return set()
    rest = text[found.end() :]
    if not _repeats_option(rest, found.group("letter"), options):
        is_article = found.group("letter") == "a" and not found.group("open")
        closes = wording.CLOSES_ARTICLE.match(rest) if is_article else wording.CLOSES_START.match(rest)
        if not closes or wording.ABBREVIATION.match(rest) or wording.DENIED.match(rest):
            return set()
    return {found.group("letter"), *_further(text, found.end())}


def _repeats_option(rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """After `letter` comes its own option's text, so that it is a letter whatever stands between them."""
    own_text = next((bare(option) for key, option in options.items() if key.casefold() == letter), "")
    return bool(own_text) and re.match(re.escape(own_text) + r"(?![a-z0-9])", bare(rest)) is not None


def _after_cues(text: str, cue: re.Pattern[str], options: Mapping[str, str], *, strict: bool) -> set[str]:
    """Letters that follow a cue such as "the answer is".

    Args:
        strict: the letter must end its clause; otherwise only "a" must, which could be an article.
    """
    named: set[str] = set()
    for found in cue.finditer(text):
        letter = wording.NAMED.match(text, found.end())
        if not letter or _is_denied_before(text, found.end()):
            continue
        ambiguous = letter.group("letter") == "a" and not letter.group("open")
        certain = wording.ENDS.match(text, letter.end()) or not (strict or ambiguous)
        certain = certain or _repeats_option(text[letter.end() :], letter.group("letter"), options)
        if certain and not wording.DENIED.match(text, letter.end()):
            named |= {letter.group("letter"), *_further(text, letter.end())}
    return named


def _further(text: str, position: int) -> Iterator[str]:
    """Letters that are named along with one that ends at `position`: the "c" of "a, b or c"."""
    while another := wording.ANOTHER.match(text, position):
        position = another.end()
        if wording.DENIED.match(text, position):
            return
        yield another.group("letter") or another.group("next")


def _is_denied_before(text: str, position: int) -> bool:
    """The clause before `position` denies or doubts what follows: "not", "if", "I don't think"."""
    clause = wording.CLAUSE_BREAK.split(text[max(0, position - _LONGEST_CLAUSE) : position])[-1]
    return bool(wording.NEGATION.search(clause))


def _is_enumeration(text: str, options: Mapping[str, str]) -> bool:
    """The output begins by repeating the list of options, so that its first letter is no answer."""
    labels = _labels(text, options)
    letters = list(dict.fromkeys(letter for _, letter in labels))
    first = wording.START.match(text)
    begins = first is not None and bool(labels) and labels[0][0] == first.start("letter")
    return begins and len(letters) > 1 and letters == sorted(letters)


def _labels(text: str, options: Mapping[str, str]) -> list[tuple[int, str]]:
    """Where the output labels options: letters at the beginning of a line, and before their option's text."""
    labels = {(found.start(1), found.group(1)) for found in wording.LINE_LABEL.finditer(text)}
    for letter, option in options.items():
        shown = re.escape(bare(option))
        found = re.search(rf"(?<![a-z]){letter.casefold()}\s*[.):]\s*{shown}", text) if shown else None
        if found:
            labels.add((found.start(), letter.casefold()))
    return sorted(labels)


def _by_text(text: str, options: Mapping[str, str]) -> str | None:
    """The option whose text the output gives: after a cue, at its start, or somewhere in a short output."""
    for cue in (wording.STRONG, wording.WEAK):
        for found in cue.finditer(text):
            named = option_after(text[found.end() :], options)
            if named is not None and not _is_denied_before(text, found.end()):
                return named
    if len({letter for _, letter in _labels(text, options)}) > 1:
        return None
    return option_at_start(text, options) or option_inside(text, options)
