"""One worker: watches the mailboxes, works through the queue, and looks after what dead workers left.

Any number of them may run on one database, on one machine or many. Only one at a time looks into a mailbox (a lease
for each); all of them work through the queue.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from capture import pipeline, rescan
from capture.auditing import Checkpoints
from capture.deciding import Settling
from capture.engine import APP_VERSION, ASIDE, CAPTURE, LIVE, Engine, Job
from capture.errors import StepFailed
from capture.lifeline import Lifeline
from capture.logs import bound, fields
from capture.pauses import jittered
from capture.ports import Step
from capture.settings import Settings
from capture.takeover import Takeover, after_fault
from capture.watch import Watch
from capture.weekly import Weekly
from capture.wiring import Tools, assembled
from store import ledger, tries
from store.errors import DatabaseLocked

log = logging.getLogger("mailweir.worker")

_TICK = 0.1


def run(settings: Settings, *, once: bool = False, watch: bool = True) -> dict[str, int]:
    """Work through tagged items, and with `once` return when nothing is left; else until told to stop.

    With `once` an item that cannot be worked on now is held at once instead of tried again for
    `engine.patience_seconds`. Without `watch` only the queue is worked through.
    Returns how many captures ended linked, held or gone, and how many are unfinished. SIGTERM and SIGINT stop it
    cleanly: what runs may finish for `engine.stop_seconds`, the rest waits in the database; a second one ends the
    process at once, which loses nothing either.
    Raises `Unreachable` when the mailboxes cannot be opened at the start.
    """
    if once:
        settings = settings.model_copy(update={"engine": settings.engine.model_copy(update={"patience_seconds": 0})})
    with stop_signals() as stop, running(settings) as worker:
        try:
            _loop(worker, stop, once=once, watch=watch)
        finally:
            if not worker.finish():
                log.warning("stopping with work in hand; the next worker takes it up")
        if once:
            pipeline.deliver(worker.tools, limit=1000)
        return worker.totals()


@dataclass(slots=True)
class Worker:
    """A running worker: its tools, its engine, its lease."""

    tools: Tools
    engine: Engine
    lifeline: Lifeline
    stopped: bool = False

    def busy(self) -> bool:
        """True while a capture is unfinished that is not parked."""
        with self.tools.database.reading() as session:
            return tries.unfinished(session) > tries.parked_captures(session)

    def totals(self) -> dict[str, int]:
        """How the captures of this database ended."""
        with self.tools.database.reading() as session:
            return ledger.outcomes(session)

    def bring(self, session: Session, capture: str) -> None:
        """Queue what the watching found so that mailboxes take turns: one with a thousand items does not keep the
        others waiting. What somebody asked for by name goes first and does not come this way."""
        self.engine.enqueue(session, capture, priority=tries.turn(session, capture))

    def finish(self) -> bool:
        """Stop the engine, once; False when something had to be left in hand."""
        if not self.stopped:
            self.stopped = True
            self.lifeline.rest()  # the chores need the engine
            return self.engine.stop() == 0
        return True


@contextmanager
def running(settings: Settings) -> Iterator[Worker]:
    """A worker at work in threads of this process until the block ends; it does not watch by itself."""
    with assembled(settings) as tools, Checkpoints(settings, tools.database), Weekly(
            settings, tools.database), Lifeline(
            tools.database, settings.engine, engine_version=APP_VERSION) as lifeline:
        engine = _engine(tools, lifeline)
        takeover = Takeover(tools.database, engine, settings.engine, lifeline.executor)
        worker = Worker(tools, engine, lifeline)
        try:
            engine.start()
            lifeline.tend(takeover.round)
            yield worker
        finally:
            worker.finish()


def _loop(worker: Worker, stop: threading.Event, *, once: bool, watch: bool) -> None:
    watching, settling = Watch(worker.tools, worker.bring, worker.lifeline.executor), Settling(worker.tools)
    retry, first, away = worker.tools.settings.engine.retry_seconds, True, 0
    try:
        while not stop.is_set():
            try:
                settling.look()
                idle = once and not worker.busy()
                if watch and (first or idle or (not once and watching.due())):
                    brought = watching.look(first=first, everywhere=once)
                    if first and not once:
                        log.info("watching; stop with Ctrl-C or SIGTERM")
                    first, away = False, 0
                    if idle and not brought and not watching.trouble and not watching.unfinished():
                        return
                    stop.wait(min(watching.trouble, 1) * retry)
                elif idle:
                    return
            except DatabaseLocked as error:  # it restarts, or is busy: the engine waits for it too
                away += 1
                log.warning("%s; looked again later", error)
                stop.wait(jittered(retry, away, longest=30.0))
            stop.wait(_TICK)
    finally:
        watching.close()


def _engine(tools: Tools, lifeline: Lifeline) -> Engine:
    """The engine with every kind of work this program knows."""
    settings = tools.settings

    def work(step: Step, capture: str, run: int = 0) -> str:
        with bound(capture=capture):
            return work_on(step, capture, run)

    def work_on(step: Step, capture: str, run: int) -> str:
        began = time.monotonic()
        with tools.database.reading() as session:
            patient = tries.age(session, capture) < settings.engine.patience_seconds
            troubled = tries.get(session, f"capture-{capture}") is not None
        try:
            outcome = pipeline.capture_item(capture, tools, step, patient=patient)
        except StepFailed as failure:
            with tools.database.session() as session:
                after_fault(session, engine, settings.engine, capture, failure.reason,
                            counts=not (failure.retry and patient))
            raise
        if troubled:
            with tools.database.session() as session:
                tries.done(session, f"capture-{capture}")
        log.info("%s in run %d", outcome, run, extra=fields("capture:item:done", code=outcome,
                                                            seconds=time.monotonic() - began))
        return outcome

    def aside(step: Step, capture: str, reason: str) -> str:
        try:
            outcome = pipeline.set_aside(capture, tools, reason, step)
        except StepFailed as failure:
            with tools.database.session() as session:
                after_fault(session, engine, settings.engine, capture, failure.reason, job=ASIDE,
                            counts=not failure.retry)
            raise
        with tools.database.session() as session:
            for key in (f"capture-{capture}", f"aside-{capture}"):
                tries.done(session, key)
        return outcome

    def enqueue(*args: Any, **named: Any) -> None:
        engine.enqueue_job(*args, **named)

    engine = Engine(tools.database.engine, settings.engine, key=tools.keys.derive("engine-serializer"),
                    pool_size=settings.store.pool_size, executor=lifeline.executor, fence=lifeline,
                    jobs=[Job(CAPTURE, LIVE, work), Job(ASIDE, LIVE, aside), *rescan.jobs(tools, enqueue)])
    return engine


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, while the block runs in the main thread. The second one ends the
    process there and then."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
