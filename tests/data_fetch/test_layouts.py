"""A complete fetch of every repository layout, through the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fetch_machine import (
    VIDEOMME,
    Machine,
    assert_holds,
    noise,
    split,
    tar_of,
    videomme_files,
    videomme_parquet,
    zip_of,
)
from loopback_hub import HubServer

Layout = tuple[str, str, dict[str, bytes], dict[str, bytes]]


def _longvideobench() -> Layout:
    videos = {f"videos/v{i}.mp4": noise(30_000, i) for i in range(3)}
    subtitles = {"subtitles/v0_en.json": b"[]"}
    plain = {"validation-00000-of-00001.parquet": noise(900, 7)}
    repository = {
        **plain,
        "lvb_val.json": b"[]",
        "lvb_test_wo_gt.json": b"[]",
        "test-00000-of-00001.parquet": noise(900, 8),
        "subtitles.tar": tar_of(subtitles),
        **split(tar_of(videos), 3, "videos.tar.part."),
    }
    return "longvideobench", "longvideobench/LongVideoBench", repository, {**plain, **videos, **subtitles}


def _mvbench_subtask() -> Layout:
    clips = {f"perception/videos/v{i}.mp4": noise(5_000, i) for i in range(2)}
    plain = {"json/action_count.json": b"[]"}
    repository = {
        **plain,
        "json/action_antonym.json": b"[]",
        "video/perception.zip": zip_of(clips),
        "video/ssv2_video.zip": zip_of({"ssv2_video/1.webm": noise(5_000, 9)}),
    }
    return "mvbench_action_count", "OpenGVLab/MVBench", repository, {**plain, **clips}


def _egoschema_subset() -> Layout:
    videos = {f"videos/{name}.mp4": noise(9_000, i) for i, name in enumerate("abc")}
    plain = {"Subset/test-00000-of-00001.parquet": noise(900, 4)}
    repository = {
        **plain,
        "GENERATION/test-00000-of-00001.parquet": noise(900, 5),
        "videos_chunked_01.zip": zip_of({name: videos[name] for name in list(videos)[:2]}),
        "videos_chunked_02.zip": zip_of({name: videos[name] for name in list(videos)[2:]}),
    }
    return "egoschema_subset", "lmms-eval/egoschema", repository, {**plain, **videos}


def _mlvu() -> Layout:
    zipped = {"1_plotQA/movie101_1.mp4": noise(9_000, 1), "needle_2.mp4": noise(9_000, 2)}
    loose = {"video/3_ego/ego_1.mp4": noise(9_000, 3)}
    plain = {"data/test-00000-of-00001.parquet": noise(900, 6)}
    repository = {**plain, **loose, "README.md": b"#", "video_part_1.zip": zip_of(zipped)}
    return "mlvu", "sy1998/MLVU_dev", repository, {**plain, **loose, **zipped}


def _mlvu_test() -> Layout:
    videos = {f"test_video/{i}.mp4": noise(9_000, i) for i in range(3)}
    plain = {"data/test-00000-of-00001.parquet": noise(900, 6)}
    repository = {**plain, **split(tar_of(videos, "w:gz"), 3, "test_video.tar.gz.part-")}
    return "mlvu_test", "sy1998/MLVU_Test", repository, {**plain, **videos}


def _videomme_v2() -> Layout:
    videos = {f"{i:03d}.mp4": noise(9_000, i) for i in range(1, 4)}
    subtitles = {"subtitle/001.jsonl": b'{"text": "Hello", "start_time": 0.5, "end_time": 0.8}'}
    plain = {"test.parquet": noise(900, 3)}
    repository = {
        **plain,
        "videos/001.zip": zip_of({name: videos[name] for name in list(videos)[:2]}),
        "videos/002.zip": zip_of({name: videos[name] for name in list(videos)[2:]}),
        "subtitle.zip": zip_of(subtitles),
        "assets/logo.png": b"png",
    }
    return "videomme_v2", "MME-Benchmarks/Video-MME-v2", repository, {**plain, **videos, **subtitles}


def _lvbench() -> Layout:
    videos = {f"{name}.mp4": noise(9_000, i) for i, name in enumerate("ab")}
    plain = {"data/train-00000-of-00001.parquet": noise(900, 2)}
    chunks = {
        f"video_chunks/videos_chunk_00{i}.zip": zip_of({name: videos[name]})
        for i, name in enumerate(videos, 1)
    }
    return "lvbench", "lmms-eval/LVBench", {**plain, **chunks}, {**plain, **videos}


def _tempcompass_yes_no() -> Layout:
    videos = {f"videos/{name}.mp4": noise(5_000, i) for i, name in enumerate(("1", "1_reverse"))}
    plain = {"yes_no/test-00000-of-00001.parquet": noise(900, 1)}
    repository = {
        **plain,
        "multi-choice/test-00000-of-00001.parquet": noise(900, 2),
        "tempcompass_videos.zip": zip_of(videos),
    }
    return "tempcompass_yes_no", "lmms-eval/TempCompass", repository, {**plain, **videos}


def _videomme() -> Layout:
    return "videomme", VIDEOMME, *videomme_files()


LAYOUTS: list[Callable[[], Layout]] = [
    _videomme,
    _longvideobench,
    _mvbench_subtask,
    _egoschema_subset,
    _mlvu,
    _mlvu_test,
    _videomme_v2,
    _lvbench,
    _tempcompass_yes_no,
]


def test_every_layout_becomes_annotations_and_unpacked_media(machine: Machine, server: HubServer) -> None:
    layouts = [layout() for layout in LAYOUTS]
    commits = [server.add(dataset, repository) for _, dataset, repository, _ in layouts]

    output = machine.fetch_to(",".join(task for task, *_ in layouts), "--workers", "2")

    folders = [
        "videomme", "longvideobench", "mvbench", "egoschema", "mlvu", "mlvu_test", "videomme_v2", "lvbench",
        "tempcompass",
    ]  # fmt: skip
    assert sorted(path.name for path in machine.to.iterdir()) == sorted(folders)
    for folder, commit, (_, dataset, _, expected) in zip(folders, commits, layouts, strict=True):
        assert f"{dataset} at {commit}" in output
        assert_holds(machine.to / folder, expected)
        manifest = json.loads((machine.to / folder / "sf_eval_manifest.json").read_text())
        assert (manifest["schema"], manifest["dataset"], manifest["commit"]) == (1, dataset, commit)
        listed = {entry["path"]: (entry["size"], entry["sha256"]) for entry in manifest["files"]}
        assert listed == {
            path: (len(content), hashlib.sha256(content).hexdigest()) for path, content in expected.items()
        }


def test_what_is_complete_is_not_asked_for_again(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, videomme_files()[0])
    machine.fetch_to()
    asked = len(server.requests)

    # videomme_w_subtitle shares repository and folder
    assert "already complete" in machine.fetch_to("videomme,videomme_w_subtitle")
    assert len(server.requests) == asked


def test_archives_are_kept_only_on_demand(machine: Machine, server: HubServer) -> None:
    repository, expected = videomme_files()
    server.add(VIDEOMME, repository)
    machine.fetch_to("videomme", "--keep-archives")
    archives = {path: content for path, content in repository.items() if path.endswith(".zip")}
    assert_holds(machine.to / "videomme", {**expected, **archives})


def test_annotations_first_then_the_rest(machine: Machine, server: HubServer) -> None:
    repository, expected = videomme_files()
    server.add(VIDEOMME, repository)
    machine.fetch_to("videomme", "--annotations-only")
    assert_holds(
        machine.to / "videomme", {path: expected[path] for path in expected if path.endswith("parquet")}
    )
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)
    assert server.sent_of("videomme/test-00000-of-00001.parquet") == len(videomme_parquet(4))


def test_an_unknown_layout_is_said_with_what_is_there(machine: Machine, server: HubServer) -> None:
    server.add(VIDEOMME, {"videomme/test-00000-of-00001.parquet": b"x", "films.7z": b"y"})
    output = machine.fetch_to(code=2)
    assert "no media of videomme" in output
    assert "films.7z" in output


def test_open_benchmark_from_the_hub(machine: Machine, server: HubServer, tmp_path: Path) -> None:
    """What `run --data hub` does: annotations, media, documents and their files."""
    commit = server.add(VIDEOMME, videomme_files()[0])
    program = """
from sf_eval.benchmarks import catalog
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
opened = open_benchmark(catalog.get_benchmark("videomme"), parse_source("hub"))
print(len(opened.documents), opened.revision, opened.media_path(opened.documents[0]))
"""
    output = machine.python(program)
    assert f"12 {commit} {tmp_path}/cache/data/videomme/{commit}/data/video0.mp4" in output
    assert "to download into" in output  # how much it will be is told before it begins

    # Offline, the branch means what it meant; a commit needs no network either.
    asked = len(server.requests)
    assert f"12 {commit}" in machine.python(program, HF_HUB_OFFLINE="1")
    pinned = program.replace('"hub"', f'"hub", "{commit}"')
    assert f"12 {commit}" in machine.python(pinned)
    assert len(server.requests) == asked


@pytest.mark.thorough
def test_a_commit_that_leaves_the_videos_alone_downloads_none(machine: Machine, server: HubServer) -> None:
    repository, expected = videomme_files()
    old = server.add(VIDEOMME, repository)
    machine.fetch("--tasks", "videomme")
    new = server.add(VIDEOMME, {**repository, "README.md": b"# Video-MME, with thanks\n"})

    machine.fetch("--tasks", "videomme")

    cache = machine.folder / "cache" / "data" / "videomme"
    assert old != new
    assert_holds(cache / new, expected)
    assert server.sent_of("videos_chunked_01.zip") == len(repository["videos_chunked_01.zip"])


def test_a_copy_in_the_hubs_own_cache_is_used(machine: Machine, server: HubServer) -> None:
    repository, expected = videomme_files()
    commit = server.add(VIDEOMME, repository)
    machine.python(
        "from huggingface_hub import hf_hub_download as load;"
        f"load('{VIDEOMME}', 'videos_chunked_01.zip', repo_type='dataset', revision='{commit}')"
    )
    before = server.sent_of("videos_chunked_01.zip")
    machine.fetch_to()
    assert_holds(machine.to / "videomme", expected)
    assert server.sent_of("videos_chunked_01.zip") == before


def test_files_too_large_for_plain_http_go_through_the_hubs_client(
    machine: Machine, server: HubServer
) -> None:
    """Over 50 GB on the real Hub; here the limit is set to nothing."""
    content = noise(5_000, 1)
    commit = server.add("a/b", {"x.zip": content})
    output = machine.python(
        f"""
import threading
from pathlib import Path
from sf_eval.data.hub import remote
[file] = remote.listing("a/b", "{commit}")
count = []
path = remote.download("a/b", "{commit}", file, Path({str(machine.to)!r}) / "x", on_bytes=count.append,
                       stop=threading.Event(), plain_limit=0)
print(path.stat().st_size, sum(count))
"""
    )
    assert output.split() == ["5000", "5000"]
