"""Where the item of a capture is, and what state it shows.

A place is the server's id of an item; it may name a file or a folder, so it is kept sealed and compared by keyed
hash only. Items move, and some servers give a new id with every move or write of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import ledger
from store.crypto import Keys
from store.database import begin_write
from store.errors import ContentUnreadable
from store.leases import db_now
from store.tables import Capture
from store.watch_tables import OwedMark


@dataclass(frozen=True, slots=True, repr=False)
class Spot:
    """Where an item is: the server's id, what stays the same when it is moved ("" = nothing), and the Message-ID it
    must have when somebody named it by one."""

    key: str
    identity: str = ""
    message_id: str = ""


def seal(keys: Keys, mailbox: str, spot: Spot) -> bytes:
    """A spot encrypted for a capture of this mailbox."""
    text = "\0".join((spot.key, spot.identity, spot.message_id))
    return keys.seal("locator", f"capture/{mailbox}", text.encode("utf-8", "surrogatepass"))


def spot_of(keys: Keys, capture: Capture) -> Spot | None:
    """Where the item of a capture is, or None when it is done and forgotten."""
    return unseal(keys, capture.mailbox, capture.locator, source_key=capture.source_key)


def unseal(keys: Keys, mailbox: str, locator: bytes | None, *, source_key: str = "") -> Spot | None:
    """The spot in a locator; None for None."""
    if locator is None:
        return None
    try:
        plain = keys.unseal("locator", f"capture/{mailbox}", locator)
    except ContentUnreadable:
        if not source_key:
            raise
        plain = keys.unseal("locator", f"capture/{mailbox}/{source_key}", locator)  # as before schema 0003
    return Spot(*plain.decode("utf-8", "surrogatepass").split("\0"))


def placed(session: Session, capture_id: str, *, source_key: str, locator: bytes, kind: str) -> bool:
    """Note where the item is now and what it is. With another `source_key` (the pane named it by another id) the
    capture moves there. False when an unfinished capture has that place already: this one is cancelled.
    """
    capture = ledger.get(session, capture_id, lock=True)
    if source_key != capture.source_key:
        other = latest(session, capture.mailbox, [source_key]).get(source_key)
        if other is not None and other.id != capture.id and other.state not in ledger.DONE:
            return not ledger.cancel(session, capture_id, why="duplicate")
        taken = session.scalars(select(func.max(Capture.generation)).where(
            Capture.mailbox == capture.mailbox, Capture.source_key == source_key)).one()
        capture.source_key, capture.generation = source_key, (taken or 0) + 1
    capture.locator, capture.kind = locator, kind
    session.flush()
    return True


def showed(session: Session, capture_id: str, state: str, *, source_key: str, locator: bytes) -> Capture:
    """The item shows `state`; our own write may have given it another key (`source_key`) and place."""
    capture = ledger.get(session, capture_id, lock=True)
    capture.shown, capture.shown_at, capture.shown_key = state, db_now(session), source_key
    if capture.locator is not None:
        capture.locator = locator
    session.execute(delete(OwedMark).where(col(OwedMark.capture_id) == capture_id))
    ledger.forget_place(session, capture)
    session.flush()
    return capture


def tagged_again(session: Session, capture_id: str, locator: bytes) -> None:
    """The item was tagged anew while this capture is worked on; `repeats` gives it when that is done."""
    ledger.get(session, capture_id, lock=True).again = locator
    session.flush()


def repeats(session: Session) -> tuple[Capture, ...]:
    """Captures that are done and whose item was tagged anew meanwhile."""
    begin_write(session)
    return tuple(session.scalars(
        select(Capture).where(col(Capture.again).is_not(None), col(Capture.state).in_(ledger.DONE))
        .with_for_update(key_share=True, skip_locked=True).execution_options(populate_existing=True)))


def latest(session: Session, mailbox: str, source_keys: Sequence[str]) -> dict[str, Capture]:
    """The newest capture of each of these places of a mailbox, by the key it was registered or last shown with."""
    found: dict[str, Capture] = {}
    for start in range(0, len(source_keys), 400):
        chunk = source_keys[start:start + 400]
        for capture in session.scalars(
                select(Capture).where(Capture.mailbox == mailbox, or_(
                    col(Capture.source_key).in_(chunk), col(Capture.shown_key).in_(chunk)))
                .order_by(col(Capture.created), col(Capture.generation))):
            found[capture.source_key] = capture
            if capture.shown_key:
                found[capture.shown_key] = capture
    return {key: found[key] for key in source_keys if key in found}
