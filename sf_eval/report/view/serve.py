"""The page on the loopback interface, for those who like an address better than a file.

Its data are scripts, which any page in the same browser could load from here: so answers are for pages of
this address alone, and for requests that name it (a foreign name may have been pointed at the loopback).
"""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Files of the page's folder, nothing cached and nothing logged."""

    def list_directory(self, path: Any) -> None:
        self.send_error(404)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        super().end_headers()

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        host = self.headers.get("Host", "")
        address: Any = self.server.server_address
        if host not in (f"{HOST}:{address[1]}", f"localhost:{address[1]}"):
            self.send_error(403)
            return False
        return True

    def log_message(self, format: str, *args: Any) -> None:
        pass


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of `folder` on 127.0.0.1 alone; port 0 takes a free one. The caller serves and closes it."""
    return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
