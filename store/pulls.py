"""Records whose content went from the CRM into quarantine, and back.

    with db.session() as s: pull = pulls.begin(s, keys, found)      # the copy is safe, its case is open
    crm.pull(record, version, pull.case)                            # the CRM holds a stub now
    with db.session() as s: seen = pulls.finish(s, pull.id, ...)    # who had seen it; then tell the trackers

Each may be repeated: there is one pull per case and record, and one open case per item and content. The content lies
in the blobs of a capture of its own, whose mailbox is `CRM`; a reviewer's release rules it "link" like any other
capture, and the flow's link step puts the content back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, filing, quarantine, reads
from store.cases import next_number
from store.columns import now
from store.crypto import Keys
from store.database import begin_write, get_or_create
from store.desk_types import RULES, Filing, Rules
from store.errors import BadState, NotFound
from store.reads import How
from store.rescan_tables import CrmPull, Exposure, PullState
from store.summary import counts as kind_counts
from store.tables import CONFIRMED, Capture, CaptureState, Case, CaseState, Item, ItemState

CRM = "/crm"
"""The mailbox of captures that hold a record's content. No user's mailbox can be called so."""
RECORDS = "record:"
"""Before the kind and the id of what is no activity, in the name of a stored item ("record:contact:4f1c...")."""
RECORD = "record"
"""The kind of blob that holds the record exactly as the CRM kept it."""


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A stored item that must leave the CRM. `record` is its name: the id of an activity, or "record:KIND:ID" for what
    was typed into another record. `summary` is `store.summary.summary`, `reason` the case's code, `filed`
    who is a party to it."""

    run: str
    record: str
    item_key: str
    content_hash: str
    summary: dict[str, Any]
    reason: str
    stored: datetime
    trackers: tuple[str, ...] = ()
    files: int = 0
    filed: Filing | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull that began: the case it belongs to, and whether this call made it."""

    id: str
    case: str
    capture: str
    made: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What the exposure list of one record came to: rows, distinct people, and whether a copy left the CRM."""

    readings: int
    people: int
    exported: bool


def kind_of(record: str) -> str:
    """What a stored item is, by its name: "activity", or the kind of record."""
    return record.removeprefix(RECORDS).partition(":")[0] if record.startswith(RECORDS) else "activity"


def ident_of(record: str) -> str:
    """The id of a stored item, by its name: the subject of the audit's events about it."""
    return record.removeprefix(RECORDS).partition(":")[2] if record.startswith(RECORDS) else record


def content_hash(session: Session, keys: Keys, record: str, version: str, *, edited: bool) -> str:
    """By which hash a record's content is known to cases: that of the mail it came from, as long as nobody edited
    it, so that a later copy of the mail joins the case; else a hash of its own."""
    if not edited:
        known = session.scalars(
            select(Capture.content_hash).where(Capture.activity == record, Capture.content_hash != "")
            .order_by(col(Capture.created), col(Capture.id)).limit(1)).first()
        if known:
            return known
    return keys.digest("content", b"record", version.encode())


def released_before(session: Session, item_key: str, content: str, policy: str) -> bool:
    """Whether a reviewer let this very content pass under this policy, and none confirmed it as personal."""
    states = session.execute(
        select(Case.state, Case.policy).join(Item, col(Item.id) == col(Case.item_id))
        .where(Item.item_key == item_key, Case.content_hash == content)).all()
    return any(state == CaseState.RELEASED and under == policy for state, under in states) and not any(
        state in CONFIRMED for state, _ in states)


def begun(session: Session, found: Found) -> bool:
    """Whether this run began to pull this record out before, and was killed."""
    underway = select(CrmPull.id).where(
        CrmPull.run_id == found.run, CrmPull.record == found.record, CrmPull.state == PullState.OPEN)
    return session.scalars(underway).first() is not None


def begin(session: Session, keys: Keys, found: Found) -> Pull:
    """Keep a copy of the content, encrypted, and open its case (or join the open case of the same content)."""
    begin_write(session)
    item = _locked_item(session, found.item_key)
    case, new = _open_case(session, item, found)
    case_id = _id(case)
    known = session.scalars(select(CrmPull).where(
        CrmPull.case_id == case_id, CrmPull.record == found.record)).one_or_none()
    if known is not None:
        return Pull(known.id, case.number, known.capture_id, made=False)
    source = keys.digest("source", CRM.encode(), found.record.encode())
    generation = session.scalars(select(func.count()).select_from(Capture).where(
        Capture.mailbox == CRM, Capture.source_key == source)).one() + 1
    capture = Capture(mailbox=CRM, source_key=source, generation=generation, item_id=item.id, case_id=case_id,
                      state=CaptureState.NOTIFIED, outcome="hold", content_hash=found.content_hash,
                      activity=found.record, summary=case.summary, finished=now())
    session.add(capture)
    session.flush()
    for kind, content in found.blobs.items():
        quarantine.stage(session, keys, capture.id, kind, content)
    quarantine.hold(session, capture.id, case_id)
    pull = CrmPull(case_id=case_id, capture_id=capture.id, record=found.record, run_id=found.run,
                   trackers=[*found.trackers], files=found.files, stored=found.stored)
    session.add(pull)
    if new:
        filing.opened(session, case, found.filed, mailbox="")
    else:
        case.trackers += len(found.trackers)
        filing.joined(session, case, found.filed)
    item.state, item.updated = ItemState.HELD, now()
    session.flush()
    audit.append(session, "rescan:item:held", actor="mailweir", subject=ident_of(found.record), body={
        "run": found.run, "case": case.number, "item": item.id, "reason": found.reason, "joined": not new,
        "kinds": kind_counts(found.summary), "unread": len(found.summary.get("unread", ()))})
    return Pull(pull.id, case.number, capture.id, made=True)


def finish(session: Session, pull_id: str, state: PullState, shown_with: tuple[str, ...] = (), *,
           rules: Rules = RULES) -> Seen | None:
    """The record holds the stub now (or was changed or deleted meanwhile): write down who had seen it, which makes the
    case graver.

    Returns None when that was done before.
    """
    pull = _locked(session, pull_id)
    if pull.state != PullState.OPEN:
        return None
    pull.state, pull.pulled = state, now()
    case = session.scalars(select(Case).where(Case.id == pull.case_id).with_for_update(key_share=True)
                           .execution_options(populate_existing=True)).one()
    audit.lock(session)  # whoever is reading it just now has committed that first
    readings = list(reads.of_record(session, ident_of(pull.record), pull.stored, shown_with, kind=kind_of(pull.record)))
    session.add_all(Exposure(case_id=pull.case_id, record=pull.record, seq=r.seq, at=r.at, actor=r.actor, how=r.how)
                    for r in readings)
    seen = Seen(len(readings), len({r.actor for r in readings}),
                exported=any(r.how in (How.EXPORTED, How.RECEIVED) for r in readings))
    exposure = max(int(case.summary.get("exposure", 1)), 3 if seen.exported else 2)
    case.summary = case.summary | {"origin": "rescan", "exposure": exposure, "readers": seen.people}
    session.flush()
    filing.ranked(session, case, rules)
    audit.append(session, "rescan:item:pulled", actor="mailweir", subject=ident_of(pull.record), body={
        "run": pull.run_id, "case": case.number, "state": state.value, "readings": seen.readings,
        "people": seen.people, "exported": seen.exported})
    return seen


def restored(session: Session, pull_id: str, how: str) -> None:
    """A reviewer released it and the CRM has the content again (`how`: what `Crm.restore` said)."""
    pull = _locked(session, pull_id)
    if pull.state == PullState.RESTORED:
        return
    pull.state = PullState.RESTORED
    session.flush()
    audit.append(session, "rescan:item:restored", actor="mailweir", subject=ident_of(pull.record), body={"result": how})


def of_capture(session: Session, capture_id: str) -> tuple[CrmPull, str]:
    """The pull whose content a capture holds, with its case number. Raises `NotFound`."""
    found = session.execute(select(CrmPull, Case.number).join(Case, col(Case.id) == col(CrmPull.case_id)).where(
        CrmPull.capture_id == capture_id)).one_or_none()
    if found is None:
        raise NotFound(f"pull of capture {capture_id}")
    return found[0], found[1]


def of_case(session: Session, case_id: int | None) -> tuple[CrmPull, ...]:
    """The records whose content a case holds."""
    return tuple(session.scalars(select(CrmPull).where(CrmPull.case_id == case_id).order_by(
        col(CrmPull.created), col(CrmPull.id))))


def open_of_stub(session: Session, record: str, case: str) -> CrmPull | None:
    """The pull that was killed between the stub and the end, if the stub of this case is one of those."""
    return session.scalars(
        select(CrmPull).join(Case, col(Case.id) == col(CrmPull.case_id))
        .where(CrmPull.record == record, Case.number == case, CrmPull.state == PullState.OPEN)).one_or_none()


def case_of(session: Session, pull: CrmPull) -> Case:
    """The case a pull belongs to."""
    return session.get_one(Case, pull.case_id)


def case_trackers(session: Session, case_id: int | None) -> list[str]:
    """Everybody who had asked for the records of a case."""
    return sorted({tracker for pull in of_case(session, case_id) for tracker in pull.trackers})


def exposures(session: Session, case_id: int | None) -> list[dict[str, Any]]:
    """Who had seen the records of a case before they were pulled out, one line for each person and way:
    `{"actor", "how", "times", "first", "last"}`, the closest way first."""
    times: Counter[tuple[str, str]] = Counter()
    span: dict[tuple[str, str], tuple[datetime, datetime]] = {}
    for row in session.scalars(select(Exposure).where(Exposure.case_id == case_id)):
        key = (row.how, row.actor)
        times[key] += 1
        first, last = span.get(key, (row.at, row.at))
        span[key] = min(first, row.at), max(last, row.at)
    order = [how.value for how in How]
    return [{"actor": actor, "how": how, "times": times[how, actor],
             "first": span[how, actor][0].isoformat(timespec="seconds"),
             "last": span[how, actor][1].isoformat(timespec="seconds")}
            for how, actor in sorted(times, key=lambda key: (order.index(key[0]), key[1]))]


def _locked_item(session: Session, item_key: str) -> Item:
    def find() -> Item | None:
        return session.scalars(select(Item).where(Item.item_key == item_key).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()
    return get_or_create(session, find, lambda: Item(item_key=item_key))[0]


def _open_case(session: Session, item: Item, found: Found) -> tuple[Case, bool]:
    open_key = f"{item.id}/{found.content_hash}"

    def find() -> Case | None:
        return session.scalars(
            select(Case).where(Case.open_key == open_key).with_for_update(key_share=True)).one_or_none()

    return get_or_create(session, find, lambda: Case(
        number=next_number(session), item_id=item.id, content_hash=found.content_hash, open_key=open_key,
        reason=found.reason, verdict=found.summary["verdict"], policy=found.summary["policy"],
        trackers=len(found.trackers), summary=found.summary | {"origin": "rescan", "exposure": 2}))


def _locked(session: Session, pull_id: str) -> CrmPull:
    begin_write(session)
    return session.scalars(select(CrmPull).where(CrmPull.id == pull_id).with_for_update(key_share=True)
                           .execution_options(populate_existing=True)).one()


def _id(case: Case) -> int:
    if case.id is None:
        raise BadState("a case that was not written yet")
    return case.id
