"""Second stage: projector, decoder and slow path learn to answer, the tower being frozen.

The forward pass is the model's own (`SlowFastModel` with a `SlowFastCache`), on packed sequences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.training.lessons import ANSWERS
from sf_eval.training.packing import QuestionBatch

# hidden_states[n] is what layer n reads. The layers after it are left for finding the letter.
A_LAYER, O_LAYER = 2, 3


@dataclass(frozen=True)
class Losses:
    """Mean losses of one batch, in nats."""

    letter: torch.Tensor
    end: torch.Tensor
    answer: torch.Tensor
    option: torch.Tensor

    def total(self, auxiliary_weight: float) -> torch.Tensor:
        # The end is the same token each time: little to learn.
        return self.letter + 0.1 * self.end + auxiliary_weight * (self.answer + self.option)


class AuxiliaryHeads(nn.Module):
    """Training only: the answer at the question's end, and at each option's end whether it is right.

    Without them the letters stay at chance for a long time: which option is right and which letter it has are
    two things to learn at once.
    """

    def __init__(self, width: int, answers: int = len(ANSWERS)) -> None:
        super().__init__()
        self.answer = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, answers))
        self.option = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    def answers(self, hidden: torch.Tensor) -> torch.Tensor:
        """[Q, D] -> [Q, A]."""
        logits: torch.Tensor = self.answer(hidden)
        return logits

    def options(self, hidden: torch.Tensor) -> torch.Tensor:
        """[O, D] -> [O]."""
        logits: torch.Tensor = self.option(hidden)
        return logits[:, 0]


@dataclass(frozen=True)
class Output:
    """Logits of one batch: letters [Q, V], ends [Q, V], answers [Q, A], options [O]."""

    letters: torch.Tensor
    ends: torch.Tensor
    answers: torch.Tensor
    options: torch.Tensor


def forward(
    model: SlowFastForConditionalGeneration,
    heads: AuxiliaryHeads,
    features: torch.Tensor,
    prefix: Sequence[int],
    questions: QuestionBatch,
) -> Output:
    """Logits of K questions about each of B videos.

    Args:
        features: tower output of the shown frames [B, T, g, g, C].
        prefix: tokens before the video.
    """
    words = model.get_input_embeddings()
    projected = model.model.project(features.flatten(0, 1).to(model.dtype))  # [B * T, h, w, D]
    videos = [model.model.split_paths(tokens) for tokens in projected.unflatten(0, features.shape[:2])]
    fast = torch.stack([video.fast_tokens for video in videos])  # [B, F, D]
    count = len(fast)
    cache = model.new_cache(videos)
    fast_at = torch.arange(len(prefix), len(prefix) + fast.shape[1])
    model.place_slow_tokens(cache, videos, [fast_at] * len(fast))
    cache.set_queries([((0, len(prefix)),)] * count)
    before = words(torch.tensor(prefix, device=fast.device)).expand(count, -1, -1)  # [B, P, D]
    model.model(inputs_embeds=torch.cat([before, fast], dim=1), past_key_values=cache, use_cache=True)
    cache.batch_repeat_interleave(len(questions.ids) // count)
    cache.set_queries([((0, questions.ids.shape[1]),)] * len(questions.ids))
    output = model.model(
        inputs_embeds=words(questions.ids), past_key_values=cache, use_cache=True, output_hidden_states=True
    )
    states = output.hidden_states
    rows = torch.arange(len(questions.ids), device=fast.device)
    final = output.last_hidden_state
    return Output(
        letters=model.lm_head(final[rows, questions.letter_at]),
        ends=model.lm_head(final[rows, questions.letter_at + 1]),
        answers=heads.answers(states[A_LAYER][rows, questions.question_at]),
        options=heads.options(states[O_LAYER][questions.option_at[:, 0], questions.option_at[:, 1]]),
    )


def losses(output: Output, questions: QuestionBatch, end_token: int) -> Losses:
    return Losses(
        letter=cross_entropy(output.letters, questions.letters),
        end=cross_entropy(output.ends, torch.full_like(questions.letters, end_token)),
        answer=cross_entropy(output.answers, questions.answers),
        option=binary_cross_entropy_with_logits(output.options, questions.option_right),
    )


def draw_weights(model: SlowFastForConditionalGeneration) -> None:
    """Weights to begin with: transformers' 0.02 is made for width 4096; here it would train for long."""
    for module in model.model.layers.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.7 * module.in_features**-0.5)
    nn.init.normal_(model.get_input_embeddings().weight, std=0.12)
    for module in model.model.mm_projector.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            nn.init.zeros_(module.bias)


@torch.no_grad()
def adopt_slow_path(model: SlowFastForConditionalGeneration) -> None:
    """Begin the slow path as the self-attention's twin, at tanh(1) * tanh(1), 58%, of its strength.

    Keys and values of slow tokens start as those of fast tokens in the same layer: whoever has learned to
    find a frame among the fast tokens finds it among the slow ones. That is what the published
    initialisation means to do; it puts the two weights one after the other although they are read per head,
    key then value. The rest is the two gates, both begun at 1: with a warm-up gate of 0, as published,
    nothing moves for hundreds of steps.
    """
    for index in model.config.hybrid_layers:
        attention = model.model.layers[index].self_attn
        for name in ("weight", "bias"):
            key, value = (
                getattr(projection, name).unflatten(0, (-1, attention.head_dim))
                for projection in (attention.k_proj, attention.v_proj)
            )  # [H_kv, d, ...]
            paired = torch.stack([key, value], dim=1).flatten(0, 2)  # [H_kv * 2 * d, ...]
            getattr(attention.cross_attn_kv_proj, name).copy_(paired)
        nn.init.ones_(attention.cross_attn_warm_up_gate)
        nn.init.zeros_(attention.cross_attn_gate_proj[0].weight)
        nn.init.ones_(attention.cross_attn_gate_proj[0].bias)


def parameter_groups(
    modules: Sequence[nn.Module],
) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """(matrices of the decoder's layers, everything else that learns)."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for module in modules:
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            inside = ".layers." in f".{name}" and parameter.ndim == 2 and "gate_proj.0" not in name
            (matrices if inside else others).append(parameter)
    return matrices, others
