"""From a model's words to a letter, or to none: the one answer extractor of all benchmarks.

It never guesses. The options' texts are taken out of the output first (`masking`), then everything that
claims a letter is collected (`claims`), and where the claims agree, that letter is the answer; the texts
(`by_text`) answer where no letter does. The rules with examples: docs/scoring.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.by_text import contradicts, option_given, option_inside, whole_option
from sf_eval.scoring.answers.claims import Weight, letter_claims, surviving_letter
from sf_eval.scoring.answers.masking import Masked, mask
from sf_eval.scoring.answers.normalise import AROUND, normalise


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
    whole = whole_option(text, options)
    if whole is not None:
        return whole
    alone = text.strip(AROUND)
    wanted = alone if alone in set("abcdefgh") else _claimed(mask(text, options))
    return next((letter for letter in options if letter.casefold() == wanted), None)


def _claimed(masked: Masked) -> str | None:
    """The lower-case letter that the output claims, by a letter or by an option's text."""
    claims = letter_claims(masked)
    if any(claim.weight >= Weight.stated for claim in claims):
        return surviving_letter(claims)
    by_text = option_given(masked)
    if not claims:
        by_text = by_text or option_inside(masked)
        return None if by_text is None or contradicts(masked.text, by_text) else by_text
    by_letter = surviving_letter(claims)
    return by_letter if by_text in (by_letter, None) else None
