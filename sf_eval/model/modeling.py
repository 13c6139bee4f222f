"""The slow-fast video MLLM: Qwen2 with hybrid layers, a ConvNeXt tower and a projector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn.functional import pad
from transformers import AutoModelForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM

from sf_eval.model import checkpoint
from sf_eval.model.backbone import SlowFastModel
from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.embedding import EmbeddedPrompt, embed, expand_labels
from sf_eval.model.errors import PromptError
from sf_eval.model.options import read_options
from sf_eval.model.prompt import VIDEO_TOKEN_ID, lay_out, per_row
from sf_eval.model.tokens import VideoFeatures

__all__ = [
    "VIDEO_TOKEN_ID",
    "EmbeddedPrompt",
    "SlowFastForConditionalGeneration",
    "SlowFastModel",
    "VideoFeatures",
]


class SlowFastForConditionalGeneration(Qwen2ForCausalLM):  # type: ignore[misc]
    """Answers a prompt about a video.

    `config.slow_path` ("on", "off") and `config.decode_slow_attention` may be set after loading.
    """

    config_class = SlowFastConfig
    _no_split_modules = SlowFastModel._no_split_modules
    _keys_to_ignore_on_load_unexpected: ClassVar[set[str]] = {
        r"vision_tower\.vision_tower\.(head|norm_pre)\."
    }

    def __init__(self, config: SlowFastConfig) -> None:
        super(Qwen2ForCausalLM, self).__init__(config)
        self.model = SlowFastModel(config)
        self.vocab_size = config.vocab_size
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        revision: str | None = None,
        dtype: torch.dtype | str | None = None,
        device_map: Any = None,
        attn_implementation: str | None = None,
        output_loading_info: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Load a checkpoint directory, or a Hub id's commit, with nothing else on disk.

        Args:
            pretrained_model_name_or_path: directory with config.json and (sharded) safetensors, or Hub id.
            revision: Hub commit, tag or branch.
            dtype: of the weights in memory; None and "auto" keep what config.json or the weights say.
                `torch_dtype` is its older name.
            device_map: as in transformers.
            attn_implementation: "sdpa" (default), "eager" or "flash_attention_2".
            output_loading_info: return the model and what transformers tells of its loading.
            kwargs: keys of the configuration (`slow_path="off"`), which go before config.json's; and
                transformers' other options, see `sf_eval.model.options`.

        Raises:
            CheckpointError: no such checkpoint, no safetensors, a configuration this package cannot compute,
                or missing, unexpected or misshapen weights (their keys are named).
            UsageError: an attention implementation or another option that cannot be used here.
        """
        options = read_options(pretrained_model_name_or_path, revision=revision, dtype=dtype, **kwargs)
        directory = options.directory
        attn = checkpoint.checked_attention(attn_implementation)
        checkpoint.check_shards(directory)
        model, info = super().from_pretrained(
            str(directory),
            *args,
            config=options.config,
            dtype=options.dtype or "auto",
            device_map=device_map,
            attn_implementation=attn,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # so that all keys are named, not only the first
            output_loading_info=True,
            local_files_only=True,
            **options.others,
        )
        checkpoint.check_loaded(directory, info)
        loaded: SlowFastForConditionalGeneration = model.eval()
        return (loaded, info) if output_loading_info else loaded

    def encode_video(self, pixel_values: torch.Tensor, chunk_frames: int = 16) -> VideoFeatures:
        """Frames [T, 3, S, S], normalised -> fast and slow tokens. A single image may be [3, S, S].

        The tower runs on `chunk_frames` frames at a time. Gradients flow unless the caller stops them.
        """
        return self.model.encode_video(pixel_values, chunk_frames)

    def prompt_length(self, input_ids: torch.Tensor, video_features: VideoFeatures | None) -> int:
        """Tokens in the language model of one prompt [L], its placeholder replaced by fast tokens."""
        placeholders = int((input_ids == VIDEO_TOKEN_ID).sum())
        fast_length = video_features.fast_tokens.shape[0] if video_features is not None else 0
        return input_ids.numel() - placeholders + placeholders * fast_length

    def embed_prompt(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None,
        video_features: Sequence[VideoFeatures | None] | None,
        *,
        side: Literal["left", "right"] | None = None,
    ) -> EmbeddedPrompt:
        """Replace each placeholder of `input_ids` [B, L] by fast tokens and pad to the longest prompt.

        Padding that `attention_mask` marks is dropped first. `side` defaults to the configuration's
        `tokenizer_padding_side`. `input_ids` may stay on the CPU, also for a model on meta.

        Raises:
            PromptError, PromptTooLongError: see `sf_eval.model.prompt.lay_out`.
        """
        return embed(
            self.get_input_embeddings(),
            input_ids,
            attention_mask,
            video_features,
            side=side or ("left" if self.config.tokenizer_padding_side == "left" else "right"),
            limit=self.config.max_prompt_tokens,
        )

    def new_cache(self, video_features: Sequence[VideoFeatures | None]) -> SlowFastCache:
        """A cache for one video (or None) a row, with its slow keys and values of every hybrid layer."""
        cache = SlowFastCache(config=self.config)
        cache.slow_lengths = [0 if item is None else item.slow_tokens.shape[0] for item in video_features]
        longest = max(cache.slow_lengths)
        if self.config.slow_path == "off" or longest == 0:
            return cache
        like = next(item.slow_tokens for item in video_features if item is not None)
        slow = torch.stack(
            [
                pad(like[:0] if item is None else item.slow_tokens, (0, 0, 0, longest - length))
                for item, length in zip(video_features, cache.slow_lengths, strict=True)
            ]
        )  # [B, N, D]
        for index in self.config.hybrid_layers:
            cache.slow_keys[index], cache.slow_values[index] = self.model.layers[index].project_slow(slow)
        return cache

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: torch.Tensor | None = None,
        pixel_values_videos: Sequence[torch.Tensor | None] | None = None,
        video_features: Sequence[VideoFeatures | None] | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of a prompt, or of the tokens that follow one.

        A prompt is `input_ids` [B, L] with at most one `VIDEO_TOKEN_ID` a row, and either
        `pixel_values_videos` (a list of [T, 3, S, S]) or `video_features` (what `encode_video` returned): one
        entry a row (None for none), or one a placeholder. Its logits are [B, L', V] with L' counted after the
        placeholder became fast tokens, padded on the configuration's side. A position is the number of real
        tokens before it, whatever the padding.

        What follows is `input_ids` [B, n] with the cache of the step before. `attention_mask` is then over
        all expanded positions so far, or None.

        Args:
            labels: [B, L], as `input_ids`; fast tokens and padding carry no loss.
            logits_to_keep: logits of the last so many positions only; 0 for all.

        Raises:
            PromptError, PromptTooLongError: the prompt and the videos do not fit together, or the model.
        """
        seen = past_key_values.get_seq_length() if past_key_values is not None else 0
        videos_given = pixel_values_videos is not None or video_features is not None
        if inputs_embeds is None and (seen == 0 or videos_given):
            assert input_ids is not None
            if videos_given or _has_placeholder(input_ids):
                features = self._features(input_ids, pixel_values_videos, video_features)
                prompt = self.embed_prompt(input_ids, attention_mask, features)
                past_key_values = self._cache_for(prompt, features, past_key_values)
                input_ids, inputs_embeds = None, prompt.inputs_embeds
                attention_mask = prompt.attention_mask if prompt.layout.is_ragged else None
                labels = expand_labels(labels, prompt.layout)
            else:
                self._check_text_length(input_ids, attention_mask)
        elif isinstance(past_key_values, SlowFastCache) and seen > 0:
            new = input_ids if input_ids is not None else inputs_embeds
            assert new is not None
            self._set_response_queries(past_key_values, new.shape[1])
            attention_mask = _extended_mask(attention_mask, past_key_values, seen + new.shape[1])
        if input_ids is not None:
            input_ids = input_ids.to(self.get_input_embeddings().weight.device)
        if position_ids is None:
            position_ids = _positions(attention_mask, input_ids if inputs_embeds is None else inputs_embeds)
        if use_cache is None:
            use_cache = not self.training
        output: CausalLMOutputWithPast = super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            **kwargs,
        )
        return output

    @torch.no_grad()
    def generate(  # type: ignore[override]
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        pixel_values_videos: Sequence[torch.Tensor | None] | None = None,
        video_features: Sequence[VideoFeatures | None] | None = None,
        **kwargs: Any,
    ) -> Any:
        """transformers' `generate` about videos given as in `forward`.

        Returns what transformers returns for `input_ids`: prompt (as given, placeholder included) and new
        ids [B, L + new]; or its output object, with such `sequences`, under `return_dict_in_generate=True`.
        Logits processors and stopping criteria see the new ids alone. A batch is padded left whatever
        `tokenizer_padding_side` says, since answers follow on the right.

        Raises:
            PromptError, PromptTooLongError: as in `forward`.
        """
        features = self._features(input_ids, pixel_values_videos, video_features)
        prompt = self.embed_prompt(input_ids, attention_mask, features, side="left")
        cache = self._cache_for(
            prompt, features, kwargs.pop("past_key_values", None), copies=self._copies(kwargs)
        )
        output = super().generate(
            inputs_embeds=prompt.inputs_embeds,
            attention_mask=prompt.attention_mask,
            past_key_values=cache,
            **kwargs,
        )
        sequences = output if isinstance(output, torch.Tensor) else output.sequences
        copies_kept = sequences.shape[0] // input_ids.shape[0]
        shown = input_ids.to(sequences.device).repeat_interleave(copies_kept, dim=0)
        sequences = torch.cat([shown, sequences], dim=1)
        if isinstance(output, torch.Tensor):
            return sequences
        output.sequences = sequences
        return output

    def _features(
        self,
        input_ids: torch.Tensor,
        pixel_values_videos: Sequence[torch.Tensor | None] | None,
        video_features: Sequence[VideoFeatures | None] | None,
    ) -> list[VideoFeatures | None]:
        """One entry a row; encodes what is not encoded yet."""
        if pixel_values_videos is None:
            return per_row(video_features, input_ids)
        if video_features is not None:
            raise PromptError("give pixel_values_videos or video_features, not both.")
        videos = per_row(pixel_values_videos, input_ids)
        return [None if frames is None else self.encode_video(frames) for frames in videos]

    def _cache_for(
        self,
        prompt: EmbeddedPrompt,
        features: list[VideoFeatures | None],
        cache: SlowFastCache | None,
        *,
        copies: int = 1,
    ) -> SlowFastCache:
        """The cache of a new prompt: the caller's, if made by `new_cache` and still empty, or a new one."""
        if cache is None:
            cache = self.new_cache(features)
        elif not isinstance(cache, SlowFastCache) or cache.get_seq_length() > 0:
            raise TypeError("a prompt with a video takes a cache made by new_cache, and an unused one.")
        cache.prompt_mask = prompt.attention_mask if prompt.layout.is_ragged else None
        cache.repeat_rows(copies)
        spans = [
            row.query_spans(
                prompt.layout.offset(row),
                all_tokens=self.config.all_tokens_query,
                masks_system=self.config.masks_system,
            )
            for row in prompt.layout.rows
            for _ in range(copies)
        ]
        cache.set_queries(spans)
        return cache

    def _set_response_queries(self, cache: SlowFastCache, count: int) -> None:
        """All new positions query slow tokens; a single one does not, as published, if so configured."""
        if count == 1 and not self.config.decode_slow_attention:
            cache.set_queries([()] * len(cache.slow_lengths))
        else:
            cache.set_queries([((0, count),)] * len(cache.slow_lengths))

    def _copies(self, kwargs: dict[str, Any]) -> int:
        """How often `generate` repeats each prompt: for beams, or for several answers."""
        settings = kwargs.get("generation_config") or self.generation_config
        return max(
            kwargs.get(key) or getattr(settings, key, None) or 1
            for key in ("num_beams", "num_return_sequences")
        )

    def _check_text_length(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> None:
        """The limit of a batch without videos, whose padding stays where it is."""
        if input_ids.shape[1] > self.config.max_prompt_tokens:
            fast_lengths = [None] * input_ids.shape[0]
            lay_out(input_ids, attention_mask, fast_lengths, side="left", limit=self.config.max_prompt_tokens)


def _has_placeholder(input_ids: torch.Tensor) -> bool:
    return not input_ids.is_meta and bool((input_ids == VIDEO_TOKEN_ID).any())


def _extended_mask(mask: torch.Tensor | None, cache: SlowFastCache, length: int) -> torch.Tensor | None:
    """A mask over all `length` positions so far, where the caller gave none for a padded prompt."""
    if mask is not None or cache.prompt_mask is None:
        return mask
    prompt = cache.prompt_mask
    return torch.cat([prompt, prompt.new_ones(prompt.shape[0], length - prompt.shape[1])], dim=1)


def _positions(mask: torch.Tensor | None, new: torch.Tensor | None) -> torch.Tensor | None:
    """Position of each new token [B, n]: the number of real tokens before it. None leaves counting to Qwen2.

    Cross-attention has rotary queries and unrotated keys, so it depends on absolute positions: left padding
    must not shift them.
    """
    if mask is None or mask.ndim != 2 or new is None:
        return None
    return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -new.shape[1] :]


AutoModelForCausalLM.register(SlowFastConfig, SlowFastForConditionalGeneration)
