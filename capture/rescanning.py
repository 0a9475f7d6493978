"""`mailweir rescan`: start, watch, pause and resume a run, and say what it came to.

The command works chunks itself, next to whatever workers run. Killed, it leaves a run that workers go on with, and
that `--resume` takes up where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from capture import pipeline
from capture.desk import actor_name
from capture.engine import APP_VERSION, Engine, JobState
from capture.errors import BadInput
from capture.lifeline import Lifeline
from capture.ports import StoredKind, Wanted
from capture.rescan import CHUNK, LIST, jobs, wanted_of
from capture.settings import Settings
from capture.wiring import RefusingScanner, Tools, assembled, opened
from pii_scan.policy import builtin_packs, load_pack
from store import rescan
from store.rescan import Progress
from store.rescan_tables import RescanResult, RescanRun, RunState

LEAST_HOLDS = 20
"""A share of few items still lets this many through before a run pauses."""
HELD, ATTACHMENT = "held", "attachment"
KIND_WORDS = (*(kind.value for kind in StoredKind), ATTACHMENT, HELD)
"""What `--kind` takes: the kinds of stored items, items with an attachment, and what is held."""
_LOOK_SECONDS = 0.5
_STRANDED_LOOKS = 10


class BadFilter(BadInput):
    """An option of the rescan cannot be used."""

    code = "bad-filter"
    hint = "Dates are like 2026-01-31 (UTC), kinds those of `mailweir rescan --help`, holds a number or a share (2%)."


@dataclass(frozen=True, slots=True)
class Asked:
    """What a new run is asked to do, as it stands on the command line."""

    since: str = ""
    until: str = ""
    division: str = ""
    kinds: tuple[str, ...] = ()
    policy: str = ""
    dry_run: bool = False
    max_holds: str = ""


Watch = Callable[[str, Progress, float], None]
"""`watch(run, progress, items a second)`: called about twice a second while a run is underway."""


def start(settings: Settings, asked: Asked, watch: Watch) -> str:
    """Start a run, work on it until it ends or pauses, and return its number. Raises `BadFilter` or `ScanError`."""
    wanted = _wanted(asked)
    policy, text, label = _policy(settings, asked.policy)
    with assembled(settings) as tools:
        _check_scanner(tools)
        if asked.division and not tools.crm.count(Wanted(division=asked.division)):
            raise BadFilter("--division: no stored item belongs to it")
        total = tools.crm.count(wanted_of(wanted)) if wanted["stored"] else 0
        most = 0 if asked.dry_run else _limit(asked.max_holds or settings.rescan.max_holds, total)
        with _working(tools) as engine:
            with tools.database.session() as session:
                run = rescan.start(session, actor=actor_name(), wanted=wanted, policy=policy, policy_text=text,
                                   label=label, dry_run=asked.dry_run, max_holds=most, total=total)
                _queue(engine, session, run)
                number = run.id
            _follow(tools, engine, number, watch)
    return number


def resume(settings: Settings, number: str, watch: Watch, *, max_holds: str = "") -> str:
    """Go on with a run that was paused or killed or ended with errors. Raises `NotFound`, `BadState`, `BadFilter`."""
    with assembled(settings) as tools:
        with tools.database.reading() as session:
            run = rescan.get(session, number)
        if run.why == "max-holds" and not max_holds:
            raise BadFilter(f"{run.id} paused because it would pull out more than {run.max_holds}; say --max-holds")
        _check_scanner(tools)
        with _working(tools) as engine:
            with tools.database.session() as session:
                run = rescan.resume(session, number, actor=actor_name(),
                                    max_holds=_limit(max_holds, run.total) if max_holds else None)
                _queue(engine, session, run)
                number = run.id
            _follow(tools, engine, number, watch)
    return number


def report(settings: Settings, number: str) -> dict[str, Any]:
    """What a run came to; see `store.rescan.report`."""
    with opened(settings) as (database, _), database.reading() as session:
        return rescan.report(session, number)


def rows(settings: Settings, number: str) -> Iterator[dict[str, Any]]:
    """Every result of a run, one line each. A published form."""
    with opened(settings) as (database, _), database.reading() as session:
        for row in rescan.results(session, number):
            yield _row(row)


def runs(settings: Settings) -> list[dict[str, Any]]:
    """The newest runs, newest first."""
    with opened(settings) as (database, _), database.reading() as session:
        found = []
        for run in rescan.runs(session):
            at = rescan.progress(session, run.id)
            found.append({
                "run": run.id, "state": run.state, "why": run.why, "started": run.created.isoformat(timespec="seconds"),
                "policy": run.label, "dry_run": run.dry_run, "looked_at": at.looked, "total": at.total,
                "found": at.hits, "errors": at.errors})
        return found


def exit_code(result: dict[str, Any]) -> int:
    """0 nothing found, 1 something found, 2 the run broke off or could not look at everything."""
    outcomes = result["outcomes"]
    if result["state"] != RunState.DONE or outcomes.get("error"):
        return 2
    return 1 if outcomes.get("hold") or outcomes.get("would-hold") else 0


# --------------------------------------------------------------------------------------------- the work

@contextmanager
def _working(tools: Tools) -> Iterator[Engine]:
    """An engine of this process for rescan jobs only, alive to other workers; SIGINT pauses (`_follow`)."""
    settings = tools.settings
    with Lifeline(tools.database, settings.engine, engine_version=APP_VERSION) as lifeline:
        engine: Engine
        engine = Engine(tools.database.engine, settings.engine, key=tools.keys.derive("engine-serializer"),
                        pool_size=settings.store.pool_size, executor=lifeline.executor, fence=lifeline,
                        jobs=jobs(tools, lambda *args, **named: engine.enqueue_job(*args, **named)))
        try:
            engine.start()
            lifeline.tend(lambda: None)
            yield engine
        finally:
            engine.stop()


def _queue(engine: Engine, session: Any, run: RescanRun) -> None:
    """Queue what is left of a run: the listing, and every chunk that is not done, under new ids."""
    engine.enqueue_job(session, LIST, f"rescan-{run.id}-list-{run.tries}", [run.id, run.tries])
    for chunk in rescan.waiting(session, run.id):
        engine.enqueue_job(session, CHUNK, f"rescan-{run.id}-{chunk}-{run.tries}",
                           [run.id, chunk, run.tries], priority=chunk + 1)


def _follow(tools: Tools, engine: Engine, number: str, watch: Watch) -> None:
    """Watch a run until it ends or pauses. Ctrl-C pauses it; a run nobody works on any more is paused too."""
    speed, idle, stop = Speed(), 0, threading.Event()
    try:
        while True:
            with tools.database.reading() as session:
                at = rescan.progress(session, number)
            watch(number, at, speed.of(at.looked))
            if at.state != RunState.RUNNING:
                break
            moving = engine.jobs.list(prefix=f"rescan-{number}-", states=[JobState.WAITING, JobState.RUNNING], limit=1)
            idle = 0 if moving else idle + 1
            if idle >= _STRANDED_LOOKS:
                with tools.database.session() as session:
                    rescan.pause(session, number, why="stranded")
            stop.wait(_LOOK_SECONDS)
    except KeyboardInterrupt:
        with tools.database.session() as session:
            rescan.pause(session, number, why="interrupted", actor=actor_name())
    pipeline.deliver(tools, limit=1000)
    tools.database.scrub()


class Speed:
    """Items a second over the last half minute."""

    SPAN = 30.0

    def __init__(self) -> None:
        self._seen: list[tuple[float, int]] = []

    def of(self, looked: int) -> float:
        """The speed, now that so many were looked at in all."""
        moment = time.monotonic()
        self._seen = [(at, n) for at, n in self._seen if moment - at <= self.SPAN] + [(moment, looked)]
        first, before = self._seen[0]
        return (looked - before) / (moment - first) if moment > first else 0.0


# ---------------------------------------------------------------------------------------------- options

def _wanted(asked: Asked) -> dict[str, Any]:
    """The filters as a run keeps them. Held items are looked at too, unless a filter is about stored ones."""
    for kind in asked.kinds:
        if kind not in KIND_WORDS:
            raise BadFilter(f"no kind {kind!r}; there are {', '.join(KIND_WORDS)}")
    kinds = [kind for kind in asked.kinds if kind not in (ATTACHMENT, HELD)]
    attached = ATTACHMENT in asked.kinds
    if attached and kinds:
        raise BadFilter("--kind attachment is every kind of item that has one; leave the other kinds out")
    return {"since": moment_of(asked.since), "until": moment_of(asked.until), "division": asked.division,
            "kinds": kinds, "attached": attached, "stored": not asked.kinds or bool(kinds) or attached,
            "held": HELD in asked.kinds or (not asked.kinds and not asked.division)}


def moment_of(text: str) -> str:
    """A date (midnight UTC) or a moment, as UTC ISO 8601; "" stays."""
    if not text:
        return ""
    try:
        if len(text) == len("2026-01-31"):
            day = date.fromisoformat(text)
            return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadFilter("there is no such day") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _limit(text: str, total: int) -> int:
    """How many holds a run may make: a number, or a share of the items; 0 = no limit."""
    share, percent, rest = text.strip().partition("%")
    if not share.isdigit() or rest or (percent and int(share) > 100):
        raise BadFilter("--max-holds is a number or a share")
    return max(LEAST_HOLDS, total * int(share) // 100) if percent else int(share)


def _policy(settings: Settings, named: str) -> tuple[str, str, str]:
    """(name, text of its file or "", label) of the pack of a run. "" is that of the settings. Raises `BadPack`."""
    pack = load_pack(named or settings.scan.pack)
    if not named or named.partition("@")[0] in builtin_packs():
        return named, "", pack.label
    return named[:256], Path(named).read_text(encoding="utf-8"), pack.label


def _check_scanner(tools: Tools) -> None:
    """Raise `ScanError` now, when no verdict could be given later."""
    if isinstance(tools.scanner, RefusingScanner):
        raise tools.scanner.error


def _row(row: RescanResult) -> dict[str, Any]:
    return {"item": row.item, "kind": row.kind, "division": row.division, "outcome": row.outcome,
            "verdict": row.verdict, "categories": row.kinds, "unread": row.unread, "attachments": row.attachments,
            "case": row.case, "code": row.code}


def left(at: Progress, speed: float) -> str:
    """How long a run still takes at this speed, as a person says it; "" when that is not known."""
    if speed <= 0 or not at.total or at.looked >= at.total:
        return ""
    return str(timedelta(seconds=int((at.total - at.looked) / speed)))
