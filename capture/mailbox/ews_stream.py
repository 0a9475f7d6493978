"""Wake-ups by streaming notifications: one open connection for each mailbox.

They only wake. What happened is read by the sync, never from an event: events come double, late or not at all, and
nothing is told of the time between two connections, so each new connection wakes as well. Nothing is fetched while
the stream is open; it has a session of its own, since a stream and a fetch on one session wait for each other for
ever.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from threading import Event
from typing import Any, Final

from capture.errors import CaptureError, Parked
from capture.mailbox.ews_calls import Stream, Subscribe
from capture.mailbox.ews_connection import LONGEST_PAUSE, Connection
from capture.settings import Settings

log = logging.getLogger("mailweir.mailbox.ews")

MINUTES: Final = 29
"""How long one connection is asked for; the server allows 30."""
QUIET_SECONDS: Final = 1.0
"""One action of a user gives several events; a mailbox is named once for all that come within this time."""
PARKED_SECONDS: Final = 3600.0
SHORT_SECONDS: Final = 5.0
"""A connection that ends sooner counts as failed."""
EVENTS: Final = ("NewMailEvent", "CreatedEvent", "ModifiedEvent", "MovedEvent", "CopiedEvent", "DeletedEvent")


class _Stopped(Exception):
    """The stream is to end."""


class Streams:
    """Listens to mailboxes, each in a thread of its own."""

    def __init__(self, settings: Settings, mailboxes: Sequence[str]) -> None:
        self.mailboxes = mailboxes
        self.connection = Connection(settings, connections=len(mailboxes))
        self._woken: queue.Queue[str] = queue.Queue()
        self._subscriptions: dict[str, str] = {}
        self._stop = threading.Event()

    def listen(self, stop: Event) -> Iterator[str]:
        """Yield the names of mailboxes in which something may have happened, until `stop` is set."""
        for mailbox in self.mailboxes:
            threading.Thread(target=self._follow, args=(mailbox,), name="ews-stream", daemon=True).start()
        waiting: dict[str, float] = {}
        while not stop.is_set() and not self._stop.is_set():
            with contextlib.suppress(queue.Empty):
                waiting.setdefault(self._woken.get(timeout=0.2), time.monotonic() + QUIET_SECONDS)
            for mailbox in [name for name, due in waiting.items() if due <= time.monotonic()]:
                del waiting[mailbox]
                yield mailbox

    def close(self) -> None:
        """End the streams. A thread ends with the next sign of life of its server, the process does not wait."""
        self._stop.set()
        self.connection.close()

    def _follow(self, mailbox: str) -> None:
        failures = 0
        while not self._stop.is_set():
            began, wait = time.monotonic(), 0.0
            try:
                self.connection.run(mailbox, partial(self._once, mailbox))
            except _Stopped:
                return
            except CaptureError as error:
                self._subscriptions.pop(mailbox, None)
                wait = PARKED_SECONDS if isinstance(error, Parked) else getattr(error, "wait", 0.0)
                log.info("a stream ended: %s; polling goes on", error.code)
            failures = failures + 1 if time.monotonic() - began < SHORT_SECONDS else 0
            if failures:  # a server that ends each stream at once is not asked without end
                wait = max(wait, random.uniform(0, min(LONGEST_PAUSE, 2.0 ** failures)))  # noqa: S311 - a pause
            self._stop.wait(wait)

    def _once(self, mailbox: str, account: Any) -> None:
        """Subscribe if need be, wake (what happened before is not told), and follow until the connection ends."""
        if mailbox not in self._subscriptions:
            self._subscriptions[mailbox] = Subscribe(account=account).get(folders=None, event_types=EVENTS)
        self._woken.put(mailbox)
        stream = Stream(account=account)
        stream.alive = self._alive
        try:
            for _ in stream.call(subscription_ids=[self._subscriptions[mailbox]], connection_timeout=MINUTES):
                self._woken.put(mailbox)
        finally:
            stream.stop_streaming()
            self._woken.put(mailbox)

    def _alive(self) -> None:
        if self._stop.is_set():
            raise _Stopped
