"""Questions by clip, each clip with its pictures: what the engine goes through."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from sf_eval.inference.device import is_device_lost
from sf_eval.inference.family import ModelLostError
from sf_eval.inference.question import Question
from sf_eval.video import Clip, Frames, LoaderClosedError, VideoError, WorkerStartError

Pictures = Frames | Exception | None
"""Of a clip; or why it has none, a `VideoError` if that is the file's fault; None without a clip."""


@dataclass(frozen=True)
class Group:
    """Questions about one clip with the same text between its frames, or about none."""

    clip: Clip | None
    questions: tuple[Question, ...]


ShownGroups = Generator[tuple[Group, Pictures] | None, None, None]
"""Groups with their pictures; None says that no further one is at hand now."""


class ClipSource(Protocol):
    """What gives the engine its pictures, resized: `sf_eval.video.ClipPool`."""

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]: ...


def ends_everything(error: Exception) -> bool:
    """Whether every further question would fail alike: no decoder starts, or the model or GPU is lost."""
    return isinstance(error, (WorkerStartError, LoaderClosedError, ModelLostError)) or is_device_lost(error)


def grouped(questions: Iterable[Question], *, share: bool) -> list[Group]:
    """In the order in which clips are first asked about; each question by itself if they do not `share`."""
    if not share:
        return [Group(question.clip, (question,)) for question in questions]
    members: dict[tuple[Clip | None, str], list[Question]] = {}
    for question in questions:
        members.setdefault((question.clip, question.film), []).append(question)
    return [Group(clip, tuple(asked)) for (clip, _), asked in members.items()]


def with_pictures(groups: Sequence[Group], source: ClipSource) -> ShownGroups:
    """Each group with its clip's pictures, decoded ahead, or with the error that they ended in.

    Those without a clip come first. Holds no pictures itself: whoever takes them is the only one.
    """
    yield from ((group, None) for group in groups if group.clip is None)
    left = deque(group for group in groups if group.clip is not None)
    while left:
        try:
            with closing(source.in_order([group.clip for group in left if group.clip])) as clips:
                while left:
                    yield left[0], next(clips)[1]
                    left.popleft()
            return
        except Exception as error:  # no fault of the file: out of memory here, say
            if ends_everything(error):
                raise
            failed = error
        yield left.popleft(), failed


def arriving(
    videos: Iterable[Sequence[Question]], load: Callable[[Clip], Frames], *, share: bool
) -> ShownGroups:
    """As `with_pictures`, for the questions of one video after the other; without any, None."""
    for questions in videos:
        if not questions:
            yield None
        for group in grouped(questions, share=share):
            yield group, _loaded(group.clip, load)


def _loaded(clip: Clip | None, load: Callable[[Clip], Frames]) -> Pictures:
    try:
        return None if clip is None else load(clip)
    except Exception as error:  # the video's own, or as above
        if ends_everything(error):
            raise
        return error
