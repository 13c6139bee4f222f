"""Workers must be alike: answers of different weights or versions do not belong into one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sf_eval import __version__
from sf_eval.core.errors import SfEvalError
from sf_eval.harness.distributed.work import Hello, differences


class WorkersDifferError(SfEvalError):
    """Two workers would not give the same answers."""


def refuse_differences(hellos: Mapping[str, Hello]) -> None:
    """Hold workers, by what they are called, to each other, and to this driver's version of sf-eval.

    Raises:
        WorkersDifferError: names the machine that differs, and in what.
    """
    seen = {who: _facts(hello) for who, hello in hellos.items()}
    for who, facts in seen.items():
        if (theirs := facts["sf-eval"]) != __version__:
            raise WorkersDifferError(
                f"{who} has sf-eval {theirs}, this machine, which hands out the questions, {__version__}.",
                hint="Install the same version on all machines.",
            )
    for who, what, has, usual in differences(seen):
        raise _differ(who, what, has, usual)


def _differ(who: str, what: str, has: Any, usual: Any) -> WorkersDifferError:
    return WorkersDifferError(
        f"{who} has {what} {has if has is not None else 'missing'}, the others {usual}.",
        hint="Give every machine the same packages and weights (sf-eval doctor --workers N compares them).",
    )


def _facts(hello: Hello) -> dict[str, Any]:
    """What must be the same: the versions first, which are what a reader can mend."""
    return {**hello.model.versions, **asdict(hello.model.identity)}
