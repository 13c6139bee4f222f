"""`sf-eval verify --engine`: are the answers the same whatever is shared, sought, decoded ahead and batched?

The mini questions are asked in every combination of the engine's switches. In float32 each combination must
give the plain one's answers to the last character. In half precision near ties may fall either way: there
the rate of equal answers and of equal letters is told.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import product
from typing import Literal

import torch

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core import provenance
from sf_eval.core.cards import card_for
from sf_eval.core.tables import ABSENT, Table
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions import LABEL
from sf_eval.harness.decoding.cores import limit_threads
from sf_eval.harness.questions import question_of
from sf_eval.inference import Answer, Question, QuestionKey, machine
from sf_eval.inference.device import DTYPES, keep_float32_exact, pixel_room
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import open_model, rule_of
from sf_eval.inference.family import VideoModel
from sf_eval.scoring.answers.extract import read_answer
from sf_eval.verifying.engine_record import CombinationRecord, DifferenceRecord, EngineRecord
from sf_eval.video import ClipPool, SamplingRule

MODEL = "mini"
PART = ("videomme", "videomme_w_subtitle")
ALL = (*PART, "mlvu", "mvbench", "egoschema_subset", "longvideobench")
VIDEOS_OF_PART = 4
_DECODERS, _BATCH_SIZES = (0, 2), (1, 8)
_RATES = ("equal answers", "equal letters", "as in float32")

Told = Callable[[str], None]


@dataclass(frozen=True)
class Combination:
    """A setting of the engine's switches; see `sf_eval.harness.settings.RunSettings`."""

    share: bool
    seek: bool
    decoders: int
    batch_size: int
    resize: Literal["decoder", "device"] = "decoder"

    def __str__(self) -> str:
        switches = f"share {_on(self.share)}, seek {_on(self.seek)}"
        end = ", resized by the device" if self.resize == "device" else ""
        return f"{switches}, {self.decoders} decoders, batches of {self.batch_size}{end}"


PLAIN = Combination(share=False, seek=False, decoders=0, batch_size=1)
COMBINATIONS = tuple(
    Combination(share, seek, decoders, batch_size)
    for share, seek, decoders, batch_size in product((False, True), (False, True), _DECODERS, _BATCH_SIZES)
)
"""The plain one first."""

ON_DEVICE = Combination(True, True, max(_DECODERS), max(_BATCH_SIZES), resize="device")
"""Other pixels, by up to 2 grey levels: how many answers that changes is told, and nothing fails by it."""


@dataclass(frozen=True)
class Asked:
    """A question and the options its answer is read by."""

    question: Question
    options: Mapping[str, str]

    @property
    def key(self) -> QuestionKey:
        return self.question.key


def mini_questions(tasks: Sequence[str] = PART, *, videos: int | None = VIDEOS_OF_PART) -> list[Asked]:
    """Questions of the mini editions.

    Args:
        videos: of each task, so many from its beginning; None for all.

    Raises:
        UsageError: no such task. DataError: the mini edition cannot be rendered.
    """
    asked = []
    for task in tasks:
        benchmark = get_benchmark(task)
        opened = open_benchmark(benchmark, parse_source("mini"))
        kept = list(dict.fromkeys(document.video_id for document in opened.documents))[:videos]
        asked += [
            Asked(
                question_of(opened, one, clip_mode="whole", max_new_tokens=benchmark.max_new_tokens),
                one.options,
            )
            for one in opened.documents
            if one.video_id in kept
        ]
    return asked


def dtypes_of(device: torch.device) -> tuple[str, ...]:
    """What `--engine` goes through where no dtype is named."""
    return ("float32", "bfloat16", "float16") if device.type == "cuda" else ("float32", "bfloat16")


def verify_engine(
    asked: Sequence[Asked],
    *,
    device: torch.device,
    dtypes: Sequence[str],
    attn: str = "sdpa",
    combinations: Sequence[Combination] = (*COMBINATIONS, ON_DEVICE),
    num_frames: int | None = None,
    command: Sequence[str] = (),
    tell: Told = lambda _: None,
) -> EngineRecord:
    """Ask all questions in every combination and dtype.

    Args:
        combinations: beside the plain one, which is always asked.
        num_frames: the model card's where None.
        tell: is told what is being asked.

    Raises:
        CheckpointError: the mini model cannot be loaded so.
    """
    card = card_for(MODEL).with_frames(num_frames)
    rule = rule_of(card)
    limit_threads(device, max(_DECODERS))
    found: list[CombinationRecord] = []
    exact: dict[QuestionKey, Answer] | None = None
    for dtype in dtypes:
        with _float32_kept_exact(device):
            model = open_model(card, device=device, dtype=DTYPES[dtype], attn=attn)
            plain: dict[QuestionKey, Answer] = {}
            models = {"decoder": model}
            for combination in dict.fromkeys((PLAIN, *combinations)):
                tell(f"{dtype}: {combination}")
                start = time.perf_counter()
                if combination.resize not in models:
                    other = replace(card, options={**card.options, "resize": combination.resize})
                    models[combination.resize] = open_model(
                        other, device=device, dtype=DTYPES[dtype], attn=attn
                    )
                given = _answers(models[combination.resize], rule, asked, combination)
                seconds = time.perf_counter() - start
                if combination == PLAIN:
                    plain = given
                    exact = given if dtype == "float32" else exact
                found.append(_compared(dtype, combination, asked, given, plain, exact, seconds))
    return EngineRecord(
        command=list(command),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=provenance.versions(),
        git_commit=provenance.git_commit(),
        machine=machine.describe(device),
        model=card.name,
        data=LABEL,
        attn=attn,
        frames=card.num_frames,
        videos=len({one.question.clip for one in asked}),
        passed=all(one.passed for one in found),
        combinations=found,
    )


def _answers(
    model: VideoModel, rule: SamplingRule, asked: Sequence[Asked], combination: Combination
) -> dict[QuestionKey, Answer]:
    """Those of the questions that have one."""
    with ClipPool(rule, decoders=combination.decoders, resize=model.resize, seek=combination.seek) as pool:
        pool.read_into(pixel_room(model.device))
        engine = Engine(model, pool, batch_size=combination.batch_size, share=combination.share)
        results = list(engine.answer(one.question for one in asked))
    return {result.key: result for result in results if isinstance(result, Answer)}


def _compared(
    dtype: str,
    combination: Combination,
    asked: Sequence[Asked],
    given: Mapping[QuestionKey, Answer],
    plain: Mapping[QuestionKey, Answer],
    exact: Mapping[QuestionKey, Answer] | None,
    seconds: float,
) -> CombinationRecord:
    differing = [one for one in asked if not _equal(one, given, plain)]
    failed = len(asked) - len(given)
    return CombinationRecord(
        dtype=dtype,  # type: ignore[arg-type]
        share=combination.share,
        seek=combination.seek,
        decoders=combination.decoders,
        batch_size=combination.batch_size,
        resize=combination.resize,
        plain=combination == PLAIN,
        passed=not failed and not (dtype == "float32" and combination.resize == "decoder" and differing),
        questions=len(asked),
        failed=failed,
        equal_answers=len(asked) - len(differing),
        equal_letters=sum(_equal(one, given, plain, letters=True) for one in asked),
        equal_to_float32=None if exact is None else sum(_equal(one, given, exact) for one in asked),
        seconds=round(seconds, 3),
        differences=[
            DifferenceRecord(question=str(one.key), plain=_text(one, plain), here=_text(one, given))
            for one in differing
        ],
    )


def _equal(
    one: Asked,
    given: Mapping[QuestionKey, Answer],
    other: Mapping[QuestionKey, Answer],
    *,
    letters: bool = False,
) -> bool:
    """Whether both have an answer, and the same words, or the same letter."""
    if one.key not in given or one.key not in other:
        return False
    here, there = given[one.key], other[one.key]
    return here.text == there.text or (letters and _letter(one, here) == _letter(one, there))


def _letter(one: Asked, answer: Answer) -> str | None:
    return read_answer(answer.text, one.options, cut_off=answer.finish_reason == "length").letter


def _text(one: Asked, given: Mapping[QuestionKey, Answer]) -> str | None:
    return given[one.key].text if one.key in given else None


@contextmanager
def _float32_kept_exact(device: torch.device) -> Iterator[None]:
    """Keep a GPU from rounding float32 to TF32 for the time being."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    keep_float32_exact(device, torch.float32)
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def engine_table(record: EngineRecord) -> Table:
    """One row a combination."""
    rows = tuple(
        (
            one.dtype,
            _on(one.share),
            _on(one.seek),
            str(one.decoders),
            str(one.batch_size),
            one.resize,
            _rate(one.equal_answers, one.questions),
            _rate(one.equal_letters, one.questions),
            _rate(one.equal_to_float32, one.questions),
            ("plain" if one.plain else "ok") if one.passed else "FAILED",
        )
        for one in record.combinations
    )
    count = record.combinations[0].questions if record.combinations else 0
    device = record.machine.get("gpu") or record.machine["processor"]
    return Table(
        title=f"Engine: answers held against the plain combination's ({device}, {record.attn})",
        columns=("dtype", "share", "seek", "decoders", "batch", "resize", *_RATES, ""),
        rows=rows,
        numeric=frozenset(("decoders", "batch", *_RATES)),
        notes=(
            f"{count} questions about {record.videos} videos of the {record.data}, {record.frames} frames at "
            f"most, model {record.model}.",
            "In float32 all answers must be equal; in half precision near ties may fall either way. Pixels "
            "resized by the device differ by up to 2 grey levels.",
            *(
                f"{failed} questions failed with {one.dtype}, share {_on(one.share)}, seek {_on(one.seek)}, "
                f"{one.decoders} decoders, batches of {one.batch_size}."
                for one in record.combinations
                if (failed := one.failed)
            ),
        ),
    )


def conclusion(record: EngineRecord) -> str:
    """What the record shows: why it is no pass, or how many answers half precision or other pixels change."""
    failed = sum(one.failed for one in record.combinations)
    if failed:
        return (
            f"{failed} answers are missing, their questions failed: whether they are the same is not known."
        )
    if not record.passed:
        return "The engine's gains change answers."
    asked, differing = Counter[str](), Counter[str]()
    for one in record.combinations:
        where = f"in {one.dtype}" + (" with --resize device" if one.resize == "device" else "")
        asked[where] += one.questions
        differing[where] += len(one.differences)
    changed = [f"{count} of {asked[where]} {where}" for where, count in differing.items() if count]
    if not changed:
        return "The answers are the same."
    return f"Answers that differ: {', '.join(changed)}; all others are the same."


def _rate(equal: int | None, of: int) -> str:
    """Rounded down, so that "100.0%" is all of them."""
    return ABSENT if equal is None else f"{1000 * equal // of / 10:.1f}%"


def _on(switch: bool) -> str:
    return "on" if switch else "off"
