"""Which mailboxes are watched, where the watching of each folder stands, what is owed to them.

    with db.session() as s: watch.see(s, mailbox, backend="folder")                 # a mailbox there is
    with db.session() as s: watch.sync(s, keys, mailbox, [Place(...), ...])         # its folders
    with db.reading() as s: position = watch.position(s, keys, folder)              # ask the server from here
    with db.session() as s:                                                         # one transaction:
        ... ledger.register(...), enqueue ...
        watch.commit(s, keys, position, new_cursor)                                 # StaleCursor: somebody was quicker

Times are the database's (`store.leases.db_now`), since watchers and workers may run on several machines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.crypto import Keys
from store.database import begin_write, get_or_create
from store.errors import NotFound, StaleCursor
from store.leases import db_now
from store.tables import Capture
from store.watch_tables import OwedMark, UntrackRequest, WatchCursor, WatchedFolder, WatchedMailbox

SERVICE = "mailweir"
UNTRACKED, KEPT = "untracked", "kept"
"""What became of a request to untrack."""
LINKED = "linked"
"""The state a linked item shows; `capture.marking` asks what is true before it is shown."""
MARK_TRIES, MARK_TRIES_AWAY = 12, 700
"""After how many tries a state is given up: when the item itself is the trouble, and when the server is (a week)."""
MARK_BACKOFF_SECONDS = (5, 15, 60, 300, 900)


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A folder as its server names it: id and path."""

    key: str
    path: str
    kind: str = "mail"
    fast: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Watched:
    """A folder with its row: `place`, the CRM record it is bound to ("" = none)."""

    id: str
    mailbox: str
    place: Place
    record: str


@dataclass(frozen=True, slots=True, repr=False)
class Position:
    """Where a folder stands: the server's cursor (b"" = from the start) and its generation here."""

    watch_id: str
    cursor: bytes
    generation: int
    committed: datetime | None


# ------------------------------------------------------------------------------------------ mailboxes

def see(session: Session, mailbox: str, *, backend: str = "") -> WatchedMailbox:
    """The row of a mailbox a backend offers; made when it is new."""
    return _mailbox(session, mailbox, backend=backend, actor=SERVICE)


def add(session: Session, mailbox: str, *, backend: str, division: str = "", actor: str) -> WatchedMailbox:
    """Watch a mailbox, or watch it again; sets its backend and division."""
    row = _mailbox(session, mailbox, backend=backend, actor=actor)
    row.backend, row.division, row.removed, row.added_by = backend, division, None, actor
    audit.append(session, "watch:mailbox:added", actor=actor, subject=subject(mailbox),
                 body={"backend": backend, "division": division})
    return row


def remove(session: Session, mailbox: str, *, actor: str) -> None:
    """Watch a mailbox no more. Its captures stay. Raises `NotFound`."""
    row = get(session, mailbox)
    if row.removed is None:
        row.removed = db_now(session)
        audit.append(session, "watch:mailbox:removed", actor=actor, subject=subject(mailbox))


def get(session: Session, mailbox: str) -> WatchedMailbox:
    """One mailbox, for a change. Raises `NotFound`."""
    begin_write(session)
    row = session.scalars(select(WatchedMailbox).where(WatchedMailbox.mailbox == mailbox)
                          .with_for_update(key_share=True).execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("mailbox")
    return row


def mailboxes(session: Session) -> tuple[WatchedMailbox, ...]:
    """Every mailbox there is or was, by name."""
    return tuple(session.scalars(select(WatchedMailbox).order_by(col(WatchedMailbox.mailbox))))


def looked(session: Session, mailbox: str) -> None:
    """The mailbox was looked at without trouble. One that was parked is not any more."""
    row = get(session, mailbox)
    row.looked = db_now(session)
    if row.parked is not None:
        row.parked, row.code, row.next_try = None, "", None
        audit.append(session, "watch:mailbox:resumed", actor=SERVICE, subject=subject(mailbox))


def park(session: Session, mailbox: str, *, code: str, seconds: float) -> datetime:
    """The mailbox refuses us; look again after `seconds`. The audit hears of it once. Returns when that is."""
    row = get(session, mailbox)
    moment = db_now(session)
    row.next_try = moment + timedelta(seconds=seconds)
    if row.parked is None:
        row.parked = moment
        audit.append(session, "watch:mailbox:parked", actor=SERVICE, subject=subject(mailbox), body={"code": code})
    row.code = code
    return row.next_try


def wake(session: Session, mailbox: str) -> None:
    """Something may have changed there (a notification, the pane): its folders are looked at as soon as may be."""
    begin_write(session)
    session.execute(sa.update(WatchedMailbox).where(col(WatchedMailbox.mailbox) == mailbox)
                    .values(woken=db_now(session)))


def woken(session: Session) -> tuple[str, ...]:
    """Mailboxes of which somebody said so since they were last looked at."""
    return tuple(session.scalars(select(WatchedMailbox.mailbox).where(col(WatchedMailbox.woken).is_not(None))))


def started(session: Session, mailbox: str) -> None:
    """The first look, oldest tags first, is done."""
    get(session, mailbox).started = db_now(session)


def reconciled(session: Session, mailbox: str, *, found: int, missed: int) -> None:
    """A full look is done: how many tagged items there were, and how many of them the cursors had missed."""
    row = get(session, mailbox)
    row.reconciled, row.found, row.missed = db_now(session), found, missed
    row.missed_total += missed
    audit.append(session, "watch:mailbox:reconciled", actor=SERVICE, subject=subject(mailbox),
                 body={"found": found, "missed": missed})


def moment(session: Session) -> datetime:
    """This moment by the clock of these tables."""
    return db_now(session)


def subject(mailbox: str) -> str:
    """A mailbox as the subject of an audit row, which holds no blanks."""
    return "".join(c if c.isascii() and (c.isalnum() or c in ".:@+/=,#()-_") else "." for c in mailbox)[:128]


# -------------------------------------------------------------------------------------------- folders

def sync(session: Session, keys: Keys, mailbox: str, places: Sequence[Place]) -> tuple[Watched, ...]:
    """Bring the rows in line with what the server lists: new folders, new names, folders that are gone."""
    begin_write(session)
    known = {row.folder_key: row for row in session.scalars(
        select(WatchedFolder).where(WatchedFolder.mailbox == mailbox))}
    listed: list[Watched] = []
    for place in places:
        key = folder_key(keys, mailbox, place.key)
        row = known.pop(key, None)
        if row is None:
            row = WatchedFolder(mailbox=mailbox, folder_key=key, place=b"")
            session.add(row)
        if not row.place or _open(keys, row) != (place.key, place.path):
            row.place = keys.seal("watch", row.id, f"{place.key}\0{place.path}".encode("utf-8", "surrogatepass"))
        if (row.kind, row.fast, row.gone) != (place.kind, place.fast, None):
            row.kind, row.fast, row.gone = place.kind, place.fast, None
        listed.append(Watched(row.id, mailbox, place, row.record))
    for row in known.values():
        row.gone = row.gone or db_now(session)
    session.flush()
    return tuple(listed)


def folders(session: Session, keys: Keys, mailbox: str) -> tuple[tuple[Watched, WatchCursor | None], ...]:
    """The folders of a mailbox that are not gone, with their cursors, by path."""
    rows = session.execute(
        sa.select(WatchedFolder, WatchCursor).outerjoin(WatchCursor, col(WatchCursor.watch_id) == col(WatchedFolder.id))
        .where(col(WatchedFolder.mailbox) == mailbox, col(WatchedFolder.gone).is_(None))).all()
    found = []
    for row, cursor in rows:
        key, path = _open(keys, row)
        found.append((Watched(row.id, mailbox, Place(key, path, row.kind, row.fast), row.record), cursor))
    return tuple(sorted(found, key=lambda pair: pair[0].place.path))


def bind(session: Session, watch_id: str, record: str, *, actor: str) -> None:
    """Bind a folder to a CRM record ("contact:ID", "organisation:ID"; "" unbinds): what lies in it is tracked.

    The folder is looked through anew, so that what lies there already counts too. Raises `NotFound`.
    """
    begin_write(session)
    row = session.get(WatchedFolder, watch_id)
    if row is None:
        raise NotFound("folder")
    row.record, row.record_by = record, actor
    forget(session, watch_id)
    audit.append(session, "watch:folder:bound" if record else "watch:folder:unbound", actor=actor, subject=watch_id,
                 body={"record": record})


def folder_key(keys: Keys, mailbox: str, key: str) -> str:
    """The keyed hash of a folder's id on its server."""
    return keys.digest("watch", mailbox.encode(), key.encode("utf-8", "surrogatepass"))


# -------------------------------------------------------------------------------------------- cursors

def position(session: Session, keys: Keys, watch_id: str) -> Position:
    """Where a folder stands. A cursor sealed under another key counts as lost."""
    row = session.get(WatchCursor, watch_id)
    if row is None:
        return Position(watch_id, b"", 0, None)
    cursor = keys.unseal("cursor", f"watch/{watch_id}", row.position) if row.position else b""
    return Position(watch_id, cursor, row.generation, row.committed)


def commit(session: Session, keys: Keys, before: Position, cursor: bytes) -> Position:
    """Move a folder on, in the transaction that registered what was seen.

    Raises `StaleCursor` when another watcher has moved it meanwhile: then nothing of this page may be kept.
    """
    begin_write(session)
    sealed = keys.seal("cursor", f"watch/{before.watch_id}", cursor) if cursor else None
    moment, generation = db_now(session), before.generation + 1
    if before.generation == 0:
        row, made = get_or_create(session, lambda: session.get(WatchCursor, before.watch_id), lambda: WatchCursor(
            watch_id=before.watch_id, position=sealed, generation=generation, committed=moment))
        moved = made and row.generation == generation
    else:
        moved = session.execute(
            sa.update(WatchCursor).where(col(WatchCursor.watch_id) == before.watch_id,
                                         col(WatchCursor.generation) == before.generation)
            .values(position=sealed, generation=generation, committed=moment)
            .returning(col(WatchCursor.watch_id))).first() is not None
    if not moved:
        raise StaleCursor
    return Position(before.watch_id, cursor, generation, moment)


def forget(session: Session, watch_id: str) -> None:
    """The server does not know the cursor any more, or everything is to be looked at anew. Late writers with the
    old one are refused."""
    begin_write(session)
    session.execute(sa.update(WatchCursor).where(col(WatchCursor.watch_id) == watch_id)
                    .values(position=None, generation=col(WatchCursor.generation) + 1))


# ----------------------------------------------------------------------------------------- owed marks

def owe(session: Session, capture_id: str, state: str, code: str, *, soon: bool = False) -> None:
    """The state could not be shown; it is tried again later (`soon`: at the next look), or a newer state takes its
    place."""
    begin_write(session)
    row = session.get(OwedMark, capture_id)
    if row is None:
        session.add(OwedMark(capture_id=capture_id, state=state, code=code,
                             due=db_now(session) + timedelta(seconds=MARK_BACKOFF_SECONDS[0])))
    else:
        row.state, row.code, row.given_up = state, code, None
    session.flush()
    if soon:
        session.execute(sa.update(OwedMark).where(col(OwedMark.capture_id) == capture_id).values(due=db_now(session)))


def owed(session: Session, limit: int = 50) -> tuple[OwedMark, ...]:
    """Marks whose next try is due, oldest first. Takes a claim of a minute on them."""
    begin_write(session)
    moment = db_now(session)
    rows = tuple(session.scalars(
        select(OwedMark).where(col(OwedMark.due) <= moment, col(OwedMark.given_up).is_(None))
        .order_by(col(OwedMark.due)).limit(limit).with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)))
    for row in rows:
        row.due, row.attempts = moment + timedelta(seconds=60), row.attempts + 1
    session.flush()
    return rows


def paid(session: Session, capture_id: str) -> None:
    """The state is shown, or there is no item to show it on."""
    begin_write(session)
    session.execute(sa.delete(OwedMark).where(col(OwedMark.capture_id) == capture_id))


def owed_again(session: Session, capture_id: str, code: str, *, wait: float = 0.0, away: bool = False) -> None:
    """It failed once more: wait longer, or give up. `away`: a later try may work, so that takes much longer."""
    begin_write(session)
    row = session.get(OwedMark, capture_id)
    if row is None:
        return
    moment = db_now(session)
    pause = max(wait, MARK_BACKOFF_SECONDS[min(row.attempts, len(MARK_BACKOFF_SECONDS) - 1)])
    row.code, row.due = code, moment + timedelta(seconds=pause)
    if row.attempts >= (MARK_TRIES_AWAY if away else MARK_TRIES):
        row.given_up = moment
    session.flush()


def owed_counts(session: Session) -> tuple[int, int]:
    """How many states are still to be shown, and how many were given up."""
    rows = session.execute(sa.select(col(OwedMark.given_up).is_(None), sa.func.count()).group_by(
        col(OwedMark.given_up).is_(None))).all()
    counts = {bool(waiting): count for waiting, count in rows}
    return counts.get(True, 0), counts.get(False, 0)


# ----------------------------------------------------------------------------------- requests to untrack

def ask_untrack(session: Session, capture: Capture, *, actor: str = SERVICE) -> bool:
    """Note that somebody took `CRM: linked` off the item, or (`actor`) asked in the pane to untrack it. False when
    that was noted before; one that was closed as kept is open again."""
    begin_write(session)
    row, made = get_or_create(session, lambda: session.get(UntrackRequest, capture.id), lambda: UntrackRequest(
        capture_id=capture.id, mailbox=capture.mailbox, at=db_now(session)))
    if not made and row.outcome == KEPT:
        row.at, row.closed, row.closed_by, row.outcome, made = db_now(session), None, "", "", True
    if made:
        audit.append(session, "capture:untrack:requested", actor=actor, subject=capture.id,
                     body={"activity": capture.activity})
    return made


def untrack_requested(session: Session) -> tuple[tuple[UntrackRequest, Capture], ...]:
    """Open requests with their captures, oldest first."""
    rows = session.execute(
        sa.select(UntrackRequest, Capture).join(Capture, col(Capture.id) == col(UntrackRequest.capture_id))
        .where(col(UntrackRequest.closed).is_(None)).order_by(col(UntrackRequest.at))).all()
    return tuple((row, capture) for row, capture in rows)


def is_untracked(session: Session, capture_id: str) -> bool:
    """Whether the mailbox of a linked capture does not track the item any more."""
    row = session.get(UntrackRequest, capture_id)
    return row is not None and row.outcome == UNTRACKED


def show_anew(session: Session, capture: Capture) -> None:
    """Whether a linked item is tracked changed: its mailbox is to show at the next look what is true then."""
    owe(session, capture.id, LINKED, "untrack", soon=True)
    wake(session, capture.mailbox)


def close_untrack(session: Session, capture_id: str, *, outcome: str, actor: str) -> None:
    """An operator dealt with a request: `outcome` is a code, "untracked" or "kept"; the item shows it. Raises
    `NotFound`."""
    begin_write(session)
    row = session.get(UntrackRequest, capture_id)
    if row is None or row.closed is not None:
        raise NotFound(f"request to untrack {capture_id}")
    row.closed, row.closed_by, row.outcome = db_now(session), actor, outcome
    audit.append(session, "capture:untrack:closed", actor=actor, subject=capture_id, body={"outcome": outcome})
    show_anew(session, session.get_one(Capture, capture_id))


# --------------------------------------------------------------------------------------------- inside

def _mailbox(session: Session, mailbox: str, *, backend: str, actor: str) -> WatchedMailbox:
    begin_write(session)
    return get_or_create(session, lambda: session.get(WatchedMailbox, mailbox), lambda: WatchedMailbox(
        mailbox=mailbox, backend=backend, added=db_now(session), added_by=actor))[0]


def _open(keys: Keys, row: WatchedFolder) -> tuple[str, str]:
    text = keys.unseal("watch", row.id, row.place).decode("utf-8", "surrogatepass")
    key, _, path = text.partition("\0")
    return key, path
