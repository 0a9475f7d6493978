"""The watching: ask every mailbox what changed, and bring tagged items to the ledger and the queue.

    lease the mailbox -> its folders -> changes since the cursor, page by page
    -> one transaction: what the sightings ask for (`capture/triggers.py`), queued, and the new cursor

The cursor is the truth; a wake-up only makes the next look come sooner. A crash before the commit repeats the page,
after it nothing is repeated. A lost cursor means a full pass, which changes nothing for what is known. Once a day
each mailbox is looked through in full, and what the cursors had missed is counted.

Mailboxes take turns, several at a time, each with a budget of pages and seconds; what is left of one waits for its
next turn. A mailbox that is busy is left alone for as long as it asks, one that refuses us is parked.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlmodel import Session

from capture import marking, pipeline
from capture.errors import CaptureError, CursorLost, ItemGone, Parked, StepFailed, TryLater, Unreachable
from capture.lifeline import is_gone
from capture.logs import where
from capture.pauses import jittered
from capture.ports import Changes, Folder, Sighting
from capture.steps import directly
from capture.triggers import Act, is_trigger, judge
from capture.wiring import Tools
from pii_scan.errors import MailweirError
from store import identity, leases, ledger, places, watch
from store.errors import StaleCursor
from store.places import Spot
from store.tables import Capture, new_id
from store.watch import Place, Position, Watched
from store.watch_tables import WatchedMailbox

log = logging.getLogger("mailweir.watch")

Enqueue = Callable[[Session, str], None]
"""Puts a capture into the queue in the caller's transaction: `Engine.enqueue`."""

PAGES, SECONDS = 20, 20.0
"""The turn of one mailbox: pages it may bring and seconds it may take."""
BATCH = 20
"""Items of a full look registered in one transaction. It holds the head of the audit (on SQLite: the database) all
the while, and everybody else's steps wait for it."""
LEASE_SECONDS = 120.0
LONGEST_PAUSE = 900.0
WAKE_SECONDS = 2.0
"""How often other processes' wake-ups are read from the database."""
LIST_SECONDS = 30.0
"""Mailboxes polled more often than this are local: their folders are listed each time, others' with the slow ones."""
LOST_CURSORS = 3
"""How often in one turn a folder's cursor may be lost before the folder waits for the next turn."""


@dataclass(slots=True)
class _Turn:
    """What is known of one mailbox between its turns. Times are `time.monotonic`."""

    fast_at: float = 0.0
    all_at: float = 0.0
    failures: int = 0
    not_before: float = 0.0
    leased: float = 0.0
    rest: bool = False
    folders: dict[str, float] = field(default_factory=dict)
    listed: list[tuple[Folder, Watched]] = field(default_factory=list)
    listed_at: float = float("-inf")


class Watch:
    """Looks for tagged items in every mailbox and brings each once for every time it was tagged.

    `enqueue` is called in the transaction that registers the capture. `owner` names this worker in the leases by
    which one watcher at a time holds a mailbox. `trouble` counts the looks in a row in which a mailbox could not
    be looked at, up to `engine.attempts` for each. Use `close` at the end.
    """

    def __init__(self, tools: Tools, enqueue: Enqueue, owner: str = "") -> None:
        self.tools, self._enqueue = tools, enqueue
        self._owner = owner or new_id()
        self.trouble = 0
        self._turns: dict[str, _Turn] = {}
        self._listed: tuple[str, ...] = ()
        self._looked = self._asked = float("-inf")
        self._stop, self._woken = threading.Event(), set[str]()
        self._lock = threading.Lock()
        self._listener: threading.Thread | None = None
        self._away = 0

    # ---------------------------------------------------------------------------------- for the worker

    def look(self, *, first: bool = False, everywhere: bool = False) -> int:
        """Give every mailbox that is due its turn; returns how many items were brought.

        With `first` or `everywhere` all folders are due. `Unreachable` is an error at the start and a warning later;
        after `engine.attempts` looks in a row it goes on to the caller.
        """
        self._looked = time.monotonic()
        pipeline.deliver(self.tools)
        marking.pay(self.tools)
        try:
            self._listed = tuple(self.tools.mailbox.mailboxes())
        except (Unreachable, TryLater) as error:
            self._away += 1
            self.trouble = self._away
            if (first and isinstance(error, Unreachable)) or self._away >= self.tools.settings.engine.attempts:
                raise
            log.warning("%s; tagged items stay tagged and are found again", error)
            return 0
        self._away = 0
        brought = self._repeat()
        due = [name for name in self._listed if first or everywhere or self._is_due(name)]
        with ThreadPoolExecutor(min(self.tools.settings.mailbox.watchers, len(due)) or 1, "watch") as pool:
            brought += sum(pool.map(partial(self._turn, everywhere=first or everywhere), due))
        attempts = self.tools.settings.engine.attempts
        self.trouble = max((turn.failures for name, turn in self._turns.items()
                            if name in self._listed and turn.failures < attempts), default=0)
        return brought

    def unfinished(self) -> bool:
        """True when a mailbox had more to see than its turn allowed."""
        return any(turn.rest for name, turn in self._turns.items() if name in self._listed)

    def due(self) -> bool:
        """True when some mailbox is due, or somebody said that something changed."""
        self._listen()
        if time.monotonic() - self._looked < 0.5:
            return False
        if time.monotonic() - self._looked >= self.tools.settings.poll_seconds:
            return True
        if time.monotonic() - self._asked >= WAKE_SECONDS:
            self._asked = time.monotonic()
            with self.tools.database.reading() as session, self._lock:
                self._woken |= set(watch.woken(session))
        return any(self._is_due(name) for name in self._listed)

    def close(self) -> None:
        """Stop listening and give the mailboxes back."""
        self._stop.set()
        if self._listener is not None:
            self._listener.join(timeout=5)
        held = [name for name, turn in self._turns.items() if turn.leased]
        try:
            with self.tools.database.session() as session:
                for name in held:
                    leases.release(session, self._lease(name), self._owner)
        except MailweirError:
            log.warning("mailboxes could not be given back; others wait until the lease runs out")

    # -------------------------------------------------------------------------------------- whose turn

    def _is_due(self, mailbox: str) -> bool:
        turn = self._turns.get(mailbox)
        moment = time.monotonic()
        if turn is None or mailbox in self._woken:
            return True
        return moment >= turn.not_before and (turn.rest or moment >= min(turn.fast_at, turn.all_at))

    def _listen(self) -> None:
        """Hear what the servers say of their own accord, in a thread."""
        if self._listener is None:
            self._listener = threading.Thread(target=self._hear, name="wakeups", daemon=True)
            self._listener.start()

    def _hear(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                for mailbox in self.tools.mailbox.wakeups(self._stop):
                    failures = 0
                    with self._lock:
                        self._woken.add(mailbox)
                return
            except MailweirError as error:
                log.warning("notifications: %s; polling goes on", error)
            except Exception as error:  # noqa: BLE001 - a thread of its own: polling must go on without it
                log.error("notifications stopped: %s; polling goes on", where(error))  # noqa: TRY400
            failures += 1
            self._stop.wait(min(LONGEST_PAUSE, 2.0 ** failures))

    def _turn(self, mailbox: str, *, everywhere: bool) -> int:
        """One mailbox's turn; whatever goes wrong in it concerns no other."""
        turn = self._turns.setdefault(mailbox, _Turn())
        with self._lock:
            woken = mailbox in self._woken
            self._woken.discard(mailbox)
        try:
            return directly("watch", partial(self._look_at, mailbox, turn, everywhere=everywhere or woken))
        except StepFailed as failure:
            turn.failures += 1
            pause = jittered(self.tools.settings.engine.retry_seconds, turn.failures, longest=LONGEST_PAUSE)
            turn.not_before = max(turn.not_before, time.monotonic() + pause)
            log.warning("a mailbox cannot be looked at (%s); its tagged items stay tagged and are found again",
                        failure.reason)
            return 0

    def _look_at(self, mailbox: str, turn: _Turn, *, everywhere: bool) -> int:
        row = self._claim(mailbox, turn)
        if row is None:
            return 0
        try:
            brought = self._bring_changes(row, turn, everywhere=everywhere)
        except Parked as error:
            with self.tools.database.session() as session:
                watch.park(session, mailbox, code=error.code, seconds=self.tools.settings.mailbox.parked_seconds)
            log.error("a mailbox is parked (%s); `mailweir mailbox list` shows which", error.code)  # noqa: TRY400
            turn.not_before = time.monotonic() + self.tools.settings.mailbox.parked_seconds
            turn.failures = 0
            return 0
        except TryLater as error:
            turn.not_before = time.monotonic() + error.wait
            raise
        turn.failures = 0
        with self.tools.database.session() as session:
            watch.looked(session, mailbox)
        return brought

    def _claim(self, mailbox: str, turn: _Turn) -> WatchedMailbox | None:
        """The row of the mailbox, when it is ours to look at and not parked."""
        moment = time.monotonic()
        with self.tools.database.session() as session:
            if turn.leased - moment < LEASE_SECONDS / 2:
                if not self._hold(session, self._lease(mailbox)):
                    turn.leased, turn.fast_at = 0.0, moment + self.tools.settings.poll_seconds
                    turn.all_at = turn.fast_at
                    return None
                turn.leased = moment + LEASE_SECONDS
            row = watch.see(session, mailbox)
            row.woken = None  # before the look: what is said during it counts for the next
            parked = row.parked is not None and row.next_try is not None and leases.db_now(session) < row.next_try
        if parked and turn.failures == 0 and turn.not_before <= moment:
            turn.not_before = moment + min(60.0, self.tools.settings.mailbox.parked_seconds)
        return None if parked else row

    def _hold(self, session: Session, name: str) -> bool:
        """Take or keep a lease; one whose holder is a process of this machine that is no more is taken over."""
        if leases.hold(session, name, self._owner, LEASE_SECONDS):
            return True
        holder = leases.holder(session, name)
        if any(worker.id == holder and is_gone(worker.boot) for worker in leases.workers(session)):
            leases.release(session, name, holder)
            return leases.hold(session, name, self._owner, LEASE_SECONDS)
        return False

    def _lease(self, mailbox: str) -> str:
        return f"watch:{identity.source_key(self.tools.keys, mailbox, '')[:32]}"

    # ------------------------------------------------------------------------------------ one mailbox

    def _bring_changes(self, row: WatchedMailbox, turn: _Turn, *, everywhere: bool) -> int:
        settings, moment = self.tools.settings, time.monotonic()
        everywhere = everywhere or moment >= turn.all_at
        old = moment - turn.listed_at >= settings.mailbox.slow_seconds
        if everywhere or old or settings.poll_seconds < LIST_SECONDS:
            turn.listed, turn.listed_at = self._folders(row.mailbox), moment
        folders, brought = turn.listed, 0
        if row.started is None:
            brought += self._bring_tagged(row.mailbox, folders)[1]
            with self.tools.database.session() as session:
                watch.started(session, row.mailbox)
        elif self._reconcile_due(row):
            brought += self._reconcile(row.mailbox, folders)
        budget = _Budget()
        # what waited longest goes first, so that a busy folder starves no other
        waiting = sorted((pair for pair in folders if everywhere or turn.rest or pair[0].fast),
                         key=lambda pair: turn.folders.get(pair[1].id, 0.0))
        turn.rest = False
        failed: CaptureError | None = None
        for folder, watched in waiting:
            if budget.spent():
                turn.rest = True
                break
            turn.folders[watched.id] = time.monotonic()
            try:
                brought += self._bring_folder(folder, watched, budget, turn)
            except (TryLater, Parked, StepFailed):
                raise
            except CaptureError as error:  # of this folder alone: the others have their turn before it is told
                log.warning("a folder cannot be looked at (%s)", error.code)
                failed = failed or error
        turn.fast_at = moment + settings.poll_seconds
        if everywhere and not turn.rest:
            turn.all_at = moment + max(settings.mailbox.slow_seconds, settings.poll_seconds)
        if failed is not None:
            raise failed
        return brought

    def _folders(self, mailbox: str) -> list[tuple[Folder, Watched]]:
        folders = self.tools.mailbox.folders(mailbox)
        with self.tools.database.session() as session:
            rows = watch.sync(session, self.tools.keys, mailbox,
                              [Place(f.key, f.path, f.kind, f.fast) for f in folders])
        return list(zip(folders, rows, strict=True))

    def _bring_folder(self, folder: Folder, watched: Watched, budget: _Budget, turn: _Turn) -> int:
        brought, lost = 0, 0
        with self.tools.database.reading() as session:
            position = watch.position(session, self.tools.keys, watched.id)
        while True:
            if budget.spent():
                turn.rest = True
                return brought
            asked = self._now()
            try:
                page = self.tools.mailbox.changes(folder, position.cursor)
            except CursorLost:
                lost += 1
                if lost > LOST_CURSORS:
                    turn.rest = True
                    return brought
                log.warning("a folder's cursor was lost; the folder is looked through in full")
                with self.tools.database.session() as session:
                    watch.forget(session, watched.id)
                    position = watch.position(session, self.tools.keys, watched.id)
                continue
            except ItemGone:  # deleted since it was listed
                turn.listed_at = float("-inf")
                return brought
            budget.pages += 1
            try:
                count, position = directly("register", partial(
                    self._commit, watched, page, position, asked, is_trigger(folder, watched.record, self._trigger)))
            except StepFailed as failure:
                if failure.reason == StaleCursor.code:
                    return brought  # another watcher has this page
                raise
            brought += count
            if not page.more:
                return brought

    def _commit(self, watched: Watched, page: Changes, position: Position, asked: datetime,
                in_trigger: bool) -> tuple[int, Position]:
        """What a page asks for and its cursor, in one transaction: both or neither.

        Most of a page asks for nothing, and is found to do so before the transaction, which others wait for.
        """
        if page.cursor == position.cursor and not page.sightings:
            return 0, position
        asking = self._asking(watched.mailbox, page.sightings, asked, in_trigger=in_trigger)
        with self.tools.database.session() as session:
            brought = self._act(session, watched.mailbox, asking, asked, in_trigger=in_trigger, record=watched.record)
            return brought, watch.commit(session, self.tools.keys, position, page.cursor)

    # ----------------------------------------------------------------------- first start and reconcile

    def _reconcile_due(self, row: WatchedMailbox) -> bool:
        """Once a day, after the hour that is set."""
        moment = datetime.now(UTC)
        start = moment.replace(hour=self.tools.settings.mailbox.reconcile_hour, minute=0, second=0, microsecond=0)
        if start > moment:
            start -= timedelta(days=1)
        return max(row.reconciled or row.started or moment, row.started or moment) < start

    def _reconcile(self, mailbox: str, folders: Sequence[tuple[Folder, Watched]]) -> int:
        """Look at everything tagged, and at all that lies in trigger folders, without the cursors."""
        found, missed = self._bring_tagged(mailbox, folders)
        with self.tools.database.session() as session:
            watch.reconciled(session, mailbox, found=found, missed=missed)
        if missed:
            log.warning("a full look found %d tagged items that the cursors had missed", missed)
        return missed

    def _bring_tagged(self, mailbox: str, folders: Sequence[tuple[Folder, Watched]]) -> tuple[int, int]:
        """(how many items ask to be tracked, how many of them were not known), oldest first."""
        asked = self._now()
        found = brought = 0
        for batch in _batches(self.tools.mailbox.tagged(mailbox)):
            found += len(batch)
            brought += directly("register", partial(self._act_alone, mailbox, batch, asked))
        for folder, watched in folders:
            if not is_trigger(folder, watched.record, self._trigger):
                continue
            cursor, more = b"", True
            while more:
                try:
                    page = self.tools.mailbox.changes(folder, cursor)
                except ItemGone:
                    break
                asking = [s for s in page.sightings if not (s.removed or s.draft or s.state or s.tagged)]
                found += len(asking)
                brought += directly("register", partial(self._act_alone, mailbox, asking, asked, in_trigger=True,
                                                        record=watched.record))
                cursor, more = page.cursor, page.more
        return found, brought

    # ---------------------------------------------------------------------------------- what is asked

    @property
    def _trigger(self) -> str:
        return self.tools.settings.mailbox.trigger

    def _now(self) -> datetime:
        with self.tools.database.reading() as session:
            return leases.db_now(session)

    def _act_alone(self, mailbox: str, sightings: Sequence[Sighting], asked: datetime, *, in_trigger: bool = False,
                   record: str = "") -> int:
        asking = self._asking(mailbox, sightings, asked, in_trigger=in_trigger)
        brought = 0
        for start in range(0, len(asking), BATCH):
            with self.tools.database.session() as session:
                brought += self._act(session, mailbox, asking[start:start + BATCH], asked, in_trigger=in_trigger,
                                     record=record)
        return brought

    def _asking(self, mailbox: str, sightings: Sequence[Sighting], asked: datetime, *,
                in_trigger: bool) -> list[Sighting]:
        """The sightings that ask for something, judged without a lock; `_act` judges them again under it."""
        keyed = self._keyed(sightings)
        with self.tools.database.reading() as session:
            known = places.latest(session, mailbox, [key for key, _ in keyed])
            return [s for key, s in keyed
                    if judge(s, known.get(key), in_trigger=in_trigger, asked=asked) is not Act.NOTHING]

    def _keyed(self, sightings: Sequence[Sighting]) -> list[tuple[str, Sighting]]:
        """The sightings with their source keys. Of several of one item the last is the newest; copies, which some
        servers know by one identity, each have their say."""
        found = {(marking.source_key(self.tools, s.ref), s.ref.key): s for s in sightings}
        return [(key, s) for (key, _), s in found.items()]

    def _act(self, session: Session, mailbox: str, sightings: Sequence[Sighting], asked: datetime, *,
             in_trigger: bool, record: str) -> int:
        """Do what the sightings ask for; returns how many captures were registered or will be."""
        keyed = self._keyed(sightings)
        known = places.latest(session, mailbox, [key for key, _ in keyed])
        brought = 0
        for key, sighting in keyed:
            latest = known.get(key)
            act = judge(sighting, latest, in_trigger=in_trigger, asked=asked)
            if act is Act.BRING:
                self._register(session, sighting, latest.source_key if latest else key, record=record,
                               trigger="category" if sighting.tagged else "folder")
                brought += 1
            elif latest is not None and act is Act.AGAIN:
                places.tagged_again(session, latest.id, self._locator(sighting))
            elif latest is not None and act is Act.CANCEL and self._is_there(latest, sighting):
                ledger.cancel(session, latest.id, why="tag-removed")
            elif latest is not None and act is Act.UNTRACK:
                watch.ask_untrack(session, latest)
        return brought

    def _is_there(self, capture: Capture, sighting: Sighting) -> bool:
        """Whether this is the very item that was tagged: a copy of it, without the tag, takes nothing back."""
        spot = places.spot_of(self.tools.keys, capture)
        return spot is not None and spot.key == sighting.ref.key

    def _register(self, session: Session, sighting: Sighting, source_key: str, *, trigger: str, record: str) -> Capture:
        ref = sighting.ref
        capture = ledger.register(session, ref.mailbox, source_key, locator=self._locator(sighting), kind=ref.kind,
                                  trigger=trigger, record=record)
        self._enqueue(session, capture.id)
        return capture

    def _locator(self, sighting: Sighting) -> bytes:
        ref = sighting.ref
        return places.seal(self.tools.keys, ref.mailbox, Spot(ref.key, ref.identity))

    def _repeat(self) -> int:
        """Register anew what was tagged again while its capture was worked on."""
        with self.tools.database.session() as session:
            done = places.repeats(session)
            for old in done:
                capture = ledger.register(session, old.mailbox, old.source_key, locator=old.again, kind=old.kind,
                                          trigger="category", record=old.record)
                old.again = None
                self._enqueue(session, capture.id)
            return len(done)


@dataclass(slots=True)
class _Budget:
    """What a mailbox has used of its turn."""

    pages: int = 0
    began: float = field(default_factory=time.monotonic)

    def spent(self) -> bool:
        """True when the others are to have their turn."""
        return self.pages >= PAGES or time.monotonic() - self.began >= SECONDS


def _batches(sightings: Iterator[Sighting]) -> Iterator[list[Sighting]]:
    batch: list[Sighting] = []
    for sighting in sightings:
        batch.append(sighting)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
