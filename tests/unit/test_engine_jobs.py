"""Jobs on the durable engine: several queues, idempotent by id, in the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from stores import opened

from capture.engine import BATCH, LIVE, Engine, Fact, Job, Jobs, JobState
from capture.errors import EngineRefused, StepFailed
from capture.ports import Step
from capture.settings import EngineSettings
from store.database import Database
from store.tables import new_id

KEY = bytes(32)
SETTINGS = EngineSettings(concurrency=2, polling_seconds=0.05, retry_seconds=0.01, attempts=2)


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, _keys):
        yield database


class Alive:
    """A process that was never taken for dead, until `died` says so."""

    died = 0

    def incarnation(self) -> int:
        return self.died

    checked = incarnation


def engine(db: Database, *jobs: Job, **other: Any) -> Engine:
    given = {"pool_size": 30, "executor": new_id(), "fence": Alive()} | other
    return Engine(db.engine, SETTINGS, key=KEY, jobs=jobs, **given)


def ended(jobs: Jobs, job_id: str, seconds: float = 20) -> JobState:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = jobs.status(job_id)
        if status and status.state not in (JobState.WAITING, JobState.RUNNING):
            return status.state
        time.sleep(0.02)
    raise AssertionError(f"{job_id} is not done: {jobs.status(job_id)}")


def test_a_parent_job_queues_chunks_that_run_in_their_own_queue(db: Database) -> None:
    seen: list[int] = []

    def chunk(step: Step, run: str, number: int) -> Fact:
        assert run == "r1"
        return step("scan", lambda: seen.append(number) or number)  # type: ignore[func-returns-value]

    def parent(step: Step, run: str, chunks: int) -> Fact:
        def queue(number: int) -> int:
            with db.session() as session:
                working.enqueue_job(session, "chunk", f"rescan-{run}-{number}", [run, number], priority=5)
            return number

        return sum(step(f"queue {n}", lambda n=n: queue(n)) for n in range(chunks))  # type: ignore[misc]

    with engine(db, Job("parent", LIVE, parent), Job("chunk", BATCH, chunk)) as working:
        with db.session() as session:
            working.enqueue_job(session, "parent", "rescan-r1", ["r1", 3])
        assert ended(working.jobs, "rescan-r1") is JobState.DONE
        for number in range(3):
            assert ended(working.jobs, f"rescan-r1-{number}") is JobState.DONE
        done = {job.id: job.result for job in working.jobs.list(prefix="rescan-r1-", states=[JobState.DONE])}
    assert done == {"rescan-r1-0": 0, "rescan-r1-1": 1, "rescan-r1-2": 2}
    assert sorted(seen) == [0, 1, 2]


def test_a_job_is_queued_with_the_callers_transaction_or_not_at_all(db: Database) -> None:
    class Undo(Exception):
        pass

    with Jobs(db.engine, key=KEY) as jobs:
        def undone() -> None:
            with db.session() as session:
                jobs.enqueue(session, "job", LIVE, "one")
                raise Undo

        with pytest.raises(Undo):
            undone()
        assert jobs.status("one") is None
        for _ in range(2):
            with db.session() as session:
                jobs.enqueue(session, "job", LIVE, "one")
        assert [job.state for job in jobs.list(prefix="one")] == [JobState.WAITING]


def test_what_another_process_queued_is_done_once_and_a_cancelled_job_is_not(db: Database) -> None:
    ran: list[str] = []
    with Jobs(db.engine, key=KEY) as outside, db.session() as session:
        for name in ("one", "two"):
            outside.enqueue(session, "job", LIVE, name, [name])
    with Jobs(db.engine, key=KEY) as outside:
        outside.cancel(["two"])
    with engine(db, Job("job", LIVE, lambda step, name: step("do", lambda: ran.append(name)))) as working:
        assert ended(working.jobs, "one") is JobState.DONE
        with db.session() as session:
            working.enqueue_job(session, "job", "one", ["one"])
        assert ended(working.jobs, "two") is JobState.CANCELLED
        time.sleep(0.3)
    assert ran == ["one"]


def test_a_job_that_gives_up_keeps_its_code(db: Database) -> None:
    def fail() -> int:
        raise StepFailed("crm-away")

    with engine(db, Job("job", LIVE, lambda step: step("do", fail))) as working:
        with db.session() as session:
            working.enqueue_job(session, "job", "one")
        assert ended(working.jobs, "one") is JobState.FAILED
        status = working.jobs.status("one")
    assert status is not None
    assert status.error == "crm-away"


def test_too_few_connections_are_refused(db: Database) -> None:
    with pytest.raises(EngineRefused, match="at least 16"):
        engine(db, Job("a", LIVE, len), Job("b", BATCH, len), pool_size=15)
    engine(db, Job("a", LIVE, len), pool_size=14)
