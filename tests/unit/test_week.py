"""The auditor's week on both databases: what it flags, that it can be made again, comments, signature, reminders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from register import enter
from sqlalchemy import text
from stores import behind_our_back, opened
from world import make_world

from capture import auditing, weekly
from capture.acting import UnknownActor
from capture.wiring import opened as opened_home
from capture.wording import WordsRefused
from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.text import Extraction
from store import audit, week
from store.access import APART, Action, Person, Role, may
from store.columns import now
from store.crm_tables import Activity
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, DatabaseConflict, NotAllowed, NotFound
from store.week_rules import FLAGS, WeekRules, bounds, week_before, week_of

ZONE = ZoneInfo("America/Vancouver")
RULES = WeekRules(zone=ZONE)
WEEK = "2026-W46"
MONDAY = bounds(WEEK, ZONE)[0]
LATER = MONDAY + timedelta(days=8)


@dataclass
class Home:
    """A database and its people."""

    db: Database
    keys: Keys
    dana: str
    vera: str
    nora: str
    aya: str


@pytest.fixture
def home(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    with opened(store_url) as (db, keys):
        at(monkeypatch, MONDAY - timedelta(days=80))
        with db.session() as s:
            ids = [enter(s, name, role, division=where) for name, role, where in (
                ("dana", Role.STAFF, "north"), ("vera", Role.REVIEWER, "north"), ("nora", Role.ADMINISTRATOR, "north"),
                ("aya", Role.AUDITOR, "south"))]
        yield Home(db, keys, *ids)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """The clock of the audit stands at this moment."""
    monkeypatch.setattr(audit, "now", lambda: moment)


@pytest.fixture
def note(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write audit rows at moments of the week: hours after its Monday, midnight in Vancouver."""
    def write(hours: float, action: str, actor: str, subject: str = "", times: int = 1, **body: Any) -> None:
        at(monkeypatch, MONDAY + timedelta(hours=hours))
        with home.db.session() as s:
            for _ in range(times):
                audit.append(s, action, actor=actor, subject=subject, body=body)
    return write


def flags(home: Home, name: str = WEEK) -> dict[tuple[str, str, str], int]:
    pack = week.build(home.db, name, RULES, at=LATER)
    return {(f["flag"], f["person"], f["detail"]): f["count"] for f in pack.pack["flags"]}


def test_weeks_begin_on_monday_midnight_where_the_office_is() -> None:
    assert bounds("2026-W46", ZONE) == (datetime(2026, 11, 9, 8, tzinfo=UTC), datetime(2026, 11, 16, 8, tzinfo=UTC))
    assert week_of(datetime(2026, 11, 16, 7, 59, tzinfo=UTC), ZONE) == "2026-W46"
    assert week_before("2026-W01", ZONE) == "2025-W52"
    assert bounds("2026-W10", ZONE)[1] - bounds("2026-W10", ZONE)[0] == timedelta(hours=167), "the clocks go forward"
    for wrong in ("2026-46", "2026-W60", "", "2026-W46x"):
        with pytest.raises(NotFound):
            bounds(wrong, ZONE)


def test_what_is_out_of_the_ordinary_is_flagged_with_who_and_how_often(home: Home, note: Callable[..., None]) -> None:
    with home.db.session() as s:
        s.add(Activity(id="a" * 32, item_key="k", division="south"))
    note(10, "web:session:begun", home.dana, "s1")
    note(23, "web:session:begun", home.dana, "s2")
    note(130, "web:session:begun", home.vera, "s3")                       # Saturday
    note(11, "crm:record:read", home.dana, "a" * 32, kind="activity")     # of the other division
    note(12, "crm:records:listed", home.dana, kind="activities", count=1, ids=["a" * 32])
    note(12, "quarantine:content:read", home.vera, "MW-2026-000001", times=2, kind="masked", reason="check")
    note(12, "quarantine:content:read", home.vera, "MW-2026-000001", kind="masked", reason="complaint")
    note(13, "policy:allow:approved", "ines", "AL-00001")
    note(13, "export:file:made", home.nora, "e1", what="records")
    note(14, "web:access:refused", home.dana, "queue:list", code="role", times=3)
    note(14, "web:session:refused", "mailweir", code="bad-token")
    note(15, "people:role:granted", "admin-2", home.dana)
    note(15, "crm:record:read", "root", "b" * 32, kind="contact")
    found = flags(home)
    assert found == {
        ("sign-in-out-of-hours", home.dana, ""): 1, ("sign-in-out-of-hours", home.vera, ""): 1,
        ("reads-across-divisions", home.dana, "south"): 2,
        ("reads-unregistered", "root", ""): 1,
        ("reveals", home.vera, "check"): 2, ("reveals", home.vera, "complaint"): 1,
        ("allow-rules", "ines", "AL-00001:approved"): 1, ("exports", home.nora, "records"): 1,
        ("failed-access", home.dana, "queue:list:role"): 3, ("failed-sign-in", "", "bad-token"): 1,
        ("configuration", "admin-2", "people:role:granted"): 1, ("chain-unverified", "", ""): 1}
    assert {code for code, _, _ in found} <= set(FLAGS)


def test_a_verified_chain_is_no_flag_and_a_broken_one_is(home: Home, note: Callable[..., None]) -> None:
    note(20, "audit:chain:verified", "aya", rows=1, result="whole")
    assert flags(home) == {}
    with behind_our_back(home.db) as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'x' WHERE seq = 3"))
    assert [f["flag"] for f in week.preview(home.db, "2026-W45", RULES)["flags"]] == ["chain-broken"]


def test_reading_far_above_ones_own_usual_week_is_flagged(home: Home, note: Callable[..., None]) -> None:
    for back in (1, 2, 3):
        note(20 - 168 * back, "crm:record:read", home.dana, "c", times=12, kind="contact")
        note(20 - 168 * back, "crm:record:read", home.vera, "c", times=30, kind="contact")
    note(20, "crm:record:read", home.dana, "c", times=40, kind="contact")
    note(20, "crm:record:read", home.vera, "c", times=60, kind="contact")
    note(20, "crm:record:read", home.nora, "c", times=29, kind="contact")
    note(21, "audit:chain:verified", "aya", rows=1, result="whole")
    assert flags(home) == {("reads-above-norm", home.dana, "usual:12"): 40}


def test_the_sample_can_be_drawn_again_by_anybody_with_the_audit(
        home: Home, note: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    note(20, "crm:record:read", home.dana, "c", times=60, kind="contact")
    note(21, "web:session:begun", home.dana, "s1")
    at(monkeypatch, LATER)
    pack = week.build(home.db, WEEK, RULES, at=LATER).pack
    again = week.preview(home.db, WEEK, RULES)
    assert {**pack, "chain": None} == {**again, "chain": None}
    with home.db.reading() as s:
        rows = audit.show(s, last=1000, action="crm:record:read")
        last = s.execute(text("SELECT digest FROM audit_event WHERE action = 'web:session:begun'")).scalar()
    seed = f"{WEEK}/{last}"
    drawn = sorted(rows, key=lambda r: hashlib.sha256(f"{seed}/{r.seq}".encode()).digest())[:20]
    assert [r["seq"] for r in pack["sample"]["readings"]] == sorted(r.seq for r in drawn)


def test_a_week_is_built_once_and_only_when_it_is_over(home: Home, note: Callable[..., None]) -> None:
    note(20, "crm:record:read", home.dana, "c", kind="contact")
    with pytest.raises(BadState):
        week.build(home.db, WEEK, RULES, at=MONDAY + timedelta(days=6))
    first = week.build(home.db, WEEK, RULES, at=LATER)
    note(21, "crm:record:read", home.dana, "c", kind="contact")
    assert week.build(home.db, WEEK, RULES, at=LATER).digest == first.digest
    with home.db.reading() as s:
        assert len(audit.show(s, action="week:pack:built")) == 1


def test_every_flag_is_commented_before_the_week_is_signed_once(home: Home, note: Callable[..., None]) -> None:
    note(20, "quarantine:content:read", home.vera, "MW-2026-000001", kind="masked", reason="check")
    pack = week.build(home.db, WEEK, RULES, at=LATER)
    with pytest.raises(BadState, match="no comment"), home.db.session() as s:
        week.sign(s, WEEK, actor=home.aya)
    with pytest.raises(BadState), home.db.session() as s:
        week.comment(s, home.keys, WEEK, "no-such-flag", "fine", actor=home.aya)
    for flag in pack.pack["flags"]:
        with home.db.session() as s:
            week.comment(s, home.keys, WEEK, flag["id"], "asked, and it was needed", actor=home.aya)
    with pytest.raises(BadState, match="shown"), home.db.session() as s:
        week.sign(s, WEEK, actor=home.aya, digest="0" * 64)
    with home.db.session() as s:
        signed = week.sign(s, WEEK, actor=home.aya, digest=pack.digest)
    assert (signed.signed_by, signed.digest) == (home.aya, pack.digest)
    with pytest.raises(BadState, match="already"), home.db.session() as s:
        week.sign(s, WEEK, actor=home.aya)
    with pytest.raises(BadState), home.db.session() as s:
        week.comment(s, home.keys, WEEK, pack.pack["flags"][0]["id"], "late", actor=home.aya)
    with home.db.reading() as s:
        assert next(c.text for c in week.comments(s, home.keys, WEEK)) == "asked, and it was needed"
        stored = s.execute(text("SELECT text FROM week_comment")).scalars().all()
        assert all(b"needed" not in bytes(words) for words in stored), "what somebody wrote is sealed"


def test_a_pack_that_was_changed_is_not_signed(home: Home, note: Callable[..., None]) -> None:
    note(20, "audit:chain:verified", "aya", rows=1, result="whole")
    week.build(home.db, WEEK, RULES, at=LATER)
    with home.db.engine.begin() as connection:
        connection.execute(text("UPDATE week_pack SET pack = '{\"flags\": []}'"))
    with pytest.raises(BadState, match="not what was built"), home.db.session() as s:
        week.sign(s, WEEK, actor=home.aya)
    with pytest.raises(DatabaseConflict), home.db.session() as s:
        s.execute(text("UPDATE week_pack SET signed_by = 'x'"))


def test_who_signs_is_neither_reviewer_nor_administrator() -> None:
    for other in (Role.REVIEWER, Role.ADMINISTRATOR):
        assert frozenset({Role.AUDITOR, other}) in APART

    for roles in ({Role.AUDITOR, Role.REVIEWER}, {Role.AUDITOR, Role.ADMINISTRATOR}, {Role.REVIEWER}):
        assert not may(Person("p", frozenset(roles)), Action.AUDIT_SIGN)
    assert may(Person("p", frozenset({Role.AUDITOR})), Action.AUDIT_SIGN)


def test_missing_weeks_are_built_and_an_unsigned_one_is_told_once(home: Home, note: Callable[..., None]) -> None:
    note(20 - 168, "crm:record:read", home.dana, "c", kind="contact")
    note(20, "audit:chain:verified", "aya", rows=1, result="whole")
    week.build(home.db, "2026-W44", RULES, at=LATER)
    assert weekly.build_missing(home.db, RULES, at=LATER) == ["2026-W45", WEEK]
    assert weekly.build_missing(home.db, RULES, at=LATER) == []
    moment = MONDAY + timedelta(days=7 + 7)
    with home.db.reading() as s:
        assert [p.week for p in week.overdue(s, RULES, at=moment - timedelta(minutes=1))] == ["2026-W44", "2026-W45"]
        assert [p.week for p in week.overdue(s, RULES, at=moment)] == ["2026-W44", "2026-W45", WEEK]
    late = max(moment, now() + timedelta(days=1))
    assert weekly.remind(home.db, RULES, at=late) == 3
    assert weekly.remind(home.db, RULES, at=late) == 0
    with home.db.reading() as s:
        told = s.execute(text("SELECT recipient, template FROM notice")).all()
    assert {tuple(row) for row in told} == {("aya@example.org", "week-unsigned")}


# ------------------------------------------------------------------------------------------ at a terminal

class Reader:
    """A scanner that blocks a text with a digit in it."""

    def scan(self, extraction: Extraction) -> Report:
        found = any(c.isdigit() for c in extraction.parts[0].text())
        return Report((Finding(Category.GOVERNMENT_ID, "sin", "text", 0, 0, 0, 1, 1.0),) if found else ())

    def decide(self, report: Report, _extraction: Extraction) -> Decision:
        return Decision(Verdict.BLOCK if report.findings else Verdict.PASS, "test", "test@1", report.findings)


def test_at_the_terminal_only_an_auditor_signs_and_every_reading_is_found(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_world(tmp_path / "home").settings
    monkeypatch.setattr(weekly, "build_scanner", lambda _settings: Reader())
    with opened_home(settings) as (db, _), db.session() as s:
        dana = enter(s, "dana", Role.STAFF)
        enter(s, "aya", Role.AUDITOR)
        audit.append(s, "crm:record:read", actor=dana, subject="c" * 32, body={"kind": "contact"})
    running = weekly.shown(settings, actor="aya@example.org")
    assert (running["over"], running["week"]) == (
        False, week_of(now(), weekly.rules_of(settings).zone)), "nothing was audited before this week"
    name = week_before(running["week"])
    assert weekly.shown(settings, name, actor="aya@example.org")["over"]
    for actor, error in (("dana@example.org", NotAllowed), ("", UnknownActor), ("root", UnknownActor)):
        with pytest.raises(error):
            weekly.sign(settings, name, actor=actor, comments={}, rest="seen")
    with pytest.raises(NotAllowed):
        weekly.shown(settings, name, actor="dana@example.org")
    with pytest.raises(WordsRefused, match="government_id"):
        weekly.sign(settings, name, actor="aya@example.org", comments={"chain-unverified-1": "130 692 544"})
    signed = weekly.sign(settings, name, actor="aya@example.org", comments={"chain-unverified-1": "nobody was there"})
    assert signed["flags"] == 1
    assert weekly.shown(settings, name)["comments"][0]["text"] == "nobody was there"
    rows = auditing.show(settings, last=50, reads=True, person="dana@example.org")
    assert [(r["how"], r["subject"]) for r in rows] == [("view", "c" * 32)]
    assert auditing.show(settings, last=50, reads=True, until="2020-01-01") == []
    assert [r["action"] for r in auditing.show(settings, last=50, reads=True, subject=name)] == ["week:pack:read"] * 2
    with pytest.raises(NotAllowed):
        auditing.show(settings, last=50, reads=True, actor="dana@example.org")
    assert auditing.show(settings, last=3)[-1]["action"] == "audit:readings:read"
