"""What the task pane asks of the store: how an item stands, who tracks it, which records it could belong to.

Codes, ids and times; the names of records are business contacts, cut to what the one who asks may see.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import crm_named, filing, people, places, quarantine
from store.crm_matching import Sight
from store.crm_tables import Activity, ActivityLink
from store.errors import NotFound
from store.tables import OPEN_CASE, Capture, CaptureState, Case, CaseState, Item
from store.watch import UNTRACKED
from store.watch_tables import UntrackRequest

State = Literal["ready", "queued", "scanning", "linked", "blocked", "unreadable", "pending-review", "released",
                "refused", "gone", "private", "untrack-asked", "untracked"]
"""The states of the pane that the server knows; docs/operators/outlook.md says what each shows."""
STEPS: Final = ("fetch", "read", "decide", "link")
"""What an item that is worked on goes through, in order."""


@dataclass(frozen=True, slots=True)
class Tracker:
    """One person's tracking of a message. `who` is their address, "" for one of another division."""

    who: str
    at: datetime
    route: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How an item stands. `step` is the one it is at, "" when nothing is under way. `number` the case, "" without."""

    state: State
    step: str = ""
    capture: Capture | None = None
    case: Case | None = None

    @property
    def number(self) -> str:
        """The number of the case, "" when there is none."""
        return self.case.number if self.case else ""


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the CRM: `record` is its kind ("contact", "project"), `name` and `detail` for the eye, `why` the code
    of a reason. What belongs to another division has no name."""

    record: str
    id: str
    name: str
    detail: str = ""
    why: str = ""


def newest(session: Session, mailbox: str, source_keys: Sequence[str], item_key: str = "") -> Capture | None:
    """The newest capture of an item of this mailbox, by any place it was known under or by its message; one that was
    cancelled counts only when there is no other."""
    found = list(places.latest(session, mailbox, source_keys).values())
    if item_key:
        found += session.scalars(select(Capture).join(Item, col(Item.id) == col(Capture.item_id)).where(
            Item.item_key == item_key, Capture.mailbox == mailbox).order_by(col(Capture.created).desc()).limit(5))
    return max(found, key=lambda row: (row.state != CaptureState.CANCELLED, row.created, row.generation), default=None)


def standing(session: Session, capture: Capture | None) -> Standing:
    """How the item of a capture stands now."""
    if capture is None or capture.state == CaptureState.CANCELLED:
        return Standing("ready", capture=capture)
    if capture.outcome in ("gone", "refuse"):
        return Standing("gone" if capture.outcome == "gone" else "private", capture=capture)
    case = session.get(Case, capture.case_id) if capture.case_id is not None else None
    if capture.outcome == "hold" and case is not None:
        return Standing(_held(session, case), capture=capture, case=case)
    if capture.outcome == "link" and capture.activity:
        return _linked(session, capture, case)
    if capture.state == CaptureState.CLAIMED and not capture.attempts:
        return Standing("queued", capture=capture)
    return Standing("scanning", _step(session, capture), capture, case)


def trackers(session: Session, capture: Capture, domain: str, divisions: Collection[str]) -> tuple[Tracker, ...]:
    """Everybody who tracks the message of this capture and did not untrack it, first first. `domain` is that of
    mailboxes named without one; who belongs to none of these `divisions` has no name."""
    if capture.item_id is None:
        return (Tracker(_who(session, capture.mailbox, domain, divisions), capture.created, capture.trigger),)
    rows = session.scalars(select(Capture).where(
        Capture.item_id == capture.item_id, col(Capture.outcome).in_(("link", "hold")))
        .order_by(col(Capture.created), col(Capture.generation))).all()
    gone = set(session.scalars(select(UntrackRequest.capture_id).where(
        col(UntrackRequest.capture_id).in_([row.id for row in rows]), UntrackRequest.outcome == UNTRACKED)))
    first: dict[str, Capture] = {}
    for row in rows:
        if row.id in gone:
            first.pop(row.mailbox, None)  # with what went before it: held once, tracked in part, untracked
        else:
            first.setdefault(row.mailbox, row)
    return tuple(Tracker(_who(session, row.mailbox, domain, divisions), row.created, row.trigger)
                 for row in first.values() if row.trigger != "rescan")


def records(session: Session, activity: str, sight: Sight) -> tuple[Record, ...]:
    """The records an activity is linked to; without a name those that are out of sight, or not there any more."""
    links = session.scalars(select(ActivityLink).where(
        ActivityLink.activity_id == activity, col(ActivityLink.removed).is_(None))
        .order_by(ActivityLink.record, ActivityLink.record_id)).all()
    found = []
    for link in links:
        one = crm_named.named(session, link.record, link.record_id, sight)
        found.append(Record(link.record, link.record_id, one.name if one else "", one.detail if one else "", link.how))
    return tuple(found)


def capture_of(session: Session, ident: str) -> Capture:
    """One capture. Raises `NotFound`."""
    found = session.get(Capture, ident)
    if found is None:
        raise NotFound("no such capture")
    return found


# ------------------------------------------------------------------------------------------------ helpers

def _held(session: Session, case: Case) -> State:
    if case.state == CaseState.DELETED:
        return "refused"
    if case.state not in OPEN_CASE:
        return "released"
    if case.state == CaseState.ESCALATED or filing.in_review(session, case.id or 0):
        return "pending-review"
    summary = case.summary
    return "unreadable" if not summary.get("findings") and summary.get("unread") else "blocked"


def _linked(session: Session, capture: Capture, case: Case | None) -> Standing:
    activity = session.get(Activity, capture.activity)
    if activity is not None and activity.stub:  # a rescan took it out again
        found = session.scalars(select(Case).where(Case.number == activity.stub)).one_or_none()
        return Standing(_held(session, found) if found else "pending-review", capture=capture, case=found)
    asked = session.get(UntrackRequest, capture.id)
    if asked is not None and asked.outcome != "kept":
        return Standing("untracked" if asked.closed else "untrack-asked", capture=capture, case=case)
    passed = case is not None and case.state in (CaseState.RELEASED, CaseState.REDACTED)
    return Standing("released" if passed else "linked", capture=capture, case=case)


def _step(session: Session, capture: Capture) -> str:
    if capture.state == CaptureState.SCANNED:
        return "decide"
    if capture.state == CaptureState.DECIDED:
        return "link"
    return "read" if quarantine.blobs(session, capture_id=capture.id, kind="mail") else "fetch"


def _who(session: Session, mailbox: str, domain: str, divisions: Collection[str]) -> str:
    address = mailbox if "@" in mailbox or not domain else f"{mailbox}@{domain}"
    person = people.by_address(session, address)
    shared = person is not None and people.divisions_of(session, person.id) & set(divisions)
    return address if shared else ""
