"""The figures of docs/mini.md, made from the record in results/mini_when; nothing there is typed.

python -m sf_eval.training.when.page           writes docs/mini.md below the current folder
python -m sf_eval.training.when.page --check   exit code 1 where the page is not what the record makes it
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.marked import filled
from sf_eval.core.tables import to_markdown
from sf_eval.training.when.report import FILE, WhenReport, finding, table

PAGE = Path("docs/mini.md")
RECORD = Path("results/mini_when") / FILE


def blocks(root: Path) -> dict[str, str]:
    """What stands between the page's markers, by name, made of the record below `root`.

    Raises:
        OSError, ValueError: the record cannot be read, or is none.
    """
    report = WhenReport.model_validate_json((root / RECORD).read_text(encoding="utf-8"))
    rows = [line for line in to_markdown(table(report)).splitlines() if line[:1] == "|"]
    return {"mini-when-finding": f"{finding(report)}\n", "mini-when": "".join(f"{row}\n" for row in rows)}


def main(arguments: Sequence[str]) -> int:
    text = PAGE.read_text(encoding="utf-8")
    current = filled(text, blocks(Path()), name=PAGE.as_posix())
    if list(arguments) == ["--check"]:
        if current != text:
            print(f"{PAGE} is not what results/ makes it: run make readme", file=sys.stderr)
        return int(current != text)
    files.write_text(PAGE, current)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
