"""Telling those in charge: of cases that are overdue, and of an incident. Counts and codes only.

An overdue case goes before the deputy, then before the privacy officer, and once more when it has been open for very
long. It stays held whatever happens: nothing here releases or destroys.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Final

from sqlmodel import Session

from capture.settings import Settings
from store import audit, filing, outbox, people
from store.access import Role
from store.columns import now
from store.database import Database
from store.desk import incident_of
from store.risk import BANDS
from store.tables import new_id

NOBODY, DEPUTY, OFFICER, EXPIRED = 0, 1, 2, 3
"""Who was told of a case (`DeskCase.told`)."""
AT_ONCE: Final = 500


def remind(database: Database, settings: Settings) -> int:
    """Tell the next in line of what is overdue, each case once for each of them; returns how many notices that made."""
    chosen, moment = settings.review, now()
    first = DEPUTY if chosen.deputy else OFFICER
    patience, expiry = timedelta(hours=chosen.overdue_hours), timedelta(days=chosen.expiry_days)
    steps = [(NOBODY, first, moment, False), (DEPUTY, OFFICER, moment - patience, False),
             *((told, EXPIRED, moment - expiry, True) for told in (NOBODY, DEPUTY, OFFICER))]
    notices = 0
    for told, then, before, by_age in steps:
        with database.reading() as session:
            waits = filing.overdue(session, told, before, by_age=by_age, limit=1, lock=False)
        if waits:
            with database.session() as session:
                found = filing.overdue(session, told, before, by_age=by_age, limit=AT_ONCE)
                notices += _tell(session, settings, [(row.band, number) for row, number in found], then)
                for row, _ in found:
                    row.told = then
    return notices


def tell_incident(database: Database, settings: Settings, case: str) -> None:
    """Tell the privacy officers of the incident a case became, once."""
    with database.session() as session:
        incident = incident_of(session, case)
        if incident is None:
            return
        data = {"incident": incident.number, "case": incident.case, "kind": incident.kind,
                "persons": incident.persons, "exposure": incident.exposure}
        for place, recipient in enumerate(officers(session, settings), 1):
            outbox.add(session, key=f"{incident.number}/{place}", recipient=recipient, template="incident", data=data)


def officers(session: Session, settings: Settings) -> tuple[str, ...]:
    """The addresses of those who are told as privacy officer."""
    if settings.review.privacy_officer:
        return (settings.review.privacy_officer,)
    moment = now()
    return tuple(row.address for row in people.listed(session) if row.state == "active"
                 and Role.PRIVACY_OFFICER in people.roles_of(session, row.id, moment))


def _tell(session: Session, settings: Settings, found: list[tuple[str, str]], told: int) -> int:
    counted = Counter(band for band, _ in found)
    data = {"cases": len(found), "bands": {band: counted[band] for band in BANDS if counted[band]}, "told": told}
    recipients = (settings.review.deputy,) if told == DEPUTY else officers(session, settings)
    batch = new_id()
    for place, recipient in enumerate(recipients, 1):
        outbox.add(session, key=f"overdue/{batch}/{place}", recipient=recipient, template="overdue", data=data)
    for _, number in found:
        audit.append(session, "quarantine:case:overdue", actor="mailweir", subject=number, body={"told": told})
    return len(recipients)
