"""Our benchmarks as lmms-eval tasks: one class for all, the yaml's `task` names the benchmark."""

from __future__ import annotations

from typing import Any

import datasets
from lmms_eval.api.task import ConfigurableMessagesTask

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.harness.failed_text import from_text
from sf_eval.lmms import context
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.scores import Score, ScoredSample, score
from sf_eval.scoring.settling import Settled

METRICS = ("accuracy", "coverage")
NOT_JUDGED = "not_judged"
"""A third metric, of benchmarks whose answers only a judge can tell: how many were not judged."""


class SlowFastTask(ConfigurableMessagesTask):
    """A benchmark of `tasks/`, read, validated and scored by us.

    Instead of `load_dataset` it asks the context for its documents (`sf_eval.lmms.context`), so that the
    Hub, a directory, the mini edition and a replay go one way. A damaged row or a missing file is an error
    of this constructor.
    """

    def __init__(self, config: dict[str, Any] | None = None, **_: Any) -> None:
        assert config is not None, "lmms-eval builds a task from its yaml"
        config = {key: value for key, value in config.items() if key != "class"}
        self.benchmark = catalog.get_benchmark(config["task"])
        self.documents = {
            document.index: document for document in context.current().documents(self.benchmark)
        }
        self.settling = context.current().settling(self.benchmark)
        config["process_results"] = self.process_results
        config["metric_list"] = [
            {
                "metric": name,
                "aggregation": _AGGREGATIONS[name],
                "higher_is_better": name != NOT_JUDGED,
            }
            for name in self._metrics
        ]
        config.setdefault("cluster_key", "video")
        super().__init__(config=config, model_name="slowfast")

    def download(self, dataset_kwargs: dict[str, Any] | None = None) -> None:
        """Offer the documents under the split that the yaml names."""
        split = self.config.test_split or self.config.validation_split
        rows = [_public(document) for document in self.documents.values()]
        self.dataset = datasets.DatasetDict({split: datasets.Dataset.from_list(rows)})
        self.dataset_no_image = self.dataset

    @property
    def _metrics(self) -> tuple[str, ...]:
        return (*METRICS, NOT_JUDGED) if self.benchmark.settled_by == "judge" else METRICS

    def document(self, doc: dict[str, Any]) -> Document:
        index: int = doc["index"]
        return self.documents[index]

    def doc_to_text(self, doc: dict[str, Any], *_: Any, **__: Any) -> str:
        return context.current().prompt(self.benchmark, self.document(doc))

    def doc_to_target(self, doc: dict[str, Any], *_: Any, **__: Any) -> str:
        return doc["answer"] or next(iter(self.document(doc).references), "")

    def doc_to_visual(self, doc: dict[str, Any], *_: Any, **__: Any) -> list[str]:
        return [str(context.current().clip(self.benchmark, self.document(doc)).path)]

    def doc_to_messages(self, doc: dict[str, Any], *_: Any, **__: Any) -> list[dict[str, Any]]:
        clip = context.current().clip(self.benchmark, self.document(doc))
        video = {"type": "video", "url": str(clip.path)}
        # Beyond lmms-eval's own keys, so that any other chat model still finds a plain video.
        limits = {"start_s": clip.start_s, "end_s": clip.end_s, "fps": clip.fps}
        video.update({key: value for key, value in limits.items() if value is not None})  # type: ignore[misc]
        return [{"role": "user", "content": [video, {"type": "text", "text": self.doc_to_text(doc)}]}]

    def process_results(self, doc: dict[str, Any], results: list[str], **_: Any) -> dict[str, Any]:
        document = self.document(doc)
        failure = from_text(results[0])  # never read for a letter
        if failure is not None:
            settled = Settled(Outcome(failure.value))
        else:
            cut_off = context.current().was_cut_off(self.benchmark, document)
            settled = self.settling.settle(document, results[0], cut_off=cut_off)
        outcome = settled.outcome
        item = {
            "outcome": outcome.value,
            "credit": settled.credit,
            "question_id": document.id,  # so that `sf-eval compare` finds the question in lmms-eval's log
            "video": document.video_id,
            "has_truth": document.has_truth,
        }
        # lmms-eval makes its standard errors from `score`: in percent, as our aggregations are.
        accuracy = item if settled.credit is None else {**item, "score": 100.0 * settled.credit}
        coverage = {**item, "score": 100.0 * (not outcome.is_failure)}
        metrics = {"accuracy": accuracy, "coverage": coverage, NOT_JUDGED: item}
        return {name: metrics[name] for name in self._metrics}


def _public(document: Document) -> dict[str, Any]:
    return {
        "index": document.index,
        "id": document.id,
        "video": document.video_id,
        "question": document.question,
        "options": [f"{letter}. {text}" for letter, text in document.options.items()],
        "answer": document.answer,
    }


def _score(items: list[dict[str, Any]]) -> Score:
    return score([_scored(item) for item in items])


def _scored(item: dict[str, Any]) -> ScoredSample:
    return ScoredSample(
        Outcome(item["outcome"]), item["video"], has_truth=item["has_truth"], credit=item["credit"]
    )


def _accuracy(items: list[dict[str, Any]]) -> float:
    """Percent of answered questions; NaN where none was (lmms-eval's tables know no absence)."""
    accuracy = _score(items).accuracy
    return float("nan") if accuracy is None else accuracy


def _coverage(items: list[dict[str, Any]]) -> float:
    return float(_score(items).coverage)


def _not_judged(items: list[dict[str, Any]]) -> float:
    """How many answers wait for a judge: the accuracy is not of them (`sf-eval score RUN --judge ...`)."""
    return float(_score(items).not_judged)


_AGGREGATIONS = {"accuracy": _accuracy, "coverage": _coverage, NOT_JUDGED: _not_judged}
