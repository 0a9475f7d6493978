"""The tables of rescans: runs, their chunks and results, what was pulled out of the CRM, who had seen it.

Ids, counts and codes only. Rows live as long as the audit wants to be understood: a run and its results until
retention removes them, a pull and its exposures as long as their case.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Text, UniqueConstraint
from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row, new_id


class RunState(StrEnum):
    """`paused` by its operator, or because too much would be pulled out."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"


class Outcome(StrEnum):
    """What became of one item in one run."""

    PASS = "pass"              # noqa: S105 - an outcome, not a password
    RELEASED = "released"      # would be held, had a reviewer not released this very content under this policy
    HOLD = "hold"              # pulled out of the CRM, a case is open
    WOULD_HOLD = "would-hold"  # the same in a dry run
    STUB = "stub"              # pulled out by an earlier run
    GONE = "gone"              # not in the CRM any more
    HELD = "held"              # a held item that would be held again
    WOULD_PASS = "would-pass"  # noqa: S105 - a held item that would pass now
    ERROR = "error"            # not looked at; a resumed run tries again


class PullState(StrEnum):
    """`open`: the copy is safe, the record not yet touched."""

    OPEN = "open"
    PULLED = "pulled"
    CHANGED = "changed"  # somebody changed the record between reading and pulling; the changed one was looked at anew
    GONE = "gone"        # somebody deleted the record in between
    RESTORED = "restored"


class RescanRun(Row, table=True):
    """One rescan: what was asked for, and how far it is. `id` is for people: "RS-2026-000003".

    `policy` is the pack as named, `policy_text` the file's text when it was a file (law, no content), `cursor` the
    last id that was paged, `listed` whether all ids are in chunks, `holds` how many items this run pulled out.
    """

    __tablename__ = "rescan_run"
    id: str = Field(primary_key=True, max_length=24)
    state: str = Field(default=RunState.RUNNING, index=True, max_length=16)
    why: str = Field(default="", max_length=64)
    actor: str = Field(max_length=320)
    wanted: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    policy: str = Field(default="", max_length=256)
    policy_text: str = Field(default="", sa_type=Text)
    label: str = Field(default="", max_length=128)
    dry_run: bool = False
    max_holds: int = 0
    holds: int = 0
    total: int = 0
    cursor: str = Field(default="", max_length=128)
    listed: bool = False
    tries: int = 0
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    finished: datetime | None = Field(default=None, sa_type=UtcDateTime)


class RescanChunk(Row, table=True):
    """A piece of a run's work: about two hundred ids, worked through by one job. `seconds` is the time that took."""

    __tablename__ = "rescan_chunk"
    run_id: str = Field(primary_key=True, foreign_key="rescan_run.id", max_length=24)
    number: int = Field(primary_key=True)
    ids: list[str] = Field(default_factory=list, sa_type=JSON)
    done: bool = Field(default=False, index=True)
    seconds: float = 0.0


class RescanResult(Row, table=True):
    """What one run made of one item. `item` is the CRM's id, or "case:" and the number of a held item.

    One row per run and item, so a chunk that is worked twice counts once. `kinds` are categories of what was found,
    `unread` reason codes. Holds no content.
    """

    __tablename__ = "rescan_result"
    run_id: str = Field(primary_key=True, foreign_key="rescan_run.id", max_length=24)
    item: str = Field(primary_key=True, max_length=128)
    kind: str = Field(default="", max_length=16)
    division: str = Field(default="", max_length=64)
    outcome: str = Field(max_length=16)
    verdict: str = Field(default="", max_length=16)
    kinds: list[str] = Field(default_factory=list, sa_type=JSON)
    unread: list[str] = Field(default_factory=list, sa_type=JSON)
    attachments: int = 0
    case: str = Field(default="", max_length=24)
    code: str = Field(default="", max_length=64)


class CrmPull(Row, table=True):
    """A record whose content went from the CRM into a case. One row per case and record.

    `capture_id` is the capture that holds the content and by which it is restored; `record` the CRM's id. `stored`
    is when it came into the CRM: from then on it could be read.
    """

    __tablename__ = "crm_pull"
    __table_args__ = (UniqueConstraint("case_id", "record"),)
    id: str = Field(default_factory=new_id, primary_key=True, max_length=32)
    case_id: int = Field(foreign_key="quarantine_case.id", index=True)
    capture_id: str = Field(foreign_key="capture.id", unique=True, max_length=32)
    record: str = Field(index=True, max_length=128)
    run_id: str = Field(foreign_key="rescan_run.id", max_length=24)
    state: str = Field(default=PullState.OPEN, max_length=16)
    trackers: list[str] = Field(default_factory=list, sa_type=JSON)
    files: int = 0
    stored: datetime = Field(sa_type=UtcDateTime)
    created: datetime = Field(default_factory=now, sa_type=UtcDateTime)
    pulled: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Exposure(Row, table=True):
    """One reading of a record before it was pulled out: who, when, how. Taken from the audit of reads.

    `how` is one of `store.reads.How`; `seq` is the audit row that says so.
    """

    __tablename__ = "exposure"
    case_id: int = Field(primary_key=True, foreign_key="quarantine_case.id")
    record: str = Field(primary_key=True, max_length=128)
    seq: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    actor: str = Field(max_length=320)
    how: str = Field(max_length=16)
