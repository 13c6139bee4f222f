"""Whether there is anything that a model could look at; known before it is loaded."""

from __future__ import annotations

from sf_eval.core.errors import UsageError
from sf_eval.inference.families import WATCHABLE


def refuse_to_look(name: str, *, family: str, slow_path: str, shows_video: bool) -> None:
    """Refuse a run without slow tokens, or whose model does not tell where it looks.

    Args:
        name, family, slow_path: as its model card has them.

    Raises:
        UsageError: in one line, why.
    """
    if not shows_video:
        raise UsageError("the run showed no video: there is nothing that its model could look at.")
    if slow_path != "on":
        raise UsageError(
            f"{name} has no slow path: there is nothing that it could look at.",
            hint="Look at a run of a model whose slow path is on.",
        )
    if family not in WATCHABLE:
        raise UsageError(f"models of the family {family} do not tell where they look.")
