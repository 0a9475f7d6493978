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

from store import audit, quarantine
from store.columns import now
from store.database import begin_write, get_or_create
from store.errors import BadState, DatabaseLocked, NotFound
from store.tables import Capture, CaptureState, Case, CaseState, Counter, Item, ItemState

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
    """One page of the numbers of open cases, in their order."""
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


def release(session: Session, number: str, *, actor: str, reason: str) -> Released:
    """A reviewer found nothing personal: every tracker's capture is ruled "link".

    Later copies with the same content pass while the policy stays the same. The content stays until the
    last capture is linked. `reason` is a code. Raises `BadState` when the case is not open.
    """
    case = _close(session, number, CaseState.RELEASED, actor, reason)
    waiting = [c for c in trackers(session, case) if c.outcome == "hold"]
    for capture in waiting:
        if capture.state not in (CaptureState.HELD, CaptureState.MARKED, CaptureState.NOTIFIED):
            raise BadState(f"capture {capture.id} is {capture.state}")
        capture.state, capture.outcome, capture.updated = CaptureState.DECIDED, "link", now()
        capture.finished = None
        capture.summary = capture.summary | {"why": "released"}
    _settle(session, case, ItemState.RELEASED)
    audit.append(session, "quarantine:case:released", actor=actor, subject=case.number,
                 body={"item": case.item_id, "reason": reason, "captures": len(waiting)})
    return Released(case, tuple(waiting))


def delete(session: Session, number: str, *, actor: str, reason: str) -> int:
    """A reviewer confirmed it: the keys of the content are destroyed. Returns how many blobs went.

    The row of the case stays as the receipt. Call `Database.scrub()` after the commit.
    Raises `BadState` when the case is not open.
    """
    case = _close(session, number, CaseState.DELETED, actor, reason)
    destroyed = quarantine.destroy_all(session, case_id=case.id)
    session.execute(update(Capture).where(col(Capture.case_id) == case.id).values(locator=None)
                    .execution_options(synchronize_session="fetch"))
    _settle(session, case, ItemState.DELETED)
    audit.append(session, "quarantine:case:deleted", actor=actor, subject=case.number,
                 body={"item": case.item_id, "reason": reason, "blobs": destroyed})
    return destroyed


def next_number(session: Session) -> str:
    """The next case number of this year: "MW-2026-000123"."""
    year = now().year
    name = f"case:{year}"

    def find() -> Counter | None:
        return session.scalars(select(Counter).where(Counter.name == name).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()

    counter, _ = get_or_create(session, find, lambda: Counter(name=name))
    counter.value += 1
    session.flush()
    return f"MW-{year}-{counter.value:06d}"


def _close(session: Session, number: str, state: CaseState, actor: str, reason: str) -> Case:
    case = _locked(session, number)
    if case.state != CaseState.HELD:
        raise BadState(f"case {case.number} is {case.state}")
    case.state, case.open_key, case.closed = state, None, now()
    case.closed_by, case.closed_reason = actor, reason
    session.flush()
    return case


def _locked(session: Session, number: str) -> Case:
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
        Case.item_id == case.item_id, Case.state == CaseState.HELD).limit(1)).first()
    item = session.get(Item, case.item_id)
    if item is not None and others is None:
        item.state, item.updated = state, now()
    session.flush()
