"""Who judges open answers."""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.core.chat import ChatClient, Endpoint, checked_address
from sf_eval.core.errors import UsageError, nearest

KEYS = ("SF_EVAL_JUDGE_KEY", "OPENAI_API_KEY")


@dataclass(frozen=True)
class JudgeSettings:
    """A judge behind an OpenAI-compatible address; the key is the environment's (`KEYS`).

    Attributes:
        base_url: address of its API, such as http://localhost:8000/v1.
        model: its name there.
        timeout_s: seconds one request may take.
        retries: how often a request is sent again after 429, 5xx, a timeout or a cut connection.

    Raises:
        UsageError: the address is none, or holds a key; or no model is named.
    """

    base_url: str
    model: str
    timeout_s: float = 60.0
    retries: int = 5

    def __post_init__(self) -> None:
        address = checked_address(self.base_url, "--judge", keys=KEYS)
        object.__setattr__(self, "base_url", address)
        if not self.model.strip():
            raise UsageError("--judge-model is empty.", hint="Give the name of a served model.")

    def client(self) -> ChatClient:
        return ChatClient(Endpoint(self.model, self.base_url, self.timeout_s, self.retries, KEYS))

    def check(self) -> None:
        """Refuse early a judge that nobody serves.

        Raises:
            CheckpointError: nobody answers there, or the key is refused.
            UsageError: it does not serve the model, as far as it tells.
        """
        served = self.client().served(flag="--judge")
        if served is not None and self.model not in served:
            raise UsageError(
                f"{self.base_url} does not serve {self.model!r}.", hint=nearest(self.model, served)
            )
