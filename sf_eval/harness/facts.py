"""What is known of a run once its model is loaded: what it is, what determines its answers, what it will
ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from sf_eval.core import provenance
from sf_eval.core.cards import ModelCard
from sf_eval.data.kinds import kinds_of
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.batching import automatic_batch_size
from sf_eval.harness.controls.conditions import Conditions
from sf_eval.harness.controls.record import ChangeRecord, ConditionsRecord
from sf_eval.harness.identity import ModelIdentity, canonical_json, libraries_that_answer
from sf_eval.harness.plan import RunPlan, TaskPlan
from sf_eval.harness.record import ModelRecord, RunFacts, TaskFacts
from sf_eval.harness.recorded.samples import KindOfQuestionRecord
from sf_eval.inference import QuestionKey, machine
from sf_eval.inference.families import determinants
from sf_eval.inference.family import ModelFacts, VideoModel


@dataclass(frozen=True)
class ModelReport:
    """What a run must know of a loaded model; plain data, so that it may be loaded in another process.

    Attributes:
        batch_size: what was asked for, or what fits there.
        versions, git_commit, machine: of where it was loaded.
        notes: what a reader of the results should know, one sentence each.
    """

    record: ModelRecord
    identity: ModelIdentity
    batch_size: int
    versions: Mapping[str, str]
    git_commit: str | None
    machine: Mapping[str, Any]
    notes: tuple[str, ...]


def report_of(
    card: ModelCard,
    model: VideoModel,
    *,
    attn: str,
    video_backend: str,
    batch_size: int | None,
    share: bool,
) -> ModelReport:
    """What is known of `model`, here.

    Args:
        batch_size: None for what fits.
    """
    determines = identity(card, model, attn=attn, video_backend=video_backend)
    return ModelReport(
        record=_model_record(card, model.facts, determines),
        identity=determines,
        batch_size=batch_size or automatic_batch_size(model, card, share=share),
        versions=provenance.versions(),
        git_commit=provenance.git_commit(),
        machine=machine.describe(model.device),
        notes=tuple(model.facts.notes),
    )


def facts_of(plan: RunPlan, model: ModelReport, *, load_seconds: float) -> RunFacts:
    settings = plan.settings
    return RunFacts(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=list(settings.command),
        settings={
            "data": str(plan.source.root) if plan.source.root else settings.data,
            "seed": settings.seed,
            "batch_size": model.batch_size,
            "share": settings.share,
            "seek": settings.seek,
            "decoders": settings.decoders,
            "workers": settings.workers,
            "decode_workers": settings.decode_workers,
            "compiled": settings.compiled,
            "limit": str(settings.limit.value) if settings.limit else None,
            "max_new_tokens": plan.card.max_new_tokens or None,
            "clip": settings.clip,
            "video_backend": settings.video_backend,
            "decode_timeout_s": settings.decode_timeout_s,
        },
        versions=dict(model.versions),
        git_commit=model.git_commit,
        machine=dict(model.machine),
        model=_as_asked(model.record, settings.conditions),
        data=plan.data_label,
        clip=settings.clip,
        scoring=settings.scoring,
        conditions=_conditions(plan),
        load_seconds=load_seconds,
        planned=[task_facts(task) for task in plan.tasks],
        notes=list(model.notes),
    )


def _as_asked(model: ModelRecord, conditions: Conditions) -> ModelRecord:
    """A model that is shown no video is shown no frames."""
    return model if conditions.shows_video else model.model_copy(update={"num_frames": 0})


def _conditions(plan: RunPlan) -> ConditionsRecord:
    conditions = plan.settings.conditions
    told = conditions.fingerprint
    changes = [task.changes.get(document.index) for task in plan.tasks for document in task.documents]
    return ConditionsRecord(
        control=conditions.control,
        video_seed=told.get("video_seed"),
        options="shuffled" if conditions.options == "shuffled" else "as-given",
        options_seed=told.get("options_seed"),
        order_kept=sum(change is not None and change.order_kept is not None for change in changes)
        if "options_seed" in told
        else None,
    )


def task_facts(task: TaskPlan) -> TaskFacts:
    documents = task.opened.documents
    return TaskFacts(
        task=task.benchmark.name,
        data=task.opened.source_label,
        is_mini=task.opened.is_mini,
        revision=task.opened.revision,
        annotations_digest=task.data_digest,
        questions_total=len(documents),
        questions_planned=task.count,
        one_question_per_video=len({document.video_id for document in documents}) == len(documents),
    )


def _model_record(card: ModelCard, facts: ModelFacts, identity: ModelIdentity) -> ModelRecord:
    return ModelRecord(
        name=card.name,
        title=card.title,
        weights=card.weights,
        revision=facts.revision,
        weights_digest=facts.weights_digest,
        parameters=facts.parameters,
        untrained=card.untrained,
        slow_path=card.slow_path,
        decode_slow_attention=card.decode_slow_attention,
        num_frames=card.num_frames,
        sampling=card.sampling,
        target_fps=card.target_fps,
        dtype=identity.dtype,
        attn=identity.attn,
        licence=card.licence,
        published=card.published,
        config=dict(facts.config),
        text_before_video=facts.text_before_video,
        family=card.family,
        options=dict(card.options),
        closed_form=facts.closed_form,
    )


def identity(card: ModelCard, model: VideoModel, *, attn: str, video_backend: str) -> ModelIdentity:
    """What of a loaded model, this machine and the settings that it is asked with determines an answer."""
    facts = model.facts
    own = {**determinants(card), **({"own": dict(facts.own)} if facts.own else {})}
    return ModelIdentity(
        weights_digest=facts.weights_digest,
        slow_path=card.slow_path,
        decode_slow_attention=card.decode_slow_attention,
        dtype=facts.dtype,
        attn=attn,
        device_type=model.device.type,
        sampling=card.sampling,
        num_frames=card.num_frames,
        target_fps=card.target_fps,
        video_backend=video_backend,
        prompt_format=card.prompt_format,
        libraries=libraries_that_answer(),
        family=canonical_json(own) if own else "",
    )


def documents_of(plan: RunPlan) -> Iterator[AskedDocument]:
    """What is asked, in the order of tasks and rows."""
    for task in plan.tasks:
        kinds = kinds_of(task.opened)
        for document in task.documents:
            kind = kinds.get(document.index)
            change = task.changes.get(document.index)
            yield AskedDocument(
                key=QuestionKey(task.benchmark.name, document.index),
                document=document,
                kind=None
                if kind is None
                else KindOfQuestionRecord(name=kind.name, group=kind.group, row=kind.row),
                change=None if change is None else ChangeRecord(**asdict(change)),
            )
