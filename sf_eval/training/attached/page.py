"""The figures of docs/attaching.md, made from the records in results/attach; nothing there is typed.

python -m sf_eval.training.attached.page           writes docs/attaching.md below the current folder
python -m sf_eval.training.attached.page --check   exit code 1 where the page is not what the records make it
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.marked import filled
from sf_eval.core.tables import to_markdown
from sf_eval.training.attached.report import FILE, ToyReport, finding, toy_table

PAGE = Path("docs/attaching.md")
RECORDS = Path("results/attach")


def blocks(root: Path) -> dict[str, str]:
    """What stands between the page's markers, by name, made of the records below `root`.

    Raises:
        OSError, ValueError: a record cannot be read, or is none.
    """
    report = ToyReport.model_validate_json((root / RECORDS / FILE).read_text(encoding="utf-8"))
    rows = "".join(f"{line}\n" for line in to_markdown(toy_table(report)).splitlines() if line[:1] == "|")
    return {"attach-toy": rows, "attach-when": f"{finding(report)}\n"}


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
