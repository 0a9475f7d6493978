"""A stand-in for Microsoft Graph: real HTTP on loopback, mailboxes in memory, faults on demand.

    with serving_graph(verify=entra_says) as graph:
        box = graph.mailbox("dana@example.org")      # graph_state.BoxState
        graph.fault(r"GET .*\\$value", status=503, retry_after="1", times=2)
        graph.grants.discard("Calendars.ReadWrite"); graph.scope = {"dana@example.org"}

It holds itself to what the documentation says and the adapter must live with: at most four requests of a
mailbox at a time, immutable ids only when asked for, deltas that name only what changed, 412 for a stale etag.
What it answers is in `graph_shapes`; it knows nothing of the adapter.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
from graph_routes import Failure, Routes
from graph_shapes import error_json, notification_json
from graph_state import BoxState, Item

READ_WRITE = {"Mail.ReadWrite", "Calendars.ReadWrite", "MailboxSettings.ReadWrite", "Tasks.ReadWrite.All"}


@dataclass
class Fault:
    """What happens to the next `times` requests whose "METHOD path?query" matches: a status with its code, a
    pause, a reply cut in the middle, a foreign body; `before` it is served, or `then`, served but not answered."""

    pattern: str
    status: int = 0
    code: str = ""
    retry_after: str = ""
    slow: float = 0.0
    cut: bool = False
    body: bytes | None = None
    mime: str = "text/html"
    times: int = 1
    before: Callable[[], None] | None = None
    then: Callable[[], None] | None = None


@dataclass
class Exchanged:
    """One request and its reply, for the conformance suite."""

    method: str
    path: str
    asked: Any
    status: int
    answered: Any


@dataclass
class Graph:
    """The service and what tests may turn. `verify` says whether a bearer token is good."""

    url: str
    verify: Callable[[str], bool]
    boxes: dict[str, BoxState] = field(default_factory=dict)
    grants: set[str] = field(default_factory=lambda: set(READ_WRITE))
    scope: set[str] | None = None
    immutable_ids: bool = True
    sparse: bool = True
    can_filter: bool = True
    replay: bool = False
    guards_etags: bool = True
    limit_parallel: bool = True
    notify: str = "on"
    """How notifications are delivered: "on", "off" (missing), "double"."""
    faults: list[Fault] = field(default_factory=list)
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[str, Any] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    peak: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    record: list[Exchanged] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def mailbox(self, address: str) -> BoxState:
        """The mailbox of an address, made when it is not there."""
        with self.lock:
            if address not in self.boxes:
                box = BoxState(address)
                box.listeners.append(self._changed)
                self.boxes[address] = box
            return self.boxes[address]

    def fault(self, pattern: str, **fields: Any) -> Fault:
        """Plant a fault."""
        fault = Fault(pattern, **fields)
        self.faults.append(fault)
        return fault

    def forget_cursors(self) -> None:
        """Every delta link is answered with 410 from now on."""
        with self.lock:
            self.tokens.clear()

    def lifecycle(self, event: str) -> list[int]:
        """Send a life-cycle notification to every subscription; the statuses that came back."""
        found = list(self.subscriptions.values())
        if event == "subscriptionRemoved":
            self.subscriptions.clear()
        return [self.post(s["lifecycleNotificationUrl"], [notification_json(s, event)]) for s in found]

    def post(self, url: str, notifications: list[dict[str, Any]]) -> int:
        """Send notifications; the status that came back."""
        return httpx.post(url, json={"value": notifications}, timeout=10, trust_env=False).status_code

    def _changed(self, box: BoxState, item: Item) -> None:
        times = {"off": 0, "on": 1, "double": 2}[self.notify]
        for subscription in list(self.subscriptions.values()):
            if unquote(subscription["resource"]).casefold() == f"users/{box.address}/{item.what}".casefold():
                for _ in range(times):
                    threading.Thread(target=self._post_quietly, args=(subscription,), daemon=True).start()

    def _post_quietly(self, subscription: dict[str, Any]) -> None:
        try:
            self.post(subscription["notificationUrl"], [notification_json(subscription)])
        except httpx.HTTPError:
            return  # like the real one: it is lost, or comes again later

    # ---------------------------------------------------------------------------------------- requests

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON object or bytes, headers. Raises nothing for bad requests."""
        parts = urlsplit(target)
        path = [unquote(one) for one in parts.path.split("/") if one]
        query = {name: found[0] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
        if not self.verify(headers.get("Authorization", "").removeprefix("Bearer ")):
            return 401, error_json("InvalidAuthenticationToken"), {}
        if path[:1] != ["v1.0"]:
            return 404, error_json("ResourceNotFound"), {}
        asked = json.loads(body) if body else None
        try:
            status, found = Routes(self, headers.get("Prefer", ""), headers.get("If-Match", "")).run(
                method, path[1:], query, asked)
        except Failure as failure:
            status, found = failure.status, error_json(failure.code, failure.inner)
        if self.record is not None:
            self.record.append(Exchanged(method, target, asked, status, found))
        return status, found, {}


class _Handler(BaseHTTPRequestHandler):
    graph: Graph
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment: else the client waits for a delayed acknowledgement

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client was killed while it sent this
            raise ConnectionAbortedError
        key = f"{self.command} {self.path}"
        found = re.match(r"/v1\.0/users/([^/?]+)", self.path)
        box = unquote(found[1]) if found else ""
        graph = self.graph
        with graph.lock:
            graph.counted[self.command] += 1
            graph.running[box] += 1
            graph.peak[box] = max(graph.peak[box], graph.running[box])
            crowded = graph.limit_parallel and bool(box) and graph.running[box] > 4
            fault = next((f for f in graph.faults if f.times and re.search(f.pattern, unquote(key))), None)
            if fault:
                fault.times -= 1
        try:
            if crowded:
                self._say(429, error_json("ApplicationThrottled", "MailboxConcurrency"), {"Retry-After": "1"})
                return
            if fault and fault.before:
                fault.before()
            if fault and fault.slow:
                time.sleep(fault.slow)
            if fault and fault.status:
                after = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                self._say(fault.status, error_json(fault.code or "generalException"), after)
                return
            status, answer, headers = graph.answer(self.command, self.path, self.headers, body)
            if fault and fault.then:
                fault.then()
            if fault and fault.body is not None:
                answer, headers = fault.body, {"Content-Type": fault.mime}
            self._say(status, answer, headers, cut=bool(fault and fault.cut))
        finally:
            with graph.lock:
                graph.running[box] -= 1

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names http.server asks for

    def _say(self, status: int, answer: Any, headers: dict[str, str], *, cut: bool = False) -> None:
        raw = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        mime = "text/plain" if isinstance(answer, bytes) else "application/json;odata.metadata=minimal"
        self.send_response(status)
        for name, value in ({"Content-Type": mime} | headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[:len(raw) // 2] if cut else raw)
        self.wfile.flush()
        if cut:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away (killed on purpose) is no news."""


@contextmanager
def serving_graph(verify: Callable[[str], bool] = lambda token: token == "good") -> Iterator[Graph]:
    """The service on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    graph = Graph(f"http://127.0.0.1:{server.server_address[1]}", verify)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"graph": graph})  # type: ignore[assignment]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield graph
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


