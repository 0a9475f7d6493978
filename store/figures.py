"""What a database says about itself in numbers: for monitoring and `doctor`. Counts and ages only.

    with db.reading() as session:
        figures = figures_of(session)

Every query counts by an indexed column; nothing here reads a row's content. Labels are our own states and
outcomes, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, func
from sqlalchemy import case as when
from sqlalchemy import select as columns
from sqlalchemy.orm import Mapped, Session
from sqlmodel import col, select

from store.columns import now
from store.lease_tables import ExecutorLease, JobTry
from store.ledger import ENDED
from store.rescan_tables import RescanChunk, RescanRun, RunState
from store.tables import AuditHead, Capture, CaptureState, Case, CaseState, Notice, NoticeState
from store.watch_tables import WatchedMailbox

AGES: Final[Mapping[str, timedelta]] = {
    "under_4h": timedelta(hours=4), "under_1d": timedelta(days=1), "under_3d": timedelta(days=3),
    "under_5d": timedelta(days=5)}
"""Bands of a case's age, each up to its bound; what is older is `over_5d`."""
OLDEST: Final = "over_5d"
OUTCOMES: Final = ("link", "hold", "gone", "cancel", "refuse", "none")
_OPEN: Final = tuple(state for state in CaptureState if state not in ENDED)


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """Counts at one moment. Keys of the mappings are all there, also when the count is 0."""

    captures: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(state, outcome) -> captures; outcome "none" while there is none."""
    open_cases: Mapping[str, int] = field(default_factory=dict)
    """age band -> open cases"""
    cases: Mapping[str, int] = field(default_factory=dict)
    """state -> cases"""
    backlog: int = 0
    """captures with something left to do"""
    oldest_seconds: float = 0.0
    """age of the oldest of them"""
    notices: Mapping[str, int] = field(default_factory=dict)
    """state -> notices"""
    oldest_notice_seconds: float = 0.0
    """how long the notice that waits longest is due"""
    audit_rows: int = 0
    leases: Mapping[str, int] = field(default_factory=dict)
    """workers by whether they were heard of lately: "alive", "lost" """
    jobs: Mapping[str, int] = field(default_factory=dict)
    """work that had trouble: "retried" (tried again), "parked" (waits for a person)"""
    mailboxes: Mapping[str, int] = field(default_factory=dict)
    """watched mailboxes: "watched", "parked" (they refuse us)"""
    rescans: Mapping[str, int] = field(default_factory=dict)
    """state -> rescans"""
    rescan_chunks: Mapping[str, int] = field(default_factory=dict)
    """chunks of the rescans that are not done: "done", "waiting" """


def figures_of(session: Session, moment: datetime | None = None, *, lease_seconds: float = 30) -> StoreFigures:
    """Count everything, as of `moment` (this moment when not given). A worker not heard of for `lease_seconds`
    counts as lost."""
    at = moment or now()
    waiting = session.execute(columns(func.count(), func.min(col(Capture.created))).where(
        col(Capture.state).in_(_OPEN))).one()
    due = session.scalars(select(func.min(col(Notice.due))).where(
        col(Notice.state).in_((NoticeState.PENDING, NoticeState.SENDING)))).one()
    head = session.scalars(select(AuditHead.count).where(AuditHead.id == 1)).one_or_none()
    return StoreFigures(
        captures=_captures(session), open_cases=_open_cases(session, at),
        cases=_by_state(session, col(Case.state), CaseState), backlog=int(waiting[0]),
        oldest_seconds=_age(waiting[1], at), notices=_by_state(session, col(Notice.state), NoticeState),
        oldest_notice_seconds=_age(due, at), audit_rows=int(head or 0),
        leases=_split(session, col(ExecutorLease.ts) > at - timedelta(seconds=lease_seconds), ("alive", "lost")),
        jobs=_split(session, col(JobTry.parked).is_not(None), ("parked", "retried")),
        mailboxes=_split(session, col(WatchedMailbox.parked).is_(None), ("watched", "parked"),
                         col(WatchedMailbox.removed).is_(None)),
        rescans=_by_state(session, col(RescanRun.state), RunState),
        rescan_chunks=_split(session, col(RescanChunk.done).is_(True), ("done", "waiting"), col(RescanChunk.run_id).in_(
            select(RescanRun.id).where(RescanRun.state != RunState.DONE))))


def _captures(session: Session) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    rows = session.execute(columns(col(Capture.state), col(Capture.outcome), func.count())
                           .group_by(col(Capture.state), col(Capture.outcome))).all()
    for state, outcome, number in rows:
        known = outcome if outcome in OUTCOMES else "none"
        found[str(CaptureState(state)), known] = found.get((str(CaptureState(state)), known), 0) + int(number)
    return {(str(state), outcome): found.get((str(state), outcome), 0)
            for state in CaptureState for outcome in OUTCOMES
            if (str(state), outcome) in found or _usual(state, outcome)}


def _usual(state: CaptureState, outcome: str) -> bool:
    """Pairs shown also when there are none, so that a graph has no gaps."""
    ends = {CaptureState.NOTIFIED: ("link", "hold", "refuse"), CaptureState.GONE: ("gone",),
            CaptureState.CANCELLED: ("cancel",)}
    return outcome in ends.get(state, ("none",) if state is CaptureState.CLAIMED else ())


def _open_cases(session: Session, at: datetime) -> dict[str, int]:
    opened = col(Case.opened)
    bounds = [(band, at - age) for band, age in AGES.items()]
    younger = [func.coalesce(func.sum(when((opened > bound, 1), else_=0)), 0) for _, bound in bounds]
    total, *counts = session.execute(columns(func.count(), *younger).where(
        col(Case.state) == CaseState.HELD)).one()
    bands: dict[str, int] = {}
    before = 0
    for (band, _), count in zip(bounds, counts, strict=True):
        bands[band], before = int(count) - before, int(count)
    return bands | {OLDEST: int(total) - before}


def _split(session: Session, question: ColumnElement[bool], names: tuple[str, str],
           *where: ColumnElement[bool]) -> dict[str, int]:
    """Rows for which the question is true, and the others, under two names."""
    query = columns(func.coalesce(func.sum(when((question, 1), else_=0)), 0),
                    func.coalesce(func.sum(when((question, 0), else_=1)), 0)).where(*where)
    yes, no = session.execute(query).one()
    return {names[0]: int(yes), names[1]: int(no)}


def _by_state(session: Session, state_of: Mapped[str], states: type[StrEnum]) -> dict[str, int]:
    found = dict(session.execute(columns(state_of, func.count()).group_by(state_of)).all())
    return {str(state): int(found.get(str(state), 0)) for state in states}


def _age(moment: datetime | None, at: datetime) -> float:
    return max(0.0, (at - moment).total_seconds()) if moment else 0.0
