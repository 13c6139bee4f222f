"""The model `slowfast` as lmms-eval sees it: requests in, texts out.

Under the stock `lmms-eval` command it loads the model itself from `--model_args`; in a replay it answers
with what a run's journal holds (`sf_eval.lmms.replay`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import SfEvalError, UsageError, nearest
from sf_eval.harness.failed_text import to_text
from sf_eval.inference import Answer, Question, QuestionKey, Result
from sf_eval.inference.engine import Engine
from sf_eval.lmms import context
from sf_eval.video import Clip

logger = logging.getLogger(__name__)

OWN_TASKS = "sf_"
Answerer = Callable[[list[Question]], Iterator[Result]]

_MODEL_ARGS = (
    "pretrained", "revision", "num_frames", "dtype", "attn_implementation", "device", "batch_size",
    "video_backend", "slow_path", "decode_slow_attention", "max_new_tokens",
)  # fmt: skip


class SlowFast(lmms):
    """Chat model of lmms-eval around the engine.

    Under `accelerate launch` or `torchrun` each process is a model of its own, with its own GPU and decoders;
    lmms-eval deals the documents out and gathers what came of them.

    Args (of `--model_args`):
        pretrained: card name or checkpoint directory.
        num_frames, slow_path, decode_slow_attention, max_new_tokens: override the card.
        dtype, device, attn_implementation, revision, batch_size, video_backend: as in `sf-eval run`.

    Raises:
        UsageError: an unknown argument, with the nearest known ones.
    """

    is_simple = False

    def __init__(self, answer: Answerer | None = None, **model_args: Any) -> None:
        super().__init__()
        model_args.pop("max_batch_size", None)  # lmms-eval passes it to every model
        for name in model_args:
            if name not in _MODEL_ARGS:
                raise UsageError(f"slowfast has no model argument {name!r}.", hint=nearest(name, _MODEL_ARGS))
        self._max_new_tokens = 0
        #: Where lmms-eval keeps the counts that its processes exchange.
        self.device = torch.device("cpu")
        if answer is None:
            engine, card = _own_engine(model_args)
            self.device = engine.model.device
            self._max_new_tokens = card.max_new_tokens
            answer = _noting_what_was_cut_off(engine.answer)
        self._answer = answer

    def generate_until(self, requests: list[Instance]) -> list[GenerationResult]:
        keys, questions = [], {}
        for request in requests:
            question = self._question(request)
            keys.append(question.key)
            # Where processes have shares of different lengths, lmms-eval fills one up with copies.
            questions[question.key] = question
        texts = {result.key: self._text(result) for result in self._answer(list(questions.values()))}
        return [texts[key] for key in keys]

    def _question(self, request: Instance) -> Question:
        _, doc_to_messages, kwargs, doc_id, task, split = request.args
        doc = self.task_dict[task][split][doc_id]
        messages = doc_to_messages(doc)
        videos, texts = _contents(messages, task)
        return Question(
            key=_key(task, doc, doc_id),
            clip=videos[0] if videos else None,
            prompt="\n".join(texts),
            max_new_tokens=self._max_new_tokens or int(kwargs.get("max_new_tokens", 256)),
            name=f"{task}:{doc['id']}" if task.startswith(OWN_TASKS) else "",
        )

    def _text(self, result: Result) -> GenerationResult:
        if isinstance(result, Answer):
            counts = TokenCounts(input_tokens=result.prompt_tokens, output_tokens=result.new_tokens)
            return GenerationResult(result.text, counts)
        if not _is_ours(result.key):
            # A foreign task would parse our failure for a letter: better no number than a wrong one.
            raise SfEvalError(f"{result.key} failed ({result.kind.value}): {result.reason}")
        return GenerationResult(to_text(result))

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise SfEvalError("slowfast answers by generation; tasks that need log-likelihoods cannot be run.")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        raise SfEvalError("slowfast answers single questions; multi-round tasks cannot be run.")

    def clean(self) -> None:
        """Keep the model: lmms-eval would delete it after each task, and the next task needs it."""


def _key(task: str, doc: dict[str, Any], doc_id: int) -> QuestionKey:
    """Our tasks' documents know their row; a foreign task's are counted by lmms-eval."""
    return QuestionKey(task, int(doc["index"]) if task.startswith(OWN_TASKS) else doc_id)


def _is_ours(key: QuestionKey) -> bool:
    return key.task.startswith(OWN_TASKS)


def _contents(messages: list[dict[str, Any]], task: str) -> tuple[list[Clip], list[str]]:
    videos: list[Clip] = []
    texts: list[str] = []
    for message in messages:
        content = message["content"]
        parts: list[dict[str, Any]] = (
            [{"type": "text", "text": content}] if isinstance(content, str) else content
        )
        for part in parts:
            if part["type"] == "text":
                texts.append(part["text"])
            elif part["type"] == "video" and isinstance(part["url"], str):
                videos.append(
                    Clip(Path(part["url"]), part.get("start_s"), part.get("end_s"), part.get("fps"))
                )
            else:
                raise SfEvalError(f"slowfast takes one video file a question; {task} gives {part['type']}.")
    if len(videos) > 1:
        raise SfEvalError(f"slowfast takes one video a question; {task} gives {len(videos)}.")
    return videos, texts


def _noting_what_was_cut_off(answer: Answerer) -> Answerer:
    """The same answers; our tasks learn from the context which of them the token limit ended."""

    def noting(questions: list[Question]) -> Iterator[Result]:
        for result in answer(questions):
            if isinstance(result, Answer) and result.finish_reason == "length":
                context.stock().cut_off.add(result.key)
            yield result

    return noting


def _own_engine(args: dict[str, Any]) -> tuple[Engine, ModelCard]:
    """The engine of the stock command and its card; tasks built afterwards see its sampling rule."""
    from dataclasses import replace

    from sf_eval.core.cards import card_for, check_card
    from sf_eval.harness.batching import automatic_batch_size
    from sf_eval.harness.decoding.cores import SharedCores
    from sf_eval.inference.device import resolve_device, resolve_dtype
    from sf_eval.inference.families import open_model, rule_of
    from sf_eval.video import ClipPool

    if "pretrained" not in args:
        raise UsageError(
            "slowfast needs --model_args pretrained=DIR (or a card's name, such as pretrained=mini)."
        )
    card = card_for(str(args["pretrained"]))
    overrides = {
        key: args[key]
        for key in ("num_frames", "slow_path", "decode_slow_attention", "max_new_tokens")
        if key in args
    }
    card = replace(card, **overrides)
    check_card(card, "--model_args")
    batch_size = _batch_size(args.get("batch_size"))
    rule = rule_of(card)
    backend = str(args.get("video_backend", "pyav"))
    stock = context.stock()  # tasks built from now on show the same frames
    stock.rule, stock.backend = rule, backend
    device = resolve_device(str(args.get("device") or "auto"))
    model = open_model(
        card,
        device=device,
        dtype=resolve_dtype(str(args.get("dtype", "auto")), device),
        attn=str(args.get("attn_implementation", "sdpa")),
        revision=args.get("revision"),
    )
    for note in model.facts.notes:
        logger.warning("%s", note)
    cores = SharedCores(model.device, None)
    stock.loader = pool = ClipPool(
        rule, decoders=cores.decoders, helpers=cores.helpers, resize=model.resize, backend=backend
    )
    cores.take_turns(pool)
    return Engine(model, pool, batch_size=batch_size or automatic_batch_size(model, card)), card


def _batch_size(asked: Any) -> int | None:
    """As `--batch-size`: None for "auto". lmms-eval asks for 1 where its user says nothing.

    Raises:
        UsageError: neither "auto" nor a number from 1.
    """
    text = "1" if asked is None else str(asked)
    if text == "auto":
        return None
    if not (text.isascii() and text.isdecimal() and int(text) >= 1):
        raise UsageError(f"--model_args: batch_size is {asked!r}; it must be a whole number from 1, or auto.")
    return int(text)
