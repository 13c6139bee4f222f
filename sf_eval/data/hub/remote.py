"""Talks to the Hub through huggingface_hub: resolve, list, download; every failure becomes one clear line.

huggingface_hub (2.4) resumes a download within one call only: a process that ends loses what it had of a
file. With archives of 45 GB that is an hour lost, so files are fetched with its `http_get`, which takes the
number of bytes that are already there. Files over the size that the Hub hands out by plain HTTP go through
`hf_hub_download`, which knows the Hub's other ways.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

from huggingface_hub import HfApi, constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RemoteEntryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

from sf_eval.core.errors import DataError
from sf_eval.data.hub.errors import HTTP_ERROR, endpoint_name, hub_error, reason_of
from sf_eval.data.hub.manifest import RepositoryFile

_TIMEOUT_S = 30.0
_ATTEMPTS = 3
# Faults that http_get itself tries again after, five times with a second between.
_ALREADY_RETRIED = ("ConnectError", "ConnectTimeout", "ReadTimeout", "PoolTimeout", "RemoteProtocolError")
_CHUNK = 1 << 20

OnBytes = Callable[[int], None]


class StoppedError(Exception):
    """The download was asked to stop; what it had so far is kept."""


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids the network."""
    return bool(constants.HF_HUB_OFFLINE)


def resolve(dataset: str, revision: str | None) -> str:
    """The commit (40 hex digits) that `revision` of `dataset` is now; None means its main branch.

    Raises:
        DataError: no network, no such dataset or revision, or no access to it.
    """
    try:
        commit = HfApi().dataset_info(dataset, revision=revision, timeout=_TIMEOUT_S).sha
    except (HTTP_ERROR, OSError, HFValidationError) as error:
        raise hub_error(error, dataset, revision) from error
    if not commit:
        raise DataError(f"{endpoint_name()} did not say which commit {revision or 'main'} of {dataset} is.")
    return commit


def listing(dataset: str, commit: str) -> list[RepositoryFile]:
    """All files of `dataset` at `commit`, with sizes and digests.

    Raises:
        DataError: as `resolve`.
    """
    try:
        tree = list(HfApi().list_repo_tree(dataset, repo_type="dataset", revision=commit, recursive=True))
    except (HTTP_ERROR, OSError, HFValidationError) as error:
        raise hub_error(error, dataset, commit) from error
    return [
        RepositoryFile(item.path, item.size, item.lfs.sha256 if item.lfs else None, item.blob_id)
        for item in cast("list[Any]", tree)
        if hasattr(item, "size")  # folders have none
    ]


def cached_copy(dataset: str, commit: str, file: RepositoryFile) -> Path | None:
    """The file in huggingface_hub's own cache, if it is there and its content is right."""
    path = try_to_load_from_cache(dataset, file.path, revision=commit, repo_type="dataset")
    if not isinstance(path, str) or not Path(path).is_file() or Path(path).stat().st_size != file.size:
        return None
    return Path(path) if has_digest(Path(path), file) else None


def download(
    dataset: str,
    commit: str,
    file: RepositoryFile,
    to: Path,
    *,
    on_bytes: OnBytes,
    stop: threading.Event,
    plain_limit: int = constants.MAX_HTTP_DOWNLOAD_SIZE,
) -> Path:
    """Fetch one file to the path `to`, whole and with the right digest, going on where an earlier call ended.

    Until it is whole it lies beside `to` under a name that ends in ".part".

    Args:
        on_bytes: called with the number of bytes that arrived (negative where a server made us start over).
        stop: set by another thread to end the download soon.
        plain_limit: size in bytes above which the Hub does not hand a file out by plain HTTP.

    Raises:
        DataError: no access, wrong digest (the file is deleted), server gone.
        OSError: the disk cannot be written.
        StoppedError: `stop` was set.
    """
    if to.exists():
        return to
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(to.name + ".part")
    if file.size > plain_limit:
        part = _download_whole(dataset, commit, file, to.parent, on_bytes)
    else:
        _download_plain(dataset, commit, file, part, on_bytes, stop)
    if not has_digest(part, file):
        part.unlink()
        raise DataError(
            f"{file.path} of {dataset} arrived with other content than {endpoint_name()} announced.",
            hint="The file was deleted; run the same command again.",
        )
    part.replace(to)
    return to


def has_digest(path: Path, file: RepositoryFile) -> bool:
    """Whether `path` has the content that the Hub announced: by SHA-256, or by git's blob id without one."""
    if path.stat().st_size != file.size:
        return False
    if file.sha256:
        digest = hashlib.sha256()
    else:  # git names a blob by the SHA-1 of this header and its content
        digest = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == file.digest


def _download_plain(
    dataset: str, commit: str, file: RepositoryFile, part: Path, on_bytes: OnBytes, stop: threading.Event
) -> None:
    """Bring `part` to its full size. Tries again as long as bytes arrive, and a few times when none do."""
    if part.exists() and part.stat().st_size > file.size:
        part.unlink()
    failures = 0
    while True:
        had = part.stat().st_size if part.exists() else 0
        try:
            _get(dataset, commit, file, part, on_bytes, stop)
            return
        except (HTTP_ERROR, OSError) as error:
            if not _is_passing(error):
                raise _download_error(error, dataset, commit, file) from error
            now = part.stat().st_size if part.exists() else 0
            failures = 0 if now > had else failures + 1
            if failures >= _ATTEMPTS or type(error).__name__ in _ALREADY_RETRIED:
                raise _download_error(error, dataset, commit, file) from error
        if stop.wait(1.0):
            raise StoppedError


def _get(
    dataset: str, commit: str, file: RepositoryFile, part: Path, on_bytes: OnBytes, stop: threading.Event
) -> None:
    with part.open("ab") as stream:
        resume = stream.seek(0, os.SEEK_END)
        if resume < file.size:
            http_get(
                hf_hub_url(dataset, file.path, repo_type="dataset", revision=commit),
                cast(BinaryIO, stream),
                resume_size=resume,
                # identity: of a compressed answer the size would say nothing
                headers={**build_hf_headers(), "Accept-Encoding": "identity"},
                expected_size=file.size,
                displayed_filename=file.path,
                tqdm_class=cast(Any, _counter(on_bytes, stop)),
            )
        stream.flush()
        os.fsync(stream.fileno())


def _download_whole(dataset: str, commit: str, file: RepositoryFile, folder: Path, on_bytes: OnBytes) -> Path:
    try:
        path = hf_hub_download(
            dataset,
            file.path,
            repo_type="dataset",
            revision=commit,
            local_dir=folder / "whole",
            tqdm_class=cast(Any, _counter(on_bytes, threading.Event())),
        )
    except (HTTP_ERROR, OSError) as error:
        raise _download_error(error, dataset, commit, file) from error
    return Path(path)


def _counter(on_bytes: OnBytes, stop: threading.Event) -> type:
    """A class that huggingface_hub takes for a tqdm: it counts, and it ends the download when asked to."""

    class Counter:
        def __init__(self, *_args: object, **_kwargs: object) -> None: ...

        def __enter__(self) -> Counter:
            return self

        def __exit__(self, *_details: object) -> None: ...

        def update(self, count: float | None = 1) -> None:
            if stop.is_set():
                raise StoppedError
            on_bytes(int(count or 0))

        def __getattr__(self, _name: str) -> Callable[..., None]:
            return lambda *_args, **_kwargs: None

    return Counter


def _is_passing(error: Exception) -> bool:
    """A fault of the line or of a server that may be gone in a second."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)
    return isinstance(error, HTTP_ERROR) or (isinstance(error, OSError) and error.errno is None)


def _download_error(error: Exception, dataset: str, commit: str, file: RepositoryFile) -> Exception:
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, HTTP_ERROR):
        return error  # the disk's, not the line's
    if isinstance(error, RemoteEntryNotFoundError):
        return DataError(
            f"{file.path} is listed but not to be had at commit {commit[:12]} of {dataset}.",
            hint="Try again later, or pin another commit with --data-revision.",
        )
    if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
        return hub_error(error, dataset, commit)
    return DataError(
        f"the download of {file.path} of {dataset} broke off: {reason_of(error)}.",
        hint="Run the same command again: it goes on where this one ended.",
    )
