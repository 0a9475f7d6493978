"""A fake Exchange server: real HTTP on loopback, mailboxes in memory, faults on demand.

    with serving() as server:
        server.store.add_mailbox("dana@example.org")
        server.faults.add("busy", "GetItem", wait=2.0)
        ... server.url ...
    assert server.problems == []

`problems` are requests that no good client sends: too many ids, more than three at a time for a mailbox, an
invitation sent out by a mark, an anchor that is not the mailbox. With `record` every request and reply is kept for
the schema. Nothing of mailweir is imported here.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import queue
import secrets
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import ews_xml as xml
from ews_operations import Operations, Refused
from ews_store import Store
from lxml import etree

USER, PASSWORD = "svc-mailweir", "an invented password"
_NAMES = {"m": xml.M, "t": xml.T, "s": xml.SOAP}


@dataclass
class Fault:
    """Something that goes wrong: for one operation ("" = any), a number of times, with its values."""

    kind: str
    operation: str
    times: int
    values: dict[str, Any]


class Faults:
    """The faults still to come.

    | kind | what happens |
    |---|---|
    | busy | ErrorServerBusy with BackOffMilliseconds (`wait` seconds; 0 = it does not say) |
    | error | a response message with `code` |
    | fault | a SOAP fault with `code` |
    | http | status `status` with `headers` |
    | slow | the reply comes after `seconds` |
    | cut | the reply breaks off in the middle; with `silent` nothing tells that it did |
    | refuse cursor, ignore cursor | of a sync |
    | stale | somebody else changes the item before the write; `user` is a category of theirs |
    | wrong mime | another mail's MIME (`mime`) |
    | drop stream | the connection ends without a word |
    | double, late, missing | of events in a stream |
    """

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, kind: str, operation: str = "", *, times: int = 1, **values: Any) -> None:
        """Let something go wrong, the next `times` times."""
        with self._lock:
            self._waiting.append(Fault(kind, operation, times, values))

    def take(self, kind: str, operation: str) -> dict[str, Any] | None:
        """The values of a fault that strikes now; None when there is none."""
        with self._lock:
            for fault in self._waiting:
                if fault.kind == kind and fault.operation in ("", operation):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault.values
        return None

    def left(self) -> list[str]:
        """Faults that never struck."""
        return [fault.kind for fault in self._waiting]


@dataclass
class EwsServer:
    """What tests see of the running server."""

    store: Store = field(default_factory=Store)
    faults: Faults = field(default_factory=Faults)
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    asked_for: Counter[tuple[str, str]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    record: bool = False
    recorded: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    version_header: bool = True
    change_keys: bool = True
    beat: float = 0.2
    minute: float = 60.0
    allowed: set[str] | None = None
    tokens: set[str] = field(default_factory=set)
    scopes: list[str] = field(default_factory=list)
    streaming: int = 0
    at_a_time: Counter[str] = field(default_factory=Counter)
    most_at_a_time: int = 0
    lock: Any = field(default_factory=threading.RLock)
    stopping: threading.Event = field(default_factory=threading.Event)
    before: list[Callable[[str, str], None]] = field(default_factory=list)
    after: list[Callable[[str, str], None]] = field(default_factory=list)

    def problem(self, what: str) -> None:
        """Note a request that no good client sends."""
        with self.lock:
            self.problems.append(what)

    def keep(self, operation: str, request: bytes, reply: bytes) -> None:
        """Keep a request and its reply for the schema."""
        if self.record:
            with self.lock:
                self.recorded.append((operation, request, reply))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, *_: object) -> None:
        """Nothing is logged: paths and statuses are no use, ids are not to be shown."""

    def do_POST(self) -> None:
        """One operation."""
        fake = self.server.fake
        length = int(self.headers.get("Content-Length", "0"))
        request = self.rfile.read(length)
        if len(request) < length:  # the client was killed while it sent this
            raise ConnectionAbortedError
        root = etree.fromstring(request)
        call = root.find("s:Body", _NAMES)[0]
        operation = etree.QName(call).localname
        mailbox = root.findtext(".//t:ExchangeImpersonation//t:PrimarySmtpAddress", "", _NAMES) or (
            self.headers.get("X-AnchorMailbox", ""))
        if operation == "ResolveNames" and not mailbox:  # asks nothing of a mailbox
            mailbox = next(iter(fake.store.mailboxes), "")
        with fake.lock:
            fake.asked[operation] += 1
            fake.asked_for[mailbox, operation] += 1
        for hook in list(fake.before):
            hook(operation, mailbox)
        if self._refused(operation, mailbox):
            return
        stream = operation == "GetStreamingEvents"
        with self._counted(fake, mailbox, counted=not stream):
            if slow := fake.faults.take("slow", operation):
                fake.stopping.wait(slow["seconds"])
            self._answer(fake, operation, mailbox, call, request)

    def _answer(self, fake: EwsServer, operation: str, mailbox: str, call: Any, request: bytes) -> None:
        try:
            self._may_open(fake, operation, mailbox)
            if operation == "GetStreamingEvents":
                self._stream(fake, mailbox, call, request)
                return
            if wrong := fake.faults.take("error", operation):
                body = xml.response(operation, [xml.error(operation, wrong["code"], Operations.empty(operation))])
            else:
                body = Operations(fake, mailbox).answer(operation, call)
        except Refused as refused:
            reply, status = xml.fault(refused.code, refused.values), 500
        else:
            reply, status = xml.envelope(body, version=fake.version_header), 200
        for hook in list(fake.after):
            hook(operation, mailbox)
        fake.keep(operation, request, reply)
        cut = fake.faults.take("cut", operation)
        self._send(status, reply, cut=cut)

    def _refused(self, operation: str, mailbox: str) -> bool:
        """Whether the request fails before it is looked at: sign-in and plain HTTP errors."""
        fake = self.server.fake
        if (given := fake.faults.take("http", operation)) is not None:
            self._send(given["status"], b"refused", headers=given.get("headers", {}), kind="text/plain")
            return True
        given = self.headers.get("Authorization", "")
        if given not in self._welcome():
            self._send(401, b"", headers={"WWW-Authenticate": 'Basic realm="x"'}, kind="text/plain")
            return True
        anchor = self.headers.get("X-AnchorMailbox", "")
        if mailbox and operation != "ResolveNames" and anchor.casefold() != mailbox.casefold():
            fake.problem(f"{operation}: the anchor is not the mailbox")
        return False

    def _welcome(self) -> set[str]:
        """What an Authorization header may say."""
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return {f"Basic {basic}", *(f"Bearer {token}" for token in self.server.fake.tokens)}

    def _may_open(self, fake: EwsServer, operation: str, mailbox: str) -> None:
        """Raise the SOAP fault this request is answered with, if any."""
        if fault := fake.faults.take("fault", operation):
            raise Refused(fault["code"])
        if (busy := fake.faults.take("busy", operation)) is not None:
            wait = busy.get("wait", 0)
            raise Refused("ErrorServerBusy", [("BackOffMilliseconds", str(int(wait * 1000)))] if wait else [])
        if mailbox.casefold() not in fake.store.mailboxes:
            raise Refused("ErrorNonExistentMailbox")
        if fake.allowed is not None and mailbox not in fake.allowed:
            raise Refused("ErrorImpersonateUserDenied")

    @contextlib.contextmanager
    def _counted(self, fake: EwsServer, mailbox: str, *, counted: bool) -> Iterator[None]:
        if not counted:
            yield
            return
        with fake.lock:
            fake.at_a_time[mailbox] += 1
            fake.most_at_a_time = max(fake.most_at_a_time, fake.at_a_time[mailbox])
            if fake.at_a_time[mailbox] > 3:
                fake.problem("more than three requests at a time for a mailbox")
        try:
            yield
        finally:
            with fake.lock:
                fake.at_a_time[mailbox] -= 1

    def _send(self, status: int, body: bytes, *, headers: dict[str, str] | None = None,
              kind: str = "text/xml; charset=utf-8", cut: dict[str, Any] | None = None) -> None:
        shown = body
        if cut is not None:
            shown = body[:int(len(body) * cut.get("at", 0.5))]
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Set-Cookie", "exchangecookie=0123456789abcdef; path=/")
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            if cut is not None and cut.get("silent"):
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(shown)
        except OSError:
            pass  # the client went away
        if cut is not None:
            self.close_connection = True

    # ---------------------------------------------------------------------------------------------- stream

    def _stream(self, fake: EwsServer, mailbox: str, call: Any, request: bytes) -> None:
        """Notifications until the time is over, the client goes, or the connection is dropped."""
        minutes = int(call.findtext("m:ConnectionTimeout", "0", _NAMES))
        ids = [one.text for one in call.iterfind("m:SubscriptionIds/t:SubscriptionId", _NAMES)]
        if not 1 <= minutes <= 30:
            fake.problem("a stream of more than 30 minutes")
        if any(one not in fake.store.listeners for one in ids):
            wrong = xml.error("GetStreamingEvents", "ErrorSubscriptionNotFound")
            self._send(200, xml.envelope(xml.response("GetStreamingEvents", [wrong])))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with fake.lock:
            fake.streaming += 1
        try:
            self._events(fake, ids, time.monotonic() + minutes * fake.minute, request)
        except OSError:
            pass  # the client went away
        finally:
            self.close_connection = True
            with fake.lock:
                fake.streaming -= 1

    def _events(self, fake: EwsServer, ids: list[str], end: float, request: bytes) -> None:
        self._piece(fake, "<m:ConnectionStatus>OK</m:ConnectionStatus>", request)
        while time.monotonic() < end and not fake.stopping.is_set():
            if fake.faults.take("drop stream", "GetStreamingEvents") is not None:
                return  # without the last chunk
            for one in ids:
                if one not in fake.store.listeners:
                    return  # forgotten: the connection goes with it
                _, events = fake.store.listeners[one]
                try:
                    what, folder, key = events.get(timeout=fake.beat / len(ids))
                except queue.Empty:
                    continue
                if fake.faults.take("missing", "GetStreamingEvents") is not None:
                    continue
                if late := fake.faults.take("late", "GetStreamingEvents"):
                    fake.stopping.wait(late["seconds"])
                times = 2 if fake.faults.take("double", "GetStreamingEvents") is not None else 1
                self._piece(fake, _notification(one, what, folder, key) * times, request)
            self._piece(fake, "<m:ConnectionStatus>OK</m:ConnectionStatus>", request)
        self._piece(fake, "<m:ConnectionStatus>Closed</m:ConnectionStatus>", request)
        self.wfile.write(b"0\r\n\r\n")

    def _piece(self, fake: EwsServer, content: str, request: bytes) -> None:
        if content.startswith("<t:Notification"):
            content = f"<m:Notifications>{content}</m:Notifications>"
        data = xml.envelope(xml.response("GetStreamingEvents", [xml.success("GetStreamingEvents", content)]))
        fake.keep("GetStreamingEvents", request, data)
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def _notification(subscription: str, what: str, folder: str, key: str) -> str:
    event = {"Create": "NewMailEvent", "Delete": "DeletedEvent"}.get(what, "ModifiedEvent")
    return (f"<t:Notification><t:SubscriptionId>{subscription}</t:SubscriptionId><t:{event}>"
            f"<t:TimeStamp>2026-03-02T09:00:00Z</t:TimeStamp>"
            f'<t:ItemId Id="{key}" ChangeKey="CQAAAA=="/><t:ParentFolderId Id="{folder}" ChangeKey="AQAAAA=="/>'
            f"</t:{event}></t:Notification>")


class _Issuer(BaseHTTPRequestHandler):
    server: _Http

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        """A new bearer token, the only one that is good from now on; or an error."""
        fake = self.server.fake
        form = parse_qs(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())
        wrong = fake.faults.take("issuer", "")
        good = form.get("client_id") == [USER] and form.get("client_secret") == [PASSWORD] and wrong is None
        token = secrets.token_urlsafe(16)
        if good:
            fake.tokens.clear()
            fake.tokens.add(token)
        fake.scopes += form.get("scope", [])
        body = json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600} if good
                          else {"error": (wrong or {}).get("error", "invalid_client")}).encode()
        self.send_response(200 if good else (wrong or {}).get("status", 401))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    fake: EwsServer

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error; any other fault of the fake is a problem the tests see."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.fake.problem(f"the fake failed: {type(error).__name__} {error}")


def templates() -> str:
    """The stamp of the reply templates: it changes when they do."""
    sha = hashlib.sha256()
    for name in ("ews_xml.py", "ews_operations.py"):
        sha.update(Path(__file__).with_name(name).read_bytes())
    return sha.hexdigest()


@contextlib.contextmanager
def over_https(fake: EwsServer, certificate: Any, *, issuer: bool = False) -> Iterator[str]:
    """The server once more, or its token issuer, by https with a `trustme` certificate; yields the address."""
    http = _Http(("127.0.0.1", 0), _Issuer if issuer else _Handler)
    http.fake = fake
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{http.server_address[1]}/{'token' if issuer else 'EWS/Exchange.asmx'}"
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[EwsServer]:
    """A running server."""
    fake = EwsServer(**options)
    http = _Http(("127.0.0.1", 0), _Handler)
    http.fake = fake
    fake.url = f"http://127.0.0.1:{http.server_address[1]}/EWS/Exchange.asmx"
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.stopping.set()
        http.shutdown()
        http.server_close()
        thread.join()
