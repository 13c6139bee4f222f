"""Under the stock command the environment is read each time it is asked for, until it can be meant."""

from __future__ import annotations

import pytest

from sf_eval.core.errors import UsageError
from sf_eval.lmms import context


@pytest.fixture(autouse=True)
def _no_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "_active", None)
    monkeypatch.setattr(context, "_stock", None)
    monkeypatch.setenv("SF_EVAL_DATA", "mini")


@pytest.mark.parametrize("mode", ["ct", "", "CUT", "whole "])
def test_a_clip_mode_that_means_nothing_is_refused_each_time(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("SF_EVAL_CLIP", mode)
    for _ in range(3):
        with pytest.raises(UsageError, match=r"SF_EVAL_CLIP is .*'whole' or 'cut'"):
            context.current()
    monkeypatch.setenv("SF_EVAL_CLIP", "cut")
    assert context.current().clip_mode == "cut"


def test_data_that_means_nothing_is_refused_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SF_EVAL_DATA", "/no/such/folder")
    for _ in range(2):
        with pytest.raises(UsageError):
            context.current()
    monkeypatch.setenv("SF_EVAL_DATA", "mini")
    monkeypatch.delenv("SF_EVAL_CLIP", raising=False)
    assert context.current().clip_mode == "whole"
