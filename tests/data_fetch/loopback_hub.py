"""A small Hub on loopback: the part of the Hub's HTTP interface that huggingface_hub uses to read a dataset.

It serves commits of datasets from memory, and it can misbehave: drop a connection after so many bytes, send
other bytes than announced, send slowly, demand a token, or go away.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


def commit_of(files: dict[str, bytes]) -> str:
    """A commit hash that depends on the content, as git's does."""
    digest = hashlib.sha1()
    for path in sorted(files):
        digest.update(path.encode() + b"\0" + files[path])
    return digest.hexdigest()


@dataclass
class Dataset:
    """One dataset: its commits, and what its branches point to.

    Attributes:
        gate: 401 or 403 where the terms were not accepted; 0 for an open dataset.
        token: what the Authorization header must hold for a gated dataset.
    """

    commits: dict[str, dict[str, bytes]]
    refs: dict[str, str]
    gate: int = 0
    token: str = ""


@dataclass
class Request:
    """What the server was asked, and how many body bytes it sent."""

    method: str
    path: str
    start: int
    authorization: str
    sent: int = 0


@dataclass
class Faults:
    """How the server misbehaves; paths are repository paths.

    Attributes:
        drop_after: path to the body bytes after which the connection is cut, every time.
        drop_once: the same, once.
        corrupt: paths of which other bytes are sent than were announced.
        bytes_per_second: speed limit of every answer; 0 for none.
        status: path to an HTTP status to answer with instead.
        gone_after: after this many body bytes in all the server goes away for good; 0 for never.
    """

    drop_after: dict[str, int] = field(default_factory=dict)
    drop_once: dict[str, int] = field(default_factory=dict)
    corrupt: set[str] = field(default_factory=set)
    bytes_per_second: int = 0
    status: dict[str, int] = field(default_factory=dict)
    gone_after: int = 0


class HubServer(ThreadingHTTPServer):
    """Serves until closed; `requests` is the record of what was asked."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.datasets: dict[str, Dataset] = {}
        self.faults = Faults()
        self.requests: list[Request] = []
        self.sent = 0
        self.is_gone = False
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def add(self, name: str, files: dict[str, bytes], *, gate: int = 0, token: str = "") -> str:
        """Make `files` the main branch of dataset `name`; returns the commit."""
        commit = commit_of(files)
        dataset = self.datasets.setdefault(name, Dataset({}, {}))
        dataset.commits[commit] = files
        dataset.refs["main"] = commit
        dataset.gate, dataset.token = gate, token
        return commit

    def sent_of(self, path: str) -> int:
        """Body bytes that were sent of the repository file `path`."""
        return sum(entry.sent for entry in self.requests if entry.path.endswith(f"/{path}"))

    def go(self) -> None:
        """Go away: no connection is accepted any more."""
        self.is_gone = True
        self.socket.close()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is not worth a traceback."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        first = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
        self._record = Request(
            self.command, unquote(url.path), int(first), self.headers.get("Authorization", "")
        )
        self.server.requests.append(self._record)
        if self.server.is_gone:
            self.close_connection = True
        elif parts[:2] == ["api", "datasets"]:
            self._api("/".join(parts[2:4]), parts[4:], parse_qs(url.query))
        elif parts[0] == "datasets" and parts[3] == "resolve":
            self._file("/".join(parts[1:3]), parts[4], "/".join(parts[5:]), with_body)
        else:
            self._error(404, "EntryNotFound")

    def _api(self, name: str, rest: list[str], query: dict[str, list[str]]) -> None:
        dataset = self.server.datasets.get(name)
        if dataset is None:
            return self._error(404, "RepoNotFound")
        commit = self._commit(dataset, "/".join(rest[1:]) or "main")
        if commit is None:
            return self._error(404, "RevisionNotFound")
        if not rest or rest[0] == "revision":
            names = [{"rfilename": path} for path in dataset.commits[commit]]
            gated = "manual" if dataset.gate else False
            return self._json(
                {"id": name, "sha": commit, "gated": gated, "private": False, "tags": [], "siblings": names}
            )
        assert rest[0] == "tree"
        assert query["recursive"][0].lower() == "true", query
        return self._json(_tree(dataset.commits[commit]))

    def _file(self, name: str, revision: str, path: str, with_body: bool) -> None:
        dataset = self.server.datasets.get(name)
        if dataset is None:
            return self._error(404, "RepoNotFound")
        if dataset.gate and self.headers.get("Authorization") != f"Bearer {dataset.token}":
            return self._error(dataset.gate, "GatedRepo")
        commit = self._commit(dataset, revision)
        if commit is None:
            return self._error(404, "RevisionNotFound")
        content = dataset.commits[commit].get(path)
        if content is None:
            return self._error(404, "EntryNotFound")
        if status := self.server.faults.status.get(path):
            return self._error(status, "")
        return self._send(content, path, commit, with_body)

    def _send(self, content: bytes, path: str, commit: str, with_body: bool) -> None:
        start, faults = self._record.start, self.server.faults
        if start > len(content):
            return self._error(416, "")
        body = content[start:]
        if path in faults.corrupt:
            body = bytes(255 - value for value in body)
        self.send_response(206 if start else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", commit)
        self.send_header("X-Linked-Size", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if not with_body:
            return None
        cut = faults.drop_once.pop(path, None) or faults.drop_after.get(path)
        if self._write(body if cut is None else body[:cut]) < len(body):
            self.close_connection = True
        return None

    def _write(self, body: bytes) -> int:
        faults, step = self.server.faults, 65536
        for offset in range(0, len(body), step):
            if self.server.is_gone:
                return offset
            chunk = body[offset : offset + step]
            self.wfile.write(chunk)
            self._record.sent += len(chunk)
            self.server.sent += len(chunk)
            if faults.gone_after and self.server.sent >= faults.gone_after:
                self.server.go()
                return offset + len(chunk)
            if faults.bytes_per_second:
                time.sleep(len(chunk) / faults.bytes_per_second)
        return len(body)

    def _commit(self, dataset: Dataset, revision: str) -> str | None:
        commit = dataset.refs.get(revision, revision)
        return commit if commit in dataset.commits else None

    def _json(self, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _tree(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """The listing; files of over 500 bytes are LFS files, as archives and parquet files are on the Hub."""
    entries: list[dict[str, Any]] = []
    for folder in sorted({path.rsplit("/", 1)[0] for path in files if "/" in path}):
        entries.append({"type": "directory", "path": folder, "oid": "0" * 40, "size": 0})
    for path, content in sorted(files.items()):
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(content), "oid": blob}
        if len(content) > 500:
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
        entries.append(entry)
    return entries
