"""The tables of the embedded CRM: organisations, contacts, activities.

Organisation and Contact have the business fields the assessment lists (J6, J7) and no others: no home
address, no private phone, no birth date, no note field. Rows live as long as the business relation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class Organisation(Row, table=True):
    """An organisation we do business with: name, address, e-mail, phone, fax, category, and its contacts.

    Holds business facts only; nothing about a person.
    """

    __tablename__ = "organisation"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    name: str = Field(max_length=200)
    name_key: str = Field(unique=True, max_length=200)
    address: str = Field(default="", max_length=400)
    email: str = Field(default="", max_length=320)
    phone: str = Field(default="", max_length=64)
    fax: str = Field(default="", max_length=64)
    category: str = Field(default="", max_length=64)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class OrganisationDomain(Row, table=True):
    """A mail domain by which an organisation is recognised. Never a freemail domain or one of our own.

    Two organisations may share a domain; then a mail from it is not matched by domain.
    """

    __tablename__ = "organisation_domain"
    domain: str = Field(primary_key=True, max_length=255)
    organisation_id: str = Field(primary_key=True, foreign_key="organisation.id", max_length=32)


class Contact(Row, table=True):
    """A person in their business role, with business contact information only.

    `email_key` is the casefolded address by which mail is matched; several contacts may share one
    (info@...), and then a person has to choose. `division` is whose contact it is, "" when nobody said: another
    division does not see how to reach the person (`store.access.hidden`).
    """

    __tablename__ = "contact"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    first_name: str = Field(default="", max_length=100)
    last_name: str = Field(default="", max_length=100)
    known_as: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=100)
    address: str = Field(default="", max_length=400)
    email: str = Field(default="", max_length=320)
    email_key: str = Field(default="", index=True, max_length=320)
    phone: str = Field(default="", max_length=64)
    fax: str = Field(default="", max_length=64)
    category: str = Field(default="", max_length=64)
    division: str = Field(default="", max_length=64, sa_column_kwargs={"server_default": ""})
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id", index=True, max_length=32)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Activity(Row, table=True):
    """One communication on the timeline of the records it belongs to.

    `type` is "email", "appointment", "task", "note" or "phonecall". `item_key` is unique: one activity however
    many people track the mail. `participants` is a list of `{"role": "from"|"to", "name": ..., "email": ...}`.
    `matched` says how its records were found and `reason` why there are none. `division` is whose it is, "" when
    nobody said. The content passed the scan; it is what the CRM is for. When a rescan pulls it out, `stub` is
    the case number, and subject, body, Message-ID, participants and attachments hold nothing of it any more.
    `filled` is the version of the content (`store.crm_records.version`) as it was linked or restored: another one
    now means that somebody changed it in the CRM.
    """

    __tablename__ = "activity"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    item_key: str = Field(unique=True, max_length=64)
    type: str = Field(default="email", index=True, max_length=16)
    subject: str = Field(default="", sa_type=Text)
    body: str = Field(default="", sa_type=Text)
    message_id: str = Field(default="", sa_type=Text)
    sent: datetime | None = Field(default=None, sa_type=UtcDateTime)
    participants: list[dict[str, str]] = Field(default_factory=list, sa_type=JSON)
    matched: str = Field(default="unmatched", index=True, max_length=16)
    reason: str = Field(default="", max_length=32)
    division: str = Field(default="", index=True, max_length=64)
    stub: str = Field(default="", max_length=24)
    filled: str = Field(default="", max_length=64)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)


class ActivityTracker(Row, table=True):
    """One mailbox whose owner asked to track the activity. Removed when that person untracks it."""

    __tablename__ = "activity_tracker"
    activity_id: str = Field(primary_key=True, foreign_key="activity.id", max_length=32)
    tracker: str = Field(primary_key=True, max_length=320)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class ActivityLink(Row, table=True):
    """One record an activity belongs to, and how that was found ("address", "domain", "folder").

    `record` is "contact" or "organisation", `record_id` its id.
    """

    __tablename__ = "activity_link"
    activity_id: str = Field(primary_key=True, foreign_key="activity.id", max_length=32)
    record: str = Field(primary_key=True, max_length=16)
    record_id: str = Field(primary_key=True, index=True, max_length=32)
    how: str = Field(max_length=16)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Attachment(Row, table=True):
    """A file that came with a linked activity. Scanned before; lives and goes with its activity."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("activity_id", "number"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    activity_id: str = Field(foreign_key="activity.id", index=True, max_length=32)
    number: int
    name: str = Field(default="", sa_type=Text)
    content_type: str = Field(default="", max_length=255)
    size: int = 0
    content: bytes = Field(default=b"", sa_type=LargeBinary)


CRM_TABLES: tuple[type[Any], ...] = (
    Organisation, OrganisationDomain, Contact, Activity, ActivityTracker, ActivityLink, Attachment)
