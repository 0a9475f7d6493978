"""The durable engine: the only module that knows dbos.

It runs `pipeline.capture_item` as a workflow whose steps are checkpointed, so that a killed process goes
on where it was. What dbos does not bring and we add (the fences of docs/decisions/0002-engine.md):

* pool rule: at least 2 x concurrency + 10 connections, or we refuse to start (fewer can deadlock);
* a constant application version, so that an upgrade does not strand waiting work;
* an encrypting serializer and a redacting log filter: engine tables and logs hold no content;
* our own retention of engine rows;
* a refusal to start when an engine row is marked as pickled, since reading it would run code.

Steps are idempotent by the ledger, not by the engine: a step repeated after a crash finds its work done.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from dbos import DBOS, DBOSClient, DBOSConfig, Serializer
from sqlalchemy.orm import Session

from capture.errors import EngineRefused, StepFailed
from capture.ports import Step
from capture.settings import EngineSettings
from capture.steps import safely

R = TypeVar("R")
Work = Callable[[str, Step], str]
"""`work(capture_id, step)`: the flow; it calls `step(name, function)` for each of its steps."""

APP = "mailweir"
APP_VERSION = "1"          # constant: the default is a hash of the source, and strands older work
QUEUE = "capture"
WORKFLOW = "capture_item"
KEEP_FINISHED = timedelta(days=7)
_ENDED = ("SUCCESS", "ERROR", "CANCELLED")
_STUCK = ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


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
            reason = data.reason if isinstance(data, StepFailed) else type(data).__name__
            data = {"__error__": reason}
        nonce = os.urandom(12)
        plain = json.dumps(data, separators=(",", ":")).encode()
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, plain, b"engine")).decode("ascii")

    def deserialize(self, serialized_data: str) -> Any:
        raw = base64.b64decode(serialized_data)
        data = json.loads(self._cipher.decrypt(raw[:12], raw[12:], b"engine"))
        if isinstance(data, dict) and "__error__" in data:
            return StepFailed(str(data["__error__"]))
        return data


class RedactingFilter(logging.Filter):
    """Keeps from dbos' log lines where they come from and drops what they say: its messages quote
    exceptions, and exceptions may quote data."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        record.msg = f"engine event at {record.filename}:{record.lineno}{' ' + kind if kind else ''}"
        record.args, record.exc_info, record.exc_text = (), None, None
        return True


class Engine:
    """Runs captures durably on one database.

    `database` is the shared SQLAlchemy engine of `store/database.py`, `key` 32 bytes for the serializer,
    `work` the flow. One Engine at a time per process (dbos is a singleton). Use as a context manager.
    Raises `EngineRefused` when the pool is too small or an engine row is pickled.
    """

    def __init__(self, database: sa.Engine, settings: EngineSettings, *, key: bytes, pool_size: int,
                 work: Work, executor: str = "local") -> None:
        least = 2 * settings.concurrency + 10
        if pool_size < least:
            raise EngineRefused(
                f"engine.pool_size is {pool_size}; {settings.concurrency} items at a time need at least {least}")
        self._database, self._settings, self._work = database, settings, work
        self._serializer = SealedSerializer(key)
        self._executor = executor
        self._client: DBOSClient | None = None
        self._running, self._count_lock = 0, threading.Lock()

    def __enter__(self) -> Engine:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Take up unfinished work of this executor and begin to work through the queue."""
        quiet()
        config: DBOSConfig = {
            "name": APP, "system_database_engine": self._database, "application_version": APP_VERSION,
            "executor_id": self._executor, "serializer": self._serializer, "enable_otlp": False,
            "log_level": "ERROR", "use_listen_notify": False, "notification_listener_polling_interval_sec": 0.25,
        }
        refuse_pickles(self._database)
        DBOS(config=config)

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=100)
        def run(capture: str) -> str:
            with self._count_lock:
                self._running += 1
            try:
                return self._work(capture, self._step)
            finally:
                with self._count_lock:
                    self._running -= 1

        DBOS.launch()
        quiet()
        DBOS.register_queue(QUEUE, worker_concurrency=self._settings.concurrency,
                            polling_interval_sec=self._settings.polling_seconds)
        self._client = DBOSClient(system_database_engine=self._database, serializer=self._serializer,
                                  application_name=APP)
        self._purge()

    def stop(self) -> None:
        """Stop taking work, let the running items finish (at most 60 s), and let go of the database."""
        if self._client is not None:
            self._client.destroy()
            self._client = None
        # dbos waits in whole seconds, so it is asked to wait only when there is something to wait for
        DBOS.destroy(workflow_completion_timeout_sec=60 if self._running else 0, destroy_registry=True)

    def enqueue(self, session: Session, capture: str, attempt: int = 0) -> None:
        """Queue a capture in the caller's transaction: commit enqueues, rollback drops both. The same
        capture and attempt a second time changes nothing."""
        assert self._client is not None, "the engine is not started"  # noqa: S101 - programming error
        self._client.enqueue_in_transaction(
            session, {"workflow_name": WORKFLOW, "queue_name": QUEUE,
                      "workflow_id": workflow_id(capture, attempt)}, capture)

    def stranded(self, captures: Iterable[str]) -> list[tuple[str, int]]:
        """Which of these unfinished captures no workflow will finish, with the attempt to queue next."""
        found: list[tuple[str, int]] = []
        for capture in captures:
            known = DBOS.list_workflows(workflow_id_prefix=f"capture-{capture}-", load_input=False,
                                        load_output=False)
            if not any(w.status not in _ENDED and w.status not in _STUCK for w in known):
                found.append((capture, len(known)))
        return found

    def _step(self, name: str, function: Callable[[], R]) -> R:
        """Run one step with checkpoint and retries. Raises `StepFailed` with the reason code."""
        return DBOS.run_step({
            "name": name, "retries_allowed": True, "max_attempts": self._settings.attempts,
            "interval_seconds": self._settings.retry_seconds, "backoff_rate": 2.0,
            "should_retry": lambda error: isinstance(error, StepFailed) and error.retry},
            partial(safely, name, function))

    def _purge(self) -> None:
        """Engine rows of finished captures go after a week; the ledger and the audit keep what matters."""
        before = (datetime.now(UTC) - KEEP_FINISHED).isoformat()
        while True:
            old = DBOS.list_workflows(completed_before=before, status=list(_ENDED), limit=500,
                                      load_input=False, load_output=False)
            if not old:
                return
            DBOS.delete_workflows([w.workflow_id for w in old])


def workflow_id(capture: str, attempt: int = 0) -> str:
    """The engine's id of a capture: an id of ours, nothing of the mail."""
    return f"capture-{capture}-{attempt}"


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
