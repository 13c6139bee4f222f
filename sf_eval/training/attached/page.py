"""The figures of docs/attaching.md, made from the records in results/attach; nothing there is typed.

python -m sf_eval.training.attached.page           writes docs/attaching.md below the current folder
python -m sf_eval.training.attached.page --check   exit code 1 where the page is not what the records make it
"""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel

from sf_eval.core.marked import table_rows, write_or_check
from sf_eval.core.tables import ABSENT, Table
from sf_eval.training.attached.report import FILE, ToyReport, finding, toy_table

PAGE = Path("docs/attaching.md")
RECORDS = Path("results/attach")

VIDEOS = "mini_qwen"

#: The experiments on videos: folder below `VIDEOS`, and what was trained there. Attached models of several
#: seeds are runs of names with "attached" in them; controls are called `CONTROL` and `TRAINED_CONTROL`, with
#: whatever before it.
EXPERIMENTS = {
    "trained_decoder": "decoder trained on videos pooled by 4; pooled by 4; 150 steps",
    "pooled_by_16": "the same decoder; pooled by 16; 200 steps",
    "pooled_by_16_long": "the same decoder; pooled by 16; 1000 steps, every layer",
    "pooled_by_16_more_videos": "the same; 560 videos instead of 240",
    "decoder_as_begun": "decoder as it begins; pooled by 4; 160 steps",
}
CONTROL, TRAINED_CONTROL = "pooled", "pooled-trained"
_GROUPS = ("brief", "global")


class _Score(BaseModel):
    run: str
    accuracy: float


class _Kind(BaseModel):
    name: str
    scores: list[_Score]


class _Comparison(BaseModel):
    """As much of comparison.json as is shown."""

    kinds: list[_Kind]


def blocks(root: Path) -> dict[str, str]:
    """What stands between the page's markers, by name, made of the records below `root`.

    Raises:
        OSError, ValueError: a record cannot be read, or is none.
    """
    report = ToyReport.model_validate_json((root / RECORDS / FILE).read_text(encoding="utf-8"))
    return {
        "attach-toy": table_rows(toy_table(report)),
        "attach-when": f"{finding(report)}\n",
        "attach-videos": table_rows(videos_table(root / RECORDS / VIDEOS)),
    }


def videos_table(folder: Path) -> Table:
    """Percent right on brief events and on what the whole video tells, of each experiment in `folder`."""
    rows: list[tuple[str, ...]] = []
    for name, what in EXPERIMENTS.items():
        text = (folder / name / "comparison.json").read_text(encoding="utf-8")
        kinds = {kind.name: kind.scores for kind in _Comparison.model_validate_json(text).kinds}
        for group in _GROUPS:
            scores = {score.run: f"{score.accuracy:.1f}" for score in kinds[group]}
            attached = [scores[run] for run in sorted(scores) if "attached" in run]
            rows.append(
                (
                    what if group == _GROUPS[0] else "",
                    group,
                    _ending(scores, CONTROL),
                    _ending(scores, TRAINED_CONTROL),
                    ", ".join(attached),
                )
            )
    columns = ("base; training", "questions", "pooled control", "control trained so", "attached, by seed")
    return Table("", columns, tuple(rows), numeric=frozenset(columns[2:]))


def _ending(scores: dict[str, str], name: str) -> str:
    """The score of the run that is called so, a prefix aside."""
    return next((score for run, score in scores.items() if run.endswith(name)), ABSENT)


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, blocks, sys.argv[1:]))
