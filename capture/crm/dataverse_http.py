"""Requests to Dataverse: token, pace, back-off, errors, change sets; what is asked is the callers' matter.

Dataverse limits each user on each of its servers (6,000 requests and 20 minutes of work in five minutes, 52 at a
time) and answers 429 with `Retry-After` beyond; sending on makes the wait longer. So one gate stands before the whole
organisation: see `capture/pace.py`.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from capture.crm.dataverse_errors import dataverse_error
from capture.errors import CaptureError, CrmDenied, CrmRefused, Parked, TryLater
from capture.mailbox.graph_errors import translated
from capture.mailbox.tokens import TokenProvider, tls
from capture.pace import BUSY, PATIENCE, Gate, jitter

VERSION: Final = "/api/data/v9.2"
MAX_REPLY: Final = 400_000_000
"""Bytes of one reply: the largest file Dataverse keeps (128 MB) in base64, and then some."""
UNAUTHORIZED: Final = 401
ANNOTATIONS: Final = 'odata.include-annotations="Microsoft.Dynamics.CRM.*"'
MOST_OPERATIONS: Final = 1000

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_CUT: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)

for _name in ("httpx", "httpcore", "msal"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below that they print addresses: filters hold people's


@dataclass(frozen=True, slots=True, repr=False)
class Operation:
    """One request of a change set. `path` is below the version."""

    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class DataverseHttp:
    """One connection pool, one gate and one set of tokens for an organisation. Safe to share between threads.

    `url` is the organisation's address. Every error comes out as one of ours; see `dataverse_errors`.
    """

    def __init__(self, url: str, tokens: TokenProvider, *, timeout: float = 60.0, ca_file: str = "",
                 parallel: int = 8, patience: float = PATIENCE) -> None:
        self.base = url + VERSION
        self._tokens, self._timeout, self._patience = tokens, timeout, patience
        self._client = httpx.Client(
            verify=tls(ca_file), timeout=httpx.Timeout(timeout, pool=timeout), trust_env=False,
            follow_redirects=False, limits=httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel))
        self._gate = Gate("dataverse: the organisation", parallel)
        self.requests = 0

    def __repr__(self) -> str:
        return "DataverseHttp(...)"

    def close(self) -> None:
        """Close the connections; the tokens go with them."""
        self._client.close()
        self._tokens.close()

    def get(self, path: str, params: Mapping[str, str] | None = None, *, caller: str = "", page: int = 0) -> Any:
        """GET a JSON object. `caller` is the Entra object id of the person with whose rights it is read, too."""
        return self.send("GET", path, params=params, caller=caller, page=page)

    def send(self, method: str, path: str, body: Any = None, *, params: Mapping[str, str] | None = None,
             headers: Mapping[str, str] | None = None, caller: str = "", page: int = 0) -> Any:
        """Send a request and parse the JSON of its reply; None without one. A reply that is no JSON object is
        `TryLater`: it was cut, or something between us and Dataverse answered."""
        content = None if body is None else as_json(body)
        more = dict(headers or {}) | ({"Content-Type": "application/json"} if content is not None else {})
        raw, _ = self._exchange(method, path, params, more, content, caller, page)
        return parsed(raw) if raw else None

    def pages(self, path: str, params: Mapping[str, str], *, caller: str = "", page: int) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page; `page` rows are asked for at a time."""
        body = self.get(path, params, caller=caller, page=page)
        while True:
            yield from rows(body)
            link = body.get("@odata.nextLink")
            if not link:
                return
            body = self.get(self._checked(link), caller=caller, page=page)

    def change_set(self, operations: Sequence[Operation]) -> None:
        """Do all of the operations or none.

        Raises the error of the operation that failed; then none was done. Raises `TryLater` when the reply does
        not say so clearly: they may have been done, which whoever repeats the call must find.
        """
        if len(operations) > MOST_OPERATIONS:
            raise CrmRefused(f"{len(operations)} operations in a change set")
        outer, inner = f"batch_{uuid.uuid4()}", f"changeset_{uuid.uuid4()}"
        raw, kind = self._exchange(
            "POST", "/$batch", None, {"Content-Type": f"multipart/mixed; boundary={outer}"},
            _batch(operations, urlsplit(self.base).path, outer, inner), "", 0)
        replies = list(_replies(raw, kind))
        for status, body in replies:
            if not 200 <= status < 300:
                raise dataverse_error(status, body)
        if len(replies) != len(operations):
            raise TryLater("dataverse: the reply to a change set was cut")

    def _checked(self, link: object) -> str:
        """A link the server gave, if it leads to our organisation: the token goes nowhere else."""
        ours, theirs = urlsplit(self.base), urlsplit(link if isinstance(link, str) else "")
        if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
            raise TryLater("dataverse: a link leads elsewhere")
        return str(link)

    def _token(self, refused: str = "") -> str:
        try:
            return self._tokens.token(refused=refused)
        except Parked as error:
            raise CrmDenied(error.facts) from None

    def _exchange(self, method: str, path: str, params: Mapping[str, str] | None, headers: Mapping[str, str],
                  content: bytes | None, caller: str, page: int) -> tuple[bytes, str]:
        """Send until there is an answer: one renewal of the token, and short pauses, are dealt with here."""
        target = path if path.startswith(("https:", "http:")) else f"{self.base}{path}"
        prefer = [ANNOTATIONS, *([f"odata.maxpagesize={page}"] if page else [])]
        sent = {"Accept": "application/json", "OData-Version": "4.0", "OData-MaxVersion": "4.0",
                "Prefer": ",".join(prefer), **({"CallerObjectId": caller} if caller else {}), **headers}
        token, renewed, patience = self._token(), False, self._patience
        while True:
            self._gate.rest(patience)
            status, raw, got = self._once(method, target, params, sent | {"Authorization": f"Bearer {token}"}, content)
            if status >= 300 and "multipart" in got.get("content-type", ""):  # a change set that failed: why is inside
                status, raw = next((one for one in _replies(raw, got["content-type"]) if one[0] >= 300), (status, b""))
            if status < 300:
                self._gate.failures = 0
                return raw, got.get("content-type", "")
            if status == UNAUTHORIZED and not renewed:
                token, renewed = self._token(token), True
                continue
            error = dataverse_error(status, raw)
            if not isinstance(error, TryLater):
                raise error
            error.wait = self._gate.pause(status, got.get("retry-after", ""))
            if status not in BUSY or error.wait > patience:
                raise error
            patience -= error.wait

    def _once(self, method: str, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str],
              content: bytes | None) -> tuple[int, bytes, Mapping[str, str]]:
        """One request and its reply, read to the end."""
        with self._gate.slot(self._timeout):
            self.requests += 1
            raw = bytearray()
            try:
                with self._client.stream(method, url, params=params, headers=headers, content=content) as reply:
                    for chunk in reply.iter_bytes():
                        raw += chunk
                        if len(raw) > MAX_REPLY:
                            raise CrmRefused(f"a reply of more than {MAX_REPLY} bytes")
            except _CUT as exc:
                error: CaptureError = translated(exc)
                if isinstance(error, TryLater):
                    self._gate.failures += 1
                    error.wait = jitter(self._gate.failures)
                raise error from None
            return reply.status_code, bytes(raw), reply.headers


def as_json(body: Any) -> bytes:
    """JSON for Dataverse; half characters become question marks."""
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object of a reply."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise TryLater("dataverse: the reply is no JSON") from None
    if not isinstance(body, dict):
        raise TryLater("dataverse: the reply is no object")
    return body


def rows(body: Any) -> list[dict[str, Any]]:
    """The rows of a list reply. Raises `TryLater` when it holds no list of objects."""
    found = body.get("value") if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TryLater("dataverse: the reply holds no list")
    return found


def _batch(operations: Sequence[Operation], root: str, outer: str, inner: str) -> bytes:
    """The body of a batch with one change set. Lines end with CR LF, as the format wants."""
    lines: list[bytes] = [f"--{outer}".encode(), f"Content-Type: multipart/mixed; boundary={inner}".encode(), b""]
    for number, operation in enumerate(operations, 1):
        content = b"" if operation.body is None else as_json(operation.body)
        lines += [f"--{inner}".encode(), b"Content-Type: application/http", b"Content-Transfer-Encoding: binary",
                  f"Content-ID: {number}".encode(), b"",
                  f"{operation.method} {root}{operation.path} HTTP/1.1".encode()]
        lines += [f"{name}: {value}".encode() for name, value in operation.headers.items()]
        lines += [b"Content-Type: application/json", b"", content]
    return b"\r\n".join([*lines, f"--{inner}--".encode(), b"", f"--{outer}--".encode(), b""])


def _replies(raw: bytes, kind: str) -> Iterator[tuple[int, bytes]]:
    """Status and body of each reply in a batch's reply."""
    message = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode("ascii", "replace") + raw, policy=compat32)
    for part in message.walk():
        if part.is_multipart() or part.get_content_type() != "application/http":
            continue
        payload = Message.get_payload(part, decode=True)
        content = payload if isinstance(payload, bytes) else b""
        status = _STATUS.match(content.lstrip())
        if status:
            body = re.split(rb"\r?\n\r?\n", content, maxsplit=1)
            yield int(status[1]), body[1].strip() if len(body) > 1 else b""
