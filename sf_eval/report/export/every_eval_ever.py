"""Every Eval Ever 0.3.0: one aggregate and its samples, in the folders of its datastore."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sf_eval import __version__
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.export.exported import MINI, Exported
from sf_eval.report.leaderboard import Entry
from sf_eval.report.settled import metric_of_all
from sf_eval.scoring.outcome import Outcome

SCHEMA_VERSION = "0.3.0"


def every_eval_ever_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """`data/<collection>/<developer>/<model>/<uuid>.json` and `<uuid>_samples.jsonl`.

    The UUID is made from the run, so that the same run gives the same files. Failed questions are not in the
    samples, which know no answer without words; the aggregate counts them.
    """
    collection = "-".join(("sf-eval", *run.marks))
    place = f"data/{collection}/{run.model_id}/{_uuid(run)}"
    evaluation_id = f"{collection}/{run.model_id}/{_seconds(run.record.created)}"
    results = {entry.name: entry for entry in run.judged()}
    by_task = {task: entry for entry in results.values() for task in entry.tasks}
    lines = [
        json.dumps(_sample(run, sample, by_task[sample.task], evaluation_id), ensure_ascii=True)
        for sample in run.samples
        if sample.output is not None and sample.task in by_task and Outcome(sample.outcome).is_scored
    ]
    samples = "".join(f"{line}\n" for line in lines).encode()
    aggregate: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation_id,
        "evaluation_timestamp": str(_seconds(run.record.created)),
        "retrieved_timestamp": str(_seconds(run.record.created)),
        "source_metadata": {
            "source_name": f"sf-eval run of {run.title}",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": _details(run),
        },
        "eval_library": {"name": "sf-eval", "version": run.record.versions.get("sf-eval", __version__)},
        "model_info": {
            "name": run.title,
            "id": run.model_id,
            "developer": run.model_id.partition("/")[0],
            "inference_engine": {"name": "sf-eval", "version": __version__},
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                "num_frames": str(run.record.model.num_frames),
                "dtype": run.record.model.dtype,
                "attn": run.record.model.attn,
                "untrained": str(run.record.model.untrained).lower(),
            },
        },
        "evaluation_results": [_result(run, entry) for entry in results.values()],
    }
    if lines:
        aggregate["detailed_evaluation_results"] = {
            "format": "jsonl",
            "file_path": f"{place}_samples.jsonl",
            "hash_algorithm": "sha256",
            "checksum": hashlib.sha256(samples).hexdigest(),
            "total_rows": len(lines),
        }
    yield f"{place}.json", (json.dumps(aggregate, indent=2, ensure_ascii=True) + "\n").encode()
    if lines:
        yield f"{place}_samples.jsonl", samples


def _details(run: Exported) -> dict[str, str]:
    return {
        "data": run.record.data,
        "complete": run.completeness,
        "caveats": " ".join(run.caveats),
        "command": " ".join(run.record.command),
    }


def _result(run: Exported, entry: Entry) -> dict[str, Any]:
    (task, *_) = run.tasks_of(entry)
    metric, metric_name = metric_of_all(run.tasks_of(entry))
    described = [f"{entry.remark}." if entry.remark else "", run.settled(entry)]
    details: dict[str, Any] = {
        "score": entry.score.accuracy,
        "details": {
            "n": str(entry.score.n),
            "coverage_percent": f"{entry.score.coverage:.4f}",
            "failures": str(sum(entry.score.failures.values())),
            "complete": run.completeness,
        },
    }
    if entry.score.interval95 is not None:
        low, high = entry.score.interval95
        details["uncertainty"] = {
            "confidence_interval": {
                "lower": low,
                "upper": high,
                "confidence_level": 0.95,
                "method": "clustered by video",
            },
            "num_samples": entry.score.n,
        }
    return {
        "evaluation_result_id": f"{entry.name}/{metric}",
        "evaluation_name": run.data_name(entry.title, run.tasks_of(entry)),
        "source_data": _source(run, entry, task.dataset, task.split),
        "metric_config": {
            "evaluation_description": " ".join(filter(None, described))
            or "Percent of the questions answered right.",
            "metric_id": metric,
            "metric_name": metric_name,
            "metric_kind": "accuracy",
            "metric_unit": "percent",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 100.0,
        },
        "score_details": details,
        "generation_config": {
            "generation_args": {"temperature": 0.0, "execution_command": " ".join(run.record.command)},
            "additional_details": {"num_frames": str(run.record.model.num_frames)},
        },
    }


def _source(run: Exported, entry: Entry, dataset: str, split: str) -> dict[str, Any]:
    if run.is_mini:
        return {
            "dataset_name": run.data_name(entry.title, run.tasks_of(entry)),
            "source_type": "other",
            "additional_details": {MINI: run.record.data},
        }
    return {
        "dataset_name": entry.title,
        "source_type": "hf_dataset",
        "hf_repo": dataset,
        "hf_split": split,
        "samples_number": entry.score.n,
    }


def _sample(run: Exported, sample: SampleRecord, entry: Entry, evaluation_id: str) -> dict[str, Any]:
    is_right = sample.outcome == Outcome.correct.value
    reference = [sample.target] if sample.target is not None else list(sample.references)
    line: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": evaluation_id,
        "model_id": run.model_id,
        "evaluation_name": run.data_name(entry.title, run.tasks_of(entry)),
        "evaluation_result_id": f"{entry.name}/{metric_of_all(run.tasks_of(entry))[0]}",
        "sample_id": f"{sample.task}/{sample.question_id}",
        "sample_hash": hashlib.sha256((sample.prompt + "".join(reference)).encode()).hexdigest(),
        "interaction_type": "single_turn",
        "input": {
            "raw": sample.prompt,
            "reference": reference,
            "choices": [f"{letter}. {text}" for letter, text in sample.options.items()],
        },
        "output": {"raw": [sample.output]},
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": sample.answer or ("" if sample.options else sample.output),
                "extraction_method": _method(sample),
                "is_terminal": True,
            }
        ],
        "evaluation": {
            "score": float(is_right) if sample.credit is None else sample.credit,
            "is_correct": is_right,
        },
        "metadata": {"video": sample.video, "data": sample.data, "outcome": sample.outcome},
    }
    if sample.prompt_tokens is not None and sample.new_tokens is not None:
        line["token_usage"] = {
            "input_tokens": sample.prompt_tokens,
            "output_tokens": sample.new_tokens,
            "total_tokens": sample.prompt_tokens + sample.new_tokens,
        }
    return line


def _method(sample: SampleRecord) -> str:
    if not sample.options:
        return "sf-eval: an open answer, as it was said"
    return f"sf-eval: {sample.answer_rule or 'no option named'}"


def _uuid(run: Exported) -> uuid.UUID:
    """Version 4 by its form; made from what makes the run this run."""
    said = json.dumps(
        [run.record.created, run.record.model.weights_digest, run.record.command, len(run.samples)]
    )
    return uuid.UUID(bytes=hashlib.sha256(said.encode()).digest()[:16], version=4)


def _seconds(created: str) -> int:
    return int(datetime.fromisoformat(created).timestamp())
