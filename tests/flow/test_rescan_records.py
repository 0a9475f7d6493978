"""A rescan of what people typed into records of the embedded CRM, and of its documents, with the real scanner: found,
pulled out, told, in the audit, put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import warm
from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from sqlmodel import select
from typer.testing import CliRunner
from world import SETTINGS, World, make_world

import cli
from capture import desk, rescanning, wiring
from capture.acting import person_of
from capture.comparing import compared
from capture.rescanning import Asked
from capture.wiring import opened
from store import audit, crm_texts, crm_work, people, reads, rules
from store import desk as reviewing
from store.access import Role
from store.crm_access import Who
from store.crypto import Keys
from store.database import Database
from store.desk import Redaction
from store.errors import BadState
from store.rescan_tables import CrmPull, RescanResult
from store.tables import Case, Notice

DANA, VERA = "dana.reid@example.org", "vera.stone@example.org"
ROOT = Who("root")
SOON = datetime(2026, 9, 1, 16, tzinfo=UTC)
ROSTER = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n".encode()
HITS = {"contact", "opportunity", "issue", "document", "event"}


@dataclass
class Office:
    """A home with records that are as they should be, and one of each of `HITS` that is not, by its kind."""

    world: World
    bad: dict[str, str]
    good: set[str]

    @contextmanager
    def db(self) -> Iterator[tuple[Database, Keys]]:
        with opened(self.world.settings) as (database, keys):
            yield database, keys

    def all(self, table: type[Any]) -> list[Any]:
        with self.db() as (db, _), db.reading() as session:
            return list(session.scalars(select(table)))

    def run(self, **asked: Any) -> dict[str, Any]:
        number = rescanning.start(self.world.settings, Asked(**asked), lambda *_: None)
        return rescanning.report(self.world.settings, number)

    def texts(self) -> dict[str, tuple[str, bytes]]:
        """Each record's case, and all it holds as a rescan keeps it."""
        with self.db() as (db, _), db.reading() as session:
            found = [crm_texts.load(session, name) for name in (*self.bad.values(), *self.good)]
            return {crm_texts.name_of(one.kind, one.id): (one.stub, one.content) for one in found}


def made(folder: Path, url: str = "") -> Office:
    world = make_world(folder / "home", SETTINGS + "[rescan]\nchunk = 3\n", database=url)
    with opened(world.settings) as (db, _), db.session() as session:
        people.add_division(session, "north", actor="root")
        for address, role in ((DANA, Role.STAFF), (VERA, Role.REVIEWER)):
            row = people.add(session, address, actor="root", divisions=("north",))
            grant = people.ask_role(session, row.id, role, actor="root")
            people.approve_role(session, grant.id, actor="owner")
            people.apply_role(session, grant.id, actor="admin")
        for address in (DANA, VERA):
            row = people.by_address(session, address)
            assert row is not None
            rules.sign(session, row.id, rules.in_force(session).number)
        dana = people.by_address(session, DANA)
        assert dana is not None

        def record(kind: str, content: bytes = b"", **values: Any) -> str:  # past the scan, as older rules let through
            ident = crm_work.create(session, Who("root"), kind, values, source="card", division="north",
                                    content=content, extra={"size": len(content)} if content else None)
            session.get_one(crm_texts.TABLES[kind], ident).owner = dana.id
            return crm_texts.name_of(kind, ident)

        bad = {"contact": record("contact", first_name="Rose", last_name="Antoine", title="Manager", region="Interior",
                                 notes=f"Her SIN is {CANARY_SIN}."),
               "opportunity": record("opportunity", title="Spring course", services="Two days for twelve people."),
               "issue": record("issue", title="Fees", news="They rise next year.",
                               talking_points=f"Call {CANARY_NAME}, born {CANARY_BIRTH}, SIN {CANARY_SIN}."),
               "document": record("document", name="roster.txt", content=ROSTER),
               "event": record("event", name="Open day", starts=SOON, agenda="Doors at nine. He is a devout Catholic.")}
        good = {record("contact", last_name="Stone", title="Director", notes="Prefers calls in the morning."),
                record("organisation", name="Fictional Fire Hall", category="customer", region="Interior"),
                record("document", name="outline.txt", content=b"Day one: lifting. Day two: stacking.\n"),
                record("issue", title="Parking", news="The large room is closed in May.")}
        opportunity = bad["opportunity"].rpartition(":")[2]
        crm_work.change(session, Who("root"), "opportunity", opportunity, {"quote_details": f"SIN {CANARY_SIN}"})
        crm_work.change(session, Who("root"), "opportunity", opportunity, {"quote_details": "Net 30."})  # its history
    return Office(world, bad, good)


@pytest.fixture(autouse=True)
def shared_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "scanner_or_refusal", warm.scanner)


@pytest.fixture
def office(tmp_path: Path, store_url: str) -> Office:
    """On SQLite and on PostgreSQL."""
    return made(tmp_path, "" if store_url.startswith("sqlite") or store_url == "" else store_url)


def test_what_may_not_stay_in_records_is_pulled_out_told_and_put_back(office: Office) -> None:
    before = office.texts()
    contact, document = (office.bad[kind].rpartition(":")[2] for kind in ("contact", "document"))
    with office.db() as (db, _), db.session() as session:
        audit.append(session, "crm:record:read", actor="reader", subject=contact, body={"kind": "contact"})
        audit.append(session, "crm:record:read", actor="stranger", subject=document, body={"kind": "document"})
        reads.listed(session, actor="lister", kind="contacts", ids=[contact])
        audit.append(session, "crm:records:listed", actor="many", body={"kind": "contacts", "count": 9000})
        audit.append(session, "crm:records:listed", actor="elsewhere", body={"kind": "activities", "count": 9000})

    report = office.run()
    assert report["state"] == "done"
    assert report["outcomes"] == {"hold": 5, "pass": 4}
    assert report["by_kind"] == {
        "contact": {"hold": 1, "pass": 1}, "opportunity": {"hold": 1}, "issue": {"hold": 1, "pass": 1},
        "document": {"hold": 1, "pass": 1}, "event": {"hold": 1}, "organisation": {"pass": 1}}
    assert report["by_division"] == {"north": {"hold": 5, "pass": 4}}
    assert report["attachments"] == 2
    assert report["categories"]["race_religion_politics"] == 1
    now_there = office.texts()
    assert {name for name, (stub, _) in now_there.items() if stub} == set(office.bad.values())
    assert {name: now_there[name] for name in office.good} == {name: before[name] for name in office.good}
    for _, content in now_there.values():
        assert not any(canary.encode() in content for canary in CANARIES)
    assert {p.state for p in office.all(CrmPull)} == {"pulled"}
    told = [(n.recipient, n.template) for n in office.all(Notice)]
    assert told == [(DANA, "pulled")] * 5, "whoever owns them, once each"

    [number] = [stub for name, (stub, _) in now_there.items() if name == office.bad["contact"]]
    shown = desk.show_case(office.world.settings, number)
    assert (shown["origin"], shown["division"], shown["trackers"]) == ("rescan", "north", [DANA])
    assert {finding["place"] for finding in shown["findings"]} == {"notes"}
    assert [(r["actor"], r["how"]) for r in shown["readers"]] == [
        ("reader", "opened"), ("lister", "listed"), ("many", "listed")]
    with office.db() as (db, _), db.session() as session:
        assert audit.verify(session).ok
        for event in ("rescan:item:held", "rescan:item:pulled"):
            assert {row.subject for row in audit.show(session, last=100, action=event)} == {
                name.rpartition(":")[2] for name in office.bad.values()}

    again = office.run()
    assert again["outcomes"] == {"held": 5, "pass": 4, "stub": 5}
    for case in report["cases"]:
        assert "has its content again" in desk.release_now(office.world.settings, case, reason="false-positive")
    assert office.texts() == before
    assert {p.state for p in office.all(CrmPull)} == {"restored"}
    assert office.run()["outcomes"] == {"pass": 4, "released": 5}


def test_kinds_are_chosen_and_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    office = made(tmp_path)
    before = office.texts()
    place = ["--home", str(office.world.home)]
    done = CliRunner().invoke(cli.app, ["rescan", "--dry-run", "--kind", "contact", "--kind", "document", *place])
    assert done.exit_code == 1, done.output
    assert "4 of 4 looked at" in done.stdout
    assert {(row.kind, row.outcome) for row in office.all(RescanResult)} == {
        ("contact", "would-hold"), ("contact", "pass"), ("document", "would-hold"), ("document", "pass")}
    assert office.run(kinds=("attachment",), dry_run=True)["by_kind"] == {"document": {"pass": 1, "would-hold": 1}}
    assert office.run(kinds=("mail",), dry_run=True)["total"] == 0
    assert office.texts() == before
    assert office.all(Case) == office.all(CrmPull) == []


def test_a_run_that_pauses_goes_on_and_leaves_no_canary_in_the_files(tmp_path: Path) -> None:
    office = made(tmp_path)
    number = rescanning.start(office.world.settings, Asked(max_holds="2"), lambda *_: None)
    assert rescanning.report(office.world.settings, number)["outcomes"]["hold"] == 2
    rescanning.resume(office.world.settings, number, lambda *_: None, max_holds="10")
    report = rescanning.report(office.world.settings, number)
    assert (report["state"], report["outcomes"]) == ("done", {"hold": 5, "pass": 4})
    for name, data in office.world.stored_bytes().items():
        for canary in CANARIES:
            assert canary.encode() not in data, f"a canary lies in {name}"


def test_a_record_is_not_redacted_and_a_deleted_text_is_written_anew(tmp_path: Path) -> None:
    office = made(tmp_path)
    office.run(kinds=("contact",))
    [case] = office.all(Case)
    ident = office.bad["contact"].rpartition(":")[2]
    with office.db() as (db, keys), db.session() as session:
        person = person_of(session, VERA)
        assert person is not None
        with pytest.raises(BadState, match="writes it anew"):
            reviewing.propose(session, keys, case.number, person, "redact", "personal-part",
                              redaction=Redaction(b"x", b"{}"))
    with office.db() as (db, _), db.session() as session, pytest.raises(BadState, match="held"):
        crm_work.change(session, ROOT, "contact", ident, {"notes": "Call first."})
    desk.delete_now(office.world.settings, case.number, reason="confirmed")
    assert [n.data["record"] for n in office.all(Notice) if n.template == "deleted"] == ["contact"]
    with office.db() as (db, _), db.session() as session:
        crm_work.change(session, ROOT, "contact", ident, {"notes": "Call first.", "title": "Manager"})
    assert office.run(kinds=("contact",))["outcomes"] == {"pass": 2}


def test_policy_diff_compares_what_was_typed_into_records_too(tmp_path: Path) -> None:
    office = made(tmp_path)
    found = compared(office.world.settings, "bc_foippa", "bc_foippa").as_json()
    assert (found["looked_at"], found["changed"]) == (9, 0)
    assert office.all(CrmPull) == []


def test_j13_a_document_is_destroyed_at_the_terminal(tmp_path: Path) -> None:
    office = made(tmp_path)
    name = office.bad["document"].removeprefix("record:")
    done = CliRunner().invoke(cli.app, ["crm", "purge", name, "--reason", "personal", "--home",
                                        str(office.world.home)])
    assert done.exit_code == 0, done.output
    assert f"{len(ROSTER)} bytes" in done.stdout
    assert "receipt" in done.stdout
    assert office.run(kinds=("document",))["outcomes"] == {"pass": 1}
