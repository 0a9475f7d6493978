"""A stand-in for Dataverse: real HTTP on loopback, an organisation in memory, faults on demand.

    with serving_dataverse(verify=entra_says) as org:
        org.add("contacts", fullname="Wanda", emailaddress1="wanda@x.example", unit="north")
        org.fault(r"BATCH POST .*activitymimeattachments", status=500)      # the third operation of a change set
        org.privileges.discard("prvReadContact"); org.cut_bodies = 10

It holds itself to what the documentation says and the adapter must live with: columns that can only be read, lengths,
required columns, alternate keys with their forbidden characters, completed mail that cannot be edited, files over the
organisation's limit, duplicates refused, change sets that happen whole or not at all, versions, the rights of two users
at once, ids of rows that have no order anybody else knows, a count that ends at 5,000. It knows nothing of the adapter.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import compat32
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from dataverse_rules import ROOT, Refused, Request, error_json, stamp
from dataverse_schema import SPECS

ALL_PRIVILEGES = {f"prv{verb}{name}" for verb in ("Create", "Read", "Write", "Append", "AppendTo", "Delete", "Assign")
                  for name in ("Activity", "Note", "Account", "Contact", "Lead", "Opportunity", "User", "mw_tracker",
                               "Organization", "BusinessUnit")} | {"prvActOnBehalfOfAnotherUser",
                                                                   "prvDeleteRecordChangeHistory"}
Row = dict[str, Any]


@dataclass
class Fault:
    """What happens to the next `times` requests whose "METHOD path?query" matches (operations of a change set: "BATCH
    METHOD path"): a status with its code, a pause, a reply cut in the middle; `before` it is served, or `then`, served
    but not answered."""

    pattern: str
    status: int = 0
    code: str = ""
    retry_after: str = ""
    slow: float = 0.0
    cut: bool = False
    body: bytes | None = None
    times: int = 1
    before: Callable[[], None] | None = None
    then: Callable[[], None] | None = None


@dataclass
class Org:
    """The organisation and what tests may turn."""

    url: str
    verify: Callable[[str], bool]
    tables: dict[str, dict[str, Row]] = field(default_factory=lambda: {path: {} for path in SPECS})
    privileges: set[str] = field(default_factory=lambda: set(ALL_PRIVILEGES))
    sees: dict[str, set[str]] = field(default_factory=dict)
    """User id -> names of the business units whose records the user may read; not named = all."""
    lacking: set[str] = field(default_factory=set)
    """Names of tables or columns ("mw_tracker", "email.mw_key") that nobody has made, and keys ("key email")."""
    cut_bodies: int = 0
    drop_files: bool = False
    batch_status: int = 400
    most_parallel: int = 52
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: list[Fault] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)
    callers: list[str] = field(default_factory=list)
    history: dict[str, list[Row]] = field(default_factory=dict)
    running: int = 0
    peak: int = 0
    version: int = 0
    service: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.add("organizations", name="Test", maxuploadfilesize=5_242_880, blockedattachments="exe;js;vbs",
                 isauditenabled=True)
        self.service = self.add("systemusers", fullname="# mailweir", isdisabled=False, unit="")

    def organisation(self) -> Row:
        """Its settings."""
        return next(iter(self.tables["organizations"].values()))

    def add(self, path: str, *, unit: str = "", **columns: Any) -> str:
        """Put a row into a table, past every rule; its id. `unit` is the business unit that owns it."""
        with self.lock:
            spec = SPECS[path]
            ident = str(columns.pop(spec.key, "") or uuid.uuid4())
            self.version += 1
            row = {spec.key: ident, "createdon": stamp(self.clock()), "_version": self.version, "_unit": unit}
            if spec.states:
                row |= {"statecode": 0, "statuscode": spec.states[0][0]}
            elif "statecode" in spec.others:
                row["statecode"] = 0
            self.tables[path][ident] = row | columns
            return ident

    def user(self, address: str, unit: str = "", sees: set[str] | None = None) -> str:
        """A person who uses the organisation; their id."""
        found = next((r for r in self.tables["systemusers"].values() if r.get("internalemailaddress") == address), None)
        if found:
            return str(found["systemuserid"])
        ident = self.add("systemusers", fullname=address.partition("@")[0], internalemailaddress=address,
                         isdisabled=False, azureactivedirectoryobjectid=str(uuid.uuid4()), unit=unit)
        if sees is not None:
            self.sees[ident] = sees
        return ident

    def rows(self, path: str) -> list[Row]:
        """The rows of a table in the order in which they were made."""
        with self.lock:
            return sorted(self.tables[path].values(), key=lambda row: row["_version"])

    def of(self, path: str, column: str, ident: str) -> list[Row]:
        """The rows that point to a row."""
        return [row for row in self.rows(path) if row.get(f"_{column}_value") == ident]

    def fault(self, pattern: str, **fields: Any) -> Fault:
        """Plant a fault."""
        fault = Fault(pattern, **fields)
        self.faults.append(fault)
        return fault

    def due(self, key: str) -> Fault | None:
        """The fault for this request, used up by one."""
        with self.lock:
            fault = next((f for f in self.faults if f.times and re.search(f.pattern, unquote(key))), None)
            if fault:
                fault.times -= 1
            return fault

    # ---------------------------------------------------------------------------------------- requests

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON object or bytes, headers."""
        if not self.verify((headers.get("Authorization") or "").removeprefix("Bearer ")):
            return 401, error_json("0x80072560"), {}
        parts = urlsplit(target)
        if not parts.path.startswith(ROOT):
            return 404, error_json("0x8006088a"), {}
        path = unquote(parts.path.removeprefix(ROOT))
        query = {name: found[0] for name, found in parse_qs(parts.query, keep_blank_values=True).items()}
        if path == "/$batch":
            return self._batch(headers, body)
        try:
            with self.lock:
                asked = json.loads(body) if body else None
                request = Request(self, headers)
                found = request.run(method, path, query, asked)
                return 200, found, {"OData-EntityId": f"{self.url}{ROOT}/{request.made}"} if request.made else {}
        except Refused as refused:
            return refused.status, error_json(refused.code), {}

    def _batch(self, headers: Any, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """One change set: all of it or nothing."""
        kind = headers.get("Content-Type", "")
        outer = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=compat32)
        replies: list[tuple[int, Any]] = []
        with self.lock:
            before = {path: {ident: dict(row) for ident, row in table.items()} for path, table in self.tables.items()}
            kept = {ident: list(found) for ident, found in self.history.items()}
            try:
                for part in outer.walk():
                    if part.get_content_type() != "application/http":
                        continue
                    raw = part.get_payload(decode=True)
                    assert isinstance(raw, bytes)
                    replies.append(self._operation(raw, headers))
            except Refused as refused:
                self.tables, self.history = before, kept
                return self._multipart([(refused.status, error_json(refused.code))], self.batch_status)
        return self._multipart(replies, 200)

    def _operation(self, raw: bytes, outer: Any) -> tuple[int, Any]:
        head, _, content = raw.partition(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        method, target, _ = line.decode().split(" ")
        headers = dict(message_from_bytes(rest + b"\r\n\r\n").items()) | {"CallerObjectId": outer.get("CallerObjectId")}
        path = unquote(urlsplit(target).path.removeprefix(ROOT))
        fault = self.due(f"BATCH {method} {path}")
        if fault and fault.before:
            fault.before()
        if fault and fault.status:
            raise Refused(fault.status, fault.code or "0x80040216")
        asked = json.loads(content) if content.strip() else None
        return 204, Request(self, headers).run(method, path, {}, asked)

    def _multipart(self, replies: list[tuple[int, Any]], status: int) -> tuple[int, bytes, dict[str, str]]:
        lines = []
        for code, found in replies:
            text = json.dumps(found) if found is not None and code >= 300 else ""
            lines += ["--inner", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "",
                      f"HTTP/1.1 {code} X", *(["Content-Type: application/json"] if text else []), "", text]
        made = "\r\n".join(["--outer", "Content-Type: multipart/mixed; boundary=inner", "", *lines, "--inner--", "",
                            "--outer--", ""])
        return status, made.encode(), {"Content-Type": "multipart/mixed; boundary=outer"}


class _Handler(BaseHTTPRequestHandler):
    org: Org
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one segment: else the client waits for a delayed acknowledgement

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the client was killed while it sent this
            raise ConnectionAbortedError
        org = self.org
        fault = org.due(f"{self.command} {self.path.removeprefix(ROOT)}")
        with org.lock:
            org.counted[self.command] += 1
            org.running += 1
            org.peak = max(org.peak, org.running)
            crowded = org.running > org.most_parallel
        try:
            if crowded:
                self._say(429, error_json("0x80072326"), {"Retry-After": "1"})
                return
            if fault and fault.before:
                fault.before()
            if fault and fault.slow:
                time.sleep(fault.slow)
            if fault and fault.status:
                after = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                self._say(fault.status, error_json(fault.code or "0x80040216"), after)
                return
            status, answer, headers = org.answer(self.command, self.path, self.headers, body)
            if fault and fault.then:
                fault.then()
            if fault and fault.body is not None:
                answer = fault.body
            self._say(status, answer, headers, cut=bool(fault and fault.cut))
        finally:
            with org.lock:
                org.running -= 1

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = _serve  # noqa: N815 - the names http.server asks for

    def _say(self, status: int, answer: Any, headers: dict[str, str], *, cut: bool = False) -> None:
        raw = answer if isinstance(answer, bytes) else b"" if answer is None else json.dumps(answer).encode()
        self.send_response(204 if status == 200 and not raw else status)
        for name, value in ({"Content-Type": "application/json; odata.metadata=minimal"} | headers).items():
            self.send_header(name, value)
        if status != 200 or raw:
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
def serving_dataverse(verify: Callable[[str], bool] = lambda token: token == "good",
                      tls: ssl.SSLContext | None = None) -> Iterator[Org]:
    """The service on a free port of 127.0.0.1; with `tls` by https."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    org = Org(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}", verify)
    server.RequestHandlerClass = type("Handler", (_Handler,), {"org": org})  # type: ignore[assignment]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield org
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
