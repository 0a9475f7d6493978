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
from functools import partial
from pathlib import Path

from capture import pipeline
from capture.engine import CAPTURE, LIVE, Engine, Job
from capture.errors import StepFailed, Unreachable, WorkerBusy
from capture.ports import ItemRef, Step
from capture.settings import Settings
from capture.steps import directly
from capture.wiring import Tools, assembled
from store import identity, ledger

log = logging.getLogger("mailweir.worker")

BATCH = 50
TAKE_UP_SECONDS = 2.0
MAX_TRIES = 3
AGAIN_SECONDS = (5, 60, 600, 3600)
"""Pause before an item that is still tagged after its capture ended (a mailbox that cannot be marked) is
taken again: longer each time."""


def run(settings: Settings, *, once: bool = False) -> dict[str, int]:
    """Work through tagged items, and with `once` return when nothing is left; else until told to stop.

    Returns how many captures ended linked, held or gone, and how many are unfinished. SIGTERM and SIGINT
    stop it cleanly: running items finish, the others wait in the database.
    Raises `WorkerBusy` when another process works on this home, `Unreachable` when the mailboxes cannot be
    opened at the start.
    """
    with _alone(settings.home), assembled(settings) as tools, _engine(tools) as engine, _stop_signals() as stop:
        loop = Loop(tools, engine)
        loop.take_up()
        loop.look(first=True)
        log.info("watching; stop with Ctrl-C or SIGTERM")
        while not stop.is_set():
            if loop.busy():
                stop.wait(0.1)
                loop.take_up(every=TAKE_UP_SECONDS)
            elif once:
                if not loop.look() and not loop.trouble:
                    break
                stop.wait(min(loop.trouble, 1) * settings.engine.retry_seconds)
            else:
                stop.wait(settings.mailbox.poll_seconds)
            if not once and loop.due():
                loop.look()
        pipeline.deliver(tools, limit=1000)
        return loop.totals()


class Loop:
    """Brings tagged items to the engine and knows what it brought."""

    def __init__(self, tools: Tools, engine: Engine) -> None:
        self.tools, self.engine = tools, engine
        self._brought: dict[ItemRef, str] = {}
        self._again: dict[ItemRef, tuple[int, float]] = {}
        self.trouble = 0
        self._looked = 0.0
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

    def look(self, *, first: bool = False) -> int:
        """Bring every tagged item that is not underway; returns how many were brought.

        A mailbox that cannot be opened is an error at the start and a warning later. `trouble` counts the looks in
        a row that failed; after `engine.attempts` of them the error goes on to the caller.
        """
        self._looked = time.monotonic()
        pipeline.deliver(self.tools)
        brought = 0
        try:
            for refs in _batches(self._new_refs()):
                directly("register", partial(self._bring, refs))
                brought += len(refs)
        except (Unreachable, StepFailed) as error:
            self.trouble += 1
            if (first and isinstance(error, Unreachable)) or self.trouble >= self.tools.settings.engine.attempts:
                raise
            log.warning("%s; tagged items stay tagged and are found again", error)
        else:
            self.trouble = 0
        return brought

    def busy(self) -> bool:
        """True while a capture is unfinished that has not been parked."""
        return bool(self._unfinished() - self._parked)

    def due(self) -> bool:
        """True when the mailboxes have not been looked at for `mailbox.poll_seconds`."""
        return time.monotonic() - self._looked >= self.tools.settings.mailbox.poll_seconds

    def totals(self) -> dict[str, int]:
        """How the captures of this home ended."""
        with self.tools.database.reading() as session:
            return ledger.outcomes(session)

    def _new_refs(self) -> Iterator[ItemRef]:
        underway = self._unfinished()
        for ref in self.tools.mailbox.tagged():
            if self._brought.get(ref) in underway:
                continue
            if ref in self._brought and not self._may_come_again(ref):
                continue
            yield ref

    def _unfinished(self) -> set[str]:
        with self.tools.database.reading() as session:
            return ledger.unfinished_ids(session)

    def _may_come_again(self, ref: ItemRef) -> bool:
        """An item brought before is tagged still or again: by its user, or because it cannot be marked."""
        times, not_before = self._again.get(ref, (0, 0.0))
        if time.monotonic() < not_before:
            return False
        pause = AGAIN_SECONDS[min(times, len(AGAIN_SECONDS) - 1)]
        self._again[ref] = (times + 1, time.monotonic() + pause)
        return True

    def _bring(self, refs: list[ItemRef]) -> None:
        """Register and queue in one transaction: both or neither."""
        keys = self.tools.keys
        brought: dict[ItemRef, str] = {}
        with self.tools.database.session() as session:
            for ref in refs:
                source = identity.source_key(keys, ref.mailbox, ref.key)
                locator = ledger.seal_locator(keys, ref.mailbox, source, ref.key)
                capture = ledger.register(session, ref.mailbox, source, locator=locator)
                self.engine.enqueue(session, capture.id)
                brought[ref] = capture.id
        self._brought |= brought


def _engine(tools: Tools) -> Engine:
    settings = tools.settings

    def work(step: Step, capture: str) -> str:
        began = time.monotonic()
        outcome = pipeline.capture_item(capture, tools, step)
        log.info("capture %s: %s after %.1f s", capture, outcome, time.monotonic() - began)
        return outcome

    return Engine(tools.database.engine, settings.engine, key=tools.keys.derive("engine-serializer"),
                  pool_size=settings.store.pool_size, jobs=[Job(CAPTURE, LIVE, work)])


def _batches(refs: Iterator[ItemRef]) -> Iterator[list[ItemRef]]:
    batch: list[ItemRef] = []
    for ref in refs:
        batch.append(ref)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


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
