"""Opening benchmarks: sources, places, damaged and hostile annotation files."""

from __future__ import annotations

import copy
import json
import os
import shutil
import unicodedata
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sf_eval.benchmarks.annotations import read_rows
from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.errors import DataError, UsageError
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions import EDITIONS, mini_root
from sf_eval.editions.edition import write_table
from sf_eval.editions.index import INDEX

HOSTILE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "hostile" / "rows.json").read_text(encoding="utf-8")
)
# The rows that each benchmark's hostile variants are made from.
TABLES = {
    "videomme": "videomme/test-00000-of-00001.parquet",
    "mlvu": "mlvu/test-00000-of-00001.parquet",
    "egoschema": "GENERATION/test-00000-of-00001.parquet",
    "egoschema_subset": "Subset/test-00000-of-00001.parquet",
    "longvideobench": "validation-00000-of-00001.parquet",
}
JSON_NAMES = {
    "videomme": "videomme.json",
    "mlvu": "mlvu.json",
    "egoschema": "GENERATION.json",
    "egoschema_subset": "Subset.json",
    "longvideobench": "validation.json",
}


def good_rows(name: str) -> list[dict[str, Any]]:
    subtask = name.removeprefix("mvbench_")
    if subtask != name:
        return copy.deepcopy(list(EDITIONS["mvbench"]().tables[f"json/{subtask}.json"]))
    return copy.deepcopy(list(EDITIONS[name.removesuffix("_subset")]().tables[TABLES[name]]))


def write_json(root: Path, name: str, rows: Any) -> Path:
    subtask = name.removeprefix("mvbench_")
    path = root / (f"{subtask}.json" if subtask != name else JSON_NAMES[name])
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def open_in(root: Path, name: str) -> OpenBenchmark:
    return open_benchmark(get_benchmark(name), parse_source(str(root)))


def rows_of(opened: OpenBenchmark) -> list[dict[str, Any]]:
    """The rows that its documents were made of."""
    rows = [row for path in opened.annotation_files for row in read_rows(path)]
    assert len(opened.documents) == len(rows)
    return rows


# --- sources --------------------------------------------------------------------------------------------


def test_the_three_kinds_of_source(tmp_path: Path) -> None:
    assert parse_source("hub").kind == "hub"
    assert parse_source("hub", "abc123").revision == "abc123"
    assert parse_source("hub", "abc123").label == "Hub, revision abc123"
    assert parse_source("mini").kind == "mini"
    assert "synthetic" in parse_source("mini").label
    assert parse_source(str(tmp_path)).root == tmp_path


def test_a_source_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean mini"):
        parse_source("minni")
    with pytest.raises(UsageError, match="no such directory"):
        parse_source(str(tmp_path / "absent"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        parse_source(str(tmp_path / "file"))
    with pytest.raises(UsageError, match="--data-revision"):
        parse_source("mini", "abc123")


def test_without_network_the_error_names_the_other_ways(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("sf_eval.data.hub.repository")
    assert hub
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path))
    with pytest.raises(DataError) as caught:
        open_benchmark(get_benchmark("videomme"), parse_source("hub"))
    assert "lmms-eval/Video-MME" in str(caught.value)
    assert "--data DIR" in str(caught.value)
    assert "--data mini" in str(caught.value)


# --- directories ----------------------------------------------------------------------------------------


def test_a_directory_may_hold_one_benchmark_or_many(tmp_path: Path) -> None:
    rows = good_rows("mlvu")
    write_json(tmp_path, "mlvu", rows)
    flat = open_in(tmp_path, "mlvu")
    assert flat.media_root == tmp_path
    assert rows_of(flat) == rows
    assert [document.index for document in flat.documents] == list(range(len(rows)))

    (tmp_path / "mlvu").mkdir()
    write_json(tmp_path / "mlvu", "mlvu", rows[:5])
    nested = open_in(tmp_path, "mlvu")
    assert nested.media_root == tmp_path / "mlvu"
    assert len(nested.documents) == 5


def test_parquet_and_json_give_the_same_documents(tmp_path: Path) -> None:
    rows = good_rows("videomme")
    for kind in ("parquet", "json"):
        (tmp_path / kind).mkdir()
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet" / "test-00000-of-00001.parquet")
    write_json(tmp_path / "json", "videomme", rows)
    assert (
        open_in(tmp_path / "parquet", "videomme").documents
        == open_in(tmp_path / "json", "videomme").documents
    )


def test_several_parquet_shards_are_one_benchmark(tmp_path: Path) -> None:
    rows = good_rows("videomme")
    for number, part in enumerate((rows[:20], rows[20:])):
        pq.write_table(pa.Table.from_pylist(part), tmp_path / f"test-0000{number}-of-00002.parquet")
    opened = open_in(tmp_path, "videomme")
    assert [document.index for document in opened.documents] == list(range(120))
    assert rows_of(opened) == rows
    assert len(opened.annotation_files) == 2


def test_missing_annotations_name_every_place(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        open_in(tmp_path, "longvideobench")
    message = str(caught.value)
    assert str(tmp_path / "longvideobench" / "validation-*.parquet") in message
    assert str(tmp_path / "lvb_val.json") in message
    assert "longvideobench/LongVideoBench" in message
    assert "--data mini" in message


def test_the_dev_set_is_not_taken_for_the_test_set(tmp_path: Path) -> None:
    write_json(tmp_path, "mlvu", [row for row in good_rows("mlvu") if row["task_type"] == "needle"])
    with pytest.raises(DataError, match="not the test set"):
        open_in(tmp_path, "mlvu_test")


# --- rows as JSON lines ---------------------------------------------------------------------------------

JSON_LINES = {
    "videomme": ("videomme.jsonl", "test.jsonl", "test.json"),
    "mlvu": ("mlvu.jsonl", "test.jsonl", "mlvu_dev.json"),
    "egoschema": ("GENERATION.jsonl", "GENERATION.json"),
    "egoschema_subset": ("Subset.jsonl",),
    "longvideobench": ("lvb_val.jsonl", "validation.jsonl", "lvb_val.json"),
    "mvbench_action_count": ("action_count.jsonl", "json/action_count.jsonl", "json/action_count.json"),
}


def lines(rows: list[dict[str, Any]], end: str = "\n") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + end for row in rows).encode()


@pytest.mark.parametrize(("name", "file"), [(name, file) for name in JSON_LINES for file in JSON_LINES[name]])
def test_rows_one_a_line_are_found_and_read(tmp_path: Path, name: str, file: str) -> None:
    rows = good_rows(name)
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_bytes(lines(rows))
    assert rows_of(open_in(tmp_path, name)) == rows


@pytest.mark.parametrize("file", ["test.jsonl", "test.json"])
@pytest.mark.parametrize(
    "content",
    [
        lambda rows: b"\xef\xbb\xbf" + lines(rows),
        lambda rows: lines(rows, "\r\n"),
        lambda rows: b"\n \n" + lines(rows, "\n\n\t\n"),
        lambda rows: lines(rows).rstrip(),  # no line break at the end
        lambda rows: (
            lines(rows[:2]) + b"\xef\xbb\xbf" + lines(rows[2:])
        ),  # two such files, one after the other
        lambda rows: "\n".join(json.dumps(row, indent=1) for row in rows).encode(),
        lambda rows: json.dumps(rows, indent=1).encode(),
    ],
    ids=["BOM", "CRLF", "blank lines", "no last end", "appended", "rows of several lines", "a list"],
)
def test_rows_as_editors_and_tools_write_them(
    tmp_path: Path, file: str, content: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    rows = good_rows("videomme")[:5]
    (tmp_path / file).write_bytes(content(rows))
    assert rows_of(open_in(tmp_path, "videomme")) == rows


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\u0085"])
@pytest.mark.parametrize("file", ["videomme.jsonl", "videomme.json"])
def test_an_end_of_line_of_unicode_inside_a_text_breaks_no_row(
    tmp_path: Path, file: str, character: str
) -> None:
    rows = good_rows("videomme")[:3]
    rows[1]["question"] = f"one{character}two?"
    rows[1]["options"][0] = f"A. {character}x{character}"
    (tmp_path / file).write_bytes(lines(rows))
    documents = open_in(tmp_path, "videomme").documents
    assert len(documents) == 3
    assert documents[1].question == f"one{character}two?"


def test_one_row_is_a_file_of_rows_where_its_name_says_so(tmp_path: Path) -> None:
    rows = good_rows("videomme")[:1]
    (tmp_path / "videomme.json").write_bytes(lines(rows))
    with pytest.raises(DataError, match="must hold a list of rows"):
        open_in(tmp_path, "videomme")
    (tmp_path / "videomme.json").rename(tmp_path / "videomme.jsonl")
    assert rows_of(open_in(tmp_path, "videomme")) == rows


@pytest.mark.parametrize("file", ["test.jsonl", "test.json"])
def test_a_damaged_line_is_named(tmp_path: Path, file: str) -> None:
    good = lines(good_rows("videomme")[:2])
    (tmp_path / file).write_bytes(good + b'{"question": "cut \n' + good)
    with pytest.raises(DataError, match=r"is not JSON: .*line 3"):
        open_in(tmp_path, "videomme")
    (tmp_path / file).write_bytes(good + b"[1]\n")
    with pytest.raises(DataError, match="row 2 is a list"):
        open_in(tmp_path, "videomme")


@pytest.mark.parametrize("text", ["a\x92b", "\x9b31m", "\x00", "\x1b[2J", "\ud800"])
def test_control_characters_in_a_column_that_nobody_reads_harm_nobody(tmp_path: Path, text: str) -> None:
    rows = good_rows("videomme")[:3]
    rows[1].update({"url": text, "notes": [text, {text: text}]})
    write_json(tmp_path, "videomme", rows)
    assert len(open_in(tmp_path, "videomme").documents) == 3
    rows[1]["task_type"] += text
    write_json(tmp_path, "videomme", rows)
    with pytest.raises(DataError, match="row 1, column 'task_type' holds the control character U\\+"):
        open_in(tmp_path, "videomme")


# --- where the videos of a directory are ----------------------------------------------------------------


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mini editions as Hub repositories; of a video only a byte, since nobody decodes it here."""
    root = tmp_path_factory.mktemp("hub")
    for name, edition in REPOSITORIES.items():
        made = EDITIONS[edition]()
        for path, text in {**dict.fromkeys(made.videos, "x"), **made.texts}.items():
            file = root / name / path
            file = file if file.suffix else file / "00001.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        for path, rows in made.tables.items():
            (root / name / path).parent.mkdir(parents=True, exist_ok=True)
            write_table(root / name / path, rows)
    return root


REPOSITORIES = {
    "Video-MME": "videomme", "MLVU_dev": "mlvu", "MLVU_Test": "mlvu_test", "MVBench": "mvbench",
    "egoschema-copy": "egoschema", "LongVideoBench": "longvideobench", "NExTQA": "nextqa",
    "PerceptionTest_Val": "perceptiontest", "TempCompass": "tempcompass", "Video-MME-v2": "videomme_v2",
    "LVBench": "lvbench",
}  # fmt: skip
BENCHMARKS = [
    ("videomme", "Video-MME"), ("videomme_w_subtitle", "Video-MME"), ("mlvu", "MLVU_dev"),
    ("mlvu_test", "MLVU_Test"), ("mvbench_action_sequence", "MVBench"),
    ("mvbench_episodic_reasoning", "MVBench"), ("egoschema", "egoschema-copy"),
    ("egoschema_subset", "egoschema-copy"), ("longvideobench", "LongVideoBench"), ("nextqa", "NExTQA"),
    ("perceptiontest", "PerceptionTest_Val"), ("tempcompass_yes_no", "TempCompass"),
    ("videomme_v2_w_subtitle", "Video-MME-v2"), ("lvbench", "LVBench"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "repository"), BENCHMARKS)
def test_the_hub_repository_itself_is_a_directory_of_data(
    repositories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, repository: str
) -> None:
    """As it is, as a relative path, as a link, and as the benchmark's folder in a directory of several."""
    root = repositories / repository
    (tmp_path / "link").symlink_to(root)
    (tmp_path / "several").mkdir()
    (tmp_path / "several" / get_benchmark(name).folder).symlink_to(root)
    monkeypatch.chdir(repositories)
    for given in (
        str(root),
        repository,
        f"./{repository}/.",
        str(tmp_path / "link"),
        str(tmp_path / "several"),
    ):
        opened = open_benchmark(get_benchmark(name), parse_source(given))
        assert opened.media_root.resolve() == root.resolve()
        assert opened.missing_media() == []
        assert not opened.is_mini


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        each for each in BENCHMARKS if each[0] != "mvbench_episodic_reasoning"
    ],  # frames lie in an archive there
)
def test_a_snapshot_of_the_hubs_cache_is_a_directory_of_data(
    repositories: Path, tmp_path: Path, name: str, repository: str
) -> None:
    """Every entry of it is a relative link to a file of another name, out of the snapshot."""
    kept = tmp_path / f"datasets--owner--{repository}"
    snapshot = kept / "snapshots" / ("0" * 40)
    for number, file in enumerate(sorted(p for p in (repositories / repository).rglob("*") if p.is_file())):
        blob = kept / "blobs" / f"{number:064x}"
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.hardlink_to(file)
        entry = snapshot / file.relative_to(repositories / repository)
        entry.parent.mkdir(parents=True, exist_ok=True)
        entry.symlink_to(os.path.relpath(blob, entry.parent))
    opened = open_in(snapshot, name)
    assert opened.media_root == snapshot
    assert opened.missing_media() == []
    with pytest.raises(DataError, match=f"give one of its snapshots, such as {snapshot}"):
        open_in(kept, name)


@pytest.mark.parametrize(("name", "repository"), [("videomme", "Video-MME"), ("mlvu", "MLVU_dev")])
def test_the_benchmarks_folder_may_hold_its_annotations_without_the_repositorys_inner_folder(
    repositories: Path, tmp_path: Path, name: str, repository: str
) -> None:
    shutil.copytree(repositories / repository, tmp_path / name)
    shutil.move(tmp_path / name / name / "test-00000-of-00001.parquet", tmp_path / name)
    assert open_in(tmp_path, name).media_root == tmp_path / name
    assert open_in(tmp_path, name).missing_media() == []
    assert open_in(tmp_path / name, name).media_root == tmp_path / name


def test_videos_that_are_missing_are_looked_for_in_the_repository(repositories: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(repositories / "Video-MME", tmp_path / "Video-MME"))
    shutil.rmtree(root / "data")
    opened = open_in(root, "videomme")
    assert len(opened.missing_media()) == 24
    assert opened.missing_media()[0].looked_at[0].parent == root / "data"


def test_a_copy_of_one_mini_edition_is_known_for_what_it_is(repositories: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(repositories / "Video-MME", tmp_path / "copy"))
    (root / INDEX).write_text("{}")
    shutil.move(root / "data", root / "videomme" / "data")  # more of the videos do not make it the real one
    assert open_in(root, "videomme").is_mini


def test_a_media_folder_that_the_user_linked_is_followed(repositories: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(repositories / "Video-MME", tmp_path / "data" / "videomme"))
    for folder in ("data", "subtitle"):
        shutil.move(root / folder, tmp_path / "disk2" / folder)
        (root / folder).symlink_to(tmp_path / "disk2" / folder)
    opened = open_in(tmp_path / "data", "videomme_w_subtitle")
    assert opened.missing_media() == []
    document = opened.documents[0]
    assert opened.media_path(document).resolve() == tmp_path / "disk2/data/mini-000.mp4"
    assert opened.subtitle_path(document) == root / "subtitle/mini-000.srt"
    (root / "data").unlink()
    (root / "data").symlink_to(root / "data")
    with pytest.raises(DataError, match="cannot look at"):
        open_in(tmp_path / "data", "videomme").missing_media()


def test_a_link_in_a_folder_that_sf_eval_filled_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the cache came from a dataset's archives, not from the user."""
    shutil.copytree(mini_root(["egoschema"]).parent, tmp_path / "cache")
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path / "cache"))
    video = mini_root(["egoschema"]) / "egoschema/videos/mini-ego-00.mp4"
    video.rename(tmp_path / "outside.mp4")
    video.symlink_to(tmp_path / "outside.mp4")
    opened = open_benchmark(get_benchmark("egoschema"), parse_source("mini"))
    with pytest.raises(DataError, match="leads out of the media folder"):
        opened.media_path(opened.documents[0])


@pytest.mark.parametrize(("row", "file"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_videos_and_subtitles_are_found_however_their_accents_are_spelled(
    repositories: Path, tmp_path: Path, row: str, file: str
) -> None:
    root = Path(shutil.copytree(repositories / "Video-MME", tmp_path / "videomme"))
    rows = good_rows("videomme")[:1]
    rows[0]["videoID"] = unicodedata.normalize(row, "Amélie à Đà Nẵng")
    name = unicodedata.normalize(file, "Amélie à Đà Nẵng")
    (root / "data/mini-000.mp4").rename(root / f"data/{name}.mp4")
    (root / "subtitle/mini-000.srt").rename(root / f"subtitle/{name}.srt")
    shutil.rmtree(root / "videomme")
    write_json(root, "videomme", rows)
    opened = open_in(tmp_path, "videomme_w_subtitle")
    assert opened.media_path(opened.documents[0]) == root / f"data/{name}.mp4"
    assert opened.subtitle_path(opened.documents[0]) == root / f"subtitle/{name}.srt"


# --- damaged files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("test-00000-of-00001.parquet", b"", "is empty"),
        ("test-00000-of-00001.parquet", b"this is not parquet at all", "not a readable parquet"),
        ("test-00000-of-00001.parquet", b"PAR1" + b"\xff" * 200 + b"PAR1", "not a readable parquet"),
        ("videomme.json", b"", "is empty"),
        ("videomme.json", b"\xff\xfe\x00", "not UTF-8"),
        ("videomme.json", b'[{"question": ', "not JSON"),
        ("videomme.json", b'{"question": 1}', "must hold a list of rows"),
        ("videomme.json", b"[]", "has no rows"),
        ("videomme.json", b"[1, 2]", "row 0"),
        ("videomme.json", b"[" * 200_000, "nested too deeply"),
        ("videomme.json", b'[{"question": ' + b"9" * 5000 + b"}]", "not JSON"),
    ],
)
def test_a_damaged_file_is_one_error_that_names_it(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_in(tmp_path, "videomme")
    assert str(tmp_path / name) in str(caught.value)
    assert says in str(caught.value)


def test_a_parquet_file_cut_off_or_flipped_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test-00000-of-00001.parquet"
    pq.write_table(pa.Table.from_pylist(good_rows("videomme")), path, compression="zstd")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a readable parquet"):
        open_in(tmp_path, "videomme")
    path.write_bytes(whole[:8] + bytes(255 - byte for byte in whole[8:60]) + whole[60:])
    with pytest.raises(DataError, match="not a readable parquet"):
        open_in(tmp_path, "videomme")


def test_a_parquet_file_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    """One text, stored once, in 20,000 rows: a file of kilobytes that holds 2 GB."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 20_000, pa.int32()), pa.array(["x" * 99_000]))
    path = tmp_path / "test-0.parquet"
    pq.write_table(pa.table({"question": text}), path, store_schema=False)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DataError, match="unpacks to over"):
        deque(read_rows(path), maxlen=0)


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"question": pa.array([], pa.string())}), tmp_path / "test-0.parquet")
    with pytest.raises(DataError, match="has no rows"):
        open_in(tmp_path, "videomme")


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case["name"])
def test_a_hostile_row_is_one_error_that_names_file_row_and_column(
    tmp_path: Path, case: dict[str, Any]
) -> None:
    name = case["benchmark"]
    rows = good_rows(name)[:4]
    rows[2].update(case.get("set", {}))
    for column in case.get("drop", ()):
        del rows[2][column]
    if "long" in case:
        column, length = case["long"]
        rows[2][column] = "x" * length
    if "repeat" in case:
        column, value, times = case["repeat"]
        rows[2][column] = [value] * times
    path = write_json(tmp_path, name, rows)
    with pytest.raises(DataError) as caught:
        open_in(tmp_path, name)
    message = str(caught.value)
    assert str(path) in message
    assert "row 2" in message
    for words in case["says"]:
        assert words in message
    assert len(message) < 600, "a message never repeats megabytes"
    assert message.isprintable(), "a message never carries control characters to the terminal"


def test_a_question_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    rows = good_rows("videomme")
    rows[7]["question_id"] = rows[3]["question_id"]
    write_json(tmp_path, "videomme", rows)
    with pytest.raises(DataError, match=r"row 7.*row 3"):
        open_in(tmp_path, "videomme")


def test_an_unreadable_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "videomme.json").symlink_to(tmp_path / "videomme.json")  # a link to itself
    with pytest.raises(DataError):
        open_in(tmp_path, "videomme")


# --- media through a benchmark --------------------------------------------------------------------------


@pytest.fixture
def egoschema(tmp_path: Path) -> Path:
    """The mini edition's files as if they were the benchmark's own."""
    root = Path(shutil.copytree(mini_root(["egoschema"]) / "egoschema", tmp_path / "egoschema"))
    (root / INDEX).unlink()
    return root


def test_media_are_found_and_missing_ones_are_listed_once(egoschema: Path) -> None:
    root = egoschema
    (root / "videos/mini-ego-04.mp4").unlink()
    opened = open_in(root, "egoschema")
    assert opened.media_path(opened.documents[0]) == root / "videos/mini-ego-00.mp4"
    (missing,) = opened.missing_media()
    assert missing.video_id == "mini-ego-04"
    assert missing.document_ids == ("16", "17", "18", "19")
    assert missing.looked_at == (root / "videos/mini-ego-04.mp4", root / "videos/mini-ego-04.MP4")
    with pytest.raises(DataError) as caught:
        opened.media_path(opened.documents[16])
    assert all(str(place) in str(caught.value) for place in missing.looked_at)


def test_a_copy_of_a_mini_edition_still_says_what_it_is(tmp_path: Path, egoschema: Path) -> None:
    shutil.copytree(mini_root(["egoschema"]), tmp_path / "copy")
    opened = open_in(tmp_path / "copy", "egoschema")
    assert opened.is_mini
    assert "synthetic" in opened.source_label
    assert not open_in(egoschema, "egoschema").is_mini
