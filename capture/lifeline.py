"""This process among the workers of its database: alive, taken for dead, or stopped.

A worker says every `engine.beat_seconds` that it lives. One that is not heard of for `engine.lease_seconds`, or
whose process is gone from this very machine, is dead, and `capture/takeover.py` takes up what it had in hand. A
process that was merely frozen learns of it at its next step (`Fence`), and abandons what it had in hand.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import TracebackType

from capture.settings import EngineSettings
from pii_scan.errors import MailweirError
from store import leases
from store.database import Database
from store.tables import new_id

log = logging.getLogger("mailweir.worker")


class Lifeline:
    """The lease of this worker. `executor` is new for every start. Use as a context manager; `tend` gives it the
    chores to do after each beat."""

    def __init__(self, database: Database, settings: EngineSettings, *, engine_version: str) -> None:
        self.executor = new_id()
        self._database, self._settings = database, settings
        self._version = f"{version('mailweir')}/{engine_version}"
        self._incarnation, self._beaten = 0, _boottime()
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._busy, self._resting = threading.Lock(), False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lifeline:
        self._join()
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        try:
            with self._database.session() as session:
                leases.leave(session, self.executor)
        except MailweirError:
            if error is None:
                log.warning("the lease could not be given back; others wait until it runs out")

    def tend(self, chores: Callable[[], None]) -> None:
        """Beat from now on in a thread of its own, and do the chores after each beat."""
        self._thread = threading.Thread(target=self._run, args=[chores], name="lifeline", daemon=True)
        self._thread.start()

    def rest(self) -> None:
        """Do no more chores, and wait for those begun; the beat goes on until the block ends."""
        with self._busy:
            self._resting = True

    # -- the fence, asked by the engine

    def incarnation(self) -> int:
        """A number that changes when this process was taken for dead."""
        return self._incarnation

    def checked(self) -> int:
        """The same, after making sure when the last beat is long ago. Raises the store's errors."""
        if _boottime() - self._beaten > self._settings.lease_seconds / 2:
            self._beat()
        return self._incarnation

    # -- inside

    def _run(self, chores: Callable[[], None]) -> None:
        while True:
            try:
                self._beat()
                with self._busy:
                    if not self._resting:
                        chores()
            except MailweirError as error:
                log.warning("%s; the next beat tries again", error)
            except Exception as error:  # noqa: BLE001 - the thread must live on; dbos raises what its driver raises
                log.warning("a beat failed: %s", type(error).__name__)
            if self._stop.wait(self._settings.beat_seconds):
                return

    def _beat(self) -> None:
        with self._lock:
            moment = _boottime()
            with self._database.session() as session:
                alive = leases.beat(session, self.executor)
            if not alive:
                log.warning("this worker was taken for dead; what it had in hand is left to others")
                self._incarnation += 1
                self._join()
            self._beaten = moment

    def _join(self) -> None:
        with self._database.session() as session:
            leases.join(session, self.executor, boot=boot(), version=self._version)


def boot(pid: int | None = None) -> str:
    """What tells a process from every other: boot of the machine, pid namespace, pid, moment of its start. ""
    where the system does not say; then only time tells whether a worker lives. Raises `OSError` when there is no
    such process."""
    number = os.getpid() if pid is None else pid
    try:
        machine = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in "ZX":
        raise ProcessLookupError(number)
    return f"{machine} {space} {number} {fields[19]}"


def is_gone(theirs: str) -> bool:
    """Whether the process of this `boot` text ran here and does not any more. False for other machines."""
    ours = boot().split()
    parts = theirs.split()
    if len(parts) != 4 or parts[:2] != ours[:2]:
        return False
    try:
        return boot(int(parts[2])) != theirs
    except (OSError, ValueError, IndexError):
        return True


def _boottime() -> float:
    """Seconds that also pass while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
