"""What went wrong with a piece of work, and how often: one row for each that had trouble (`JobTry`).

The engine counts too, but starts anew whenever work is taken up; these counts last until the work is done. All
functions run in the caller's transaction. `key` is the id of the job without the number of its run.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.columns import now
from store.database import begin_write, get_or_create
from store.lease_tables import JobTry
from store.ledger import ENDED
from store.tables import Capture, CaptureState

_OPEN = col(Capture.state).in_([s.value for s in CaptureState if s not in ENDED])


def get(session: Session, key: str) -> JobTry | None:
    """The row of this work, or None when nothing ever went wrong with it."""
    return session.get(JobTry, key)


def opened(session: Session, key: str, job: str) -> JobTry:
    """The row of this work, made when there is none."""
    return _row(session, key, job)


def taken_up(session: Session, key: str, job: str) -> JobTry:
    """Its worker died over it: count that."""
    row = _row(session, key, job)
    row.taken_up += 1
    return _changed(session, row)


def failed(session: Session, key: str, job: str, code: str, *, counts: bool = True, pause: float = 0.0) -> JobTry:
    """A run gave up with this code; the next one, in `pause` seconds, has the number `run` of the row returned."""
    row = _row(session, key, job)
    row.failed += counts
    row.run += 1
    row.error, row.due = code, now() + timedelta(seconds=pause)
    return _changed(session, row)


def park(session: Session, key: str, job: str, code: str) -> JobTry:
    """Try it no more until a person says so."""
    row = _row(session, key, job)
    row.parked, row.error = now(), code
    return _changed(session, row)


def unpark(session: Session, key: str) -> JobTry | None:
    """A person says so: the counts start anew, and the next run has the number `run` of the row returned."""
    begin_write(session)
    row = session.get(JobTry, key)
    if row is None:
        return None
    row.parked, row.taken_up, row.failed, row.due = None, 0, 0, now()
    row.run += 1
    return _changed(session, row)


def done(session: Session, key: str) -> None:
    """The work is done: nothing is left to remember."""
    begin_write(session)
    session.execute(sa.delete(JobTry).where(col(JobTry.key) == key))


def listed(session: Session, *, parked: bool = False) -> tuple[JobTry, ...]:
    """All work with trouble, or the parked part of it; oldest trouble first."""
    query = select(JobTry).order_by(col(JobTry.updated))
    return tuple(session.scalars(query.where(col(JobTry.parked).is_not(None)) if parked else query))


def parked_count(session: Session) -> int:
    """How many wait for a person."""
    return session.scalar(sa.select(sa.func.count()).where(col(JobTry.parked).is_not(None))) or 0


def parked_captures(session: Session) -> int:
    """How many unfinished captures wait for a person; a parked job of another kind is not one of them."""
    keys = (sa.literal("capture-") + col(Capture.id), sa.literal("aside-") + col(Capture.id))
    parked = sa.exists().where(col(JobTry.key).in_(keys), col(JobTry.parked).is_not(None))
    return session.scalar(sa.select(sa.func.count()).select_from(Capture).where(_OPEN, parked)) or 0


def by_key(session: Session, keys: Sequence[str]) -> dict[str, JobTry]:
    """The rows of these keys; keys without trouble are missing."""
    return {row.key: row for row in session.scalars(select(JobTry).where(col(JobTry.key).in_(keys)))}


# ------------------------------------------------------------------------------------- captures, as work

def unfinished(session: Session) -> int:
    """How many captures have something left to do."""
    return session.scalar(sa.select(sa.func.count()).select_from(Capture).where(_OPEN)) or 0


def turn(session: Session, capture_id: str, *, at_most: int = 1000) -> int:
    """The how-manieth unfinished capture of its mailbox this is, from 1 to `at_most`."""
    mailbox = select(Capture.mailbox).where(col(Capture.id) == capture_id).scalar_subquery()
    waiting = select(Capture.id).where(col(Capture.mailbox) == mailbox, _OPEN).limit(at_most).subquery()
    return session.scalar(sa.select(sa.func.count()).select_from(waiting)) or 1


def oldest(session: Session) -> datetime | None:
    """Since when the longest waiting capture is unfinished."""
    return session.scalars(select(Capture.created).where(_OPEN).order_by(col(Capture.created)).limit(1)).first()


def untouched(session: Session, seconds: float, *, after: str = "", limit: int = 500) -> tuple[str, ...]:
    """Ids of unfinished captures that nothing happened to for so long, in the order of ids, from `after` on."""
    before = now() - timedelta(seconds=seconds)
    return tuple(session.scalars(
        select(Capture.id).where(_OPEN, col(Capture.updated) < before, col(Capture.id) > after)
        .order_by(col(Capture.id)).limit(limit)))


def age(session: Session, capture: str) -> float:
    """Seconds since a capture was registered; 0 for one that is not there."""
    created = session.scalar(select(Capture.created).where(Capture.id == capture))
    return (now() - created).total_seconds() if created else 0.0


def _row(session: Session, key: str, job: str) -> JobTry:
    begin_write(session)
    return get_or_create(session, lambda: session.get(JobTry, key, with_for_update=True),
                         lambda: JobTry(key=key, job=job))[0]


def _changed(session: Session, row: JobTry) -> JobTry:
    row.updated = now()
    session.add(row)
    session.flush()
    return row
