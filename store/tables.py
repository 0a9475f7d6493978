"""The tables of the flow: items, captures, cases, blobs, notices, audit. (The CRM's: `store/crm_tables.py`.)

Three rules hold for all of them. A row's `repr` shows its key and nothing else. Free text of a mail is in
two places only: encrypted in `Blob.content`, and in the CRM tables, whose purpose it is. Ids are random
(32 hex digits) or keyed hashes (64), so they say nothing by themselves.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Index, LargeBinary, MetaData, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.columns import UtcDateTime, now

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Row(SQLModel):
    """The base of every table: our own metadata, and a `repr` that shows no content."""

    metadata = MetaData(naming_convention=NAMING)

    def __repr_args__(self) -> Sequence[tuple[str | None, Any]]:
        columns = self.__table__.primary_key  # type: ignore[attr-defined]
        return [(column.name, self.__dict__.get(column.name)) for column in columns]


def new_id() -> str:
    """A random opaque id, 32 hex digits."""
    return uuid.uuid4().hex


class ItemState(StrEnum):
    """What has become of a message as a whole, over all mailboxes and copies."""

    OPEN = "open"          # being worked on
    LINKED = "linked"      # an activity of the CRM
    HELD = "held"          # at least one case is open
    RELEASED = "released"  # a reviewer let it pass; linking follows
    DELETED = "deleted"    # a reviewer confirmed it; the content is destroyed


class CaptureState(StrEnum):
    """How far one sighting has come. The order and what may follow what: `store/ledger.py`."""

    CLAIMED = "claimed"
    SCANNED = "scanned"
    DECIDED = "decided"
    LINKED = "linked"
    HELD = "held"
    GONE = "gone"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    MARKED = "marked"
    NOTIFIED = "notified"


class CaseState(StrEnum):
    """A case is open while `held` (somebody is to decide it) or `escalated` (it is an incident, and its content is
    evidence); the others are final. What a reviewer does meanwhile stands in `store/desk_tables.py`."""

    HELD = "held"
    RELEASED = "released"
    REDACTED = "redacted"  # a copy without the personal part passed
    DELETED = "deleted"
    ESCALATED = "escalated"


OPEN_CASE = (CaseState.HELD, CaseState.ESCALATED)
"""The content is kept, and no other copy of it passes."""
CONFIRMED = (CaseState.DELETED, CaseState.REDACTED, CaseState.ESCALATED)
"""A person said that the content is personal."""


class BlobRole(StrEnum):
    """`staged` between two steps of the flow; `held` while its case is open."""

    STAGED = "staged"
    HELD = "held"
    DESTROYED = "destroyed"


class NoticeState(StrEnum):
    """`sending` is a claim that runs out; `failed` is tried no more."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"


class Meta(Row, table=True):
    """One fact about this database: the verifier of its master key, when it was made.

    A row lives as long as the database. Holds no key, only a keyed hash of a constant.
    """

    __tablename__ = "meta"
    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(max_length=256)


class Counter(Row, table=True):
    """The last number given out under a name ("case:2026"). Lives as long as the database."""

    __tablename__ = "counter"
    name: str = Field(primary_key=True, max_length=64)
    value: int = 0


class Item(Row, table=True):
    """One message, however many mailboxes hold a copy of it.

    Lives as long as its activity or its cases. `item_key` and `content_hash` are keyed hashes;
    `verdict` and `policy` are those of the worst copy. Holds no word of the mail, no address.
    """

    __tablename__ = "item"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    item_key: str = Field(unique=True, max_length=64)
    state: str = Field(default=ItemState.OPEN, index=True, max_length=16)
    verdict: str = Field(default="", max_length=16)
    content_hash: str = Field(default="", max_length=64)
    policy: str = Field(default="", max_length=128)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Capture(Row, table=True):
    """One sighting: one person asked to track one item in one mailbox.

    Lives as long as its item. The same place tagged again after the first run is done is a new
    `generation`. `summary` holds verdict codes, kinds, counts and places (`store/summary.py`).
    `locator` is where the item is, encrypted, and is emptied when the capture is done. Holds no word
    of the mail.

    `kind` is mail, appointment or task; `trigger` category, folder or request; `requested_by` the person the pane
    named; `record` the CRM record its folder is bound to.
    `shown`: the state last shown on the item, `shown_at` when, `shown_key` the item's key then (it may change by our
    own write). `again`: where the item is that was tagged anew while this capture was worked on.
    """

    __tablename__ = "capture"
    __table_args__ = (UniqueConstraint("mailbox", "source_key", "generation"),
                      Index("ix_capture_mailbox_shown_key", "mailbox", "shown_key"),
                      Index("ix_capture_state_outcome", "state", "outcome", "created"))
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    mailbox: str = Field(index=True, max_length=320)
    source_key: str = Field(max_length=64)
    generation: int = 1
    item_id: str | None = Field(default=None, foreign_key="item.id", index=True, max_length=32)
    case_id: int | None = Field(default=None, foreign_key="quarantine_case.id", index=True)
    state: str = Field(default=CaptureState.CLAIMED, index=True, max_length=16)
    outcome: str = Field(default="", max_length=16)
    content_hash: str = Field(default="", max_length=64)
    summary: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    activity: str = Field(default="", max_length=64)
    attempts: int = 0
    locator: bytes | None = Field(default=None, sa_type=LargeBinary)
    kind: str = Field(default="mail", max_length=16, sa_column_kwargs={"server_default": "mail"})
    trigger: str = Field(default="category", max_length=16, sa_column_kwargs={"server_default": "category"})
    requested_by: str = Field(default="", max_length=320, sa_column_kwargs={"server_default": ""})
    record: str = Field(default="", max_length=80, sa_column_kwargs={"server_default": ""})
    shown: str = Field(default="", max_length=16, sa_column_kwargs={"server_default": ""})
    shown_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    shown_key: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    again: bytes | None = Field(default=None, sa_type=LargeBinary)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    finished: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Case(Row, table=True):
    """One held copy of an item, waiting for or decided by a reviewer; the queue's part of it: `DeskCase`.

    Lives until retention removes it; its content goes earlier (see `Blob`). `open_key` is filled while
    the case is open and unique, so the same content never has two open cases. `trackers` counts the
    people who tracked it. Holds kinds, counts, places and codes; no subject line, value or file name.
    """

    __tablename__ = "quarantine_case"
    id: int | None = Field(default=None, primary_key=True)
    number: str = Field(unique=True, max_length=24)
    item_id: str = Field(foreign_key="item.id", index=True, max_length=32)
    content_hash: str = Field(default="", max_length=64)
    open_key: str | None = Field(default=None, unique=True, max_length=100)
    state: str = Field(default=CaseState.HELD, index=True, max_length=16)
    reason: str = Field(max_length=64)
    verdict: str = Field(max_length=16)
    policy: str = Field(default="", max_length=128)
    summary: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    trackers: int = 1
    opened: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_by: str = Field(default="", max_length=320)
    closed_reason: str = Field(default="", max_length=64)


class Blob(Row, table=True):
    """Encrypted content of one capture: the raw mail, or what was extracted from it.

    `staged` from the scan until the item is linked (then destroyed) or held; `held` until the case is
    decided. Destroying empties `wrapped` and `content` and leaves the row as a tombstone. `content` is
    AES-256-GCM under a data key of its own; the key lies in `wrapped`, encrypted under the master key.
    Both are bound to the table and the row's id.
    """

    __tablename__ = "blob"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    capture_id: str = Field(foreign_key="capture.id", index=True, max_length=32)
    case_id: int | None = Field(default=None, foreign_key="quarantine_case.id", index=True)
    role: str = Field(default=BlobRole.STAGED, index=True, max_length=16)
    kind: str = Field(max_length=32)
    size: int = 0
    key_id: str = Field(default="", max_length=16)
    wrapped: bytes | None = Field(default=None, sa_type=LargeBinary)
    content: bytes | None = Field(default=None, sa_type=LargeBinary)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    destroyed: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Notice(Row, table=True):
    """A message to one of our own people, waiting to be sent or sent.

    Written in the transaction that decided; lives until retention removes it. `recipient` is a staff
    address. `data` holds what the template needs: kinds, counts, places, the case number. It must not
    hold a subject line, a value, a name or a file name.
    """

    __tablename__ = "notice"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    key: str = Field(unique=True, max_length=128)
    capture_id: str | None = Field(default=None, foreign_key="capture.id", index=True, max_length=32)
    recipient: str = Field(max_length=320)
    template: str = Field(max_length=64)
    data: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    state: str = Field(default=NoticeState.PENDING, index=True, max_length=16)
    attempts: int = 0
    error: str = Field(default="", max_length=64)
    due: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    sent: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AuditEvent(Row, table=True):
    """One thing somebody did or read. Rows are added, never changed, and outlive the item.

    `digest` = SHA-256 over the row and the digest before it, so an edit, a gap or another order is found
    (`store/audit.py`). `body` is canonical JSON. Holds ids, counts and codes; no column holds text.
    """

    __tablename__ = "audit_event"
    seq: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: str = Field(index=True, max_length=32)
    action: str = Field(index=True, max_length=64)
    actor: str = Field(index=True, max_length=320)
    subject: str = Field(index=True, max_length=128)
    body: str = Field(sa_type=Text)
    previous: str = Field(max_length=64)
    digest: str = Field(max_length=64)


class AuditHead(Row, table=True):
    """How many audit rows there are and the digest of the last: one row, which only ever moves forward.

    Catches a tail that was cut off while this row was left alone. Lives as long as the database.
    """

    __tablename__ = "audit_head"
    id: int = Field(default=1, primary_key=True)
    count: int = 0
    digest: str = Field(default="", max_length=64)
