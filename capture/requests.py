"""The third trigger: somebody asks for one item by its id, from the pane or the command line.

The id comes from a client and is not to be trusted: the item is fetched from the asker's mailbox only, and must have
the Message-ID that came with it, or is searched by that (`capture/fetching.py`). Whether the asker may speak for the
mailbox is the caller's to check.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlmodel import Session

from capture import marking
from capture.ports import ItemKind, ItemRef
from capture.wiring import Tools
from store import ledger, places, watch
from store.places import Spot

MOST = 4000
"""Longest id of an item or a Message-ID that is taken."""


def request(tools: Tools, enqueue: Callable[[Session, str], None], mailbox: str, item_id: str, *,
            internet_message_id: str, requested_by: str, kind: ItemKind = ItemKind.MAIL,
            noted: Callable[[Session, str], None] | None = None) -> str:
    """Register and queue the capture of one item; returns its id.

    An explicit new trigger: done before, it begins anew (and ends at once when nothing changed); underway, that
    capture's id is returned. `item_id` may be empty when there is a Message-ID. `internet_message_id` is empty for
    appointments and tasks. `enqueue(session, capture_id)` is called in the transaction that registers, and before it
    `noted`, which keeps what was chosen for the item.
    Raises `ValueError` when there is neither, or one is longer than `MOST`.
    """
    if not (item_id or internet_message_id) or max(len(item_id), len(internet_message_id)) > MOST:
        raise ValueError("an item is named by its id or its Message-ID")
    named = item_id or f"<{internet_message_id.strip().strip('<>')}>"
    source = marking.source_key(tools, ItemRef(mailbox, named))
    spot = Spot(item_id, "", internet_message_id.strip())
    with tools.database.session() as session:
        watch.see(session, mailbox)
        known = places.latest(session, mailbox, [source]).get(source)
        capture = ledger.register(
            session, mailbox, known.source_key if known else source, locator=places.seal(tools.keys, mailbox, spot),
            kind=kind, trigger="request", requested_by=requested_by)
        if noted is not None:
            noted(session, capture.id)
        enqueue(session, capture.id)
        return capture.id
