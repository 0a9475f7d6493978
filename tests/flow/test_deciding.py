"""From a reviewer's ruling to the CRM, the mailbox and the notices: real store, readers, CRM; a quick scanner."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from inprocess import read
from mailboxes import plain_mail
from register import enter, loaded
from sqlmodel import Session, select
from world import SETTINGS, make_world

from capture import deciding, marking, pipeline, reminding
from capture.desk import close_incident
from capture.errors import TryLater
from capture.mailbox.memory import MemoryMailbox
from capture.redaction import NotClean, suggested
from capture.watch import Watch
from capture.wire import from_bytes
from capture.wiring import Tools, build_crm, build_notifier, opened
from pii_scan.findings import Category, Decision, Finding, Report
from pii_scan.policy import decide, load_pack
from pii_scan.text import Block, Extraction
from store import audit, cases, crm_records, desk, quarantine, rescan
from store.access import Person, Role
from store.crm_tables import Activity
from store.database import Database
from store.desk_tables import CaseParty, DeskCase, RulingRow
from store.errors import NotAllowed
from store.tables import Capture, Case, Notice

DANA = "dana@example.org"
BODY = "Hello,\n\nthe room is booked for Monday. The number is 130 692 544 as asked.\n\nRegards\nRose\n"


class Scanner:
    """Finds nine digits and says where; what else is looked for can be changed."""

    def __init__(self) -> None:
        self.pack, self.wanted = load_pack("bc_foippa"), r"\b\d{3} ?\d{3} ?\d{3}\b"

    def scan(self, extraction: Extraction) -> Report:
        """Every match in every block of text."""
        return Report(tuple(
            Finding(Category.GOVERNMENT_ID, "digits", part.place, p, b, found.start(), found.end(), 1.0)
            for p, part in enumerate(extraction.parts) for b, block in enumerate(part.blocks)
            if isinstance(block, Block) for found in re.finditer(self.wanted, block.text)))

    def decide(self, report: Report, extraction: Extraction) -> Decision:
        """What the policy says."""
        return decide(report, extraction.unread, self.pack)


class Reader:
    """The readers, in this process."""

    def extract(self, raw: bytes, *, name: str = "") -> Extraction:
        """What they make of it."""
        return read(raw, name)

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Weir:
    """A home with a mailbox in memory, two reviewers and a privacy officer."""

    tools: Tools
    mailbox: MemoryMailbox
    scanner: Scanner
    people: dict[str, str] = field(default_factory=dict)

    @property
    def db(self) -> Database:
        """The database."""
        return self.tools.database

    def person(self, name: str) -> Person:
        """Somebody, signed in."""
        with self.db.reading() as session:
            return loaded(session, self.people[name])

    def work(self) -> None:
        """Look into the mailbox and work through what is tagged."""
        queued: list[str] = []
        watch = Watch(self.tools, lambda _, capture: queued.append(capture))
        try:
            watch.look(everywhere=True)
        finally:
            watch.close()
        for capture in queued:
            pipeline.capture_item(capture, self.tools)

    def held(self, name: str, body: str = BODY, user: str = DANA) -> tuple[str, str]:
        """A mail that is held: the item in the mailbox and the case."""
        item = self.mailbox.add(user, plain_mail(name, body, f"{name}@client.example.com", user=user), folder="Inbox",
                                categories=("Track in CRM",))
        self.work()
        with self.db.reading() as session:
            return item, session.scalars(select(Case.number).order_by(sa.desc(Case.number)).limit(1)).one()  # type: ignore[arg-type]

    def rule(self, number: str, outcome: str, who: str = "vera", **more: Any) -> desk.Ruling:
        """A ruling whose undo window is over, with the second person's agreement if one is needed."""
        with self.db.session() as session:
            made = desk.propose(session, self.tools.keys, number, self.person(who), outcome, "checked", seconds=0,
                                **more)
        if made.needs_second:
            with self.db.session() as session:
                return desk.second(session, self.tools.keys, number, self.person("ines"), True, "checked", seconds=0)
        return made

    def redaction(self, number: str) -> desk.Redaction:
        """The copy without what the scanner found."""
        with self.db.reading() as session:
            case = cases.get(session, number)
            kept = quarantine.blobs(session, case_id=case.id, kind="extraction")
            extraction = from_bytes(quarantine.read(session, self.tools.keys, kept[-1].id))
        secret = deciding.secret_of(self.tools.keys, number)
        refs = suggested(extraction, self.scanner.scan(extraction), secret=secret)
        return deciding.redacted(self.tools, number, refs)

    def state(self, number: str) -> str:
        """How the case stands."""
        with self.db.reading() as session:
            return cases.get(session, number).state

    def shown(self, item: str) -> list[str]:
        """What the item shows."""
        return self.mailbox.items[item].categories

    def bodies(self) -> list[str]:
        """The activities' texts in the CRM."""
        with self.db.reading() as session:
            return list(session.scalars(select(Activity.body)))

    def notices(self, template: str) -> list[tuple[str, dict[str, Any]]]:
        """Who was told what."""
        with self.db.reading() as session:
            return [(n.recipient, n.data) for n in session.scalars(
                select(Notice).where(Notice.template == template).order_by(Notice.recipient))]

    def with_review(self, **changed: Any) -> None:
        """Other values in `[review]`."""
        settings = self.tools.settings
        self.tools = replace(self.tools, settings=settings.model_copy(update={
            "review": settings.review.model_copy(update=changed)}))


@pytest.fixture
def weir(tmp_path: Path, store_url: str) -> Iterator[Weir]:
    settings = make_world(tmp_path / "home", SETTINGS, database="" if "sqlite" in store_url else store_url).settings
    with opened(settings) as (database, keys):
        mailbox, scanner = MemoryMailbox(), Scanner()
        made = Weir(Tools(settings, database, keys, mailbox, Reader(), scanner, build_crm(settings, database),
                          build_notifier(settings)), mailbox, scanner)
        with database.session() as session:
            for name, role in (("dana", Role.STAFF), ("vera", Role.REVIEWER), ("omar", Role.REVIEWER),
                               ("ines", Role.PRIVACY_OFFICER)):
                made.people[name] = enter(session, name, role)
        yield made


# ------------------------------------------------------------------------------------------- what is shown

def test_a_claim_is_shown_on_the_item_and_the_outcome_after_it(weir: Weir) -> None:
    item, number = weir.held("m")
    assert weir.shown(item) == ["CRM: held"]
    with weir.db.session() as session:
        desk.claim(session, weir.tools.keys, number, weir.person("vera"))
    assert deciding.show(weir.tools, number) == 1
    assert weir.shown(item) == ["CRM: in review"]
    with weir.db.session() as session:
        desk.unclaim(session, number, weir.person("vera"))
    assert deciding.owe_show(weir.db, number) == 1
    assert weir.shown(item) == ["CRM: in review"], "a process without mailboxes leaves it to the worker"
    assert marking.pay(weir.tools) == 1
    assert weir.shown(item) == ["CRM: held"]
    weir.rule(number, "release")
    assert deciding.settle(weir.tools) == 2
    assert weir.shown(item) == ["CRM: linked"]
    assert "130 692 544" in weir.bodies()[0]


def test_a_state_that_is_late_never_covers_the_outcome(weir: Weir, monkeypatch: pytest.MonkeyPatch) -> None:
    item, number = weir.held("m")
    with weir.db.session() as session:
        desk.claim(session, weir.tools.keys, number, weir.person("vera"))
    mark = MemoryMailbox.mark
    released = []

    def slow(self: MemoryMailbox, ref: Any, state: str, stamp: Any) -> Any:
        if state == "in review" and not released:
            released.append(weir.rule(number, "release"))
            deciding.settle(weir.tools)  # while this mark is on its way
        return mark(self, ref, state, stamp)

    monkeypatch.setattr(MemoryMailbox, "mark", slow)
    deciding.show(weir.tools, number)
    assert released
    assert weir.shown(item) == ["CRM: linked"]


# --------------------------------------------------------------------------------------------- outcomes

def test_what_is_deleted_is_gone_and_its_trackers_are_told(weir: Weir) -> None:
    item, number = weir.held("m")
    weir.rule(number, "delete")
    deciding.settle(weir.tools)
    assert weir.shown(item) == ["CRM: held"]
    marking.pay(weir.tools)
    assert (weir.state(number), weir.shown(item)) == ("deleted", ["CRM: not tracked"])
    assert weir.notices("deleted") == [(DANA, {"case": number})]
    with weir.db.reading() as session:
        [capture] = session.scalars(select(Capture)).all()
        assert capture.locator is None, "where it was is forgotten"
        assert all(blob.destroyed for blob in quarantine.blobs(session, case_id=capture.case_id, destroyed=True))
        assert audit.verify(session).ok
    assert weir.bodies() == []


def test_a_redacted_copy_is_linked_and_the_original_never(weir: Weir) -> None:
    item, number = weir.held("m")
    with pytest.raises(NotClean):
        deciding.redacted(weir.tools, number, ())
    weir.rule(number, "redact", redaction=weir.redaction(number))
    deciding.settle(weir.tools)
    assert (weir.state(number), weir.shown(item)) == ("redacted", ["CRM: linked"])
    [body] = weir.bodies()
    assert "130 692" not in body
    assert "the room is booked for Monday" in body
    with weir.db.reading() as session:
        assert not quarantine.blobs(session, case_id=cases.get(session, number).id), "the original's key is destroyed"
    again = weir.mailbox.add("omar@example.org", plain_mail("m", BODY, "m@client.example.com", user=DANA),
                             folder="Inbox", categories=("Track in CRM",))
    weir.work()
    assert weir.shown(again) == ["CRM: held"], "another copy of the original is held as ever"


def test_an_original_may_stay_for_some_days(weir: Weir) -> None:
    weir.with_review(keep_original_days=7)
    _, number = weir.held("m")
    weir.rule(number, "redact", redaction=weir.redaction(number))
    deciding.settle(weir.tools)
    with weir.db.session() as session:
        case = cases.get(session, number)
        assert {blob.kind for blob in quarantine.blobs(session, case_id=case.id)} == {"mail", "extraction"}
        session.get_one(DeskCase, case.id).original_until = case.opened
    deciding.tend(weir.tools)
    with weir.db.reading() as session:
        assert not quarantine.blobs(session, case_id=case.id)


def test_a_copy_that_would_not_pass_any_more_is_held_anew(weir: Weir) -> None:
    item, number = weir.held("m")
    weir.rule(number, "redact", redaction=weir.redaction(number))
    weir.scanner.wanted = "Monday"
    deciding.settle(weir.tools)
    assert weir.bodies() == []
    with weir.db.reading() as session:
        newer = session.scalars(select(Case).where(Case.state == "held")).one()
        assert (newer.number != number, newer.reason) == (True, "not-clean")
        assert session.scalars(select(RulingRow.result)).one() == "held-anew"
        assert numbers(session, weir.person("vera")) == [newer.number]
    assert weir.shown(item) == ["CRM: held"]


def test_an_incident_keeps_the_content_and_is_told(weir: Weir) -> None:
    item, number = weir.held("m")
    weir.rule(number, "escalate")
    deciding.settle(weir.tools)
    assert weir.state(number) == "escalated"
    [(recipient, data)] = weir.notices("incident")
    assert (recipient, data["case"], data["kind"], data["exposure"]) == ("ines@example.org", number, "checked", 1)
    assert weir.shown(item) == ["CRM: held"]
    again, _ = weir.held("m", user="omar@example.org")
    assert weir.shown(again) == ["CRM: held"]
    with weir.db.reading() as session:
        assert quarantine.blobs(session, case_id=cases.get(session, number).id)


def test_while_an_incident_suspends_tracking_everything_is_held_until_it_is_closed(weir: Weir) -> None:
    _, number = weir.held("m")
    weir.rule(number, "escalate", suspend=True)
    deciding.settle(weir.tools)
    item, late = weir.held("harmless", "The room is booked.\n")
    with weir.db.reading() as session:
        assert (late != number, cases.get(session, late).reason) == (True, "tracking-suspended")
    assert (weir.shown(item), weir.bodies()) == (["CRM: held"], [])
    incident = weir.notices("incident")[0][1]["incident"]
    with pytest.raises(NotAllowed):
        close_incident(weir.tools.settings, incident, reason="dealt-with", actor="vera@example.org")
    assert number in close_incident(weir.tools.settings, incident, reason="dealt-with", actor="ines@example.org")
    assert weir.state(number) == "held"
    later = weir.mailbox.add(DANA, plain_mail("later", "The room is booked.\n", "later@client.example.com", user=DANA),
                             folder="Inbox", categories=("Track in CRM",))
    weir.work()
    assert weir.shown(later) == ["CRM: linked"]


def test_a_record_that_was_pulled_out_can_come_back_redacted(weir: Weir) -> None:
    weir.scanner.wanted = "nothing"
    weir.mailbox.add(DANA, plain_mail("m", BODY, "m@client.example.com", user=DANA), folder="Inbox",
                     categories=("Track in CRM",))
    weir.work()
    weir.scanner.wanted = r"\b\d{3} ?\d{3} ?\d{3}\b"
    with weir.db.reading() as session:
        record = session.scalars(select(Activity.id)).one()
    number = pulled(weir, record)
    assert "130 692" not in weir.bodies()[0], "a note stands in its place"
    with weir.db.reading() as session:
        row = desk.row(session, number)
        assert (row.division, row.risk.exposure, row.tagger) == ("north", 2, weir.people["dana"])
        assert len(session.scalars(select(CaseParty)).all()) >= 2, "sender, recipient and tracker are known"
    with weir.db.session() as session, pytest.raises(NotAllowed):
        desk.claim(session, weir.tools.keys, number, replace(weir.person("vera"), addresses=frozenset({DANA})))
    weir.rule(number, "redact", redaction=weir.redaction(number))
    deciding.settle(weir.tools)
    [body] = weir.bodies()
    assert "the room is booked for Monday" in body
    assert "130 692" not in body
    with weir.db.reading() as session:
        assert crm_records.shown(session, record)["id"] == record, "the record stays the record"


def pulled(weir: Weir, record: str) -> str:
    """Have a rescan pull a record out; returns the case."""
    from capture.pulling import take_out

    with weir.db.session() as session:
        run = rescan.start(session, policy="", policy_text="", label="", wanted={}, dry_run=False, max_holds=0, total=1,
                           actor="root")
    item = weir.tools.crm.read(record)
    extraction = weir.tools.extractor.extract(item.raw)
    decision = weir.scanner.decide(weir.scanner.scan(extraction), extraction)
    assert not decision.link
    return take_out(weir.tools, run.id, item, extraction, decision).case


def numbers(session: Session, who: Person) -> list[str]:
    return [row.number for row in desk.queue(session, who).rows]


# -------------------------------------------------------------------------------------------- what fails

class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_after(commits: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process dies right after so many commits."""
    real, left = Database.session, [commits]

    @contextmanager
    def session(self: Database) -> Iterator[Session]:
        with real(self) as inner:
            yield inner
        left[0] -= 1
        if not left[0]:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Database, "session", session)
        yield


@pytest.mark.parametrize("outcome", ["release", "redact", "delete"])
def test_a_ruling_is_followed_to_its_end_whenever_the_worker_is_killed(
        weir: Weir, monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    died, commits = True, 0
    while died:
        commits += 1
        item, number = weir.held(f"{outcome}-{commits}")
        more = {"redaction": weir.redaction(number)} if outcome == "redact" else {}
        ruling, died = weir.rule(number, outcome, **more), False
        try:
            with killed_after(commits, monkeypatch):
                deciding.settle(weir.tools)
        except Killed:
            died = True
        with weir.db.engine.begin() as connection:  # the two minutes of its lease are over
            connection.execute(sa.update(RulingRow).where(sa.column("state") == "taken").values(
                taken_until=sa.column("made")))
        deciding.settle(weir.tools)
        marking.pay(weir.tools)
        with weir.db.reading() as session:
            row = session.get_one(RulingRow, ruling.id)
            assert (row.state, row.result) == ("done", {"release": "linked", "redact": "linked",
                                                        "delete": "deleted"}[outcome]), f"killed after {commits}"
            events = [event.what for event in desk.history(session, number)]
            assert len(events) - len(set(events)) <= 2, "nothing but the marks is written twice"
            assert sum("linked" in event for event in events) == (outcome in ("release", "redact"))
        assert weir.shown(item) == [{"release": "CRM: linked", "redact": "CRM: linked",
                                     "delete": "CRM: not tracked"}[outcome]]
        linked = [body for body in weir.bodies() if "Monday" in body]
        assert len(linked) == (commits if outcome in ("release", "redact") else 0), "one activity each"
    assert commits > 2
    if outcome == "delete":
        assert len(weir.notices("deleted")) == commits, "everybody is told once"
    with weir.db.reading() as session:
        assert audit.verify(session).ok


def test_while_the_crm_is_away_a_ruling_waits(weir: Weir, monkeypatch: pytest.MonkeyPatch) -> None:
    item, number = weir.held("m")
    weir.rule(number, "release")

    def away(*_: object, **__: object) -> None:
        raise TryLater("the CRM is away")

    with monkeypatch.context() as patch:
        patch.setattr(type(weir.tools.crm), "link", away)
        assert deciding.settle(weir.tools) == 1, "in effect, and no further"
    assert weir.shown(item) == ["CRM: held"]
    assert deciding.settle(weir.tools) == 0, "it is tried again in a minute"
    with weir.db.engine.begin() as connection:
        connection.execute(sa.update(RulingRow).values(taken_until=sa.column("made")))
    assert deciding.settle(weir.tools) == 1
    assert weir.shown(item) == ["CRM: linked"]


# --------------------------------------------------------------------------------------- nobody decides

def test_what_is_overdue_goes_up_and_stays_held(weir: Weir) -> None:
    weir.with_review(deputy="deputy@example.org")
    item, number = weir.held("m")
    assert reminding.remind(weir.db, weir.tools.settings) == 0, "it is not due"

    def later(**age: float) -> int:
        with weir.db.session() as session:
            row = session.get_one(DeskCase, cases.get(session, number).id)
            row.due, row.opened = row.due - timedelta(**age), row.opened - timedelta(**age)
        return reminding.remind(weir.db, weir.tools.settings)

    assert [later(hours=5), later(hours=1), later(days=1), later(days=1), later(days=40), later(days=40)] == [
        1, 0, 1, 0, 1, 0]
    told = weir.notices("overdue")
    assert sorted((who, data["told"]) for who, data in told) == [
        ("deputy@example.org", 1), ("ines@example.org", 2), ("ines@example.org", 3)]
    assert all(data == {"cases": 1, "bands": {"critical": 1}, "told": data["told"]} for _, data in told)
    assert pipeline.deliver(weir.tools) == 3
    words = (weir.tools.settings.home / "notices.jsonl").read_text("utf-8").splitlines()[-3:]
    assert all(number not in line and "130 692" not in line and json.loads(line) for line in words)
    assert (weir.state(number), weir.shown(item)) == ("held", ["CRM: held"])
    with weir.db.reading() as session:
        assert quarantine.blobs(session, case_id=cases.get(session, number).id)
        assert desk.row(session, number).overdue


def test_cases_from_before_the_desk_are_filled_in_and_closed_to_all_until_then(weir: Weir) -> None:
    _, number = weir.held("m")
    with weir.db.session() as session:
        case = cases.get(session, number)
        session.execute(sa.delete(CaseParty))
        row = session.get_one(DeskCase, case.id)
        row.parties, row.division, row.tagger, row.sender = False, "", "", ""  # as migration 0008 leaves it
    with weir.db.session() as session:
        with pytest.raises(NotAllowed):
            desk.claim(session, weir.tools.keys, number, weir.person("ines"))
        assert numbers(session, weir.person("vera")) == []
    deciding.tend(weir.tools)
    with weir.db.session() as session:
        assert numbers(session, weir.person("vera")) == [number]
        assert desk.claim(session, weir.tools.keys, number, weir.person("vera")).claimed_by == weir.people["vera"]
        assert desk.row(session, number).tagger == weir.people["dana"]
