"""`sf-eval profile --measure`, word for word as docs/profiling.md tells it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.report import Row
from sf_eval.cli.main import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "profiling.md"
_OUTPUT = "results/profile-7b"
# What the rehearsal says instead, and in addition.
_SMALL = {
    "slowfast-7b-128f": "mini",
    "self-attention-16f": "mini-self-attention:4",
    "16,128": "4,8",
    "bfloat16": "float32",
}
_QUICK = ("--device", "cpu", "--warmup", "0", "--text-tokens", "30", "--new-tokens", "2", "--no-trace")


def run(book: Book) -> None:
    arguments = documented_command()
    book.put("documented", shlex.join(["sf-eval", *arguments]))
    folder = book.setup.step_file.parent / "profile"
    arguments = [str(folder) if word == _OUTPUT else word for word in arguments]
    if not book.setup.dry and not torch.cuda.is_available():
        raise StepError("there is no GPU here, and the 7B shape is not measured on a CPU")
    if book.setup.dry:
        arguments = [_SMALL.get(word, word) for word in arguments] + list(_QUICK)
    code = _sf_eval(arguments)
    written = folder / "profile.json"
    if not written.is_file():
        raise StepError(f"it ended with exit code {code} and wrote no profile.json")
    profile = json.loads(written.read_text(encoding="utf-8"))
    (book.setup.out / "profile.json").write_text(json.dumps(profile), encoding="utf-8")
    _book(book, profile["measured"])
    if code:
        raise StepError(f"it wrote its files and ended with exit code {code}")


def _sf_eval(arguments: list[str]) -> str | int | None:
    """The console script, in this process, which is the step's own; its exit code."""
    sys.argv = ["sf-eval", *arguments]
    try:
        main()
    except SystemExit as end:
        return end.code


def documented_command() -> list[str]:
    """The arguments of the page's command that measures with random weights."""
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", "")
    (line,) = re.findall(r"^sf-eval (profile .*--random-weights.*)$", text, re.MULTILINE)
    return shlex.split(line)


def _book(book: Book, measured: dict[str, Any]) -> None:
    book.put("notes", measured["notes"])
    for run_ in measured["runs"]:
        name = f"{run_['model']} at {run_['frames']} frames"
        for stage, short in (("TTFT from file", "ttft"), ("end to end", "end")):
            if samples := run_["stages"].get(stage):
                key = f"profile.{run_['model']}.{run_['frames']}.{short}"
                book.row(Row(key, f"profile: {stage}, {name}", samples["median"], "s", samples["n"]))
            else:
                why = run_["not_measured"][stage]
                key = f"profile.{run_['model']}.{run_['frames']}.{short}"
                book.row(Row(key, f"profile: {stage}, {name}", None, "s", note=why))
