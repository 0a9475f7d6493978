"""What only a person decides: which record an activity belongs to, whether it is tracked, whether it is destroyed.

    choose(session, capture_id, records, who)               # picked in the pane, before the item is linked
    waiting(session, who)                                   # what they are asked and suggested
    confirm(session, who, activity, record, ident)          # link by hand: beats every rule, on every later sync
    dismiss(session, who, activity, record, ident)          # not this one
    unlink(session, who, activity, record, ident)           # the link goes, the activity stays; `confirm` undoes it
    untrack(session, who, activity, mailbox)                # one's own tracker goes; `track_again` undoes it
    purge(session, who, activity, reason=...)               # everything goes but a receipt; nothing undoes it

The owner destroys, others ask: whoever is the only one to track an activity may purge it, and whoever keeps the records
of its division. Evidence of an open incident is not purged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, update
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, watch
from store.access import Action, Scope, Thing, reach
from store.columns import now
from store.crm_access import Who, activity, must, stands, thing_of, trackers_of
from store.crm_matching import KINDS, Record, open_work, visible
from store.crm_records import add, links_of, touch
from store.crm_tables import (
    Activity,
    ActivityLink,
    ActivitySuggestion,
    ActivityTracker,
    Attachment,
    CaptureChoice,
    PurgeReceipt,
)
from store.crm_work_tables import RecordChange, RecordWord
from store.database import begin_write, get_or_create
from store.errors import BadState, NotAllowed, NotFound
from store.leases import db_now
from store.tables import Capture, Case, CaseState, Item
from store.watch_tables import UntrackRequest

MOST_CHOSEN: Final = 20
"""Records one item can be given by hand."""
ROLES: Final = ("party", "regarding")
MOST_OFFERED: Final = 5
OPEN_WORK: Final = ("open-work", 60)
"""The reason and the per cent of `capture.matching` with which open work is suggested."""
_FILE: Final = "attachment"
"""What stands in the place of a kind of record for an attachment that is left out."""


@dataclass(frozen=True, slots=True)
class Left:
    """What stays of an activity for others: mailboxes that track it, records it is linked to."""

    trackers: int
    records: int


# ---------------------------------------------------------------------------------------- before it is linked

def choose(session: Session, capture_id: str, records: Sequence[Record], who: Who, *, elsewhere: bool = False) -> None:
    """Note which records an item is to be linked to. Raises `NotFound` for one that is not there or within sight.

    `elsewhere`: they are records of another CRM, which asks what its person may see when it links."""
    begin_write(session)
    if len(records) > MOST_CHOSEN:
        raise BadState(f"at most {MOST_CHOSEN} records")
    for record, ident in records:
        if not elsewhere and not visible(session, record, ident, who.sight):
            raise NotFound("record")
        add(session, CaptureChoice(capture_id=capture_id, record=record, record_id=ident, by=who.actor))


def chosen(session: Session, capture_id: str) -> tuple[Record, ...]:
    """The records somebody picked for an item."""
    return tuple((row.record, row.record_id) for row in session.scalars(
        select(CaptureChoice).where(CaptureChoice.capture_id == capture_id, CaptureChoice.record != _FILE).order_by(
            col(CaptureChoice.created), col(CaptureChoice.record), col(CaptureChoice.record_id))))


def leave_out(session: Session, capture_id: str, numbers: Sequence[int], who: Who) -> None:
    """Note which attachments (numbered from 1, as the reader numbers them) are not to go to the CRM."""
    begin_write(session)
    for number in numbers:
        add(session, CaptureChoice(capture_id=capture_id, record=_FILE, record_id=str(number), by=who.actor))


def left_out(session: Session, capture_id: str) -> tuple[int, ...]:
    """The attachments somebody left out of an item, in order."""
    return tuple(sorted(int(row.record_id) for row in session.scalars(
        select(CaptureChoice).where(CaptureChoice.capture_id == capture_id, CaptureChoice.record == _FILE))))


# ------------------------------------------------------------------------------------------------- suggestions

def waiting(session: Session, who: Who, limit: int = 200, *, about: str = "") -> list[dict[str, Any]]:
    """What somebody is asked and suggested, `about` one activity or all, the newest first: `{"activity", "type",
    "sent", "subject", "questions": [[...], ...], "suggestions": [...]}`, each entry `{"record", "id", "role",
    "reason", "confidence", "title"}`. Records that are not within sight any more are left out. The operator sees
    everybody's."""
    must(who, Action.RECORD_LIST)
    query = (select(ActivitySuggestion, Activity).join(Activity, col(Activity.id) == ActivitySuggestion.activity_id)
             .where(ActivitySuggestion.state == "open").order_by(
                 col(Activity.created).desc(), col(Activity.id), col(ActivitySuggestion.confidence).desc(),
                 col(ActivitySuggestion.record), col(ActivitySuggestion.record_id)))
    if about:
        query = query.where(ActivitySuggestion.activity_id == about)
    if who.person is not None:
        query = query.where(col(ActivitySuggestion.tracker).in_(sorted(who.mailboxes)))
    found: dict[str, dict[str, Any]] = {}
    seen: set[tuple[str, str, str]] = set()
    for row, of in session.execute(query.limit(limit * 10)):
        if (of.id, row.record, row.record_id) in seen or not visible(session, row.record, row.record_id, who.sight):
            continue
        seen.add((of.id, row.record, row.record_id))
        if of.id not in found and len(found) >= limit:
            break
        entry = found.setdefault(of.id, {
            "activity": of.id, "type": of.type, "sent": of.sent.isoformat(timespec="seconds") if of.sent else "",
            "subject": of.subject, "questions": {}, "suggestions": []})
        line = {"record": row.record, "id": row.record_id, "role": row.role, "reason": row.reason,
                "confidence": row.confidence, "title": title(session, row.record, row.record_id)}
        if row.question:
            entry["questions"].setdefault(f"{row.tracker}/{row.question}", []).append(line)
        else:
            entry["suggestions"].append(line)
    return [entry | {"questions": list(entry["questions"].values())} for entry in found.values()]


def offered(session: Session, activity_id: str, mailbox: str) -> list[tuple[str, str, str]]:
    """(record, id, reason) of what is asked or suggested to the owner of a mailbox, the surest first. Reads only;
    whether they may see it is for whoever shows it to ask."""
    return [(row.record, row.record_id, row.reason) for row in session.scalars(select(ActivitySuggestion).where(
        ActivitySuggestion.activity_id == activity_id, ActivitySuggestion.tracker == mailbox,
        ActivitySuggestion.state == "open").order_by(
            col(ActivitySuggestion.confidence).desc(), col(ActivitySuggestion.record),
            col(ActivitySuggestion.record_id)))]


def confirm(session: Session, who: Who, activity_id: str, record: str, ident: str, role: str = "") -> None:
    """Link an activity to a record by hand, suggested or not. The other answers to the same question are dismissed; the
    open opportunities and projects of a contact that was chosen are suggested.

    Raises `NotAllowed`, and `NotFound` for a record that is not there or not within sight.
    """
    row = activity(session, activity_id)
    must(who, Action.RECORD_CHANGE, thing_of(session, who, row))
    if record not in KINDS:
        raise NotFound("record")
    ident = stands(session, record, ident, lock=True).id
    if not visible(session, record, ident, who.sight):
        raise NotFound("record")
    offered = session.scalars(select(ActivitySuggestion).where(
        ActivitySuggestion.activity_id == activity_id, ActivitySuggestion.record == record,
        ActivitySuggestion.record_id == ident)).all()
    role = role or next((s.role for s in offered), "regarding")
    if role not in ROLES:
        raise BadState(f"a role is {' or '.join(ROLES)}")
    link, _ = get_or_create(
        session, lambda: session.get(ActivityLink, (activity_id, record, ident)),
        lambda: ActivityLink(activity_id=activity_id, record=record, record_id=ident, how="hand", role=role))
    link.how, link.role, link.by, link.removed = "hand", role, who.actor, None
    questions = {(s.tracker, s.question) for s in offered if s.question and s.state == "open"}
    for s in offered:
        _decide(s, "confirmed", who)
    for tracker, question in sorted(questions):
        for other in session.scalars(select(ActivitySuggestion).where(
                ActivitySuggestion.activity_id == activity_id, ActivitySuggestion.tracker == tracker,
                ActivitySuggestion.question == question, ActivitySuggestion.state == "open")):
            _decide(other, "dismissed", who)
    if row.matched == "unmatched":
        row.matched, row.reason = record, "hand"
    touch(session, [(record, ident, "hand", role)], row.sent or row.created)
    if record == "contact":
        _offer_work(session, who, row.id, ident, {s.tracker for s in offered})
    session.flush()
    audit.append(session, "crm:link:confirmed", actor=who.actor, subject=activity_id,
                 body={"record": f"{record}:{ident}", "role": role})


def dismiss(session: Session, who: Who, activity_id: str, record: str, ident: str) -> None:
    """Say that an activity does not belong to a suggested record; it is not suggested for it again."""
    row = activity(session, activity_id)
    must(who, Action.RECORD_CHANGE, thing_of(session, who, row))
    offered = session.scalars(select(ActivitySuggestion).where(
        ActivitySuggestion.activity_id == activity_id, ActivitySuggestion.record == record,
        ActivitySuggestion.record_id == ident, ActivitySuggestion.state == "open")).all()
    if not offered:
        raise NotFound("suggestion")
    for s in offered:
        _decide(s, "dismissed", who)
    session.flush()
    audit.append(session, "crm:link:dismissed", actor=who.actor, subject=activity_id,
                 body={"record": f"{record}:{ident}"})


# -------------------------------------------------------------------------------------- unlink, untrack, purge

def unlink(session: Session, who: Who, activity_id: str, record: str = "", ident: str = "") -> Left:
    """Take one link off an activity, or all of them; the activity stays, and no rule links it there again."""
    row = activity(session, activity_id)
    must(who, Action.RECORD_CHANGE, thing_of(session, who, row))
    query = select(ActivityLink).where(ActivityLink.activity_id == activity_id, col(ActivityLink.removed).is_(None))
    if record:
        query = query.where(ActivityLink.record == record, ActivityLink.record_id == ident)
    links = session.scalars(query.order_by(col(ActivityLink.record), col(ActivityLink.record_id))).all()
    if record and not links:
        raise NotFound("link")
    for link in links:
        link.removed, link.by = now(), who.actor
        session.flush()
        audit.append(session, "crm:link:removed", actor=who.actor, subject=activity_id,
                     body={"record": f"{link.record}:{link.record_id}"})
    left = left_of(session, activity_id)
    if not left.records:
        row.matched, row.reason = "unmatched", "unlinked"
        session.flush()
    return left


def untrack(session: Session, who: Who, activity_id: str, mailbox: str) -> Left:
    """Take a mailbox off those that track an activity; what others track stays. Returns what stays.

    Raises `NotAllowed` for somebody else's mailbox, `NotFound` when it does not track it.
    """
    row = activity(session, activity_id)
    _own(who, Action.ITEM_WITHDRAW, mailbox)
    copies = _copies(session, row.id)
    if session.get(ActivityTracker, (row.id, mailbox)) is None:
        raise NotFound("tracker")
    session.execute(delete(ActivityTracker).where(
        col(ActivityTracker.activity_id).in_(copies), col(ActivityTracker.tracker) == mailbox))
    session.execute(update(ActivitySuggestion).where(
        col(ActivitySuggestion.activity_id) == row.id, col(ActivitySuggestion.tracker) == mailbox,
        col(ActivitySuggestion.state) == "open").values(state="dismissed", decided_by=who.actor, decided=now()))
    _forget_captures(session, who, row.id, mailbox)
    left = left_of(session, row.id)
    audit.append(session, "crm:tracker:removed", actor=who.actor, subject=row.id, body={"trackers": left.trackers})
    return left


def track_again(session: Session, who: Who, activity_id: str, mailbox: str) -> Left:
    """Undo `untrack`. Raises `NotFound` when the mailbox never tracked it."""
    row = activity(session, activity_id)
    _own(who, Action.ITEM_TRACK, mailbox)
    captures = select(Capture.id).where(Capture.mailbox == mailbox, Capture.activity == row.id)
    undone = session.scalars(select(UntrackRequest).where(
        col(UntrackRequest.capture_id).in_(captures), UntrackRequest.outcome == watch.UNTRACKED)).all()
    if not undone:
        raise NotFound("tracker")
    for request in undone:
        request.outcome, request.closed_by = watch.KEPT, who.actor
        watch.show_anew(session, session.get_one(Capture, request.capture_id))
    get_or_create(session, lambda: session.get(ActivityTracker, (row.id, mailbox)),
                  lambda: ActivityTracker(activity_id=row.id, tracker=mailbox))
    session.flush()
    left = left_of(session, row.id)
    audit.append(session, "crm:tracker:restored", actor=who.actor, subject=row.id, body={"trackers": left.trackers})
    return left


def purge(session: Session, who: Who, activity_id: str, *, reason: str) -> PurgeReceipt:
    """Destroy an activity with its files, links and other copies. What stays is the receipt.

    Raises `NotAllowed` for whoever is not its only tracker and does not keep the records of its division, `BadState`
    while an incident needs it.
    """
    row = activity(session, activity_id)
    must(who, Action.RECORD_DELETE, thing_of(session, who, row))
    trackers = set(trackers_of(session, row.id))
    keeper = who.person is None or (reach(who.person, Action.RECORD_DELETE) or Scope.OWN) > Scope.OWN
    if not keeper and trackers - who.mailboxes:
        raise NotAllowed("not-yours")
    copies = _copies(session, row.id)
    if is_evidence(session, copies):
        raise BadState("an incident needs it as evidence")
    counts = {"trackers": len(trackers), "copies": len(copies), "links": links_of(session, row.id)}
    counts["files"] = session.scalars(select(func.count()).select_from(Attachment).where(
        col(Attachment.activity_id).in_(copies))).one()
    destroy(session, who, copies)
    receipt = PurgeReceipt(record="activity", record_id=row.id, by=who.actor, reason=reason, counts=counts)
    session.add(receipt)
    session.flush()
    audit.append(session, "crm:record:purged", actor=who.actor, subject=receipt.record_id, body={
        "receipt": receipt.id, "kind": "activity", "reason": reason, **counts})
    return receipt


def destroy(session: Session, who: Who, copies: Sequence[str]) -> None:
    """Take an activity (the first) and its variants out of every table. Whether that may be is the caller's to ask."""
    for mailbox in trackers_of(session, copies[0]):
        _forget_captures(session, who, copies[0], mailbox)
    for table in (Attachment, ActivityLink, ActivitySuggestion, ActivityTracker):
        session.execute(delete(table).where(col(table.activity_id).in_(copies)))
    session.execute(delete(RecordWord).where(col(RecordWord.record_id).in_(copies)))
    session.execute(delete(RecordChange).where(col(RecordChange.record_id).in_(copies)))
    session.execute(delete(Activity).where(col(Activity.id).in_(copies)))
    session.flush()


def is_evidence(session: Session, copies: Sequence[str]) -> bool:
    """Whether an incident needs one of these activities."""
    keys = select(Activity.item_key).where(col(Activity.id).in_(copies))
    needed = session.scalars(select(Case.id).join(Item, col(Item.id) == col(Case.item_id)).where(
        col(Item.item_key).in_(keys), Case.state == CaseState.ESCALATED)).first()
    return needed is not None


def left_of(session: Session, activity_id: str) -> Left:
    """What is left of an activity for others."""
    return Left(len(trackers_of(session, activity_id)), links_of(session, activity_id))


def title(session: Session, record: str, ident: str) -> str:
    """What a record is called on lists; "" when it is not there."""
    row = session.get(KINDS[record], ident) if record in KINDS else None
    if row is None:
        return ""
    if record == "contact":
        return " ".join(filter(None, (row.first_name, row.last_name))) or row.title
    return str(row.name if record in ("organisation", "event") else row.title)


# ------------------------------------------------------------------------------------------------------ inside

def _decide(suggestion: ActivitySuggestion, state: str, who: Who) -> None:
    if suggestion.state == "open":
        suggestion.state, suggestion.decided_by, suggestion.decided = state, who.actor, now()


def _offer_work(session: Session, who: Who, activity_id: str, contact: str, asked: set[str]) -> None:
    """Suggest the open work of a contact to those who were asked about it, or else to all who track the activity."""
    links = {(link.record, link.record_id) for link in session.scalars(
        select(ActivityLink).where(ActivityLink.activity_id == activity_id))}
    work = [one for one in open_work(session, [contact], who.sight).get(("contact", contact), ()) if one not in links]
    for tracker in sorted(asked) or trackers_of(session, activity_id):
        for kind, ident in work[:MOST_OFFERED]:
            add(session, ActivitySuggestion(
                activity_id=activity_id, tracker=tracker, record=kind, record_id=ident, role="regarding",
                reason=OPEN_WORK[0], confidence=OPEN_WORK[1]))


def _own(who: Who, action: Action, mailbox: str) -> None:
    mine = who.person is not None and mailbox in who.mailboxes
    must(who, action, Thing(owner=who.person.id if mine and who.person is not None else ""))


def _copies(session: Session, activity_id: str) -> list[str]:
    """The activity and its variants."""
    return [activity_id, *session.scalars(select(Activity.id).where(Activity.variant_of == activity_id))]


def _forget_captures(session: Session, who: Who, activity_id: str, mailbox: str) -> None:
    """What this mailbox captured into the activity counts as untracked: tagged again, it begins anew."""
    for capture in session.scalars(select(Capture).where(
            Capture.mailbox == mailbox, Capture.activity == activity_id, Capture.outcome == "link")):
        add(session, UntrackRequest(capture_id=capture.id, mailbox=mailbox, at=db_now(session)))
        request = session.get_one(UntrackRequest, capture.id)
        request.closed, request.closed_by, request.outcome = db_now(session), who.actor, watch.UNTRACKED
        watch.show_anew(session, capture)
    session.flush()
