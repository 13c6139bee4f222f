"""Archives: what is unpacked, and what is refused as a whole."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from fetch_machine import noise, split, tar_of, zip_of

from sf_eval.core.errors import DataError
from sf_eval.data.hub.archives import archive_name, group_archives, joined
from sf_eval.data.hub.unpack import UnpackedFile, unpack

ROOM = 1 << 40


def _unpack(folder: Path, files: dict[str, bytes], *, free_bytes: int = ROOM) -> list[UnpackedFile]:
    for name, content in files.items():
        (folder / name).write_bytes(content)
    [archive] = group_archives(files)
    (folder / "out").mkdir()
    return unpack(archive, [folder / part for part in archive.parts], folder / "out", free_bytes=free_bytes)


def _zip(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return stream.getvalue()


def _zip_link() -> bytes:
    entry = zipfile.ZipInfo("data/link")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return _zip((entry, b"/etc/passwd"))


def _encrypted() -> bytes:
    content = bytearray(_zip(("data/a.mp4", b"secret")))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    return bytes(content)


def _wrong_crc() -> bytes:
    content = _zip(("data/a.mp4", b"the real bytes"))
    return content.replace(b"the real bytes", b"the fake bytes")


def _tar(entry: tarfile.TarInfo, content: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def _tar_entry(name: str, kind: bytes, link: str = "") -> bytes:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return _tar(entry)


def _nul_name() -> bytes:
    return _zip(("data/aXb.mp4", b"1")).replace(b"aXb", b"a\0b")


def _not_utf8() -> bytes:
    return _zip(("data/\u00e4.mp4", b"1")).replace("\u00e4".encode(), b"\xff\xff")


def _packed(method: int) -> bytes:
    """A zip whose only entry is damaged in the middle."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr("data/a.mp4", noise(9000, 1))
    content = bytearray(stream.getvalue())
    content[40:4000] = bytes(3960)
    return bytes(content)


def _directory_before_the_start() -> bytes:
    """A zip whose last record says that the list of entries is longer than the file."""
    content = bytearray(_zip(("data/a.mp4", b"1")))
    struct.pack_into("<I", content, content.index(b"PK\x05\x06") + 12, len(content) * 2)
    return bytes(content)


def _entry_at(offset: int) -> bytes:
    content = bytearray(_zip(("data/a.mp4", b"1")))
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 42, offset)
    return bytes(content)


def _entry_far_before_the_start() -> bytes:
    """The list's own place is overstated, so that every entry seems to lie before the file's start."""
    content = bytearray(_zip(("data/a.mp4", b"1")))
    struct.pack_into("<I", content, content.index(b"PK\x05\x06") + 16, 5000)
    return bytes(content)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", _zip(("../a.mp4", b"1")), "outside of the target"),
        ("a.zip", _zip(("data/../../a.mp4", b"1")), "outside of the target"),
        ("a.zip", _zip(("/tmp/a.mp4", b"1")), "outside of the target"),
        ("a.zip", _zip(("C:/a.mp4", b"1")), "outside of the target"),
        ("a.zip", _zip(("..\\a.mp4", b"1")), "outside of the target"),
        ("a.zip", _nul_name(), "outside of the target"),
        ("a.zip", _zip_link(), "link or a device"),
        ("a.zip", _encrypted(), "encrypted"),
        ("a.zip", _wrong_crc(), "CRC"),
        ("a.zip", _zip(("a", b"1"), ("a", b"2")), "there twice"),
        ("a.zip", _zip(("a", b"1"), ("a/b", b"2")), "the same place"),
        ("a.zip", b"not a zip", "cannot be unpacked"),
        ("a.zip", _not_utf8(), "cannot be unpacked"),
        ("a.zip", _packed(zipfile.ZIP_DEFLATED), "cannot be unpacked"),
        ("a.zip", _packed(zipfile.ZIP_BZIP2), "cannot be unpacked"),
        ("a.zip", _packed(zipfile.ZIP_LZMA), "cannot be unpacked"),
        ("a.zip", _directory_before_the_start(), "cannot be unpacked"),
        ("a.zip", _entry_at(0xFFFFFFF0), "cannot be unpacked"),
        ("a.zip", _entry_far_before_the_start(), "cannot be unpacked"),
        ("a.zip", zip_of({"a": noise(9000, 1)})[:-100], "cannot be unpacked"),
        ("a.tar", _tar(tarfile.TarInfo("../a.mp4"), b"1"), "outside of the target"),
        ("a.tar", _tar(tarfile.TarInfo("/tmp/a.mp4"), b"1"), "outside of the target"),
        ("a.tar", _tar_entry("data", tarfile.SYMTYPE, "/etc"), "link or a device"),
        ("a.tar", _tar_entry("data", tarfile.LNKTYPE, "/etc/passwd"), "link or a device"),
        ("a.tar", _tar_entry("data", tarfile.CHRTYPE), "link or a device"),
        ("a.tar", _tar_entry("data", tarfile.FIFOTYPE), "link or a device"),
        ("a.tar", tar_of({"a": b"1"}) [:1024] + tar_of({"a": b"2"}), "there twice"),
        ("a.tar", tar_of({"a": noise(9000, 1)})[:5000], "cannot be unpacked"),
        ("a.tar", tar_of({"a": noise(512, 1), "b": noise(512, 2)})[:1024], "cut off"),
        ("a.tar", b"not a tar", "cannot be unpacked"),
        ("a.tar.gz", tar_of({"a": noise(9000, 1)}, "w:gz")[:-2000], "cannot be unpacked"),
    ],
)  # fmt: skip
def test_a_hostile_or_damaged_archive_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(DataError, match=name) as caught:
        _unpack(folder, {name: content})
    assert said in str(caught.value)
    assert caught.value.hint
    outside = [path for path in tmp_path.rglob("*") if folder not in path.parents and path != folder]
    assert outside == []


def test_a_bomb_is_refused_before_it_is_written(tmp_path: Path) -> None:
    bomb = zip_of({"a.mp4": bytes(100 << 20)}, compress=True)
    with pytest.raises(DataError, match="bomb"):
        _unpack(tmp_path, {"a.zip": bomb})
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tar_bomb_is_refused_at_the_limit(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for number in range(3):
            entry = tarfile.TarInfo(f"{number}.mp4")
            entry.size = 40 << 20
            archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    with pytest.raises(DataError, match="bomb"):
        _unpack(tmp_path, {"a.tar.gz": stream.getvalue()})
    written = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert written <= 64 << 20


def test_an_entry_with_more_bytes_than_it_declares(tmp_path: Path) -> None:
    content = bytearray(zip_of({"a.mp4": bytes(5000)}, compress=True))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(signature) + offset
        content[start : start + 4] = (100).to_bytes(4, "little")
    with pytest.raises(DataError, match=r"a\.zip"):
        _unpack(tmp_path, {"a.zip": bytes(content)})
    assert all(path.stat().st_size <= 100 for path in (tmp_path / "out").iterdir())


def test_more_than_fits(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not fit"):
        _unpack(tmp_path, {"a.tar": tar_of({"a.mp4": noise(9000, 1)})}, free_bytes=8999)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_split_tar_is_read_through(tmp_path: Path, mode: str) -> None:
    files = {f"./videos/{i}.mp4": noise(70_000, i) for i in range(5)}
    ending = ".tar" if mode == "w" else ".tar.gz"
    unpacked = _unpack(tmp_path, split(tar_of(files, mode), 7, f"videos{ending}.part."))
    assert [file.path for file in unpacked] == [f"videos/{i}.mp4" for i in range(5)]
    for name, content in files.items():
        assert (tmp_path / "out" / name).read_bytes() == content


def test_a_part_in_the_wrong_place_is_noticed(tmp_path: Path) -> None:
    parts = split(tar_of({f"{i}.mp4": noise(30_000, i) for i in range(6)}), 4, "videos.tar.part.")
    parts["videos.tar.part.ab"], parts["videos.tar.part.ac"] = (
        parts["videos.tar.part.ac"],
        parts["videos.tar.part.ab"],
    )
    with pytest.raises(DataError, match=r"videos\.tar"):
        _unpack(tmp_path, parts)


def test_what_a_mac_adds_is_left_out(tmp_path: Path) -> None:
    unpacked = _unpack(tmp_path, {"a.zip": _zip(("data/", b""), ("data/a.mp4", b"1"), ("__MACOSX/a", b"2"))})
    assert [file.path for file in unpacked] == ["data/a.mp4"]


def test_joined_parts_read_like_the_whole(tmp_path: Path) -> None:
    whole = noise(10_000, 3)
    paths = []
    for number, start in enumerate(range(0, 10_000, 3_000)):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(whole[start : start + 3_000])
    with joined(paths) as stream:
        assert stream.read() == whole
        stream.seek(2_990)
        assert stream.read(20) == whole[2_990:3_010]
        assert stream.seek(-5, io.SEEK_END) == 9_995
        assert stream.read() == whole[-5:]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("videos.tar.part.aa", "videos.tar"),
        ("test_video.tar.gz.part-ab", "test_video.tar.gz"),
        ("a/b.zip.001", "a/b.zip"),
        ("videos_chunked_01.zip", "videos_chunked_01.zip"),
        ("x.tgz", "x.tgz"),
        ("README.md", None),
        ("video.mp4", None),
        ("tar.part.aa", None),
        ("videos.tar.xz", None),
    ],
)
def test_which_files_are_archives(path: str, name: str | None) -> None:
    assert archive_name(path) == name


@pytest.mark.parametrize(
    "paths",
    [
        ["v.tar.part.aa", "v.tar.part.ac"],
        ["v.tar.part.ab", "v.tar.part.ac"],
        ["v.zip.001", "v.zip.003"],
        ["v.zip.002", "v.zip.003"],
    ],
)
def test_a_gap_between_parts(paths: list[str]) -> None:
    with pytest.raises(DataError, match="part missing"):
        group_archives(paths)


def test_parts_beyond_z_are_in_order() -> None:
    paths = [f"v.tar.part.{a}{b}" for a in "ab" for b in "abcdefghijklmnopqrstuvwxyz"][:31]
    [archive] = group_archives(reversed(paths))
    assert archive.parts == tuple(paths)
    assert paths[-1].endswith(".be")
