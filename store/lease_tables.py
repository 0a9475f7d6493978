"""Tables of the workers: who is alive, who does what only one may do, and what kept failing."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row


class ExecutorLease(Row, table=True):
    """One worker process that is alive as long as it keeps moving `ts` on.

    Made when the worker starts, gone when it stops or when others took up its work. `id` is new at every start
    and stands in the engine's rows. `boot` tells processes of one machine whether this one still runs; `version`
    is the program's. Holds nothing of any item.
    """

    __tablename__ = "executor_lease"
    id: str = Field(primary_key=True, max_length=32)
    boot: str = Field(default="", max_length=160)
    version: str = Field(default="", max_length=64)
    started: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ts: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)


class NamedLease(Row, table=True):
    """Something only one may do at a time (look into a mailbox, take up dead workers' items): who, and until when.

    `name` is a fixed word or one with an id or keyed hash in it, never an address. Rows stay and are taken over.
    """

    __tablename__ = "named_lease"
    name: str = Field(primary_key=True, max_length=128)
    owner: str = Field(max_length=64, index=True)
    until: datetime = Field(sa_type=UtcDateTime)


class JobTry(Row, table=True):
    """How often one piece of work went wrong, kept apart from the engine, whose counter starts anew.

    Made at the first trouble; gone when the work is done. `key` is the capture's id, or the id of another job;
    `run` the number of the engine's run now in charge; `taken_up` how often it was taken from a worker that had
    died; `failed` how many runs gave up; `error` the code of the last; `due` when the next run begins. A `parked`
    one waits for `mailweir jobs retry`.
    """

    __tablename__ = "job_try"
    key: str = Field(primary_key=True, max_length=128)
    job: str = Field(max_length=64)
    run: int = 0
    taken_up: int = 0
    failed: int = 0
    error: str = Field(default="", max_length=64)
    due: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    parked: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)
