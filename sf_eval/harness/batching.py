"""How many questions go into a batch where the user does not say."""

from __future__ import annotations

from dataclasses import replace

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.inference.chunks import CHUNK_FRAMES, frames_at_once
from sf_eval.inference.device import total_memory
from sf_eval.inference.family import ModelSize, VideoModel
from sf_eval.profiler.cost.family_memory import family_forecast
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.profiler.cost.memory import MemoryForecast, Serving, forecast
from sf_eval.profiler.cost.shape import ModelShape

#: More questions than this gain nothing: their prefill fills the device by then.
MOST = 32
#: Without a GPU, decoding tokens for a few questions at once is what a batch gains.
ON_CPU = 16
_TEXT_TOKENS, _NEW_TOKENS = 400, 32
# Of the device's memory: what a forecast may take. The rest is for its error, the context, and fragments.
_USABLE = 0.85
# Where there is no forecast: of what the weights leave; the rest is for activations.
_SHARE_FOR_CACHES = 0.5
#: Where nobody knows what a question takes; the engine halves what does not fit.
UNKNOWN = 4


def automatic_batch_size(model: VideoModel, card: ModelCard, *, share: bool = True) -> int:
    """What `--batch-size auto` means: what the memory forecast fits into the device, at most `MOST`.

    Every question is counted with a video of its own. Where it is too many all the same, the engine halves
    it. Of a model without a closed form the keys and values are fitted into half of what the weights leave;
    where those are not known either, it is `UNKNOWN`.
    """
    facts = model.facts
    if facts.size.config is not None:
        width = value_bytes(getattr(torch, facts.dtype))
        fitting = fitting_batch_size(facts.size, card, model.device, width, share=share)
        if fitting is not None:
            return fitting
    if model.device.type != "cuda":
        return ON_CPU
    if facts.question_bytes is None:
        return UNKNOWN
    free = total_memory(model.device) - torch.cuda.memory_allocated(model.device)
    return max(1, min(MOST, int(_SHARE_FOR_CACHES * free / facts.question_bytes)))


def fitting_batch_size(
    size: ModelSize, card: ModelCard, device: torch.device, width: int, *, share: bool = True
) -> int | None:
    """The most questions a batch whose forecast fits the device; 1 where not even that does, None where there
    is no forecast.

    Args:
        width: bytes of one of the model's values.
    """
    most, room = ON_CPU if device.type == "cpu" else MOST, _USABLE * total_memory(device)
    for batch_size in range(most, 1, -1):
        foresight = foreseen(size, card, batch_size, width, device.type, share=share)
        if foresight is None:
            return None
        if foresight.peak <= room:
            return batch_size
    return 1


def foreseen(
    size: ModelSize,
    card: ModelCard,
    batch_size: int,
    width: int,
    device_type: str,
    *,
    share: bool = True,
    questions_per_video: int = 1,
) -> MemoryForecast | None:
    """The memory of a run in closed form, for prompts of some hundred tokens and answers of a few words, and
    for the longest videos, of pictures of 720p where those are not resized before; None where there is none.
    """
    if size.config is None or size.parameters is None:
        return None
    serving = Serving(
        frames=card.num_frames,
        batch_size=batch_size,
        chunk_frames=CHUNK_FRAMES,
        text_tokens=_TEXT_TOKENS,
        new_tokens=_NEW_TOKENS,
        share=share,
        questions_per_video=questions_per_video,
        value_bytes=width,
    )
    if size.largest_video is not None:
        family = family_model(size.config)
        if family is None:
            return None
        return family_forecast(
            family, size.parameters, size.largest_video, serving, cpu_resizes_bytes=device_type == "cpu"
        )
    shape = ModelShape.from_config(size.config, slow_path=card.slow_path == "on")
    chunk = frames_at_once(shape.vision.image_size, device_type)
    return forecast(shape, size.parameters, replace(serving, chunk_frames=chunk))


def value_bytes(dtype: torch.dtype) -> int:
    """Bytes of one value."""
    return torch.empty((), dtype=dtype).element_size()
