"""What a process counts about its own work: how often and how long. No content, no person, no address.

Each series has at most one or two labels whose values are listed here or are routes of our own, so the number of
lines stays small whatever comes in; anything else is counted as "other".

    METER.observe("scan", 0.12)
    with METER.timed("step", "examine"): ...
    METER.count("child", "timeout")
    with published(home): ...            # lets other processes of this machine read the figures
    merged(home)                         # the figures of all of them

A worker writes its figures every few seconds to `run/meter-PID.json` in the home folder and removes the file
when it ends; the file of a process that is gone is not counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper bounds in seconds; a last bucket takes what is longer."""

OTHER: Final = "other"
STEPS: Final = ("track", "examine", "decide", "link", "hold", "gone", "mark", "unmarked", "notify", "register",
                "send")
DURATIONS: Final[Mapping[str, tuple[str, ...]]] = {"step": STEPS, "extract": (), "scan": (), "request": ()}
"""Series of durations and the values their label may have; () = no label, or (request) routes of our own."""
COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "step_failed": STEPS,
    "child": ("fine", "timeout", "memory", "crashed"),
}
"""Series of counts and the values their label may have."""

FOLDER: Final = "run"
_WRITE_SECONDS: Final = 2.0


@dataclass(slots=True)
class Spread:
    """How a duration was spread: how many up to each of `BUCKETS`, and one more for the rest."""

    total: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))

    def add(self, seconds: float) -> None:
        """One more duration."""
        self.total += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


@dataclass(slots=True)
class Figures:
    """What was measured: (series, label) -> durations or a count."""

    durations: dict[tuple[str, str], Spread] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, other: Figures) -> None:
        """Take the figures of another process in."""
        for key, spread in other.durations.items():
            mine = self.durations.setdefault(key, Spread())
            mine.total += spread.total
            mine.buckets = [a + b for a, b in zip(mine.buckets, spread.buckets, strict=True)]
        for key, number in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + number

    def to_json(self) -> str:
        """For a file that another process reads."""
        return json.dumps({"durations": [[*key, s.total, s.buckets] for key, s in self.durations.items()],
                           "counts": [[*key, number] for key, number in self.counts.items()]})

    @classmethod
    def from_json(cls, text: str) -> Figures:
        """Raises `ValueError`, `KeyError` or `TypeError` when the text is not what `to_json` made."""
        data: dict[str, list[list[Any]]] = json.loads(text)
        made = cls()
        for series, label, total, buckets in data["durations"]:
            if len(buckets) != len(BUCKETS) + 1 or series not in DURATIONS:
                raise ValueError("another version's figures")
            made.durations[series, label] = Spread(float(total), [int(b) for b in buckets])
        for series, label, number in data["counts"]:
            if series not in COUNTS:
                raise ValueError("another version's figures")
            made.counts[series, label] = int(number)
        return made


class Meter:
    """Counts for one process. Safe to use from several threads; costs a few microseconds a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._figures = Figures()

    def observe(self, series: str, seconds: float, label: str = "") -> None:
        """One more duration. `label` of "request" is taken as it is: a route of ours, and a status class."""
        known = label if series == "request" else _known(DURATIONS[series], label)
        with self._lock:
            self._figures.durations.setdefault((series, known), Spread()).add(seconds)

    def count(self, series: str, label: str) -> None:
        """One more of a kind."""
        key = (series, _known(COUNTS[series], label))
        with self._lock:
            self._figures.counts[key] = self._figures.counts.get(key, 0) + 1

    @contextlib.contextmanager
    def timed(self, series: str, label: str = "") -> Iterator[None]:
        """Observe how long the block takes, also when it raises."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.observe(series, time.monotonic() - began, label)

    def figures(self) -> Figures:
        """A copy of everything measured so far."""
        with self._lock:
            copy = Figures()
            copy.add(self._figures)
            return copy


METER: Final = Meter()
"""The meter of this process."""


@contextlib.contextmanager
def published(home: Path, meter: Meter = METER, every: float = _WRITE_SECONDS) -> Iterator[None]:
    """Write the figures of this process where `merged` finds them, every few seconds while the block runs.

    A folder that cannot be written costs the figures, nothing else.
    """
    path = home / FOLDER / f"meter-{os.getpid()}.json"
    stop = threading.Event()

    def write() -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(meter.figures().to_json(), encoding="utf-8")
            fresh.replace(path)

    def keep() -> None:
        write()
        while not stop.wait(every):
            write()

    thread = threading.Thread(target=keep, name="meter", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def merged(home: Path, meter: Meter = METER) -> tuple[Figures, int]:
    """The figures of this process and of every living process that publishes, and how many those others are.

    Removes what processes left behind that were killed.
    """
    whole, others = meter.figures(), 0
    for path in sorted((home / FOLDER).glob("meter-*.json")):
        number = path.stem.removeprefix("meter-")
        if not number.isdigit() or int(number) == os.getpid():
            continue
        if not _alive(int(number)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            continue
        try:
            theirs = Figures.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # another version's, or gone this moment
        whole.add(theirs)
        others += 1
    return whole, others


def _alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _known(values: tuple[str, ...], label: str) -> str:
    return label if label in values else OTHER if values else ""
