"""How fast a remote service is asked: slots, pauses it asks for, and growing pauses when it fails.

A `Gate` stands before one thing that has limits of its own: a mailbox, an organisation. Where the service asks for a
pause (`Retry-After`), nothing more is sent through the gate until it is over: a short one is waited for, a longer one
goes to the caller as `TryLater(wait)`. Without the header the pause doubles with every failure in a row, with full
jitter, up to 15 minutes.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from capture.errors import TryLater

MAX_WAIT: Final = 900.0
MAX_ASKED: Final = 3600.0
"""A server may ask for a longer pause than we would make, but not for ever."""
PATIENCE: Final = 4.0
"""Seconds of pause waited for inside one call."""
BUSY: Final = frozenset({423, 429, 503, 509})
"""Statuses after which everything behind the gate rests, not only the request."""

_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Gate:
    """The pace of one mailbox or organisation. `name` says in errors what rests. Safe to share between threads."""

    __slots__ = ("_name", "_not_before", "_slots", "failures")

    def __init__(self, name: str, parallel: int) -> None:
        self._name = name
        self._slots = threading.BoundedSemaphore(parallel)
        self._not_before = 0.0
        self.failures = 0

    def rest(self, patience: float) -> None:
        """Wait until the service may be asked again, or raise `TryLater` saying how long that is."""
        left = self._not_before - time.monotonic()
        if left > patience + 0.1:
            raise TryLater(f"{self._name} rests", wait=left)
        if left > 0:
            time.sleep(left)

    @contextmanager
    def slot(self, timeout: float) -> Iterator[None]:
        """One of the requests that may be under way at a time."""
        if not self._slots.acquire(timeout=timeout):
            raise TryLater(f"{self._name}: too many requests under way", wait=jitter(1))
        try:
            yield
        finally:
            self._slots.release()

    def pause(self, status: int, asked: str = "") -> float:
        """The seconds to wait after a reply that failed; `asked` is its Retry-After. All rest when it is busy."""
        self.failures += 1
        wait = retry_after(asked)
        wait = jitter(self.failures) if wait is None else min(wait, MAX_ASKED)
        if status in BUSY:
            self._not_before = max(self._not_before, time.monotonic() + wait)
        return wait


def retry_after(value: str) -> float | None:
    """The seconds of a Retry-After header (seconds or a date); None when it says nothing."""
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def jitter(failures: int) -> float:
    """A random part of a pause that doubles with each failure in a row."""
    return random.uniform(0, min(MAX_WAIT, 2.0 ** min(failures, 20)))  # noqa: S311 - spreads load, keeps no secret
