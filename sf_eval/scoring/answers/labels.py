"""Answers where the prompt calls the options otherwise than by letters: "Option 1", "Caption A", or nothing.

Each is put into the words of lettered options and then read by the one extractor, so that nothing is read
more loosely here than there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sf_eval.scoring.answers.extract import read_answer
from sf_eval.scoring.answers.normalise import AROUND
from sf_eval.scoring.answers.reading import Reading


def read_labelled(
    output: str, options: Mapping[str, str], labels: Mapping[str, str] | None, *, cut_off: bool = False
) -> Reading:
    """What `output` answers, as `read_answer`, where options have these labels (`Document.labels`).

    Args:
        labels: letter to label for every option; None where the letters are the labels. Where all labels are
            empty, only an option's text is an answer: a lone "A" names nothing that was shown.
    """
    if labels is None:
        return read_answer(output, options, cut_off=cut_off)
    if not any(labels.values()):
        return _read_by_text(output, options, cut_off=cut_off)
    return read_answer(_with_letters(output, labels), options, cut_off=cut_off)


def _read_by_text(output: str, options: Mapping[str, str], *, cut_off: bool) -> Reading:
    """The extractor is offered options whose names nobody can say, so that only their texts are left."""
    letter_of = {f"#{place}": letter for place, letter in enumerate(options)}
    nameless = dict(zip(letter_of, options.values(), strict=True))
    reading = read_answer(output, nameless, cut_off=cut_off)
    return reading if reading.letter is None else replace(reading, letter=letter_of[reading.letter])


def _with_letters(output: str, labels: Mapping[str, str]) -> str:
    """`output` with "Option A" for each label, and letters for lone numbers where labels have numbers."""
    for letter, label in labels.items():
        words = r"\s+".join(map(re.escape, label.split()))
        output = re.sub(rf"(?<!\w){words}(?!\w)", f"Option {letter}", output, flags=re.IGNORECASE)
    numbers = {label.split()[-1]: letter for letter, label in labels.items() if label[-1:].isdigit()}
    if not numbers:
        return output
    if (alone := output.strip(AROUND)) in numbers:
        return numbers[alone]
    number = rf"[(\[]?(?P<number>{'|'.join(map(re.escape, numbers))})[)\].:](?!\w)"
    # One number labels what it begins; where several stand, the options are gone through wherever they are.
    several = len({found["number"] for found in re.finditer(rf"(?<![\w.]){number}", output)}) > 1
    place = r"(?<![\w.])" if several else r"^\s*"
    return re.sub(place + number, lambda found: f"{numbers[found['number']]}.", output)
