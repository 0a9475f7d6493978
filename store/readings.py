"""Every reading of the audit: who saw what. For `audit show --reads`, the auditor's week, and the tests that count.

`READINGS` names the events by which somebody saw something: lists, views, searches, reveals, exports, files. An event
that is neither here nor in `NOT_READINGS` fails a test, so that a new kind of look cannot be forgotten.

    readings.found(session, person="", subject="MW-2026-000012", since=..., last=200)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, func
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.audit import EVENTS, Shown
from store.tables import AuditEvent

READINGS: Final[dict[str, str]] = {
    "quarantine:queue:listed": "list",
    "quarantine:case:read": "view",
    "quarantine:content:read": "reveal",
    "crm:records:listed": "list",
    "crm:records:searched": "search",
    "crm:records:exported": "export",
    "crm:record:read": "view",
    "crm:record:sent": "copy",
    "crm:attachment:read": "file",
    "watch:folders:listed": "list",
    "people:register:read": "list",
    "people:follow-up:counted": "list",
    "policy:allow:listed": "list",
    "policy:packs:compared": "view",
    "week:pack:read": "view",
    "audit:readings:read": "audit",
    "audit:log:read": "audit",
    "export:file:made": "export",
    "case:report:read": "view",
    "case:mine:listed": "list",
}
"""Event -> how somebody saw something."""
_VERBS: Final = {":listed": "list", ":read": "view", ":viewed": "view", ":searched": "search", ":revealed": "reveal",
                 ":exported": "export", ":shown": "view"}
"""Endings of events that are readings, also of those added elsewhere."""


def how_of(action: str) -> str:
    """How somebody saw something by this event: list, view, search, reveal, export, copy, file, audit; "" when it is
    no reading."""
    if action in READINGS:
        return READINGS[action]
    return next((how for ending, how in _VERBS.items() if action.endswith(ending)), "")


ACTIONS: Final = tuple(sorted(action for action in EVENTS if how_of(action)))
"""The events that are readings."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look: when (UTC), who, how, at what, and the audit row that says so. `facts` are ids, counts and codes."""

    seq: int
    at: datetime
    actor: str
    how: str
    action: str
    subject: str
    facts: dict[str, Any]


def found(session: Session, *, person: str = "", subject: str = "", since: datetime | None = None,
          until: datetime | None = None, last: int | None = 200) -> tuple[Reading, ...]:
    """The last readings that fit, oldest first; all of them with `last=None`."""
    query = select(AuditEvent).where(col(AuditEvent.action).in_(ACTIONS))
    if person:
        query = query.where(AuditEvent.actor == person)
    if subject:
        query = query.where(AuditEvent.subject == subject)
    query = query.where(*between(since, until)).order_by(col(AuditEvent.seq).desc()).limit(last)
    return tuple(reading(row) for row in reversed(session.scalars(query).all()))


def rows(session: Session, since: datetime, until: datetime) -> Iterator[Shown]:
    """Every audit row between two moments, in order, page by page."""
    after = 0
    while True:
        page = session.execute(
            columns(col(AuditEvent.seq), col(AuditEvent.at), col(AuditEvent.action), col(AuditEvent.actor),
                    col(AuditEvent.subject), col(AuditEvent.body))
            .where(*between(since, until), col(AuditEvent.seq) > after)
            .order_by(col(AuditEvent.seq)).limit(1000)).all()
        if not page:
            return
        for seq, at, action, actor, subject, body in page:
            yield Shown(seq, datetime.fromisoformat(at).astimezone(UTC), action, actor, subject, json.loads(body))
        after = page[-1][0]


def per_day(session: Session, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
    """(person, day as 2026-03-31 in UTC) -> readings."""
    day = func.substr(col(AuditEvent.at), 1, 10)
    found_rows = session.execute(
        columns(col(AuditEvent.actor), day, func.count()).where(
            col(AuditEvent.action).in_(ACTIONS), *between(since, until))
        .group_by(col(AuditEvent.actor), day))
    return {(actor, when): count for actor, when, count in found_rows}


def between(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Audit rows from one moment until before another. The column is text in UTC, so it sorts by time."""
    wanted: list[ColumnElement[bool]] = []
    if since is not None:
        wanted.append(col(AuditEvent.at) >= _text(since))
    if until is not None:
        wanted.append(col(AuditEvent.at) < _text(until))
    return wanted


def reading(row: AuditEvent) -> Reading:
    """An audit row as a reading."""
    return Reading(row.seq, datetime.fromisoformat(row.at).astimezone(UTC), row.actor, how_of(row.action), row.action,
                   row.subject, json.loads(row.body))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
