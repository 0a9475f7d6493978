"""Requests to Microsoft Graph: token, pace, back-off and errors; what is asked is the callers' matter.

At most four requests of one mailbox are under way at a time, as Graph allows; `capture/pace.py` has the pauses.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from capture.errors import CaptureError, CursorLost, TryLater
from capture.mailbox.graph_errors import graph_error, translated
from capture.mailbox.tokens import TokenProvider, tls
from capture.pace import BUSY, PATIENCE, Gate, jitter

PARALLEL: Final = 4
MAX_JSON: Final = 64_000_000
IMMUTABLE: Final = 'IdType="ImmutableId"'
UNAUTHORIZED: Final = 401

for _name in ("httpx", "httpcore", "msal"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # below that they print addresses: mailboxes, ids, cursors

_CUT: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, httpx.CookieConflict)


class TooLarge(CaptureError):
    """The server sent more than this installation takes, so the item is held."""

    code = "too-large"
    hint = "Raise `graph.max_mime_bytes`, or let a reviewer decide."

    def __init__(self, facts: str = "", *, head: bytes = b"") -> None:
        super().__init__(facts)
        self.head = head
        """The first bytes that came."""


@dataclass(slots=True, repr=False)
class Reply:
    """A successful reply: parsed JSON (None without a body), and its headers."""

    body: Any
    headers: Mapping[str, str]


class GraphHttp:
    """One connection pool and one set of tokens for all mailboxes. Safe to share between threads.

    `base` is the address of Graph without the version. Every error comes out as one of ours; see
    `graph_errors`. `requests` counts what was sent, for measurements.
    """

    def __init__(self, base: str, tokens: TokenProvider, *, timeout: float = 60.0, ca_file: str = "",
                 patience: float = PATIENCE) -> None:
        self.base = f"{base}/v1.0"
        self._tokens, self._timeout, self._patience = tokens, timeout, patience
        self._client = httpx.Client(
            verify=tls(ca_file), timeout=httpx.Timeout(timeout, pool=timeout), trust_env=False, follow_redirects=False,
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=16))
        self._gates: dict[str, Gate] = {}
        self._lock = threading.Lock()
        self.requests = 0

    def __repr__(self) -> str:
        return "GraphHttp(...)"

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, mailbox: str, url: str, *, params: Mapping[str, str] | None = None, prefer: str = "") -> Any:
        """GET a JSON object; `url` is a path below the version, or a full link a server gave us before."""
        return self.send(mailbox, "GET", url, params=params, prefer=prefer).body

    def send(self, mailbox: str, method: str, url: str, *, params: Mapping[str, str] | None = None,
             prefer: str = "", json_body: Any = None, if_match: str = "") -> Reply:
        """Send a request and parse the JSON of its reply. A reply that is no JSON object is `TryLater`: it was
        cut, or something between us and Graph answered."""
        headers = {"If-Match": if_match} if if_match else {}
        content = None
        if json_body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(json_body, ensure_ascii=False).encode()
        raw, got = self._exchange(mailbox, method, url, params=params, prefer=prefer, headers=headers, content=content,
                                  limit=MAX_JSON)
        if not raw:
            return Reply(None, got)
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise TryLater("graph: the reply is no JSON") from None
        if not isinstance(body, dict):
            raise TryLater("graph: the reply is no object")
        return Reply(body, got)

    def content(self, mailbox: str, url: str, *, limit: int) -> tuple[bytes, str]:
        """The bytes behind a `$value` address, with their content type. Raises `TooLarge` beyond `limit` bytes."""
        raw, headers = self._exchange(mailbox, "GET", url, params=None, prefer="", headers={"Accept": "*/*"},
                                      content=None, limit=limit)
        return raw, headers.get("content-type", "").partition(";")[0].strip().casefold()

    def pages(self, mailbox: str, url: str, *, params: Mapping[str, str] | None = None,
              prefer: str = "") -> Iterator[dict[str, Any]]:
        """Every object of a list, page by page."""
        body = self.get(mailbox, url, params=params, prefer=prefer)
        while True:
            yield from values(body)
            link = body.get("@odata.nextLink")
            if not link:
                return
            body = self.get(mailbox, self.checked_link(link), prefer=prefer)

    def checked_link(self, link: object) -> str:
        """A link the server gave, if it leads to our Graph: the token goes nowhere else.

        Raises `CursorLost` otherwise: such a link is of no use.
        """
        ours, theirs = urlsplit(self.base), urlsplit(link if isinstance(link, str) else "")
        if (theirs.scheme, theirs.netloc) != (ours.scheme, ours.netloc):
            raise CursorLost("graph: a link leads elsewhere")
        return str(link)

    def _exchange(self, mailbox: str, method: str, url: str, *, params: Mapping[str, str] | None, prefer: str,
                  headers: Mapping[str, str], content: bytes | None, limit: int) -> tuple[bytes, Mapping[str, str]]:
        """Send until there is an answer: one renewal of the token, and short pauses, are dealt with here."""
        target = url if url.startswith(("https:", "http:")) else f"{self.base}{url}"
        gate = self._gate(mailbox)
        token, renewed, patience = self._tokens.token(), False, self._patience
        while True:
            gate.rest(patience)
            sent = {"Accept": "application/json", **headers, "Authorization": f"Bearer {token}",
                    "Prefer": ", ".join(filter(None, (IMMUTABLE, prefer)))}
            status, raw, got = self._once(gate, method, target, params, sent, content, limit)
            if status < 300:
                gate.failures = 0
                return raw, got
            if status == UNAUTHORIZED and not renewed:
                token, renewed = self._tokens.token(refused=token), True
                continue
            error = graph_error(status, raw)
            if not isinstance(error, TryLater):
                raise error
            error.wait = gate.pause(status, got.get("retry-after", ""))
            if status not in BUSY or error.wait > patience:
                raise error
            patience -= error.wait

    def _once(self, gate: Gate, method: str, url: str, params: Mapping[str, str] | None, headers: Mapping[str, str],
              content: bytes | None, limit: int) -> tuple[int, bytes, Mapping[str, str]]:
        """One request and its reply, read to the end or to `limit`."""
        with gate.slot(self._timeout):
            self.requests += 1
            raw = bytearray()
            try:
                with self._client.stream(method, url, params=params, headers=headers, content=content) as reply:
                    most = limit if reply.status_code < 300 else MAX_JSON  # an error is read whatever its length
                    for chunk in reply.iter_bytes():
                        raw += chunk
                        if len(raw) > most:
                            raise TooLarge(f"more than {most} bytes", head=bytes(raw[:most]))
            except _CUT as exc:
                error = translated(exc)
                if isinstance(error, TryLater):
                    gate.failures += 1
                    error.wait = jitter(gate.failures)
                raise error from None
            return reply.status_code, bytes(raw), reply.headers

    def _gate(self, mailbox: str) -> Gate:
        with self._lock:
            return self._gates.setdefault(mailbox, Gate("graph: this mailbox", PARALLEL))


def values(body: Any) -> list[dict[str, Any]]:
    """The objects of a list reply. Raises `TryLater` when it holds no list of objects."""
    found = body.get("value") if isinstance(body, dict) else None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise TryLater("graph: the reply holds no list")
    return found
