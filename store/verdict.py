"""What is to be done with an item, by the scan and by what is known of the message over all its copies.

The worst verdict wins:

    scan says       and                                                        then
    pass            nobody else's copy is held, none was confirmed as personal link    "decision"
    pass            another person's copy of the message is held               hold    "other-copy-held"
    pass            a reviewer confirmed this very content before (destroyed   hold    "confirmed-before"
                    it, redacted it, or made it an incident)
    pass            an allow rule it passes by has ended since the scan        hold    "rule-ended"
    pass            this mailbox's copy is linked: same content, same policy   link    "already-linked"
    block, review   a reviewer released this very content under this policy    link    "released-before"
                    and nobody confirmed it as personal
    block, review   otherwise                                                  hold    "decision"
    any, to link    an incident suspends the tracking of its mailbox           hold    "tracking-suspended"
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy.orm import Session
from sqlmodel import col, select

from pii_scan.findings import Verdict
from store import allow, suspended
from store.desk_types import CONFIRMED_BEFORE, RULE_ENDED
from store.tables import CONFIRMED, OPEN_CASE, Capture, Case, CaseState, Item, ItemState
from store.watch_tables import UntrackRequest


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to be done with a capture, and why (a code, see the table above)."""

    outcome: Literal["link", "hold"]
    why: str
    item_key: str

    @property
    def link(self) -> bool:
        """True when the item may go to the CRM."""
        return self.outcome == "link"


def rule(session: Session, capture: Capture, item: Item) -> Ruling:
    """What is to be done with a scanned capture now; the item is locked."""
    ruling = _of_content(session, capture, item)
    if ruling.link and suspended.is_suspended(session, capture.mailbox):
        return Ruling("hold", suspended.SUSPENDED, item.item_key)
    return ruling


def _of_content(session: Session, capture: Capture, item: Item) -> Ruling:
    same = [case for case in session.scalars(select(Case).where(Case.item_id == item.id))
            if case.content_hash == capture.content_hash]
    passed = capture.summary.get("verdict") == Verdict.PASS
    if passed and any(case.state in CONFIRMED for case in same):
        return Ruling("hold", CONFIRMED_BEFORE, item.item_key)
    if passed and _held_elsewhere(session, capture, item.id):
        return Ruling("hold", "other-copy-held", item.item_key)
    if passed and allow.ended(session, capture.summary.get("exempt", ())):
        return Ruling("hold", RULE_ENDED, item.item_key)
    if passed:
        return Ruling("link", "already-linked" if _linked_before(session, capture, item) else "decision", item.item_key)
    if any(c.state == CaseState.RELEASED and c.policy == capture.summary.get("policy") for c in same) and not any(
            c.state in CONFIRMED for c in same):
        return Ruling("link", "released-before", item.item_key)
    return Ruling("hold", "decision", item.item_key)


def linked_before(session: Session, capture: Capture) -> Capture | None:
    """This mailbox's earlier capture that linked the same content under the same policy and was not untracked."""
    untracked = select(UntrackRequest.capture_id).where(col(UntrackRequest.outcome) == "untracked")
    for earlier in session.scalars(select(Capture).where(
            Capture.mailbox == capture.mailbox, Capture.item_id == capture.item_id, Capture.outcome == "link",
            Capture.id != capture.id, Capture.content_hash == capture.content_hash, Capture.activity != "",
            col(Capture.id).not_in(untracked)).order_by(col(Capture.created).desc())):
        if earlier.summary.get("policy") == capture.summary.get("policy"):
            return earlier
    return None


def _linked_before(session: Session, capture: Capture, item: Item) -> bool:
    return item.state == ItemState.LINKED and linked_before(session, capture) is not None


def _held_elsewhere(session: Session, capture: Capture, item_id: str) -> bool:
    """Is another person's copy of this message held? One's own earlier copy does not count: taking the
    attachment out and tagging again is what the notice advises."""
    theirs = select(Case.id).join(Capture, col(Capture.case_id) == col(Case.id)).where(
        Case.item_id == item_id, col(Case.state).in_(OPEN_CASE), Capture.mailbox != capture.mailbox)
    return session.scalars(theirs.limit(1)).first() is not None
