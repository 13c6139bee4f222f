"""Greedy decoding of one batch, with the time of the first token told apart from the rest."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from sf_eval.inference.waiting import synchronise
from sf_eval.model.loading import LoadedModel
from sf_eval.model.modeling import VideoFeatures


@dataclass(frozen=True)
class Generated:
    """One sample of a batch; the two times are the batch's."""

    text: str
    prompt_tokens: int
    new_tokens: int
    finish_reason: str
    finite: bool
    prefill_s: float
    generate_s: float


class FiniteCheck(LogitsProcessor):  # type: ignore[misc]
    """Notes rows whose logits were not finite at any step: their greedy "answer" would be noise.

    Changes nothing, and does not wait for the device.
    """

    def __init__(self) -> None:
        self.bad: torch.Tensor | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        # The maximum of a row is NaN if any entry is; single entries may be -inf where a rule forbids them.
        bad = ~torch.isfinite(scores.amax(dim=-1))  # [B]
        self.bad = bad if self.bad is None else self.bad | bad
        return scores


class Stopwatch(StoppingCriteria):  # type: ignore[misc]
    """Notes when the first token exists. Never stops anything."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.first_token_at: float | None = None

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        if self.first_token_at is None:
            synchronise(self.device)
            self.first_token_at = time.perf_counter()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


@torch.inference_mode()
def generate_batch(
    loaded: LoadedModel,
    *,
    prompts: list[str],
    features: list[VideoFeatures | None],
    max_new_tokens: list[int],
) -> list[Generated]:
    """Answer `prompts` about `features` greedily.

    The batch decodes to the largest limit; a sample with a smaller one is cut to its own. The model brings no
    settings of its own (`load_model` gives it `greedy_settings`): what decides an answer stands here.

    Raises:
        CheckpointError or a model error: the prompt does not fit the model.
        torch.OutOfMemoryError: the batch does not fit the device.
    """
    model, processor = loaded.model, loaded.processor
    batch = processor.batch(
        prompts,
        has_video=[item is not None for item in features],
        words=[("", "") if item is None else item.words for item in features],
    )
    input_ids = batch["input_ids"].to(model.device)  # [B, L], left-padded
    attention_mask = batch["attention_mask"].to(model.device)  # [B, L]
    stopwatch, finite = Stopwatch(model.device), FiniteCheck()
    synchronise(model.device)
    start = time.perf_counter()
    output = model.generate(
        input_ids=input_ids,
        attention_mask=attention_mask,
        video_features=features,
        do_sample=False,
        num_beams=1,
        num_return_sequences=1,
        use_cache=True,
        return_dict_in_generate=False,
        max_new_tokens=max(max_new_tokens),
        logits_processor=LogitsProcessorList([finite]),
        stopping_criteria=StoppingCriteriaList([stopwatch]),
        pad_token_id=processor.pad_token_id,
        eos_token_id=list(processor.eos_token_ids),
    )  # [B, L + new]
    synchronise(model.device)
    end = time.perf_counter()
    assert stopwatch.first_token_at is not None
    assert finite.bad is not None
    bad = finite.bad.tolist()
    new_ids = output[:, input_ids.shape[1] :]  # [B, new]
    results = []
    for row, ids in enumerate(new_ids.tolist()):
        kept, finish_reason = _cut(ids[: max_new_tokens[row]], processor.eos_token_ids)
        video = features[row]
        text_tokens = int(attention_mask[row].sum())
        results.append(
            Generated(
                text=processor.decode(kept),
                # A placeholder is one id; fast tokens take its place.
                prompt_tokens=text_tokens
                + (0 if video is None else sum(video.run_lengths) - len(video.run_lengths)),
                new_tokens=len(kept) + (finish_reason == "stop"),
                finish_reason=finish_reason,
                finite=not bad[row],
                prefill_s=stopwatch.first_token_at - start,
                generate_s=end - stopwatch.first_token_at,
            )
        )
    return results


def _cut(ids: list[int], eos_token_ids: tuple[int, ...]) -> tuple[list[int], str]:
    """The ids before the first end-of-turn token, and why they end there."""
    for position, token in enumerate(ids):
        if token in eos_token_ids:
            return ids[:position], "stop"
    return ids, "length"
