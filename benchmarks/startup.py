"""How long after the command is the first video there, and how long does the command take in all?

    python benchmarks/startup.py             # five runs each, in turn: decoding begun ahead, and not
    python benchmarks/startup.py --rounds 2

`sf-eval run` as a user types it, of the mini model and four questions, each time in a process and a folder of
its own. The other side is the same command with decoding as it was before: `--decoders 0` decodes a clip when
it is asked for. The seconds to the first video are those of results.json (`first_video_s`).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from sf_eval.core import files, provenance
from sf_eval.inference import machine

OUT = Path("results/benchmarks/startup.json")
_COMMAND = (
    "run",
    "--model",
    "mini",
    "--data",
    "mini",
    "--tasks",
    "videomme",
    "--limit",
    "4",
    "--device",
    "cpu",
)
_SIDES = {"ahead": (), "when asked for": ("--decoders", "0")}


def main() -> int:
    asked = _arguments()
    rows: dict[str, list[dict[str, float]]] = {side: [] for side in _SIDES}
    _once(_SIDES["ahead"])  # renders the edition, compiles Python's files
    for _ in range(asked.rounds):
        for side, extra in _SIDES.items():
            rows[side].append(_once(extra))
            print(f"{side}: {rows[side][-1]}", flush=True)
    files.write_json(
        asked.out,
        {
            "schema_version": 1,
            "command": f"python benchmarks/startup.py {' '.join(sys.argv[1:])}".strip(),
            "run": " ".join(("sf-eval", *_COMMAND)),
            "rounds": asked.rounds,
            "sides": {
                side: {name: _spread([row[name] for row in each]) for name in each[0]}
                for side, each in rows.items()
            },
            "machine": machine.describe(torch.device("cpu")),
            "versions": provenance.versions(),
            "git_commit": provenance.git_commit(),
        },
    )
    print(f"Written: {asked.out}")
    return 0


def _once(extra: tuple[str, ...]) -> dict[str, float]:
    """One run: seconds to its first decoded video, where it was begun ahead, and of the whole command."""
    with tempfile.TemporaryDirectory(prefix="sf-eval-startup-") as folder:
        output = Path(folder) / "run"
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "sf_eval.cli", *_COMMAND, "--output", str(output), *extra],
            check=True,
            capture_output=True,
        )
        seconds = time.perf_counter() - started
        first = json.loads((output / "results.json").read_text())["first_video_s"]
    taken = {"command_s": round(seconds, 2)}
    return taken if first is None else {"first_video_s": round(first, 2), **taken}


def _spread(values: list[float]) -> list[float]:
    """Median, least, most."""
    return [round(statistics.median(values), 2), min(values), max(values)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
