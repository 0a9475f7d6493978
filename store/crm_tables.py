"""The tables of the embedded CRM: organisations, contacts, activities. (Opportunities, projects, events, issues,
documents and what connects them: `store/crm_work_tables.py`.)

The schema is closed: Organisation and Contact have the business fields the assessments list (J6, J7, D4, D5) and no
others: no home address, no birth date, no field to be invented. Rows live as long as the business relation.

`division` is whose a record is, "" when nobody said; `owner` the id of the person who answers for it; `source` how we
came by it (a code, D13); `last_contact_at` the latest communication, which drives retention (D8); `merged_into` the
record that stands for it since a merge, "" while it stands for itself; `stub` the case by which a rescan pulled out
what was typed into it, "" when that is there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id

_EMPTY = {"server_default": ""}


class Organisation(Row, table=True):
    """An organisation we do business with: name, address, e-mail, phone, fax, category, region, and its contacts.

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
    region: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    division: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    owner: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    source: str = Field(default="", max_length=16, sa_column_kwargs=_EMPTY)
    source_url: str = Field(default="", max_length=400, sa_column_kwargs=_EMPTY)
    last_contact_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    merged_into: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    stub: str = Field(default="", max_length=24, sa_column_kwargs=_EMPTY)
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
    """A person in their business role.

    `email_key` is the casefolded address by which mail is matched; several contacts may share one
    (info@...), and then a person has to choose. `mobile` and `private_email` (compared as `private_key`) and every
    other way to reach the person are hidden from other divisions (`store.access.hidden`). `interests` and `notes` are
    typed text, scanned before they are kept.
    """

    __tablename__ = "contact"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    salutation: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    first_name: str = Field(default="", max_length=100)
    last_name: str = Field(default="", max_length=100)
    known_as: str = Field(default="", max_length=100)
    title: str = Field(default="", max_length=100)
    address: str = Field(default="", max_length=400)
    email: str = Field(default="", max_length=320)
    email_key: str = Field(default="", index=True, max_length=320)
    phone: str = Field(default="", max_length=64)
    fax: str = Field(default="", max_length=64)
    mobile: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    private_email: str = Field(default="", max_length=320, sa_column_kwargs=_EMPTY)
    private_key: str = Field(default="", index=True, max_length=320, sa_column_kwargs=_EMPTY)
    category: str = Field(default="", max_length=64)
    region: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    interests: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY)
    notes: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY)
    division: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    owner: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    source: str = Field(default="", max_length=16, sa_column_kwargs=_EMPTY)
    source_url: str = Field(default="", max_length=400, sa_column_kwargs=_EMPTY)
    last_contact_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    merged_into: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    stub: str = Field(default="", max_length=24, sa_column_kwargs=_EMPTY)
    organisation_id: str | None = Field(default=None, foreign_key="organisation.id", index=True, max_length=32)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Activity(Row, table=True):
    """One communication on the timeline of the records it belongs to.

    `type` is "email", "appointment", "task", "note", "phonecall", "meeting" or "training". `item_key` is unique: one
    activity however many people track the mail. `participants` is a list of `{"role": "from"|"to", "name": ...,
    "email": ...}`.
    `matched` says how its records were found and `reason` why there are none. `division` is whose it is, "" when
    nobody said. The content passed the scan; it is what the CRM is for. When a rescan pulls it out, `stub` is
    the case number, and subject, body, Message-ID, participants and attachments hold nothing of it any more.
    `filled` is the version of the content (`store.crm_records.version`) as it was linked or restored: another one
    now means that somebody changed it in the CRM.

    `variant_of` is the activity of which this is a copy with other content under the same Message-ID; `copy_key` is the
    hash of what counts in that comparison, as it was linked. `message_key` and `conversation` are hashes of the
    Message-ID and of the conversation, by which answers are recognised.
    `starts` and `ends` are an appointment's, `due` a task's; `staff`, `done` and `outcome` are for what is typed in the
    CRM: who did it, when it was done, what was promised.
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
    variant_of: str = Field(default="", index=True, max_length=32, sa_column_kwargs=_EMPTY)
    message_key: str = Field(default="", index=True, max_length=64, sa_column_kwargs=_EMPTY)
    conversation: str = Field(default="", index=True, max_length=64, sa_column_kwargs=_EMPTY)
    copy_key: str = Field(default="", max_length=64, sa_column_kwargs=_EMPTY)
    staff: str = Field(default="", max_length=32, sa_column_kwargs=_EMPTY)
    starts: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ends: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due: datetime | None = Field(default=None, sa_type=UtcDateTime)
    done: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = Field(default="", sa_type=Text, sa_column_kwargs=_EMPTY)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)


class ActivityTracker(Row, table=True):
    """One mailbox whose owner asked to track the activity. Removed when that person untracks it."""

    __tablename__ = "activity_tracker"
    activity_id: str = Field(primary_key=True, foreign_key="activity.id", max_length=32)
    tracker: str = Field(primary_key=True, max_length=320)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class ActivityLink(Row, table=True):
    """One record an activity belongs to, and how that was found ("address", "folder", "hand", ...).

    `record` is a kind of record ("contact", "organisation", "opportunity", ...), `record_id` its id. `role` is
    "party" (sent, received, attended) or "regarding" (what it is about). `by` is who chose it by hand. Taken off by a
    person (`removed`) the row stays: no rule links the two again.
    """

    __tablename__ = "activity_link"
    activity_id: str = Field(primary_key=True, foreign_key="activity.id", max_length=32)
    record: str = Field(primary_key=True, max_length=16)
    record_id: str = Field(primary_key=True, index=True, max_length=32)
    how: str = Field(max_length=16)
    role: str = Field(default="party", max_length=16, sa_column_kwargs={"server_default": "party"})
    by: str = Field(default="", max_length=320, sa_column_kwargs=_EMPTY)
    removed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class ActivitySuggestion(Row, table=True):
    """A record an activity may belong to, for whoever tracked it to say so: nothing is linked before.

    `reason` is a code of `capture.matching.REASONS`, `confidence` per cent. Suggestions with the same `question` are
    an either-or (several contacts have one address). `state` is "open", "confirmed", "dismissed". Goes with its
    activity. Holds no address and no name.
    """

    __tablename__ = "activity_suggestion"
    activity_id: str = Field(primary_key=True, foreign_key="activity.id", max_length=32)
    tracker: str = Field(primary_key=True, max_length=320)
    record: str = Field(primary_key=True, max_length=16)
    record_id: str = Field(primary_key=True, index=True, max_length=32)
    role: str = Field(default="party", max_length=16)
    reason: str = Field(max_length=24)
    confidence: int = 0
    question: str = Field(default="", max_length=16)
    state: str = Field(default="open", index=True, max_length=16)
    decided_by: str = Field(default="", max_length=320)
    decided: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class CaptureChoice(Row, table=True):
    """A record somebody picked in the pane for an item that is being captured, or (`record` "attachment", `record_id`
    its number) a file they left out. Lives as long as its capture."""

    __tablename__ = "capture_choice"
    capture_id: str = Field(primary_key=True, foreign_key="capture.id", max_length=32)
    record: str = Field(primary_key=True, max_length=16)
    record_id: str = Field(primary_key=True, max_length=32)
    by: str = Field(max_length=320)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class NeverTrack(Row, table=True):
    """An address, a domain or a mailbox of which nothing is linked by rule. `tracker` is whose list it is, "" the
    organisation's; `kind` is "party" (an address or domain of the other side) or "mailbox" (one of ours: HR, legal,
    health). Lives until it is taken off. Holds addresses, because it has to be read by those who keep it.
    """

    __tablename__ = "never_track"
    tracker: str = Field(default="", primary_key=True, max_length=320)
    kind: str = Field(default="party", primary_key=True, max_length=8)
    pattern: str = Field(primary_key=True, max_length=320)
    by: str = Field(default="", max_length=320)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class PurgeReceipt(Row, table=True):
    """What is left of a purged record: that it was there, who destroyed it, when, why. Never removed.

    `counts` says how much went with it. Holds ids, codes and counts; nothing of the record.
    """

    __tablename__ = "purge_receipt"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    record: str = Field(max_length=16)
    record_id: str = Field(index=True, max_length=32)
    by: str = Field(max_length=320)
    reason: str = Field(max_length=64)
    counts: dict[str, int] = Field(default_factory=dict, sa_type=JSON)
    at: datetime = Field(default_factory=now, sa_type=UtcDateTime)


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
    Organisation, OrganisationDomain, Contact, Activity, ActivityTracker, ActivityLink, Attachment,
    ActivitySuggestion, CaptureChoice, NeverTrack, PurgeReceipt)
