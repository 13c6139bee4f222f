"""The page in a real browser, opened from a file."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sf_eval.harness.looking.record import read_looks
from sf_eval.report.view.serve import server

pytestmark = pytest.mark.usefixtures("no_complaints")

DOWN, UP, LEFT, RIGHT, ESCAPE = "\ue015", "\ue013", "\ue012", "\ue014", "\ue00c"
QUESTION = "#/q/videomme/002-4"


def choose(browser, title: str, value: str) -> None:
    """Choose from one of the menus above the list."""
    browser.driver.execute_script(
        """const menu = document.querySelector(`select[title="${arguments[0]}"]`);
        menu.value = arguments[1];
        menu.dispatchEvent(new Event("change"));""",
        title,
        value,
    )


def test_a_question_can_be_linked_and_shows_frames_answers_and_the_rule(browser, page: Path) -> None:
    browser.open(page, QUESTION)
    browser.until("document.querySelectorAll('.film .frame').length === 16")
    assert browser.texts(".options li.right .letter") == ["C"]
    assert browser.texts(".options li.right .tag") == ["✓ right", "run"]
    assert browser.texts(".said blockquote") == ["C"]
    assert "lone letter" in browser.texts(".said .read")[0]
    sprite = browser.js("getComputedStyle(document.querySelector('.film .tile')).backgroundImage")
    assert sprite.startswith('url("file:')
    assert (
        browser.js("document.querySelector('.row[aria-selected=true] .id').textContent") == "videomme/002-4"
    )


def test_the_picture_of_the_frames_can_be_loaded(browser, page: Path) -> None:
    browser.open(page, QUESTION)
    browser.until("document.querySelectorAll('.film .frame').length === 16")
    size = browser.driver.execute_async_script(
        """const done = arguments[0], image = new Image();
        image.onload = () => done([image.naturalWidth, image.naturalHeight]);
        image.onerror = () => done(null);
        image.src = /"(.*)"/.exec(document.querySelector('.film .tile').style.backgroundImage)[1];"""
    )
    assert size == [16 * 96, 96]


def test_the_heat_peaks_where_the_look_does_and_opens_that_frame(
    browser, page: Path, finished_run: Path
) -> None:
    (look,) = (look for look in read_looks(finished_run) if look.record.question_id == "002-4")
    peak = int(look.shares("question").argmax())
    browser.open(page, QUESTION)
    browser.until("document.querySelector('.frame.chosen')")
    bars = "[...document.querySelectorAll('svg.heat .share, svg.heat .peak')]"
    heights = browser.js(f"{bars}.map(bar => +bar.getAttribute('height'))")
    assert heights.index(max(heights)) == peak
    chosen = "[...document.querySelectorAll('.frame')].findIndex(one => one.classList.contains('chosen'))"
    assert browser.js(chosen) == peak
    browser.press(LEFT)
    assert browser.texts(".large dd")[0].startswith(f"{peak} of 16")


def test_the_keyboard_alone_goes_through_the_questions_and_searches(browser, page: Path) -> None:
    browser.open(page, "#/questions")
    browser.press(DOWN)
    browser.until("location.hash === '#/q/videomme/001-1'")
    browser.press(DOWN, DOWN, UP)
    browser.until("location.hash === '#/q/videomme/001-2'")
    browser.press("/", *"disc lights")
    browser.until("/^1? ?[0-9]+ of 15/.test(document.getElementById('found').textContent)")
    browser.press(ESCAPE, DOWN)
    browser.until("/disc/i.test(document.querySelector('.asked h2')?.textContent || '')")


def test_filters_leave_what_they_name(browser, page: Path) -> None:
    browser.open(page, "#/questions")
    choose(browser, "Looked at", "1")
    assert browser.texts("#found") == ["5 of 15 questions"]
    looked = [f"videomme/{name}" for name in ("001-4", "001-5", "002-4", "003-4", "003-5")]
    assert browser.texts(".row .id") == looked
    choose(browser, "Looked at", "")
    assert browser.texts("#found") == ["15 questions"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone_in_light_and_dark(browser, page: Path, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    for address in ("#/", "#/questions", QUESTION):
        browser.open(page, address, width=360)
        assert browser.js("document.documentElement.scrollWidth") == 360
        assert browser.js("document.getElementById('main').scrollWidth <= 360")
    background = browser.js("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) > 600) is (scheme == "light")


def test_thousands_of_rows_are_not_all_in_the_document_and_the_last_is_reached(
    browser, hostile_page: Path
) -> None:
    browser.open(hostile_page, "#/questions")
    assert browser.texts("#found") == ["4,500 questions"]
    assert browser.js("document.querySelectorAll('.row').length") < 60
    browser.js("document.getElementById('list').focus()")
    browser.press("\ue010")  # End
    browser.until("document.querySelector('.row[aria-selected=true] .id')?.textContent === 'videomme/q-4499'")
    browser.until("/number 4499/.test(document.querySelector('.said blockquote')?.textContent || '')")


def test_disagreement_and_failures_can_be_filtered(browser, hostile_page: Path) -> None:
    browser.open(hostile_page, "#/questions")
    for title, value, held in (
        ("Agreement", "first", "marks => marks[0] === '✓' && marks[1] === '✗'"),
        ("Agreement", "others", "marks => marks[0] === '✗' && marks[1] === '✓'"),
        ("Agreement", "none", "marks => marks.includes('✗') && !marks.includes('✓')"),
        ("Agreement", "all", "marks => marks.includes('✓') && !marks.includes('✗')"),
        ("Outcome", "1:failed", "marks => marks[1] === '!'"),
    ):
        choose(browser, title, value)
        assert browser.js("document.querySelectorAll('.row').length") > 5
        assert browser.js(
            "[...document.querySelectorAll('.row')].map((row) => [...row.querySelectorAll('.mark')]"
            f".map((mark) => mark.textContent)).every({held})"
        )


@pytest.mark.parametrize("row", range(5))
def test_no_text_is_ever_run_or_hides_what_follows(browser, hostile_page: Path, row: int) -> None:
    browser.open(hostile_page, "#/questions")
    for _ in range(row + 1):
        browser.press(DOWN)
    browser.until(f"/%2F{row}$/.test(location.hash)")
    browser.until("document.querySelector('.said blockquote')")
    browser.open(hostile_page, browser.js("location.hash"))  # its link, too
    browser.until("document.querySelector('.said blockquote')")
    assert browser.js("document.title") != "owned"
    assert (
        browser.js("document.querySelectorAll('article img, article b b, article script, i i').length") == 0
    )
    said = browser.texts(".said blockquote")[0]
    assert ("<script>" in said) is (row == 0)
    if row == 1:
        assert "⟨U+202E⟩" in said
        assert "\u202e" not in said
    if row == 4:
        assert len(said) < 25_000
        assert "characters are left out here" in said


def test_it_is_served_on_the_loopback_alone(browser, page: Path) -> None:
    with server(page.parent) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        assert serving.server_address[0] == "127.0.0.1"
        address = f"http://127.0.0.1:{serving.server_port}/"
        with urlopen(address) as answer:
            assert b"Content-Security-Policy" in answer.read()
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        with pytest.raises(HTTPError, match="403"):
            urlopen(Request(address, headers={"Host": f"elsewhere.example:{serving.server_port}"}))
        browser.driver.get(address + QUESTION)
        browser.until("document.querySelectorAll('.film .frame').length === 16")
        serving.shutdown()
