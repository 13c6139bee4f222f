"""What `sf-eval view` does, once its options are read. Kept out of view.py as `_run` is."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sf_eval.cli.actions.progress import counting
from sf_eval.core.errors import UsageError
from sf_eval.report.view import kept
from sf_eval.report.view.build import PagePlan, build, plan_page
from sf_eval.report.view.serve import HOST, server


def view_and_report(
    folder: Path,
    output: Path | None,
    *,
    with_frames: bool,
    budget: int,
    data: str | None,
    serve: bool,
    port: int,
) -> int:
    """Say what the page will take, make it, say how to open it; serve it if asked to."""
    console = Console()
    plan = plan_page(kept.read(folder), output, with_frames=with_frames, budget=budget)
    _say(console, _beforehand(plan))
    with counting(console) as progress:
        index = build(plan, data=data, progress=progress)
    taken = sum(path.stat().st_size for path in index.parent.rglob("*") if path.is_file())
    _say(console, f"The page takes {taken / 1e6:.1f} MB. Open it in a browser:")
    _say(console, f"  {index.resolve()}")
    if serve:
        _serve(console, index.parent, port)
    return 0


def _beforehand(plan: PagePlan) -> str:
    viewed = plan.viewed
    said = (
        f"{len(viewed.keys):,} questions of {len(viewed.runs)} run{'s' if len(viewed.runs) > 1 else ''} "
        f"-> {plan.output}: about {plan.data_bytes / 1e6:.1f} MB of data"
    )
    if plan.side is None:
        return f"{said}, no frames"
    return f"{said}, at most about {plan.frame_bytes / 1e6:.1f} MB of frames at {plan.side} pixels"


def _serve(console: Console, folder: Path, port: int) -> None:
    try:
        serving = server(folder, port)
    except OSError as error:
        raise UsageError(
            f"--port {port} cannot be used: {error.strerror}.", hint="Give another, or none for a free one."
        ) from error
    with serving:
        _say(console, f"  http://{HOST}:{serving.server_port}/ until Ctrl-C")
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return


def _say(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
