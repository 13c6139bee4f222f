"""Questions that ask when: early or late, before or after. Two options, either letter as often right."""

from __future__ import annotations

from typing import Literal, get_args

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.editions import longvideobench
from sf_eval.editions.phrasing import Split, of_split
from sf_eval.editions.questions import Deck, Question
from sf_eval.editions.scene import Scene
from sf_eval.training.lessons import ANSWERS, LONGVIDEOBENCH_ROW, Asker
from sf_eval.training.when.videos import is_late

WhenKind = Literal["disc_when", "bars_when", "disc_order"]
WHEN_KINDS: tuple[WhenKind, ...] = get_args(WhenKind)
WHEN_ANSWERS = (*ANSWERS, "Early", "Late", "Before", "After")

_DISC = "{disc|spot}"
_BARS = "{bars|stripes}"
_FLASH = "{flash|appear|light up}"
PATTERNS: dict[WhenKind, tuple[str, ...]] = {
    "disc_when": (
        f"Does the {_DISC} {_FLASH} early or late?",
        f"When {{does|will}} the {_DISC} {_FLASH}?",
        f"{{Is|Choose if}} the {_DISC} {{shown|seen}} early or late?",
    ),
    "bars_when": (
        f"Do the {_BARS} {_FLASH} early or late?",
        f"When {{do|will}} the {_BARS} {_FLASH}?",
        f"{{Are|Choose if}} the {_BARS} {{shown|seen}} early or late?",
    ),
    "disc_order": (
        f"Does the {_DISC} {_FLASH} before or after the {_BARS}?",
        f"{{Is|Choose if}} the {_DISC} {{shown|seen}} before or after the {_BARS}?",
    ),
}


class WhenAsker(Asker):
    """Asks when as well, in the form of LongVideoBench: it alone has questions with two options.

    Args:
        seed: the sentence that all draws come from.
        split: whose wordings the questions take.
    """

    def __init__(self, seed: str, split: Split = "train") -> None:
        super().__init__(seed, split)
        self._when = {kind: Deck(of_split(PATTERNS[kind], split), self.rng) for kind in WHEN_KINDS}

    def ask(self, scene: Scene, kind: str) -> tuple[Document, Question, str]:
        """Document, question and the whole prompt of a question about `scene`."""
        known = next((when for when in WHEN_KINDS if when == kind), None)
        if known is None:
            return super().ask(scene, kind)
        answer, other = answers(known, scene)
        correct = self.rng.randrange(2)
        options = (answer, other) if correct == 0 else (other, answer)
        question = Question(kind, self._when[known].draw(), options, correct)
        row = {**LONGVIDEOBENCH_ROW, **longvideobench.columns(question)}
        document = get_benchmark("longvideobench").read_row(0, row)
        return document, question, document.prompt


def answers(kind: WhenKind, scene: Scene) -> tuple[str, str]:
    """The right answer about `scene`, and the wrong one."""
    if kind == "disc_order":
        first, second = "Before", "After"
        is_second = scene.disc_tick > scene.bars_tick
    else:
        first, second = "Early", "Late"
        is_second = is_late(scene.disc_tick if kind == "disc_when" else scene.bars_tick)
    return (second, first) if is_second else (first, second)
