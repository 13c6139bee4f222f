"""Answers where the prompt calls the options otherwise than by letters: "Option 1", "Caption A", or nothing.

Each is put into the words of lettered options and then read by the one extractor, so that nothing is read
more loosely here than there.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.extract import read_answer
from sf_eval.scoring.answers.normalise import AROUND, normalise, without_pictures
from sf_eval.scoring.answers.reading import Reading

LETTERS = "ABCDEFGH"
_LETTER = re.compile(r"(?<![a-z0-9])[a-h](?![a-z0-9])")
# Keeps every place, as `str.lower` does not: "İ".
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
# "2" of "2.5", "1/2", "20 %" names nothing.
_NUMBER_ENDS = r"(?!\w|[.,:/\-–]\d|\s?%)"
# Names that go along with one: "Option 1 or 2".
_MORE = (
    rf"(?:[)\]*_\"']{{0,3}}\s{{0,2}}"
    rf"(?:,\s?(?:and|or)\s|,|/|&|\band\b|\bor\b)\s{{0,2}}[(\[*_\"']{{0,3}}\w{_NUMBER_ENDS}){{0,8}}"
)
_CLAUSE_ENDS = (
    r"[)\]*_\"'$]{0,4}\s{0,4}"
    r"(?:\Z|\n|[.,;:!](?:\s|\Z)|[<}]|(?:because|since|as|based on|due to)\b)"
)


def read_labelled(
    output: str, options: Mapping[str, str], labels: Mapping[str, str] | None, *, cut_off: bool = False
) -> Reading:
    """What `output` answers, as `read_answer`, where options have these labels (`Document.labels`).

    Args:
        labels: letter to label for every option; None where the letters are the labels. A letter is an answer
            where labels end in letters ("Caption B"), and names the option that is so labelled; a number
            where they end in numbers ("Option 2"). Where all labels are empty, only an option's text is an
            answer: a lone "A" names nothing that was shown.
    """
    if labels is None:
        return read_answer(output, options, cut_off=cut_off)
    if not any(labels.values()):
        return _read_by_text(output, options, cut_off=cut_off)
    names = [label.split()[-1] if label.strip() else "" for label in labels.values()]
    if _are_letters(names):  # "Caption B": a lone "B" names it too, whichever its place
        return _read_as(dict(zip(options, names, strict=True)), output, options, labels, cut_off=cut_off)
    return _read_unlettered(output, options, labels, cut_off=cut_off)


def _read_by_text(output: str, options: Mapping[str, str], *, cut_off: bool) -> Reading:
    """The extractor is offered options whose names nobody can say, so that only their texts are left."""
    letter_of = {f"#{place}": letter for place, letter in enumerate(options)}
    nameless = dict(zip(letter_of, options.values(), strict=True))
    reading = read_answer(output, nameless, cut_off=cut_off)
    return reading if reading.letter is None else replace(reading, letter=letter_of[reading.letter])


def _are_letters(names: Sequence[str]) -> bool:
    return all(len(name) == 1 and name in LETTERS for name in names) and len(set(names)) == len(names)


def _read_unlettered(
    output: str, options: Mapping[str, str], labels: Mapping[str, str], *, cut_off: bool
) -> Reading:
    """Labels without letters: each stands for a letter that nobody said, so that "A" is no answer."""
    said = set(_LETTER.findall(without_pictures(normalise("\n".join((output, *options.values()))))))
    unsaid = [letter for letter in LETTERS if letter.casefold() not in said]
    if len(unsaid) < len(options):
        return Reading()
    reading = _read_as(dict(zip(options, unsaid, strict=False)), output, options, labels, cut_off=cut_off)
    if cut_off and reading.letter is not None:
        # Only of an option A does the extractor fear that the output was to list them all.
        as_placed = _read_as(dict(zip(options, LETTERS, strict=False)), output, options, labels, cut_off=True)
        return reading if as_placed.letter == reading.letter else Reading(frame=reading.frame)
    return reading


def _read_as(
    names: Mapping[str, str],
    output: str,
    options: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    cut_off: bool,
) -> Reading:
    """The extractor reads `output` with each option called by its letter in `names`."""
    letter_of = {name: letter for letter, name in names.items()}
    offered = {name: options[letter] for name, letter in letter_of.items()}
    called = {labels[letter]: name for letter, name in names.items()}
    reading = read_answer(_with_letters(output, called, cut_off=cut_off), offered, cut_off=cut_off)
    return reading if reading.letter is None else replace(reading, letter=letter_of[reading.letter])


def _with_letters(output: str, called: Mapping[str, str], *, cut_off: bool) -> str:
    """`output` with "Option A" for a label that is called A, and letters for lone numbers of labels."""
    letters = {label.split()[-1]: letter for label, letter in called.items() if label.strip()}
    for label, letter in called.items():
        if not label.strip():
            continue
        *noun, name = map(re.escape, label.split())
        nouns = r"\s+".join(noun) + r"s?[*_]{0,3}\s+" if noun else ""
        output = re.sub(
            rf"(?<!\w){nouns}[*_#(\[\"']{{0,3}}{name}{_NUMBER_ENDS}(?P<more>{_MORE})",
            lambda found, letter=letter: f"Option {letter}{_renamed(found['more'], letters)}",  # type: ignore[misc]
            output,
            flags=re.IGNORECASE,
        )
    numbers = {name: letter for name, letter in letters.items() if name.isdecimal()}
    return _with_letters_for_numbers(output, numbers, cut_off=cut_off) if numbers else output


def _renamed(text: str, letters: Mapping[str, str]) -> str:
    return re.sub(r"\w+", lambda found: letters.get(found.group(), found.group()), text)


def _with_letters_for_numbers(output: str, numbers: Mapping[str, str], *, cut_off: bool) -> str:
    """Letters for the numbers that are an answer by where they stand: alone, after a cue, as a label."""
    if (alone := output.strip(AROUND)) in numbers:
        return numbers[alone]
    one = rf"(?P<number>{'|'.join(map(re.escape, numbers))})"
    output = re.sub(
        rf"(?P<before>(?:\A|[>}}{{▷]|(?<=[A-Za-z])\])[\s*_(\[\"'$`]{{0,8}}){one}(?=[\s*_)\].,!\"'$`]{{0,8}}(?:\Z|[<}}]))",
        lambda found: found["before"] + numbers[found["number"]],
        output,
    )
    output = _after_cues(output, one, numbers, cut_off=cut_off)
    label = rf"[(\[]?{one}[)\].:](?!\w)"
    # One number labels what it begins; where several stand, the options are gone through wherever they are.
    several = len({found["number"] for found in re.finditer(rf"(?<![\w.]){label}", output)}) > 1
    place = r"(?<![\w.])" if several else r"^\s*"
    return re.sub(place + label, lambda found: f"{numbers[found['number']]}.", output)


def _after_cues(output: str, one: str, numbers: Mapping[str, str], *, cut_off: bool) -> str:
    """A number that ends its clause behind "the answer is" or the like; one that was cut off may go on."""
    number = re.compile(rf"[\s*_#(\[\"'$]{{0,6}}{one}{_NUMBER_ENDS}(?P<more>{_MORE})(?={_CLAUSE_ENDS})")
    parts, done = [], 0
    for cue in wording.STRONG.finditer(output.translate(_LOWER)):
        found = number.match(output, cue.end()) if cue.end() >= done else None
        if found and not (cut_off and not output[found.end() :].strip()):
            parts += [output[done : found.start("number")], numbers[found["number"]]]
            parts.append(_renamed(found["more"], numbers))
            done = found.end()
    return "".join((*parts, output[done:]))
