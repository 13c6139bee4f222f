"""Out of memory on purpose: most of the GPU is taken, the engine halves its batch and answers alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.questions import answers, mini_questions
from benchmarks.gpu.report import Row
from benchmarks.gpu.workload import book_forecast, forget_peak, give_back_memory, peak_bytes
from sf_eval.core.cards import card_for
from sf_eval.editions.scene import Scene
from sf_eval.inference import Question
from sf_eval.inference.chunks import frames_at_once
from sf_eval.model.loading import LoadedModel, count_parameters, load_model
from sf_eval.profiler.cost.memory import Serving, forecast
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.measured.pipeline import make_model

_BATCH = 8
_HOLDS = 3  # rows that the rehearsal's emulated GPU holds
_FILLER = " and so on" * 250  # makes a batch need gigabytes, so that what is left can lie between two needs
# As wide as the 7B shape, with few layers: a layer's activations are what a batch needs memory for.
_WIDE = {
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4,
    "head_dim": 128, "tie_word_embeddings": False,
}  # fmt: skip


def run(book: Book) -> None:
    dry, device = book.setup.dry, torch.device(book.setup.device)
    loaded = load_model(card_for("mini"), device="cpu", dtype=torch.float32)
    if not dry:
        torch.cuda.set_device(device)
        config = {**loaded.model.config.to_dict(), **_WIDE}
        loaded = replace(loaded, model=make_model(config, device, torch.float32, "sdpa"))
    asked, scenes = mini_questions(2)
    questions = [one.question for one in asked[:_BATCH]]
    if not dry:
        questions = [replace(question, prompt=question.text() + _FILLER) for question in questions]
    forget_peak(device)
    whole, engine = answers(loaded, scenes, questions, _BATCH)
    if engine.degraded:
        raise StepError(f"memory ran out before it was taken: {engine.degraded}")
    _book_forecast(book, loaded, questions, peak_bytes(device))
    taken = _emulate(loaded) if dry else _take(book, loaded, scenes, questions, device)
    short, engine = answers(loaded, scenes, questions, _BATCH)
    del taken
    book.put("degraded", engine.degraded)
    book.put("answers", {"whole": whole, "short": short})
    alike = sum(one == other for one, other in zip(whole, short, strict=True))
    note = "; ".join(engine.degraded) or "it did not run out"
    if dry:
        note = f"emulated: a GPU that holds {_HOLDS} rows; {note}"
    book.row(
        Row("memory.alike", f"answers alike with memory for less than a batch of {_BATCH}",
            100 * alike / len(questions), "%", at_least=100, note=f"{alike} of {len(questions)}; {note}")
    )  # fmt: skip
    book.row(
        Row(
            "memory.halved",
            "times the batch was made smaller",
            float(len(engine.degraded)),
            "count",
            at_least=1,
        )
    )
    if not engine.degraded:
        raise StepError("the run did not run out of memory: too little was taken")


def _book_forecast(book: Book, loaded: LoadedModel, questions: list[Question], measured: int | None) -> None:
    model, card = loaded.model, loaded.card
    texts = [loaded.processor.tokenize(question.text()).numel() - 1 for question in questions]
    serving = Serving(
        frames=card.num_frames,
        batch_size=_BATCH,
        chunk_frames=frames_at_once(model.config.vision_config.image_size, model.device.type),
        text_tokens=max(texts),
        new_tokens=max(question.max_new_tokens for question in questions),
        questions_per_video=max(1, len(questions) // len({question.clip for question in questions})),
        value_bytes=4,
    )
    shape = ModelShape.from_config(model.config.to_dict(), slow_path=card.slow_path == "on")
    book_forecast(book, "memory.forecast", forecast(shape, count_parameters(model), serving), measured)


def _take(
    book: Book,
    loaded: LoadedModel,
    scenes: dict[Path, Scene],
    questions: list[Question],
    device: torch.device,
) -> torch.Tensor:
    """Hold so much of the GPU that half a batch fits and a whole one does not."""
    needs = {size: _need(loaded, scenes, questions, size, device) for size in (_BATCH, _BATCH // 2)}
    give_back_memory(device)
    free, total = torch.cuda.mem_get_info(device)
    left = needs[_BATCH // 2] + (needs[_BATCH] - needs[_BATCH // 2]) // 3
    taken = torch.empty(free - left, dtype=torch.uint8, device=device)
    book.put("memory", {"needs_bytes": needs, "free_bytes": free, "total_bytes": total, "left_bytes": left})
    return taken


def _need(
    loaded: LoadedModel, scenes: dict[Path, Scene], questions: list[Question], size: int, device: torch.device
) -> int:
    """Bytes that the allocator takes from the GPU for batches of `size`, beyond the weights."""
    give_back_memory(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_reserved(device)
    answers(loaded, scenes, questions, size)
    return torch.cuda.max_memory_reserved(device) - before


def _emulate(loaded: LoadedModel) -> Any:
    """Let the model run out of memory with more than `_HOLDS` rows: for the rehearsal alone."""

    def refuse(_model: torch.nn.Module, _args: object, kwargs: dict[str, Any]) -> None:
        given = kwargs.get("input_ids") if kwargs.get("inputs_embeds") is None else kwargs["inputs_embeds"]
        if given is not None and given.shape[0] > _HOLDS:
            raise torch.OutOfMemoryError("CUDA out of memory (emulated by the rehearsal)")

    return loaded.model.register_forward_pre_hook(refuse, with_kwargs=True)
