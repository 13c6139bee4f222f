"""What `sf-eval profile --model NAME+slow` does: the table of docs/attaching.md."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from sf_eval.core.errors import UsageError

_OF_ANOTHER_MODEL = ("sampling_stride", "temporal_stride", "measure", "decode")


def profile_attached(flags: dict[str, Any], console: Console) -> None:
    """Count, print, and write `attached_profile.json` where an output folder was named.

    Raises:
        UsageError: an unknown name, or a flag that says nothing of an attached slow path.
    """
    from sf_eval.core.files import write_json
    from sf_eval.core.tables import print_table
    from sf_eval.profiler.attached import make_attached_profile
    from sf_eval.report.profile.attached import attached_table, pooled_table

    if unused := [name for name in _OF_ANOTHER_MODEL if flags[name]]:
        flag = unused[0].replace("_", "-")
        raise UsageError(f"--{flag} says nothing of {flags['model']}: its table is prefill, KV and vision.")
    with Console(stderr=True).status("counting") as status:
        profile = make_attached_profile(
            flags["model"],
            against=flags["against"],
            frames=flags["frames"],
            text_tokens=flags["text_tokens"],
            traced=not flags["no_trace"],
            command=shlex.join(["sf-eval", *sys.argv[1:]]),
            say=status.update,
        )
    for table in (attached_table(profile), pooled_table(profile)):
        print_table(console, table)
    if flags["output"]:
        path = Path(flags["output"]) / "attached_profile.json"
        write_json(path, profile.to_json())
        console.print(f"wrote {path}", highlight=False, markup=False)
