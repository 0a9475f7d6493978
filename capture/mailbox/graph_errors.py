"""What the errors of httpx, msal, Entra and Graph mean to us: the one place where they are translated.

Three tables, in the order they are asked: `CODES` (Graph's own error codes), `STATUSES` (HTTP), `FAMILIES`
(exceptions of httpx and msal); `SIGN_IN` for Entra's answers. docs/operators/exchange-online.md prints them
with what the user sees; a test compares both, and another walks the exceptions of the two packages.

No message of a foreign error is ever passed on: it may quote an address or an id. What is said is the status,
and a code when it is one of the tables'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import httpx
from msal.exceptions import MsalError, MsalServiceError
from msal.managed_identity import ManagedIdentityError
from msal.oauth2cli.oauth2 import BrowserInteractionTimeoutError
from msal.oauth2cli.oidc import IdTokenError

from capture.errors import BadSettings, CaptureError, Changed, CursorLost, ItemGone, Parked, TryLater

Ours = type[CaptureError]


class CannotFilter(CaptureError):
    """The server does not filter this list, so it is read in full."""

    code = "graph-no-filter"
    hint = "Nothing to do."


CODES: Final[dict[str, Ours]] = {
    # the item
    "ErrorItemNotFound": ItemGone,
    "ErrorFolderNotFound": ItemGone,
    "ErrorInvalidIdMalformed": ItemGone,
    "ErrorInvalidId": ItemGone,
    "ErrorInvalidMailboxItemId": ItemGone,
    "ErrorMessageNotFound": ItemGone,
    "itemNotFound": ItemGone,
    # somebody else wrote it meanwhile
    "ErrorIrresolvableConflict": Changed,
    "ErrorChangeKeyRequiredForWriteOperations": Changed,
    "ErrorStaleObject": Changed,
    "preconditionFailed": Changed,
    # the cursor
    "syncStateNotFound": CursorLost,
    "SyncStateNotFound": CursorLost,
    "syncStateInvalid": CursorLost,
    "SyncStateInvalid": CursorLost,
    "resyncRequired": CursorLost,
    "ResyncRequired": CursorLost,
    "ErrorInvalidSyncStateData": CursorLost,
    # the mailbox needs a person
    "MailboxNotEnabledForRESTAPI": Parked,
    "MailboxNotSupportedForRESTAPI": Parked,
    "ErrorNonExistentMailbox": Parked,
    "MailboxNotFound": Parked,
    "ErrorInvalidUser": Parked,
    "Request_ResourceNotFound": Parked,
    "ResourceNotFound": Parked,
    "ErrorAccessDenied": Parked,
    "Authorization_RequestDenied": Parked,
    "AccessDenied": Parked,
    "ErrorAccountDisabled": Parked,
    "ErrorMailboxMoveInProgress": TryLater,
    "ErrorQuotaExceeded": Parked,
    "InvalidAuthenticationToken": Parked,
    "AuthenticationError": Parked,
    # later
    "ApplicationThrottled": TryLater,
    "ErrorServerBusy": TryLater,
    "ErrorMailboxStoreUnavailable": TryLater,
    "ErrorInternalServerTransientError": TryLater,
    "ErrorTimeoutExpired": TryLater,
    "MailboxConcurrency": TryLater,
    "TooManyRequests": TryLater,
    "serviceNotAvailable": TryLater,
    "generalException": TryLater,
    "ErrorInternalServerError": TryLater,
}
"""Graph's error codes, outer or inner, and what they are to us."""

NO_FILTER: Final = frozenset({
    "InefficientFilter", "ErrorInvalidUrlQueryFilter", "ErrorInvalidUrlQuery", "RequestBroker--ParseUri",
    "BadRequest", "ErrorInvalidRequest", "invalidRequest", "NotImplemented"})
"""Codes by which a server says that it cannot filter so; the list is then read in full."""

STATUSES: Final[dict[int, Ours]] = {
    400: CaptureError,
    401: Parked,
    402: Parked,
    403: Parked,
    404: ItemGone,
    405: CaptureError,
    406: CaptureError,
    408: TryLater,
    409: TryLater,
    410: CursorLost,
    412: Changed,
    413: CaptureError,
    414: CaptureError,
    415: CaptureError,
    416: CaptureError,
    422: CaptureError,
    423: TryLater,
    425: TryLater,
    429: TryLater,
    500: TryLater,
    501: CaptureError,
    502: TryLater,
    503: TryLater,
    504: TryLater,
    507: Parked,
    509: TryLater,
}
"""HTTP statuses without a code we know. Any other 4xx is `CaptureError`, any other 5xx and 3xx `TryLater`."""

FAMILIES: Final[tuple[tuple[type[BaseException], Ours], ...]] = (
    (httpx.UnsupportedProtocol, BadSettings),
    (httpx.InvalidURL, BadSettings),
    (httpx.TimeoutException, TryLater),
    (httpx.NetworkError, TryLater),
    (httpx.ProxyError, TryLater),
    (httpx.RemoteProtocolError, TryLater),
    (httpx.LocalProtocolError, CaptureError),
    (httpx.DecodingError, TryLater),
    (httpx.TooManyRedirects, TryLater),
    (httpx.HTTPStatusError, TryLater),
    (httpx.StreamError, CaptureError),
    (httpx.CookieConflict, CaptureError),
    (httpx.HTTPError, TryLater),
    (MsalServiceError, TryLater),
    (MsalError, Parked),
    (ManagedIdentityError, Parked),
    (IdTokenError, Parked),
    (BrowserInteractionTimeoutError, Parked),
    (json.JSONDecodeError, TryLater),
    (ValueError, Parked),
    (RuntimeError, Parked),
)
"""Exceptions of httpx and msal, the narrow ones first. The last three are what msal raises for an issuer whose
discovery document is no JSON, missing or wrong."""

SIGN_IN: Final[dict[str, Ours]] = {
    "invalid_client": Parked,
    "unauthorized_client": Parked,
    "invalid_scope": Parked,
    "invalid_resource": Parked,
    "invalid_request": Parked,
    "invalid_grant": Parked,
    "access_denied": Parked,
    "interaction_required": Parked,
    "unsupported_grant_type": Parked,
    "temporarily_unavailable": TryLater,
    "server_error": TryLater,
    "service_not_available": TryLater,
    "slow_down": TryLater,
}
"""Entra's answers to a request for a token. Any other is `Parked`."""


def translated(error: BaseException) -> CaptureError:
    """Our error for an exception of httpx or msal, with the kind of the exception and nothing of its message."""
    for family, ours in FAMILIES:
        if isinstance(error, family):
            return ours(f"network, {type(error).__name__}")
    return CaptureError(type(error).__name__)


def sign_in_error(answer: Mapping[str, Any]) -> CaptureError:
    """Our error for Entra's refusal, with its code and the AADSTS numbers, which are safe to show."""
    code = str(answer.get("error", ""))
    numbers = [f"AADSTS{number}" for number in answer.get("error_codes") or () if isinstance(number, int)]
    shown = code if code in SIGN_IN else "refused"
    return SIGN_IN.get(code, Parked)(" ".join(["sign-in", shown, *numbers]))


def graph_error(status: int, body: bytes) -> CaptureError:
    """Our error for a reply of Graph that is not a success."""
    codes = error_codes(body)
    ours = next((CODES[code] for code in codes if code in CODES), None)
    if ours is None or status in (401, 410, 429):  # what these say is certain
        ours = STATUSES.get(status) or (CaptureError if 400 <= status < 500 else TryLater)
    if ours is CaptureError and any(code in NO_FILTER for code in codes):
        ours = CannotFilter
    shown = next((code for code in codes if code in CODES or code in NO_FILTER), "")
    return ours(f"graph {status}{' ' + shown if shown else ''}")


def error_codes(body: bytes) -> list[str]:
    """The codes of an error reply, the outer one first: `{"error": {"code": ..., "innerError": {"code": ...}}}`."""
    found: list[str] = []
    try:
        level = json.loads(body).get("error")
    except (ValueError, AttributeError, RecursionError):
        return found
    while isinstance(level, dict) and len(found) < 5:
        found.append(str(level.get("code", ""))[:80])
        level = level.get("innerError") or level.get("innererror")
    return found
