"""A question whose options stood in another order, back in the published one: what compares runs needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sf_eval.harness.controls.record import ChangeRecord

if TYPE_CHECKING:  # a sample is made of these records
    from sf_eval.harness.recorded.samples import SampleRecord


def published_letter_of(letter: str, change: ChangeRecord | None) -> str:
    """The letter that the option called `letter` has in the published order."""
    order = None if change is None else change.options_order
    place = ord(letter) - ord("A")
    return order[place] if order is not None and place < len(order) else letter


def in_published_order(sample: SampleRecord) -> SampleRecord:
    """The sample with its options, its right letter and the letter that was read as published."""
    change = sample.change
    if change is None or change.options_order is None:
        return sample
    options = sorted((published_letter_of(letter, change), text) for letter, text in sample.options.items())
    letters = {
        name: None if letter is None else published_letter_of(letter, change)
        for name, letter in (("target", sample.target), ("answer", sample.answer))
    }
    return sample.model_copy(update={"options": dict(options), **letters})
