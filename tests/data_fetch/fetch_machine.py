"""Repositories as the benchmarks have them, in a few kilobytes, and a machine that fetches them."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from loopback_hub import HubServer

VIDEOMME = "lmms-eval/Video-MME"


def noise(size: int, seed: int) -> bytes:
    """Bytes that do not compress, like a video's."""
    return random.Random(seed).randbytes(size)


def zip_of(files: dict[str, bytes], *, compress: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def tar_of(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def split(content: bytes, count: int, prefix: str) -> dict[str, bytes]:
    """As `split -n COUNT` does it: aa, ab, ..."""
    size = -(-len(content) // count)
    return {f"{prefix}a{chr(97 + i)}": content[i * size : (i + 1) * size] for i in range(count)}


def videomme_files(video_bytes: int = 40_000) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """A repository laid out as Video-MME's, and the files that it must become."""
    videos = {f"data/video{i}.mp4": noise(video_bytes + i, i) for i in range(4)}
    subtitles = {"subtitle/video0.srt": b"1\n00:00:00,000 --> 00:00:01,000\nHello\n"}
    annotations = {"videomme/test-00000-of-00001.parquet": videomme_parquet(4)}
    names = list(videos)
    repository = {
        ".gitattributes": b"*.zip filter=lfs\n",
        "README.md": b"# Video-MME\n",
        "subtitle.zip": zip_of(subtitles, compress=True),
        "videos_chunked_01.zip": zip_of({name: videos[name] for name in names[:2]}),
        "videos_chunked_02.zip": zip_of({name: videos[name] for name in names[2:]}),
        **annotations,
    }
    return repository, {**videos, **subtitles, **annotations}


def videomme_parquet(videos: int) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {
            "video_id": f"{i:03}", "duration": "short", "domain": "Knowledge", "sub_category": "Biology",
            "url": f"https://example.org/{i}", "videoID": f"video{i}", "question_id": f"{i:03}-{q}",
            "task_type": "Counting Problem", "question": "How many?",
            "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."], "answer": "B",
        }
        for i in range(videos) for q in range(3)
    ]  # fmt: skip
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), stream)
    return stream.getvalue()


class Machine:
    """Runs sf-eval as a user would, with the loopback Hub as the only host that can be reached."""

    def __init__(self, folder: Path, server: HubServer) -> None:
        self.folder, self.server = folder, server
        self.to = folder / "to"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))},
            "HF_ENDPOINT": server.url,
            "HF_HOME": str(folder / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "SF_EVAL_CACHE": str(folder / "cache"),
            # Whatever would go to another host goes to a port where nobody listens.
            "HTTP_PROXY": "http://127.0.0.1:9",
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "ALL_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start_fetch(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return self.start("-m", "sf_eval.cli", "data", "fetch", *arguments, **environment)

    def fetch(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """`sf-eval data fetch`; returns what it prints, after checking its exit code."""
        return finish(self.start_fetch(*arguments, **environment), code)

    def fetch_to(self, tasks: str = "videomme", *arguments: str, code: int = 0, **environment: str) -> str:
        return self.fetch("--tasks", tasks, "--to", str(self.to), *arguments, code=code, **environment)

    def python(self, code: str, **environment: str) -> str:
        return finish(self.start("-c", code, **environment), 0)


def finish(process: subprocess.Popen[str], code: int) -> str:
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code, output
    if code in (1, 2):
        assert "Traceback" not in output
    return output


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)


def assert_holds(folder: Path, expected: dict[str, bytes]) -> None:
    """`folder` holds exactly `expected`, beside what sf-eval keeps for itself."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.relative_to(folder).parts[0].startswith((".sf_eval", "sf_eval_manifest"))
    }
    assert sorted(found) == sorted(expected)
    assert found == expected
