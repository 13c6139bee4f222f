"""An OpenAI-compatible server on loopback that misbehaves as it is told, and notes what it was sent."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "tiny/video-model"


class LoopbackEndpoint(ThreadingHTTPServer):
    """Attributes:
    misdeeds: what the next requests for an answer get instead of one, first come first served.
    always: what every request gets that has no misdeed of its own; "" is an answer.
    sent: bodies of all requests for answers; `keys` their Authorization headers.
    says: what is answered to a request's body.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.misdeeds: deque[str] = deque()
        self.always = ""
        self.sent: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.says: Callable[[dict[str, Any]], str] = lambda _: "A"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving() -> Iterator[LoopbackEndpoint]:
    with LoopbackEndpoint() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackEndpoint

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.sent.append(body)
        self.server.keys.append(self.headers.get("Authorization"))
        misdeed = self.server.misdeeds.popleft() if self.server.misdeeds else self.server.always
        if misdeed:
            getattr(self, f"_{misdeed}")()
        else:
            self._answer(self.server.says(body))

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def _answer(self, content: Any = "A", reason: str = "stop", counted: bool = True) -> None:
        message = {"role": "assistant", "content": content}
        usage = {"prompt_tokens": 321, "completion_tokens": 2, "total_tokens": 323}
        self._json(
            200,
            {
                "id": "1", "object": "chat.completion", "created": 1, "model": MODEL,
                "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                "usage": usage if counted else None,
            },
        )  # fmt: skip

    def _busy(self) -> None:
        self._json(429, {"error": {"message": "too many"}}, {"Retry-After": "0.01"})

    def _broken(self) -> None:
        self._json(500, {"error": {"message": "it broke"}}, {"Retry-After": "0.01"})

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"id"')
        self.wfile.flush()
        self.close_connection = True

    def _slow(self) -> None:
        time.sleep(1.0)
        self.close_connection = True

    def _nonsense(self) -> None:
        self._raw(200, b"]]<html>", "application/json")

    def _elsewhere(self) -> None:
        self._json(200, {"choices": "none", "usage": [1]})

    def _wordless(self) -> None:
        self._answer(content=None)

    def _uncounted(self) -> None:
        self._answer(reason="length", counted=False)

    def _filtered(self) -> None:
        self._answer(reason="content_filter")

    def _too_long(self) -> None:
        self._json(400, {"error": {"message": "the prompt is longer than the model's context"}})

    def _echoing(self) -> None:
        self._json(422, {"error": {"message": f"cannot do {self.headers.get('Authorization')}"}})

    def _telling(self) -> None:
        self._answer(reason=f"for {self.headers.get('Authorization')}")

    def _moved(self) -> None:
        self._json(307, {}, {"Location": f"{self.server.url}/elsewhere"})

    def _locked(self) -> None:
        self._json(401, {"error": {"message": "bad key"}})

    def _json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self._raw(status, json.dumps(value).encode(), "application/json", headers)

    def _raw(self, status: int, data: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
