"""What the living workers do for the dead: take up their items one by one, and look after the queue.

Done after each beat by whoever gets the lease for it. A job is never resumed twice at once in earnest: the engine
gives every claim a token of its own, the fence stops a process that comes back, and should both be late, the
ledger finds the step done.

An item whose worker dies over it again and again is poison: it is set aside, that is held for a reviewer unread.
When even that fails, or another kind of job does so, it is parked: `mailweir jobs` shows it, a person decides.
"""

from __future__ import annotations

import logging
import time

from sqlalchemy.orm import Session

from capture.engine import ASIDE, CAPTURE, ENDED, LIVE, Engine, Fact, JobState, JobStatus, workflow_id
from capture.lifeline import is_gone
from capture.logs import fields
from capture.pauses import jittered
from capture.settings import EngineSettings
from store import leases, tries
from store.database import Database
from store.lease_tables import JobTry

log = logging.getLogger("mailweir.worker")

REAPER, STRAYS, PURGE = "engine:reaper", "engine:strays", "engine:purge"
STRAY_SECONDS = 60.0
PURGE_SECONDS = 86400.0
PAUSE = 5.0
"""Longest pause before the second run of an item, in units of `engine.retry_seconds`; see `jittered`."""
LONGEST_PAUSE = 900.0
DIED = "worker-died"
"""The reason a poison item is held."""


class Takeover:
    """The chores of one worker; `round` after each beat."""

    def __init__(self, database: Database, engine: Engine, settings: EngineSettings, executor: str) -> None:
        self._database, self._engine, self._settings, self._me = database, engine, settings, executor
        self._missing: set[str] = set()
        self._looked = 0.0

    def round(self) -> None:
        """Take up what the dead left; now and then find strays, adopt other versions' work, purge."""
        self.reap()
        if time.monotonic() - self._looked >= STRAY_SECONDS:
            self._looked = time.monotonic()
            if self._mine(STRAYS, STRAY_SECONDS * 0.9):
                self.find_strays()
                self._adopt()
            if self._mine(PURGE, PURGE_SECONDS):
                self._engine.jobs.purge()

    def reap(self) -> int:
        """Take up running jobs of workers that are dead, and our own that do not run; returns how many."""
        running = self._engine.jobs.list(states=[JobState.RUNNING])  # before the workers: each joined before it claimed
        with self._database.reading() as session:
            all_workers = leases.workers(session)
            dead = leases.expired(session, self._settings.lease_seconds,
                                  gone={worker.id for worker in all_workers if is_gone(worker.boot)})
        alive = {worker.id for worker in all_workers} - {worker.id for worker in dead} | {self._me}
        lost = {job.id for job in running if job.executor == self._me and not self._engine.runs(job.id)}
        outdated = self._engine.outdated() & lost
        for job_id in outdated:
            log.warning("job %s was begun by another version of this program and is begun anew", job_id)
            self._engine.begin_anew(job_id)
        lost -= outdated
        orphans = [job for job in running if job.executor not in alive or job.id in lost & self._missing]
        self._missing = lost
        dead = tuple(worker for worker in dead if worker.id != self._me)
        if not (dead or orphans) or not self._mine(REAPER, self._settings.lease_seconds):
            return 0
        with self._database.session() as session:
            for worker in dead:
                leases.leave(session, worker.id)  # from here on it knows, should it come back
        if dead:
            log.warning("%d workers are dead; %d jobs are taken up", len(dead), len(orphans))
        for job in orphans:
            if not self._mine(REAPER, self._settings.lease_seconds):
                break
            self._take_up(job)
        self._adopt()
        with self._database.session() as session:
            leases.release(session, REAPER, self._me)
        return len(orphans)

    def find_strays(self) -> int:
        """Queue unfinished captures that no job will finish: whose job ended in a fault while the database was
        away, was deleted, or whose reviewer's release was cut off. Returns how many."""
        found, after = 0, ""
        while True:
            with self._database.reading() as session:
                ids = tries.untouched(session, STRAY_SECONDS, after=after)
                rows = tries.by_key(session, [key for i in ids for key in (f"capture-{i}", f"aside-{i}")])
            if not ids:
                return found
            after = ids[-1]
            found += sum(self._stray(capture, state) for capture, state in self._idle(ids, rows))

    def _idle(self, captures: tuple[str, ...], rows: dict[str, JobTry]) -> list[tuple[str, JobState | None]]:
        """Those no job is underway for, with the state of their last."""
        last: dict[str, str] = {}
        for capture in captures:
            if any(row is not None and row.parked for row in (rows.get(f"capture-{capture}"),
                                                              rows.get(f"aside-{capture}"))):
                continue
            aside, usual = rows.get(f"aside-{capture}"), rows.get(f"capture-{capture}")
            last[capture] = (f"aside-{capture}-{aside.run}" if aside else
                             workflow_id(capture, usual.run if usual else 0))
        status = {job.id: job.state for job in self._engine.jobs.list(ids=[*last.values()])} if last else {}
        return [(capture, status.get(job)) for capture, job in last.items() if status.get(job) in (None, *ENDED)]

    def _stray(self, capture: str, state: JobState | None) -> bool:
        fault = state in (JobState.FAILED, JobState.CANCELLED, JobState.PARKED)
        with self._database.session() as session:
            if tries.get(session, f"aside-{capture}"):
                after_fault(session, self._engine, self._settings, capture, "stopped", job=ASIDE, counts=fault)
            elif state is None:
                known = tries.get(session, f"capture-{capture}")
                self._engine.enqueue(session, capture, known.run if known else 0)
            else:
                after_fault(session, self._engine, self._settings, capture, "stopped", counts=fault)
        return True

    def _take_up(self, job: JobStatus) -> None:
        key = stem(job)
        with self._database.session() as session:
            row = tries.taken_up(session, key, job.name)
            poison = row.taken_up >= self._settings.take_ups
            if poison and job.name == CAPTURE:
                capture = key.removeprefix("capture-")
                log.error("its worker died %d times; it is set aside", row.taken_up,
                          extra=fields("capture:item:aside", capture=capture, attempt=row.taken_up))
                aside = tries.opened(session, f"aside-{capture}", ASIDE)
                self._engine.enqueue_job(session, ASIDE, f"{aside.key}-{aside.run}", [capture, DIED])
            elif poison:
                log.error("job %s: its worker died %d times; it is parked", key, row.taken_up)
                tries.park(session, key, job.name, DIED)
        if poison:
            self._engine.jobs.cancel([job.id])
        else:
            self._engine.jobs.take_up(job.id, job.queue or LIVE)

    def _adopt(self) -> None:
        with self._database.reading() as session:
            versions = {worker.version.rpartition("/")[2] for worker in leases.workers(session)}
        if adopted := self._engine.jobs.adopt(versions):
            log.warning("%d jobs of another engine version are taken over", adopted)

    def _mine(self, name: str, seconds: float) -> bool:
        with self._database.session() as session:
            return leases.hold(session, name, self._me, seconds)


def after_fault(session: Session, engine: Engine, settings: EngineSettings, capture: str, code: str, *,
                job: str = CAPTURE, counts: bool = True) -> None:
    """A run of this capture gave up: queue the next, later each time, or park it after `engine.take_ups` faults.

    What may work later (`counts` is False) has no such limit: the flow holds it when it is old enough.
    """
    key = f"capture-{capture}" if job == CAPTURE else f"aside-{capture}"
    before = tries.get(session, key)
    pause = jittered(PAUSE * settings.retry_seconds, before.run if before else 0, longest=LONGEST_PAUSE)
    row = tries.failed(session, key, job, code, counts=counts, pause=pause)
    if row.failed >= settings.take_ups:
        log.error("it ended in a fault %d times and is parked", row.failed,
                  extra=fields("capture:item:parked", capture=capture, attempt=row.failed, code=code))
        tries.park(session, key, job, code)
    else:
        args: list[Fact] = [capture, row.run] if job == CAPTURE else [capture, DIED]
        engine.enqueue_job(session, job, f"{key}-{row.run}", args, delay=pause)


def stem(job: JobStatus) -> str:
    """The key of a job's tries: its id, for captures without the number of the run."""
    return job.id.rpartition("-")[0] if job.name in (CAPTURE, ASIDE) else job.id
