"""The review queue: list and show cases, release them, or confirm and destroy.

    cases.listed(session)                            open cases, oldest first
    cases.get(session, "MW-2026-000123")
    cases.trackers(session, case)                    the captures that wait for it
    cases.release(session, number, actor=..., reason="false-positive")   -> captures to be linked now
    cases.delete(session, number, actor=..., reason="confirmed")         -> blobs destroyed

Both outcomes are final and audited, and need the case to be open: a second reviewer who comes too late
gets `BadState`. Nothing here shows content; `quarantine.reveal` does, with its own audit row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, filing, quarantine
from store.columns import now
from store.database import begin_write, get_or_create
from store.desk_types import Rules
from store.errors import BadState, DatabaseLocked, NotFound
from store.tables import OPEN_CASE, Capture, CaptureState, Case, CaseState, Counter, Item, ItemState

_TURNS = 20
"""How often the locks of a case are taken anew while captures join it."""


@dataclass(frozen=True, slots=True)
class Released:
    """A released case and the captures that are ruled "link" now; run them through link, mark, notify."""

    case: Case
    captures: tuple[Capture, ...]


def listed(session: Session, *, state: CaseState | None = CaseState.HELD,
           limit: int | None = None) -> tuple[Case, ...]:
    """Cases by age, oldest first; `state=None` for all."""
    query = select(Case).order_by(col(Case.opened), col(Case.id)).limit(limit)
    return tuple(session.scalars(query if state is None else query.where(Case.state == state)))


def numbers(session: Session, *, after: str = "", opened_before: datetime | None = None,
            since: datetime | None = None, until: datetime | None = None, limit: int = 200) -> list[str]:
    """One page of the numbers of held cases, in their order."""
    query = select(Case.number).where(Case.state == CaseState.HELD, Case.number > after)
    if opened_before is not None:
        query = query.where(Case.opened < opened_before)
    if since is not None:
        query = query.where(Case.opened >= since)
    if until is not None:
        query = query.where(Case.opened < until)
    return [*session.scalars(query.order_by(Case.number).limit(limit))]


def get(session: Session, number: str, *, lock: bool = False) -> Case:
    """The case with this number, upper or lower case. Raises `NotFound`."""
    query = select(Case).where(Case.number == number.strip().upper())
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    case = session.scalars(query).one_or_none()
    if case is None:
        raise NotFound("no case with this number")
    return case


def trackers(session: Session, case: Case) -> tuple[Capture, ...]:
    """The captures of a case, oldest first."""
    return tuple(session.scalars(select(Capture).where(Capture.case_id == case.id)
                                 .order_by(col(Capture.created), col(Capture.id))))


def release(session: Session, number: str, *, actor: str, reason: str, redacted: bool = False) -> Released:
    """A reviewer found nothing personal: every tracker's capture is ruled "link".

    Later copies with the same content pass while the policy stays the same. The content stays until the
    last capture is linked. `reason` is a code. Raises `BadState` when the case is not held.

    `redacted`: the copy of `quarantine.keep_redacted` passes and not the original, which is destroyed when the copy is
    linked (or later: `filing.keep_original`); later copies of the original are held as ever.
    """
    state, why = (CaseState.REDACTED, "redacted") if redacted else (CaseState.RELEASED, "released")
    case = _close(session, number, state, actor, reason)
    filing.closed(session, case)
    waiting = [c for c in trackers(session, case) if c.outcome == "hold"]
    for capture in waiting:
        if capture.state not in (CaptureState.HELD, CaptureState.MARKED, CaptureState.NOTIFIED):
            raise BadState(f"capture {capture.id} is {capture.state}")
        capture.state, capture.outcome, capture.updated = CaptureState.DECIDED, "link", now()
        capture.finished = None
        capture.summary = capture.summary | {"why": why}
    _settle(session, case, ItemState.RELEASED)
    audit.append(session, f"quarantine:case:{why}", actor=actor, subject=case.number,
                 body={"item": case.item_id, "reason": reason, "captures": len(waiting)})
    return Released(case, tuple(waiting))


def delete(session: Session, number: str, *, actor: str, reason: str, keep_places: bool = False) -> int:
    """A reviewer confirmed it: the keys of the content are destroyed. Returns how many blobs went.

    The row of the case stays as the receipt. Call `Database.scrub()` after the commit. Where the items are is
    forgotten at once, or with `keep_places` when they show what became of them (`ledger.forget_place`).
    Raises `BadState` when the case is not held.
    """
    case = _close(session, number, CaseState.DELETED, actor, reason)
    filing.closed(session, case)
    destroyed = quarantine.destroy_all(session, case_id=case.id)
    if not keep_places:
        session.execute(update(Capture).where(col(Capture.case_id) == case.id).values(locator=None)
                        .execution_options(synchronize_session="fetch"))
    _settle(session, case, ItemState.DELETED)
    audit.append(session, "quarantine:case:deleted", actor=actor, subject=case.number,
                 body={"item": case.item_id, "reason": reason, "blobs": destroyed})
    return destroyed


def escalate(session: Session, number: str, *, actor: str, reason: str, incident: str) -> Case:
    """A reviewer made it an incident: nothing passes and nothing is destroyed until that is closed.

    Further copies join the case. `reason` is the kind of incident. Raises `BadState` when the case is not held.
    """
    case = locked(session, number)
    if case.state != CaseState.HELD:
        raise BadState(f"case {case.number} is {case.state}")
    case.state = CaseState.ESCALATED
    filing.escalated(session, case)
    audit.append(session, "quarantine:case:escalated", actor=actor, subject=case.number,
                 body={"item": case.item_id, "reason": reason, "incident": incident})
    return case


def back_to_queue(session: Session, number: str, rules: Rules) -> Case:
    """Its incident is closed: the case waits for a decision again. Raises `BadState` when it is none."""
    case = locked(session, number)
    if case.state != CaseState.ESCALATED:
        raise BadState(f"case {case.number} is {case.state}")
    case.state = CaseState.HELD
    filing.reopened(session, case, rules)
    return case


def next_number(session: Session, series: str = "case", prefix: str = "MW") -> str:
    """The next number of this year, of cases: "MW-2026-000123", or of another series."""
    year = now().year
    name = f"{series}:{year}"

    def find() -> Counter | None:
        return session.scalars(select(Counter).where(Counter.name == name).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()

    counter, _ = get_or_create(session, find, lambda: Counter(name=name))
    counter.value += 1
    session.flush()
    return f"{prefix}-{year}-{counter.value:06d}"


def _close(session: Session, number: str, state: CaseState, actor: str, reason: str) -> Case:
    case = locked(session, number)
    if case.state != CaseState.HELD:
        raise BadState(f"case {case.number} is {case.state}")
    case.state, case.open_key, case.closed = state, None, now()
    case.closed_by, case.closed_reason = actor, reason
    session.flush()
    return case


def locked(session: Session, number: str) -> Case:
    """The case, locked together with its captures and its item in the ledger's order: captures, item, case.

    Transactions that all wait in one order cannot deadlock. A capture that joined the case before the item was locked
    would be locked out of turn, so then all locks are given back and taken again. Raises `NotFound`, `DatabaseLocked`.
    """
    begin_write(session)
    found = get(session, number)
    mine = select(Capture).where(Capture.case_id == found.id).order_by(col(Capture.id)).execution_options(
        populate_existing=True)
    for _ in range(_TURNS):
        with session.begin_nested() as attempt:
            locked = session.scalars(mine.with_for_update(key_share=True)).all()
            session.scalars(select(Item).where(Item.id == found.item_id).with_for_update(key_share=True)
                            .execution_options(populate_existing=True)).one()
            if {c.id for c in locked} == {c.id for c in session.scalars(mine)}:
                return get(session, number, lock=True)
            attempt.rollback()
    raise DatabaseLocked(f"case {number}: people keep joining it")


def _settle(session: Session, case: Case, state: ItemState) -> None:
    """The item follows its last open case."""
    others = session.scalars(select(Case.id).where(
        Case.item_id == case.item_id, col(Case.state).in_(OPEN_CASE)).limit(1)).first()
    item = session.get(Item, case.item_id)
    if item is not None and others is None:
        item.state, item.updated = state, now()
    session.flush()
