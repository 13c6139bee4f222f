"""From a model's words to a letter, or to none: the one answer extractor of all benchmarks.

It never guesses. Thinking is left out (`frames`), the options' texts are taken out (`masking`), then
everything that claims a letter is collected (`claims`), and where the claims agree, that letter is the
answer, unless the output turns to another (`turns`); the texts (`by_text`) answer where no letter does. The
rules with examples: docs/scoring.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sf_eval.scoring.answers.by_text import contradicts, counted, option_given, option_inside, whole_option
from sf_eval.scoring.answers.claims import Claim, Weight, letter_claims, surviving_claim
from sf_eval.scoring.answers.frames import Spoken, spoken
from sf_eval.scoring.answers.listing import Ticks, find_ticks
from sf_eval.scoring.answers.masking import Masked, mask
from sf_eval.scoring.answers.normalise import AROUND, bare, normalise, without_pictures
from sf_eval.scoring.answers.reading import Reading, Rule
from sf_eval.scoring.answers.turns import Turns

# Characters (thinking not counted) that are read of an output: so many of its beginning, the rest of its end.
LONGEST_READ = 20_000
_OF_THE_BEGINNING = 4_000
_MOST_ANSWERS = 20
# The beginning of a list's next line, with nothing in it yet.
_BROKEN_OFF = re.compile(
    r"\n[ \t]*(?:[*_#>(\[{•\-]{1,2}|\d{1,2}[.)]?|[*_\-•]{0,2}[ \t]?(?:option|choice|answer))[ \t]*$"
    r"|[\s;][(\[{*#]{1,3}[ \t]*$",
    re.IGNORECASE,
)


def extract_answer(output: str, options: Mapping[str, str]) -> str | None:
    """The letter of the one option that `output` answers with, or None.

    Args:
        output: the model's words; never an error message.
        options: letter to text, of the options offered: two to eight, A to H.
    """
    return read_answer(output, options).letter


def read_answer(output: str, options: Mapping[str, str], *, cut_off: bool = False) -> Reading:
    """What `output` answers, and which rule read it.

    Args:
        output: the model's words; never an error message.
        options: letter to text, of the options offered: two to eight, A to H.
        cut_off: the output ended at the token limit (`finish_reason == "length"`), so that its end is
            not where the model meant it to be.
    """
    said = spoken(output)
    if said.is_thinking or not said.parts or not options:
        return Reading(frame=said.frame)
    parts = list(dict.fromkeys(said.parts))
    is_long = any(len(part) > LONGEST_READ for part in (*parts, said.after))
    if len(parts) > _MOST_ANSWERS:
        return Reading(frame=said.frame, truncated=True)
    readings = [_read_bounded(part, options, cut_off=cut_off and said.is_open) for part in parts]
    named = {reading.letter for reading in readings}
    if len(named) > 1 or None in named or _is_revoked(said, readings[0].letter, options):
        return Reading(frame=said.frame, truncated=is_long)
    return replace(readings[-1], frame=said.frame, truncated=is_long)


def _is_revoked(said: Spoken, letter: str | None, options: Mapping[str, str]) -> bool:
    """What follows the marked answer gives another, or takes it back."""
    if not re.search(r"\w", said.after):
        return False
    return _read_bounded(f"The answer is {letter}.\n{said.after}", options, cut_off=False).letter != letter


def _read_bounded(text: str, options: Mapping[str, str], *, cut_off: bool) -> Reading:
    """Of a text that is too long the beginning and the end are read, and the end must give the answer too."""
    if len(text) <= LONGEST_READ:
        return _read(text, options, cut_off=cut_off)
    end = text[_OF_THE_BEGINNING - LONGEST_READ :]
    whole = _read(f"{text[:_OF_THE_BEGINNING]}\n{end}", options, cut_off=cut_off)
    return whole if _read(end, options, cut_off=cut_off).letter == whole.letter else Reading()


def _read(output: str, options: Mapping[str, str], *, cut_off: bool) -> Reading:
    cut_off = cut_off or _BROKEN_OFF.search(output[-80:]) is not None
    text = normalise(output)
    pictureless = without_pictures(text)
    ticks = find_ticks(pictureless)
    whole = _whole(text, options) or (None if ticks.letters else _whole(ticks.text, options))
    if whole is not None:
        return Reading() if cut_off and _may_go_on(text, whole, options) else whole
    claim = _claimed(mask(ticks.text, options), ticks, cut_off=cut_off)
    return Reading() if claim is None else _reading(next(iter(claim.letters)), claim.rule, options)


def _may_go_on(text: str, whole: Reading, options: Mapping[str, str]) -> bool:
    """Where the output broke off: it repeats the first option, or another begins with the same text."""
    if whole.rule is Rule.labelled_text:
        return whole.letter == next(iter(options))
    said = bare(text)
    return whole.rule is Rule.whole_text and any(
        bare(option) != said and bare(option).startswith(said) for option in options.values()
    )


def _reading(letter: str, rule: Rule, options: Mapping[str, str]) -> Reading:
    offered = next((offered for offered in options if offered.casefold() == letter.casefold()), None)
    return Reading() if offered is None else Reading(offered, rule)


def _whole(text: str, options: Mapping[str, str]) -> Reading | None:
    """The reading of a text that is an option's text, a count, or a letter, and nothing else."""
    if (whole := whole_option(text, options)) is not None:
        return _reading(*whole, options)
    if (number := counted(text, options)) is not None:
        return _reading(number, Rule.counted, options)
    alone = text.strip(AROUND)
    return _reading(alone, Rule.lone_letter, options) if len(alone) == 1 and alone.isalpha() else None


def _claimed(masked: Masked, ticks: Ticks, *, cut_off: bool) -> Claim | None:
    """The claim that the output makes, by a letter or by an option's text."""
    made = letter_claims(masked, ticks, cut_off=cut_off)
    turns = Turns(masked)
    claims = [claim for claim in made if not turns.is_taken_back(claim.letters, claim.at)]
    claim = surviving_claim(claims)
    if any(claim.weight >= Weight.stated for claim in claims):
        return claim
    by_text = option_given(masked)
    if not made:
        by_text = by_text or (None if cut_off else option_inside(masked))
        return (
            None
            if by_text is None or len(by_text.letters) > 1 or contradicts(masked, by_text, turns)
            else by_text
        )
    if claim is None or turns.is_contested(claim.letters, claim.end, cut_off=cut_off):
        return None
    return claim if by_text is None or by_text.letters == claim.letters else None
