"""Requests to an OpenAI-compatible endpoint, by the openai client; what goes wrong comes back typed.

The client retries 408, 409, 429, 5xx and cut connections a bounded number of times, waits as long as
Retry-After says (up to a minute, else twice as long each time), and keeps the key out of its log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from sf_eval.core.errors import CheckpointError, UsageError

KEY = "OPENAI_API_KEY"
_NO_KEY = "none"  # servers on one's own machine ask for none, the client for some
_NEVER = frozenset({401, 403, 404})
_LONGEST_REASON = 300
_SHORTEST_SECRET = 8
"""Characters. "EMPTY", "none" and the like, which servers of one's own are given, are no secrets, and a model
may mean them: an answer is left as it is."""
_HIDDEN = "***"
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|[^\[\]@:\s]+)(?::\d+)?")


@dataclass(frozen=True)
class Endpoint:
    """Where a model is asked, and how patiently.

    Attributes:
        model: its name there.
        base_url: address of its API, such as http://localhost:8000/v1.
        timeout_s: seconds one request may take.
        retries: how often a request is sent again after 429, 5xx or a cut connection.
        keys: environment variables that the key is taken from, the first that is set.
    """

    model: str
    base_url: str
    timeout_s: float
    retries: int
    keys: tuple[str, ...] = (KEY,)


@dataclass(frozen=True)
class Reply:
    """A server's words, the key cut out of them; counts of tokens are its own, None where it gives none."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    new_tokens: int | None


@dataclass(frozen=True)
class Unanswered:
    """No words.

    Attributes:
        kind: "lost" where no other request will be answered either: the key is refused, or the model is not
            there; "timeout" after the last try; else "error".
        reason: a sentence, without the key.
    """

    kind: Literal["lost", "timeout", "error"]
    reason: str


def checked_address(base_url: object, where: str, *, keys: Sequence[str] = (KEY,)) -> str:
    """An endpoint's address without a trailing slash.

    Args:
        where: whose address it is, for the error.

    Raises:
        UsageError: it is no address, or holds what must not be written into results (a key, a query).
    """
    parts = _parts(base_url) if isinstance(base_url, str) else None
    if parts is None or parts.scheme not in ("http", "https"):
        raise UsageError(f"{where}: {base_url!r} is no address.", hint="Give http://HOST:PORT/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            f"{where}: an address must hold no key, name, query or fragment: it is written into results.",
            hint=f"Give the key in the environment variable {keys[0]}.",
        )
    return str(base_url).rstrip("/")


def _parts(address: str) -> SplitResult | None:
    """An address in its parts, with those of a request's own; None where no request can be sent there."""
    if not address.isascii() or not address.isprintable() or " " in address:
        return None  # a host with other letters has a name in ASCII, too (xn--...)
    try:
        parts = urlsplit(address)
        host = _HOST.fullmatch(parts.netloc.rpartition("@")[2])
        if host is None or not parts.hostname:
            return None
        if host["v6"]:
            IPv6Address(host["v6"])
        _ = parts.port  # raises where it is out of range
    except ValueError:
        return None
    return parts


class ChatClient:
    """One endpoint; may be used from several threads."""

    def __init__(self, endpoint: Endpoint) -> None:
        from openai import DefaultHttpxClient, OpenAI

        self.endpoint = endpoint
        self._key = next((os.environ[name] for name in endpoint.keys if os.environ.get(name)), None)
        self._client = OpenAI(
            base_url=endpoint.base_url,
            api_key=self._key or _NO_KEY,
            timeout=endpoint.timeout_s,
            max_retries=endpoint.retries,
            # What is sent, and the key, go to the address that the user gave, wherever that one points.
            http_client=DefaultHttpxClient(follow_redirects=False),
        )

    def served(self, *, flag: str) -> list[str] | None:
        """Names of the models that it serves; None where it does not tell.

        Args:
            flag: the option that the address was given by.

        Raises:
            CheckpointError: nobody answers there, or the key is refused.
        """
        from openai import APIConnectionError, APIStatusError, OpenAIError

        try:
            models = self._client.models.list()
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise CheckpointError(self._refused(error), hint=self.where_the_key_is) from error
            return None
        except APIConnectionError as error:
            raise CheckpointError(
                f"nobody answers at {self.endpoint.base_url}: {self._reason(error)}",
                hint=f"Start the server, or give another {flag}.",
            ) from error
        except (OpenAIError, ValueError):
            return None
        listed = getattr(models, "data", None)
        if not isinstance(listed, list) or not listed:
            return None
        names = [getattr(model, "id", None) for model in listed]
        return [self._redacted(name) for name in names if isinstance(name, str)] or None

    def ask(self, messages: Sequence[Any], max_new_tokens: int, **more: Any) -> Reply | Unanswered:
        """One question at temperature 0.

        Args:
            messages: as the API takes them.
            more: further fields of the request.
        """
        from openai import APIStatusError, APITimeoutError, OpenAIError

        try:
            completion = self._client.chat.completions.create(
                model=self.endpoint.model,
                messages=list(messages),
                max_tokens=max_new_tokens,
                temperature=0,
                **more,
            )
        except APIStatusError as error:
            return Unanswered("lost" if error.status_code in _NEVER else "error", self._refused(error))
        except APITimeoutError:
            return Unanswered(
                "timeout",
                f"no answer within {self.endpoint.timeout_s:g} s, asked {self.endpoint.retries + 1} times",
            )
        except (OpenAIError, ValueError) as error:
            return Unanswered("error", f"{type(error).__name__}: {self._reason(error)}")
        return self._reply(completion)

    def close(self) -> None:
        """End what is on its way; nothing can be asked afterwards."""
        self._client.close()

    @property
    def where_the_key_is(self) -> str:
        return f"The key is taken from {' or '.join(self.endpoint.keys)}."

    def _refused(self, error: Any) -> str:
        return f"{self.endpoint.base_url} refuses with status {error.status_code}: {self._reason(error)}"

    def _reason(self, error: BaseException) -> str:
        """The error's words; a server may repeat the key in them, and they go into files."""
        said = " ".join(str(error).split())
        if self._key:
            said = said.replace(self._key, _HIDDEN)
        return said[:_LONGEST_REASON] or type(error).__name__

    def _reply(self, completion: Any) -> Reply | Unanswered:
        """What a completion says; the client checks none of it."""
        choices = getattr(completion, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        text = getattr(getattr(choice, "message", None), "content", None)
        if not isinstance(text, str):
            return Unanswered("error", "the server's reply holds no text")
        reason = getattr(choice, "finish_reason", None)
        if reason not in ("stop", "length"):
            said = self._redacted(str(reason))[:40]  # in this order: half a key is no key to be found
            return Unanswered("error", f"the server ended its answer with {said!r}")
        usage = getattr(completion, "usage", None)
        return Reply(
            self._redacted(text).strip(),
            reason,
            _count(getattr(usage, "prompt_tokens", None)),
            _count(getattr(usage, "completion_tokens", None)),
        )

    def _redacted(self, said: str) -> str:
        """What a server says, without the key: it goes into files."""
        if self._key is None or len(self._key) < _SHORTEST_SECRET:
            return said
        return said.replace(self._key, _HIDDEN)


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
