"""The first videos are decoded while torch is imported and the weights are read.

Importing this imports no torch. Whatever is decoded here is a guess of what the run will ask first: the run
takes the decoders over only if they decode as it wants (`sf_eval.harness.opening`), and errors are left to
its plan, which finds them again and tells them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sf_eval.benchmarks import catalog
from sf_eval.core.cards import SLOW_FAST, ModelCard, card_for
from sf_eval.core.config_defaults import CONVNEXT, named_image_size
from sf_eval.core.cores import decoders_beside, usable_cores
from sf_eval.core.paths import packaged
from sf_eval.core.resize import Resize
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import edition_of, open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions.cache import is_rendered
from sf_eval.harness.decoding.clip_pool import clip_pool
from sf_eval.harness.questions import clip_of
from sf_eval.harness.settings import RunSettings
from sf_eval.inference.family import plain_rule
from sf_eval.video import Clip, ClipPool, SamplingRule

logger = logging.getLogger(__name__)

_FIRST_CLIPS = 64  # fewer fit into the pool's room, or are done by the time the model is


@dataclass(frozen=True)
class Ahead:
    """What was begun before the plan.

    Attributes:
        opened: the benchmarks whose annotations were read, by name; `make_plan` need not read them again.
        pool: decodes the first clips; None where nothing could be begun.
    """

    opened: dict[str, OpenBenchmark]
    pool: ClipPool | None = None


@contextmanager
def decoding_ahead(settings: RunSettings) -> Iterator[Ahead]:
    """Begin with the first clips of a new run on local data; whatever runs is ended with the block."""
    opened: dict[str, OpenBenchmark] = {}
    pool: ClipPool | None = None
    try:
        if _is_new_and_here(settings):
            pool = _begin(settings, opened)
    except Exception as error:  # a guess ends no run: the plan meets the same, and says it
        logger.debug("nothing is decoded ahead: %s", error)
    try:
        yield Ahead(opened, pool)
    finally:
        if pool is not None:
            pool.close()


def _is_new_and_here(settings: RunSettings) -> bool:
    begins_now = settings.output is None or not settings.output.exists()
    decodes_here = settings.workers is None and settings.decoders != 0
    shows_its_own = settings.conditions.control is None
    return begins_now and decodes_here and shows_its_own and settings.data != "hub"


def _begin(settings: RunSettings, opened: dict[str, OpenBenchmark]) -> ClipPool | None:
    card = settings.card(card_for(settings.model))
    shown = _as_shown(card)
    if shown is None:
        return None
    source = parse_source(settings.data, settings.data_revision)
    clips: dict[Clip, None] = {}
    for benchmark in catalog.resolve_tasks(settings.tasks):
        if source.kind == "mini" and not is_rendered(edition_of(benchmark)):
            return None
        opened[benchmark.name] = open_benchmark(benchmark, source, fetch_media=settings.fetch_media)
        clips.update(dict.fromkeys(_clips(opened[benchmark.name], settings)))
        if len(clips) >= _FIRST_CLIPS:
            break
    if not clips:
        return None
    rule, resize = shown
    decoders = settings.decoders or decoders_beside("cpu", usable_cores())  # a GPU's run starts more
    pool = clip_pool(settings, rule, resize, decoders=decoders)
    pool.prefetch(islice(clips, _FIRST_CLIPS))
    return pool


def _clips(opened: OpenBenchmark, settings: RunSettings) -> Iterator[Clip]:
    """The clips of the first questions, as far as the files are there."""
    count = settings.count_of(len(opened.documents))
    for document in opened.documents[: min(count, 4 * _FIRST_CLIPS)]:
        clip = clip_of(opened, document, clip_mode=settings.clip)
        if clip.path.exists():
            yield clip


def _as_shown(card: ModelCard) -> tuple[SamplingRule, Resize] | None:
    """Which frames of a clip the model is shown, and how large; None where only its family can tell."""
    if card.family != SLOW_FAST or card.sampling == "family" or card.options.get("resize") == "device":
        return None
    config = dict(card.config)
    directory = packaged(card.weights) or Path(card.weights).expanduser()
    if (directory / "config.json").is_file():
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    elif not config:
        return None
    side = named_image_size(config.get("vision_config") or {}, config.get("mm_vision_tower"))
    return plain_rule(card), Resize(CONVNEXT["image_size"] if side is None else side)
