"""`doctor --workers` where a worker tells nothing, or has no such device: a failed check, not an end."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason='Ray is not installed: pip install "sf-eval[ray]"')
from ray import exceptions

from sf_eval.data.source import parse_source
from sf_eval.harness.distributed.survey import Wanted, _look, _one, _seen


def test_a_machine_without_the_device_is_a_failed_check() -> None:
    sight = _look(Wanted((), parse_source("mini"), None, "cuda:99", 60.0))
    assert "device" in sight.trouble
    check = _one(3, sight)
    assert check.status == "failure"
    assert check.detail == "worker 3: cuda:99, no such device"


def test_a_worker_that_tells_nothing_is_a_failed_check_and_the_others_are_asked_all_the_same() -> None:
    seen_well = _look(Wanted((), parse_source("mini"), None, "cpu", 60.0))
    outcomes: list[Any] = [
        exceptions.RayTaskError("_look", "Traceback", KeyError("weights")),
        exceptions.GetTimeoutError("too long"),
        exceptions.WorkerCrashedError(),
        seen_well,
    ]

    def get(outcome: Any, timeout: float) -> Any:
        assert timeout > 0
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    seen = _seen(SimpleNamespace(get=get, exceptions=exceptions), outcomes, time.monotonic() + 60)
    checks = [_one(number, sight) for number, sight in enumerate(seen)]
    assert [check.status for check in checks] == ["failure", "failure", "failure", "ok"]
    assert checks[0].detail == "worker 0: KeyError: 'weights'"
    assert "has not answered within" in checks[1].detail
