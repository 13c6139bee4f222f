"""The client of an endpoint (`sf_eval.core.chat`), as a family of models asks it: with frames, and failures
that are the engine's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sf_eval.core.chat import ChatClient, Endpoint, Reply
from sf_eval.inference.families.endpoint_settings import EndpointSettings
from sf_eval.inference.family import ModelLostError, Refused
from sf_eval.inference.question import FailureKind


class EndpointClient:
    """One endpoint; may be used from several threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._chat = ChatClient(
            Endpoint(settings.model, settings.base_url, settings.timeout_s, settings.retries)
        )

    def served(self) -> list[str] | None:
        """Names of the models that it serves; None where it does not tell.

        Raises:
            CheckpointError: nobody answers there, or the key is refused.
        """
        return self._chat.served(flag="--base-url")

    def ask(self, text: str, images: Sequence[str], max_new_tokens: int) -> Reply | Refused:
        """One question; `images` are data URLs.

        Raises:
            ModelLostError: the key is refused, or the model is not there: no other question can be answered.
        """
        content: list[Any] = [{"type": "image_url", "image_url": {"url": url}} for url in images]
        content.append({"type": "text", "text": text})
        reply = self._chat.ask([{"role": "user", "content": content}], max_new_tokens)
        if isinstance(reply, Reply):
            return reply
        if reply.kind == "lost":
            raise ModelLostError(reply.reason, hint=self._chat.where_the_key_is)
        kind = FailureKind.TIMEOUT if reply.kind == "timeout" else FailureKind.MODEL_ERROR
        return Refused(kind, reply.reason)
