"""`sf-eval verify`: this installation against recorded outputs of the published code.

A directory is taken for what lies in it: model cases (`record.safetensors`), recorded prompts and scores
(`prompts.jsonl`, `scores.jsonl`), frame indices (`frame_indices.jsonl`), preprocessing
(`preprocess.safetensors`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from sf_eval.core.errors import DataError
from sf_eval.core.tables import ABSENT, Table
from sf_eval.model.preprocess import CLIP_STD, preprocess_frames
from sf_eval.verifying.model import QUANTITIES, RECORDED, CaseResult
from sf_eval.verifying.protocol import is_protocol_dir, recorded_protocol_dir, verify_protocol
from sf_eval.video import published_indices

INDICES, PREPROCESS = "frame_indices.jsonl", "preprocess.safetensors"
# One grey level of 255, the recorded protocol's own tolerance (docs/model.md), and float rounding.
GREY_LEVELS = 1.0 + 1e-3


@dataclass(frozen=True)
class FileResult:
    """One recorded file of the protocol.

    Attributes:
        first_difference: what differs first, in words; empty where everything agrees.
    """

    name: str
    rows: int
    wrong: int
    first_difference: str = ""

    @property
    def passed(self) -> bool:
        return self.wrong == 0


def default_directories() -> list[Path]:
    """The recorded cases that ship with the package."""
    return [RECORDED, recorded_protocol_dir()]


def split_directories(directories: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Directories of model cases, and of protocol records; one that is neither goes to the model's reader,
    which says what is missing."""
    protocol = [directory for directory in directories if _is_protocol(directory)]
    return [directory for directory in directories if directory not in protocol], protocol


def verify_protocol_directory(directory: Path) -> list[FileResult]:
    """Compare every recorded file in `directory`.

    Raises:
        DataError: a damaged record, naming file and line.
    """
    results = []
    if is_protocol_dir(directory):
        results += _prompts_and_scores(directory)
    if (directory / INDICES).is_file():
        results.append(_indices(directory / INDICES))
    if (directory / PREPROCESS).is_file():
        results.append(_preprocessing(directory / PREPROCESS))
    return results


def model_table(results: Sequence[CaseResult], machine: str) -> Table:
    """One row a case: the largest difference of each quantity, greedy ids, verdict."""
    rows = tuple(
        (
            result.name,
            *(_number(result.differences.get(quantity)) for quantity in QUANTITIES),
            {True: "equal", False: "differ", None: ABSENT}[result.greedy_equal],
            "ok" if result.passed else "FAILED",
        )
        for result in results
    )
    tolerance = f"{results[0].tolerance:g}" if results else ABSENT
    counts = all(result.greedy_counts for result in results)
    return Table(
        title=f"Model: largest absolute difference from the published code ({machine})",
        columns=("case", *(quantity.replace("_", " ") for quantity in QUANTITIES), "greedy ids", ""),
        rows=rows,
        numeric=frozenset(quantity.replace("_", " ") for quantity in QUANTITIES),
        notes=(
            f"Tolerance {tolerance}."
            + ("" if counts else " Greedy ids are shown, not required, in half precision."),
        ),
    )


def protocol_table(results: Sequence[tuple[Path, FileResult]]) -> Table:
    """One row a recorded file."""
    rows = tuple(
        (
            str(directory.name),
            result.name,
            str(result.rows),
            str(result.wrong),
            result.first_difference,
            "ok" if result.passed else "FAILED",
        )
        for directory, result in results
    )
    return Table(
        title="Protocol: prompts, published scores, frame indices, preprocessing",
        columns=("directory", "file", "rows", "differ", "first difference", ""),
        rows=rows,
        numeric=frozenset({"rows", "differ"}),
    )


def _is_protocol(directory: Path) -> bool:
    return is_protocol_dir(directory) or any((directory / name).is_file() for name in (INDICES, PREPROCESS))


def _prompts_and_scores(directory: Path) -> list[FileResult]:
    results = verify_protocol(directory)
    files = []
    for name in dict.fromkeys(result.file for result in results):
        rows = [result for result in results if result.file == name]
        wrong = [result for result in rows if not result.passed]
        first = (
            f"line {wrong[0].line}: {wrong[0].expected!r} recorded, {wrong[0].got!r} here" if wrong else ""
        )
        files.append(FileResult(name, len(rows), len(wrong), first))
    return files


def _indices(path: Path) -> FileResult:
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    wrong = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            ours = published_indices(
                row["total_frames"], row["fps"], num_frames=row["num_frames"], target_fps=row["target_fps"]
            )
            recorded = row["indices"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number} is not a recorded row: {error!r}.") from error
        if ours != recorded:
            wrong.append(number)
    first = f"line {wrong[0]}" if wrong else ""
    return FileResult(path.name, len(lines), len(wrong), first)


def _preprocessing(path: Path) -> FileResult:
    try:
        record = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is not a whole safetensors file: {error}") from error
    names = sorted(key.removesuffix(".frames") for key in record if key.endswith(".frames"))
    wrong = []
    for name in names:
        if f"{name}.pixel_values" not in record:
            raise DataError(f"{path} has {name}.frames and no {name}.pixel_values.")
        expected = record[f"{name}.pixel_values"]  # [T, 3, S, S]
        ours = preprocess_frames(record[f"{name}.frames"].numpy(), expected.shape[-1])
        levels = _grey_levels(ours, expected.float())
        if not levels <= GREY_LEVELS:
            wrong.append(f"{name}: {levels:.2f} grey levels")
    return FileResult(path.name, len(names), len(wrong), wrong[0] if wrong else "")


def _grey_levels(ours: torch.Tensor, recorded: torch.Tensor) -> float:
    """Largest difference of two normalised stacks [T, 3, S, S] in grey levels; NaN where shapes differ."""
    if ours.shape != recorded.shape:
        return float("nan")
    std = torch.tensor(CLIP_STD).view(1, 3, 1, 1)
    return float(((ours - recorded).abs() * std * 255).max())


def _number(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.1e}"
