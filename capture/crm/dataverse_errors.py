"""What the errors of Dataverse mean to us: the one place where they are translated.

`CODES` (Dataverse's own error codes) are asked first, then `STATUSES` (HTTP). Exceptions of httpx and msal and the
answers of Entra are translated where Graph's are (`capture/mailbox/graph_errors.py`). No message of Dataverse is ever
passed on: it may quote an address. docs/operators/dataverse.md prints both tables; a test compares them.
"""

from __future__ import annotations

import json
from typing import Final

from capture.errors import CaptureError, CrmDenied, CrmRefused, RecordChanged, RecordGone, TryLater


class CrmDuplicate(CrmRefused):
    """The CRM has the item already and does not let mailweir see it, so it is held."""

    code = "crm-duplicate"
    hint = "Look for the item in the CRM; give mailweir the right to read it, or delete it there, then try again."


CODES: Final[dict[str, type[CaptureError]]] = {
    # it is there already
    "0x80040237": CrmDuplicate,
    "0x80040333": CrmDuplicate,
    "0x80060892": CrmDuplicate,
    # it is not there
    "0x80040217": RecordGone,
    "0x80060891": RecordGone,
    # somebody else wrote it meanwhile
    "0x80060882": RecordChanged,
    # a person must mend something
    "0x80040220": CrmDenied,
    "0x80042f09": CrmDenied,
    "0x80048306": CrmDenied,
    "0x80072560": CrmDenied,
    "0x80040204": CrmDenied,
    "0x80048d19": CrmDenied,
    "0x80060888": CrmDenied,
    # later
    "0x80072321": TryLater,
    "0x80072322": TryLater,
    "0x80072326": TryLater,
    "0x80044151": TryLater,
    "0x80044150": TryLater,
    # this item does not go in
    "0x80044a02": CrmRefused,
    "0x80043e09": CrmRefused,
    "0x80044331": CrmRefused,
    "0x80040203": CrmRefused,
}
"""Codes of Dataverse ("Web service error codes" in its documentation) and what they are to us."""

STATUSES: Final[dict[int, type[CaptureError]]] = {
    400: CrmRefused,
    401: CrmDenied,
    403: CrmDenied,
    404: RecordGone,
    405: CrmRefused,
    408: TryLater,
    409: TryLater,
    412: RecordChanged,
    413: CrmRefused,
    414: CrmRefused,
    415: CrmRefused,
    423: TryLater,
    425: TryLater,
    429: TryLater,
    500: TryLater,
    501: CrmRefused,
    502: TryLater,
    503: TryLater,
    504: TryLater,
    509: TryLater,
}
"""HTTP statuses without a code we know. Any other 4xx is `CrmRefused`, any other 5xx and 3xx `TryLater`."""


def dataverse_error(status: int, body: bytes) -> CaptureError:
    """Our error for a reply of Dataverse that is not a success."""
    code = error_code(body)
    ours = CODES.get(code)
    if ours is None or status in (401, 429):  # what these say is certain
        ours = STATUSES.get(status) or (CrmRefused if 400 <= status < 500 else TryLater)
    return ours(f"dataverse {status}{' ' + code if code in CODES else ''}")


def error_code(body: bytes) -> str:
    """The code of an error reply, `{"error": {"code": "0x...", "message": ...}}`; "" when there is none."""
    try:
        found = json.loads(body)["error"]["code"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return str(found)[:20].casefold()
