"""From a tag to a record in Dataverse and out of it again: real flow, real engine, real HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm
from canaries import CANARIES, CANARY_NAME, CANARY_SIN
from dataverse_home import Home, dataverse_home
from dataverse_schema import MIME
from entra_server import Entra, serving_entra
from typer.testing import CliRunner
from world import mail

from capture import answering, desk, rescanning, wiring, worker
from capture.rescanning import Asked
from capture.wiring import opened
from cli import app
from store import audit, cases
from store.errors import NotFound

BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"
PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}."


@pytest.fixture(scope="module")
def entra() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture(autouse=True)
def shared_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "scanner_or_refusal", warm.scanner)


@pytest.fixture
def home(tmp_path: Path, entra: Entra) -> Iterator[Home]:
    with dataverse_home(tmp_path / "home", entra) as made:
        yield made


def put(home: Home, number: int, user: str = "dana.reid", body: str = BUSINESS) -> None:
    home.world.put(user, f"m{number}", mail(f"Course {number}", body, message_id=f"m{number}@client.example.com",
                                            attachments=(("seats.csv", "text/csv", b"item,seats\ncourse,12\n"),)))


def test_a_clean_mail_lands_on_its_contact_and_a_personal_one_nowhere(home: Home) -> None:
    put(home, 1)
    put(home, 2, body=PERSONAL)
    assert worker.run(home.world.settings, once=True).items() >= {"linked": 1, "held": 1}.items()
    assert home.mails() == ["Course 1"]
    [row] = home.org.rows("emails")
    [contact] = home.org.rows("contacts")
    assert row["_regardingobjectid_value"] == contact["contactid"]
    assert [f["filename"] for f in home.org.rows(MIME)] == ["seats.csv"]
    assert not any(canary in repr(home.org.tables) for canary in CANARIES)
    [(activity,)] = home.world.rows("SELECT activity FROM capture WHERE outcome = 'link'")
    assert activity.endswith(row["activityid"].replace("-", ""))


def test_two_people_who_track_one_mail_share_its_activity(home: Home) -> None:
    put(home, 1)
    put(home, 1, user="marcus.lee")
    worker.run(home.world.settings, once=True)
    assert home.mails() == ["Course 1"]
    assert sorted(t["mw_name"] for t in home.org.rows("mw_trackers")) == ["dana.reid", "marcus.lee"]


@pytest.mark.parametrize("fault", [
    pytest.param({"pattern": "BATCH POST /activitymimeattachments", "status": 500}, id="fails in the middle"),
    pytest.param({"pattern": r"POST /\$batch", "cut": True}, id="reply is cut after it was done"),
    pytest.param({"pattern": "PATCH /emails", "status": 503}, id="not completed"),
    pytest.param({"pattern": "GET /contacts", "status": 429, "retry_after": "0.2"}, id="asked to wait")])
def test_a_fault_on_the_way_is_tried_again_and_ends_in_one_whole_activity(home: Home, fault: dict[str, object]) -> None:
    home.org.fault(**fault)  # type: ignore[arg-type]
    put(home, 1)
    assert worker.run(home.world.settings, once=True)["linked"] == 1
    assert home.mails() == ["Course 1"]
    assert len(home.org.rows("emails")) == len(home.org.rows(MIME)) == len(home.org.rows("mw_trackers")) == 1


@pytest.mark.parametrize(("pattern", "after"), [
    pytest.param(r"POST /\$batch", False, id="before the change set"),
    pytest.param(r"POST /\$batch", True, id="after the change set"),
    pytest.param("PATCH /emails", True, id="after completing"),
    pytest.param("GET /mw_trackers", False, id="before it was noted")])
def test_a_worker_killed_at_any_call_leaves_one_whole_activity_to_the_next(home: Home, pattern: str,
                                                                           after: bool) -> None:
    put(home, 1)
    assert home.run_in_process_of_its_own(pattern, after=after), "it was killed"
    assert worker.run(home.world.settings, once=True)["linked"] == 1
    assert home.mails() == ["Course 1"]
    assert len(home.org.rows("emails")) == len(home.org.rows(MIME)) == len(home.org.rows("mw_trackers")) == 1


def test_an_ambiguous_address_is_asked_at_the_terminal_and_the_answer_links_audited(home: Home) -> None:
    two = home.org.add("contacts", fullname="Rose Other", emailaddress1="rose@client.example.com")
    put(home, 1)
    worker.run(home.world.settings, once=True)
    settings, args = home.world.settings, ["--home", str(home.world.home)]
    rows = answering.waiting(settings)
    assert [(r["question"], r["reason"], r["subject"]) for r in rows] == [("1", "ambiguous", "Course 1")] * 2
    assert {r["title"] for r in rows} == {"Rose Antoine", "Rose Other"}
    told = CliRunner().invoke(app, ["crm", "waiting", *args])
    assert told.exit_code == 1
    assert f"contact:{two}" in told.output
    done = CliRunner().invoke(app, ["crm", "confirm", rows[0]["activity"], f"contact:{two}", *args])
    assert done.exit_code == 0, done.output
    assert home.org.rows("emails")[0]["_regardingobjectid_value"] == two
    assert CliRunner().invoke(app, ["crm", "waiting", *args]).exit_code == 0
    refused = CliRunner().invoke(app, ["crm", "dismiss", rows[0]["activity"], f"contact:{two}", *args])
    assert isinstance(refused.exception, NotFound)
    with opened(settings) as (db, _), db.reading() as session:
        [told_of] = audit.show(session, last=99, action="crm:link:confirmed")
        assert told_of.subject == rows[0]["activity"]
        assert told_of.body == {"record": f"contact:{two}", "role": "regarding"}
        listed = audit.show(session, last=99, action="crm:records:listed")
        assert [row.body["ids"] for row in listed].count([rows[0]["activity"]]) == 2
        assert audit.verify(session).ok


def test_what_dataverse_does_not_take_is_held_with_the_reason_and_shows_nowhere(home: Home) -> None:
    home.org.cut_bodies = 20
    put(home, 1)
    assert worker.run(home.world.settings, once=True)["held"] == 1
    assert home.org.rows("emails") == []
    with opened(home.world.settings) as (db, _), db.reading() as session:
        [number] = cases.numbers(session, limit=9)
        assert cases.get(session, number).reason == "crm-incomplete"


def test_a_rescan_finds_a_planted_record_and_pulls_it_audited(home: Home) -> None:
    put(home, 1)
    worker.run(home.world.settings, once=True)
    planted = home.org.add("emails", subject="Seat list", description=f"<p>{PERSONAL}</p>", directioncode=False)
    file = home.org.add(MIME, filename="list.txt", mimetype="text/plain", attachmentnumber=1, filesize=9,
                        body=base64.b64encode(PERSONAL.encode()).decode())
    home.org.tables[MIME][file]["_objectid_value"] = planted
    home.org.tables["emails"][planted] |= {"statecode": 1, "statuscode": 4}
    call = home.org.add("phonecalls", subject="Call", description=PERSONAL)
    number = rescanning.start(home.world.settings, Asked(), lambda *_: None)
    report = rescanning.report(home.world.settings, number)
    assert (report["state"], report["outcomes"]) == ("done", {"hold": 2, "pass": 1})
    assert not any(canary in repr([home.org.tables, home.org.history]) for canary in CANARIES)
    stubs = {home.org.tables["emails"][planted]["mw_stub"], home.org.tables["phonecalls"][call]["mw_stub"]}
    assert stubs == set(report["cases"])
    with opened(home.world.settings) as (db, _), db.session() as session:
        assert audit.verify(session).ok
        for event in ("rescan:item:held", "rescan:item:pulled"):
            assert len(audit.show(session, last=99, action=event)) == 2
    again = rescanning.report(home.world.settings, rescanning.start(home.world.settings, Asked(), lambda *_: None))
    assert again["outcomes"] == {"held": 2, "pass": 1, "stub": 2}


def test_a_released_record_has_its_content_again(home: Home) -> None:
    planted = home.org.add("emails", subject="Seat list", description=f"<p>{PERSONAL}</p>", directioncode=False)
    before = dict(home.org.tables["emails"][planted])
    rescanning.start(home.world.settings, Asked(), lambda *_: None)
    number = home.org.tables["emails"][planted]["mw_stub"]
    desk.release_now(home.world.settings, number, reason="false-positive", actor="rev")
    row = home.org.tables["emails"][planted]
    assert {name: row[name] for name in ("subject", "description", "statecode")} == {
        name: before[name] for name in ("subject", "description", "statecode")}
    assert row["mw_stub"] == ""
