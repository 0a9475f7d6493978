"""/metrics in Prometheus' text form: counts and durations, nothing about anybody.

Counts come from the database and hold for the whole installation; they are counted anew at most every few seconds,
however often somebody asks. Durations come from the processes of this machine (`capture.meter`). `METRICS` names
every metric there is; docs/operators/monitoring.md explains them, and a test compares the two.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from capture.meter import BUCKETS, Figures, Spread, merged
from pii_scan.errors import MailweirError
from store.database import Database
from store.figures import StoreFigures, figures_of

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
KEEP_SECONDS: Final = 5.0
"""The database is counted at most this often."""

METRICS: Final[Mapping[str, str]] = {
    "mailweir_info": "Always 1; labels: version of the program, kind of database.",
    "mailweir_up": "1 when the database answers, 0 when it does not.",
    "mailweir_captures": "Captures by state and outcome (link, hold, gone, cancel, refuse, none yet).",
    "mailweir_cases": "Cases by state.",
    "mailweir_cases_open": "Open cases by age.",
    "mailweir_queue_backlog": "Captures with something left to do.",
    "mailweir_queue_oldest_seconds": "Age of the oldest of them.",
    "mailweir_notices": "Notices by state; `failed` ones are dead letters.",
    "mailweir_notice_oldest_seconds": "How long the notice that waits longest is due.",
    "mailweir_audit_rows_total": "Rows of the audit.",
    "mailweir_leases": "Workers of the whole installation by whether they were heard of lately: alive, lost.",
    "mailweir_jobs": "Work that had trouble: retried, or parked until a person says so.",
    "mailweir_mailboxes": "Watched mailboxes; `parked` ones refuse us.",
    "mailweir_rescans": "Rescans by state.",
    "mailweir_rescan_chunks": "Chunks of the rescans that are not done: done, waiting.",
    "mailweir_workers": "Processes of this machine, besides this one, whose figures are in the durations below.",
    "mailweir_step_seconds": "Time of a step of the flow, by step.",
    "mailweir_step_failures_total": "Steps that gave up or will be tried again, by step.",
    "mailweir_extract_seconds": "Time to read one item.",
    "mailweir_scan_seconds": "Time to scan one item.",
    "mailweir_extractor_children_total": "Reading processes by how they ended.",
    "mailweir_request_seconds": "Time of a web request, by method, route and class of status.",
}
"""Every metric and what it says."""


class Numbers(Collector):
    """What Prometheus collects."""

    def __init__(self, database: Database, home: Path, *, lease_seconds: float = 30,
                 keep_seconds: float = KEEP_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._home, self._lease = database, home, lease_seconds
        self._keep, self._clock = keep_seconds, clock
        self._lock = threading.Lock()
        self._counted: StoreFigures | None = None
        self._at = float("-inf")

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Nothing: so that registering does not ask the database."""
        return iter(())

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]:
        """Every metric."""
        counted = self._figures()
        info = GaugeMetricFamily("mailweir_info", METRICS["mailweir_info"], labels=["version", "database"])
        info.add_metric([version("mailweir"), self._database.engine.dialect.name], 1)
        yield info
        yield _gauge("mailweir_up", 0 if counted is None else 1)
        if counted is not None:
            yield from _of_store(counted)
        figures, others = merged(self._home)
        yield _gauge("mailweir_workers", others)
        yield from _of_processes(figures)

    def _figures(self) -> StoreFigures | None:
        """The counts, at most `keep_seconds` old; None when the database does not answer."""
        with self._lock:
            if self._clock() - self._at >= self._keep:
                try:
                    with self._database.reading() as session:
                        self._counted = figures_of(session, lease_seconds=self._lease)
                except MailweirError:
                    self._counted = None
                self._at = self._clock()
            return self._counted


def registry_of(database: Database, home: Path, lease_seconds: float = 30) -> CollectorRegistry:
    """A registry of our own: nothing else in the process gets into it."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Numbers(database, home, lease_seconds=lease_seconds))
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """The page, in `CONTENT_TYPE`."""
    return generate_latest(registry)


def _of_store(counted: StoreFigures) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    captures = GaugeMetricFamily("mailweir_captures", METRICS["mailweir_captures"], labels=["state", "outcome"])
    for (state, outcome), number in counted.captures.items():
        captures.add_metric([state, outcome], number)
    yield captures
    yield _gauges("mailweir_cases", "state", counted.cases)
    yield _gauges("mailweir_cases_open", "age", counted.open_cases)
    yield _gauge("mailweir_queue_backlog", counted.backlog)
    yield _gauge("mailweir_queue_oldest_seconds", counted.oldest_seconds)
    yield _gauges("mailweir_notices", "state", counted.notices)
    yield _gauge("mailweir_notice_oldest_seconds", counted.oldest_notice_seconds)
    yield _gauges("mailweir_leases", "state", counted.leases)
    yield _gauges("mailweir_jobs", "state", counted.jobs)
    yield _gauges("mailweir_mailboxes", "state", counted.mailboxes)
    yield _gauges("mailweir_rescans", "state", counted.rescans)
    yield _gauges("mailweir_rescan_chunks", "state", counted.rescan_chunks)
    yield CounterMetricFamily("mailweir_audit_rows", METRICS["mailweir_audit_rows_total"], value=counted.audit_rows)


def _of_processes(figures: Figures) -> Iterator[HistogramMetricFamily | CounterMetricFamily]:
    yield _histogram("mailweir_step_seconds", ("step",), figures, "step")
    yield _counter("mailweir_step_failures_total", "step", figures, "step_failed")
    yield _histogram("mailweir_extract_seconds", (), figures, "extract")
    yield _histogram("mailweir_scan_seconds", (), figures, "scan")
    yield _counter("mailweir_extractor_children_total", "ended", figures, "child")
    yield _histogram("mailweir_request_seconds", ("method", "route", "status"), figures, "request")


def _gauge(name: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, METRICS[name], value=value)


def _gauges(name: str, label: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, METRICS[name], labels=[label])
    for key, number in values.items():
        family.add_metric([key], number)
    return family


def _counter(name: str, label: str, figures: Figures, series: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name.removesuffix("_total"), METRICS[name], labels=[label])
    for (kind, value), number in sorted(figures.counts.items()):
        if kind == series:
            family.add_metric([value], number)
    return family


def _histogram(name: str, labels: tuple[str, ...], figures: Figures, series: str) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, METRICS[name], labels=labels)
    for (kind, value), spread in sorted(figures.durations.items()):
        if kind == series:
            family.add_metric(value.split() if labels else [], _buckets(spread), spread.total)
    return family


def _buckets(spread: Spread) -> list[tuple[str, float]]:
    """Upper bound -> how many took at most that long, as Prometheus wants it: adding up."""
    rows, so_far = [], 0
    for bound, number in zip((*(f"{b:g}" for b in BUCKETS), "+Inf"), spread.buckets, strict=True):
        so_far += number
        rows.append((bound, float(so_far)))
    return rows
