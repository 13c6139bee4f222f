"""Which worker gets which video, and what becomes of a dead worker's. Knows no Ray and no clock."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from sf_eval.harness.distributed.work import VideoWork
from sf_eval.inference import Failure, FailureKind, Question, QuestionKey

#: A question that so many workers died on is not asked again.
MOST_LOSSES = 3
_LOOK_AHEAD = 4096  # for a video that may be handed out; more are never decoded ahead


@dataclass
class _Held:
    """A video in a worker's hands, and its questions without a result."""

    video: VideoWork
    open: dict[QuestionKey, Question]


@dataclass
class Schedule:
    """Videos wait in order; whoever has room takes the next.

    A worker holds a few at once, so that it decodes ahead and fills its batches, and fewer towards the end,
    so that no worker sits on what an idle one could do. What a dead worker held is asked again by itself, on
    a worker that holds nothing else: whatever kills workers takes no other video's questions along twice.
    What killed by itself is asked again before the next suspect: it is answered, or known for what it is,
    before another can kill.

    Args:
        videos: in the order in which they are handed out.
        workers: how many there are.
        videos_ahead, questions_ahead: a worker is given another video while it holds fewer than either.
    """

    videos: Sequence[VideoWork]
    workers: int
    videos_ahead: int = 2
    questions_ahead: int = 1
    _queue: deque[VideoWork] = field(init=False)
    _suspects: deque[VideoWork] = field(init=False, default_factory=deque)
    _held: dict[int, dict[int, _Held]] = field(init=False, default_factory=dict)
    _alone: set[int] = field(init=False, default_factory=set)
    _losses: Counter[QuestionKey] = field(init=False, default_factory=Counter)
    _in_hands: int = field(init=False, default=0)  # videos; counted, since it is asked often

    def __post_init__(self) -> None:
        self._queue = deque(self.videos)
        self.videos = ()

    @property
    def open_videos(self) -> int:
        """Videos with a question that has no result."""
        return len(self._queue) + len(self._suspects) + self._in_hands

    def holds(self, worker: int) -> int:
        """Videos in the worker's hands."""
        return len(self._held.get(worker, {}))

    def upcoming(self, count: int) -> list[VideoWork]:
        """The next ones that nobody holds, in the order in which they will be handed out."""
        coming = [*self._suspects][:count]
        return coming + [self._queue[place] for place in range(min(count - len(coming), len(self._queue)))]

    def next_for(self, worker: int, ready: set[int] | None = None) -> VideoWork | None:
        """A further video for the worker, which holds it from now on; None where it has enough.

        Args:
            ready: numbers of the videos that may be handed out; None for all.
        """
        held = self._held.setdefault(worker, {})
        if not held:
            self._alone.discard(worker)
        nothing_else = not held and not self._queue
        if self._suspects and (worker in self._alone or not self._alone or nothing_else):
            self._alone.add(worker)  # it takes nothing more until it holds nothing
            if not held and (ready is None or self._suspects[0].number in ready):
                return self._hand(self._suspects.popleft(), worker)
            return None
        if worker in self._alone or not self._queue or not self._has_room(held):
            return None
        if ready is None:
            return self._hand(self._queue.popleft(), worker)
        for place, video in enumerate(islice(self._queue, _LOOK_AHEAD if ready else 0)):
            if video.number in ready:  # a video that takes long to decode keeps nobody waiting
                del self._queue[place]
                return self._hand(video, worker)
        return None

    def answered(self, worker: int, key: QuestionKey) -> bool:
        """Note a result; False if the worker holds no such open question: the result must not count twice."""
        held = self._held.get(worker, {})
        for number, part in held.items():
            if part.open.pop(key, None) is not None:
                if not part.open:
                    del held[number]
                    self._in_hands -= 1
                return True
        return False

    def lost(self, worker: int, cause: str) -> list[Failure]:
        """The worker is dead: what it held is asked again, but for questions that killed too many."""
        failures: list[Failure] = []
        self._alone.discard(worker)
        held = self._held.pop(worker, {})
        self._in_hands -= len(held)
        for part in held.values():
            failures += self._asked_again(part.video, part.open.values(), cause)
        return failures

    def left_suspect(self, cause: str) -> list[Failure]:
        """What workers died on and nobody is left to ask again; it stays open."""
        reason = f"a worker died while it was asked, and none is left to ask it again; the last: {cause}"
        return [_failure(question, reason) for video in self._suspects for question in video.questions]

    def give_up(self, number: int, cause: str) -> list[Failure]:
        """The video cannot be had, whoever asks; it must not have been handed out."""
        for queue in (self._queue, self._suspects):
            for video in queue:
                if video.number == number:
                    queue.remove(video)
                    return [_failure(question, cause) for question in video.questions]
        raise KeyError(number)

    def _asked_again(self, video: VideoWork, questions: Iterable[Question], cause: str) -> list[Failure]:
        questions = list(questions)
        self._losses.update(question.key for question in questions)
        again = tuple(question for question in questions if self._losses[question.key] < MOST_LOSSES)
        if again:
            was_alone = self._losses[again[0].key] > 1  # whatever died once is asked by itself from then on
            put = self._suspects.appendleft if was_alone else self._suspects.append
            put(replace(video, questions=again))
        reason = f"{MOST_LOSSES} workers died while it was asked; the last: {cause}"
        return [_failure(question, reason) for question in questions if question not in again]

    def _hand(self, video: VideoWork, worker: int) -> VideoWork:
        self._in_hands += 1
        self._held[worker][video.number] = _Held(
            video, {question.key: question for question in video.questions}
        )
        return video

    def _has_room(self, held: dict[int, _Held]) -> bool:
        fair = -(-self.open_videos // self.workers)  # of what is left; rounded up, so never 0
        if len(held) >= fair:
            return False
        questions = sum(len(part.open) for part in held.values())
        return len(held) < self.videos_ahead or questions < self.questions_ahead


def _failure(question: Question, reason: str) -> Failure:
    return Failure(question.key, FailureKind.WORKER_LOST, reason)
