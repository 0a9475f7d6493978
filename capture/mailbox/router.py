"""All mailboxes of a home, each served by its own kind of server: a hybrid is several backends at once.

Which mailboxes there are: those a backend offers of itself (`folder` finds its directories, `ews` and `graph` have a
list in the settings), and those added with `mailweir mailbox add`, less those removed. Which backend serves one: what
its row says, else the one of `mailbox.kind`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event

from capture.errors import CaptureError
from capture.ports import Changes, Check, Folder, ItemRef, Mailbox, MailItem, Sighting, Stamp
from pii_scan.errors import MailweirError
from store import watch
from store.database import Database

log = logging.getLogger("mailweir.mailbox")

Open = Callable[[str, Sequence[str]], Mailbox]
"""Opens the backend of a kind, told which mailboxes were added to it."""


class Mailboxes:
    """Picks the backend of each mailbox; opens a backend when it is first needed. `default` is `mailbox.kind`."""

    def __init__(self, database: Database, open_backend: Open, default: str) -> None:
        self._database, self._open, self._default = database, open_backend, default
        self._backends: dict[str, Mailbox] = {}
        self._kinds: dict[str, str] = {}
        self._lock = threading.RLock()

    def backend(self, mailbox: str) -> Mailbox:
        """The backend that serves this mailbox. Raises `BadSettings` when it is not set up."""
        with self._lock:
            if mailbox not in self._kinds:
                self._rows()
            return self._opened(self._kinds.get(mailbox, self._default))

    def mailboxes(self) -> Sequence[str]:
        """Every mailbox to watch. Raises `Unreachable` when no backend can say; one that cannot is passed over."""
        removed, added = self._rows()
        with self._lock:
            kinds = {self._default, *added.values()}
        names: dict[str, str] = dict(added)
        failed: dict[str, CaptureError] = {}
        for kind in sorted(kinds):
            try:
                own = self._opened(kind).mailboxes()
            except CaptureError as error:
                failed[kind] = error
                continue
            for name in own:
                names.setdefault(name, kind)
        if failed and (len(kinds) == 1 or not names):
            raise next(reversed(failed.values()))
        for kind, why in failed.items():
            log.warning("mailboxes of kind %s: %s", kind, why)
        with self._lock:
            self._kinds |= names
        return sorted(names.keys() - removed)

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """See `capture.ports.Mailbox`."""
        return self.backend(mailbox).folders(mailbox)

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """See `capture.ports.Mailbox`."""
        return self.backend(folder.mailbox).changes(folder, cursor)

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """See `capture.ports.Mailbox`."""
        return self.backend(mailbox).tagged(mailbox)

    def fetch(self, ref: ItemRef) -> MailItem:
        """See `capture.ports.Mailbox`."""
        return self.backend(ref.mailbox).fetch(ref)

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """See `capture.ports.Mailbox`."""
        return self.backend(ref.mailbox).mark(ref, state, stamp)

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """See `capture.ports.Mailbox`."""
        return self.backend(ref.mailbox).locate(ref, capture, message_id)

    def check(self, mailbox: str) -> Sequence[Check]:
        """See `capture.ports.Mailbox`."""
        return self.backend(mailbox).check(mailbox)

    def wakeups(self, stop: Event) -> Iterator[str]:
        """What every backend hears, as it comes; one that cannot be opened hears nothing and keeps nobody from
        hearing. Raises what a backend's `wakeups` raises."""
        heard: queue.Queue[str | BaseException] = queue.Queue()
        backends: list[Mailbox] = []
        for kind in sorted({self._default, *self._kinds.values()}):
            try:
                backends.append(self._opened(kind))
            except MailweirError as error:
                log.warning("the %s backend gives no wake-ups: %s", kind, error)

        def listen(backend: Mailbox) -> None:
            try:
                for mailbox in backend.wakeups(stop):
                    heard.put(mailbox)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who tells them apart
                heard.put(error)

        threads = [threading.Thread(target=listen, args=[backend], name="wakeups", daemon=True) for backend in backends]
        for thread in threads:
            thread.start()
        while not stop.is_set() and (any(thread.is_alive() for thread in threads) or not heard.empty()):
            with suppress(queue.Empty):
                said = heard.get(timeout=0.2)
                if isinstance(said, BaseException):
                    raise said
                yield said

    def close(self) -> None:
        """Close every backend that was opened."""
        with self._lock:
            backends, self._backends = self._backends, {}
        for backend in backends.values():
            try:
                backend.close()
            except MailweirError as error:
                log.warning("closing a mailbox backend: %s", error)

    def _opened(self, kind: str) -> Mailbox:
        with self._lock:
            if kind not in self._backends:
                self._backends[kind] = self._open(kind, [m for m, k in self._kinds.items() if k == kind])
            return self._backends[kind]

    def _rows(self) -> tuple[set[str], dict[str, str]]:
        """Mailboxes that were removed, and those that were added or given a backend with theirs."""
        with self._database.reading() as session:
            rows = watch.mailboxes(session)
        removed = {row.mailbox for row in rows if row.removed}
        added = {row.mailbox: row.backend for row in rows if row.backend and not row.removed}
        with self._lock:
            self._kinds |= added
        return removed, added


_: type[Mailbox] = Mailboxes
