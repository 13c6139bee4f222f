"""The formats by name, and writing one: a whole folder or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.report.export.every_eval_ever import every_eval_ever_files
from sf_eval.report.export.exported import Exported
from sf_eval.report.export.flat import csv_files, latex_files, parquet_files
from sf_eval.report.export.huggingface import eval_results_files, model_index_files
from sf_eval.report.export.inspect_log import inspect_files

FORMATS: dict[str, Callable[[Exported], Iterator[tuple[str, bytes]]]] = {
    "every-eval-ever": every_eval_ever_files,
    "hf-eval-results": eval_results_files,
    "model-index": model_index_files,
    "inspect": inspect_files,
    "latex": latex_files,
    "csv": csv_files,
    "parquet": parquet_files,
}
"""What makes a format's files, as relative paths and contents."""


def export(run: Exported, to: str, folder: Path) -> list[Path]:
    """Write a run in the format `to` as the whole content of `folder`.

    Returns:
        The files, below `folder`.

    Raises:
        UsageError: the format refuses the run.
        OutputError: the folder holds something that no export of this format wrote, or cannot be written.
    """
    made = list(FORMATS[to](run))
    marker = f".sf-eval-export-{to}"
    if folder.exists() and not (folder / marker).is_file():
        raise OutputError(f"{folder} is there already and is no export.", hint="Name another --output.")
    try:
        with files.replacing_folder(folder) as temporary:
            (temporary / marker).write_bytes(b"")
            for name, data in made:
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                (temporary / name).write_bytes(data)
    except OSError as error:
        raise files.output_error(folder, error) from error
    return [folder / name for name, _ in made]
