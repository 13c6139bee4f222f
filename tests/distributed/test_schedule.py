"""Who gets which video, and what becomes of a dead worker's: no Ray needed."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sf_eval.harness.distributed.schedule import MOST_LOSSES, Schedule
from sf_eval.harness.distributed.tally import ranges
from sf_eval.harness.distributed.work import VideoWork, differences, videos_of
from sf_eval.inference import FailureKind, Question, QuestionKey
from sf_eval.video import Clip


def questions(*of_each: int, task: str = "videomme") -> list[Question]:
    """So many about each of several videos, as benchmarks have them: not video by video."""
    each = [
        Question(QuestionKey(task, 100 * video + number), Clip(Path(f"{video}.mp4")), "What?", 16)
        for video, count in enumerate(of_each)
        for number in range(count)
    ]
    random.Random(1).shuffle(each)
    return each


def seconds(question: Question) -> float:
    assert question.clip is not None
    return 100.0 * int(question.clip.path.stem)


def work(*of_each: int) -> list[VideoWork]:
    return videos_of(questions(*of_each), seconds)


def drain(schedule: Schedule, worker: int) -> list[VideoWork]:
    given_now = []
    while video := schedule.next_for(worker):
        given_now.append(video)
    return given_now


def test_a_videos_questions_go_together_the_longest_expected_first() -> None:
    videos = work(1, 3, 2)
    assert [video.clip.path.name for video in videos if video.clip] == ["1.mp4", "2.mp4", "0.mp4"]
    assert [len(video.questions) for video in videos] == [3, 2, 1]
    assert [video.number for video in videos] == [0, 1, 2]
    assert videos[0].expected_s > videos[1].expected_s > videos[2].expected_s


def test_questions_without_a_video_are_handed_out_in_parts() -> None:
    blind = [Question(QuestionKey("videomme", number), None, "What?", 16) for number in range(70)]
    assert [len(part.questions) for part in videos_of(blind, seconds)] == [32, 32, 6]


def test_whoever_is_free_takes_the_next_and_holds_a_few_ahead() -> None:
    schedule = Schedule(work(*[2] * 20), workers=2, videos_ahead=3, questions_ahead=1)
    first, second = drain(schedule, 0), drain(schedule, 1)
    assert [video.number for video in first + second] == [0, 1, 2, 3, 4, 5]
    for question in first[0].questions:
        assert schedule.answered(0, question.key)
    assert [video.number for video in drain(schedule, 0)] == [6]
    assert drain(schedule, 1) == []


def test_a_worker_with_large_batches_holds_enough_questions_to_fill_one() -> None:
    schedule = Schedule(work(*[2] * 100), workers=2, videos_ahead=2, questions_ahead=16)
    assert sum(len(video.questions) for video in drain(schedule, 0)) == 16


def test_towards_the_end_nobody_sits_on_what_another_could_do() -> None:
    schedule = Schedule(work(1, 1, 1, 1), workers=4, videos_ahead=8, questions_ahead=32)
    assert [len(drain(schedule, worker)) for worker in range(4)] == [1, 1, 1, 1]


def test_what_a_dead_worker_held_is_asked_again_alone() -> None:
    schedule = Schedule(work(*[2] * 10), workers=2, videos_ahead=3)
    held = drain(schedule, 0)
    assert schedule.answered(0, held[0].questions[0].key)
    assert schedule.lost(0, "killed") == []
    again = drain(schedule, 0)
    assert [len(again), again[0].number, len(again[0].questions)] == [1, held[0].number, 1]
    assert again[0].questions[0] == held[0].questions[1]
    assert [video.number for video in drain(schedule, 1)] == [3, 4, 5]  # others go on meanwhile


def test_only_what_kills_workers_fails_and_only_after_it_killed_three() -> None:
    videos = work(*[3] * 8)
    poisonous = videos[2].questions[1].key
    schedule = Schedule(videos, workers=2, videos_ahead=4)
    results: list[QuestionKey] = []
    failures = []
    deaths = 0
    while schedule.open_videos:
        for worker in (0, 1):
            given_now = drain(schedule, worker)
            for video in given_now:
                keys = [question.key for question in video.questions]
                if poisonous in keys:
                    deaths += 1
                    failures += schedule.lost(worker, "it was killed")
                    break
                for key in keys:
                    assert schedule.answered(worker, key)
                    results.append(key)
    assert deaths == MOST_LOSSES == 3
    assert {failure.key for failure in failures} == {question.key for question in videos[2].questions}
    assert {failure.kind for failure in failures} == {FailureKind.WORKER_LOST}
    assert "it was killed" in failures[0].reason
    assert Counter(results).most_common(1)[0][1] == 1
    assert len(results) == 7 * 3


@given(st.lists(st.integers(1, 4), min_size=1, max_size=30), st.integers(1, 6), st.integers(0, 10**6))
def test_whatever_dies_each_question_has_one_result(of_each: list[int], workers: int, seed: int) -> None:
    generator = random.Random(seed)
    schedule = Schedule(work(*of_each), workers=workers, videos_ahead=3, questions_ahead=4)
    hands: dict[int, list[QuestionKey]] = {worker: [] for worker in range(workers)}
    results: Counter[QuestionKey] = Counter()
    for _ in range(10_000):
        if not schedule.open_videos:
            break
        worker = generator.randrange(workers)
        hands[worker] += [question.key for video in drain(schedule, worker) for question in video.questions]
        if generator.random() < 0.1:
            results.update(failure.key for failure in schedule.lost(worker, "killed"))
            late, hands[worker] = hands[worker], []
            assert not any(schedule.answered(worker, key) for key in late)  # it cannot speak any more
        elif hands[worker]:
            key = hands[worker].pop(generator.randrange(len(hands[worker])))
            assert schedule.answered(worker, key)
            assert not schedule.answered(worker, key)
            results[key] += 1
    assert schedule.open_videos == 0
    assert set(results.values()) == {1}
    assert len(results) == sum(of_each)


def test_a_video_that_cannot_be_decoded_anywhere_fails_without_a_worker() -> None:
    schedule = Schedule(work(2, 2), workers=1, videos_ahead=1)
    (next_one, *_) = schedule.upcoming(5)
    failures = schedule.give_up(next_one.number, "the processes that decoded it died")
    assert [failure.kind for failure in failures] == [FailureKind.WORKER_LOST] * 2
    assert schedule.open_videos == 1


def test_what_is_not_decoded_yet_is_not_handed_out() -> None:
    schedule = Schedule(work(1, 1, 1), workers=1, videos_ahead=3)
    assert schedule.next_for(0, set()) is None
    assert schedule.next_for(0, {0}) is not None
    later = schedule.next_for(0, {2})  # what takes long to decode keeps nobody waiting
    assert later is not None
    assert later.number == 2
    assert [video.number for video in schedule.upcoming(5)] == [1]


def test_the_one_that_differs_is_named() -> None:
    seen = {
        "worker 0 on a": {"torch": "2.9", "weights": "x"},
        "worker 1 on b": {"torch": "2.8", "weights": "x"},
        "worker 2 on a": {"torch": "2.9", "weights": "x"},
    }
    assert differences(seen) == [("worker 1 on b", "torch", "2.8", "2.9")]
    assert differences({"one": {"torch": "2.9"}, "two": {}}) == [("two", "torch", None, "2.9")]


def test_rows_are_told_as_unbroken_rows_of_them() -> None:
    assert ranges([7, 3, 4, 5, 9, 10]) == [(3, 5), (7, 7), (9, 10)]
