"""Opening benchmarks: sources, places, damaged and hostile annotation files."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.errors import DataError, UsageError
from sf_eval.editions import EDITIONS, mini_root
from sf_eval.editions.index import INDEX, OpenBenchmark, open_benchmark, parse_source

HOSTILE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "hostile" / "rows.json").read_text(encoding="utf-8")
)
# The rows that each benchmark's hostile variants are made from.
TABLES = {
    "videomme": "videomme/test-00000-of-00001.parquet",
    "mlvu": "data/test-00000-of-00001.parquet",
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
    assert flat.rows == rows
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
    assert opened.rows == rows
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
        open_in(tmp_path, "videomme")


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
