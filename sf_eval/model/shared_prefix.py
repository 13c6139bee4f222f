"""Questions of one video share what comes before them: [system prompt + video] is prefilled once.

No question token comes before the prefix, so its self-attention keys and values, and those of its slow
tokens, are the same for every question. The rest of each prompt, its suffix, follows as a row of a batch:

    prefix 1 | pad  | suffix of question 1 | answer
    prefix 1 |  suffix of question 2       | answer
    pad | prefix 2  | pad | suffix         | answer

Padding may lie before a prefix and between prefix and suffix; a two-dimensional mask is enough, since
positions count real tokens. The answers are those of `generate` on whole prompts: logits are equal in
float64, and in float32 but for rounding in the last digits, as between two sizes of a batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from sf_eval.core.errors import UsageError
from sf_eval.model.cache import SlowFastCache, join_rows, split_rows
from sf_eval.model.errors import PromptError
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.placement import compute_device
from sf_eval.model.prompt import VIDEO_TOKEN_ID, check_length
from sf_eval.model.tokens import VideoFeatures

_FILL = 0  # the id at padding: any of the vocabulary, since nothing attends to it


@dataclass(frozen=True, eq=False)
class Prefix:
    """What the prompts about one video begin with, prefilled. Never changes: threads and batches share it.

    Attributes:
        tokens: positions it takes in the language model, fast tokens included.
        fast_tokens: how many of them are fast tokens.
        cache: keys and values of one row.
    """

    tokens: int
    fast_tokens: int
    cache: SlowFastCache


@dataclass(frozen=True)
class SharedAnswer:
    """One greedy answer; the two times are its batch's.

    Attributes:
        token_ids: new ids, without the one that stopped it.
        finish_reason: "stop" at a stop id, "length" at the limit.
        finite: whether the logits of every one of its steps were finite; an answer stops where they are not,
            and means nothing.
        prompt_tokens: of prefix and suffix.
        new_tokens: ids that were generated, the one that stopped it included.
        first_token_s: seconds from the call until the first token of all rows was known.
        later_tokens_s: seconds from then until the last row was done.
    """

    token_ids: tuple[int, ...]
    finish_reason: Literal["stop", "length"]
    finite: bool
    prompt_tokens: int
    new_tokens: int
    first_token_s: float
    later_tokens_s: float


@dataclass(frozen=True)
class SuffixBatch:
    """Suffixes after their prefixes, as the model has read them.

    Attributes:
        logits: of each row's first new token [B, V].
        cache: rows in the order of `order`.
        mask: [B, positions so far + room], 1 on real tokens and on what is to come; None without padding.
        seen: positions so far.
        order: which of the given questions each row is: neighbours share a prefix if they can.
    """

    logits: torch.Tensor
    cache: SlowFastCache
    mask: torch.Tensor | None
    seen: int
    order: tuple[int, ...]


def split_prompt(input_ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """A prompt's ids up to and with the video's last placeholder, and those after; ([], ids) without one."""
    ids = list(input_ids)
    if VIDEO_TOKEN_ID not in ids:
        return [], ids
    at = len(ids) - ids[::-1].index(VIDEO_TOKEN_ID)
    return ids[:at], ids[at:]


def can_share_prefixes(model: SlowFastForConditionalGeneration) -> bool:
    """Not with sliding windows: places in the cache then depend on what comes after."""
    return not getattr(model.config, "use_sliding_window", False)


def prefill_prefix(
    model: SlowFastForConditionalGeneration,
    input_ids: Sequence[int],
    features: VideoFeatures | None = None,
) -> Prefix:
    """Prefill what prompts begin with: `prefill_prefixes` of one."""
    (prefix,) = prefill_prefixes(model, [(input_ids, features)])
    return prefix


@torch.inference_mode()
def prefill_prefixes(
    model: SlowFastForConditionalGeneration,
    given: Sequence[tuple[Sequence[int], VideoFeatures | None]],
) -> list[Prefix]:
    """Prefill what prompts about several videos begin with, as one batch.

    Args:
        given: each video, as `encode_video` gives it, after the ids, which have its placeholder. Where there
            is no video the ids may be empty, if nothing is shared. All are of one length, as ids and in the
            model.

    Raises:
        PromptError, PromptTooLongError: the ids and the video do not fit together, or the model; or the
            lengths differ.
        UsageError: the model has sliding windows, or is in training with gradient checkpointing.
    """
    if not can_share_prefixes(model):
        raise UsageError("a model with sliding-window attention cannot share prefixes.")
    for ids, features in given:
        if features is not None and VIDEO_TOKEN_ID not in ids:
            raise PromptError("a video was given, and the prefix has no placeholder for it.")
    if not any(ids for ids, _ in given):
        return [Prefix(0, 0, SlowFastCache(config=model.config, slow_lengths=[0])) for _ in given]
    lengths = {(len(ids), model.prompt_length(torch.tensor(list(ids)), features)) for ids, features in given}
    if len(lengths) > 1:
        raise PromptError("prefixes of several lengths cannot be prefilled as one batch.")
    output = model(
        input_ids=torch.tensor([list(ids) for ids, _ in given]),
        video_features=[features for _, features in given],
        use_cache=True,
        logits_to_keep=1,
    )
    cache: SlowFastCache = output.past_key_values
    rows = [cache] if len(given) == 1 else split_rows(cache)
    return [
        Prefix(row.get_seq_length(), _fast_tokens(features), row)
        for row, (_, features) in zip(rows, given, strict=True)
    ]


def _fast_tokens(features: VideoFeatures | None) -> int:
    return 0 if features is None else features.fast_tokens.shape[0]


@torch.inference_mode()
def prefill_suffixes(
    model: SlowFastForConditionalGeneration,
    asked: Sequence[tuple[Prefix, Sequence[int]]],
    *,
    room: int = 0,
) -> SuffixBatch:
    """Let the model read every suffix after its prefix.

    Args:
        asked: at least one; the same `Prefix` object means shared keys and values.
        room: positions that will follow.

    Raises:
        PromptError: an empty suffix, or one with a placeholder.
        PromptTooLongError: prefix and suffix do not fit the model.
    """
    for index, (prefix, suffix) in enumerate(asked):
        _check(model, index, prefix, suffix)
    first_seen: dict[int, int] = {}
    for index, (prefix, _) in enumerate(asked):
        first_seen.setdefault(id(prefix), index)
    order = tuple(sorted(range(len(asked)), key=lambda index: first_seen[id(asked[index][0])]))
    prefixes, suffixes = [asked[index][0] for index in order], [list(asked[index][1]) for index in order]
    before, width = max(prefix.tokens for prefix in prefixes), max(map(len, suffixes))
    cache = join_rows([prefix.cache for prefix in prefixes], room=width + room)
    padding = [width - len(suffix) for suffix in suffixes]
    mask = None
    if any(padding) or any(prefix.tokens < before for prefix in prefixes):
        mask = torch.tensor(
            [
                [0] * (before - prefix.tokens) + [1] * prefix.tokens + [0] * pad + [1] * (width - pad + room)
                for prefix, pad in zip(prefixes, padding, strict=True)
            ],
            device=compute_device(model.get_input_embeddings()),
        )
    output = model(
        input_ids=torch.tensor([[_FILL] * pad + row for pad, row in zip(padding, suffixes, strict=True)]),
        attention_mask=None if mask is None else mask[:, : before + width],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        continues="prompt",
    )
    return SuffixBatch(output.logits[:, -1], cache, mask, before + width, order)


@torch.inference_mode()
def answer_suffixes(
    model: SlowFastForConditionalGeneration,
    asked: Sequence[tuple[Prefix, Sequence[int]]],
    *,
    max_new_tokens: int | Sequence[int],
    stop_ids: Sequence[int],
) -> list[SharedAnswer]:
    """Answer greedily, in the order of `asked`. Nothing of a generation_config.json is applied.

    Args:
        asked: each question's prefix and the ids after it; see `prefill_suffixes`.
        max_new_tokens: of every answer, or of each.
        stop_ids: an answer ends before any of these.

    Raises:
        PromptError, PromptTooLongError: see `prefill_suffixes`; or a limit below 1.
    """
    limits = [max_new_tokens] * len(asked) if isinstance(max_new_tokens, int) else list(max_new_tokens)
    if len(limits) != len(asked) or any(limit < 1 for limit in limits):
        raise PromptError("max_new_tokens must be at least 1, for every question or one per question.")
    if not asked:
        return []
    start = time.perf_counter()
    batch = prefill_suffixes(model, asked, room=max(limits))
    rows = [_Row(limits[index], frozenset(stop_ids)) for index in batch.order]
    logits, seen, first_at = batch.logits, batch.seen, 0.0
    while True:
        chosen = logits.float().argmax(dim=-1)  # [B]
        # A row's maximum is NaN if any of its logits is. One copy to the CPU per step: the only wait.
        finite = torch.isfinite(logits.amax(dim=-1))
        for row, token, is_finite in zip(rows, *torch.stack([chosen, finite.long()]).tolist(), strict=True):
            row.take(token, bool(is_finite))
        first_at = first_at or time.perf_counter()
        if all(row.done for row in rows):
            break
        seen += 1
        output = model(
            input_ids=chosen[:, None],
            attention_mask=None if batch.mask is None else batch.mask[:, :seen],
            past_key_values=batch.cache,
            use_cache=True,
            logits_to_keep=1,
            continues="response",
        )
        logits = output.logits[:, -1]
    end = time.perf_counter()
    by_question = dict(zip(batch.order, rows, strict=True))
    return [
        by_question[index].answer(prefix.tokens + len(suffix), first_at - start, end - first_at)
        for index, (prefix, suffix) in enumerate(asked)
    ]


class _Row:
    """One answer while it grows. A row that is done is decoded on with its batch and takes nothing more."""

    def __init__(self, limit: int, stop_ids: frozenset[int]) -> None:
        self.limit = limit
        self.stop_ids = stop_ids
        self.ids: list[int] = []
        self.stopped = False
        self.finite = True

    @property
    def done(self) -> bool:
        return self.stopped or not self.finite or len(self.ids) == self.limit

    def take(self, token: int, finite: bool) -> None:
        if self.done:
            return
        self.finite = finite
        self.stopped = finite and token in self.stop_ids
        if finite and not self.stopped:
            self.ids.append(token)

    def answer(self, prompt_tokens: int, first_token_s: float, later_tokens_s: float) -> SharedAnswer:
        return SharedAnswer(
            token_ids=tuple(self.ids),
            finish_reason="stop" if self.stopped else "length",
            finite=self.finite,
            prompt_tokens=prompt_tokens,
            new_tokens=len(self.ids) + self.stopped,
            first_token_s=first_token_s,
            later_tokens_s=later_tokens_s,
        )


def _check(
    model: SlowFastForConditionalGeneration, index: int, prefix: Prefix, suffix: Sequence[int]
) -> None:
    if not len(suffix):
        raise PromptError(f"prompt {index} has nothing after its prefix.")
    if VIDEO_TOKEN_ID in suffix:
        raise PromptError(f"prompt {index} has a video placeholder after its prefix.")
    check_length(
        prefix.tokens + len(suffix), prefix.fast_tokens, limit=model.config.max_prompt_tokens, index=index
    )
