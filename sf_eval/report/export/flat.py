"""CSV, Parquet and LaTeX."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from typing import Any

from sf_eval.core.tables import interval, percent, to_csv
from sf_eval.core.text import printable
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.export.exported import Exported
from sf_eval.report.settled import metric_of_all

_ASKED = ("task", "data", "doc_id", "question_id", "video", "target")
_ANSWERED = (
    "output", "answer", "answer_rule", "outcome", "failure_reason", "published_verdict", "num_frames",
    "frames_missing", "frames_digest", "pixels_digest", "prompt_tokens", "fast_tokens", "slow_tokens",
    "new_tokens", "finish_reason", "credit", "judge_said",
)  # fmt: skip
_STAGES = (
    "decode_s",
    "preprocess_s",
    "upload_s",
    "vision_s",
    "prefix_s",
    "prefill_s",
    "generate_s",
    "batch_size",
)
SAMPLE_COLUMNS = ("model", "frames", "mini", "complete", *_ASKED, "references", *_ANSWERED, *_STAGES)
_SCORE_COLUMNS = (
    "model", "frames", "mini", "complete", "data", "benchmark", "accuracy", "interval95_low",
    "interval95_high", "n", "coverage", "parts", "parts_total", "metric",
    "settled",
)  # fmt: skip
_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "–": r"\textendash{}",
    "`": r"\`{}", "'": r"\textquotesingle{}",
}  # fmt: skip
_DASHES = re.compile("-(?=-)")  # TeX draws two as one long dash
_OPTION = re.compile(r"^[\[*]")  # where a row or a rule ended just before, TeX takes it for that one's option


def csv_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """Every question, and every score; each line says whether it is mini data and of a whole run."""
    rows = [_row(run, sample) for sample in run.samples]
    yield run.file_name("samples", "csv"), to_csv(SAMPLE_COLUMNS, rows).encode()
    yield run.file_name("scores", "csv"), to_csv(_SCORE_COLUMNS, list(_scores(run))).encode()


def parquet_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """Every question, with the schema of `samples.csv`; absent values are null."""
    import pyarrow
    import pyarrow.parquet

    rows = [_row(run, sample) for sample in run.samples]
    columns = {name: [row.get(name) for row in rows] for name in SAMPLE_COLUMNS}
    table = pyarrow.table({name: pyarrow.array(values, _type(name)) for name, values in columns.items()})
    described = {"sf_eval.data": run.record.data, "sf_eval.caveats": "\n".join(run.caveats)}
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata(described), stream)
    yield run.file_name("samples", "parquet"), stream.getvalue()


def latex_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """A table for a paper (package booktabs); its caption says what data and what part of a run it is."""
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table}",
        "\\centering",
        "\\begin{tabular}{lrrr}",
        "\\toprule",
        "Benchmark & Accuracy (\\%) & 95\\% interval & $n$ \\\\",
        "\\midrule",
    ]
    for entry in run.judged():
        cells = (
            latex(run.data_name(entry.title, run.tasks_of(entry))),
            percent(entry.score.accuracy),
            latex(interval(entry.score.interval95)),
            str(entry.score.n),
        )
        lines.append(" & ".join(cells) + " \\\\")
    said = " ".join([f"{run.title} on {run.record.data}.", *run.caveats])
    lines += ["\\bottomrule", "\\end{tabular}", f"\\caption{{{latex(said)}}}", "\\end{table}", ""]
    yield run.file_name("scores", "tex"), "\n".join(lines).encode()


def latex(text: str) -> str:
    """Text that TeX prints as it is and does not obey; controls, which it cannot read, as their numbers."""
    shown = printable(" ".join(text.split()))
    escaped = "".join(_SPECIAL.get(character, character) for character in shown)
    return _OPTION.sub(lambda first: f"{{{first[0]}}}", _DASHES.sub("-{}", escaped))


def _row(run: Exported, sample: SampleRecord) -> dict[str, Any]:
    timings = sample.timings or {}
    return {
        **_of_run(run),
        **{name: getattr(sample, name) for name in (*_ASKED, *_ANSWERED)},
        "references": json.dumps(sample.references, ensure_ascii=False) if sample.references else None,
        **{name: timings.get(name) for name in _STAGES},
    }


def _of_run(run: Exported) -> dict[str, Any]:
    return {
        "model": run.title,
        "frames": run.record.model.num_frames,
        "mini": run.is_mini,
        "complete": run.record.complete,
    }


def _scores(run: Exported) -> Iterator[dict[str, Any]]:
    for entry in run.judged():
        low, high = entry.score.interval95 or (None, None)
        yield {
            **_of_run(run),
            "data": entry.data,
            "benchmark": entry.name,
            "accuracy": entry.score.accuracy,
            "interval95_low": low,
            "interval95_high": high,
            "n": entry.score.n,
            "coverage": entry.score.coverage,
            "parts": entry.score.parts,
            "parts_total": entry.score.parts_total,
            "metric": metric_of_all(run.tasks_of(entry))[0],
            "settled": run.settled(entry),
        }


def _type(name: str) -> Any:
    import pyarrow

    if name in ("mini", "complete"):
        return pyarrow.bool_()
    if name in ("frames", "doc_id", "num_frames", "frames_missing") or name.endswith("_tokens"):
        return pyarrow.int64()
    return pyarrow.float64() if name == "credit" or name in _STAGES else pyarrow.string()
