"""The process of one step: runs its module and ends with 0 only where everything in it went well."""

from __future__ import annotations

import importlib
import sys
import traceback

from benchmarks.gpu.book import Book, Setup, StepError

PROBLEM = 3
"""Exit code of a `StepError`; its message is the last line printed."""


def run_step(module: str, setup: Setup) -> int:
    """Run a step's module here; the exit code of its process."""
    try:
        importlib.import_module(module).run(Book(setup))
    except StepError as problem:
        print(f"problem: {problem}", file=sys.stderr)
        return PROBLEM
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run_step(sys.argv[1], Setup.from_json(sys.argv[2])))
