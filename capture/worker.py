"""The loop: find tagged items, put each into the ledger and the queue, and wait for the engine.

One process works on a home (`worker.lock`); several workers come with the lease of the scale-out issue.
"""

from __future__ import annotations

import fcntl
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from capture import pipeline
from capture.engine import CAPTURE, LIVE, Engine, Job
from capture.errors import WorkerBusy
from capture.ports import Step
from capture.settings import Settings
from capture.watch import Watch
from capture.wiring import Tools, assembled
from store import ledger

log = logging.getLogger("mailweir.worker")

TAKE_UP_SECONDS = 2.0
MAX_TRIES = 3


def run(settings: Settings, *, once: bool = False) -> dict[str, int]:
    """Work through tagged items, and with `once` return when nothing is left; else until told to stop.

    Returns how many captures ended linked, held or gone, and how many are unfinished. SIGTERM and SIGINT
    stop it cleanly: running items finish, the others wait in the database.
    Raises `WorkerBusy` when another process works on this home, `Unreachable` when the mailboxes cannot be
    opened at the start.
    """
    with _alone(settings.home), assembled(settings) as tools, _engine(tools) as engine, _stop_signals() as stop:
        loop, watch = Loop(tools, engine), Watch(tools, engine.enqueue)
        loop.take_up()
        watch.look(first=True)
        log.info("watching; stop with Ctrl-C or SIGTERM")
        while not stop.is_set():
            if loop.busy():
                stop.wait(0.1)
                loop.take_up(every=TAKE_UP_SECONDS)
            elif once:
                if not watch.look() and not watch.trouble:
                    break
                stop.wait(min(watch.trouble, 1) * settings.engine.retry_seconds)
            else:
                stop.wait(settings.poll_seconds)
            if not once and watch.due():
                watch.look()
        watch.close()
        pipeline.deliver(tools, limit=1000)
        return loop.totals()


class Loop:
    """Knows what is unfinished and queues what no workflow will finish."""

    def __init__(self, tools: Tools, engine: Engine) -> None:
        self.tools, self.engine = tools, engine
        self._took_up = 0.0
        self._parked: set[str] = set()

    def take_up(self, *, every: float = 0.0) -> None:
        """Queue unfinished captures that no workflow will finish (a fault put an end to theirs).

        Looks at most once in `every` seconds. A capture that ends so `MAX_TRIES` times in a row is parked until
        the next start: it stays unfinished, is not lost, and `doctor` counts it.
        """
        if time.monotonic() - self._took_up < every:
            return
        self._took_up = time.monotonic()
        for capture, attempt in self.engine.stranded(self._unfinished() - self._parked):
            if attempt and attempt % MAX_TRIES == 0 and every:
                log.error("capture %s ended in a fault %d times and is parked", capture, attempt)
                self._parked.add(capture)
                continue
            with self.tools.database.session() as session:
                self.engine.enqueue(session, capture, attempt)

    def busy(self) -> bool:
        """True while a capture is unfinished that has not been parked."""
        return bool(self._unfinished() - self._parked)

    def totals(self) -> dict[str, int]:
        """How the captures of this home ended."""
        with self.tools.database.reading() as session:
            return ledger.outcomes(session)

    def _unfinished(self) -> set[str]:
        with self.tools.database.reading() as session:
            return ledger.unfinished_ids(session)


def _engine(tools: Tools) -> Engine:
    settings = tools.settings

    def work(step: Step, capture: str) -> str:
        began = time.monotonic()
        outcome = pipeline.capture_item(capture, tools, step)
        log.info("capture %s: %s after %.1f s", capture, outcome, time.monotonic() - began)
        return outcome

    return Engine(tools.database.engine, settings.engine, key=tools.keys.derive("engine-serializer"),
                  pool_size=settings.store.pool_size, jobs=[Job(CAPTURE, LIVE, work)])


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold `worker.lock`; the system lets it go when the process ends, however it ends."""
    with (home / "worker.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise WorkerBusy(str(home)) from None
        yield


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, while the block runs in the main thread."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
