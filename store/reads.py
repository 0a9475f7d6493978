"""The audit of reading the CRM: which events say that a person saw something, and who saw one record.

Whoever shows, lists, searches, exports or hands on CRM content writes one of these events in the same transaction
and commits it before anything goes out:

| Event | Subject | Body |
|---|---|---|
| `crm:record:read` | the record's id | `kind`: what was shown (activity, contact, organisation, ...) |
| `crm:attachment:read` | the activity's id | `number`: which file |
| `crm:records:listed` | "" | `kind`, `count`, and `ids` when there are at most `MOST_IDS` |
| `crm:records:searched` | "" | as listed: what the search showed |
| `crm:records:exported` | "" | `kind`, `count`, and `ids`, however many events that takes |
| `crm:record:sent` | the record's id | `to`: the mailbox or system a copy went to |

A list without `ids` counts as having shown every record of its kind: who cannot be ruled out is named.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.tables import AuditEvent

MOST_IDS = 500


class How(StrEnum):
    """How somebody came to see a record, the closest first."""

    EXPORTED = "exported"
    RECEIVED = "received"
    DOWNLOADED = "downloaded"
    OPENED = "opened"
    LISTED = "listed"      # the subject line in a list or among search results
    TIMELINE = "timeline"  # the subject line on the timeline of a contact or an organisation


ONE = {"crm:record:read": How.OPENED, "crm:attachment:read": How.DOWNLOADED, "crm:record:sent": How.RECEIVED}
"""Events about one record: the audit's subject is its id."""
MANY = {"crm:records:listed": How.LISTED, "crm:records:searched": How.LISTED, "crm:records:exported": How.EXPORTED}
"""Events about many: the ids are in the body, or all records of the kind are meant."""
SHOWN_ON = {"activity": frozenset({"activities", "unmatched", "timeline", "all"}),
            "opportunity": frozenset({"opportunities", "opportunitys", "suggestions", "pane", "all"})}
"""Kind of record -> the kinds of list that show it; others stand on the list of their name and on mixed ones."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One audit row by which somebody saw a record. `at` is UTC."""

    seq: int
    at: datetime
    actor: str
    how: How


def listed(session: Session, *, actor: str, kind: str, ids: Sequence[str],
           action: str = "crm:records:listed") -> None:
    """Write that somebody saw a list of records; commit before showing it."""
    body: dict[str, audit.Fact] = {"kind": kind, "count": len(ids)}
    if len(ids) <= MOST_IDS:
        body["ids"] = [*ids]
    audit.append(session, action, actor=actor, body=body)


def of_record(session: Session, record: str, since: datetime, shown_with: Collection[str] = (), *,
              kind: str = "activity") -> Iterator[Reading]:
    """Who saw a record of a kind since a moment, oldest first.

    `shown_with` are the records on whose timelines and pages its subject line or title stands.
    """
    lists = SHOWN_ON.get(kind, frozenset({f"{kind}s", "suggestions", "pane", "all"}))
    query = select(AuditEvent).where(
        col(AuditEvent.at) >= since.isoformat(timespec="microseconds"),
        or_(and_(col(AuditEvent.action).in_(ONE), col(AuditEvent.subject).in_([record, *shown_with])),
            col(AuditEvent.action).in_(MANY))).order_by(col(AuditEvent.seq))
    for event in session.scalars(query.execution_options(yield_per=500)):
        how = _how(event, record, lists)
        if how is not None:
            yield Reading(event.seq, datetime.fromisoformat(event.at), event.actor, how)


def _how(event: AuditEvent, record: str, lists: Collection[str]) -> How | None:
    if event.action in ONE:
        return ONE[event.action] if event.subject == record else (
            How.TIMELINE if event.action == "crm:record:read" else None)
    body: dict[str, Any] = json.loads(event.body)
    if "ids" in body:
        return MANY[event.action] if record in body["ids"] else None
    return MANY[event.action] if body.get("kind") in lists else None
