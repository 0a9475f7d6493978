"""The tables of the review desk: what the queue needs of a case, who is a party to it, rulings, incidents.

They hold ids, codes, counts and keyed hashes: no address of a sender or recipient, no word of a mail.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class DeskCase(Row, table=True):
    """What the queue shows and sorts by, one row for a case. Lives as long as the case.

    `tab` is where it stands: queue, unreadable, second, escalated, "" when it is closed. `rank` is the risk's score in
    hundredths, negative, so that the worst comes first in every index; `opened` and `content_hash` repeat the case's.
    `division` is the tagger's, `tagger` the person who tracked it first ("" when no user of ours). `parties` says
    whether the senders and recipients are known (`CaseParty`). `sender` is a keyed hash, `rule` what fired:
    both name a family of cases. `told` counts the people told that it is overdue: 0 nobody, 1 the deputy, 2 the privacy
    officer, 3 the privacy officer again because it expired. `original_until`: a redacted copy is linked, and when the
    original is destroyed.
    """

    __tablename__ = "desk_case"
    __table_args__ = (
        Index("ix_desk_case_queue", "tab", "rank", "due", "opened", "case_id"),
        Index("ix_desk_case_division", "tab", "division", "rank", "due", "opened", "case_id"),
        Index("ix_desk_case_family", "tab", "sender", "rule"),
        Index("ix_desk_case_content", "tab", "content_hash"),
        Index("ix_desk_case_overdue", "told", "tab", "due"),
        Index("ix_desk_case_parties", "parties", "tab"),
    )
    case_id: int = Field(primary_key=True, foreign_key="quarantine_case.id", sa_column_kwargs={"autoincrement": False})
    tab: str = Field(max_length=16)
    band: str = Field(max_length=16)
    rank: int = 0
    weight: float = 0.0
    persons: int = 0
    elements: int = 0
    minors: int = 0
    exposure: int = 1
    kinds: str = Field(default="", max_length=512)
    division: str = Field(default="", max_length=64)
    tagger: str = Field(default="", max_length=32)
    parties: bool = False
    sender: str = Field(default="", max_length=64)
    rule: str = Field(default="", max_length=600)
    content_hash: str = Field(default="", max_length=64)
    opened: datetime = Field(sa_type=UtcDateTime)
    due: datetime = Field(sa_type=UtcDateTime)
    told: int = 0
    claimed_by: str = Field(default="", index=True, max_length=32)
    claimed: datetime | None = Field(default=None, sa_type=UtcDateTime)
    original_until: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class CaseParty(Row, table=True):
    """Somebody sent, received or tracked the item of a case: a keyed hash of their address. Lives as the case does.

    A reviewer whose address has the same hash is refused, by the program and by a trigger on `ruling`.
    """

    __tablename__ = "case_party"
    case_id: int = Field(primary_key=True, foreign_key="quarantine_case.id", sa_column_kwargs={"autoincrement": False})
    digest: str = Field(primary_key=True, max_length=64)


class RulingRow(Row, table=True):
    """What a reviewer decided of a case. Never removed; the record of who decided what, and who agreed.

    `state`: second (waits for another person), waiting (may still be undone), taken (in effect; what follows in the
    CRM and the mailbox is not done yet), done, undone, refused (the second person did not agree). `open_key` is filled
    and unique while nothing is in effect, so that a case never has two. `made_key` and `second_key` are the keyed
    hashes of the two persons' addresses, by which the database refuses a party. `batch` ties rulings made together.
    `suspends`: the incident of an escalation suspends the tracking of those who tracked the item.
    """

    __tablename__ = "ruling"
    __table_args__ = (
        CheckConstraint("second_by = '' OR second_by <> made_by", name="two_persons"),
        CheckConstraint("tagger = '' OR (made_by <> tagger AND second_by <> tagger)", name="not_the_tagger"),
        CheckConstraint("NOT needs_second OR second_by <> '' OR state IN ('second', 'undone')", name="second_agreed"),
        Index("ix_ruling_state_effective", "state", "effective"),
        Index("ix_ruling_case_id", "case_id"),
    )
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    case_id: int = Field(foreign_key="quarantine_case.id")
    open_key: str | None = Field(default=None, unique=True, max_length=32)
    outcome: str = Field(max_length=16)
    reason: str = Field(max_length=64)
    state: str = Field(max_length=16)
    batch: str = Field(default="", index=True, max_length=32)
    tagger: str = Field(default="", max_length=32)
    made_by: str = Field(max_length=32, index=True)
    made_key: str = Field(max_length=64)
    made: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    seconds: float = 10.0
    suspends: bool = False
    needs_second: bool = False
    why_second: str = Field(default="", max_length=64)
    second_by: str = Field(default="", max_length=32)
    second_key: str = Field(default="", max_length=64)
    second_reason: str = Field(default="", max_length=64)
    second: datetime | None = Field(default=None, sa_type=UtcDateTime)
    effective: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken: datetime | None = Field(default=None, sa_type=UtcDateTime)
    taken_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    finished: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    result: str = Field(default="", max_length=64)


class IncidentRow(Row, table=True):
    """A case that was escalated: a possible breach. Stays for the register of incidents.

    While `evidence_hold` is set the content of the case is kept, whatever else is due; with `suspends`, what its
    trackers track is held as long as it is open (`store.suspended`). Codes and counts only.
    """

    __tablename__ = "incident"
    __table_args__ = (Index("ix_incident_open", "state", "opened"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    number: str = Field(unique=True, max_length=24)
    case_id: int = Field(foreign_key="quarantine_case.id", index=True)
    kind: str = Field(max_length=64)
    state: str = Field(default="open", max_length=16)
    evidence_hold: bool = True
    suspends: bool = False
    persons: int = 0
    elements: int = 0
    exposure: int = 1
    division: str = Field(default="", max_length=64)
    opened_by: str = Field(max_length=320)
    opened: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    closed_by: str = Field(default="", max_length=320)
    closed_reason: str = Field(default="", max_length=64)
    closed: datetime | None = Field(default=None, sa_type=UtcDateTime)
