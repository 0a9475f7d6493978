"""Every request we send and every reply of the fake server fits Microsoft's EWS schema."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ews_xml
import pytest
from ews_home import BOX, ews_mailbox
from ews_server import PASSWORD, USER, EwsServer, serving, templates
from ews_store import Attached
from exchangelib import IMPERSONATION, UTC, Account, Configuration, Credentials, FileAttachment, Message, Version
from exchangelib.protocol import close_connections
from exchangelib.version import EXCHANGE_2019
from lxml import etree
from world import mail

from capture.errors import CaptureError
from capture.ports import ItemRef, Stamp

pytestmark = pytest.mark.conformance
TAG = "Track in CRM"
SOAP = f"{{{ews_xml.SOAP}}}"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def exchange() -> Path:
    data = os.environ.get("MAILWEIR_CONFORMANCE_DATA")
    assert data, "run `make conformance DATA=<folder>`"
    found = Path(data) / "exchange" / "ews"
    assert found.is_dir(), "the data folder has no exchange/ews"
    return found


@pytest.fixture(scope="module")
def problems(exchange: Path) -> Callable[[bytes], list[str]]:
    """Where a SOAP envelope departs from the schema. A fault is no EWS element: its detail is looked at by hand."""
    schema = etree.XMLSchema(etree.parse(str(exchange / "schema" / "ews.xsd")))

    def check(envelope: bytes) -> list[str]:
        root = etree.fromstring(envelope)
        found = []
        header = root.find(f"{SOAP}Header")
        for element in [*(header if header is not None else ()), root.find(f"{SOAP}Body")[0]]:
            if etree.QName(element).namespace == ews_xml.SOAP:
                code = element.findtext(f"detail/{{{ews_xml.E}}}ResponseCode")
                found += [] if code else ["a fault without a code"]
            elif not schema.validate(etree.ElementTree(element)):
                found += [f"{etree.QName(element).localname}: {one.message}" for one in schema.error_log]
        return found

    return check


def everything(server: EwsServer) -> None:
    """Every request the backend can send, and every kind of reply."""
    mailbox = ews_mailbox(server, outside="lee@example.org")
    store = server.store
    store.add_mailbox("lee@example.org")
    files = (Attached("a.txt", b"some text"), Attached("old", mail("Old", "x"), sort="item"),
             Attached("link", b"", sort="reference"), Attached("broken", b"", broken=True))
    many = [store.put(BOX, "inbox", mime=mail(f"S {n}", "x", message_id=f"s{n}@x.example"),
                      categories=(TAG, "Réd & <b>"), attachments=files[:1]) for n in range(20)]
    store.put(BOX, "inbox", mime=mail("D", "x"), categories=(TAG,), properties={"item:IsDraft": "true"})
    for kind in ("MeetingRequest", "Contact", "PostItem"):
        store.put(BOX, "Inbox/Deep", kind, categories=(TAG,))
    meeting = {"item:Subject": "M", "item:Body": "b", "calendar:UID": "uid-1", "calendar:Start": "2026-03-05T17:00:00Z",
               "calendar:End": "2026-03-05T18:00:00Z", "calendar:Location": "Room", "calendar:IsCancelled": "false",
               "calendar:CalendarItemType": "RecurringMaster", "calendar:Organizer": "Dana <dana@example.org>",
               "calendar:RequiredAttendees": "Rose <r@x.example>; Bo <b@x.example>",
               "calendar:OptionalAttendees": "Ed <e@x.example>"}
    series = store.put(BOX, "calendar", "CalendarItem", categories=(TAG,), properties=meeting, attachments=files)
    store.occurrence(BOX, series, "2026-03-12T17:00:00Z", categories=(TAG,))
    store.put(BOX, "tasks", "Task", categories=(TAG,), attachments=files[:2], properties={
        "item:Subject": "T", "item:Body": "<p>b</p>", "body type": "HTML", "task:BillingInformation": "b",
        "task:Companies": "Acme", "task:DueDate": "2026-03-05T17:00:00Z", "task:Mileage": "3", "task:Owner": "Dana",
        "task:StartDate": "2026-03-04T17:00:00Z", "task:Status": "InProgress"})
    for folder in mailbox.folders(BOX):
        page = mailbox.changes(folder, b"")
        for item in many[:2]:
            store.read(BOX, item)
        if folder.path == "Inbox":
            store.delete(BOX, many[-1])
        mailbox.changes(folder, page.cursor)
        _tolerated(lambda folder=folder: mailbox.changes(folder, b"ews1:AAAA"))
    for sighting in list(mailbox.tagged(BOX)):
        fetched = mailbox.fetch(sighting.ref)
        server.faults.add("stale", "UpdateItem", user="Green")
        marked = mailbox.mark(fetched.ref, "pending", Stamp("cap-1", "pending", 1))
        mailbox.mark(marked, "", Stamp("cap-1", "", 1))
    store.move(BOX, many[0], "Inbox/Deep")
    mailbox.locate(ItemRef(BOX, "x", identity="mid:<s0@x.example>"), capture="cap-1", message_id="q@x.example")
    mailbox.locate(ItemRef(BOX, "x"), capture="none")
    _tolerated(lambda: mailbox.fetch(ItemRef(BOX, "AAAA")))
    _tolerated(lambda: mailbox.mark(ItemRef(BOX, "AAAA"), "held"))
    mailbox.check(BOX)
    _tolerated(lambda: mailbox.check("nobody@example.org"))
    for operation, ask in (("GetItem", lambda: mailbox.fetch(ItemRef(BOX, many[1].key))),
                           ("UpdateItem", lambda: mailbox.mark(ItemRef(BOX, many[1].key), "held")),
                           ("FindItem", lambda: list(mailbox.tagged(BOX))),
                           ("GetFolder", lambda: mailbox.folders(BOX)), ("FindFolder", lambda: mailbox.folders(BOX))):
        server.faults.add("error", operation, code="ErrorAccessDenied")
        _tolerated(ask)
    for fault in ("busy", "fault"):
        server.faults.add(fault, wait=0.01, code="ErrorInvalidRequest")
        _tolerated(lambda: mailbox.folders(BOX))
        time.sleep(0.02)
    store.box(BOX).read_only = True
    _tolerated(lambda: mailbox.mark(ItemRef(BOX, many[2].key), "held"))
    mailbox.close()


def _tolerated(ask: Callable[[], Any]) -> None:
    """Ask something that may end in an error of ours, and in no other."""
    try:
        ask()
    except CaptureError:
        return


def streams(server: EwsServer) -> None:
    """Subscribing, notifications, heartbeats, a forgotten subscription, the end."""
    server.minute = 0.02
    mailbox = ews_mailbox(server, streaming=True)
    stop = threading.Event()
    threading.Timer(4, stop.set).start()
    for n, _ in enumerate(mailbox.wakeups(stop)):
        server.store.put(BOX, "inbox", mime=mail("W", "x"))
        if n == 1:
            server.store.listeners.clear()
    mailbox.close()


def a_foreign_client(server: EwsServer) -> None:
    """exchangelib's own folders and items: they use operations that we do not."""
    config = Configuration(service_endpoint=server.url, credentials=Credentials(USER, PASSWORD), auth_type="basic",
                           version=Version(build=EXCHANGE_2019), max_connections=3)
    account = Account(BOX, access_type=IMPERSONATION, config=config, default_timezone=UTC)
    message = Message(account=account, folder=account.inbox, subject="Quote", body="Hello", categories=["Red"])
    message.save()
    list(account.inbox.sync_items(only_fields=["subject"]))
    list(account.root.sync_hierarchy())
    message.attach(FileAttachment(name="a.txt", content=b"some text"))
    assert next(iter(account.fetch([message]))).attachments[0].content == b"some text"
    message.move(account.sent)
    message.delete()
    account.protocol.resolve_names(["dana"])
    close_connections()


@pytest.mark.parametrize("scene", [everything, streams, a_foreign_client])
def test_requests_and_replies_fit_the_schema(problems: Callable[[bytes], list[str]],
                                             scene: Callable[[EwsServer], None]) -> None:
    with serving(record=True) as server:
        server.store.add_mailbox(BOX)
        scene(server)
    assert server.problems == []
    assert len(server.recorded) > 5
    wrong = {f"{operation} {side}: {problem}" for operation, request, reply in server.recorded
             for side, sent in (("request", request), ("reply", reply)) for problem in problems(sent)}
    assert sorted(wrong) == []
    if scene is everything:
        assert {operation for operation, _, _ in server.recorded} >= {
            "GetFolder", "FindFolder", "SyncFolderItems", "FindItem", "GetItem", "GetAttachment", "UpdateItem"}
        assert (ROOT / "tests/servers/ews_stamp.txt").read_text("utf-8").strip() == templates(), (
            f"all fits; write {templates()} into tests/servers/ews_stamp.txt")


def test_the_fake_writes_elements_in_the_order_of_real_servers(exchange: Path) -> None:
    """Outlines of recorded items: the elements both have stand in one order."""
    order = [field.split(":")[-1] for field in ews_xml.ORDER]
    lines = (exchange / "item-shapes.jsonl").read_text("utf-8").splitlines()
    assert lines
    for line in lines:
        shape = [next(iter(one)) if isinstance(one, dict) else one.split("(")[0] for one in json.loads(line)["shape"]]
        shared = [name for name in shape if name in order]
        assert shared == sorted(shared, key=order.index)
