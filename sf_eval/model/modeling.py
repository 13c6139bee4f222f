"""The slow-fast video MLLM: Qwen2 with hybrid layers, a ConvNeXt tower and a projector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.qwen2.modeling_qwen2 import Qwen2ForCausalLM

from sf_eval.model import checkpoint
from sf_eval.model.backbone import SlowFastModel
from sf_eval.model.cache import SlowFastCache
from sf_eval.model.checkpoint_files.options import read_options
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.embedding import EmbeddedPrompt, embed, expand_labels
from sf_eval.model.passes import (
    Call,
    Continues,
    DecoderInputs,
    Videos,
    continuation,
    embedded_prompt,
    fast_places,
    fill_cache,
    given_videos,
    is_checkpointing,
    refuse_checkpointing,
    slow_rotation,
    text_prompt,
    which_call,
)
from sf_eval.model.placement import compute_device, is_at_hand
from sf_eval.model.prompt import VIDEO_TOKEN_ID, per_row
from sf_eval.model.tokens import VideoFeatures, stack_slow_tokens

__all__ = [
    "VIDEO_TOKEN_ID",
    "EmbeddedPrompt",
    "SlowFastForConditionalGeneration",
    "SlowFastModel",
    "VideoFeatures",
]


class SlowFastForConditionalGeneration(Qwen2ForCausalLM):  # type: ignore[misc]
    """Answers a prompt about a video.

    `config.slow_path` ("on", "off"), `config.slow_rope` and `config.decode_slow_attention` may be set after
    loading.
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
                transformers' other options, see `sf_eval.model.checkpoint_files.options`.

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
        """Tokens in the language model of one prompt [L], its placeholders replaced by fast tokens."""
        placeholders = int((input_ids == VIDEO_TOKEN_ID).sum())
        fast_length = (
            video_features.fast_tokens.shape[0] if video_features is not None and placeholders else 0
        )
        return input_ids.numel() - placeholders + fast_length

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
        """A cache for one video (or None) a row, with its slow keys and values of every hybrid layer.

        Layers whose weights are elsewhere (offloaded, or sharded over processes) project when they first run,
        and so do all with `slow_rope` "own": slow keys then depend on where the video stands in the prompt,
        which `forward` and `generate` see.
        """
        cache = self._cache_of(video_features)
        tokens = cache.slow_tokens
        if tokens is None or self.config.slow_rope == "own":
            return cache
        layers = {index: self.model.layers[index] for index in self.config.hybrid_layers}
        if all(is_at_hand(layer, tokens) for layer in layers.values()):
            for index, layer in layers.items():
                cache.keep_slow(index, *layer.project_slow(tokens))
            cache.forget_slow_tokens()
        return cache

    def place_slow_tokens(
        self,
        cache: SlowFastCache,
        video_features: Sequence[VideoFeatures | None],
        fast_places: Sequence[torch.Tensor],
    ) -> None:
        """Tell a new cache where each row's fast tokens stand in its prompt: [N_fast] positions a row.

        `forward` and `generate` do it themselves, except for a prompt that is given as embeddings. Nothing
        happens with `slow_rope` "published".

        Raises:
            PromptError: features that do not have the tokens of so many square frames.
        """
        if self.config.slow_rope == "own" and getattr(cache, "slow_tokens", None) is not None:
            rotary = self.model.rotary_emb
            cache.slow_rotation = slow_rotation(rotary, self.config, video_features, fast_places)

    def _cache_of(self, video_features: Sequence[VideoFeatures | None]) -> SlowFastCache:
        """A cache for one video (or None) a row, whose slow tokens the layers project when they first run."""
        lengths = [0 if item is None else item.slow_tokens.shape[0] for item in video_features]
        cache = SlowFastCache(config=self.config, slow_lengths=lengths)
        if self.config.slow_path == "on" and self.config.hybrid_layers:
            cache.slow_tokens = stack_slow_tokens(video_features)
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
        continues: Continues = "response",
        **kwargs: Any,
    ) -> CausalLMOutputWithPast:
        """Logits of a prompt, or of the tokens that follow one (`sf_eval.model.passes` has the four cases).

        A prompt is `input_ids` [B, L] with at most one `VIDEO_TOKEN_ID` a row (or one for each run of its
        video's fast tokens, `VideoFeatures.runs`), and either
        `pixel_values_videos` (a list of [T, 3, S, S]) or `video_features` (what `encode_video` returned), one
        entry a row, None for none. Its logits are [B, L', V] with L' counted after the placeholder became
        fast tokens, padded on the configuration's side. A position is the number of real tokens before it,
        whatever the padding.

        What follows is `input_ids` [B, n] with the cache of the step before. `attention_mask` is then over
        all expanded positions so far, or None.

        Args:
            labels: [B, L], as `input_ids`; fast tokens, padding and each row's first token carry no loss.
            use_cache: None keeps keys and values unless the model is in training.
            logits_to_keep: logits of the last so many positions only; 0 for all.
            continues: with a used cache, whether its prompt goes on or a response's tokens follow; the latter
                do not query slow tokens where `decode_slow_attention` is off.

        Raises:
            PromptError, PromptTooLongError: the prompt and the videos do not fit together, or the model.
            UsageError: a cache in use under gradient checkpointing, whose layers are given none.
        """
        videos = given_videos(pixel_values_videos, video_features)
        call = which_call(input_ids, inputs_embeds, past_key_values, videos_given=videos is not None)
        if use_cache is None:
            use_cache = not self.training
        inputs = DecoderInputs(input_ids, inputs_embeds, attention_mask, past_key_values, labels=labels)
        if call is Call.VIDEO_PROMPT:
            inputs = self._video_prompt(inputs, videos, position_ids, use_cache)
        elif call is Call.TEXT_PROMPT:
            inputs = text_prompt(self.config, inputs)
        elif call is Call.EMBEDDED_PROMPT:
            inputs = embedded_prompt(inputs)
        else:
            refuse_checkpointing(self)
            inputs = continuation(self.config, inputs, continues)
        inputs = inputs.with_countable_labels()
        output: CausalLMOutputWithPast = super().forward(
            input_ids=self._where_embedded(inputs.input_ids),
            attention_mask=self._where_embedded(inputs.attention_mask),
            position_ids=self._where_embedded(inputs.positions if position_ids is None else position_ids),
            past_key_values=inputs.cache,
            inputs_embeds=inputs.inputs_embeds,
            labels=inputs.labels,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
            slow=inputs.slow,
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
            PromptError, PromptTooLongError, UsageError: as in `forward`.
        """
        refuse_checkpointing(self)
        videos = given_videos(pixel_values_videos, video_features)
        features = self._features(input_ids, videos)
        prompt = self.embed_prompt(input_ids, attention_mask, features, side="left")
        cache = kwargs.pop("past_key_values", None)
        if cache is None:
            cache = self._cache_of(features)
        self.place_slow_tokens(cache, features, fast_places(prompt.layout))
        fill_cache(cache, prompt, self.config, copies=self._copies(kwargs))
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

    def _features(self, input_ids: torch.Tensor, videos: Videos | None) -> list[VideoFeatures | None]:
        """One entry a row; encodes what is not encoded yet."""
        given: Sequence[Any] | None = videos
        rows = per_row(given, input_ids)
        return [self.encode_video(item) if isinstance(item, torch.Tensor) else item for item in rows]

    def _video_prompt(
        self,
        inputs: DecoderInputs,
        videos: Videos | None,
        position_ids: torch.Tensor | None,
        use_cache: bool,
    ) -> DecoderInputs:
        """Prompts of which at least one may be about a video: fast tokens take the placeholders' places."""
        assert inputs.input_ids is not None
        features = self._features(inputs.input_ids, videos)
        prompt = self.embed_prompt(inputs.input_ids, inputs.attention_mask, features)
        cache = inputs.cache
        if cache is None:
            cache = self._cache_of(features)
        self.place_slow_tokens(cache, features, fast_places(prompt.layout, position_ids))
        fill_cache(cache, prompt, self.config)
        slow = cache.slow_pass()
        if is_checkpointing(self) and slow.tokens is None:  # its layers are not given what the cache holds
            slow = replace(slow, tokens=self._cache_of(features).slow_tokens)
        return DecoderInputs(
            inputs_embeds=prompt.inputs_embeds,
            attention_mask=prompt.attention_mask if prompt.layout.is_ragged else None,
            cache=cache if use_cache or inputs.cache is not None else None,
            slow=slow,
            labels=expand_labels(inputs.labels, prompt.layout),
        )

    def _where_embedded(self, given: Any) -> Any:
        """A caller's tensor where the embeddings are; None, or transformers' mapping of masks, as it is."""
        return (
            given.to(compute_device(self.get_input_embeddings()))
            if isinstance(given, torch.Tensor)
            else given
        )

    def _copies(self, kwargs: dict[str, Any]) -> int:
        """How often `generate` repeats each prompt: for beams, or for several answers."""
        settings = kwargs.get("generation_config") or self.generation_config
        return max(
            kwargs.get(key) or getattr(settings, key, None) or 1
            for key in ("num_beams", "num_return_sequences")
        )


AutoModelForCausalLM.register(SlowFastConfig, SlowFastForConditionalGeneration)
