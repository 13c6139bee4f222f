"""What the driver and its workers tell each other: plain data of ours, nothing else goes through Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sf_eval.core.cards import ModelCard
from sf_eval.core.resize import Resize
from sf_eval.harness.distributed.decode_task import DecodeSetup
from sf_eval.inference import Question, Result
from sf_eval.video import Clip

if TYPE_CHECKING:  # it loads torch, which neither scheduling nor decoding needs
    from sf_eval.harness.facts import ModelReport

# Seconds, for what comes first only, never for a report. Decoding 64 frames by seeking: 1.27 s of 5 minutes,
# 1.68 s of 30 minutes (360p). The others are what a GPU's arithmetic takes at least.
_DECODE_S, _DECODE_S_PER_VIDEO_S = 1.2, 0.00027
_VISION_S, _QUESTION_S = 0.3, 0.1
#: Questions without a video are handed out so many at a time.
_WITHOUT_VIDEO = 32


@dataclass(frozen=True)
class VideoWork:
    """All questions about one clip, for one worker.

    Attributes:
        number: which of a run's, from 0, in the order in which they are handed out.
        expected_s: what it is expected to take, in seconds; used for order alone.
        pictures: a handle of its pictures where they are decoded elsewhere, else None.
    """

    number: int
    clip: Clip | None
    questions: tuple[Question, ...]
    expected_s: float
    pictures: Any = None


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker needs to begin; the same for all of a run.

    Attributes:
        batch_size: None for what fits that worker's device.
        models_here: workers among which a machine's cores are divided.
    """

    card: ModelCard
    device: str
    dtype: str
    attn: str
    seed: int
    batch_size: int | None
    share: bool
    decode: DecodeSetup
    models_here: int


@dataclass(frozen=True)
class Place:
    """Where a worker runs: its machine's name and device, the process's id."""

    host: str
    device: str
    pid: int


@dataclass(frozen=True)
class Hello:
    """What a worker tells once its model is loaded.

    Attributes:
        decoders: processes that decode ahead there.
        resize: how the model wants its pictures; None for as they are coded.
    """

    place: Place
    model: ModelReport
    decoders: int
    resize: Resize | None


@dataclass(frozen=True)
class Load:
    """How busy a worker has been since it said hello; seconds and bytes.

    Attributes:
        busy_s: it had questions in hand and was not waiting for a video.
        waited_s: it had questions in hand and waited for a video to be decoded.
        idle_s: it had nothing in hand.
        waiting_s: for how long it has been waiting for a video now; 0 where it is not.
        process_peak, device_peak, device_reserved_peak: memory; None where not measured.
        device_now: memory of the device that is allocated now.
    """

    busy_s: float = 0.0
    waited_s: float = 0.0
    idle_s: float = 0.0
    waiting_s: float = 0.0
    process_peak: int = 0
    device_peak: int | None = None
    device_reserved_peak: int | None = None
    device_now: int | None = None


@dataclass(frozen=True)
class WorkerReport:
    """What a worker has to tell since it told last.

    Attributes:
        log: lines of its log.
        broken: why it cannot go on (its GPU's context is lost, no decoder starts), "" while it can.
    """

    results: tuple[Result, ...] = ()
    load: Load = field(default_factory=Load)
    degraded: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    broken: str = ""


def videos_of(questions: Iterable[Question], duration_of: Callable[[Question], float]) -> list[VideoWork]:
    """The questions by clip, the longest expected first.

    Args:
        duration_of: of a question's clip, in seconds, as far as known.
    """
    members: dict[tuple[Clip | None, str], list[Question]] = {}
    for question in questions:
        members.setdefault((question.clip, question.film), []).append(question)
    parts: list[tuple[float, Clip | None, Sequence[Question]]] = []
    for (clip, _), asked in members.items():
        if clip is None:
            chunks = [asked[start : start + _WITHOUT_VIDEO] for start in range(0, len(asked), _WITHOUT_VIDEO)]
            parts += [(_QUESTION_S * len(chunk), None, chunk) for chunk in chunks]
        else:
            video_s = _DECODE_S + _DECODE_S_PER_VIDEO_S * duration_of(asked[0]) + _VISION_S
            parts.append((video_s + _QUESTION_S * len(asked), clip, asked))
    parts.sort(key=lambda part: -part[0])  # stable: equal ones stay in the order of tasks and rows
    return [
        VideoWork(number, clip, tuple(asked), expected_s)
        for number, (expected_s, clip, asked) in enumerate(parts)
    ]


def differences(seen: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, Any, Any]]:
    """Who differs from what most have: (who, what, has, most have), for the facts by name that each told.

    Where no value has a majority, the first one's counts.
    """
    found = []
    for name in sorted({name for facts in seen.values() for name in facts}):
        values = [facts.get(name) for facts in seen.values()]
        usual = max(values, key=values.count)  # the first of the most frequent
        found += [
            (who, name, facts.get(name), usual) for who, facts in seen.items() if facts.get(name) != usual
        ]
    return found
