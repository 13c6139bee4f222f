"""In what a run differs from asking the benchmark as it is: a control, another order of the options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import UsageError, nearest

Control = Literal["blind", "shuffled", "choice"]
Options = Literal["as-given", "shuffled"]
CONTROLS: tuple[Control, ...] = get_args(Control)
CHOICE_CARD = ModelCard(
    name="choice",
    title="Most frequent right letter (choice)",
    num_frames=0,
    slow_path="off",
    max_new_tokens=1,
)
"""What stands in a plan where no model is asked."""


@dataclass(frozen=True)
class Conditions:
    """How a run asks.

    Attributes:
        control: "blind" shows no video, "shuffled" another one of the same benchmark, "choice" asks no model
            and gives the most frequent right letter; None is no control.
        options: "shuffled" puts each question's options in another order.
        video_seed: which other video "shuffled" shows.
        options_seed: which order of the options.
    """

    control: Control | None = None
    options: Options = "as-given"
    video_seed: int = 0
    options_seed: int = 0

    @property
    def shows_video(self) -> bool:
        return self.control in (None, "shuffled")

    @property
    def asks_model(self) -> bool:
        return self.control != "choice"

    @property
    def words(self) -> tuple[str, ...]:
        """What tables call it by, beside the model's name; empty for none."""
        return words_of(self.control, self.options)

    @property
    def slug(self) -> str:
        """The same as the end of a folder's name: "-blind"; "" for none."""
        return "".join(f"-{word.replace(' ', '-')}" for word in self.words)

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What makes two runs the same run, beside their models and data; {} for none."""
        told: dict[str, Any] = {}
        if self.control is not None:
            told["control"] = self.control
        if self.control == "shuffled":
            told["video_seed"] = self.video_seed
        if self.options != "as-given":
            told |= {"order_of_options": self.options, "options_seed": self.options_seed}
        return told


FINGERPRINT = ("control", "video_seed", "order_of_options", "options_seed")
"""Keys of `Conditions.fingerprint`."""


def words_of(control: str | None, options: str) -> tuple[str, ...]:
    """Names of the conditions that are not the benchmark's own; "choice" is the name of what answers."""
    named = [control] if control not in (None, "choice") else []
    return (*named, *(["options shuffled"] if options == "shuffled" else []))


def parse_controls(text: str | None) -> tuple[Control, ...]:
    """Read `--control`: one or several of them, comma separated, each once.

    Raises:
        UsageError: an unknown or empty name, or one twice.
    """
    if text is None:
        return ()
    names = [name.strip().lower() for name in text.split(",")]
    for name in names:
        if name not in CONTROLS:
            raise UsageError(f"there is no control called {name!r}.", hint=nearest(name, CONTROLS))
    if len(set(names)) < len(names):
        raise UsageError(f"--control {text} names one twice.")
    return cast(tuple[Control, ...], tuple(names))
