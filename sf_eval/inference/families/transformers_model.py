"""A video model of transformers as the engine sees it: a video is encoded once, its prefix prefilled once.

Every family's own class and processor do the work. Positions are always given: what transformers would work
out from a model's state belongs to another video as soon as a prefix is shared.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from sf_eval.core.video_size import VideoSize
from sf_eval.inference.families import places as placing
from sf_eval.inference.families.caches import Rows, can_join, joined
from sf_eval.inference.families.checkpoints import Loaded
from sf_eval.inference.families.decoding import Answer, decode
from sf_eval.inference.families.options import Options
from sf_eval.inference.families.prompts import Placeholder
from sf_eval.inference.families.transformers_video import EncodedVideo, VideoTraits, encode_video
from sf_eval.inference.families.video_sizes import largest_video, with_visual_tokens, writer_of
from sf_eval.inference.family import Asked, Generated, ModelFacts
from sf_eval.inference.shared_text import shared_lengths
from sf_eval.inference.waiting import synchronise
from sf_eval.model.attach import SlowContext, has_slow_path, slow_context
from sf_eval.model.attach.attaching import settings_of
from sf_eval.model.attach.prompts import ShortPrompt
from sf_eval.model.errors import PromptError
from sf_eval.video import ClipPlan, SamplingRule

_TEXT_TOKENS, _NEW_TOKENS = 400, 32


@dataclass(frozen=True, eq=False)
class Prefix:
    """What the prompts about a video begin with. Never changes: batches share it.

    Attributes:
        rows: keys and values of one row.
        slow: the video's slow side, with its keys and values; None where nothing is attached.
    """

    ids: list[int]
    rows: Rows
    places: placing.Places
    slow: SlowContext | None


@dataclass(frozen=True, eq=False)
class _Read:
    """A prompt that the model has read.

    Attributes:
        logits: [1, V] of the first new token.
        place: of it.
        tokens: of the prompt.
    """

    logits: torch.Tensor
    place: int
    tokens: int
    slow: SlowContext | None


class TransformersVideoModel:
    """A `VideoModel` of one of the families that transformers has.

    Args:
        traits: what the family does in its own way.
        rule: which frames of a video are shown.
    """

    resize = None

    def __init__(self, loaded: Loaded, traits: VideoTraits, options: Options, rule: SamplingRule) -> None:
        self.loaded, self.traits = loaded, traits
        self.model, self.processor = loaded.model, loaded.processor
        self.writer = writer_of(self.processor, traits, self.model)
        self.shares = can_join(self.model.config.get_text_config())
        self._attached = has_slow_path(self.model)
        self.options = options
        self._pooled = settings_of(self.model) if self._attached else loaded.pooling or options.pooled
        self.rule = rule

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def facts(self) -> ModelFacts:
        _, starts = self.writer.ids("", Placeholder(self.writer.token, (1,)))
        return ModelFacts(
            weights_digest=self.loaded.digest,
            revision=self.loaded.revision,
            parameters=self.loaded.parameters,
            dtype=str(self.model.dtype).removeprefix("torch."),
            config=with_visual_tokens(self.model, self.processor, self._pooled, attached=self._attached),
            text_before_video=starts[0],
            own={"places": self.options.places} if self.traits.layout.axes == 3 else {},
            question_bytes=self._question_bytes(),
            largest_video=self.largest_video,
            notes=(*self.loaded.notes, *self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = [] if self.shares else ["The model has sliding windows: no prefix is shared, and no batch."]
        notes.append(_frames_note(self.rule))
        notes.append(self.traits.describe(self.processor, self.options))
        video = self.largest_video
        room = getattr(self.model.config.get_text_config(), "max_position_embeddings", 0)
        if video is not None and 0 < room < video.visual_tokens:
            notes.append(
                f"{self.rule.num_frames} frames are about {video.visual_tokens} tokens; the model is made "
                f"for {room}."
            )
        if self.traits.layout.axes == 3:
            notes.append(f"M-RoPE places of text after a video: {self.options.places} (docs/families.md).")
        if self._pooled is not None:
            share = self._pooled.fast_share
            notes.append(f"In the prompt {share} of the tower's tokens, averaged.")
        return notes

    def _question_bytes(self) -> int | None:
        config, video = self.model.config.get_text_config(), self.largest_video
        if video is None:
            return None
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        width = torch.empty((), dtype=self.model.dtype).element_size()
        places = video.visual_tokens + video.text_tokens + _TEXT_TOKENS + _NEW_TOKENS
        return int(2 * config.num_hidden_layers * heads * size * width * places)

    @cached_property
    def largest_video(self) -> VideoSize | None:
        """The longest video, of pictures of the usual size; None where such a one could not be shown."""
        return largest_video(self.processor, self.writer, self.traits, self.rule, self.options, self._pooled)

    @torch.inference_mode()
    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> EncodedVideo:
        return encode_video(
            self.model,
            self.processor,
            self.writer,
            self.traits,
            pixels,
            shown,
            options=self.options,
            pooled=self._pooled,
            keep_slow=self._attached,
            chunk_frames=chunk_frames,
        )

    def prefix(self, video: EncodedVideo | None) -> Prefix | None:
        return self.prefixes(video, [""])[0]

    @torch.inference_mode()
    def prefixes(self, video: EncodedVideo | None, texts: Sequence[str]) -> Sequence[Prefix | None]:
        if not self.shares:
            return [None] * len(texts)
        if video is None:
            nothing = Prefix([], Rows(None, torch.ones(1, 0, dtype=torch.bool)), placing.counted(0), None)
            return [nothing] * len(texts)
        written = [self.writer.ids(text, video.placeholder) for text in texts]
        _, starts = written[0]  # the same for all: the video stands before the text
        before = starts[-1] + video.placeholder.runs[-1]
        lengths = shared_lengths([ids[before:] for ids, _ in written], before)
        shared = [tuple(ids[: before + length]) for (ids, _), length in zip(written, lengths, strict=True)]
        begun = {one: self._begun(list(one), starts, video) for one in dict.fromkeys(shared)}
        return [begun[one] for one in shared]

    def _begun(self, ids: list[int], starts: Sequence[int], video: EncodedVideo) -> Prefix:
        places = self.places_of(len(ids), starts, video)
        rows, _, slow = self._prefill(ids, places, video)
        return Prefix(ids, rows, places, slow)

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        if not self.shares and len(asked) > 1:
            return [result for item in asked for result in self.answer([item])]
        return self._answer(asked)

    @torch.inference_mode()
    def _answer(self, asked: Sequence[Asked]) -> list[Generated]:
        synchronise(self.device)
        start = time.perf_counter()
        # Rows are in the order of `order`: those after a shared prefix first, as one batch.
        order, reads, rows = self._read(asked)
        answers = [
            Answer(read.place, asked[index].max_new_tokens) for index, read in zip(order, reads, strict=True)
        ]
        slow = _side_by_side([read.slow for read in reads])
        first_at: list[float] = []

        def step(ids: torch.Tensor, places: torch.Tensor, rows: Rows) -> torch.Tensor:
            return self._forward(ids, places, rows, slow=slow)

        decode(
            answers,
            rows,
            torch.cat([read.logits for read in reads]),
            step=step,
            stop_ids=self.loaded.stop_ids,
            first=lambda: first_at.append(time.perf_counter()),
        )
        end = time.perf_counter()
        generated = {
            index: Generated(
                text=self.processor.tokenizer.decode(answer.ids, skip_special_tokens=True).strip(),
                prompt_tokens=read.tokens,
                visual_tokens=0 if (video := asked[index].video) is None else sum(video.placeholder.runs),
                slow_tokens=0 if video is None or read.slow is None else video.tokens,
                new_tokens=len(answer.ids) + answer.stopped,
                finish_reason="stop" if answer.stopped else "length",
                finite=answer.finite,
                visual_grid=None if video is None else video.grid,
                prefill_s=first_at[0] - start,
                generate_s=end - first_at[0],
            )
            for index, read, answer in zip(order, reads, answers, strict=True)
        }
        return [generated[index] for index in range(len(asked))]

    def _read(self, asked: Sequence[Asked]) -> tuple[list[int], list[_Read], Rows]:
        """Let the model read all prompts: those with a prefix as one batch, the others one by one."""
        shared = [index for index, item in enumerate(asked) if item.prefix is not None and item.prefix.ids]
        others = [index for index in range(len(asked)) if index not in shared]
        reads: list[_Read] = []
        parts: list[Rows] = []
        if shared:
            reads, together = self._read_suffixes([asked[index] for index in shared])
            parts.append(together)
        for index in others:
            read, alone = self._read_whole(asked[index])
            reads.append(read)
            parts.append(alone)
        return [*shared, *others], reads, parts[0] if len(parts) == 1 else joined(parts)

    def _read_whole(self, item: Asked) -> tuple[_Read, Rows]:
        video: EncodedVideo | None = item.video
        ids, starts = self.writer.ids(item.text, None if video is None else video.placeholder)
        places = self.places_of(len(ids), starts, video)
        rows, logits, slow = self._prefill(ids, places, video)
        return _Read(logits, places.generated, len(ids), slow), rows

    def _read_suffixes(self, asked: Sequence[Asked]) -> tuple[list[_Read], Rows]:
        prefixes: list[Prefix] = [item.prefix for item in asked]
        suffixes = [self._suffix(item) for item in asked]
        width = max(map(len, suffixes))
        before = joined([prefix.rows for prefix in prefixes])
        padding = [width - len(suffix) for suffix in suffixes]
        ids = torch.tensor(
            [[0] * pad + suffix for pad, suffix in zip(padding, suffixes, strict=True)], device=self.device
        )
        real = torch.tensor([[False] * pad + [True] * (width - pad) for pad in padding], device=self.device)
        starts = torch.tensor([[prefix.places.text] for prefix in prefixes], device=self.device)
        places = (real.long().cumsum(-1) - 1).clamp(min=0) + starts
        rows = Rows(before.cache, torch.cat([before.mask, real], dim=1))
        slow = _side_by_side([prefix.slow for prefix in prefixes])
        logits = self._forward(ids, places, rows, slow=slow)
        reads = [
            _Read(
                logits=logits[index : index + 1],
                place=prefix.places.after(len(suffix))[1],
                tokens=len(prefix.ids) + len(suffix),
                slow=prefix.slow,
            )
            for index, (prefix, suffix) in enumerate(zip(prefixes, suffixes, strict=True))
        ]
        return reads, rows

    def _suffix(self, item: Asked) -> list[int]:
        ids, _ = self.writer.ids(item.text, item.video.placeholder)
        count = len(item.prefix.ids)
        if ids[:count] != item.prefix.ids or len(ids) == count:
            raise PromptError("the prompt does not begin with what its video's prompts share.")
        return ids[count:]

    def places_of(self, length: int, starts: Sequence[int], video: EncodedVideo | None) -> placing.Places:
        """Where the tokens of a prompt of `length` tokens stand; a video's runs begin at `starts`."""
        if self.traits.layout.axes == 1:
            return placing.counted(length)
        runs = [] if video is None else video.runs(starts)
        interval = 0.0 if video is None else video.interval
        return placing.multimodal(length, runs, interval=interval, rule=self.options.places)

    def _prefill(
        self, ids: list[int], places: placing.Places, video: EncodedVideo | None
    ) -> tuple[Rows, torch.Tensor, SlowContext | None]:
        from transformers import DynamicCache

        input_ids = torch.tensor([ids], device=self.device)
        mask = torch.ones(1, len(ids), dtype=torch.bool, device=self.device)
        at = places.ids.to(self.device)
        at = at[None] if at.ndim == 1 else at[:, None]
        slow = None
        if self._attached:
            slow = self.slow_context_of(input_ids, mask, at, video)
        rows = Rows(DynamicCache(config=self.model.config.get_text_config()), mask)
        features = None if video is None else self.traits.layout.pack([video.fast])
        return rows, self._forward(input_ids, at, rows, features=features, slow=slow), slow

    def slow_context_of(
        self, ids: torch.Tensor, mask: torch.Tensor, at: torch.Tensor, video: EncodedVideo | None
    ) -> SlowContext:
        """The slow side of one prompt: ids and mask [1, L], places [1, L] or [3, 1, L]."""
        # Under M-RoPE the attached model's fourth axis is the text's own count.
        position_ids = at if at.ndim == 2 else torch.cat([(mask.long().cumsum(-1) - 1)[None], at])
        inputs = {"input_ids": ids, "attention_mask": mask.long(), "position_ids": position_ids}
        grids = [] if video is None or video.slow is None else [video.slow]
        return slow_context(self.model, ShortPrompt(inputs, ((0,) if grids else (),)), grids)

    def _forward(
        self,
        ids: torch.Tensor,
        places: torch.Tensor,
        rows: Rows,
        *,
        features: Any = None,
        slow: SlowContext | None = None,
    ) -> torch.Tensor:
        """Logits [B, V] after the last of `ids` [B, L]; extends the rows' cache.

        Args:
            places: [B, L], or [3, B, L].
        """
        if self.traits.layout.axes == 3 and places.ndim == 2:
            places = places.expand(3, -1, -1)
        more: dict[str, Any] = {} if slow is None else {"slow": slow}
        if features is not None:
            more["mm_encoder_outputs"] = {self.traits.layout.modality: features}
        output = self.model(
            input_ids=ids,
            attention_mask=rows.mask.long(),
            position_ids=places,
            past_key_values=rows.cache,
            use_cache=True,
            logits_to_keep=1,
            **more,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits


def _frames_note(rule: SamplingRule) -> str:
    by_rate = rule.kind in ("published", "rate", "rate-to-end")
    said = f", {rule.target_fps:g} a second and at least {rule.least}" if by_rate else ""
    return f"Frames by the rule {rule.kind!r} (docs/families.md): at most {rule.num_frames}{said}."


def _side_by_side(contexts: Sequence[SlowContext | None]) -> SlowContext | None:
    """The slow side of a batch whose rows have read their prompts; shares keys and values with them."""
    if all(context is None for context in contexts):
        return None
    known = [context for context in contexts if context is not None]
    together = SlowContext([None if context is None else context.videos[0] for context in contexts])
    together.pairs = {
        layer: [None if context is None else context.pairs[layer][0] for context in contexts]
        for layer in known[0].pairs
    }
    return together
