"""What `sf-eval look` does, once its options are read. Kept out of look.py as `_run` is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sf_eval.cli.actions.progress import counting
from sf_eval.core.tables import scaled
from sf_eval.core.text import printable
from sf_eval.harness import output_dir
from sf_eval.harness.looking.look import execute, plan_looks, plan_looks_of_a_run
from sf_eval.harness.looking.record import FOLDER, KeptLook
from sf_eval.harness.memory import release
from sf_eval.harness.rescoring import read_run
from sf_eval.harness.settings import RunSettings
from sf_eval.inference.device import resolve_device


def look_and_report(
    folder: Path,
    questions: Sequence[str],
    *,
    brief: bool,
    limit: int | None,
    data: str | None,
    weights: str | None,
    device: str,
) -> int:
    """Look, and say where each question's attention peaked. Returns 1 if a video could not be shown."""
    console = Console()
    plan = plan_looks(read_run(folder), questions=questions, brief=brief, limit=limit)
    console.print(
        f"{len(plan.chosen)} questions; at most {plan.largest_bytes / 1e6:.1f} MB go to {folder / FOLDER}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    failed = 0
    with output_dir.locked(folder), counting(console) as progress:
        for look in execute(plan, data=data, weights=weights, device=device, progress=progress):
            failed += not isinstance(look, KeptLook)
            said = _told(look) if isinstance(look, KeptLook) else f"not looked at: {look}"
            console.print(Text(printable(said)))
    console.print(f"On a page: sf-eval view {folder}", highlight=False, markup=False, soft_wrap=True)
    return 1 if failed else 0


def look_after_run(settings: RunSettings, folder: Path, console: Console) -> int:
    """What `sf-eval run --attention` does with a run that is finished. Returns as `look_and_report`.

    The model is loaded a second time: looking works on single questions, beside the engine.
    """
    assert settings.attention is not None
    release(resolve_device("cpu" if settings.workers else settings.device))
    plan = plan_looks_of_a_run(read_run(folder), settings.attention)
    if plan is None:
        return 0
    failed, started = 0, time.perf_counter()
    with output_dir.locked(folder), counting(console) as progress:
        for look in execute(plan, device=settings.device, progress=progress):
            if not isinstance(look, KeptLook):
                failed += 1
                console.print(Text(printable(f"not looked at: {look}")))
    written = sum(path.stat().st_size for path in (folder / FOLDER).glob("*"))
    took = time.perf_counter() - started
    console.print(
        f"Looked at {len(plan.chosen) - failed} questions in {took:.1f} s, the model loaded again: "
        f"{folder / FOLDER} holds {scaled(written, 'B')}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    return 1 if failed else 0


def _told(look: KeptLook) -> str:
    """Where the question's tokens looked most, all hybrid layers together."""
    record = look.record
    shares = look.shares("question")
    peak = int(shares.argmax())
    told = (
        f"{record.task}/{record.question_id}: most at frame {peak + 1} of {len(shares)} "
        f"({record.times_s[peak]:.1f} s), {100 * shares[peak]:.1f}% of the question's attention"
    )
    if not record.as_asked:
        told += "; weights are the run's, but video, libraries or device are others than it was asked with"
    if record.same_output is False:
        told += "; it gave another answer than the run recorded"
    return told
