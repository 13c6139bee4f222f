"""The recorded cases of the published code, in every dtype and attention implementation that is here."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers.utils import is_flash_attn_2_available

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.report import Row
from sf_eval.inference.device import DTYPES
from sf_eval.verifying.model import RECORDED, CaseResult, find_cases, run_recorded_cases

_DRY = (("float32", "sdpa"), ("float32", "eager"), ("bfloat16", "sdpa"))
_DRY_CASES = 2


def run(book: Book) -> None:
    device, cases = torch.device(book.setup.device), find_cases([RECORDED])
    if book.setup.dry:
        cases = cases[:_DRY_CASES]
    flash = is_flash_attn_2_available() and device.type == "cuda"
    book.put("flash_attention", flash)
    combinations = _DRY if book.setup.dry else _combinations(flash)
    broken = [pair for pair in combinations if not _compare(book, device, cases, *pair)]
    if broken:
        named = ", ".join("/".join(pair) for pair in broken)
        raise StepError(f"{len(broken)} of {len(combinations)} combinations could not be run: {named}")


def _combinations(flash: bool) -> list[tuple[str, str]]:
    return [
        (dtype, attn)
        for dtype in DTYPES
        for attn in ("sdpa", "eager", *(["flash_attention_2"] if flash and dtype != "float32" else []))
    ]


def _compare(book: Book, device: torch.device, cases: list[Path], dtype: str, attn: str) -> bool:
    """Book one combination; False where it could not be run at all."""
    key, what = f"verify.{dtype}.{attn}", f"recorded cases that agree, {dtype}, {attn}"
    try:
        results = run_recorded_cases(cases, device, DTYPES[dtype], attn)
    except Exception as error:
        book.row(Row(key, what, None, "%", at_least=100, note=f"{type(error).__name__}: {error}"[:300]))
        return False
    book.put(f"{dtype}.{attn}", [_plain(result) for result in results])
    passed = sum(result.passed for result in results)
    logits = max(result.differences["prefill_logits"] for result in results)
    greedy = [result.greedy_equal for result in results if result.greedy_equal is not None]
    note = (
        f"{passed} of {len(results)}; logits differ by at most {logits:.1e} "
        f"(allowed: {results[0].tolerance:g}); greedy ids equal in {sum(greedy)} of {len(greedy)}"
    )
    book.row(Row(key, what, 100 * passed / len(results), "%", at_least=100, note=note))
    return True


def _plain(result: CaseResult) -> dict[str, object]:
    return {
        "name": result.name,
        "passed": result.passed,
        "differences": result.differences,
        "greedy_equal": result.greedy_equal,
    }
