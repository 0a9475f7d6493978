"""What happened to a case, and the incidents that cases became."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, cases
from store.access import Action, Person, Scope, may, reach
from store.database import begin_write
from store.desk_tables import IncidentRow
from store.desk_types import RULES, Event, Incident, Rules
from store.errors import BadState, NotAllowed, NotFound
from store.leases import db_now
from store.tables import AuditEvent, Case

_OF_CAPTURES: Final = ("capture:item:held", "capture:item:joined", "capture:item:linked", "capture:item:marked")
_CODES: Final = ("outcome", "reason", "code", "told", "state", "kind")


def history(session: Session, number: str) -> list[Event]:
    """What happened to a case, oldest first: held, joined, looked at, revealed, claimed, ruled, undone, told, closed.

    Raises `NotFound`.
    """
    case = cases.get(session, number)
    captures = [capture.id for capture in cases.trackers(session, case)]
    found = session.scalars(select(AuditEvent).where(or_(
        col(AuditEvent.subject) == case.number,
        and_(col(AuditEvent.subject).in_(captures), col(AuditEvent.action).in_(_OF_CAPTURES))))
        .order_by(col(AuditEvent.seq)))
    return [Event(datetime.fromisoformat(event.at), event.actor, event.action, _code(json.loads(event.body)))
            for event in found]


def incidents(session: Session, person: Person, *, state: str = "open") -> tuple[Incident, ...]:
    """Incidents within the person's reach, the newest first; `state` open or closed."""
    if not may(person, Action.INCIDENT_READ) or reach(person, Action.INCIDENT_READ) is not Scope.ALL:
        return ()
    found = session.execute(select(IncidentRow, Case.number).join(
        Case, col(Case.id) == col(IncidentRow.case_id)).where(IncidentRow.state == state).order_by(
        col(IncidentRow.opened).desc(), col(IncidentRow.number).desc())).all()
    return tuple(_value(row, number) for row, number in found)


def incident_of(session: Session, case_number: str) -> Incident | None:
    """The newest incident of a case, or None. Raises `NotFound` for a case there is not."""
    case = cases.get(session, case_number)
    row = session.scalars(select(IncidentRow).where(IncidentRow.case_id == case.id).order_by(
        col(IncidentRow.opened).desc()).limit(1)).first()
    return _value(row, case.number) if row is not None else None


def close_incident(session: Session, number: str, person: Person, reason: str, *, rules: Rules = RULES) -> Incident:
    """The incident is dealt with: the evidence hold ends and its case is back in the queue, to be decided.

    For whoever opens incidents everywhere: the privacy officer. Raises `NotFound`, `NotAllowed`, `BadState` when it is
    closed already.
    """
    if reach(person, Action.INCIDENT_OPEN) is not Scope.ALL or not may(person, Action.INCIDENT_READ):
        raise NotAllowed("role")
    begin_write(session)
    row = session.scalars(select(IncidentRow).where(IncidentRow.number == number.strip().upper())).one_or_none()
    if row is None:
        raise NotFound("no incident with this number")
    case = session.get_one(Case, row.case_id)
    cases.locked(session, case.number)
    session.refresh(row)
    if row.state != "open":
        raise BadState(f"incident {row.number} is {row.state}")
    cases.back_to_queue(session, case.number, rules)
    row.state, row.evidence_hold, row.closed, row.closed_by = "closed", False, db_now(session), person.id
    row.closed_reason = reason[:64]
    session.flush()
    audit.append(session, "incident:case:closed", actor=person.id, subject=case.number,
                 body={"incident": row.number, "reason": reason})
    return _value(row, case.number)


def _code(body: dict[str, Any]) -> str:
    return next((str(body[name]) for name in _CODES if body.get(name)), "")


def _value(row: IncidentRow, case: str) -> Incident:
    return Incident(row.number, case, row.kind, row.state, row.evidence_hold, row.suspends, row.persons, row.elements,
                    row.exposure, row.division, row.opened, row.opened_by)
