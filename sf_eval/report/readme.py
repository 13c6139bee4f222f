"""README's figures, made from committed records and put between its markers; nothing there is typed.

python -m sf_eval.report.readme           writes README.md of the folder that it is started in
python -m sf_eval.report.readme --check   exit code 1 where README.md is not what the records make it
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sf_eval.core.marked import filled, table_rows, write_or_check
from sf_eval.core.tables import Table, escaped
from sf_eval.report import speed
from sf_eval.report.comparison import tables as comparison_tables
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.record import ComparisonRecord

README = Path("README.md")
MINI = Path("results/mini/comparison.json")
THROUGHPUT = Path("results/benchmarks/throughput.json")
DECODING = Path("results/benchmarks/decoding.json")


def blocks(root: Path) -> dict[str, str]:
    """What stands between README's markers, by name, made of the records below `root`.

    Raises:
        OSError, ValueError: a record cannot be read, or is none.
    """
    record = ComparisonRecord.model_validate_json((root / MINI).read_text(encoding="utf-8"))
    made_of: dict[str, Callable[[ComparisonRecord], Table | None]] = {
        "mini-comparison": comparison_tables.score_table,
        "mini-gains": comparison_tables.gain_table,
        "mini-kinds": comparison_tables.kind_table,
        "mini-cost": comparison_tables.cost_table,
    }
    tables = {
        name: table_rows(table) for name, make in made_of.items() if (table := make(record)) is not None
    }
    return {
        "mini-answer": _quoted(record),
        **tables,
        "throughput": _throughput(root / THROUGHPUT),
        "decoding": _with_notes(
            speed.decoding_table(
                speed.Decoding.model_validate_json((root / DECODING).read_text(encoding="utf-8"))
            )
        ),
    }


def made(readme: str, figures: Mapping[str, str]) -> str:
    """The text of README.md with `figures` between its markers.

    Raises:
        ValueError: figures have no markers, or markers have no figures.
    """
    return filled(readme, figures, name="README.md")


def _quoted(record: ComparisonRecord) -> str:
    """The answer as the screen has it, and where it was measured."""
    said = [*answer(record), f"(Measured on {record.machine}; {record.created[:10]}.)"]
    return ">\n".join(f"> {escaped(sentence)}\n" for sentence in said)


def _throughput(path: Path) -> str:
    if not path.exists():
        return f"Not measured yet: `python benchmarks/throughput.py` writes `{THROUGHPUT.as_posix()}`.\n"
    record = speed.Throughput.model_validate_json(path.read_text(encoding="utf-8"))
    return _with_notes(speed.throughput_table(record))


def _with_notes(table: Table) -> str:
    return table_rows(table) + "".join(f"\n{escaped(note)}\n" for note in table.notes)


def main(arguments: Sequence[str]) -> int:
    return write_or_check(README, blocks, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
