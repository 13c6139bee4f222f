"""The toy's learning: a plain video model, then the pooled control and slow paths attached to it.

The plain model is of the Qwen2.5-VL class (M-RoPE), without a tower: videos are tokens already. It learns to
answer from unpooled videos. Then it is shown four times as many tokens, pooled to a quarter of the frames.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from sf_eval.model.attach import (
    SlowContext,
    SlowVideo,
    attach_slow_path,
    freeze_all_but_slow_path,
    rotation_of,
    slow_parameter_groups,
)
from sf_eval.model.attach.grids import VideoGrid, slow_places
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.training.attached.toy_videos import (
    ASK,
    BEGIN,
    END,
    FRAMES,
    KINDS,
    VOCABULARY,
    WIDTH,
    WINDOW,
    Videos,
    draw,
)

_POOLING = SlowPathSettings((0, 2), temporal_stride=WINDOW, spatial_stride=2)
_HELD_OUT = 400


@dataclass(frozen=True)
class Budget:
    """Steps of a learning, and what a step shows."""

    base_steps: int = 400
    steps: int = 400
    batch_videos: int = 16
    learning_rate: float = 3e-3


@dataclass(frozen=True)
class Result:
    """Accuracy of one model on held-out videos, a share of 1 by kind of question.

    Attributes:
        loss: mean of the last 50 steps, in nats; None where nothing was trained.
    """

    name: str
    accuracy: dict[str, float]
    loss: float | None


def attached(rope: str) -> str:
    """What the model with an attached slow path is called."""
    return f"attached, rope {rope}, LLM frozen"


def learn_toy(seed: int, budget: Budget, say: Callable[[str], None] = lambda _: None) -> list[Result]:
    """Train everything of one seed; the same seed gives the same results on the same machine."""
    results: list[Result] = []

    def add(name: str, model: Any, *, pooled: bool, loss: float | None) -> None:
        results.append(Result(name, examine(model, pooled=pooled, seed=seed), loss))
        right = ", ".join(f"{kind} {share:.0%}" for kind, share in results[-1].accuracy.items())
        say(f"seed {seed}: {name}: {right}")

    say(f"seed {seed}: plain model, unpooled videos")
    base, loss = learn_plain(seed, budget)
    add("plain, unpooled", base, pooled=False, loss=loss)
    add("plain, pooled", base, pooled=True, loss=None)
    for rope in ("own", "published"):
        model, loss = learn_attached(base, rope, seed, budget)
        add(attached(rope), model, pooled=True, loss=loss)
    control = copy.deepcopy(base)
    loss = _train(
        control, _Watching(pooled=True), f"pooled {seed}", budget.steps, budget, control.parameters()
    )
    add("plain, pooled, LLM trained", control, pooled=True, loss=loss)
    return results


def learn_plain(seed: int, budget: Budget) -> tuple[Any, float]:
    """A plain model that has learned from unpooled videos, and its loss."""
    torch.manual_seed(seed)
    model = _plain_model()
    watching = _Watching(pooled=False)
    return model, _train(model, watching, f"base {seed}", budget.base_steps, budget, model.parameters())


def learn_attached(base: Any, rope: str, seed: int, budget: Budget) -> tuple[Any, float]:
    """A copy of `base` whose attached slow path has learned from pooled videos, LLM frozen, and its loss."""
    model = copy.deepcopy(base)
    attach_slow_path(
        model,
        layers=_POOLING.layers,
        temporal_stride=_POOLING.temporal_stride,
        spatial_stride=_POOLING.spatial_stride,
        rope=rope,
    )
    freeze_all_but_slow_path(model)
    groups = slow_parameter_groups(model, budget.learning_rate)
    return model, _train(model, _Watching(pooled=True), f"{rope} {seed}", budget.steps, budget, groups)


def _plain_model() -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 256,
            "bos_token_id": None,
            "eos_token_id": None,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 2, 2]},
        },
        vision_config={  # never run
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 1,
            "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [0],
        },
    )
    model = Qwen2_5_VLForConditionalGeneration(config)
    with torch.no_grad():  # transformers' 0.02 is made for width 4096
        for parameter in model.model.language_model.layers.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.7 * parameter.shape[1] ** -0.5)
    return model


@dataclass(frozen=True)
class _Watching:
    """How a model is shown videos: unpooled with one token a frame, or pooled with slow tokens beside."""

    pooled: bool

    def draw(self, count: int, seed: str) -> Videos:
        return draw(count, seed, watched_closely=not self.pooled)

    def logits(self, model: Any, videos: Videos) -> torch.Tensor:
        """Every question about every video: [B * Q, V]."""
        grids = [VideoGrid(tokens) for tokens in videos.tokens]
        shown = [grid.pooled(_POOLING) if self.pooled else grid for grid in grids]
        inside = torch.stack([grid.tokens.flatten(0, 2) for grid in shown])  # [B, F, D]
        count = inside.shape[1]
        asked = torch.tensor([[ASK[kind], END] for kind in KINDS])
        words = model.get_input_embeddings()
        begin = words(torch.tensor([BEGIN])).expand(len(inside) * len(KINDS), 1, -1)
        questions = words(asked).repeat(len(inside), 1, 1)
        embedded = torch.cat([begin, inside.repeat_interleave(len(KINDS), 0), questions], dim=1)
        places = _places(count)
        slow = _slow(model, grids, places, count) if getattr(model, "slow_path", None) else None
        output = model(
            inputs_embeds=embedded,
            position_ids=places[:, None].expand(-1, len(embedded), -1),
            use_cache=False,
            logits_to_keep=1,
            **({} if slow is None else {"slow": slow}),
        )
        logits: torch.Tensor = output.logits[:, 0]
        return logits


def _places(tokens: int) -> torch.Tensor:
    """M-RoPE places [3, L] of begin, video and question: time counts frames, whatever is pooled."""
    times = 1 + torch.arange(tokens) * (FRAMES // tokens)
    after = torch.tensor([FRAMES + 1, FRAMES + 2])
    time = torch.cat([torch.tensor([0]), times, after])
    space = torch.cat([torch.tensor([0]), torch.ones(tokens, dtype=torch.long), after])
    return torch.stack([time, space, space])


def _slow(model: Any, grids: Sequence[VideoGrid], places: torch.Tensor, fast: int) -> SlowContext:
    rotation = None
    if model.slow_path.rope == "own":
        standing = slow_places(places[:, 1 : 1 + fast], (fast, 1, 1), grids[0].grid, model.slow_path)
        rotation = rotation_of(model, standing)
    length = places.shape[1]
    queries = ((0, 1), (1 + fast, length))
    videos = [SlowVideo(grid.tokens.flatten(0, 2), rotation) for grid in grids]
    return SlowContext(videos, [queries] * len(videos), length, keep=False)


def _train(model: Any, watching: _Watching, seed: str, steps: int, budget: Budget, parameters: Any) -> float:
    """Mean loss of the last 50 steps."""
    optimizer = torch.optim.AdamW(parameters, lr=budget.learning_rate, weight_decay=0.0)
    highest = [group["lr"] for group in optimizer.param_groups]
    model.train()
    losses = []
    for step in range(steps):
        for group, rate in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * _schedule(step, steps)
        videos = watching.draw(budget.batch_videos, f"{seed} {step}")
        loss = cross_entropy(watching.logits(model, videos), videos.answers.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    last = losses[-50:]
    return sum(last) / len(last)


def _schedule(step: int, steps: int) -> float:
    """Twenty steps up, and down to a fiftieth over the last half."""
    falling = max(0.02, min(1.0, 2 * (steps - step) / steps))
    return min(1.0, (step + 1) / 20) * falling


@torch.no_grad()
def examine(model: Any, *, pooled: bool, seed: int, count: int = _HELD_OUT) -> dict[str, float]:
    """Accuracy on `count` held-out videos, a share of 1 by kind of question."""
    model.eval()
    watching = _Watching(pooled)
    videos = watching.draw(count, f"held out {seed}")
    chosen = watching.logits(model, videos).argmax(-1).view(-1, len(KINDS))
    right = (chosen == videos.answers).float().mean(0)
    return dict(zip(KINDS, right.tolist(), strict=True))
