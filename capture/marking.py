"""Showing an item's state in its mailbox, now or, when that fails, later.

A state that cannot be shown (the item kept changing, the server is busy or refuses) is owed: `pay` tries again with
growing pauses. An item that was moved is looked for; one that is gone shows nothing, and the audit says so.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from sqlmodel import Session

from capture.errors import CaptureError, ItemGone, StepFailed
from capture.mailbox import states
from capture.ports import ItemKind, ItemRef, Stamp
from capture.steps import directly
from capture.wiring import Tools
from store import filing, identity, ledger, places, watch
from store.errors import NotFound
from store.places import Spot
from store.tables import Capture, CaptureState, Case, CaseState

OF_CASES: Final = (states.HELD, states.IN_REVIEW, states.NOT_TRACKED)
"""States that follow the case of a held item."""


def show(tools: Tools, capture: str, state: str) -> bool:
    """Put the state on the item, with our stamp; False when the item is not there any more.

    A held item shows how its case stands, whatever was asked for: held, in review, or not tracked once it was
    destroyed; a linked one that was untracked shows that. When that changes while it is written, it is written again.
    The place of a linked item is forgotten when all is done: it is found by our stamp. Raises what `Mailbox.mark` and
    `Mailbox.locate` raise.
    """
    with tools.database.reading() as session:
        row = ledger.get(session, capture)
        spot, wanted = places.spot_of(tools.keys, row), standing(session, row, state)
    if spot is None:
        found = tools.mailbox.locate(ItemRef(row.mailbox, "", ItemKind(row.kind)), capture) if (
            wanted and row.outcome == "link") else None
        if found is None:
            return False
        spot = Spot(found.key, found.identity)
    ref, shown = ref_to(row, spot), ""
    while wanted and wanted != shown:
        fresh = _write(tools, ref, wanted, Stamp(capture, wanted, row.generation))
        if fresh is None:
            return False
        ref, shown = fresh, wanted
        with tools.database.session() as session:
            places.showed(session, capture, shown, source_key=source_key(tools, ref),
                          locator=places.seal(tools.keys, ref.mailbox, Spot(ref.key, ref.identity, spot.message_id)))
            wanted = standing(session, ledger.get(session, capture), state)  # its place may be forgotten by now
    return bool(shown)


def standing(session: Session, row: Capture, state: str = states.HELD) -> str:
    """What the item of a capture is to show when somebody asks to show `state`; "" when that is not to be shown any
    more, and the flow shows what is."""
    if row.outcome == "link" and state != states.PENDING and watch.is_untracked(session, row.id):
        return states.NOT_TRACKED
    if state not in OF_CASES:
        return state
    if row.outcome == "link":
        return states.LINKED if row.state in (CaptureState.LINKED, CaptureState.MARKED, CaptureState.NOTIFIED) else ""
    if row.outcome != "hold" or row.case_id is None:
        return state
    case = session.get_one(Case, row.case_id)
    if case.state == CaseState.DELETED:
        return states.NOT_TRACKED
    return states.IN_REVIEW if filing.in_review(session, row.case_id) else states.HELD


def _write(tools: Tools, ref: ItemRef, state: str, stamp: Stamp) -> ItemRef | None:
    """Write the state on the item; where it is now, None when it is not there any more."""
    try:
        return tools.mailbox.mark(ref, state, stamp)
    except ItemGone:
        moved = tools.mailbox.locate(ref, stamp.capture)
        if moved is None:
            return None
        try:
            return tools.mailbox.mark(moved, state, stamp)
        except ItemGone:
            return None


def show_pending(tools: Tools, capture: str) -> None:
    """Tell the user at once that the item was picked up, if that works: the outcome is shown all the same."""
    if not tools.settings.mailbox.show_pending:
        return
    try:
        show(tools, capture, states.PENDING)
    except CaptureError:
        return


def pay(tools: Tools, limit: int = 50) -> int:
    """Show the states that are owed and due; returns how many could be shown."""
    with tools.database.session() as session:
        due = [(row.capture_id, row.state) for row in watch.owed(session, limit)]
    shown = 0
    for capture, state in due:
        if _covered(tools, capture):
            with tools.database.session() as session:
                watch.paid(session, capture)
                ledger.shown_late(session, capture, shown=False)
            continue
        try:
            there = directly("mark", partial(show, tools, capture, state))
        except StepFailed as failure:
            with tools.database.session() as session:
                watch.owed_again(session, capture, failure.reason, away=failure.retry)
            continue
        with tools.database.session() as session:
            watch.paid(session, capture)
            ledger.shown_late(session, capture, shown=there)
        shown += there
    return shown


def _covered(tools: Tools, capture: str) -> bool:
    """Whether the item was tagged again since: what it shows is the newer capture's to say."""
    with tools.database.reading() as session:
        row = ledger.get(session, capture)
        newest = places.latest(session, row.mailbox, [row.source_key])[row.source_key]
        return newest.id != row.id and newest.outcome != "cancel"


def source_key(tools: Tools, ref: ItemRef) -> str:
    """What a capture of this item is recognised by."""
    return identity.source_key(tools.keys, ref.mailbox, ref.identity or ref.key)


def ref_of(tools: Tools, row: Capture) -> tuple[ItemRef, Spot]:
    """Where the item of a capture is. Raises `NotFound` when that was forgotten."""
    spot = places.spot_of(tools.keys, row)
    if spot is None:
        raise NotFound(f"place of capture {row.id}")
    return ref_to(row, spot), spot


def ref_to(row: Capture, spot: Spot) -> ItemRef:
    """The reference to a spot of a capture's mailbox."""
    return ItemRef(row.mailbox, spot.key, ItemKind(row.kind), spot.identity)
