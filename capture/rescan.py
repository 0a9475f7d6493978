"""Looking again at what is in the CRM, with the rules of today: the work. (The command: `capture/rescanning.py`.)

A run is two kinds of durable job on the queue for work that can wait: one that lists the ids in chunks, and one for
each chunk. A chunk is worked in steps of a few items; each item leaves one result, and what has one is not looked at
again. So a run may be killed at any moment, and any number of workers may share it.

What a run does with an item is `Work.look`: read, scan, decide, and pull out what may not stay (`pulling.py`). An
item that cannot be read or scanned is a hit like any other: unread is not clean.
"""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from capture.allowing import with_rules
from capture.engine import BATCH, Job
from capture.errors import RecordChanged, RecordGone, StepFailed
from capture.ports import Scanner, Step, StoredItem, StoredKind, Wanted
from capture.pulling import Paused, finish_stub, item_hash, result_of, take_out
from capture.steps import safely
from capture.stored import read_stored, together
from capture.typed_text import names_what_somebody_is
from capture.wiring import Tools, build_scanner
from pii_scan.errors import BadPack, ModelMissing, ScanError
from pii_scan.findings import Category, Decision, Finding, Verdict
from pii_scan.text import Extraction, Unread
from store import cases, pulls, quarantine, rescan
from store.columns import now
from store.rescan import Result
from store.rescan_tables import Outcome, RescanRun, RunState
from store.tables import CaseState

log = logging.getLogger("mailweir.rescan")

LIST, CHUNK = "rescan_list", "rescan_chunk"
STEP_ITEMS = 25
"""Items of one step: what a worker that is told to stop still does."""
CASE = "case:"
"""Before the number of a held item, among the ids of a chunk."""
GUARD = "typed-guard"
"""The rule of a hit that the scanner does not make: see `guarded`."""
MOST_CHANGES = 3
_BREATH = 0.1

Enqueue = Callable[..., None]
"""`Engine.enqueue_job`."""


def jobs(tools: Tools, enqueue: Enqueue) -> list[Job]:
    """The jobs a worker needs to take part in rescans."""
    work = Work(tools, enqueue)
    return [Job(LIST, BATCH, work.list_items), Job(CHUNK, BATCH, work.chunk)]


def wanted_of(asked: Mapping[str, Any]) -> Wanted:
    """Which stored items a run is about, of what its row keeps in `wanted`."""
    def moment(name: str) -> datetime | None:
        text = asked.get(name) or ""
        return datetime.fromisoformat(text).astimezone(UTC) if text else None

    return Wanted(moment("since"), moment("until"), asked.get("division", ""),
                  tuple(StoredKind(kind) for kind in asked.get("kinds", ())), bool(asked.get("attached")))


class Work:
    """Lists and looks, for any run of this database. Safe for several threads."""

    def __init__(self, tools: Tools, enqueue: Enqueue) -> None:
        self.tools, self._enqueue = tools, enqueue
        self._scanners = Scanners(tools)
        self._way = Way(tools)

    # ------------------------------------------------------------------------------------------- jobs

    def list_items(self, step: Step, run: str, tries: int) -> int:
        """Put every id of the run into chunks, page by page, and queue those. Returns how many pages that took."""
        number = 0
        while step(f"page {number}", partial(self._page, run, tries)):
            number += 1
        return number

    def chunk(self, step: Step, run: str, number: int, tries: int) -> int:  # noqa: ARG002 - makes the job's id new
        """Look at the items of a chunk; returns in how many steps. What fails for good is noted as an error."""
        count = 0
        try:
            while step(f"items {count}", partial(self._some, run, number)):
                count += 1
        except StepFailed as failure:
            step("give up", partial(self._give_up, run, number, failure.reason))
        return count

    def _page(self, run_id: str, tries: int) -> int:
        """One more chunk; 0 when all ids are listed or the run is not running."""
        with self.tools.database.reading() as session:
            run = rescan.get(session, run_id)
        if run.state != RunState.RUNNING or run.listed:
            return 0
        ids, cursor = self._next_ids(run)
        with self.tools.database.session() as session:
            if not ids:
                rescan.listed(session, run_id)
                return 0
            number = rescan.add_chunk(session, run_id, ids, cursor, after=run.cursor)
            if number is not None:
                self._enqueue(session, CHUNK, f"rescan-{run_id}-{number}-{tries}", [run_id, number, tries],
                              priority=number + 1)
        return len(ids)

    def _next_ids(self, run: RescanRun) -> tuple[list[str], str]:
        """The ids after the cursor: stored items first, then held ones."""
        size = self.tools.settings.rescan.chunk
        if not run.cursor.startswith(CASE) and run.wanted.get("stored", True):
            page = self.tools.crm.stored(wanted_of(run.wanted), run.cursor, size)
            if page:
                return [ref.id for ref in page], page[-1].id
        if not run.wanted.get("held"):
            return [], run.cursor
        wanted = wanted_of(run.wanted)
        with self.tools.database.reading() as session:
            numbers = cases.numbers(session, after=run.cursor.removeprefix(CASE) if run.cursor.startswith(CASE) else "",
                                    opened_before=run.created, since=wanted.since, until=wanted.until, limit=size)
        return [CASE + number for number in numbers], CASE + numbers[-1] if numbers else run.cursor

    def _some(self, run_id: str, number: int) -> int:
        """Look at the next few items of a chunk; returns how many are left, 0 when it is done or the run paused."""
        began = time.monotonic()
        with self.tools.database.reading() as session:
            run = rescan.get(session, run_id)
            left = rescan.take(session, run_id, number)
        results: list[Result] = []
        try:
            for result in self._looked(run, left[:STEP_ITEMS]):
                results.append(result)
        except Paused:
            left = []
        with self.tools.database.session() as session:
            rescan.note(session, run_id, results)
            if len(left) <= STEP_ITEMS:
                left = []
                rescan.chunk_done(session, run_id, number, time.monotonic() - began)
            else:
                rescan.spent(session, run_id, number, time.monotonic() - began)
        if any(result.outcome is Outcome.HOLD for result in results):
            self.tools.database.scrub()
        return max(0, len(left) - STEP_ITEMS)

    def _give_up(self, run_id: str, number: int, code: str) -> int:
        """Note what is left of a chunk as errors, so that the run can end and be resumed for them."""
        with self.tools.database.session() as session:
            left = rescan.take(session, run_id, number)
            rescan.note(session, run_id, [Result(ident, Outcome.ERROR, code=code) for ident in left])
            rescan.chunk_done(session, run_id, number, 0.0)
        return len(left)

    # ------------------------------------------------------------------------------------------- items

    def _looked(self, run: RescanRun, ids: Sequence[str]) -> Iterator[Result]:
        """Results in order; reading runs a little ahead of the scan."""
        scanner = self._scanners.of(run)
        readers = self.tools.settings.engine.readers
        with ThreadPoolExecutor(readers, thread_name_prefix="reread") as pool:
            ahead: deque[tuple[str, Future[tuple[StoredItem, Extraction] | None]]] = deque()
            waiting = deque(ids)
            while waiting or ahead:
                while waiting and len(ahead) <= 2 * readers and not waiting[0].startswith(CASE):
                    ahead.append((waiting[0], pool.submit(self._read, waiting.popleft())))
                self._way.give()
                if ahead:
                    ident, reading = ahead.popleft()
                    yield one(ident, partial(self._stored, run, ident, reading, scanner))
                else:
                    ident = waiting.popleft()
                    yield one(ident, partial(self._held, ident, scanner))

    def _read(self, ident: str) -> tuple[StoredItem, Extraction] | None:
        try:
            item = self.tools.crm.read(ident)
        except RecordGone:
            return None
        if item.stub:
            return item, Extraction(())
        return item, read_stored(item, self.tools.extractor, self.tools.settings.extract)

    def _stored(self, run: RescanRun, ident: str, reading: Future[tuple[StoredItem, Extraction] | None],
                scanner: Scanner) -> Result:
        """Look at one stored item, again when somebody changes it meanwhile."""
        read = reading.result()
        for _ in range(MOST_CHANGES):
            if read is None:
                return Result(ident, Outcome.GONE)
            try:
                return self.look(run, *read, scanner)
            except RecordChanged:
                read = self._read(ident)
        return Result(ident, Outcome.ERROR, code=RecordChanged.code)

    def look(self, run: RescanRun, item: StoredItem, extraction: Extraction, scanner: Scanner) -> Result:
        """Decide on one stored item by the rules of the run, and pull it out if it may not stay.

        Raises `Paused` when the run may hold no more, `RecordChanged` when the record is another one meanwhile.
        """
        if item.stub:
            return finish_stub(self.tools, run.id, item)
        ruled = with_rules(self.tools, item.ref.division, scanner)
        decision = judged(ruled, extraction, run.label)
        if decision.link and (whole := together(item)) is not None:
            decision, extraction = judged(ruled, whole, run.label), whole
        decision = guarded(decision, item.typed)
        if decision.link:
            return result_of(item, Outcome.PASS, decision)
        with self.tools.database.reading() as session:
            if pulls.released_before(session, item.item_key, item_hash(self.tools, session, item), decision.policy):
                return result_of(item, Outcome.RELEASED, decision)
        if run.dry_run:
            return result_of(item, Outcome.WOULD_HOLD, decision)
        return take_out(self.tools, run.id, item, extraction, decision)

    def _held(self, ident: str, scanner: Scanner) -> Result:
        """Would a held item pass now? It stays held whatever the answer: releasing is a reviewer's."""
        number = ident.removeprefix(CASE)
        raw = held_content(self.tools, number)
        if raw is None:
            return Result(ident, Outcome.GONE, kind="held", case=number)
        extraction = self.tools.extractor.extract(raw)
        decision = judged(scanner, extraction, "")
        with self.tools.database.reading() as session:
            by_guard = cases.get(session, number).summary.get("rule") == GUARD
        if by_guard:
            decision = guarded(decision, "\n".join(part.text() for part in extraction.parts))
        outcome = Outcome.WOULD_PASS if decision.link else Outcome.HELD
        return Result(ident, outcome, kind="held", verdict=decision.verdict.value, case=number)


def guarded(decision: Decision, typed: str) -> Decision:
    """The decision, or a hit where what people typed names a creed or an origin, which is refused at saving too."""
    if not decision.link or not names_what_somebody_is(typed):
        return decision
    named = Finding(Category.RACE_RELIGION_POLITICS, GUARD, "text", 0, 0, 0, 0, 1.0)
    return replace(decision, verdict=Verdict.BLOCK, rule=GUARD, findings=(*decision.findings, named))


def one(ident: str, look: Callable[[], Result]) -> Result:
    """The result of one item. A fault that is the item's own becomes an error of this item and of no other."""
    try:
        return safely("rescan item", look)
    except (Paused, _NoScanner):
        raise
    except StepFailed as failure:
        if failure.retry:
            raise
        return Result(ident, Outcome.ERROR, code=failure.reason)


def held_content(tools: Tools, number: str) -> bytes | None:
    """The mail of an open case, for the scanner; None when there is none any more."""
    with tools.database.reading() as session:
        case = cases.get(session, number)
        kept = quarantine.blobs(session, case_id=case.id, kind="mail")
        return quarantine.read(session, tools.keys, kept[-1].id) if kept and case.state == CaseState.HELD else None


def judged(scanner: Scanner, extraction: Extraction, policy: str) -> Decision:
    """The verdict on an item. A fault while scanning it leaves it unread, which is not clean; a scanner that
    cannot work at all raises `StepFailed`, for that says nothing about the item."""
    def scan() -> Decision:
        try:
            return scanner.decide(scanner.scan(extraction), extraction)
        except (ModelMissing, BadPack) as error:
            raise _NoScanner(error.code) from None

    try:
        return safely("rescan", scan)
    except _NoScanner:
        raise
    except StepFailed as failure:
        return Decision(Verdict.REVIEW, failure.reason, policy, unread=(Unread("whole item", failure.reason),))


class _NoScanner(StepFailed):
    """There is no scanner to judge with, so nothing is judged."""


class Scanners:
    """The scanner of each run's policy, made once: the newest two are kept."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._made: dict[tuple[str, str], Scanner] = {}
        self._lock = threading.Lock()

    def of(self, run: RescanRun) -> Scanner:
        """Raises `_NoScanner` when its policy cannot be used any more."""
        if not run.policy:
            return self._tools.scanner
        key = (run.policy, run.policy_text)
        with self._lock:
            if key not in self._made:
                try:
                    made = scanner_for(self._tools, *key)
                except ScanError as error:
                    raise _NoScanner(error.code) from None
                self._made = dict([*self._made.items()][-1:]) | {key: made}
            return self._made[key]


def scanner_for(tools: Tools, policy: str, text: str) -> Scanner:
    """A scanner with another pack than that of the settings: a name, or the text of a file. Raises `ScanError`."""
    with tempfile.TemporaryDirectory() as folder:
        place = policy
        if text:
            place = str(Path(folder) / "policy.toml")
            Path(place).write_text(text, encoding="utf-8")
        scan = tools.settings.scan.model_copy(update={"pack": place})
        return build_scanner(tools.settings.model_copy(update={"scan": scan}))


class Way:
    """Lets tagged items go first: while one is worked on, an item of a rescan waits, but not for ever."""

    FRESH_SECONDS = 30.0

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._asked = 0.0

    def give(self) -> None:
        """Return when nothing tagged is worked on, or after `rescan.way_seconds`."""
        began = time.monotonic()
        if began - self._asked < _BREATH:
            return
        while self._busy() and time.monotonic() - began < self._tools.settings.rescan.way_seconds:
            time.sleep(_BREATH)
        self._asked = time.monotonic()

    def _busy(self) -> bool:
        with self._tools.database.reading() as session:
            return rescan.live_work(session, now(), self.FRESH_SECONDS)

