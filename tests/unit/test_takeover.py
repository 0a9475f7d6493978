"""What a dead, frozen, older or stopping worker leaves behind is finished by another, and never twice at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from stores import opened

from capture import engine as engine_module
from capture.engine import ASIDE, CAPTURE, LIVE, Engine, Fact, Job, Jobs, JobState, refuse_pickles
from capture.errors import EngineRefused, StepFailed
from capture.lifeline import Lifeline, boot, is_gone
from capture.pauses import jittered
from capture.ports import Step
from capture.settings import EngineSettings
from capture.takeover import Takeover, after_fault
from store import identity, leases, ledger, tries
from store.crypto import Keys
from store.database import Database

KEY = bytes(32)
SETTINGS = EngineSettings(concurrency=2, polling_seconds=0.05, retry_seconds=0.01, attempts=2, lease_seconds=30,
                          stop_seconds=1, take_ups=3)
Store = tuple[Database, Keys]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with opened(store_url) as found:
        yield found


class Worker:
    """An engine with its lease and its chores, which run only when a test says so."""

    def __init__(self, db: Database, *jobs: Job, **changes: Any) -> None:
        settings = SETTINGS.model_copy(update=changes)
        self.lifeline = Lifeline(db, settings, engine_version=engine_module.APP_VERSION)
        self.engine = Engine(db.engine, settings, key=KEY, jobs=jobs, pool_size=30, executor=self.lifeline.executor,
                             fence=self.lifeline)
        self.takeover = Takeover(db, self.engine, settings, self.lifeline.executor)


@contextmanager
def working(db: Database, *jobs: Job, **changes: Any) -> Iterator[Worker]:
    worker = Worker(db, *jobs, **changes)
    with worker.lifeline, worker.engine:
        yield worker


def die(db: Database, worker: Worker) -> None:
    """As if its process were gone: the row of its lease is older than any lease."""
    with db.session() as session:
        session.execute(sa.text("UPDATE executor_lease SET ts = :ts, boot = '' WHERE id = :id"),
                        {"ts": "2020-01-01 00:00:00.000000", "id": worker.lifeline.executor})


def until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


def state(worker: Worker, job_id: str) -> JobState | None:
    status = worker.engine.jobs.status(job_id)
    return status.state if status else None


@contextmanager
def abandoned(db: Database, name: str, args: list[Fact], *, version: str = "",
              job_id: str = "one") -> Iterator[list[str]]:
    """A job whose worker did its first step and then died over the second; yields the steps done so far."""
    steps: list[str] = []
    reached = threading.Event()

    def work(step: Step, *_: Fact) -> Fact:
        step("first", lambda: steps.append("first"))
        reached.set()
        raise engine_module.Abandoned

    with pytest.MonkeyPatch.context() as patch:
        if version:
            patch.setattr(engine_module, "APP_VERSION", version)
        dead = Worker(db, Job(name, LIVE, work))
        with dead.lifeline:
            with dead.engine:
                with db.session() as session:
                    dead.engine.enqueue_job(session, name, job_id, args)
                until(reached.is_set)
                until(lambda: dead.engine.running() == 0)
                assert state(dead, job_id) is JobState.RUNNING
            die(db, dead)
            yield steps


def test_the_job_of_a_dead_worker_goes_on_after_its_last_step(store: Store) -> None:
    db, _ = store
    with abandoned(db, "job", ["x"]) as steps:
        def work(step: Step, _name: str) -> Fact:
            step("first", lambda: steps.append("first"))
            step("second", lambda: steps.append("second"))
            return "done"

        with working(db, Job("job", LIVE, work)) as living:
            assert living.takeover.reap() == 1
            assert living.takeover.reap() == 0
            until(lambda: state(living, "one") is JobState.DONE)
            with db.reading() as session:
                assert [worker.id for worker in leases.workers(session)] == [living.lifeline.executor]
                row = tries.get(session, "one")
                assert row is not None
                assert row.taken_up == 1
    assert steps == ["first", "second"]


def test_a_living_worker_keeps_its_jobs(store: Store) -> None:
    db, _ = store
    go_on, ran = threading.Event(), []

    def work(step: Step) -> Fact:
        ran.append(1)
        return step("wait", lambda: go_on.wait(10))

    with working(db, Job("job", LIVE, work)) as living:
        with db.session() as session:
            living.engine.enqueue_job(session, "job", "one")
        until(lambda: ran)
        other = Takeover(db, living.engine, SETTINGS, "another")
        assert (living.takeover.reap(), living.takeover.reap(), other.reap()) == (0, 0, 0)
        go_on.set()
        until(lambda: state(living, "one") is JobState.DONE)
    assert ran == [1]


def test_a_worker_that_was_frozen_abandons_what_it_had_and_works_on(store: Store) -> None:
    """Its lease is cleared away between two steps, as another worker does; the second step waits for the take-up."""
    db, _ = store
    steps: list[tuple[str, int]] = []
    runs: list[int] = []
    frozen, thawed = threading.Event(), threading.Event()

    def work(step: Step) -> Fact:
        runs.append(1)
        mine = len(runs)
        step("first", lambda: steps.append(("first", mine)))
        if mine == 1:
            frozen.set()
            thawed.wait(10)
        step("second", lambda: steps.append(("second", mine)))
        return "done"

    with working(db, Job("job", LIVE, work), lease_seconds=0.2) as worker:
        with db.session() as session:
            worker.engine.enqueue_job(session, "job", "one")
        until(frozen.is_set)
        with db.session() as session:
            leases.leave(session, worker.lifeline.executor)
        time.sleep(0.2)
        thawed.set()
        until(lambda: worker.engine.running() == 0)
        assert steps == [("first", 1)]
        assert worker.lifeline.incarnation() == 1
        assert worker.takeover.reap() == 0, "once may be chance: it is claimed and about to run"
        assert worker.takeover.reap() == 1
        until(lambda: state(worker, "one") is JobState.DONE)
    assert steps == [("first", 1), ("second", 2)]


def test_a_stopping_worker_leaves_what_takes_too_long_to_the_next(store: Store) -> None:
    db, _ = store
    started, end = threading.Event(), threading.Event()
    done: list[str] = []

    def slow(step: Step) -> Fact:
        started.set()
        step("long", lambda: end.wait(20))
        step("after", lambda: done.append("too late"))
        return "old"

    first = Worker(db, Job("job", LIVE, slow))
    with first.lifeline:
        first.engine.start()
        with db.session() as session:
            first.engine.enqueue_job(session, "job", "one")
        until(started.is_set)
        began = time.monotonic()
        assert first.engine.stop() == 1
        assert time.monotonic() - began < 8
    end.set()
    with working(db, Job("job", LIVE, lambda step: step("long", lambda: "new"))) as second:
        assert second.takeover.reap() == 1
        until(lambda: state(second, "one") is JobState.DONE)
        status = second.engine.jobs.status("one")
        assert status is not None
        assert status.result == "new"
    assert done == []


def test_a_backlog_of_another_engine_version_is_finished(store: Store) -> None:
    """Waiting without a version, waiting with an older one, and left running by an older one."""
    db, _ = store
    done: list[str] = []
    with abandoned(db, "job", ["r"], version="0"), abandoned(db, "job", ["s"], version="0", job_id="two"):
        with Jobs(db.engine, key=KEY) as jobs, db.session() as session:
            jobs.enqueue(session, "job", LIVE, "never-started", ["n"])
        with Jobs(db.engine, key=KEY) as jobs:
            jobs.take_up("one", LIVE)  # an old worker put it back, and then all old workers were replaced
        with working(db, Job("job", LIVE, lambda step, name: step("do", lambda: done.append(name)))) as newer:
            def all_done() -> bool:
                newer.takeover.round()
                return all(state(newer, job) is JobState.DONE for job in ("never-started", "one", "two"))

            until(all_done)
    assert sorted(done) == ["n", "r", "s"]


def test_a_job_begun_by_a_program_with_other_steps_is_begun_anew(store: Store) -> None:
    db, _ = store
    done: list[str] = []
    with abandoned(db, "job", ["x"]), working(
            db, Job("job", LIVE, lambda step, name: step("another", lambda: done.append(name)))) as newer:
        def is_done() -> bool:
            newer.takeover.reap()
            return state(newer, "one") is JobState.DONE

        until(is_done)
        with db.reading() as session:
            assert tries.listed(session, parked=True) == ()
    assert done == ["x"]


# ------------------------------------------------------------------------------------ captures with trouble

def capture(store: Store) -> str:
    db, keys = store
    with db.session() as session:
        return ledger.register(session, "dana.reid", identity.source_key(keys, "dana.reid", "k1")).id


def test_an_item_its_worker_dies_over_again_and_again_is_set_aside(store: Store) -> None:
    db, _ = store
    mine = capture(store)
    aside: list[Fact] = []
    with abandoned(db, CAPTURE, [mine, 0], job_id=f"capture-{mine}-0"):
        with db.session() as session:
            for _ in range(SETTINGS.take_ups - 1):
                tries.taken_up(session, f"capture-{mine}", CAPTURE)
        with working(db, Job(CAPTURE, LIVE, lambda *_: pytest.fail("it ran again")),
                     Job(ASIDE, LIVE, lambda step, *args: step("hold", lambda: aside.extend(args)))) as living:
            assert living.takeover.reap() == 1
            until(lambda: state(living, f"aside-{mine}-0") is JobState.DONE)
            assert state(living, f"capture-{mine}-0") is JobState.CANCELLED
    assert aside == [mine, "worker-died"]


def test_other_work_its_worker_dies_over_again_and_again_is_parked(store: Store) -> None:
    db, _ = store
    with abandoned(db, "job", []):
        with db.session() as session:
            for _ in range(SETTINGS.take_ups - 1):
                tries.taken_up(session, "one", "job")
        with working(db, Job("job", LIVE, lambda *_: pytest.fail("it ran again"))) as living:
            living.takeover.reap()
            assert state(living, "one") is JobState.CANCELLED
            with db.reading() as session:
                (row,) = tries.listed(session, parked=True)
                assert (row.key, row.taken_up, row.error) == ("one", SETTINGS.take_ups, "worker-died")


def test_a_run_that_gave_up_is_followed_by_another_and_by_none_after_too_many(store: Store) -> None:
    db, _ = store
    mine = capture(store)
    with Jobs(db.engine, key=KEY), working(db, Job(CAPTURE, LIVE, lambda *_: "")) as living:
        for n in range(1, SETTINGS.take_ups + 1):
            with db.session() as session:
                after_fault(session, living.engine, SETTINGS, mine, "crm-away")
            with db.reading() as session:
                row = tries.get(session, f"capture-{mine}")
                assert row is not None
                assert (row.failed, row.run, row.error) == (n, n, "crm-away")
                assert (row.parked is not None) == (n == SETTINGS.take_ups)
        assert state(living, f"capture-{mine}-1") is not None
        assert state(living, f"capture-{mine}-{SETTINGS.take_ups}") is None


@pytest.mark.parametrize("left", ["nothing", "failed", "done"])
def test_an_unfinished_item_no_job_will_finish_is_found(
        store: Store, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    db, _ = store
    mine = capture(store)
    monkeypatch.setattr("capture.takeover.STRAY_SECONDS", 0.0)
    seen: list[int] = []

    def work(_step: Step, _capture: str, run: int) -> Fact:
        seen.append(run)
        if left == "failed" and run == 0:
            raise StepFailed("crm-away")
        return "hold"

    with working(db, Job(CAPTURE, LIVE, work)) as living:
        if left != "nothing":
            with db.session() as session:
                living.engine.enqueue(session, mine)
            until(lambda: state(living, f"capture-{mine}-0") in (JobState.FAILED, JobState.DONE))
        assert living.takeover.find_strays() == 1
        assert living.takeover.find_strays() == 0
        again = 0 if left == "nothing" else 1
        until(lambda: state(living, f"capture-{mine}-{again}") is JobState.DONE)
    assert seen == list(range(again + 1))


# ------------------------------------------------------------------------------------------- engine tables

def test_rows_of_ended_jobs_go_after_a_while_or_on_request(store: Store) -> None:
    db, _ = store
    mine = capture(store)
    with working(db, Job(CAPTURE, LIVE, lambda step, *_: step("do", lambda: "hold"))) as living:
        with db.session() as session:
            living.engine.enqueue(session, mine)
            living.engine.enqueue(session, "other")
        for each in (mine, "other"):
            until(lambda each=each: state(living, f"capture-{each}-0") is JobState.DONE)  # type: ignore[misc]
        jobs = living.engine.jobs
        assert jobs.purge() == 0
        assert jobs.forget_capture(mine) == 1
        assert [job.id for job in jobs.list(prefix="capture-")] == ["capture-other-0"]
        time.sleep(0.01)
        assert jobs.purge(keep=timedelta(0)) == 1
        assert jobs.list(prefix="capture-") == []


def test_a_pickled_row_stops_the_start(store: Store) -> None:
    db, _ = store
    with Jobs(db.engine, key=KEY) as jobs, db.session() as session:
        jobs.enqueue(session, "job", LIVE, "one")
    refuse_pickles(db.engine)
    table = "workflow_status" if db.is_sqlite else "dbos.workflow_status"
    with db.engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {table} SET serialization = 'py_pickle'"))  # noqa: S608
    with pytest.raises(EngineRefused, match="1 pickled rows"):
        Worker(db, Job("job", LIVE, len)).engine.start()


# --------------------------------------------------------------------------------------------- small parts

def test_a_process_of_this_machine_is_known_to_be_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = boot(child.pid)
    assert not is_gone(theirs)
    assert not is_gone(boot())
    assert child.stdin is not None
    child.stdin.close()
    child.wait()
    assert is_gone(theirs)
    assert not is_gone("another-machine pid:[1] 1 1")
    assert not is_gone("")


def test_pauses_have_full_jitter_and_a_limit() -> None:
    pauses = [jittered(1.0, 3) for _ in range(500)]
    assert min(pauses) < 1.0
    assert 6.0 < max(pauses) <= 8.0
    assert max(jittered(1.0, 500, longest=60.0) for _ in range(100)) <= 60.0
