"""Cases that were held before there was a desk: after the upgrade they stand in the queue, and can be decided."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from stores import MASTER

from capture import deciding
from capture.settings import MailboxSettings, Settings
from store import audit, cases, desk, identity, people, quarantine, rulings
from store.access import Person, Role
from store.crypto import Keys
from store.database import Database, _config, open_database, upgrade
from store.errors import NotAllowed
from store.tables import Capture, CaptureState, Case, CaseState, Item
from store.vault import prepare

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
TAGGER, SENDER = "tagger@example.org", "rose@client.example"
ROSTER, ONE, SEEN, WORDS, LOCKED, PASSED, GONE = (f"MW-2026-{n:06}" for n in range(1, 8))


def counted(sensitivity: str, persons: int, count: int, **more: object) -> dict[str, Any]:
    """What the store kept of a verdict: so many values of so many people."""
    return {"verdict": "block", "categories": ["education_record"], "persons": persons, "sensitivity": sensitivity,
            "findings": [{"kind": "education_record", "place": "body", "rule": "test", "count": count}], **more}


HELD = {
    WORDS: {"verdict": "review", "doubt": 0.8},
    SEEN: counted("L3", 0, 1, exposure=2),
    LOCKED: {"verdict": "review", "unread": [{"place": "attachment 1 of 1 (zip)", "code": "encrypted"}]},
    ONE: counted("L5", 0, 1),
    ROSTER: counted("L4", 31, 62, minors=31),
}
CLOSED = {PASSED: CaseState.RELEASED, GONE: CaseState.DELETED}


@pytest.fixture
def before(empty_url: str) -> Iterator[tuple[Database, Keys]]:
    """A database of the schema 0007: five held cases with their content, two closed ones, people of two divisions."""
    db, keys = open_database(empty_url, pool_size=5, create=True), Keys(MASTER)
    with _config() as config, db.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
    with db.session() as session:
        for division in ("north", "south"):
            people.add_division(session, division, actor="root")
        for name, division in (("tagger", "north"), ("anna", "north"), ("cleo", "south"), ("pia", "south")):
            people.add(session, f"{name}@example.org", actor="root", divisions=(division,))
        for number in HELD:
            hold(session, keys, number, HELD[number])
        for number, state in CLOSED.items():
            hold(session, keys, number, counted("L4", 1, 1), state)
    yield db, keys
    db.close()


def hold(session: Any, keys: Keys, number: str, kept: dict[str, Any], state: CaseState = CaseState.HELD) -> None:
    """One case as the release before the desk left it."""
    item = Item(item_key=identity.message_key(keys, f"<{number}@example.com>"), state="held")
    session.add(item)
    session.flush()
    held = state == CaseState.HELD
    case = Case(number=number, item_id=item.id, content_hash=number, state=state, reason="personal-information",
                open_key=f"{item.id}/{number}" if held else None, verdict=kept["verdict"], summary=kept,
                opened=MONDAY, closed=None if held else MONDAY)
    session.add(case)
    session.flush()
    capture = Capture(mailbox="tagger", source_key=number, item_id=item.id, case_id=case.id, summary=kept,
                      state=CaptureState.NOTIFIED, outcome="hold" if held else "link")
    session.add(capture)
    session.flush()
    if held and case.id is not None:
        mail = f"From: {SENDER}\r\nTo: {TAGGER}, anna@example.org\r\n\r\nhello" if number == ONE else \
            f"From: {SENDER}\r\nTo: {TAGGER}\r\n\r\nhello"
        quarantine.stage(session, keys, capture.id, quarantine.MAIL, mail.encode())
        quarantine.hold(session, capture.id, case.id)


def after(db: Database, keys: Keys) -> None:
    upgrade(db)
    prepare(db, keys)


def who(db: Database, name: str, role: Role, division: str) -> Person:
    address = f"{name}@example.org"
    with db.reading() as session:
        row = people.by_address(session, address)
        assert row is not None
        return Person(row.id, frozenset({role}), frozenset({division}), frozenset({address}))


def completed(db: Database, keys: Keys) -> int:
    """The worker's part, which needs the master key."""
    settings = Settings(mailbox=MailboxSettings(domain="example.org"))
    return deciding.complete(SimpleNamespace(database=db, keys=keys, settings=settings))  # type: ignore[arg-type]


def test_every_held_case_stands_in_the_queue_by_its_risk(before: tuple[Database, Keys]) -> None:
    db, keys = before
    after(db, keys)
    pia = who(db, "pia", Role.PRIVACY_OFFICER, "south")
    with db.reading() as session:
        page = desk.queue(session, pia)
        assert [(row.number, row.risk.score, row.risk.band, row.due.isoformat()[:13]) for row in page.rows] == [
            (ROSTER, 45.0, "critical", "2026-03-02T13"), (ONE, 10.0, "critical", "2026-03-02T13"),
            (SEEN, 6.0, "high", "2026-03-03T09"), (WORDS, 1.0, "low", "2026-03-09T09")]
        assert (page.rows[0].persons, page.rows[0].elements, page.rows[0].minors) == (31, 62, 31)
        assert page.rows[2].risk.exposure == 2
        [locked] = desk.queue(session, pia, tab="unreadable").rows
        assert (locked.number, locked.risk.band) == (LOCKED, "medium")
        assert (page.counts["queue"], page.counts["unreadable"], page.overdue) == (4, 1, 5)


def test_a_closed_case_has_its_row_and_is_in_no_tab(before: tuple[Database, Keys]) -> None:
    db, keys = before
    after(db, keys)
    with db.reading() as session:
        tabs = dict(session.execute(sa.text(
            "SELECT number, tab FROM desk_case JOIN quarantine_case ON id = case_id")).all())
        assert {number: tabs[number] for number in CLOSED} == dict.fromkeys(CLOSED, "")
        assert len(tabs) == len(HELD) + len(CLOSED)
        assert completed(db, keys) == len(HELD)
        assert desk.row(session, PASSED).number == PASSED


def test_nobody_opens_or_claims_a_case_before_its_parties_are_known(before: tuple[Database, Keys]) -> None:
    db, keys = before
    after(db, keys)
    anna, pia = who(db, "anna", Role.REVIEWER, "north"), who(db, "pia", Role.PRIVACY_OFFICER, "south")
    with db.reading() as session:
        assert desk.queue(session, anna).rows == (), "whose it is is not known yet"
    for person in (anna, pia):
        with pytest.raises(NotAllowed), db.session() as session:
            desk.claim(session, keys, ROSTER, person)
    assert (completed(db, keys), completed(db, keys)) == (len(HELD), 0)
    with db.session() as session:
        assert desk.claim(session, keys, ROSTER, anna).number == ROSTER


def test_whose_a_case_is_and_who_is_a_party_to_it_is_found_out_afterwards(before: tuple[Database, Keys]) -> None:
    db, keys = before
    after(db, keys)
    completed(db, keys)
    anna, cleo = who(db, "anna", Role.REVIEWER, "north"), who(db, "cleo", Role.REVIEWER, "south")
    with db.session() as session:
        assert [row.number for row in desk.queue(session, anna).rows] == [ROSTER, ONE, SEEN, WORDS]
        assert desk.queue(session, cleo).rows == ()
        for person, number in ((cleo, ROSTER), (anna, ONE)):  # another division's; one's own mail
            with pytest.raises(NotAllowed):
                desk.claim(session, keys, number, person)
        family = desk.family(session, SEEN, anna)
        assert {member.row.number for member in family.members} >= {ROSTER, SEEN}


def test_such_a_case_is_decided_like_any_other(before: tuple[Database, Keys]) -> None:
    db, keys = before
    after(db, keys)
    completed(db, keys)
    anna = who(db, "anna", Role.REVIEWER, "north")
    with db.session() as session:
        desk.propose(session, keys, SEEN, anna, "delete", "confirmed", seconds=0)
    with db.session() as session:
        assert [rulings.take(session, ident) is not None for ident in rulings.due(session)] == [True]
    with db.snapshot() as session:
        assert cases.get(session, SEEN).state == CaseState.DELETED
        assert quarantine.blobs(session, case_id=cases.get(session, SEEN).id) == ()
        assert audit.verify(session).ok
