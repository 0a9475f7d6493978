"""Replies recorded from real Exchange servers go through the backend: read, or refused by an error of ours."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ews_home import ews_settings
from ews_server import USER, EwsServer
from exchangelib.util import MNS, create_element
from lxml import etree

from capture.errors import CaptureError, ItemGone, ItemUnreadable
from capture.mailbox import ews_calls as calls
from capture.mailbox import ews_items as items
from capture.mailbox.ews import EwsMailbox
from capture.ports import Folder, ItemKind, ItemRef, Stamp

pytestmark = pytest.mark.conformance
BOX = "somebody@example.org"
DATA = Path(os.environ.get("MAILWEIR_CONFORMANCE_DATA", "/nowhere")) / "exchange" / "ews"
FILES = sorted(path.name for path in (DATA / "replies").glob("*.xml")) or ["none"]


class Replay(ThreadingHTTPServer):
    """Answers every request with the reply that is laid in for its operation."""

    daemon_threads = True
    replies: dict[str, bytes]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Replay

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        """The laid-in reply."""
        root = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        operation = etree.QName(root.find("{http://schemas.xmlsoap.org/soap/envelope/}Body")[0]).localname
        reply = self.server.replies[operation]
        self.send_response(200)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)


@pytest.fixture(scope="module")
def replay() -> Iterator[Replay]:
    assert DATA.is_dir(), "run `make conformance DATA=<folder>` with a folder that has exchange/ews"
    server = Replay(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def mailbox(replay: Replay) -> Iterator[EwsMailbox]:
    made = EwsMailbox(ews_settings(EwsServer(url=f"http://127.0.0.1:{replay.server_address[1]}/EWS/Exchange.asmx"), BOX,
                                   user=USER))
    yield made
    made.close()


def body_of(raw: bytes) -> Any:
    return etree.fromstring(raw).find("{http://schemas.xmlsoap.org/soap/envelope/}Body")[0]


def operation_of(name: str) -> str:
    return name.partition("-")[0]


def read_folders(mailbox: EwsMailbox, raw: bytes) -> None:
    """GetFolder."""
    asked = calls.DISTINGUISHED[:sum(1 for _ in body_of(raw).iter(f"{{{MNS}}}GetFolderResponseMessage"))]
    found = mailbox.connection.run(BOX, partial(calls.get_distinguished, names=asked))
    names = [one.text for one in body_of(raw).iter(calls.tag("DisplayName"))]
    assert [row.name for row in found.values()] == names


def find_folders(mailbox: EwsMailbox, raw: bytes) -> None:
    """FindFolder."""
    found = mailbox.connection.run(BOX, partial(calls.find_folders, root="x"))
    assert sorted(row.name for row in found) == sorted(one.text for one in body_of(raw).iter(calls.tag("DisplayName")))
    assert all(folder.kind in ("mail", "calendar", "tasks") for folder in mailbox._watched(BOX, {}, found))


def sync(mailbox: EwsMailbox, raw: bytes) -> None:
    """SyncFolderItems."""
    page = mailbox.changes(Folder(BOX, "x"), b"")
    assert page.cursor.startswith(b"ews1:")
    state = body_of(raw).find(f".//{{{MNS}}}SyncState").text
    assert page.cursor.endswith(state.encode())


def find_items(mailbox: EwsMailbox, raw: bytes) -> None:
    """FindItem."""
    pages = mailbox.connection.run(BOX, partial(calls.find_items, folders=["x"], fields=items.MAIL_FIELDS))
    elements = [element for page, _ in pages for element in page]
    assert len(elements) == sum(1 for one in body_of(raw).iter(calls.tag("Items")) for _ in one)
    for element in elements:
        sighting = items.sighting(BOX, element, "Track in CRM")
        if items.kind_of(element) is not None:
            assert sighting is not None
            assert sighting.ref.key == items.key_of(element) != ""
            assert sighting.ref.identity


def get_item(mailbox: EwsMailbox, raw: bytes) -> None:
    """GetItem: an appointment is put together, a contact is none of ours."""
    kind = etree.QName(next(body_of(raw).iter(f"{{{MNS}}}Items"))[0]).localname
    ref = ItemRef(BOX, "x", ItemKind.APPOINTMENT if kind == "CalendarItem" else ItemKind.MAIL)
    if kind == "Contact":
        with pytest.raises(ItemUnreadable):
            mailbox.fetch(ref)
        return
    fetched = mailbox.fetch(ref)
    assert b"text/calendar" in fetched.raw
    assert fetched.ref.identity.startswith("uid:")


def update_item(mailbox: EwsMailbox, raw: bytes) -> None:
    """UpdateItem, with the item of the reply as the one that was read."""
    element = next(body_of(raw).iter(f"{{{MNS}}}Items"))[0]
    written = mailbox.connection.run(BOX, partial(
        calls.update_item, item=element, categories=["CRM: linked"], stamp=items.written(Stamp("c", "linked", 1))))
    assert items.key_of(written) == items.key_of(element)


def any_other(mailbox: EwsMailbox, raw: bytes) -> None:
    """Operations we do not send: their replies are read, and their errors are ours."""
    response = body_of(raw)
    operation = etree.QName(response).localname.removesuffix("Response")
    kind = type(operation, (calls.Call,), {"SERVICE_NAME": operation})
    codes = {one.text for one in response.iter(f"{{{MNS}}}ResponseCode")}

    def ask(account: Any) -> list[Any]:
        return kind(account=account).send(create_element(f"m:{operation}"))

    if codes == {"ErrorItemNotFound"}:
        with pytest.raises(ItemGone):
            mailbox.connection.run(BOX, ask)
    elif codes == {"NoError"}:
        assert mailbox.connection.run(BOX, ask)
    else:
        with pytest.raises(CaptureError):
            mailbox.connection.run(BOX, ask)


READERS: dict[str, Callable[[EwsMailbox, bytes], None]] = {
    "GetFolder": read_folders, "FindFolder": find_folders, "SyncFolderItems": sync, "FindItem": find_items,
    "GetItem": get_item, "UpdateItem": update_item}


@pytest.mark.parametrize("name", FILES)
def test_a_recorded_reply_is_read_or_refused_by_an_error_of_ours(replay: Replay, mailbox: EwsMailbox,
                                                                 name: str) -> None:
    raw = (DATA / "replies" / name).read_bytes()
    replay.replies = {etree.QName(body_of(raw)).localname.removesuffix("Response"): raw}
    READERS.get(operation_of(name), any_other)(mailbox, raw)


def test_an_item_of_any_recorded_outline_is_read() -> None:
    """Outlines of replies that are not in the folder because they name people: elements in order, values invented."""
    kinds = set()
    for line in (DATA / "item-shapes.jsonl").read_text("utf-8").splitlines():
        shape = json.loads(line)
        element = etree.Element(calls.tag(shape["item"]))
        for one in shape["shape"]:
            _element(element, one)
        sighting = items.sighting(BOX, element, "Track in CRM")
        kinds.add(shape["item"])
        assert (sighting is None) == (shape["item"] == "Contact")
        if sighting is not None:
            assert (sighting.ref.key, sighting.tagged, sighting.state) == ("value", False, "")
            assert sighting.ref.identity in ("mid:value", "uid:value")
    assert "Message" in kinds


def _element(parent: Any, outline: Any) -> None:
    (name, children), = outline.items() if isinstance(outline, dict) else ((outline, ()),)
    name, _, attributes = name.partition("(")
    made = etree.SubElement(parent, calls.tag(name), {key: "value" for key in attributes.strip(")").split(",") if key})
    made.text = None if children or attributes else "value"
    for child in children:
        _element(made, child)
