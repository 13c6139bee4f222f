"""Subtitles are read as a person would read them, or refused with the file and the line."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.subtitles import lines_at, read_srt, words_of
from sf_eval.core.errors import DataError

TWO = "1\n00:00:00,000 --> 00:00:01,000\n{}\n\n2\n00:00:01,000 --> 00:00:02,000\nbeta\n"


def shown(folder: Path, data: bytes | str, times_s: tuple[float, ...] = (0.5, 1.5, 2.5)) -> list[str]:
    path = folder / "a.srt"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return lines_at(read_srt(path), times_s, source=path.name)


def refused(folder: Path, data: bytes | str) -> str:
    with pytest.raises(DataError) as error:
        shown(folder, data)
    assert str(folder / "a.srt") in error.value.message
    return error.value.message


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-16-be with mark", "utf-32-be with mark"])
def test_unicode_is_read_in_every_form_and_with_every_end_of_line(
    tmp_path: Path, encoding: str, ends: str
) -> None:
    name, _, marked = encoding.partition(" ")
    mark = {"utf-16-be": codecs.BOM_UTF16_BE, "utf-32-be": codecs.BOM_UTF32_BE}[name] if marked else b""
    text = TWO.format("café 红色 🙂").replace("\n", ends)
    assert shown(tmp_path, mark + text.encode(name)) == ["café 红色 🙂", "beta"]


@pytest.mark.parametrize(
    ("word", "encoding"),
    [
        ("café", "latin-1"),
        ("don’t", "cp1252"),
        ("красный", "cp1251"),
        ("红色的汽车", "gb18030"),
        ("紅色", "big5"),
        ("赤い車", "shift-jis"),
    ],
)
def test_an_encoding_that_cannot_be_told_for_sure_is_refused_with_its_line(
    tmp_path: Path, word: str, encoding: str
) -> None:
    data = TWO.format("alpha").replace("beta", word).encode(encoding)
    assert "line 7 is not UTF-8" in refused(tmp_path, data)


TIMES = [
    ("00:00:01", "00:00:02"),
    ("00:01,000", "00:02,000"),
    ("00:01", "00:02"),
    ("0:0:1.0", "0:0:2.0"),
    ("00:00:01.000000", "00:00:02.000000"),
    ("00:00:01:000", "00:00:02:000"),
    ("00:00:01,9", "00:00:02"),
    ("00: 00: 01, 000", "00: 00: 02, 000"),
    ("000:00:01,000", "000:00:02,000"),
    ("2 00:00:01,000", "00:00:02,000"),
]


@pytest.mark.parametrize("times", TIMES)
def test_times_may_lack_what_does_not_matter(tmp_path: Path, times: tuple[str, str]) -> None:
    start, end = times
    text = TWO.format("alpha").replace("00:00:01,000 --> 00:00:02,000", f"{start} --> {end}")
    assert shown(tmp_path, text, (0.5, 1.95)) == ["alpha", "beta"]


@pytest.mark.parametrize(
    "arrow", [" -->", "-->", "  -->\t", " -> ", " –> ", " —> ", " --- > ", " → ", " -- > "]
)
def test_an_arrow_is_an_arrow(tmp_path: Path, arrow: str) -> None:
    text = TWO.format("alpha").replace("00:00:01,000 --> ", f"00:00:01,000{arrow}")
    assert shown(tmp_path, text) == ["alpha", "beta"]


@pytest.mark.parametrize("start", ["-00:00:01,000", "−00:00:01,000", "00:00:-1,000", "-00:00:01,-500"])
def test_a_start_before_the_film_is_shown_from_its_start(tmp_path: Path, start: str) -> None:
    text = TWO.format("alpha").replace("00:00:00,000", start)
    assert shown(tmp_path, text) == ["alpha", "beta"]
    assert shown(tmp_path, text, (0.0,)) == ["alpha"]


@pytest.mark.parametrize(
    "line",
    [
        "00:00:0x,000 --> 00:00:02,000",
        "00:00:01,000 -->",
        "00:00:01,000 --> x",
        "O0:00:01,000 --> 00:00:02,000",
        "00:00:01,000 --> 00.00",
        "00:00:01:25 --> 00:00:02:10",
        "1.0 --> 2.0",
        "00:00:01,000 - 00:00:02,000",
        "00:00:01,000 00:00:02,000",
        "00:00:01,000",
    ],
)
def test_times_that_cannot_be_read_are_refused_with_their_line(tmp_path: Path, line: str) -> None:
    text = TWO.format("alpha").replace("00:00:01,000 --> 00:00:02,000", line)
    assert "line 6 has times that cannot be read" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("one<br>two", "one two"),
        ("one<br/>two<BR />three", "one two three"),
        ("one\ntwo", "one two"),
        ("one\n\ntwo", "one two"),
        ("I don&#39;t &amp; won&#x27;t", "I don't & won't"),
        ("&quot;R&amp;B&quot;&nbsp;&lt;3", '"R&B" <3'),
        ("AT&T; R&D &copy", "AT&T; R&D &copy"),
        ("al\x00pha", "alpha"),
        ("\ufeffal\u200bp\u00adha\u202a", "alpha"),
        ("one\u2028two\x85three\x0bfour", "one two three four"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        (r"open C:\Notes now", r"open C:\Notes now"),
        (r"C:\new\hello", r"C:\new\hello"),
        (r"{\an8}{\i1}alpha{\i0}", "alpha"),
        ("{laughs} alpha", "{laughs} alpha"),
        ('<font color="white" size=".72c">alpha</font>', "alpha"),
        ("<b>al</b><I>pha</I> <c.yellow>x</c>", "alpha x"),
        ("1 < 3 and 5 > 2", "1 < 3 and 5 > 2"),
        ("<laughter> alpha", "<laughter> alpha"),
        ("do<00:00:00.200><c> your</c><00:00:00.400><c> kids</c> run", "do your kids run"),
        ("from 00:10:00,000 to 00:20:00,000 we drove", "from 00:10:00,000 to 00:20:00,000 we drove"),
        ("10:00 -> 11:00", "10:00 -> 11:00"),
        ("A --> B", "A --> B"),
        ("It was\n1999", "It was 1999"),
        ("1999", "1999"),
        ("42\n\nis the answer", "42 is the answer"),
    ],
)
def test_a_line_reads_as_a_person_reads_it(tmp_path: Path, written: str, read: str) -> None:
    assert shown(tmp_path, TWO.format(written)) == [read, "beta"]


@pytest.mark.parametrize(
    "text",
    [
        "00:00:00,000 --> 00:00:01,000\nalpha\n\n00:00:01,000 --> 00:00:02,000\nbeta\n",
        "1\n00:00:00,000 --> 00:00:01,000\nalpha\n2\n00:00:01,000 --> 00:00:02,000\nbeta",
        "1\n\n00:00:00,000 --> 00:00:01,000\nalpha\n\n2\n\n00:00:01,000 --> 00:00:02,000\nbeta\n",
        "\n\n1\n00:00:00,000 --> 00:00:01,000 X1:1 X2:2\nalpha\n \n2\n00:00:01,000 --> "
        "00:00:02,000\nbeta\n\n\n",
        "2\n00:00:01,000 --> 00:00:02,000\nbeta\n\n1\n00:00:00,000 --> 00:00:01,000\nalpha\n",
        "1\n00:00:00,000 --> 00:00:01,000 alpha\n\n2\n00:00:01,000 --> 00:00:02,000\nbeta\n",
        "0:00:00.000,0:00:01.000\nalpha\n\n0:00:01.000,0:00:02.000\nbeta\n",
        "WEBVTT - a title\nKind: x\n\nNOTE never\nshown\n\nintro\n00:00.000 --> 00:01.000 align:start\n"
        "alpha"
        "\n\nNOTE\nnor this\n\nsecond\n00:01.000 --> 00:02.000\n \nbeta\n\nSTYLE\n::cue {}\n",
        "[Script Info]\nTitle: x\n\n[Events]\nFormat: Layer, Start, End, Style, Text"
        "\nComment: 0,0:00:00.00,0:00:09.00,D,no"
        "\nDialogue: 0,0:00:00.00,0:00:01.00,D,{\\an8}alpha"
        "\nDialogue: 0,0:00:01.00,0:00:02.00,D,{\\p1}m 0 0 l 1 1"
        "\nDialogue: 0,0:00:01.00,0:00:02.00,D,beta\n",
    ],
)  # fmt: skip
def test_files_of_other_forms_read_alike(tmp_path: Path, text: str) -> None:
    assert shown(tmp_path, text) == ["alpha", "beta"]


def test_a_subtitle_that_ends_before_it_starts_is_refused_and_one_without_length_never_shown(
    tmp_path: Path,
) -> None:
    text = TWO.format("alpha")
    assert "line 6 has a subtitle that ends" in refused(
        tmp_path, text.replace("00:00:02,000", "00:00:00,500")
    )
    assert shown(tmp_path, text.replace("00:00:02,000", "00:00:01,000"), (0.5, 1.0)) == ["alpha"]


def test_an_ass_line_ends_where_it_says_and_keeps_its_commas(tmp_path: Path) -> None:
    head = "[Events]\nFormat: Start, End, Text\n"
    assert shown(tmp_path, head + "Dialogue: 0:00:00.00,0:00:01.00,one,\\Ntwo\\hthree\n") == [
        "one, two three"
    ]
    assert "line 3 is a Dialogue line" in refused(tmp_path, head + "Dialogue: 0:00:00,alpha\n")


@pytest.mark.parametrize(
    "text", ["<html>404</html>", "{0}{25}alpha", "<SYNC Start=0>alpha", '{"events": []}', "alpha"]
)
def test_what_is_no_subtitle_is_refused(tmp_path: Path, text: str) -> None:
    assert "holds no subtitle" in refused(tmp_path, text)


@pytest.mark.parametrize(
    "hostile", ["1:", "<b ", "<" + " " * 9999, "{\\\\", "00:00:00 ", "&", "-", "1:1 -->", "0" * 9999]
)
def test_reading_takes_time_in_proportion_to_the_file(tmp_path: Path, hostile: str) -> None:
    """A pattern that goes back and forth over these would take hours: 16 times 9,999 characters, squared."""
    assert shown(tmp_path, TWO.format("alpha " + hostile * (160_000 // len(hostile))))[-1] == "beta"


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    assert shown(tmp_path, "\ufeff\r\n \r\n") == []


WORDS = st.text(
    st.characters(categories=("L", "P", "Nd", "Zs"), exclude_characters="<>&{}"), min_size=1, max_size=40
)


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 9000), WORDS), min_size=1, max_size=8))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, cues: list[tuple[int, int, str]]
) -> None:
    """Nothing is lost or joined, whatever is said; every cue is looked for in its middle."""

    def at(ms: int) -> str:
        return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    said = [(start, length, f"x {' '.join(words.split())} x") for start, length, words in cues]
    text = "\n".join(
        f"{number}\n{at(start)} --> {at(start + length)}\n{words}\n"
        for number, (start, length, words) in enumerate(said, 1)
    )
    for start, length, words in said:
        read = lines_at(text, [(start + length // 2) / 1000], source="a.srt")
        assert " ".join(words.split()) in read


# --- word by word, as JSON lines (Video-MME-v2) -------------------------------------------------------------

WORDS = (
    '{"text": "Hello", "start_time": 0.5, "end_time": 0.8}\n\n'
    '{"text": "<i>world</i>", "start_time": 0.8, "end_time": 1}\n'
)


def test_words_are_cues_and_all_that_is_said_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "001.jsonl").write_text(WORDS)
    assert words_of(tmp_path / "001.jsonl") == "Hello world"
    assert lines_at(WORDS, [0.9], source="001.jsonl") == ["world"]
    (tmp_path / "silent.jsonl").write_text("")
    assert words_of(tmp_path / "silent.jsonl") == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "x", "start_time": 1', "line 2 is no JSON"),
        ('{"words": "x", "start_time": 1, "end_time": 2}', "line 2 has no text"),
        ('{"text": 7, "start_time": 1, "end_time": 2}', "line 2 has no text"),
        (
            '{"text": "x", "start_time": "1", "end_time": 2}',
            "line 2 holds no number of seconds as start_time",
        ),
        ('{"text": "x", "start_time": 1, "end_time": true}', "line 2 holds no number of seconds as end_time"),
        ('{"text": "x", "start_time": 2, "end_time": 1}', "line 2 ends before it starts"),
        ("{" * 100_000, "line 2 is no JSON"),
    ],
)
def test_a_word_that_cannot_be_read_is_named_by_its_line(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "001.jsonl"
    path.write_text(f'{{"text": "Hello", "start_time": 0, "end_time": 1}}\n{line}\n')
    with pytest.raises(DataError, match=f"001.jsonl, {said}"):
        read_srt(path)
