"""`sf-eval verify --engine` on the device: the engine's gains on and off, in float32 and bfloat16."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.report import Row
from sf_eval.profiler.measured.clip import can_render
from sf_eval.verifying.engine import COMBINATIONS, ON_DEVICE, verify_engine
from sf_eval.verifying.engine import mini_questions as questions_of
from sf_eval.verifying.engine_record import CombinationRecord

_WHAT = "answers equal with the engine's gains on and off"
_RESIZED = "answers equal with pictures resized by the device"
_DTYPES = ("float32", "bfloat16")


def run(book: Book) -> None:
    if not can_render():
        for dtype in _DTYPES:
            for key, what in ((f"engine.{dtype}", _WHAT), (f"engine.resize.{dtype}", _RESIZED)):
                book.row(Row(key, f"{what}: {dtype}", None, "%", note="PyAV is not installed"))
        raise StepError("PyAV is not installed: the mini edition's videos cannot be made here")
    dry = book.setup.dry
    asked = questions_of(videos=1)
    record = verify_engine(
        asked,
        device=torch.device(book.setup.device),
        dtypes=_DTYPES,
        combinations=(*(COMBINATIONS[-1:] if dry else COMBINATIONS), ON_DEVICE),
        num_frames=16 if dry else None,
    )
    book.put("record", record.model_dump(mode="json"))
    for dtype in _DTYPES:
        of_dtype = [one for one in record.combinations if one.dtype == dtype and not one.plain]
        held = [one for one in of_dtype if one.resize == "decoder"]
        note = f"{len(asked)} questions in {len(held)} combinations of sharing, seeking, decoders and batches"
        floor = 100.0 if dtype == "float32" else None
        book.row(_row(f"engine.{dtype}", f"{_WHAT}: {dtype}", held, note, floor))
        resized = [one for one in of_dtype if one.resize == "device"]
        note = "within 2 grey levels of Pillow's, which may change an answer"
        book.row(_row(f"engine.resize.{dtype}", f"{_RESIZED}: {dtype}", resized, note, None))


def _row(key: str, what: str, held: Sequence[CombinationRecord], note: str, floor: float | None) -> Row:
    total = sum(one.questions for one in held)
    equal, letters = sum(one.equal_answers for one in held), sum(one.equal_letters for one in held)
    note = f"{equal} of {total} answers, {letters} letters; {note}"
    return Row(key, what, 100 * equal / total, "%", at_least=floor, note=note)
