"""A user's own items, their report and its answer, and what repeated holds lead to; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from register import enter, loaded
from sqlalchemy import text
from sqlalchemy.orm import Session
from stores import BLOCK, PASS, finish, opened, sight

from capture import mine
from capture.notices import render
from capture.settings import MailboxSettings, Settings
from capture.wording import WordsRefused
from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.text import Block, Extraction
from store import audit, cases, follow, people, reports
from store.access import Action, Role, may
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, DatabaseConflict, NotFound
from store.follow import Ladder

SETTINGS = Settings(mailbox=MailboxSettings(domain="example.org"))
LADDER = Ladder(3, 90, "privacy-course")
DAY = timedelta(days=1)


@dataclass
class Home:
    """A database, and the ids of its people."""

    db: Database
    keys: Keys
    dana: str
    omar: str
    vera: str

    def hold(self, name: str, mailbox: str = "dana") -> str:
        """An item held for a mailbox; returns its case."""
        held = finish(self.db, *sight(self.db, self.keys, mailbox, f"{name}@x", BLOCK, content=name.encode()))
        assert held is not None
        return held.number


@pytest.fixture
def home(store_url: str) -> Iterator[Home]:
    with opened(store_url) as (db, keys):
        with db.session() as s:
            ids = [enter(s, name, role) for name, role in (
                ("dana", Role.STAFF), ("omar", Role.STAFF), ("vera", Role.REVIEWER))]
        yield Home(db, keys, *ids)


class Reader:
    """A scanner that blocks a text with a digit in it."""

    def scan(self, extraction: Extraction) -> Report:
        block = extraction.parts[0].blocks[0]
        assert isinstance(block, Block)
        found = any(c.isdigit() for c in block.text)
        return Report((Finding(Category.GOVERNMENT_ID, "sin", "text", 0, 0, 0, 1, 1.0),) if found else ())

    def decide(self, report: Report, _extraction: Extraction) -> Decision:
        return Decision(Verdict.BLOCK if report.findings else Verdict.PASS, "test", "test@1", report.findings)


def test_a_user_sees_their_items_in_four_states_and_nobody_elses(home: Home) -> None:
    linked, ruling = sight(home.db, home.keys, "Dana", "l@x", PASS, content=b"l")
    finish(home.db, linked, ruling)
    number = home.hold("one", "dana@example.org")
    deleted = home.hold("two")
    home.hold("three", "omar")
    with home.db.session() as s:
        cases.delete(s, deleted, actor="vera", reason="confirmed")
    with home.db.reading() as s:
        who = loaded(s, home.dana)
        items = reports.mine(s, mine.mailboxes_of(who.addresses, SETTINGS))
    assert {(item["state"], item["number"]) for item in items} == {
        ("tracked", ""), ("held", number), ("not-tracked", deleted)}
    held = next(item for item in items if item["number"] == number)
    assert held["lines"] == [{"place": "body", "kind": "government_id", "count": 1}]


def test_only_who_tracked_it_may_report_on_a_case(home: Home) -> None:
    number = home.hold("one")
    with home.db.reading() as s:
        for who, allowed in ((home.dana, True), (home.omar, False), (home.vera, False)):
            person = loaded(s, who)
            assert bool(may(person, Action.CASE_REPORT, mine.thing_of(s, SETTINGS, number, person))) == allowed
        with pytest.raises(NotFound):
            mine.thing_of(s, SETTINGS, "MW-2026-999999", loaded(s, home.dana))


def test_a_report_is_scanned_sealed_answered_and_told(home: Home) -> None:
    number = home.hold("one")
    with home.db.reading() as s:
        dana = loaded(s, home.dana)
    with pytest.raises(WordsRefused, match="government_id"):
        mine.report(home.db, home.keys, Reader(), number, dana, "other", "her number is 130 692 544")
    with home.db.reading() as s:
        assert reports.of_case(s, home.keys, number) == ()
        [event] = audit.show(s, action="case:report:refused")
        assert event.body == {"kinds": ["government_id"]}
    made = mine.report(home.db, home.keys, Reader(), number, dana, "business-contact", "the front desk, see the table")
    with pytest.raises(BadState):
        mine.report(home.db, home.keys, Reader(), number, dana, "other", "again")
    with pytest.raises(WordsRefused):
        mine.answer(home.db, home.keys, Reader(), number, made.id, "explained", "call 1234567", actor=home.vera)
    with pytest.raises(NotFound):
        mine.answer(home.db, home.keys, Reader(), home.hold("two"), made.id, "explained", "", actor=home.vera)
    mine.answer(home.db, home.keys, Reader(), number, made.id, "stays-held", "two rows are people", actor=home.vera)
    with home.db.reading() as s:
        [kept] = reports.of_person(s, home.keys, home.dana)
        stored = s.execute(text("SELECT text, answer FROM case_report")).one()
        notice = s.execute(text("SELECT recipient, template FROM notice WHERE template = 'report-answered'")).one()
    assert (kept.text, kept.answer_code, kept.answer) == (
        "the front desk, see the table", "stays-held", "two rows are people")
    assert b"front desk" not in bytes(stored[0])
    assert b"rows" not in bytes(stored[1])
    assert notice[0] == "dana@example.org"
    told = render("report-answered", {"case": number, "answer": "stays-held"}, contact="the privacy office")
    assert number in told.text
    assert "front desk" not in told.text


def test_nobody_answers_their_own_report_and_none_is_made_on_a_closed_case(home: Home) -> None:
    number = home.hold("one")
    with home.db.session() as s:
        made = reports.make(s, home.keys, number, home.dana, "public")
    with pytest.raises(BadState), home.db.session() as s:
        reports.answer(s, home.keys, made.id, "released", actor=home.dana)
    with pytest.raises(DatabaseConflict), home.db.session() as s:
        s.execute(text("UPDATE case_report SET answered_by = person_id"))
    with home.db.session() as s:
        cases.delete(s, number, actor="vera", reason="confirmed")
    with pytest.raises(BadState), home.db.session() as s:
        reports.make(s, home.keys, number, home.omar, "public")


# ----------------------------------------------------------------------------------------------- follow-up

def step(home: Home, number: str) -> str:
    with home.db.session() as s:
        return follow.held(s, home.dana, {"dana"}, number, LADDER).step


def test_the_first_hold_brings_a_tip_and_the_third_a_course_once(home: Home) -> None:
    numbers = [home.hold(name) for name in "abcde"]
    with home.db.engine.begin() as connection:
        connection.execute(text("UPDATE capture SET created = :at WHERE case_id > 1"), {"at": old(home.db, 200)})
    assert step(home, numbers[0]) == "tip"
    assert step(home, numbers[1]) == "", "holds of long ago do not count"
    with home.db.engine.begin() as connection:
        connection.execute(text("UPDATE capture SET created = :at"), {"at": old(home.db, 0)})
    assert step(home, numbers[2]) == "training"
    assert step(home, numbers[3]) == "", "one course at a time"
    with home.db.reading() as s:
        assert follow.counts(s, ["north"]) == [{"division": "north", "tips": 1, "asked": 1, "done": 0}]
        assert follow.counts(s, ["south"]) == []
        assert [done for _, done in follow.of_person(s, home.dana)] == [False]
    with home.db.session() as s:
        people.record_training(s, home.dana, LADDER.course, completed=now(), expires=now() + DAY, actor="jules")
    with home.db.reading() as s:
        assert follow.counts(s, None)[0]["done"] == 1
    assert step(home, numbers[4]) == "", "what was before the course does not count any more"


def test_what_a_reviewer_released_does_not_count(home: Home) -> None:
    numbers = [home.hold(name) for name in "abc"]
    assert step(home, numbers[0]) == "tip"
    with home.db.session() as s:
        cases.release(s, numbers[1], actor="vera", reason="false-positive")
    assert step(home, numbers[2]) == ""


def test_the_effect_counts_who_was_held_again_after_the_course(home: Home) -> None:
    numbers = [home.hold(name) for name in "abcd"]
    with home.db.engine.begin() as connection:
        connection.execute(text("UPDATE capture SET created = :at WHERE case_id < 4"), {"at": old(home.db, 150)})
        connection.execute(text("UPDATE capture SET created = :at WHERE case_id = 4"), {"at": old(home.db, 100)})
    with home.db.session() as s:
        s.add(follow.FollowUp(person_id=home.dana, step="training", number=numbers[2], course=LADDER.course,
                              opened=now() - 140 * DAY))
        people.record_training(s, home.dana, LADDER.course, completed=now() - 130 * DAY, expires=now() + DAY,
                               actor="jules")
    with home.db.reading() as s:
        assert follow.effect(s, {home.dana: {"dana"}}, LADDER) == {
            "days": 90, "people": 1, "held_again": 1, "holds_before": 3, "holds_after": 1}


def test_the_notice_of_the_first_hold_has_a_tip_and_the_third_mail_names_the_course(home: Home) -> None:
    settings = SETTINGS.model_copy(update={"accountability": SETTINGS.accountability.model_copy(
        update={"course": LADDER.course})})
    said = []
    for n, name in enumerate("abc"):
        number = home.hold(name)
        with home.db.session() as s:
            said.append(mine.follow_up(s, settings, f"c{n}", "dana@example.org", number)
                        if n < 2 else mine.follow_up(s, settings, capture_of(s, number), "dana@example.org", number))
    assert said == [{"tip": True}, {}, {}]
    with home.db.reading() as s:
        [(recipient, data)] = s.execute(text("SELECT recipient, data FROM notice WHERE template = 'training'")).all()
    assert recipient == "dana@example.org"
    assert LADDER.course in str(data)
    words = render("held", {"case": "MW-2026-000001", "sent": "", "joined": False, "lines": [], "more": 0, "tip": True},
                   contact="us").text
    assert "Tip:" in words


def capture_of(session: Session, number: str) -> str:
    return cases.trackers(session, cases.get(session, number))[0].id


def old(db: Database, days: int) -> object:
    """A moment some days ago, as the database takes it."""
    moment = now() - days * DAY
    return moment.replace(tzinfo=None).isoformat(" ") if db.is_sqlite else moment
