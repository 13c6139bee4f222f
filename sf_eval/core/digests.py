"""SHA-256 of a large file, computed once: 16 GB of weights take a minute to read, on every machine and in
every process that asks.

What is remembered goes by the file's path, number, size and times, in this process and in our cache, which
processes and machines may share. A file that is being read by one process is waited for by the others.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.core.paths import cache_dir

#: Smaller files are read faster than remembered.
WORTH_REMEMBERING = 8 << 20
_WAIT_S = 1800.0  # for another process that reads the same file

Seen = tuple[int, int, int, int]


def content_digest(path: Path) -> str:
    """SHA-256 of the file's content, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    target = path.resolve()  # the Hub's cache is made of links, and a link may be turned to another file
    status = target.stat()
    return _digest(target, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@lru_cache(maxsize=64)
def _digest(path: Path, seen: Seen) -> str:
    if seen[1] < WORTH_REMEMBERING:
        return files.sha256(path)
    key = hashlib.sha256(json.dumps([str(path), *seen]).encode()).hexdigest()
    kept = cache_dir() / "digests" / f"{key}.json"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_suffix(".lock"), timeout=_WAIT_S):
            return _kept(kept) or _remember(kept, files.sha256(path), path)
    except (OSError, Timeout, OutputError):  # a cache that cannot be written makes it slow, not wrong
        return files.sha256(path)


def _kept(place: Path) -> str | None:
    try:
        value = json.loads(place.read_bytes())
    except (OSError, ValueError):
        return None
    digest = value.get("sha256") if isinstance(value, dict) else None
    return digest if isinstance(digest, str) and len(digest) == 64 else None


def _remember(place: Path, digest: str, path: Path) -> str:
    files.write_json(place, {"schema_version": 1, "file": str(path), "sha256": digest})
    return digest
