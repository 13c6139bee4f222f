"""Media paths: what a dataset row can and cannot make us read."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.benchmarks.media import MissingMediaError, UnsafePathError, missing_media, resolve, unsafe_reason
from sf_eval.core.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A media root with data/a.mp4 and a folder of frames, and a secret beside it."""
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "data/a.mp4").write_bytes(b"video")
    (root / "frames/b").mkdir(parents=True)
    (root / "frames/b/00001.jpg").write_bytes(b"image")
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    return root


def find(root: Path, *candidates: str, folder: bool = False) -> Path:
    return resolve(root, MediaRef(candidates, is_frames_folder=folder), what="a question")


def test_the_first_candidate_that_exists_is_meant(root: Path) -> None:
    assert find(root, "data/a.MKV", "data/a.mp4") == root / "data/a.mp4"
    assert find(root, "frames/b", folder=True) == root / "frames/b"


@pytest.mark.parametrize(
    "path",
    [
        "", "/etc/passwd", "//etc/passwd", "~/a.mp4", "../secret.mp4", "data/../../secret.mp4", "..", ".",
        "data/..", "data//a.mp4", "./data/a.mp4", "data/a.mp4/", "data\\a.mp4", "..\\secret.mp4",
        "C:/a.mp4", "C:a.mp4",
        "file:///etc/passwd", "http://host/a.mp4", "data/a.mp4\0.jpg", "data/\na.mp4", "data/\x1b[2J.mp4",
        "data/\x9b.mp4", "data/\ud800.mp4", "NUL", "data/con.mp4", "data/COM1", "x" * 2000,
    ],
)  # fmt: skip
def test_a_path_that_is_not_plain_is_refused(root: Path, path: str) -> None:
    with pytest.raises(UnsafePathError) as caught:
        find(root, path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_an_unsafe_candidate_is_refused_even_behind_a_good_one(root: Path) -> None:
    with pytest.raises(UnsafePathError):
        find(root, "data/a.mp4", "../secret.mp4")


@given(st.text(min_size=1, max_size=60))
def test_what_is_let_through_stays_below_the_root(path: str) -> None:
    if unsafe_reason(path) is None:
        joined = os.path.normpath(os.path.join("/root/media", path))  # noqa: PTH118
        assert joined.startswith("/root/media/")
        assert joined.isprintable() or not path.isascii()


def test_a_link_out_of_the_root_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "data/out.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "outside").symlink_to(tmp_path)
    for path in ("data/out.mp4", "outside/secret.mp4"):
        with pytest.raises(UnsafePathError, match="leads out of the media folder"):
            find(root, path)


def test_a_sibling_whose_name_begins_like_the_root_is_outside(root: Path, tmp_path: Path) -> None:
    (tmp_path / "root2").mkdir()
    (tmp_path / "root2/a.mp4").write_bytes(b"x")
    (root / "data/b.mp4").symlink_to(tmp_path / "root2/a.mp4")
    with pytest.raises(UnsafePathError):
        find(root, "data/b.mp4")


def test_links_inside_the_root_and_a_linked_root_are_fine(root: Path, tmp_path: Path) -> None:
    (root / "data/alias.mp4").symlink_to("a.mp4")
    assert find(root, "data/alias.mp4").read_bytes() == b"video"
    (tmp_path / "linked").symlink_to(root)
    assert find(tmp_path / "linked", "data/alias.mp4").read_bytes() == b"video"


def test_a_link_that_goes_round_in_circles_is_an_error(root: Path) -> None:
    (root / "data/loop.mp4").symlink_to("loop.mp4")
    with pytest.raises(DataError):
        find(root, "data/loop.mp4")


# --- links in a folder of the user's own ------------------------------------------------------------------


def follow(root: Path, *candidates: str, folder: bool = False) -> Path:
    media = MediaRef(candidates, is_frames_folder=folder)
    return resolve(root, media, what="a question", follow_links=True)


def test_links_of_the_user_are_followed_wherever_they_lead(root: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk2"
    (disk / "more").mkdir(parents=True)
    (disk / "more/c.mp4").write_bytes(b"elsewhere")
    (disk / "alias.mp4").symlink_to(disk / "more/c.mp4")
    (tmp_path / "disk3").symlink_to(disk)
    (root / "far").symlink_to(tmp_path / "disk3")  # a link to a link
    (root / "near").symlink_to(Path("../disk2/more"))  # a relative one
    (root / "data/one.mp4").symlink_to(disk / "more/c.mp4")
    for path in ("far/more/c.mp4", "far/alias.mp4", "near/c.mp4", "data/one.mp4"):
        assert follow(root, path) == root / path
        assert follow(root, path).read_bytes() == b"elsewhere"
    (root / "clips").symlink_to(root / "frames")
    assert follow(root, "clips/b", folder=True) == root / "clips/b"


def test_a_link_that_is_followed_must_end_at_a_plain_file(root: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, target in (("pipe", tmp_path / "pipe"), ("zero", Path("/dev/zero")), ("folder", tmp_path)):
        (root / f"data/{name}.mp4").symlink_to(target)
        with pytest.raises(UnsafePathError, match="is not a plain file"):
            follow(root, f"data/{name}.mp4")


def test_links_that_go_round_in_circles_or_nowhere(root: Path, tmp_path: Path) -> None:
    (root / "data/loop.mp4").symlink_to("loop.mp4")
    (root / "one").symlink_to(root / "two")
    (root / "two").symlink_to(root / "one")
    for path in ("data/loop.mp4", "one/a.mp4"):
        with pytest.raises(DataError, match="cannot look at"):
            follow(root, path)
    (root / "gone").symlink_to(tmp_path / "not mounted")
    with pytest.raises(MissingMediaError, match=r"gone/a\.mp4 is missing"):
        follow(root, "gone/a.mp4")


@pytest.mark.parametrize(
    "path", ["../secret.mp4", "data/../../secret.mp4", "/etc/passwd", "far/../secret.mp4"]
)
def test_a_row_cannot_climb_out_where_links_are_followed(root: Path, tmp_path: Path, path: str) -> None:
    (root / "far").symlink_to(tmp_path)
    with pytest.raises(UnsafePathError):
        follow(root, path)


# --- one name, spelled in two ways ------------------------------------------------------------------------

NFC, NFD = "caf\u00e9", "cafe\u0301"
# Neither form: the dot below and the circumflex come one by one, in the order that no normal form has.
THIRD = "vi\u00ea\u0323t"


@pytest.mark.parametrize(("row", "file"), [(NFC, NFD), (NFD, NFC)])
def test_a_file_is_found_however_its_accents_are_spelled(root: Path, row: str, file: str) -> None:
    (root / file).mkdir()
    (root / file / f"{file}.mp4").write_bytes(b"x")
    assert find(root, f"{row}/{row}.mkv", f"{row}/{row}.mp4") == root / file / f"{file}.mp4"
    (root / "frames" / file).mkdir()
    assert find(root, f"frames/{row}", folder=True) == root / "frames" / file


def test_the_exact_name_goes_before_another_spelling(root: Path) -> None:
    for name in (NFC, NFD):
        (root / f"data/{name}.mp4").write_text(ascii(name))
    for name in (NFC, NFD):
        assert find(root, f"data/{name}.mp4").read_text() == ascii(name)


def test_two_files_that_are_both_another_spelling_are_refused(root: Path) -> None:
    for form in ("NFC", "NFD"):
        (root / "data" / f"{unicodedata.normalize(form, THIRD)}.mp4").write_bytes(b"x")
    with pytest.raises(UnsafePathError, match="how their accents are spelled"):
        find(root, f"data/{THIRD}.mp4")


def test_a_folder_of_one_spelling_does_not_hide_that_of_the_other(root: Path) -> None:
    for name in (NFC, NFD):
        (root / name).mkdir()
    (root / NFD / "a.mp4").write_bytes(b"x")
    assert find(root, f"{NFC}/a.mp4") == root / NFD / "a.mp4"


def test_another_letter_is_another_file(root: Path) -> None:
    (root / "data/cafe.mp4").write_bytes(b"x")
    (root / "data/ﬁlm.mp4").write_bytes(b"x")  # a ligature, which only a compatibility form takes apart
    for path in (f"data/{NFC}.mp4", "data/film.mp4", f"data/{NFC.upper()}.mp4"):
        with pytest.raises(MissingMediaError):
            find(root, path)


def test_another_spelling_is_no_way_out(root: Path, tmp_path: Path) -> None:
    (root / f"data/{NFD}.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(UnsafePathError, match="leads out of the media folder"):
        find(root, f"data/{NFC}.mp4")


def test_only_plain_files_are_videos_and_only_folders_are_frames(root: Path) -> None:
    os.mkfifo(root / "data/pipe.mp4")  # reading it would wait for ever
    for path, folder in (("data/pipe.mp4", False), ("data", False), ("data/a.mp4", True)):
        with pytest.raises(UnsafePathError, match="is not a"):
            find(root, path, folder=folder)


def test_a_missing_file_names_every_place(root: Path) -> None:
    with pytest.raises(MissingMediaError) as caught:
        find(root, "data/z.mp4", "data/z.mkv")
    message = str(caught.value)
    assert str(root / "data/z.mp4") in message
    assert str(root / "data/z.mkv") in message
    assert "a question" in message


def document(number: int, path: str, start: float | None = None) -> Document:
    return Document(
        number,
        f"q{number}",
        path,
        MediaRef((path,), start_s=start),
        None,
        "?",
        {"A": "x", "B": "y"},
        "A",
        {},
        "",
    )


def test_a_video_missing_for_several_questions_is_listed_once(root: Path) -> None:
    documents = [
        document(0, "data/a.mp4"),
        document(1, "data/z.mp4"),
        document(2, "data/z.mp4", start=3.0),
        document(3, "data/y.mp4"),
    ]
    missing = missing_media(root, documents, name="test")
    assert [(file.video_id, file.document_ids) for file in missing] == [
        ("data/z.mp4", ("q1", "q2")),
        ("data/y.mp4", ("q3",)),
    ]


def test_listing_missing_videos_refuses_a_path_that_leaves_the_root(root: Path) -> None:
    with pytest.raises(UnsafePathError):
        missing_media(root, [document(0, "../secret.mp4")], name="test")
