"""The durable engine: the only module that knows dbos.

It runs jobs, such as `pipeline.capture_item`, as workflows whose steps are checkpointed, so that a killed
process goes on where it was. What dbos does not bring and we add (the fences of docs/decisions/0002-engine.md):

* pool rule: at least 2 x concurrency + 10 connections, or we refuse to start (fewer can deadlock);
* leases: `capture/lifeline.py` says who is alive, and takes up what a dead worker left with `take_up`;
* a constant application version, so that an upgrade does not strand waiting work; what another version
  queued all the same is adopted;
* an encrypting serializer and a redacting log filter: engine tables and logs hold no content;
* our own retention of engine rows;
* a refusal to start when an engine row is marked as pickled, since reading it would run code.

Steps are idempotent by the ledger, not by the engine: a step repeated after a crash finds its work done.
That is also the fence against a process that was frozen, taken for dead and comes back.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions, Serializer, WorkflowStatus
from dbos import error as dbos_error
from dbos._migration import get_migration_versions, get_sqlite_migration_versions  # pinned: dbos>=3.4,<3.5
from sqlalchemy.orm import Session

from capture.errors import EngineRefused, StepFailed
from capture.pauses import jittered
from capture.settings import EngineSettings
from capture.steps import safely

R = TypeVar("R")
Fact = str | int | float | bool | None
"""What crosses the engine: ids, counts and codes."""

APP = "mailweir"
APP_VERSION = "1"          # constant: the default is a hash of the source, and strands older work
CAPTURE = "capture_item"
"""The name of the job that works an item through."""
ASIDE = "set_aside"
"""The name of the job that holds an item unread, because its worker died over it again and again."""
LIVE, BATCH = "capture", "rescan"
QUEUES: dict[str, Callable[[EngineSettings], int]] = {
    LIVE: lambda settings: settings.concurrency,
    BATCH: lambda settings: settings.rescan_concurrency,
}
"""The queues, and how many jobs of each run at a time in one process. A queue nobody here has a job for is
left to other processes."""
KEEP_FINISHED = timedelta(days=7)


class JobState(StrEnum):
    """`parked`: taken up too many times; `failed`: it gave up with an error."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    PARKED = "parked"


_STATUSES = {
    JobState.WAITING: ("ENQUEUED", "DELAYED"), JobState.RUNNING: ("PENDING",), JobState.DONE: ("SUCCESS",),
    JobState.FAILED: ("ERROR",), JobState.CANCELLED: ("CANCELLED",),
    JobState.PARKED: ("MAX_RECOVERY_ATTEMPTS_EXCEEDED",),
}
_STATE_OF = {status: state for state, statuses in _STATUSES.items() for status in statuses}
_OPEN = (*_STATUSES[JobState.WAITING], *_STATUSES[JobState.RUNNING])
ENDED = (JobState.DONE, JobState.FAILED, JobState.CANCELLED, JobState.PARKED)


class SealedSerializer(Serializer):
    """JSON under AES-256-GCM for everything the engine stores: arguments, results, errors.

    `key` is 32 bytes. Errors are kept as their code only. Nothing is ever pickled.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def name(self) -> str:
        return "mailweir_sealed"

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            data = {"__error__": data.reason if isinstance(data, StepFailed) else type(data).__name__,
                    "retry": isinstance(data, StepFailed) and data.retry}
        nonce = os.urandom(12)
        plain = json.dumps(data, separators=(",", ":")).encode()
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, plain, b"engine")).decode("ascii")

    def deserialize(self, serialized_data: str) -> Any:
        raw = base64.b64decode(serialized_data)
        data = json.loads(self._cipher.decrypt(raw[:12], raw[12:], b"engine"))
        if isinstance(data, dict) and "__error__" in data:
            return StepFailed(str(data["__error__"]), retry=bool(data.get("retry")))
        return data


class RedactingFilter(logging.Filter):
    """Keeps from dbos' log lines where they come from and drops what they say: its messages quote
    exceptions, and exceptions may quote data."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        record.msg = f"engine event at {record.filename}:{record.lineno}{' ' + kind if kind else ''}"
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


@dataclass(frozen=True, slots=True)
class Job:
    """One kind of durable work. `work(step, *args)` runs as a workflow: it calls `step(name, function)` for
    each of its steps, which may be repeated after a crash, and returns an id, a count or a code. What it does
    between its steps must come out the same when it is run again.

    `queue` is one of `QUEUES`. Raises out of `work`: `StepFailed` ends the job as failed.
    """

    name: str
    queue: str
    work: Callable[..., Fact]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How far a job has come. `result` when it is done, `error` (a code) when it failed; times are UTC."""

    id: str
    name: str
    queue: str
    state: JobState
    result: Fact
    error: str
    created: datetime
    updated: datetime
    executor: str
    version: str


class Jobs:
    """Puts jobs into the queues and asks after them, from any process: no worker needs to run in this one.

    `database` is the shared SQLAlchemy engine, `key` 32 bytes for the serializer. Close it, or use it as a
    context manager. The engine's tables are made when they are missing.
    """

    def __init__(self, database: sa.Engine, *, key: bytes) -> None:
        quiet()
        prepare(database)
        self._client = DBOSClient(system_database_engine=database, serializer=SealedSerializer(key),
                                  application_name=APP)

    def __enter__(self) -> Jobs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()

    def enqueue(self, session: Session, job: str, queue: str, job_id: str, args: Sequence[Fact] = (), *,
                priority: int = 0, delay: float = 0.0) -> None:
        """Queue a job in the caller's transaction: commit enqueues, rollback drops both.

        The same `job_id` a second time changes nothing, whatever became of the first. `args` are ids, counts
        and codes only. `priority`: lower goes first within a queue, 0 is first of all. `delay` in seconds.
        """
        options: EnqueueOptions = {"workflow_name": job, "queue_name": queue, "workflow_id": job_id}
        if priority:
            options["priority"] = priority
        if delay:
            options["delay_seconds"] = delay
        self._client.enqueue_in_transaction(session, options, *args)

    def status(self, job_id: str) -> JobStatus | None:
        """How far one job has come; None when there is none of this id (or its row is purged)."""
        found = self.list(ids=[job_id])
        return found[0] if found else None

    def list(self, *, ids: Sequence[str] | None = None, prefix: str | Sequence[str] | None = None,
             states: Iterable[JobState] = (), queue: str | None = None, limit: int | None = None) -> list[JobStatus]:
        """The jobs with these ids, or this prefix of the id, in one of these states; oldest first."""
        rows = self._client.list_workflows(
            workflow_ids=None if ids is None else [*ids], queue_name=queue, limit=limit,
            workflow_id_prefix=prefix if prefix is None or isinstance(prefix, str) else [*prefix],
            status=[s for state in states for s in _STATUSES[state]] or None, load_input=False)
        return [_status(row) for row in rows]

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Take jobs that are not done out of the queue; a running one stops before its next step."""
        if job_ids:
            self._client.cancel_workflows([*job_ids])

    def take_up(self, job_id: str, queue: str) -> None:
        """Put a job back into its queue whose worker is dead. One that has ended meanwhile stays ended."""
        self._client.resume_workflows([job_id], queue_name=queue)

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete the engine's rows of these jobs, whatever their state: arguments, steps, results."""
        if job_ids:
            self._client.delete_workflows([*job_ids])

    def forget_capture(self, capture: str) -> int:
        """Delete what the engine holds of a capture that has ended; returns how many jobs that were. Done on
        request at once, and of all that ended by `purge`."""
        found = [job.id for job in self.list(prefix=f"capture-{capture}-") + self.list(prefix=f"aside-{capture}-")
                 if job.state in ENDED]
        self.forget(found)
        return len(found)

    def purge(self, *, keep: timedelta = KEEP_FINISHED) -> int:
        """Delete the rows of jobs that ended longer ago than `keep`; returns how many. The ledger and the audit
        keep what matters."""
        before, gone = (datetime.now(UTC) - keep).isoformat(), 0
        statuses = [status for state in ENDED for status in _STATUSES[state]]
        while old := self._client.list_workflows(completed_before=before, status=statuses, limit=500,
                                                 load_input=False, load_output=False):
            self.forget([row.workflow_id for row in old])
            gone += len(old)
        return gone

    def lead(self) -> None:
        """Let this program's engine version be the one that takes what was queued without one, whichever version
        was started first."""
        self._client.set_latest_application_version(APP_VERSION)

    def adopt(self, versions_alive: Collection[str] = ()) -> int:
        """Take over waiting jobs that only a program of another engine version would run, unless one of that
        version is alive; returns how many. They begin anew under their own id: steps are idempotent."""
        known = {version["version_name"] for version in self._client.list_application_versions()}
        foreign = sorted(known - {APP_VERSION, *versions_alive})
        if not foreign:
            return 0
        rows = self._client.list_workflows(status=[*_STATUSES[JobState.WAITING]], app_version=foreign)
        for row in rows:
            self.begin_anew(row.workflow_id)
        return len(rows)

    def begin_anew(self, job_id: str) -> None:
        """Forget what the engine knows of a job that has not ended, but its arguments, and queue it again."""
        for row in self._client.list_workflows(workflow_ids=[job_id], status=[*_OPEN]):
            options: EnqueueOptions = {"workflow_name": row.name, "queue_name": row.queue_name or LIVE,
                                       "workflow_id": row.workflow_id}
            if row.priority:
                options["priority"] = row.priority
            self.forget([job_id])
            self._client.enqueue(options, *(row.input or {"args": ()})["args"])


class Abandoned(BaseException):
    """This run of a job is over without an outcome: others have it, or will. No `Exception`, so that nothing on
    the way takes it for a fault of the item."""


class Fence(Protocol):
    """Tells whether this process was taken for dead; `capture/lifeline.py`."""

    def incarnation(self) -> int:
        """A number that changes when it was."""

    def checked(self) -> int:
        """The same, after making sure. May raise the store's errors."""


class Engine:
    """Runs jobs durably on one database.

    `database` is the shared SQLAlchemy engine of `store/database.py`, `key` 32 bytes for the serializer,
    `jobs` every kind of work this process can do, `executor` an id no other process ever had. `fence` is asked
    before each step: when this process was taken for dead, the job is abandoned to whoever took it up. One
    Engine at a time per process (dbos is a singleton). Use as a context manager. Raises `EngineRefused` when the
    pool is too small or an engine row is pickled.
    """

    def __init__(self, database: sa.Engine, settings: EngineSettings, *, key: bytes, pool_size: int,
                 jobs: Sequence[Job], executor: str, fence: Fence) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._limits = {queue: limit(settings) for queue, limit in QUEUES.items()
                        if any(job.queue == queue for job in jobs)}
        total = sum(self._limits.values())
        least = 2 * total + 10
        if pool_size < least:
            raise EngineRefused(f"store.pool_size is {pool_size}; {total} jobs at a time need at least {least}")
        self._database, self._settings, self._key = database, settings, key
        self._executor, self._fence = executor, fence
        self._client: Jobs | None = None
        self._places = {queue: threading.BoundedSemaphore(limit) for queue, limit in self._limits.items()}
        self._running: dict[str, str] = {}
        self._outdated: set[str] = set()
        self._lock = threading.Lock()
        self._handover = threading.Event()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin to work through the queues."""
        quiet()
        self._client = Jobs(self._database, key=self._key)
        refuse_pickles(self._database)
        config: DBOSConfig = {
            "name": APP, "system_database_engine": self._database, "application_version": APP_VERSION,
            "executor_id": self._executor, "serializer": SealedSerializer(self._key), "enable_otlp": False,
            "log_level": "ERROR", "use_listen_notify": False, "notification_listener_polling_interval_sec": 0.25,
        }
        DBOS(config=config)
        for job in self._jobs.values():
            DBOS.workflow(name=job.name, max_recovery_attempts=100)(self._work(job))
        DBOS.listen_queues([*self._limits])
        DBOS.launch()
        quiet()
        self._client.lead()
        for queue, limit in self._limits.items():
            # one row for all workers: the last one to start sets it, `_places` keeps each to its own limit
            DBOS.register_queue(queue, worker_concurrency=limit, polling_interval_sec=self._settings.polling_seconds,
                                on_conflict="always_update")

    def stop(self) -> int:
        """Stop taking work, let what runs finish for `engine.stop_seconds`, and let go of the database.

        What is not finished then is abandoned: it stays in the database for the next worker. Returns how many.
        """
        timer = threading.Timer(self._settings.stop_seconds, self._handover.set)
        timer.daemon = True
        timer.start()
        # dbos waits in whole seconds, so it is asked to wait only when there is something to wait for
        DBOS.destroy(workflow_completion_timeout_sec=int(self._settings.stop_seconds) + 2 if self.running() else 0,
                     destroy_registry=True)
        timer.cancel()
        self._handover.set()
        if self._client is not None:
            self._client.close()
            self._client = None
        return self.running()

    @property
    def jobs(self) -> Jobs:
        """The client of the started engine."""
        assert self._client is not None, "the engine is not started"  # noqa: S101 - programming error
        return self._client

    def enqueue_job(self, session: Session, job: str, job_id: str, args: Sequence[Fact] = (), *,
                    priority: int = 0, delay: float = 0.0) -> None:
        """Queue a job of this engine in the caller's transaction; see `Jobs.enqueue`."""
        self.jobs.enqueue(session, job, self._jobs[job].queue, job_id, args, priority=priority, delay=delay)

    def enqueue(self, session: Session, capture: str, run: int = 0, *, priority: int = 0) -> None:
        """Queue a capture in the caller's transaction. The same capture and run twice is once."""
        self.enqueue_job(session, CAPTURE, workflow_id(capture, run), [capture, run], priority=priority)

    def running(self, queue: str | None = None) -> int:
        """How many jobs run in this process, of one queue or of all: low-priority work makes way by it."""
        with self._lock:
            return sum(queue in (None, its) for its in self._running.values())

    def runs(self, job_id: str) -> bool:
        """Whether this process is at work on the job."""
        with self._lock:
            return job_id in self._running

    def outdated(self) -> set[str]:
        """Jobs of which the engine keeps other steps than this program takes, because another version of it began
        them: they are abandoned and must be begun anew."""
        with self._lock:
            return {*self._outdated}

    def begin_anew(self, job_id: str) -> None:
        """Forget what was done of such a job and queue it again under its id: steps find their work done."""
        self.jobs.begin_anew(job_id)
        with self._lock:
            self._outdated.discard(job_id)

    def _work(self, job: Job) -> Callable[..., Fact]:
        """The work of a job as dbos runs it: within this process's limit, known to run, with our step."""
        def run(*args: Fact) -> Fact:
            me = DBOS.workflow_id or ""
            began = self._fence.incarnation()
            with self._lock:
                self._running[me] = job.queue
            try:
                with self._places[job.queue]:
                    return job.work(partial(self._step, began), *args)
            except dbos_error.DBOSUnexpectedStepError:
                with self._lock:
                    self._outdated.add(me)
                raise Abandoned from None
            finally:
                with self._lock:
                    self._running.pop(me, None)

        run.__qualname__ = job.name  # dbos knows a function by its name
        return run

    def _step(self, incarnation: int, name: str, function: Callable[[], R]) -> R:
        """Run one step with checkpoint and retries. Raises `StepFailed` with the reason code, and `Abandoned`."""
        return DBOS.run_step({"name": name}, partial(self._tried, incarnation, name, function))

    def _tried(self, incarnation: int, name: str, function: Callable[[], R]) -> R:
        for attempt in range(1, self._settings.attempts + 1):
            try:
                if self._handover.is_set() or safely("fence", self._fence.checked) != incarnation:
                    raise Abandoned
                return safely(name, function)
            except StepFailed as failure:
                if self._handover.is_set():
                    raise Abandoned from None  # what it worked with was closed under it
                if not failure.retry or attempt == self._settings.attempts:
                    raise
            self._handover.wait(jittered(self._settings.retry_seconds, attempt))
        raise Abandoned


def prepare(database: sa.Engine) -> None:
    """Make the engine's tables when they are missing. Needs the right to make tables only then."""
    schema = None if database.dialect.name == "sqlite" else "dbos"
    if not sa.inspect(database).has_table("workflow_status", schema=schema):
        DBOS.migrate(database.url.render_as_string(hide_password=False))


def migrate(database: sa.Engine) -> None:
    """Bring the engine's tables to the version this program needs. For the owner of the tables; the service role
    then finds nothing left to do."""
    quiet()
    DBOS.migrate(database.url.render_as_string(hide_password=False))
    quiet()


def schema_state(database: sa.Engine) -> tuple[int, int]:
    """The version of the engine's tables that is there (0: none), and the one this program needs."""
    if database.dialect.name == "sqlite":
        if not sa.inspect(database).has_table("dbos_migrations"):
            return 0, 0
        return get_sqlite_migration_versions(database)
    return get_migration_versions(database, "dbos", use_listen_notify=False)


def _status(row: WorkflowStatus) -> JobStatus:
    error = row.error.reason if isinstance(row.error, StepFailed) else type(row.error).__name__ if row.error else ""
    return JobStatus(row.workflow_id, row.name, row.queue_name or "", _STATE_OF[row.status], row.output, error,
                     _time(row.created_at), _time(row.updated_at), row.executor_id or "", row.app_version or "")


def _time(milliseconds: int | None) -> datetime:
    return datetime.fromtimestamp((milliseconds or 0) / 1000, UTC)


def workflow_id(capture: str, run: int = 0) -> str:
    """The engine's id of a capture's run: an id of ours, nothing of the mail."""
    return f"capture-{capture}-{run}"


def quiet() -> None:
    """Take dbos' own console handler away and redact what it logs; the rest goes the way of all log lines."""
    logger = logging.getLogger("dbos")
    logger.setLevel(logging.ERROR)
    logger.handlers[:] = [logging.NullHandler()]  # with a handler there, dbos adds none
    logger.propagate = True
    if not any(isinstance(f, RedactingFilter) for f in logger.filters):
        logger.addFilter(RedactingFilter())


def refuse_pickles(database: sa.Engine) -> None:
    """Raise `EngineRefused` when an engine row is marked as pickled: dbos would load it, whatever our
    serializer, and loading a pickle runs code."""
    inspector = sa.inspect(database)
    schema = None if database.dialect.name == "sqlite" else "dbos"
    for table in ("workflow_status", "operation_outputs"):
        if not inspector.has_table(table, schema=schema):
            continue
        names = {c["name"] for c in inspector.get_columns(table, schema=schema)}
        if "serialization" not in names:
            continue
        rows = sa.table(table, sa.column("serialization"), schema=schema)
        with database.connect() as connection:
            count = connection.scalar(
                sa.select(sa.func.count()).select_from(rows).where(rows.c.serialization == "py_pickle"))
        if count:
            raise EngineRefused(f"{count} pickled rows in the engine table {table}")
