"""The same costs counted by running the real module on the meta device under torch's FlopCounterMode.

On meta no number is computed and no weight is needed; the operations and their shapes are those of any
other device. FlopCounterMode counts attention as the whole square, so a trace is compared with the closed
form under `Convention.FULL`; halving is then arithmetic on one named part.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.profiler.cost.closed_form import (
    Convention,
    DecodeVariant,
    LanguageCost,
    VisionCost,
    Workload,
    cost,
)
from sf_eval.profiler.cost.question import shape_of
from sf_eval.profiler.traced.ops import AVERAGES, OpGuard, TraceError

_VIDEO_TOKEN_ID = -200
_NO_LIMIT = 1 << 24
# Which modules' operations belong to which part of `LanguageCost`; `.*` is where the LLM lies in the model.
_ATTENTION = r".*\.layers\.\d+\.self_attn"
_LANGUAGE_PARTS = {
    "attention_projections": _ATTENTION + r"\.[qkvo]_proj",
    "mlp": r".*\.layers\.\d+\.mlp",
    "logits": r"model\.lm_head",
    "cross_kv_projection": _ATTENTION + r"\.cross_attn_kv_proj",
    "cross_attention": _ATTENTION + r"\.slow_core",
    "cross_gate": _ATTENTION + r"\.cross_attn_gate_proj",
}
_ROTARY = r".*\.rotary_emb"
ROOT = "Run."


@dataclass(frozen=True)
class TracedCost:
    """MACs that FlopCounterMode saw, in the closed form's parts (`Convention.FULL`).

    Attributes:
        decode: all decoding steps that were traced.
        rotary: MACs of the rotary angles where transformers makes them by a matrix product (documented term;
            the closed form leaves them out).
        by_module: MACs of each module that has any, by its name in the model.
    """

    vision: VisionCost
    projector: int
    pooling: int
    prefill: LanguageCost
    decode: LanguageCost
    rotary: int
    by_module: Mapping[str, int]

    @property
    def total(self) -> int:
        """Everything traced, the rotary term included."""
        parts = self.vision.total + self.projector + self.pooling + self.prefill.total + self.decode.total
        return parts + self.rotary


@dataclass(frozen=True)
class Agreement:
    """One part, counted twice.

    Attributes:
        term: what accounts for a difference; "" where there is none.
    """

    part: str
    closed_form: int
    traced: int
    term: str = ""

    @property
    def agrees(self) -> bool:
        return self.closed_form == self.traced or bool(self.term)


def meta_model(config: SlowFastConfig, *, attn: str = "sdpa") -> SlowFastForConditionalGeneration:
    """The model of `config` on meta; limits on the prompt's length are lifted, being no part of the cost."""
    config = SlowFastConfig(**{**config.to_dict(), "max_position_embeddings": _NO_LIMIT})
    config.slow_rope = "published"  # to rotate slow keys takes no product of matrices
    config.tokenizer_model_max_length = None
    config._attn_implementation = attn
    with torch.device("meta"):
        model = SlowFastForConditionalGeneration(config)
    model.eval()
    return model


def trace(
    model: SlowFastForConditionalGeneration,
    work: Workload,
    *,
    decode: DecodeVariant = DecodeVariant.CACHED,
) -> TracedCost:
    """Run `work` through `model` and count: encode each video, prefill, then `new_tokens - 1` decoding steps.

    Raises:
        TraceError: an operation without formula, or one in a module that no part of the closed form covers.
    """
    _check_variant(model, decode)
    run = Run(model)
    with counting(AVERAGES) as vision:
        features = run("encode", work)
    with counting() as prefill:
        cache = run("prefill", work, features)
    with counting() as decoding:
        for _ in range(work.new_tokens - 1):
            run("step", work, features, cache, decode)
    return _assemble(
        module_macs(vision, uncounted=norms_of(run)),
        module_macs(prefill),
        module_macs(decoding),
        len(shape_of(model.config).vision.depths),
    )


def compare(
    model: SlowFastForConditionalGeneration, work: Workload, decode: DecodeVariant
) -> list[Agreement]:
    """Every part in closed form beside its trace, both under `Convention.FULL`.

    Raises:
        TraceError: as in `trace`.
    """
    traced = trace(model, work, decode=decode)
    closed = cost(shape_of(model.config), work, convention=Convention.FULL, decode=decode)
    rows = [Agreement("vision stem", closed.vision.stem, traced.vision.stem)]
    for stage, pair in enumerate(zip(closed.vision.stages, traced.vision.stages, strict=True), start=1):
        rows.append(Agreement(f"vision stage {stage}", *pair))
    rows.append(Agreement("projector", closed.projector, traced.projector))
    rows.append(Agreement("pooling", closed.pooling, traced.pooling))
    rows += _language_rows("prefill", closed.prefill, traced.prefill)
    rows += _language_rows("decode", closed.decode, traced.decode)
    if traced.rotary:
        rows.append(
            Agreement("rotary angles", 0, traced.rotary, term="a product of inner size 1, not counted")
        )
    return rows


class Run(nn.Module):
    """One root above the model, so that FlopCounterMode names modules the same in every stage."""

    def __init__(self, model: SlowFastForConditionalGeneration) -> None:
        super().__init__()
        self.model = model

    def forward(self, stage: str, *args: Any) -> Any:
        with torch.no_grad():
            return getattr(self, f"_{stage}")(*args)

    def _encode(self, work: Workload) -> list[Any]:
        if not work.frames:
            return [None] * work.batch_size
        side = shape_of(self.model.config).vision.image_size
        weight = self.model.lm_head.weight
        frames = torch.empty(work.frames, 3, side, side, device=weight.device, dtype=weight.dtype)
        return [self.model.encode_video(frames, chunk_frames=work.frames) for _ in range(work.batch_size)]

    def _prefill(self, work: Workload, features: list[Any]) -> Any:
        # Ids stay on the CPU: where the placeholder is must be read.
        ids = torch.zeros(work.batch_size, work.text_tokens, dtype=torch.long)
        if work.frames:
            place = torch.full((work.batch_size, 1), _VIDEO_TOKEN_ID)
            ids = torch.cat(
                [ids[:, : work.text_before_video], place, ids[:, work.text_before_video :]], dim=1
            )
        output = self.model(input_ids=ids, video_features=features, use_cache=True, logits_to_keep=1)
        return output.past_key_values

    def _step(self, work: Workload, features: list[Any], cache: Any, decode: DecodeVariant) -> None:
        if decode is DecodeVariant.PUBLISHED and work.frames:
            self.model.new_cache(features)  # what the authors' code does at each step
        ids = torch.zeros(work.batch_size, 1, dtype=torch.long)
        self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)


@contextmanager
def counting(formulas: Mapping[Any, Any] | None = None) -> Iterator[FlopCounterMode]:
    mapping = dict(formulas or {})
    counter = FlopCounterMode(display=False, custom_mapping=mapping)
    with OpGuard(mapping), counter:
        yield counter


def module_macs(
    counter: FlopCounterMode, *, root: str = ROOT, uncounted: Collection[str] = ()
) -> Counter[str]:
    """MACs by module name, `root` left off; "" is everything. A module holds what those below it hold.

    Args:
        uncounted: names of modules whose work counts nothing, neither there nor in what holds them.
    """
    counts: Counter[str] = Counter()
    for name, operations in counter.get_flop_counts().items():
        flops = sum(operations.values())
        assert flops % 2 == 0, name
        if name == "Global":
            counts[""] = flops // 2
        elif name.startswith(root):
            counts[name.removeprefix(root)] = flops // 2
    for name in uncounted:
        macs = counts[name]
        parts = name.split(".")
        for depth in range(len(parts) + 1):
            counts[".".join(parts[:depth])] -= macs
    return counts


def norms_of(module: nn.Module) -> list[str]:
    """Names of the modules that are norms, by what their class is called (every family has its own)."""
    return [name for name, part in module.named_modules() if re.search(r"Norm(2d)?$", type(part).__name__)]


def _assemble(vision: Counter[str], prefill: Counter[str], decode: Counter[str], stages: int) -> TracedCost:
    tower = "model.model.vision_tower.vision_tower."
    tower_cost = VisionCost(
        vision[tower + "stem"], tuple(vision[f"{tower}stages.{stage}"] for stage in range(stages))
    )
    projector = vision["model.model.mm_projector"]
    return TracedCost(
        vision=tower_cost,
        projector=projector,
        # What the vision stage does outside of tower and projector is averaging and nothing else.
        pooling=vision[""] - tower_cost.total - projector,
        prefill=language_cost(prefill),
        decode=language_cost(decode),
        rotary=in_modules(prefill, _ROTARY) + in_modules(decode, _ROTARY),
        by_module={name: macs for name, macs in (vision + prefill + decode).items() if name},
    )


def language_cost(counts: Counter[str]) -> LanguageCost:
    parts = {part: in_modules(counts, pattern) for part, pattern in _LANGUAGE_PARTS.items()}
    # Attention proper runs in `self_attn` itself; its linear layers and the slow path's core are modules
    # below it. The slow tokens' projection is called from outside of it, once per video.
    below = parts["attention_projections"] + parts["cross_attention"] + parts["cross_gate"]
    parts["self_attention"] = in_modules(counts, _ATTENTION) - below
    language = LanguageCost(**parts)
    rest = counts[""] - language.total - in_modules(counts, _ROTARY)
    if rest:
        raise TraceError(f"{rest} MACs of the language model are in no part that the closed form knows.")
    return language


def in_modules(counts: Counter[str], pattern: str) -> int:
    return sum(macs for name, macs in counts.items() if re.fullmatch(pattern, name))


def _language_rows(stage: str, closed: LanguageCost, traced: LanguageCost) -> list[Agreement]:
    return [
        Agreement(
            f"{stage} {item.name.replace('_', ' ')}", getattr(closed, item.name), getattr(traced, item.name)
        )
        for item in fields(LanguageCost)
    ]


def _check_variant(model: SlowFastForConditionalGeneration, decode: DecodeVariant) -> None:
    attends = bool(model.config.decode_slow_attention)
    if attends == (decode is DecodeVariant.WITHOUT):
        raise TraceError(
            f"the variant '{decode.value}' needs a model with decode_slow_attention={not attends}."
        )
