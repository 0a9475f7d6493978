"""The tables of the people who use this program: who they are, what they may do, what they signed, who is signed in.

They hold facts about our own users at work: an address, a division, roles, dates. No name, no phone, nothing of
a mail. Rows stay when somebody leaves (`ended`), because the audit and the user register name them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Text
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class Division(Row, table=True):
    """A part of the organisation; the firewalls run between them. `key` is the short name that records carry.

    Lives as long as a record or a person names it; `closed` when it takes no new ones.
    """

    __tablename__ = "division"
    key: str = Field(primary_key=True, max_length=64)
    title: str = Field(default="", max_length=200)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)


class PersonRow(Row, table=True):
    """One user of this program. Stays when they leave.

    `subject` is who they are to the directory ("tenant/object id"), empty until the first sign-in; `address` their
    casefolded address. `state`: requested, active, suspended, ended. A contractor has a `justification` code and a
    day it `ends`.
    """

    __tablename__ = "person"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    subject: str | None = Field(default=None, unique=True, max_length=200)
    address: str = Field(unique=True, max_length=320)
    state: str = Field(default="requested", index=True, max_length=16)
    kind: str = Field(default="employee", max_length=16)
    justification: str = Field(default="", max_length=64)
    ends: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    updated: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class PersonDivision(Row, table=True):
    """A person belongs to a division. `ended` when they no longer do; the row stays for the register."""

    __tablename__ = "person_division"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    division: str = Field(foreign_key="division.key", index=True, max_length=64)
    open_key: str | None = Field(default=None, unique=True, max_length=100)
    began: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RoleGrant(Row, table=True):
    """A role somebody asked for, somebody else approved and a third applied. In force between `granted` and `ended`.

    `origin`: "here", or "directory" for an app role of the sign-in, which is granted and ended as the directory says.
    `open_key` is unique while the row is open, so that nobody holds a role twice. Never removed.
    """

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint("approved_by = '' OR approved_by <> person_id", name="not_approved_by_oneself"),
        CheckConstraint("granted_by = '' OR granted_by <> person_id", name="not_granted_by_oneself"),
        CheckConstraint("approved_by = '' OR approved_by <> granted_by OR origin <> 'here'", name="two_persons"),
    )
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    role: str = Field(max_length=32)
    origin: str = Field(default="here", max_length=16)
    open_key: str | None = Field(default=None, unique=True, max_length=100)
    asked_by: str = Field(default="", max_length=320)
    approved_by: str = Field(default="", max_length=320)
    granted_by: str = Field(default="", max_length=320)
    ended_by: str = Field(default="", max_length=320)
    asked: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    approved: datetime | None = Field(default=None, sa_type=UtcDateTime)
    granted: datetime | None = Field(default=None, sa_type=UtcDateTime)
    until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Delegation(Row, table=True):
    """Somebody acts for the head for a time. Never removed; `ended` when it is taken back early."""

    __tablename__ = "delegation"
    __table_args__ = (CheckConstraint("head_id <> delegate_id", name="not_to_oneself"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    head_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    delegate_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    begins: datetime = Field(sa_type=UtcDateTime)
    ends: datetime = Field(sa_type=UtcDateTime)
    made: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RulesVersion(Row, table=True):
    """One version of the rules of behaviour: our own text, never changed once published. The newest is in force."""

    __tablename__ = "rules_version"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    text: str = Field(sa_type=Text)
    digest: str = Field(max_length=64)
    published: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    published_by: str = Field(max_length=320)


class RulesSignature(Row, table=True):
    """A person signed a version: when, and the digest of the text they saw. Never removed."""

    __tablename__ = "rules_signature"
    person_id: str = Field(primary_key=True, foreign_key="person.id", max_length=32)
    number: int = Field(primary_key=True, foreign_key="rules_version.number")
    digest: str = Field(max_length=64)
    signed: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class TrainingRecord(Row, table=True):
    """A person completed a course; tracking needs one that has not expired. Never removed."""

    __tablename__ = "training_record"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    course: str = Field(max_length=64)
    completed: datetime = Field(sa_type=UtcDateTime)
    expires: datetime = Field(sa_type=UtcDateTime)
    recorded_by: str = Field(max_length=320)


class WebSession(Row, table=True):
    """One sign-in in one browser. Removed some days after its end.

    `token_hash` is SHA-256 of a random 256-bit token that only the browser has, so the table alone lets nobody in.
    `affirmed` is the version of the rules affirmed at this sign-in, 0 before. `seen` is written now and then.
    """

    __tablename__ = "web_session"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    token_hash: str = Field(unique=True, max_length=64)
    begun: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    seen: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    authenticated: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    ends: datetime = Field(sa_type=UtcDateTime, index=True)
    affirmed: int = 0
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)
    why: str = Field(default="", max_length=16)
