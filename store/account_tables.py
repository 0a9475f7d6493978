"""The tables of accountability: allow rules, users' reports, the auditor's week, follow-ups, disclosures.

They hold ids, codes, counts and keyed hashes. What somebody wrote in their own words lies sealed under the master key.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, LargeBinary, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class AllowState(StrEnum):
    """Only a rule in force, and not expired, exempts anything."""

    PROPOSED = "proposed"
    IN_FORCE = "in-force"
    WITHDRAWN = "withdrawn"


class AllowRule(Row, table=True):
    """What a reviewer found to be no personal information, so that it is not held again. Never removed.

    `kind`: value, pattern, sender, template or directory; always together with the scanner's `rule` and the `category`
    of its findings. `digest` is a keyed hash of the value or of the block of text; `pattern` a shape like INV-#######;
    `domain` the sender's. `division` "" means the whole organisation. `tested` is the last back-test: counts and case
    numbers. `used` counts exempted findings. Holds no value, no word of a mail.
    """

    __tablename__ = "allow_rule"
    __table_args__ = (
        CheckConstraint("approved_by = '' OR approved_by <> proposed_by", name="two_persons"),
        CheckConstraint("rule <> '' AND category <> ''", name="about_one_rule"),
        CheckConstraint("state <> 'in-force' OR (approved_by <> '' AND expires IS NOT NULL)", name="approved"),
    )
    id: str = Field(primary_key=True, max_length=16)
    kind: str = Field(max_length=16)
    rule: str = Field(max_length=64)
    category: str = Field(max_length=32)
    division: str = Field(default="", max_length=64)
    digest: str = Field(default="", max_length=64)
    pattern: str = Field(default="", max_length=64)
    domain: str = Field(default="", max_length=255)
    entries: int = 0
    number: str = Field(default="", max_length=24)
    reason: str = Field(default="false-positive", max_length=64)
    days: int = 180
    state: str = Field(default=AllowState.PROPOSED, index=True, max_length=16)
    proposed_by: str = Field(max_length=320)
    proposed: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    approved_by: str = Field(default="", max_length=320)
    approved: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_by: str = Field(default="", max_length=320)
    ended: datetime | None = Field(default=None, sa_type=UtcDateTime)
    tested: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    used: int = 0
    last_used: datetime | None = Field(default=None, sa_type=UtcDateTime)


class AllowEntry(Row, table=True):
    """One entry of a directory list that an allow rule names: a keyed hash, no address. Lives as long as its rule."""

    __tablename__ = "allow_entry"
    rule_id: str = Field(primary_key=True, foreign_key="allow_rule.id", max_length=16)
    digest: str = Field(primary_key=True, max_length=64)


class CaseReport(Row, table=True):
    """A user thinks that a hold is wrong, and what a reviewer answered. Lives as long as its case.

    `code` and `answer_code` say it as codes; `text` and `answer` are the sealed words, which passed the scanner.
    Nobody answers their own report.
    """

    __tablename__ = "case_report"
    __table_args__ = (CheckConstraint("answered_by = '' OR answered_by <> person_id", name="not_by_oneself"),
                      UniqueConstraint("case_id", "person_id", "turn"))
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    case_id: int = Field(foreign_key="quarantine_case.id", index=True)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    turn: int = 1
    code: str = Field(max_length=32)
    text: bytes | None = Field(default=None, sa_type=LargeBinary)
    made: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    answer_code: str = Field(default="", max_length=32)
    answer: bytes | None = Field(default=None, sa_type=LargeBinary)
    answered_by: str = Field(default="", max_length=320)
    answered: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WeekPack(Row, table=True):
    """What happened in one week, for the auditor: built once, signed once, never changed after. Never removed.

    `pack` holds flags, counts, ids of audit rows; `digest` is the SHA-256 of its canonical JSON, which is what the
    auditor signs. `reminded` is when the mail about a missing signature went out.
    """

    __tablename__ = "week_pack"
    __table_args__ = (CheckConstraint("(signed_by = '') = (signed IS NULL)", name="signed_by_somebody"),)
    week: str = Field(primary_key=True, max_length=8)
    begins: datetime = Field(sa_type=UtcDateTime)
    ends: datetime = Field(sa_type=UtcDateTime)
    built: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    pack: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    digest: str = Field(max_length=64)
    signed_by: str = Field(default="", max_length=320)
    signed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    reminded: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WeekComment(Row, table=True):
    """What the auditor says about one flag of a week; `text` is content and therefore sealed. Never removed."""

    __tablename__ = "week_comment"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    week: str = Field(foreign_key="week_pack.week", index=True, max_length=8)
    flag: str = Field(max_length=32)
    text: bytes = Field(sa_type=LargeBinary)
    by: str = Field(max_length=320)
    made: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class FollowUp(Row, table=True):
    """Somebody's items were held: the tip they were given, or the course they were asked to take. Never removed.

    `step` is tip or training; `course` what completes it. Done when a training record says so. Their manager sees
    counts only.
    """

    __tablename__ = "follow_up"
    __table_args__ = (UniqueConstraint("person_id", "step", "number"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    step: str = Field(max_length=16)
    number: str = Field(max_length=24)
    course: str = Field(default="", max_length=64)
    opened: datetime = Field(default_factory=now, sa_type=UtcDateTime)


class Disclosure(Row, table=True):
    """One export: who took what, in which form, how much, why, for whom. Never removed.

    `digest` is the SHA-256 of the file, so that a copy that turns up can be told.
    """

    __tablename__ = "disclosure"
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    person_id: str = Field(foreign_key="person.id", index=True, max_length=32)
    what: str = Field(max_length=16)
    form: str = Field(max_length=8)
    rows: int = 0
    reason: str = Field(max_length=64)
    recipient: str = Field(max_length=64)
    digest: str = Field(default="", max_length=64)
    made: datetime = Field(default_factory=now, sa_type=UtcDateTime)
