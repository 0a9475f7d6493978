"""What an operator sees of the work: what runs, what waits, what had trouble, what is parked; and try it again.

Ids, codes, counts and ages only.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from capture.acting import acting
from capture.engine import ASIDE, BATCH, CAPTURE, LIVE, Jobs, JobState, workflow_id
from capture.errors import CaptureError
from capture.lifeline import is_gone
from capture.settings import Settings
from capture.takeover import DIED, stem
from capture.wiring import opened
from store import audit, leases, ledger, tries
from store.access import Action
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.lease_tables import ExecutorLease, JobTry

SHOWN = 100
"""How many of the running and waiting jobs a list shows; the counts are of all."""


class NoSuchJob(CaptureError):
    """There is no work of this id, or it is done."""

    code = "no-such-job"
    hint = "Run `mailweir jobs list`; an id may be given by its first characters as long as they are unique."


class NoJobNamed(CaptureError):
    """No work was named, so none is tried again."""

    code = "no-job-named"
    hint = "Name ids from `mailweir jobs list --dead`, or say --all."


def listed(settings: Settings, *, dead: bool = False) -> dict[str, Any]:
    """`{"counts": {...}, "jobs": [...]}`: work with trouble first, then what runs, then what waits, oldest first.

    `dead`: only what is parked, which nothing but `retry` starts again.
    """
    with opened(settings) as (database, keys), client(database, keys) as jobs:
        with database.reading() as session:
            troubled = tries.listed(session, parked=dead)
            counts = {"unfinished": tries.unfinished(session), "parked": tries.parked_count(session),
                      "workers": len(alive(session, settings))}
        rows = [_trouble(row) for row in troubled]
        if not dead:
            known = {row.key for row in troubled}
            for state in (JobState.RUNNING, JobState.WAITING):
                underway = jobs.list(states=[state], limit=SHOWN)
                rows += [_row(stem(job), job.name, str(job.state), age=_age(job.created), worker=job.executor)
                         for job in underway if stem(job) not in known]
        return {"counts": counts, "jobs": rows}


def shown(settings: Settings, key: str) -> dict[str, Any]:
    """Everything known of one piece of work: its tries and each of its runs. Raises `NoSuchJob`."""
    with opened(settings) as (database, keys), client(database, keys) as jobs:
        with database.reading() as session:
            found = [row for row in tries.listed(session) if _matches(row.key, key)]
        runs = jobs.list(prefix=[f"{lead}{key}" for lead in ("capture-", "aside-", "")])
        if not runs and not found:
            raise NoSuchJob(key)
        return {"tries": [_trouble(row) for row in found],
                "runs": [{"id": job.id, "job": job.name, "state": str(job.state), "error": job.error,
                          "queue": job.queue, "worker": job.executor, "created": job.created.isoformat(),
                          "updated": job.updated.isoformat()} for job in runs]}


def retry(settings: Settings, keys_named: list[str], *, everything: bool = False, actor: str) -> list[str]:
    """Try parked work again, now, with its counts at zero; returns the keys. Raises `NoSuchJob`."""
    with opened(settings) as (database, keys), client(database, keys) as jobs:
        with database.reading() as session:
            actor = acting(session, actor, Action.JOB_RETRY)
            parked = [row.key for row in tries.listed(session, parked=True)]
        wanted = parked if everything else []
        for name in keys_named:
            matching = [key for key in parked if _matches(key, name)]
            if len(matching) != 1:
                raise NoSuchJob(name)
            wanted += matching
        for key in wanted:
            with database.session() as session:
                row = tries.unpark(session, key)
                if row is None:
                    continue
                audit.append(session, "engine:job:retried", actor=actor, subject=key, body={"run": row.run})
                _queue_again(session, jobs, row)
            if row.job not in (CAPTURE, ASIDE):
                jobs.take_up(key, BATCH)
        return wanted


def alive(session: Session, settings: Settings) -> list[ExecutorLease]:
    """The workers that are alive."""
    every = leases.workers(session)
    dead = {worker.id for worker in leases.expired(session, settings.engine.lease_seconds,
                                                   gone={worker.id for worker in every if is_gone(worker.boot)})}
    return [worker for worker in every if worker.id not in dead]


def health(session: Session, settings: Settings) -> dict[str, float]:
    """Figures for `doctor`: `workers`, `dead` workers not cleared away, `parked`, `later` (tried again later),
    `unfinished`, `oldest` (seconds the longest waiting item waits)."""
    living, oldest = alive(session, settings), tries.oldest(session)
    troubled = tries.listed(session)
    return {"workers": len(living), "dead": len(leases.workers(session)) - len(living),
            "parked": sum(row.parked is not None for row in troubled),
            "later": sum(row.parked is None for row in troubled),
            "unfinished": ledger.outcomes(session)["unfinished"], "oldest": _age(oldest) if oldest else 0}


def client(database: Database, keys: Keys) -> Jobs:
    """The engine's queues, from outside a worker."""
    return Jobs(database.engine, key=keys.derive("engine-serializer"))


def _queue_again(session: Session, jobs: Jobs, row: JobTry) -> None:
    if row.job == CAPTURE:
        capture = row.key.removeprefix("capture-")
        jobs.enqueue(session, CAPTURE, LIVE, workflow_id(capture, row.run), [capture, row.run])
    elif row.job == ASIDE:
        jobs.enqueue(session, ASIDE, LIVE, f"{row.key}-{row.run}", [row.key.removeprefix("aside-"), DIED])


def _trouble(row: JobTry) -> dict[str, Any]:
    state = "parked" if row.parked else "later" if row.due > now() else "again"
    return _row(row.key, row.job, state, attempts=row.taken_up + row.failed, error=row.error, age=_age(row.updated),
                due="" if row.parked else row.due.isoformat(timespec="seconds"))


def _row(key: str, job: str, state: str, *, attempts: int = 0, error: str = "", age: int = 0, due: str = "",
         worker: str = "") -> dict[str, Any]:
    return {"id": key, "job": job, "state": state, "attempts": attempts, "error": error, "age": age, "due": due,
            "worker": worker}


def _matches(key: str, name: str) -> bool:
    return key.startswith((name, f"capture-{name}", f"aside-{name}"))


def _age(moment: datetime) -> int:
    return max(0, int((now() - moment).total_seconds()))
