"""Tables and lines on a terminal of any width: nothing lost, nothing obeyed."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from sf_eval.cli.actions.progress import RunProgress
from sf_eval.core.tables import Table, print_table, to_csv, to_markdown
from sf_eval.core.text import printable
from sf_eval.inference import Failure, FailureKind
from sf_eval.model.checkpoint import check_loaded
from sf_eval.scoring.intervals import interval95
from sf_eval.scoring.outcome import Outcome

HOSTILE = "\x1b]0;pwned\x07a\x9b31mb\u202ec\rd\ne\ud800[bold]f"


def shown(table: Table, width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    print_table(console, table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def is_harmless(text: str) -> bool:
    return not any(
        character != "\n" and (unicodedata.category(character) in ("Cc", "Cs") or character == "\u202e")
        for character in text
    )


@given(
    st.lists(st.tuples(*[st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))] * 2))
)
@example([("x\ry", "\r\n"), ('"', ",\n")])
@settings(max_examples=60, deadline=None)
def test_a_reader_gets_back_every_cell_of_a_csv(rows: list[tuple[str, str]]) -> None:
    text = to_csv(("a", "b"), [{"a": first, "b": second} for first, second in rows])
    assert [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))] == [("a", "b"), *rows]
    assert text.endswith("\n")
    assert text.startswith("a,b\n")


NUMBERS = st.sampled_from(("100.0", "[12.3, 45.6]", "2.004 T", "–", "1,234,567", "-0.5", "138.9"))
WORDS = st.text("abcdefgh-_/.0123456789äß", min_size=1, max_size=32)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 12))
    numeric = [False, *(draw(st.booleans()) for _ in range(count - 1))]
    columns = tuple(f"{draw(SENTENCES)} {index}" for index in range(count))
    kinds = [NUMBERS if is_number else SENTENCES for is_number in numeric]
    rows = draw(st.lists(st.tuples(*kinds), max_size=4))
    named = frozenset(name for name, is_number in zip(columns, numeric, strict=True) if is_number)
    return Table("title", columns, tuple(rows), named)


@given(tables(), st.integers(60, 200))
@settings(max_examples=60, deadline=None)
def test_every_word_and_number_is_shown_whole_at_any_width(table: Table, width: int) -> None:
    text = shown(table, width)
    words = set(text.split())
    for cell in (*table.columns, *(cell for row in table.rows for cell in row)):
        assert set(cell.split()) <= words
    # A line goes past the edge only where two columns cannot stand beside each other.
    longest = max(
        len(word) for column in (table.columns, *table.rows) for cell in column for word in cell.split()
    )
    assert max(map(len, text.splitlines())) <= max(width, 1 + 3 * (longest + 2))
    numbers = [
        row[index] for row in table.rows for index, name in enumerate(table.columns) if name in table.numeric
    ]
    assert all(number in text for number in numbers)


WIDE = Table(
    "wide",
    ("benchmark", *(f"measured column {index}" for index in range(12))),
    (("mvbench_action_count", *(f"[{index}0.0, 100.0]" for index in range(12))),),
    frozenset(f"measured column {index}" for index in range(12)),
    ("A note.",),
)


def test_a_table_too_wide_is_several_with_the_first_column_repeated() -> None:
    text = shown(WIDE, 80)
    pieces = [line for line in text.splitlines() if "mvbench_action_count" in line]
    assert len(pieces) == 4  # three columns of 13 fit beside the first in each
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("wide") == text.count("A note.") == 1
    assert shown(WIDE, 250).count("mvbench_action_count") == 1


def test_rows_that_share_their_first_cell_are_told_apart_in_every_piece() -> None:
    columns = ("model", "frames", *(f"column {index}" for index in range(9)))
    rows = tuple(("slowfast-7b", frames, *["[10.0, 100.0]"] * 9) for frames in ("64", "128"))
    text = shown(Table("t", columns, rows, frozenset(columns[1:])), 80)
    assert text.count(" 64 ") == text.count("128 ") == text.count("model") > 1


def test_a_checkpoint_name_wider_than_half_the_terminal_wraps_after_its_separators() -> None:
    name = "slow-fast-video-mllm-qwen2-7b-convnext-576-frame64-s1t4"
    columns = ("model", *(f"column {index}" for index in range(5)))
    text = shown(Table("t", columns, ((name, *["138.9"] * 5),), frozenset(columns[1:])), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "".join(re.findall(r"^ (\S*(?:-|s1t4))(?:\s|$)", text, re.MULTILINE)) == name


def test_wide_characters_count_as_two_cells() -> None:
    text = shown(Table("t", ("name", "n"), (("視頻", "1"), ("ab", "2")), frozenset({"n"})), 80)
    assert " 視頻  1\n ab    2\n" in text


def test_nothing_in_a_table_controls_the_terminal() -> None:
    table = Table(HOSTILE, ("name", HOSTILE), ((HOSTILE, "[red]1"),), notes=(HOSTILE,))
    for text in (shown(table, 80), to_markdown(table)):
        assert is_harmless(text)
        assert "[bold]f" in text
        assert "[red]1" in text
        assert "x1b]0;pwned" in text


@pytest.mark.parametrize("kept", ["Prüfung 視頻 👩‍👩‍👧 é – ≤", "C:\\x1b", "[bold]", ""])
def test_ordinary_text_stays_as_it_is(kept: str) -> None:
    assert printable(kept) == kept


@given(st.text())
@settings(max_examples=60, deadline=None)
def test_any_text_becomes_one_harmless_line(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1
    assert is_harmless(printable(text))


def test_keys_of_a_checkpoint_are_harmless_in_the_message() -> None:
    info = {"missing_keys": [HOSTILE], "unexpected_keys": ["b\nc"], "mismatched_keys": [], "error_msgs": []}
    with pytest.raises(Exception, match="unexpected: b c") as raised:
        check_loaded("somewhere", info)  # type: ignore[arg-type]
    assert is_harmless(str(raised.value))
    assert len(str(raised.value).splitlines()) == 1


def test_progress_shows_rate_and_time_left_of_questions_only() -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=True, color_system=None)
    progress = RunProgress(console)
    with progress.shown():
        progress.rendering("rendering", 3, 4)
        progress._progress.refresh()
        progress.begin(78, waiting_s=lambda: 0.0)
        progress.result(
            Failure("old", FailureKind.TIMEOUT, HOSTILE), resumed=True, outcome=Outcome.timeout, video="a"
        )
        progress._progress.refresh()
        before = console.file.getvalue()  # type: ignore[attr-defined]
        progress.result(
            Failure("new", FailureKind.TIMEOUT, "slow"), resumed=False, outcome=Outcome.timeout, video="a"
        )
        progress._progress.refresh()
        after = console.file.getvalue()[len(before) :]  # type: ignore[attr-defined]
        progress.stage(HOSTILE)
    assert "3/4" in before
    assert re.search(r"\b1/78\b", before)
    assert "left" not in before
    assert re.search(r"\b2/78  [\d.]+/s  \d:\d\d:\d\d left", after)
    whole = console.file.getvalue()  # type: ignore[attr-defined]
    assert "\x1b]0;" not in whole
    assert "\x9b" not in whole
    assert "\\x1b]0;pwned" in before


def bar_after(outcomes: list[Outcome], *, waiting_s: float = 0.0) -> str:
    """The bar as it stands on a terminal of 80 columns after these results of 78 questions."""
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    progress = RunProgress(console)
    with progress.shown():
        progress.begin(78, waiting_s=lambda: waiting_s)
        for number, outcome in enumerate(outcomes):
            result = Failure(str(number), FailureKind.TIMEOUT, "slow")
            progress.result(result, resumed=False, outcome=outcome, video=f"video {number // 2}")
        progress._progress.refresh()
        shown = console.file.getvalue()  # type: ignore[attr-defined]
    return re.split(r"[\r\n]|\x1b\[2K", shown)[-1]


def test_progress_shows_the_accuracy_so_far_and_what_failed() -> None:
    outcomes = [
        Outcome.correct,
        Outcome.correct,
        Outcome.wrong,
        Outcome.unjudged,
        Outcome.no_answer,
        Outcome.timeout,
    ]
    bar = bar_after(outcomes)
    assert re.search(r"\b6/78  .*left 50% \[0, 100\] of 4 right, 1 failed", bar)
    assert "waiting" not in bar
    assert "right" not in bar_after([Outcome.unjudged])
    assert "failed" not in bar_after([Outcome.wrong])


def test_progress_says_that_videos_are_waited_for() -> None:
    bar = bar_after([Outcome.correct], waiting_s=3.0)
    assert "waiting for videos" in bar
    assert "left" not in bar
    assert "100% of 1 right" in bar
    assert "waiting" not in bar_after([Outcome.correct] * 78, waiting_s=3.0)


def test_the_interval_beside_the_accuracy_so_far_is_that_of_the_record() -> None:
    """Two questions a video, as `scoring.intervals` has it."""
    outcomes = [Outcome.correct] * 20 + [Outcome.wrong] * 5 + [Outcome.correct] * 5
    observed = [(f"video {number // 2}", each is Outcome.correct) for number, each in enumerate(outcomes)]
    low, high = interval95([observed]) or (0, 0)
    assert f"83% [{100 * low:.0f}, {100 * high:.0f}] of 30 right" in bar_after(outcomes)
