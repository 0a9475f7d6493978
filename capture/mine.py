"""What a user is told about their own items, says about a hold, and is asked to learn after several."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from capture.ports import Scanner
from capture.settings import Settings
from capture.wording import WordsRefused, checked
from store import audit, cases, follow, outbox, people, reports
from store.access import Person, Thing
from store.crypto import Keys
from store.database import Database
from store.errors import NotFound
from store.follow import Ladder
from store.reports import Report


def mailboxes_of(addresses: Collection[str], settings: Settings) -> frozenset[str]:
    """The names under which somebody's mailbox may be watched: the address, and its local part at our domain."""
    ours = settings.mailbox.domain.casefold()
    local = {address.rpartition("@")[0] for address in addresses if ours and address.rpartition("@")[2] == ours}
    return frozenset(addresses) | local


def ladder_of(settings: Settings) -> Ladder:
    """When a course is asked for, by the settings."""
    chosen = settings.accountability
    return Ladder(chosen.training_holds, chosen.training_days, chosen.course)


def thing_of(session: Session, settings: Settings, number: str, person: Person) -> Thing:
    """A case as something to report on: the person's own when they tracked it. Raises `NotFound`."""
    case = cases.get(session, number)
    tracked = reports.tracked_by(session, case.number, mailboxes_of(person.addresses, settings))
    return Thing(owner=person.id if tracked else "")


def follow_up(session: Session, settings: Settings, capture: str, address: str, number: str) -> dict[str, Any]:
    """An item was held: what its user's notice says besides. Opens a follow-up, and asks for the course when due."""
    if cases.get(session, number).reason != follow.PERSONAL:
        return {}
    person = people.by_address(session, address)
    if person is None:
        return {}
    ladder = ladder_of(settings)
    step = follow.held(session, person.id, mailboxes_of({person.address}, settings), number, ladder)
    if step.step == follow.TRAINING:
        outbox.add(session, key=f"{capture}/training", recipient=person.address, template="training", data={
            "holds": step.holds, "days": ladder.days, "course": ladder.course}, capture_id=capture)
    return {"tip": True} if step.step == follow.TIP else {}


def report(database: Database, keys: Keys, scanner: Scanner, number: str, person: Person, code: str,
           text: str) -> Report:
    """A user's report, once its words are scanned. Raises `WordsRefused` with kinds only; nothing of it is kept then,
    and the audit says so."""
    try:
        plain = checked(scanner, text)
    except WordsRefused as refused:
        with database.session() as session:
            audit.append(session, "case:report:refused", actor=person.id, subject=cases.get(session, number).number,
                         body={"kinds": refused.facts.split(", ")})
        raise
    with database.session() as session:
        return reports.make(session, keys, number, person.id, code, plain)


def answer(database: Database, keys: Keys, scanner: Scanner, number: str, report_id: str, code: str, text: str, *,
           actor: str) -> Report:
    """A reviewer's answer to a report on this case; its words are scanned too. Raises `WordsRefused`, `NotFound`."""
    plain = checked(scanner, text)
    with database.session() as session:
        if report_id not in {one.id for one in reports.of_case(session, keys, number)}:
            raise NotFound("no such report on this case")
        return reports.answer(session, keys, report_id, code, plain, actor=actor)


def effect(session: Session, settings: Settings) -> dict[str, Any]:
    """What the courses did, over everybody."""
    boxes = {row.id: mailboxes_of({row.address}, settings) for row in people.listed(session)}
    return follow.effect(session, boxes, ladder_of(settings))
