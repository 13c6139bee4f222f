"""`--against NAME:FRAMES` takes a number of frames that a video can have."""

from __future__ import annotations

import pytest

from sf_eval.core.errors import UsageError
from sf_eval.profiler.profile import Request, make_profile, subjects_of


@pytest.mark.parametrize("wanted", ["0", "00", "-16", "1.5", "many", "", "²", "٣"])
def test_frames_that_are_no_number_above_0_are_refused(wanted: str) -> None:
    request = Request("mini", against=(f"mini-16f:{wanted}",), trace=False)
    for read in (make_profile, subjects_of):
        with pytest.raises(UsageError, match=r"frames must be a whole number above 0, as in mini-16f:16"):
            read(request)


def test_frames_are_the_ones_given_or_the_cards() -> None:
    request = Request("mini", against=("mini-16f:8", "mini-16f"), trace=False)
    assert [row.frames for row in make_profile(request).against] == [8, 16]
