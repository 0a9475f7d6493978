"""The scanner, the readers and the mailboxes for pages that need them: made at the first use, shared by all requests.

Loading the language model takes seconds, so a service that shows no case never does it.
"""

from __future__ import annotations

import threading
from typing import Final

from capture.engine import Jobs
from capture.jobs import client
from capture.ports import Scanner, Weigh
from capture.settings import Settings
from capture.wiring import (
    Tools,
    build_crm,
    build_extractor,
    build_mailbox,
    build_notifier,
    scan_with,
    scanner_or_refusal,
)
from pii_scan.findings import Decision, Report
from pii_scan.text import Extraction
from store.crypto import Keys
from store.database import Database


class LazyScanner:
    """The scanner of a home, loaded when something is scanned first: who asks how an item stands need not wait."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._lock = settings, threading.Lock()
        self._scanner: Scanner | None = None

    def load(self) -> Scanner:
        """The scanner itself."""
        with self._lock:
            if self._scanner is None:
                self._scanner = scanner_or_refusal(self._settings)
            return self._scanner

    def scan(self, extraction: Extraction) -> Report:
        """What the scanner finds."""
        return self.load().scan(extraction)

    def scan_with(self, extraction: Extraction, weigh: Weigh) -> Report:
        """What the scanner finds, weighed."""
        return scan_with(self.load(), extraction, weigh)

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """What the scanner decides."""
        return self.load().decide(report, extraction)


class DeskTools:
    """`tools.get()` from any thread; the database and the keys stay their owner's."""

    def __init__(self, settings: Settings, database: Database, keys: Keys) -> None:
        self._settings, self._database, self._keys = settings, database, keys
        self._lock: Final = threading.Lock()
        self._made: Tools | None = None
        self._queues: Jobs | None = None
        self._warming = False

    def get(self) -> Tools:
        """Everything the flow works with. Raises `BadSettings`."""
        with self._lock:
            if self._made is None:
                settings, database = self._settings, self._database
                self._made = Tools(
                    settings, database, self._keys, build_mailbox(settings, database), build_extractor(settings),
                    LazyScanner(settings), build_crm(settings, database), build_notifier(settings))
            return self._made

    def warm(self) -> None:
        """Begin to make them, if nobody has: whoever looks at the queue opens a case next."""
        if self._made is None and not self._warming:
            self._warming = True
            threading.Thread(target=self._warm, name="desk-tools", daemon=True).start()

    def jobs(self) -> Jobs:
        """The queues, to ask a worker for something."""
        with self._lock:
            if self._queues is None:
                self._queues = client(self._database, self._keys)
            return self._queues

    def _warm(self) -> None:
        scanner = self.get().scanner
        if isinstance(scanner, LazyScanner):
            scanner.load()

    def close(self) -> None:
        """Stop what was started."""
        with self._lock:
            if self._queues is not None:
                self._queues.close()
                self._queues = None
            if self._made is not None:
                self._made.crm.close()
                self._made.mailbox.close()
                self._made.extractor.close()
                self._made = None
