"""One clear line for each way in which the Hub says no or does not answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from sf_eval.core.errors import DataError

# httpx.HTTPError, of the httpx that this huggingface_hub uses (httpx until 1.x, httpx2 since 2.0).
HTTP_ERROR: type[Exception] = HfHubHTTPError.__bases__[0]


def endpoint_name() -> str:
    """Host (and port) of the Hub in use, without credentials that HF_ENDPOINT may carry."""
    parts = urlsplit(constants.ENDPOINT)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def hub_error(error: Exception, dataset: str, revision: str | None) -> DataError:
    """The one line for what huggingface_hub raised; no URL with a token or signature is repeated in it."""
    page = (
        f"{constants.ENDPOINT.rstrip('/')}/datasets/{dataset}" if "@" not in constants.ENDPOINT else dataset
    )
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, OfflineModeIsEnabled):
        return DataError(
            f"{dataset} is needed from the Hub, but HF_HUB_OFFLINE is set.",
            hint="Unset it, use `--data DIR` for data you have, or `--data mini` for the miniature.",
        )
    if isinstance(error, GatedRepoError):
        return DataError(
            f"{dataset} is gated: its terms must be accepted first ({endpoint_name()} said {status}).",
            hint=f"Log in with `hf auth login`, accept the terms on {page}, then run the same command again.",
        )
    if isinstance(error, RevisionNotFoundError):
        return DataError(
            f"{dataset} has no revision {revision!r}.",
            hint="Give a branch, a tag or a full commit hash of it with --data-revision, or leave it out.",
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return DataError(
            f"there is no dataset {dataset} at {endpoint_name()}, or it is private.",
            hint="If you have access to it, log in with `hf auth login`; else use `--data DIR` for a copy.",
        )
    if status in (401, 403):
        return DataError(
            f"{endpoint_name()} refuses access to {dataset} ({status}).",
            hint=f"Log in with `hf auth login` (or renew the token) and accept the terms on {page}, if any.",
        )
    if status is not None:
        return DataError(f"{endpoint_name()} answered {status} for {dataset}.", hint="Try again later.")
    return DataError(
        f"{dataset} cannot be reached at {endpoint_name()}: {reason_of(error)}.",
        hint="Check the network; or use `--data DIR` for data you have, or `--data mini` for the miniature.",
    )


def reason_of(error: Exception) -> str:
    """What went wrong on the line, in a few words and without a URL (it may be a signed one)."""
    if isinstance(error, HfHubHTTPError):
        return f"the server answered {error.response.status_code}"
    if isinstance(error, LocalEntryNotFoundError):
        return "the server does not answer"
    text = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
    return text if "://" not in text else type(error).__name__
