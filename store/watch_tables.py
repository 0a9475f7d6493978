"""The tables of watching: which mailboxes, which of their folders, where each stood, what is owed to them.

No row holds a folder's name or a server's id in the clear: both may name people. They are keyed hashes where they
are compared and sealed where they are needed again.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class WatchedMailbox(Row, table=True):
    """One mailbox that is or was watched, and how that goes.

    Made when it is first seen or by `mailweir mailbox add`; stays when it is removed (`removed`), because captures
    name it. `backend` is the kind of server, `division` whose it is. `parked` since when it refuses us, with the
    error's `code` and when it is tried again. `found` and `missed`: tagged items of the last full look, and how many
    of them the cursors had missed. `woken`: somebody said that something changed.
    """

    __tablename__ = "watched_mailbox"
    mailbox: str = Field(primary_key=True, max_length=320)
    backend: str = Field(default="", max_length=16)
    division: str = Field(default="", max_length=64)
    added: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    added_by: str = Field(default="", max_length=320)
    removed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    started: datetime | None = Field(default=None, sa_type=UtcDateTime)
    looked: datetime | None = Field(default=None, sa_type=UtcDateTime)
    woken: datetime | None = Field(default=None, sa_type=UtcDateTime)
    parked: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    code: str = Field(default="", max_length=64)
    next_try: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reconciled: datetime | None = Field(default=None, sa_type=UtcDateTime)
    found: int = 0
    missed: int = 0
    missed_total: int = 0


class WatchedFolder(Row, table=True):
    """One folder of a mailbox. `folder_key` is a keyed hash of the server's id, `place` that id and the path its
    user sees, sealed. Bound to a CRM record (`record`) the folder is a trigger: whatever lies in it is tracked.

    Lives as long as the folder; `gone` when the server no longer lists it.
    """

    __tablename__ = "watch"
    __table_args__ = (UniqueConstraint("mailbox", "folder_key"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    mailbox: str = Field(max_length=320, foreign_key="watched_mailbox.mailbox")
    folder_key: str = Field(max_length=64)
    place: bytes = Field(sa_type=LargeBinary)
    kind: str = Field(default="mail", max_length=16)
    fast: bool = True
    record: str = Field(default="", max_length=80)
    record_by: str = Field(default="", max_length=320)
    first_seen: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    gone: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WatchCursor(Row, table=True):
    """Where the watching of a folder stood. `position` is the server's cursor, sealed (it names folders); None = from
    the start. `generation` rises with every commit, so that a late writer is refused.
    """

    __tablename__ = "watch_cursor"
    watch_id: str = Field(primary_key=True, foreign_key="watch.id", max_length=32)
    position: bytes | None = Field(default=None, sa_type=LargeBinary)
    generation: int = 0
    committed: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class OwedMark(Row, table=True):
    """A state that could not be shown on its item yet. Gone when it is shown, or the item is not there any more;
    `given_up` after too many tries."""

    __tablename__ = "owed_mark"
    capture_id: str = Field(primary_key=True, foreign_key="capture.id", max_length=32)
    state: str = Field(max_length=16)
    attempts: int = 0
    code: str = Field(default="", max_length=64)
    due: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    given_up: datetime | None = Field(default=None, sa_type=UtcDateTime)


class UntrackRequest(Row, table=True):
    """Somebody took `CRM: linked` off an item: the capture is to be untracked. An operator decides; open until then."""

    __tablename__ = "untrack_request"
    capture_id: str = Field(primary_key=True, foreign_key="capture.id", max_length=32)
    mailbox: str = Field(index=True, max_length=320)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)
    closed_by: str = Field(default="", max_length=320)
    outcome: str = Field(default="", max_length=32)
