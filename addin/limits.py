"""How often somebody may ask: buckets that fill up again. In this process only; a second one has its own."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MOST_KEYS: Final = 10_000


class Buckets:
    """At most `burst` at once and `per_minute` in the long run, for each key. Forgets the keys used longest ago, which
    are full again by then or belong to a flood of many addresses."""

    def __init__(self, burst: int, per_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._rate, self._clock = burst, per_minute / 60, clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """0 when allowed, else the seconds until it is."""
        moment = self._clock()
        with self._lock:
            left, at = self._left.pop(key, (float(self._burst), moment))
            left = min(float(self._burst), left + (moment - at) * self._rate)
            allowed = left >= 1
            self._left[key] = (left - 1 if allowed else left, moment)
            while len(self._left) > _MOST_KEYS:
                self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate
