"""The results of a run's questions, read from its journal when they are wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from sf_eval.inference import QuestionKey, Result


class Keys(Protocol):
    """Which questions there are, by position, and the journal's keys of their answers."""

    @property
    def digests(self) -> Sequence[str]: ...
    def key(self, position: int) -> QuestionKey: ...
    def position(self, key: QuestionKey) -> int: ...


class KeptResults(Mapping[QuestionKey, Result]):
    """Of those questions that have a result, the last one that the journal holds; a byte a question.

    A result has the key of the question that it is asked for: its row may have had another number.
    """

    def __init__(self, questions: Keys, journal: Mapping[str, Result]) -> None:
        self._questions = questions
        self._journal = journal
        self._has = bytearray(len(questions.digests))
        self._count = 0

    def add(self, position: int) -> None:
        """The question at `position` has a result now."""
        self._count += not self._has[position]
        self._has[position] = True

    def add_kept(self) -> None:
        """Every question has what the journal holds."""
        for position, digest in enumerate(self._questions.digests):
            if digest in self._journal:
                self.add(position)

    def has(self, position: int) -> bool:
        return bool(self._has[position])

    def __getitem__(self, key: QuestionKey) -> Result:
        position = self._questions.position(key)
        if not self._has[position]:
            raise KeyError(key)
        return replace(self._journal[self._questions.digests[position]], key=key)

    def __contains__(self, key: object) -> bool:
        try:
            return isinstance(key, QuestionKey) and self.has(self._questions.position(key))
        except KeyError:
            return False

    def __iter__(self) -> Iterator[QuestionKey]:
        return (self._questions.key(position) for position, has in enumerate(self._has) if has)

    def __len__(self) -> int:
        return self._count
