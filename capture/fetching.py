"""Getting the item a capture is about: found again when it was moved, and the one that was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from email.parser import BytesHeaderParser
from email.policy import compat32

from sqlmodel import Session

from capture import marking
from capture.errors import ItemGone, Parked
from capture.mailbox.filemarks import header_of
from capture.ports import ItemRef, MailItem
from capture.wiring import Tools
from pii_scan.text import Extraction, Part, Unread
from store import identity, places, watch
from store.places import Spot
from store.tables import Capture


def fetch(tools: Tools, row: Capture) -> MailItem:
    """The item of a capture, wherever it is now in its mailbox.

    When the pane named a Message-ID, the item fetched has it: ids of items change, and some clients give a wrong
    one. Raises `ItemGone`, and what `Mailbox.fetch` raises; a mailbox that refuses us is parked.
    """
    ref, spot = marking.ref_of(tools, row)
    try:
        item = _fetch(tools, ref, row.id, spot.message_id)
        if spot.message_id and not _is(item, spot.message_id):
            found = tools.mailbox.locate(ItemRef(row.mailbox, ""), message_id=spot.message_id)
            if found is None:
                raise ItemGone
            item = tools.mailbox.fetch(found)
            if not item.private and not _is(item, spot.message_id):  # a private one came without its header
                raise ItemGone
    except Parked as error:
        with tools.database.session() as session:
            watch.see(session, row.mailbox)
            watch.park(session, row.mailbox, code=error.code, seconds=tools.settings.mailbox.parked_seconds)
        raise
    return item


def named(tools: Tools, ref: ItemRef, message_id: str) -> MailItem:
    """The item somebody named by id and Message-ID, to be looked at only: the one that has this Message-ID, wherever
    it is in this mailbox. Raises `ItemGone`, and what `Mailbox.fetch` raises."""
    item = _fetch(tools, ref, "", message_id) if ref.key else None
    if item is not None and (not message_id or item.private or _is(item, message_id)):
        return item
    found = tools.mailbox.locate(ItemRef(ref.mailbox, ""), message_id=message_id) if message_id else None
    if found is None:
        raise ItemGone
    item = tools.mailbox.fetch(found)
    if not item.private and not _is(item, message_id):
        raise ItemGone
    return item


def note_place(tools: Tools, session: Session, row: Capture, ref: ItemRef) -> bool:
    """Keep where the item was found. False when another capture of it is underway: then this one is cancelled."""
    spot = places.spot_of(tools.keys, row)
    locator = places.seal(tools.keys, ref.mailbox, Spot(ref.key, ref.identity, spot.message_id if spot else ""))
    key = marking.source_key(tools, ref) if row.trigger == "request" else row.source_key
    return places.placed(session, row.id, source_key=key, locator=locator, kind=ref.kind)


def with_unread(extraction: Extraction, unread: Sequence[Unread]) -> Extraction:
    """The extraction with what the server listed but did not hand over: unread parts hold the item."""
    if not unread:
        return extraction
    return replace(extraction, parts=(*extraction.parts, *(
        Part(one.place, "not fetched", status="unreadable", code=one.code) for one in unread)))


def _fetch(tools: Tools, ref: ItemRef, capture: str, message_id: str) -> MailItem:
    try:
        return tools.mailbox.fetch(ref)
    except ItemGone:
        found = tools.mailbox.locate(ref, capture, message_id)
        if found is None:
            raise
        return tools.mailbox.fetch(found)


def _is(item: MailItem, message_id: str) -> bool:
    found = BytesHeaderParser(policy=compat32).parsebytes(header_of(item.raw)).get("Message-ID", "")
    return identity.normalise_message_id(str(found)) == identity.normalise_message_id(message_id)
