"""`python -m benchmarks.gpu`: run the steps, write `report.json` and `report.md`.

Exit codes: 0 every step went through; 1 one did not; 2 a mistake in the command.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.gpu.plan import STEPS, TOTAL_S, Step
from benchmarks.gpu.report import Report, StepRecord, card_slug
from benchmarks.gpu.runner import Runner
from benchmarks.gpu.table import markdown
from sf_eval.core.files import write_json, write_text

ROOT = Path(__file__).resolve().parents[2]
WHEELS = ROOT / "benchmarks" / "gpu" / "wheels"
_DRY_PATIENCE = 4.0  # a rehearsal shares its CPU with whatever else runs there
# What nearly every step needs. Importing them uses no GPU.
LIBRARIES = (
    "sf_eval.inference.engine", "sf_eval.inference.families.slow_fast", "sf_eval.verifying.model",
    "sf_eval.profiler.measured.pipeline", "sf_eval.profiler.profile",
)  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    started, patience = time.monotonic(), _DRY_PATIENCE if options.dry else 1.0
    preloaded = options.preload and _preload()
    with tempfile.TemporaryDirectory(prefix="sf-eval-gpu-") as work:
        out = options.out or Path(tempfile.mkdtemp(prefix="sf-eval-gpu-report-"))
        out.mkdir(parents=True, exist_ok=True)
        (out / "log.txt").unlink(missing_ok=True)
        runner = Runner(
            dry=options.dry,
            device="cpu" if options.dry else "cuda:0",
            out=out,
            work=Path(work),
            log=out / "log.txt",
            total_s=options.seconds * patience - (time.monotonic() - started),
            preloaded=preloaded,
        )
        report = Report(
            dry=options.dry,
            created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            finished=False,
            card="",
            commit=options.commit or _commit(),
            source_sha256=_source_digest(),
            command=shlex.join(["benchmarks/gpu/run.sh", *arguments]),
            seconds=0.0,
            steps=(),
        )

        def write(records: tuple[StepRecord, ...], *, finished: bool = False) -> Report:
            current = replace(
                report,
                finished=finished,
                card=_card(records),
                seconds=time.monotonic() - started,
                steps=records,
            )
            write_json(out / "report.json", current.to_json())
            write_text(out / "report.md", markdown(current))
            return current

        records = runner.run(_chosen(options.steps, patience), write)
        final = write(records, finished=True)
    kept = out if options.out or options.dry or not final.card else _keep(out, final)
    print(markdown(final))
    print(f"written to {kept}")
    return 0 if all(step.status == "ok" for step in final.steps) else 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks/gpu/run.sh", description="Measure what only a GPU can show."
    )
    parser.add_argument("--dry", action="store_true", help="rehearse on the CPU with the mini model")
    parser.add_argument("--out", type=Path, help="folder for the report; default: results/gpu/<card>")
    parser.add_argument("--steps", default="", help="only these, in this order, separated by commas")
    parser.add_argument("--seconds", type=float, default=TOTAL_S, help="for all steps together")
    parser.add_argument(
        "--commit", default=os.environ.get("SF_EVAL_COMMIT", ""), help="where git cannot tell it"
    )
    parser.add_argument(
        "--no-preload", dest="preload", action="store_false", help="import in every step anew"
    )
    options = parser.parse_args(arguments)
    known = [step.name for step in STEPS]
    if unknown := [name for name in options.steps.split(",") if name and name not in known]:
        parser.error(f"there is no step {unknown[0]!r}; the steps are {', '.join(known)}")
    return options


def _chosen(names: str, patience: float) -> list[Step]:
    """The steps called `names`, in that order; all of them where none is named."""
    known = {step.name: replace(step, limit_s=step.limit_s * patience) for step in STEPS}
    wanted = [name for name in names.split(",") if name]
    return [known[name] for name in dict.fromkeys(wanted)] or list(known.values())


def _preload() -> bool:
    """Import what the steps need; where that fails, every step says so itself."""
    try:
        for name in LIBRARIES:
            importlib.import_module(name)
    except Exception as error:
        print(f"cannot import ahead of the steps: {error!r}", file=sys.stderr)
        return False
    return True


def _card(records: tuple[StepRecord, ...]) -> str:
    """The device's name, as soon as any step has told it."""
    names = [str(record.detail["device_name"]) for record in records if "device_name" in record.detail]
    return names[0] if names else ""


def _keep(out: Path, report: Report) -> Path:
    """Put the report where results belong; what an earlier run of this card left there goes."""
    folder = ROOT / "results" / "gpu" / card_slug(report.card)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("report.json", "report.md", "profile.json"):
        (folder / name).unlink(missing_ok=True)
        if (out / name).is_file():
            (folder / name).write_bytes((out / name).read_bytes())
    return folder


def _commit() -> str:
    """What git says, or what `wheels.sh` wrote down where the tree travels without its history."""
    try:
        asked = subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        return asked.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        noted = WHEELS / "COMMIT"
        return noted.read_text(encoding="utf-8").strip() if noted.is_file() else "unknown"


def _source_digest() -> str:
    """SHA-256 over the names and contents of all code that a step can run."""
    digest = hashlib.sha256()
    for folder in ("sf_eval", "benchmarks", "tasks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
