"""The tables of the CRM's business: opportunities, projects, events, issues, documents, and what connects them.

Closed, as `store/crm_tables.py`: every field is of the assessments (J8-J13, D4, D9-D10), none can be added by a user.
`division`, `owner`, `source`, `stub` and `last_contact_at` mean what they mean there. Text fields are typed by people
and scanned before they are kept.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, LargeBinary, String, Text, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id

BY_BYTES: Any = String(48).with_variant(String(48, collation="C"), "postgresql")
"""Words in the order of their bytes on both databases, so that those that begin alike stand together."""


class RecordCategory(Row, table=True):
    """One category the business sets ("stakeholder", "customer", "instructor", ...) for a kind of record (J8).

    Closed, it is offered no more; records keep it.
    """

    __tablename__ = "record_category"
    kind: str = Field(primary_key=True, max_length=16)
    title: str = Field(primary_key=True, max_length=64)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Opportunity(Row, table=True):
    """Business that may come: from a lead to won or lost (J4, J9).

    `stage` is "lead", "qualified", "quoted", "won" or "lost". The lead's own words (`lead_...`) serve until there is a
    contact; `lead_key` is the casefolded address by which mail is matched while the stage is "lead". `number_key` is
    the quote number as it is looked up in subject lines. `internal_contacts` are ids of our own people.
    """

    __tablename__ = "opportunity"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    title: str = Field(max_length=200)
    stage: str = Field(default="lead", index=True, max_length=16)
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id", index=True, max_length=32)
    contact_id: str | None = Field(default=None, foreign_key="contact.id", index=True, max_length=32)
    lead_name: str = Field(default="", max_length=200)
    lead_organisation: str = Field(default="", max_length=200)
    lead_email: str = Field(default="", max_length=320)
    lead_key: str = Field(default="", index=True, max_length=320)
    lead_phone: str = Field(default="", max_length=64)
    services: str = Field(default="", sa_type=Text)
    quoted_cents: int | None = Field(default=None, sa_type=BigInteger)
    currency: str = Field(default="CAD", max_length=3)
    quote_number: str = Field(default="", max_length=64)
    number_key: str = Field(default="", index=True, max_length=64)
    quote_details: str = Field(default="", sa_type=Text)
    internal_contacts: list[str] = Field(default_factory=list, sa_type=JSON)
    division: str = Field(default="", index=True, max_length=64)
    owner: str = Field(default="", max_length=32)
    source: str = Field(default="", max_length=16)
    source_url: str = Field(default="", max_length=400)
    stub: str = Field(default="", max_length=24, sa_column_kwargs={"server_default": ""})
    last_contact_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Project(Row, table=True):
    """A project or order, made from one won opportunity, with what delivery needs (J10). `status` is "open", "done"
    or "cancelled"."""

    __tablename__ = "project"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    title: str = Field(max_length=200)
    status: str = Field(default="open", index=True, max_length=16)
    opportunity_id: str = Field(foreign_key="opportunity.id", unique=True, max_length=32)
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id", index=True, max_length=32)
    contact_id: str | None = Field(default=None, foreign_key="contact.id", index=True, max_length=32)
    number: str = Field(default="", max_length=64)
    number_key: str = Field(default="", index=True, max_length=64)
    services: str = Field(default="", sa_type=Text)
    quoted_cents: int | None = Field(default=None, sa_type=BigInteger)
    currency: str = Field(default="CAD", max_length=3)
    delivery_locations: str = Field(default="", sa_type=Text)
    instructors: str = Field(default="", sa_type=Text)
    delivery_from: date | None = None
    delivery_until: date | None = None
    shipping_address: str = Field(default="", max_length=400)
    billing_address: str = Field(default="", max_length=400)
    notes: str = Field(default="", sa_type=Text)
    division: str = Field(default="", index=True, max_length=64)
    owner: str = Field(default="", max_length=32)
    source: str = Field(default="", max_length=16)
    source_url: str = Field(default="", max_length=400)
    stub: str = Field(default="", max_length=24, sa_column_kwargs={"server_default": ""})
    last_contact_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Event(Row, table=True):
    """Something that takes place: name, date, agenda; who attends and which issues it is about are relations (D9)."""

    __tablename__ = "crm_event"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    name: str = Field(max_length=200)
    starts: datetime = Field(sa_type=UtcDateTime)
    ends: datetime | None = Field(default=None, sa_type=UtcDateTime)
    place: str = Field(default="", max_length=200)
    agenda: str = Field(default="", sa_type=Text)
    division: str = Field(default="", index=True, max_length=64)
    owner: str = Field(default="", max_length=32)
    source: str = Field(default="", max_length=16)
    source_url: str = Field(default="", max_length=400)
    stub: str = Field(default="", max_length=24, sa_column_kwargs={"server_default": ""})
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Issue(Row, table=True):
    """A matter the organisation follows, under one of five priorities: news, talking points; documents, events and
    stakeholders are relations (D10). `status` is "open" or "closed"; closing it drives retention (D28)."""

    __tablename__ = "issue"
    __table_args__ = (CheckConstraint("priority BETWEEN 1 AND 5", name="priority"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    title: str = Field(max_length=200)
    priority: int = 3
    status: str = Field(default="open", index=True, max_length=16)
    news: str = Field(default="", sa_type=Text)
    talking_points: str = Field(default="", sa_type=Text)
    division: str = Field(default="", index=True, max_length=64)
    owner: str = Field(default="", max_length=32)
    source: str = Field(default="", max_length=16)
    source_url: str = Field(default="", max_length=400)
    stub: str = Field(default="", max_length=24, sa_column_kwargs={"server_default": ""})
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Document(Row, table=True):
    """A business document: product literature, a vendor's contract (J13). Read and scanned when it was uploaded, under
    `policy`; `digest` is the SHA-256 of the file."""

    __tablename__ = "document"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    name: str = Field(max_length=200)
    content_type: str = Field(default="", max_length=255)
    size: int = 0
    digest: str = Field(default="", max_length=64)
    policy: str = Field(default="", max_length=128)
    content: bytes = Field(default=b"", sa_type=LargeBinary)
    division: str = Field(default="", index=True, max_length=64)
    owner: str = Field(default="", max_length=32)
    source: str = Field(default="", max_length=16)
    source_url: str = Field(default="", max_length=400)
    stub: str = Field(default="", max_length=24, sa_column_kwargs={"server_default": ""})
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Relation(Row, table=True):
    """One record has to do with another: `role` is a code of `store.crm_relations.ROLES` ("about", "attends",
    "member", ...). Goes with either of them."""

    __tablename__ = "record_relation"
    from_kind: str = Field(primary_key=True, max_length=16)
    from_id: str = Field(primary_key=True, max_length=32)
    to_kind: str = Field(primary_key=True, max_length=16)
    to_id: str = Field(primary_key=True, index=True, max_length=32)
    role: str = Field(primary_key=True, max_length=16)
    by: str = Field(default="", max_length=320)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class RecordChange(Row, table=True):
    """One field of one record as it was and as it became: the history of a record (J33). Goes with its record."""

    __tablename__ = "record_change"
    id: int | None = Field(default=None, primary_key=True)
    record: str = Field(max_length=16)
    record_id: str = Field(index=True, max_length=32)
    field: str = Field(max_length=32)
    before: str = Field(default="", sa_type=Text)
    after: str = Field(default="", sa_type=Text)
    by: str = Field(max_length=320)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class RecordMerge(Row, table=True):
    """Two records were one and the same: `gone` stands for itself no more, `kept` for both. `moved` names the rows that
    were moved (ids only), so that it can be undone."""

    __tablename__ = "record_merge"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    record: str = Field(max_length=16)
    kept: str = Field(index=True, max_length=32)
    gone: str = Field(index=True, max_length=32)
    moved: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    by: str = Field(max_length=320)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    undone_by: str = Field(default="", max_length=320)
    undone: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Suppression(Row, table=True):
    """Somebody does not want to be in this CRM: the keyed hash of an address (D35). Never removed but by their wish."""

    __tablename__ = "suppression"
    digest: str = Field(primary_key=True, max_length=64)
    reason: str = Field(max_length=64)
    by: str = Field(max_length=320)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class OptOut(Row, table=True):
    """Somebody asked, by whatever medium, to be forgotten: the owner of the contact has to purge it (D15, D36).

    `state` is "open" or "purged". `open_key` is the contact's id while it is open, so that there is one at a time.
    """

    __tablename__ = "opt_out"
    __table_args__ = (UniqueConstraint("open_key"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    contact_id: str = Field(index=True, max_length=32)
    open_key: str | None = Field(default=None, max_length=32)
    medium: str = Field(max_length=16)
    asked_by: str = Field(max_length=320)
    owner: str = Field(default="", max_length=32)
    division: str = Field(default="", index=True, max_length=64)
    state: str = Field(default="open", index=True, max_length=16)
    due: datetime = Field(sa_type=UtcDateTime)
    closed_by: str = Field(default="", max_length=320)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    receipt: str = Field(default="", max_length=32)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class RecordWord(Row, table=True):
    """One word by which a record or the subject line of an activity is found. Follows what it was made of, and goes
    with it."""

    __tablename__ = "record_word"
    word: str = Field(primary_key=True, sa_type=BY_BYTES)
    kind: str = Field(primary_key=True, max_length=16)
    record_id: str = Field(primary_key=True, index=True, max_length=32)


WORK_TABLES: tuple[type[Any], ...] = (
    RecordCategory, Opportunity, Project, Event, Issue, Document, Relation, RecordChange, RecordMerge, Suppression,
    OptOut, RecordWord)
