"""`--limit` and `--fail-on-error` mean what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sf_eval.core.cards import load_card
from sf_eval.core.errors import UsageError
from sf_eval.harness.settings import RunSettings, parse_failure_policy, parse_limit


@pytest.mark.parametrize(
    ("text", "total", "count"),
    [
        ("10", 40, 10),
        ("10", 4, 4),
        ("1", 40, 1),
        ("0.5", 40, 20),
        ("0.5", 5, 3),
        ("1.0", 40, 40),
        ("0.001", 40, 1),
    ],
)
def test_a_limit_is_a_count_or_a_fraction_of_each_task(text: str, total: int, count: int) -> None:
    assert parse_limit(text).of(total) == count


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "ten", "", "0.0", "1/0", "nan"])
def test_a_limit_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--limit"):
        parse_limit(text)


@pytest.mark.parametrize(
    ("text", "failed", "total", "exceeded"),
    [
        (None, 40, 40, False),
        ("any", 0, 40, False),
        ("any", 1, 40, True),
        ("2", 2, 40, False),
        ("2", 3, 40, True),
        ("0.1", 4, 40, False),
        ("0.1", 5, 40, True),
    ],
)
def test_a_failure_policy_stops_beyond_what_it_accepts(
    text: str | None, failed: int, total: int, exceeded: bool
) -> None:
    assert parse_failure_policy(text).exceeded(failed, total) is exceeded


@pytest.mark.parametrize("text", ["some", "-1", "1.5"])
def test_a_failure_policy_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on-error"):
        parse_failure_policy(text)


def test_the_command_line_overrides_the_card() -> None:
    card = load_card("slowfast-7b-64f")
    settings = RunSettings(
        model="slowfast-7b-64f", tasks="videomme", data="hub", num_frames=32, slow_path="off",
        published_decoding=True, max_new_tokens=256, revision="abc",
    )  # fmt: skip
    assert settings.card(card) == replace(
        card, num_frames=32, slow_path="off", decode_slow_attention=False, max_new_tokens=256, revision="abc"
    )
    assert RunSettings(model="x", tasks="y", data="z").card(card) == card
