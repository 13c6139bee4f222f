"""How many questions go into a batch, and how many processes decode ahead, where the user does not say."""

from __future__ import annotations

import os

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.inference.device import total_memory
from sf_eval.inference.family import ModelFacts, VideoModel
from sf_eval.profiler.cost.closed_form import Workload
from sf_eval.profiler.cost.memory import kv_cache_bytes, slow_bytes
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.cost.tokens import count_tokens

#: More questions than this gain nothing: their prefill fills the device by then.
MOST = 32
#: Without a GPU, decoding tokens for a few questions at once is what a batch gains.
ON_CPU = 16
_TEXT_TOKENS, _NEW_TOKENS = 400, 32
# Of the memory that the weights leave; the rest is for activations, which the tower's chunks bound.
_SHARE_FOR_CACHES = 0.5
_MOST_DECODERS = 8
#: Where nobody knows what a question takes; the engine halves what does not fit.
UNKNOWN = 4


def automatic_batch_size(model: VideoModel, card: ModelCard) -> int:
    """What `--batch-size auto` means: what fits the device's memory beside the weights, at most `MOST`.

    Every question is counted with a cache of its own, as if no two of a batch were about one video. Where it
    is too many all the same, the engine halves it.
    """
    device = model.device
    if device.type != "cuda":
        return ON_CPU
    per_question = _question_bytes(model.facts, card)
    if per_question is None:
        return UNKNOWN
    free = total_memory(device) - torch.cuda.memory_allocated(device)
    return max(1, min(MOST, int(_SHARE_FOR_CACHES * free / per_question)))


def _question_bytes(facts: ModelFacts, card: ModelCard) -> int | None:
    """Bytes of keys and values that one question takes, slow tokens' included; None where nobody knows."""
    if not facts.closed_form:
        return facts.question_bytes
    shape = ModelShape.from_config(facts.config, slow_path=card.slow_path == "on")
    work = Workload(frames=card.num_frames, text_tokens=_TEXT_TOKENS, new_tokens=_NEW_TOKENS)
    tokens = count_tokens(shape, work.frames)
    width = torch.empty((), dtype=getattr(torch, facts.dtype)).element_size()
    return kv_cache_bytes(shape, tokens, work, width) + slow_bytes(shape, tokens, work, width)


def automatic_decoders(device: torch.device, models: int | None = None) -> int:
    """Decoders beside the model: on the CPU they share the cores with it, a GPU leaves them nearly all.

    Args:
        models: among which this machine's cores are divided; None for what a launcher says (`models_here`).
    """
    cores = _cores() // (models or models_here())
    return max(1, min(_MOST_DECODERS, cores // 2 if device.type == "cpu" else cores - 1))


def models_here() -> int:
    """Processes with a model each among which this machine's cores are divided: a launcher says how many it
    started here (`LOCAL_WORLD_SIZE`)."""
    count = os.environ.get("LOCAL_WORLD_SIZE", "").strip()
    return max(1, int(count)) if count.isdecimal() else 1


def limit_threads(device: torch.device, decoders: int, models: int | None = None) -> None:
    """Leave the decoders and other models their cores: on the CPU, torch takes those that are left, unless
    the user has said how many.

    Two busy pools of threads on the same cores wait for each other far longer than either works.
    """
    if device.type == "cpu" and not os.environ.get("OMP_NUM_THREADS"):
        cores = _cores() // (models or models_here())
        torch.set_num_threads(max(1, min(torch.get_num_threads(), cores - decoders)))


def _cores() -> int:
    """Cores that this process may use: a container or `taskset` may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
