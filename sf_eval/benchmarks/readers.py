"""What the published scorers of several benchmarks have in common; each benchmark's own is in its adapter.

They follow what the authors' pinned copy of lmms-eval does, defects included; the recorded cases in
`sf_eval/assets/recorded/protocol/scores.jsonl` hold them to it. What is wrong with each: docs/scoring.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

#: Output and options to a letter, or to something that is none. May raise RandomGuessError, or what the
#: published code raises on such an output.
PublishedReader = Callable[[str, Mapping[str, str]], str]


class RandomGuessError(Exception):
    """A published scorer found no letter and drew one."""


def within_spaces(output: str) -> str:
    """The output without marks at its ends, one after the other, between two spaces."""
    for mark in ",.!?;:'":
        output = output.strip(mark)
    return f" {output} "


def last_letter(output: str, options: Mapping[str, str]) -> str:
    """Letters in brackets, else followed by a space, else by a full stop; of several the last one.

    Raises:
        RandomGuessError: no letter, and no option's text either.
    """
    text = within_spaces(output)
    for form in ("({})", "{} ", "{}."):
        found = [letter for letter in options if form.format(letter) in text]
        if found:
            shown = "({})" if form == "({})" else " {} "
            places = [text.rfind(shown.format(letter)) for letter in found]
            return found[places.index(max(places))]
    return option_by_content(text, options, first=False)


def option_by_content(text: str, options: Mapping[str, str], *, first: bool) -> str:
    """The option whose text occurs in an output of more than five words.

    Raises:
        RandomGuessError: none does.
    """
    lowered = text.lower()
    found = [letter for letter, option in options.items() if option.lower() in lowered]
    if len(text.split()) <= 5 or not found:
        raise RandomGuessError
    places: Sequence[int] = [lowered.rfind(options[letter].lower()) for letter in found]
    return found[places.index(min(places) if first else max(places))]
