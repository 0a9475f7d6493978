"""`mailweir crm merge, opt-out, forget, reassign, gaps, propose ...` as a user runs them, and a contact from a
signature."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from crm_world import DANA, MARCUS, fill, mail, track
from sqlmodel import select
from typer.testing import CliRunner
from world import make_world

from capture import signature
from capture.settings import Settings, load_settings
from capture.wiring import opened
from cli import app, main
from store import audit, crm_work, people, rules
from store.crm_access import Who
from store.crm_tables import Activity, Contact, PurgeReceipt
from store.crm_work_tables import Suppression

ROOT = Who("root")
SIGNED = "Hello,\nplease quote.\n\nRegards\nWanda Imaginary\nTraining Manager\nFictional Fire Hall\n" \
         "Tel: 604-555-0142\nCell: 604-555-0199\n" \
         "Fax 604-555-0143\nwanda@unknown.example\n\n> From: Dana\n> 604-555-0100\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    world = make_world(tmp_path / "home")
    with opened(world.settings) as (db, _):
        fill(db)
        track(db, mail(sender="Wanda Imaginary <wanda@unknown.example>", body=SIGNED), "signed", DANA)
        with db.session() as session:
            for address in (DANA, MARCUS):
                row = people.by_address(session, address)
                assert row is not None
                rules.sign(session, row.id, rules.in_force(session).number)
            issue = crm_work.create(session, ROOT, "issue", {"title": "Fees"}, source="call")
            covered = crm_work.create(session, ROOT, "contact", {"last_name": "A", "region": "Coast"}, source="card")
            crm_work.create(session, ROOT, "contact", {"last_name": "B", "region": "Inland"}, source="card")
            crm_work.relate(session, ROOT, "about", ("contact", covered), ("issue", issue))
            crm_work.log(session, ROOT, crm_work.Entry("phonecall", "Fees", about=[("contact", covered)]))
    return world.home


def run(home: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, ["crm", *words, "--home", str(home)])
    assert done.exit_code == code, done.output
    return done.output


def test_two_that_are_one_are_merged_and_taken_apart(home: Path) -> None:
    merge_id = run(home, "merge", "contact:desk1", "contact:desk2").split("unmerge ")[1].split("`")[0]
    assert "desk2" not in run(home, "list", "contacts", "--json")
    run(home, "unmerge", merge_id)
    assert "desk2" in run(home, "list", "contacts", "--json")
    run(home, "unmerge", merge_id, code=1)


def test_d15_a_wish_is_written_down_listed_and_carried_out(home: Path) -> None:
    said = run(home, "opt-out", "contact:wanda", "--medium", "call", "--actor", DANA)
    assert said.startswith("request ")
    [row] = json.loads(run(home, "requests", "--json", code=1))
    assert (row["contact"], row["medium"], row["days"], row["overdue"]) == ("wanda", "call", 0, False)
    assert "receipt" in run(home, "forget", "wanda", "--reason", "asked")
    run(home, "requests")
    run(home, "suppress", "Other@hall.example.com", "--reason", "asked")
    with opened(settings(home)) as (db, _), db.reading() as session:
        assert session.get(Contact, "wanda") is None
        assert session.scalars(select(PurgeReceipt.record_id)).all() == ["wanda"]
        assert len(session.scalars(select(Suppression.digest)).all()) == 4


def settings(home: Path) -> Settings:
    return load_settings(home)


def test_d2_d14_gaps_are_shown_by_issue_and_region(home: Path) -> None:
    rows = json.loads(run(home, "gaps", "--json", code=1))
    assert [(r["title"], r["region"], r["stakeholders"], r["about"], r["reached"]) for r in rows] == [
        ("Fees", "Inland", 1, 0, 0)]
    rows = json.loads(run(home, "gaps", "--all", "--json", code=1))
    assert [(r["region"], r["about"], r["reached"]) for r in rows] == [("Coast", 1, 1), ("Inland", 0, 0)]


def test_d12_a_leavers_records_go_to_a_colleague(home: Path) -> None:
    with opened(settings(home)) as (db, _), db.session() as session:
        dana = people.by_address(session, DANA)
        assert dana is not None
        session.get_one(Contact, "wanda").owner = dana.id
    assert run(home, "reassign", DANA, MARCUS).startswith("1 record reassigned")


def test_business_is_listed_and_shown_within_sight(home: Path) -> None:
    theirs = {row["id"] for row in json.loads(run(home, "list", "opportunities", "--json", "--actor", DANA))}
    assert "quoted" in theirs
    assert "southern" not in theirs
    assert "southern" in run(home, "list", "opportunities", "--json", "--actor", MARCUS)
    run(home, "show", "opportunity:southern", "--actor", DANA, code=1)
    shown = json.loads(run(home, "show", "opportunity:southern", "--json", "--actor", MARCUS))
    assert shown["title"] == "South's"
    with opened(settings(home)) as (db, _), db.session() as session:
        actions = [(r.action, r.subject) for r in audit.show(session, action="crm:", last=20)]
    assert ("crm:record:read", "southern") in actions


def test_a_contact_is_proposed_from_the_signature_and_not_written(home: Path) -> None:
    with opened(settings(home)) as (db, _), db.reading() as session:
        before = len(session.scalars(select(Contact.id)).all())
        activity = session.scalars(select(Activity.id).where(Activity.item_key == "signed")).one()
    found = json.loads(run(home, "propose", activity, "--json"))
    assert found == {"first_name": "Wanda", "last_name": "Imaginary", "email": "wanda@unknown.example",
                     "title": "Training Manager", "organisation": "Fictional Fire Hall", "phone": "604-555-0142",
                     "fax": "604-555-0143"}
    with opened(settings(home)) as (db, _), db.reading() as session:
        assert len(session.scalars(select(Contact.id)).all()) == before


@pytest.mark.parametrize(("name", "text", "fields"), [
    pytest.param("Imaginary, Wanda", "Hi\nWanda Imaginary, Chief\n604 555 0142 ext. 12\n",
                 {"first_name": "Wanda", "last_name": "Imaginary", "email": "w@x.example", "title": "Chief",
                  "phone": "604 555 0142 ext. 12"}, id="last name first, title on its line"),
    pytest.param("Wanda Imaginary", "Hi, my number is 604-555-0142.\n",
                 {"first_name": "Wanda", "last_name": "Imaginary", "email": "w@x.example"}, id="no signature"),
    pytest.param("Wanda Imaginary", "Wanda Imaginary\nHome: 604-555-0142\nm. 604-555-0143\n(mobile) 604-555-0144\n",
                 {"first_name": "Wanda", "last_name": "Imaginary", "email": "w@x.example"}, id="private numbers"),
    pytest.param("Wanda Imaginary", "On Monday Dana Reid wrote:\nWanda Imaginary\nChief\n",
                 {"first_name": "Wanda", "last_name": "Imaginary", "email": "w@x.example"}, id="a quoted signature"),
    pytest.param("w@x.example", "Wanda\n", {}, id="no name"),
])
def test_only_business_fields_under_ones_own_name_are_taken(name: str, text: str, fields: dict[str, str]) -> None:
    assert signature.proposed(name, "w@x.example", text) == fields


@pytest.mark.parametrize(("words", "code"), [
    pytest.param(("merge", "contact:desk1", "organisation:hall"), "bad-input", id="two kinds"),
    pytest.param(("merge", "desk1", "desk2"), "bad-input", id="no kind"),
    pytest.param(("opt-out", "wanda", "--medium", "rumour"), "bad-input", id="no such medium"),
    pytest.param(("forget", "wanda", "--reason", "He asked"), "bad-input", id="a reason in words"),
    pytest.param(("suppress", "nobody", "--reason", "asked"), "bad-input", id="no address"),
    pytest.param(("reassign", "who@x.example", "dana@training.example.org"), "not-found", id="nobody we know"),
    pytest.param(("ask", "contact:wanda", "Why?", "--actor", ""), "unknown-actor", id="nobody asks"),
    pytest.param(("show", "opportunity:nothing"), "not-found", id="no such record"),
])
def test_what_cannot_be_done_is_said_by_its_code(home: Path, words: tuple[str, ...], code: str,
                                                 monkeypatch: pytest.MonkeyPatch,
                                                 capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["mailweir", "crm", *words, "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capfd.readouterr().err.startswith(f"{code}:")


def test_what_an_activity_of_another_division_says_is_not_shown_and_every_look_is_recorded(home: Path) -> None:
    with opened(settings(home)) as (db, _), db.reading() as session:
        row = session.scalars(select(Activity).where(Activity.item_key == "south")).one()
        activity, body = row.id, row.body
        known = {address: found.id for address in (DANA, MARCUS) if (found := people.by_address(session, address))}
    assert body
    for actor, sees in ((DANA, False), (MARCUS, True), ("", False)):
        shown = json.loads(run(home, "show", activity[:12], "--json", *(("--actor", actor) if actor else ())))
        assert (shown["body"], shown["attachments"]) == ((body, []) if sees else (None, None)), actor
        assert shown["subject"] == "Hello", "that it was, and about what, is shared"
        run(home, "list", "activities", *(("--actor", actor) if actor else ()))
    with opened(settings(home)) as (db, _), db.session() as session:
        looks = [r.actor for r in audit.show(session, action="crm:record:read", subject=activity)]
        lists = [r.actor for r in audit.show(session, action="crm:records:listed", last=10)]
    assert len(looks) == len(lists) == 3
    for actors in (looks, lists):
        assert set(actors) > {known[DANA], known[MARCUS]}, "and the operator of the machine"
