"""Who is alive, and who holds what only one may do at a time. Each function runs in the caller's transaction.

    with db.session() as s: leases.join(s, executor, boot=..., version=...)   # a worker starts
    with db.session() as s: leases.beat(s, executor)                          # every few seconds
    with db.session() as s: leases.hold(s, "reaper", executor, 60)            # True: mine for 60 s; again to keep it
    with db.session() as s: leases.release(s, "reaper", executor)

Time is the database's (on SQLite that is the machine's own), so workers' clocks may differ. A lease is a promise
about time and no lock: its holder may be frozen and come back late. Whatever is done under one must be harmless
when done twice, which the ledger sees to.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.columns import now
from store.database import begin_write
from store.lease_tables import ExecutorLease, NamedLease


def db_now(session: Session) -> datetime:
    """This moment by the clock all workers share, in UTC."""
    if session.connection().dialect.name == "sqlite":
        return now()
    moment: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


# ---------------------------------------------------------------------------------------------- workers

def join(session: Session, executor: str, *, boot: str = "", version: str = "") -> None:
    """A worker starts under a new id, before it takes any work."""
    begin_write(session)
    moment = db_now(session)
    session.merge(ExecutorLease(id=executor, boot=boot, version=version, started=moment, ts=moment))
    session.flush()


def beat(session: Session, executor: str) -> bool:
    """Say that this worker lives. False when it was taken for dead and others took up its work."""
    begin_write(session)
    found = session.execute(sa.update(ExecutorLease).where(col(ExecutorLease.id) == executor)
                            .values(ts=db_now(session)).returning(col(ExecutorLease.id)))
    return found.first() is not None


def leave(session: Session, executor: str) -> None:
    """The worker stops, or is dead: its row and everything it holds are free."""
    begin_write(session)
    session.execute(sa.delete(ExecutorLease).where(col(ExecutorLease.id) == executor))
    session.execute(sa.delete(NamedLease).where(col(NamedLease.owner) == executor))


def workers(session: Session) -> tuple[ExecutorLease, ...]:
    """Every worker that has neither stopped nor been cleared away, oldest first."""
    return tuple(session.scalars(select(ExecutorLease).order_by(col(ExecutorLease.started))))


def expired(session: Session, seconds: float, *, gone: Collection[str] = ()) -> tuple[ExecutorLease, ...]:
    """Workers that have not been heard of for `seconds`, and those among `gone` (known to be dead)."""
    limit = db_now(session) - timedelta(seconds=seconds)
    return tuple(worker for worker in workers(session) if worker.ts < limit or worker.id in gone)


# ----------------------------------------------------------------------------------------- named leases

def hold(session: Session, name: str, owner: str, seconds: float) -> bool:
    """Take or keep the lease `name` for `seconds`. False when another owner has it and it has not run out.

    `owner` is the executor's id where there is one, so that the leases of a dead worker are freed with it.
    """
    begin_write(session)
    moment = db_now(session)
    insert = sqlite.insert if session.connection().dialect.name == "sqlite" else postgresql.insert
    values = {"owner": owner, "until": moment + timedelta(seconds=seconds)}
    found = session.execute(
        insert(NamedLease).values(name=name, **values).on_conflict_do_update(
            index_elements=[col(NamedLease.name)], set_=values,
            where=sa.or_(col(NamedLease.owner) == owner, col(NamedLease.until) < moment))
        .returning(col(NamedLease.name)))
    return found.first() is not None


def release(session: Session, name: str, owner: str) -> None:
    """Let a lease go, if this owner has it."""
    begin_write(session)
    session.execute(sa.delete(NamedLease).where(col(NamedLease.name) == name, col(NamedLease.owner) == owner))


def holder(session: Session, name: str) -> str:
    """Who has the lease now; "" when nobody has."""
    row = session.get(NamedLease, name)
    return row.owner if row is not None and row.until >= db_now(session) else ""
