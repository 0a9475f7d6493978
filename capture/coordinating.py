"""Two things anybody may ask of whoever answers for a record of the CRM, with a notice to them: a question before one
talks to the same people (D14), and that a person wants to be forgotten (D15).

A notice names nobody but the colleague who asks. Where a record has no owner, those who keep the records of its
division are told.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from capture import records
from capture.ports import Scanner
from capture.reminding import officers
from capture.settings import Settings
from store import audit, crm_suppression, crm_work, outbox, people
from store.access import Role
from store.columns import now
from store.crm_access import Who
from store.crm_work import Entry
from store.crm_work_tables import OptOut
from store.database import Database, begin_write
from store.errors import BadState
from store.people_tables import PersonDivision, PersonRow

SUBJECT = "Question to the owner"
OWNER, OFFICER = "owner", "officer"
"""Who is told that a request to be forgotten is overdue."""
MOST_QUESTION = 2000


def ask_owner(database: Database, scanner: Scanner, who: Who, kind: str, ident: str, question: str) -> str:
    """Put a question about a record to its owner; returns the id of the task that holds it. It stands on the record's
    timeline, in the division of the record, so that the owner can answer and close it.

    Raises `TypedRefused`, `BadState` for no question, one's own record, or one nobody answers for.
    """
    if not question.strip() or len(question) > MOST_QUESTION:
        raise BadState(f"a question has a text of at most {MOST_QUESTION} characters")
    records.scanned(database, scanner, who, {"question": question})
    with database.session() as session:
        row = crm_work.seen(session, who, kind, ident)
        if who.person is not None and row.owner == who.person.id:
            raise BadState("the record is your own")
        told = answering_for(session, row.owner, row.division)
        if not told:
            raise BadState("nobody answers for this record")
        task = crm_work.log(session, who, Entry("task", SUBJECT, question, about=[(kind, ident)],
                                                division=row.division))
        by = _name(session, who)
        for place, address in enumerate(told, 1):
            outbox.add(session, key=f"ask/{task}/{place}", recipient=address, template="owner-asked",
                       data={"by": by, "kind": kind})
    return task


def asked_to_be_forgotten(database: Database, who: Who, contact: str, medium: str) -> OptOut:
    """Write that a contact asked to be forgotten, by whatever medium, and tell the owner; told again, it stays one.

    Raises `NotFound`, `NotAllowed`.
    """
    with database.session() as session:
        request = crm_suppression.ask(session, who, contact, medium=medium)
        data = {"by": _name(session, who), "medium": medium, "due": request.due.date().isoformat()}
        for place, address in enumerate(answering_for(session, request.owner, request.division), 1):
            outbox.add(session, key=f"forget/{request.id}/{place}", recipient=address, template="forget-asked",
                       data=data)
    return request


def remind(database: Database, settings: Settings) -> int:
    """Tell of requests to be forgotten that are overdue: whoever answers for the contact with the administrators of its
    division, then, `review.overdue_hours` later, the privacy officers; each once. Returns how many notices that made.
    A purge is theirs to do: nothing is destroyed because time passed."""
    moment, notices = now(), 0
    steps = ((OWNER, moment), (OFFICER, moment - timedelta(hours=settings.review.overdue_hours)))
    with database.reading() as session:
        late = [(step, request.id) for step, before in steps for request in crm_suppression.late(session, before)
                if not outbox.told(session, _late_key(request.id, step))]
    for step, ident in late:
        with database.session() as session:
            notices += _remind(session, settings, ident, step, moment)
    return notices


def _remind(session: Session, settings: Settings, ident: str, step: str, moment: datetime) -> int:
    begin_write(session)
    request = session.get_one(OptOut, ident, populate_existing=True)
    if request.state != "open" or outbox.told(session, _late_key(ident, step)):  # meanwhile
        return 0
    told = officers(session, settings) if step == OFFICER else tuple(dict.fromkeys((
        *answering_for(session, request.owner, request.division), *answering_for(session, "", request.division))))
    data = {"told": step, "days": (moment - request.at).days, "due": request.due.date().isoformat()}
    for place, address in enumerate(told, 1):
        outbox.add(session, key=_late_key(ident, step, place), recipient=address, template="forget-overdue", data=data)
    if told:
        audit.append(session, "crm:opt-out:overdue", actor="mailweir", subject=request.contact_id, body={"told": step})
    return len(told)


def _late_key(ident: str, step: str, place: int = 1) -> str:
    return f"forget-late/{ident}/{step}/{place}"


def answering_for(session: Session, owner: str, division: str) -> tuple[str, ...]:
    """The addresses of those who answer for a record: its owner, or while there is none who is active, the
    administrators of its division."""
    row = session.get(PersonRow, owner) if owner else None
    if row is not None and row.state == "active":
        return (row.address,)
    if not division:
        return ()
    members = session.scalars(select(PersonRow).join(
        PersonDivision, col(PersonDivision.person_id) == col(PersonRow.id)).where(
            PersonDivision.division == division, col(PersonDivision.ended).is_(None), PersonRow.state == "active")
        .order_by(col(PersonRow.address))).all()
    moment = now()
    return tuple(member.address for member in members
                 if Role.DIVISION_ADMIN in people.roles_of(session, member.id, moment))


def _name(session: Session, who: Who) -> str:
    row = session.get(PersonRow, who.actor)
    return row.address if row is not None else "the operator"
