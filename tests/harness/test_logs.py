"""The run's log takes what others write, and leaves the process's own log sinks as they were."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import loguru
import pytest

from sf_eval.harness.logs import logging_to


@pytest.fixture
def seen() -> Iterator[list[str]]:
    """What a sink of the user's process is sent."""
    messages: list[str] = []
    number = loguru.logger.add(lambda message: messages.append(message.record["message"]))
    yield messages
    loguru.logger.remove(number)  # raises if somebody else removed it


def test_a_sink_of_the_process_outlives_a_run(tmp_path: Path, seen: list[str]) -> None:
    with logging_to(tmp_path / "run.log"):
        loguru.logger.info("inside")
    loguru.logger.info("after")
    assert seen == ["inside", "after"]


def test_what_lmms_eval_sets_up_in_a_run_takes_no_sink_away(tmp_path: Path, seen: list[str]) -> None:
    """It removes every sink and adds one on sys.stderr, each time it evaluates."""
    for number in range(2):
        with logging_to(tmp_path / "run.log"):
            for _ in range(2):
                loguru.logger.remove()
                loguru.logger.add(sys.stderr, format="{message}")
            loguru.logger.info(f"line {number}")
        loguru.logger.info("after")
    log = (tmp_path / "run.log").read_text().splitlines()
    assert log == ["line 0", "line 1"]  # once each: a sink of the block ends with it, or with remove()
    assert seen == ["line 0", "after", "line 1", "after"]


def test_a_block_that_raises_leaves_everything_as_it_was(tmp_path: Path, seen: list[str]) -> None:
    remove, handlers = loguru.logger.remove, logging.getLogger().handlers[:]
    with suppress(ZeroDivisionError), logging_to(tmp_path / "run.log"):
        loguru.logger.remove()
        raise ZeroDivisionError
    loguru.logger.info("after")
    assert seen == ["after"]
    assert loguru.logger.remove == remove
    assert logging.getLogger().handlers == handlers


def test_a_sink_may_still_be_removed_by_its_number(tmp_path: Path) -> None:
    number = loguru.logger.add(lambda _: None)
    with logging_to(tmp_path / "run.log"):
        loguru.logger.remove(number)
    with pytest.raises(ValueError, match="no existing handler"):
        loguru.logger.remove(number)
