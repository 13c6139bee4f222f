"""Does this installation compute what the published code computed?

A recorded case is a directory with `config.json`, `model.safetensors` (a tiny random model in published keys)
and `record.safetensors` (what the published code made of an input on a CPU in float32): `input_ids`,
`attention_mask`, `pixel_values.N` of sample N, `fast_tokens.N`, `slow_tokens.N`, `inputs_embeds`,
`embeds_mask`, `prefill_logits`, `greedy_ids`. A case without video has the two inputs and `prefill_logits`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from sf_eval.core.errors import UsageError
from sf_eval.core.paths import PACKAGE
from sf_eval.model import checkpoint
from sf_eval.model.errors import RecordError
from sf_eval.model.loading import load_on_device
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.progress import without_progress_bars
from sf_eval.model.prompt import VIDEO_TOKEN_ID
from sf_eval.model.tokens import VideoFeatures

RECORDED = PACKAGE / "assets" / "recorded" / "model"
"""The cases that ship with the package."""

QUANTITIES = ("fast_tokens", "slow_tokens", "inputs_embeds", "prefill_logits")

TOLERANCES = {torch.float32: 1e-4, torch.float16: 4e-2, torch.bfloat16: 3e-1}
"""Largest allowed absolute difference from float32 on a CPU. Equal arithmetic in float32 stays below 1e-5;
the values for half precision are twice the rounding seen on the shipped cases (logits reach about 4)."""

_RECORD = "record.safetensors"


@dataclass(frozen=True)
class CaseResult:
    """How far one case is from its record.

    Attributes:
        name: the case's directory.
        differences: quantity -> largest absolute difference; a quantity the case has not is absent.
        greedy_equal: whether greedy decoding gave the recorded ids; None where none are recorded, or where
            they mean nothing (the published code decodes a right-padded batch from its padding).
        tolerance: what each difference is held to.
        greedy_counts: False in half precision, where near ties may fall either way.
    """

    name: str
    differences: dict[str, float]
    greedy_equal: bool | None
    tolerance: float
    greedy_counts: bool

    @property
    def passed(self) -> bool:
        within = all(difference <= self.tolerance for difference in self.differences.values())  # NaN is not
        return within and not (self.greedy_counts and self.greedy_equal is False)


def run_recorded_cases(
    dirs: Sequence[Path | str] = (),
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    attn: str | None = None,
    tolerance: float | None = None,
) -> list[CaseResult]:
    """Compare this machine with every case in `dirs` (each a case or a directory of cases).

    Args:
        dirs: empty for the cases that ship with the package.
        tolerance: None for the one of `dtype` in `TOLERANCES`.

    Raises:
        UsageError: a directory without cases, a device or an attention implementation that is not here.
        RecordError, CheckpointError, PromptError: a damaged case; its directory is named.
    """
    device = checked_device(device)
    attn = checkpoint.checked_attention(attn, device=device, dtype=dtype)
    allowed = TOLERANCES.get(dtype, TOLERANCES[torch.float32]) if tolerance is None else tolerance
    with torch.inference_mode(), without_progress_bars(), _exact_float32():
        return [
            run_case(case, device=device, dtype=dtype, attn=attn, tolerance=allowed)
            for case in find_cases(dirs or [RECORDED])
        ]


def find_cases(dirs: Sequence[Path | str]) -> list[Path]:
    """The case directories in `dirs`, sorted within each.

    Raises:
        UsageError: one of them holds no case.
    """
    cases: list[Path] = []
    for directory in map(Path, dirs):
        if (directory / _RECORD).exists() or (directory / "config.json").exists():
            cases.append(directory)
            continue
        inside = sorted(path for path in directory.glob("*") if path.is_dir()) if directory.is_dir() else []
        found = [path for path in inside if (path / _RECORD).exists() or (path / "config.json").exists()]
        if not found:
            raise UsageError(
                f"{directory} holds no recorded case (a directory with config.json and {_RECORD})."
            )
        cases += found
    return cases


def run_case(
    case: Path, *, device: torch.device, dtype: torch.dtype, attn: str, tolerance: float
) -> CaseResult:
    """Run one case and compare every quantity it records."""
    record = read_record(case)
    model = load_on_device(case, device=device, dtype=dtype, attn=attn)
    _check_ids(record["input_ids"], model.config.vocab_size, case)
    model.config.decode_slow_attention = False
    features = _encode(model, record)
    differences = dict(_differences(model, record, features, case))
    return CaseResult(
        name=case.resolve().name,
        differences=differences,
        greedy_equal=_greedy_equal(model, record, features),
        tolerance=tolerance,
        greedy_counts=dtype == torch.float32,
    )


def read_record(case: Path) -> dict[str, torch.Tensor]:
    """Read a case's record.

    Raises:
        RecordError: absent, damaged, or without what every case has.
    """
    path = case / _RECORD
    if not path.is_file():
        raise RecordError(f"{case} has no {_RECORD}.")
    try:
        record: dict[str, torch.Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RecordError(f"{path} is not a whole safetensors file: {error}") from error
    if missing := {"input_ids", "attention_mask", "prefill_logits"} - set(record):
        raise RecordError(f"{path} lacks {', '.join(sorted(missing))}.")
    ids, mask = record["input_ids"], record["attention_mask"]
    if ids.ndim != 2 or mask.shape != ids.shape or ids.is_floating_point() or mask.is_floating_point():
        raise RecordError(
            f"{path}: input_ids {list(ids.shape)} and attention_mask {list(mask.shape)} "
            "must be integers of one shape [B, L]."
        )
    return record


def checked_device(device: torch.device | str) -> torch.device:
    """The device, if it is here.

    Raises:
        UsageError: not a device's name, or no such device on this machine.
    """
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"{device!r} is not a device.", hint="Use cpu, cuda or cuda:N.") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"there is no device {chosen} on this machine.", hint="Use --device cpu.")
    return chosen


def _encode(
    model: SlowFastForConditionalGeneration, record: Mapping[str, torch.Tensor]
) -> list[VideoFeatures | None]:
    rows = range(record["input_ids"].shape[0])
    frames = [record.get(f"pixel_values.{row}") for row in rows]
    return [None if pixels is None else model.encode_video(pixels) for pixels in frames]


def _differences(
    model: SlowFastForConditionalGeneration,
    record: Mapping[str, torch.Tensor],
    features: list[VideoFeatures | None],
    case: Path,
) -> Iterator[tuple[str, float]]:
    for name in ("fast_tokens", "slow_tokens"):
        found = [
            _difference(getattr(item, name), record[key], key, case)
            for row, item in enumerate(features)
            if item is not None and (key := f"{name}.{row}") in record
        ]
        if found:
            yield name, max(found, key=_nan_last)
    mask = record["attention_mask"]
    if any(item is not None for item in features):
        prompt = model.embed_prompt(record["input_ids"], mask, features)
        mask = record.get("embeds_mask", prompt.attention_mask)
        if mask.shape != prompt.attention_mask.shape or not mask.equal(prompt.attention_mask.to(mask)):
            raise RecordError(f"{case}: embeds_mask is not where this prompt's tokens are.")
        if "inputs_embeds" in record:
            yield (
                "inputs_embeds",
                _difference(prompt.inputs_embeds, record["inputs_embeds"], "inputs_embeds", case),
            )
    logits = model(
        input_ids=record["input_ids"],
        attention_mask=record["attention_mask"],
        video_features=_given(features),
    ).logits
    expected = record["prefill_logits"]
    if logits.shape != expected.shape:
        raise RecordError(
            f"{case}: prefill_logits is {list(expected.shape)}; this input gives {list(logits.shape)}."
        )
    real = mask.bool()  # what a model says at padding means nothing
    yield "prefill_logits", _difference(logits[real], expected[real], "prefill_logits", case)


def _greedy_equal(
    model: SlowFastForConditionalGeneration,
    record: Mapping[str, torch.Tensor],
    features: list[VideoFeatures | None],
) -> bool | None:
    expected = record.get("greedy_ids")
    mask = record.get("embeds_mask", record["attention_mask"])
    if expected is None or not bool(mask[:, -1].all()):
        return None
    ids = record["input_ids"]
    output = model.generate(
        ids,
        attention_mask=record["attention_mask"],
        video_features=_given(features),
        max_new_tokens=expected.shape[1],
        do_sample=False,
    )
    return bool(torch.equal(output[:, ids.shape[1] :].cpu(), expected))


def _given(features: list[VideoFeatures | None]) -> list[VideoFeatures | None] | None:
    return features if any(item is not None for item in features) else None


def _difference(ours: torch.Tensor, recorded: torch.Tensor, name: str, case: Path) -> float:
    if ours.shape != recorded.shape:
        raise RecordError(f"{case}: {name} is {list(recorded.shape)}; this input gives {list(ours.shape)}.")
    return float((ours.float().cpu() - recorded.float()).abs().max())


def _nan_last(value: float) -> tuple[bool, float]:
    return (value != value, value)


def _check_ids(ids: torch.Tensor, vocabulary: int, case: Path) -> None:
    wrong = ids[(ids >= vocabulary) | ((ids < 0) & (ids != VIDEO_TOKEN_ID))]
    if wrong.numel():
        raise RecordError(f"{case}: input_ids has {int(wrong[0])}, which is no id of {vocabulary} tokens.")


@contextmanager
def _exact_float32() -> Iterator[None]:
    """Keep CUDA from rounding float32 to TF32 in convolutions (its default) and matrix products."""
    cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = cudnn, matmul
