"""How much of their text the prompts about a video share."""

from __future__ import annotations

from sf_eval.inference.shared_text import shared_lengths

INSTRUCTION, SUBTITLES = list(range(100, 124)), list(range(1000, 1400))


def asked(number: int, *before: int) -> list[int]:
    return [*before, 7, number, number + 1, 5]


def test_one_prompt_shares_nothing() -> None:
    assert shared_lengths([asked(1, *INSTRUCTION)], 50) == [0]


def test_prompts_share_what_all_of_them_begin_with() -> None:
    assert shared_lengths([asked(one, *INSTRUCTION) for one in range(3)], 50) == [24, 24, 24]


def test_words_that_two_questions_begin_with_by_chance_change_no_length() -> None:
    """Prefixes of several videos are prefilled together where they have one length."""
    by_chance = [asked(1, *INSTRUCTION, 8, 9), asked(2, *INSTRUCTION, 8, 9)]
    assert shared_lengths(by_chance, 50) == [24, 24]


def test_something_is_left_to_ask_where_all_ask_the_same() -> None:
    assert shared_lengths([INSTRUCTION] * 4, 50) == [16] * 4
    assert shared_lengths([INSTRUCTION, []], 50) == [0, 0]


def test_subtitles_get_a_prefix_of_their_own_beside_prompts_without() -> None:
    plain = [asked(one, *INSTRUCTION) for one in range(3)]
    subtitled = [asked(one, *SUBTITLES) for one in range(3)]
    mixed = [plain[0], subtitled[0], *plain[1:], *subtitled[1:]]
    assert shared_lengths(mixed, 300) == [24, 400, 24, 24, 400, 400]
    assert shared_lengths(subtitled, 300) == [400] * 3


def test_not_where_reading_the_video_once_more_costs_more_than_it_saves() -> None:
    plain, subtitled = [asked(1, *INSTRUCTION)], [asked(one, *SUBTITLES) for one in range(3)]
    assert shared_lengths([*plain, *subtitled], 900) == [0] * 4
    short = [asked(one, *SUBTITLES[:40]) for one in range(3)]
    assert shared_lengths([*plain, *short], 20) == [0] * 4, "a pass takes its time, however short"
