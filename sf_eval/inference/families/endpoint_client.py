"""Requests to an OpenAI-compatible endpoint, by the openai client; what goes wrong comes back typed.

The client retries 408, 409, 429, 5xx and cut connections a bounded number of times, waits as long as
Retry-After says (up to a minute, else twice as long each time), and keeps the key out of its log.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DefaultHttpxClient,
    OpenAI,
    OpenAIError,
)

from sf_eval.core.errors import CheckpointError
from sf_eval.inference.families.endpoint_settings import EndpointSettings
from sf_eval.inference.family import ModelLostError, Refused
from sf_eval.inference.question import FailureKind

KEY = "OPENAI_API_KEY"
_NO_KEY = "none"  # servers on one's own machine ask for none, the client for some
_NEVER = frozenset({401, 403, 404})
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Reply:
    """A server's words; counts of tokens are its own, None where it gives none."""

    text: str
    finish_reason: str
    prompt_tokens: int | None
    new_tokens: int | None


class EndpointClient:
    """One endpoint; may be used from several threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._client = OpenAI(
            base_url=settings.base_url,
            api_key=os.environ.get(KEY) or _NO_KEY,
            timeout=settings.timeout_s,
            max_retries=settings.retries,
            # Frames and key go to the address that the user gave, wherever that one points.
            http_client=DefaultHttpxClient(follow_redirects=False),
        )

    def served(self) -> list[str] | None:
        """Names of the models that it serves; None where it does not tell.

        Raises:
            CheckpointError: nobody answers there, or the key is refused.
        """
        try:
            models = self._client.models.list()
        except APIStatusError as error:
            if error.status_code in (401, 403):
                raise CheckpointError(self._refused(error), hint=f"The key is taken from {KEY}.") from error
            return None
        except APIConnectionError as error:
            raise CheckpointError(
                f"nobody answers at {self._settings.base_url}: {_reason(error)}",
                hint="Start the server, or give another --base-url.",
            ) from error
        except (OpenAIError, ValueError):
            return None
        listed = getattr(models, "data", None)
        if not isinstance(listed, list) or not listed:
            return None
        names = [getattr(model, "id", None) for model in listed]
        return [name for name in names if isinstance(name, str)] or None

    def ask(self, text: str, images: Sequence[str], max_new_tokens: int) -> Reply | Refused:
        """One question; `images` are data URLs.

        Raises:
            ModelLostError: the key is refused, or the model is not there: no other question can be answered.
        """
        content: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        content.append({"type": "text", "text": text})
        try:
            completion = self._client.chat.completions.create(
                model=self._settings.model,
                messages=[{"role": "user", "content": content}],
                max_tokens=max_new_tokens,
                temperature=0,
            )
        except APIStatusError as error:
            if error.status_code in _NEVER:
                raise ModelLostError(self._refused(error), hint=f"The key is taken from {KEY}.") from error
            return Refused(FailureKind.MODEL_ERROR, self._refused(error))
        except APITimeoutError:
            return Refused(
                FailureKind.TIMEOUT,
                f"no answer within {self._settings.timeout_s:g} s, asked {self._settings.retries + 1} times",
            )
        except (OpenAIError, ValueError) as error:
            return Refused(FailureKind.MODEL_ERROR, f"{type(error).__name__}: {_reason(error)}")
        return _reply(completion)

    def _refused(self, error: APIStatusError) -> str:
        return f"{self._settings.base_url} refuses with status {error.status_code}: {_reason(error)}"


def _reply(completion: Any) -> Reply | Refused:
    """What a completion says; the client checks none of it."""
    choices = getattr(completion, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = getattr(getattr(choice, "message", None), "content", None)
    if not isinstance(text, str):
        return Refused(FailureKind.MODEL_ERROR, "the server's reply holds no text")
    reason = getattr(choice, "finish_reason", None)
    if reason not in ("stop", "length"):
        return Refused(FailureKind.MODEL_ERROR, f"the server ended its answer with {str(reason)[:40]!r}")
    usage = getattr(completion, "usage", None)
    return Reply(
        text.strip(),
        reason,
        _count(getattr(usage, "prompt_tokens", None)),
        _count(getattr(usage, "completion_tokens", None)),
    )


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _reason(error: BaseException) -> str:
    """The error's words; a server may repeat the key in them, and they go into files."""
    said = " ".join(str(error).split())
    if key := os.environ.get(KEY):
        said = said.replace(key, "***")
    return said[:_LONGEST_REASON] or type(error).__name__
