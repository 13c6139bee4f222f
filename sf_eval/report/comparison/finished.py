"""A run as a comparison takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sf_eval.harness.record import RunRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.harness.recording import RunOutput

Key = tuple[str, int]  # task, row


@dataclass(frozen=True)
class Finished:
    """A run that ended, and what it cost."""

    output: RunOutput
    profile: Mapping[str, Any]

    @property
    def record(self) -> RunRecord:
        return self.output.record

    @property
    def samples(self) -> Sequence[SampleRecord]:
        return self.output.samples

    @property
    def failed(self) -> int:
        """Questions that failed."""
        return self.output.failed
