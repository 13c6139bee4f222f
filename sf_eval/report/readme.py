"""README's figures, made from committed records and put between its markers; nothing there is typed.

python -m sf_eval.report.readme           writes README.md of the folder that it is started in
python -m sf_eval.report.readme --check   exit code 1 where README.md is not what the records make it
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.tables import Table, escaped, to_markdown
from sf_eval.report.comparison import tables as comparison_tables
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.record import ComparisonRecord

README, RECORD = Path("README.md"), Path("results/mini/comparison.json")
_BEGIN = "<!-- begin:{name} -->\n"
_END = "<!-- end:{name} -->"


def made(readme: str, record: ComparisonRecord) -> str:
    """The text of README.md with the figures of `record` between its markers.

    Raises:
        ValueError: a block of figures has no markers, or markers have no block.
    """
    blocks = _blocks(record)
    marked = re.findall(r"<!-- begin:([a-z-]+) -->", readme)
    if sorted(marked) != sorted(blocks):
        raise ValueError(f"README.md marks {marked}, the figures are {list(blocks)}.")
    for name, text in blocks.items():
        readme = _replaced(readme, name, text)
    return readme


def _blocks(record: ComparisonRecord) -> Mapping[str, str]:
    made_of: dict[str, Callable[[ComparisonRecord], Table | None]] = {
        "mini-comparison": comparison_tables.score_table,
        "mini-gains": comparison_tables.gain_table,
        "mini-kinds": comparison_tables.kind_table,
        "mini-cost": comparison_tables.cost_table,
    }
    tables = {name: _rows(table) for name, make in made_of.items() if (table := make(record)) is not None}
    return {"mini-answer": _quoted(record), **tables}


def _quoted(record: ComparisonRecord) -> str:
    """The answer as the screen has it, and where it was measured."""
    said = [*answer(record), f"(Measured on {record.machine}; {record.created[:10]}.)"]
    return ">\n".join(f"> {escaped(sentence)}\n" for sentence in said)


def _rows(table: Table) -> str:
    """The table alone: README has its own words for title and notes."""
    lines = to_markdown(table).splitlines()
    return "".join(f"{line}\n" for line in lines if line.startswith("|"))


def _replaced(readme: str, name: str, text: str) -> str:
    before, begin, rest = readme.partition(_BEGIN.format(name=name))
    _, end, after = rest.partition(_END.format(name=name))
    if not begin or not end:
        raise ValueError(f"README.md has no end of {name}.")
    return f"{before}{begin}\n{text}\n{end}{after}"


def main(arguments: Sequence[str]) -> int:
    record = ComparisonRecord.model_validate_json(RECORD.read_text(encoding="utf-8"))
    readme = README.read_text(encoding="utf-8")
    current = made(readme, record)
    if list(arguments) == ["--check"]:
        if current != readme:
            print(
                f"{README} is not what {RECORD} makes it: run python -m sf_eval.report.readme",
                file=sys.stderr,
            )
        return int(current != readme)
    files.write_text(README, current)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
