"""What a run's records say of its conditions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sf_eval.harness.controls.conditions import words_of


class ConditionsRecord(BaseModel):
    """In what a run asked otherwise than the benchmark is (docs/controls.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: Literal["blind", "shuffled", "choice"] | None = Field(
        default=None,
        description="blind: no video; shuffled: another video of the same benchmark; choice: no model, the "
        "most frequent right letter.",
    )
    video_seed: int | None = Field(default=None, description="Which other video `shuffled` showed.")
    options: Literal["as-given", "shuffled"] = Field(
        default="as-given", description="Whether each question's options stood in another order."
    )
    options_seed: int | None = Field(default=None, description="Which order.")
    order_kept: int | None = Field(
        default=None,
        description="Questions whose options had to keep the published order; null without another one.",
    )

    @property
    def words(self) -> tuple[str, ...]:
        """What tables call it by, beside the model's name; empty for none."""
        return words_of(self.control, self.options)

    @property
    def names(self) -> tuple[str, ...]:
        """The same, with "choice", which is also the name of what answers."""
        return ("choice", *self.words) if self.control == "choice" else self.words

    @property
    def is_plain(self) -> bool:
        """The benchmark as it is."""
        return self.control is None and self.options == "as-given"

    @property
    def shows_video(self) -> bool:
        return self.control in (None, "shuffled")


class ChangeRecord(BaseModel):
    """In what one question was asked otherwise than its row has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shown_video: str | None = Field(
        default=None, description="The video that was shown in the place of its own."
    )
    options_order: str | None = Field(
        default=None,
        description='Published letters in the order in which the options stood: of "CAB", what was C is A. '
        "The published order where the question had to keep it; null where nothing was shuffled.",
    )
    order_kept: str | None = Field(default=None, description="Why it had to keep it.")
