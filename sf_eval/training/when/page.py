"""The figures of docs/mini.md, made from the record in results/mini_when; nothing there is typed.

python -m sf_eval.training.when.page           writes docs/mini.md below the current folder
python -m sf_eval.training.when.page --check   exit code 1 where the page is not what the record makes it
"""

from __future__ import annotations

import sys
from pathlib import Path

from sf_eval.core.marked import table_rows, write_or_check
from sf_eval.training.when.report import FILE, WhenReport, finding, table

PAGE = Path("docs/mini.md")
RECORD = Path("results/mini_when") / FILE


def blocks(root: Path) -> dict[str, str]:
    """What stands between the page's markers, by name, made of the record below `root`.

    Raises:
        OSError, ValueError: the record cannot be read, or is none.
    """
    report = WhenReport.model_validate_json((root / RECORD).read_text(encoding="utf-8"))
    return {"mini-when-finding": f"{finding(report)}\n", "mini-when": table_rows(table(report))}


if __name__ == "__main__":
    sys.exit(write_or_check(PAGE, blocks, sys.argv[1:]))
