"""A rescan of real records with the real scanner, on both databases: what it pulls out, what it leaves, and that a
run killed at any step ends with the same totals as one that was not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mortal
import pytest
import warm
from canaries import CANARIES
from sqlmodel import col, select
from stock import Expected, fill_crm
from typer.testing import CliRunner
from world import SETTINGS, World, mail, make_world

import cli
from capture import desk, rescanning, wiring, worker
from capture.errors import TryLater
from capture.ports import StoredItem
from capture.rescanning import Asked, BadFilter
from capture.wiring import opened
from store import audit, reads, rescan
from store.crm_tables import Activity
from store.database import Database
from store.errors import BadState
from store.rescan_tables import CrmPull, RescanResult
from store.tables import Case, Notice

COUNT = {"personal": 4, "unreadable": 2, "files": 6}


@dataclass
class Home:
    """A home with a full CRM."""

    world: World
    stock: Expected

    @contextmanager
    def db(self) -> Iterator[Database]:
        with opened(self.world.settings) as (database, _):
            yield database

    def all(self, table: type[Any]) -> list[Any]:
        with self.db() as db, db.reading() as session:
            return list(session.scalars(select(table)))

    def report(self, number: str) -> dict[str, Any]:
        return rescanning.report(self.world.settings, number)


def made(folder: Path, url: str, count: int = 60, **what: int) -> Home:
    settings = SETTINGS + f'[store]\ndatabase = "{url}"\n[rescan]\nchunk = 20\n'
    world = make_world(folder / "home", settings)
    with opened(world.settings) as (db, keys):
        return Home(world, fill_crm(db, keys, count, **(what or COUNT)))


@pytest.fixture(autouse=True)
def shared_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "scanner_or_refusal", warm.scanner)


@pytest.fixture
def either(tmp_path: Path, store_url: str) -> Home:
    """On SQLite and on PostgreSQL."""
    return made(tmp_path, store_url)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made(tmp_path, "")


def start(home: Home, **asked: Any) -> str:
    return rescanning.start(home.world.settings, Asked(**asked), lambda *_: None)


def totals(home: Home, number: str) -> dict[str, Any]:
    """What two runs over the same stock must agree in."""
    report = home.report(number)
    return {name: report[name] for name in (
        "state", "total", "looked_at", "outcomes", "by_kind", "by_division", "categories", "unread", "attachments",
        "errors")} | {"cases": len(report["cases"])}


def check(home: Home, number: str) -> None:
    """Every hit is out of the CRM, once, encrypted, told and in the audit; everything else is as it was."""
    report = home.report(number)
    assert report["state"] == "done"
    assert report["looked_at"] == report["total"] == home.stock.records
    assert report["outcomes"] == {"hold": home.stock.hits, "pass": home.stock.records - home.stock.hits}
    assert len(report["cases"]) == home.stock.hits
    activities = home.all(Activity)
    assert len(activities) == home.stock.records
    stubs = {a.id: a.stub for a in activities if a.stub}
    assert sorted(stubs.values()) == report["cases"]
    assert not any(canary in a.subject + a.body for a in activities for canary in CANARIES)
    pulls = home.all(CrmPull)
    assert {p.record: p.state for p in pulls} == dict.fromkeys(stubs, "pulled")
    assert len(home.all(Case)) == home.stock.hits
    told = [n.key for n in home.all(Notice)]
    assert len(told) == len(set(told)) == sum(len(p.trackers) for p in pulls)
    with home.db() as db, db.session() as session:
        assert audit.verify(session).ok
        for event in ("rescan:item:held", "rescan:item:pulled"):
            assert len(audit.show(session, last=10_000, action=event)) == home.stock.hits
        assert len(audit.show(session, last=10, action="rescan:run:finished")) == 1


def test_a_rescan_pulls_out_what_may_not_stay_and_nothing_else(either: Home) -> None:
    number = start(either)
    check(either, number)
    report = either.report(number)
    assert rescanning.exit_code(report) == 1
    assert report["unread"] == {"corrupt": 2}
    assert report["categories"]["government_id"] == 4
    assert sum(sum(by.values()) for by in report["by_division"].values()) == 60
    again = either.report(start(either))
    assert again["outcomes"] == {"held": either.stock.hits, "pass": 54, "stub": either.stock.hits}
    assert rescanning.exit_code(again) == 0


def test_no_canary_stays_in_the_files_of_the_home(home: Home) -> None:
    start(home)
    for name, data in home.world.stored_bytes().items():
        for canary in CANARIES:
            assert canary.encode() not in data, f"a canary lies in {name}"


def test_a_dry_run_says_the_same_and_changes_nothing(home: Home) -> None:
    before = {a.id: (a.subject, a.body, a.stub) for a in home.all(Activity)}
    report = home.report(start(home, dry_run=True))
    assert report["outcomes"] == {"pass": 54, "would-hold": 6}
    assert rescanning.exit_code(report) == 1
    assert {a.id: (a.subject, a.body, a.stub) for a in home.all(Activity)} == before
    assert home.all(Case) == home.all(CrmPull) == []


@pytest.mark.slow
def test_a_run_killed_at_every_step_ends_with_the_same_totals(store_url: str, tmp_path: Path) -> None:
    count = {"personal": 14, "unreadable": 4, "files": 6}  # chunks taken up again run beside each other: enough for all
    either = made(tmp_path / "killed", store_url, **count)
    started = mortal.run(either.world.home, point=mortal.LISTED, nth=2)
    assert started.killed
    with either.db() as db, db.reading() as session:
        number = rescan.runs(session)[0].id
    for point, nth in ((mortal.COPIED, 1), (mortal.STUBBED, 1), (mortal.FINISHED, 1), (mortal.STUBBED, 1),
                       (mortal.NOTED, 1)):
        assert mortal.run(either.world.home, resume=number, point=point, nth=nth).killed, point
    ended = mortal.run(either.world.home, resume=number)
    assert not ended.killed
    check(either, number)
    whole = made(tmp_path / "whole", "", **count)
    assert totals(either, number) == totals(whole, start(whole))


def test_a_run_pauses_before_it_pulls_out_more_than_it_may(either: Home) -> None:
    number = start(either, max_holds="3")
    report = either.report(number)
    assert (report["state"], report["why"], report["outcomes"]["hold"]) == ("paused", "max-holds", 3)
    assert rescanning.exit_code(report) == 2
    assert sum(1 for a in either.all(Activity) if a.stub) == 3
    with pytest.raises(BadFilter, match="max-holds"):
        rescanning.resume(either.world.settings, number, lambda *_: None)
    rescanning.resume(either.world.settings, number, lambda *_: None, max_holds="10")
    check(either, number)
    with pytest.raises(BadState):
        rescanning.resume(either.world.settings, number, lambda *_: None)


def test_a_release_puts_the_record_back_as_it_was_and_later_runs_respect_it(either: Home) -> None:
    before = {a.id: (a.subject, a.body, a.participants, a.message_id) for a in either.all(Activity)}
    report = either.report(start(either))
    for case in report["cases"]:
        assert "has its content again" in desk.release_case(either.world.settings, case, reason="false-positive")
    assert {a.id: (a.subject, a.body, a.participants, a.message_id) for a in either.all(Activity)} == before
    assert {p.state for p in either.all(CrmPull)} == {"restored"}
    assert either.report(start(either))["outcomes"] == {"pass": 54, "released": 6}
    with either.db() as db, db.session() as session:  # another text is another matter
        changed = session.get_one(Activity, next(p.record for p in either.all(CrmPull)))
        changed.body += " And her SIN is 046 454 286."
    assert either.report(start(either))["outcomes"] == {"hold": 1, "pass": 54, "released": 5}


def test_a_deleted_case_leaves_the_stub_and_destroys_the_copy(home: Home) -> None:
    report = home.report(start(home))
    desk.delete_case(home.world.settings, report["cases"][0], reason="confirmed")
    assert sum(1 for a in home.all(Activity) if a.stub) == 6
    assert home.report(start(home))["outcomes"] == {"held": 5, "pass": 54, "stub": 6}


def test_the_case_lists_who_had_seen_the_record(home: Home) -> None:
    hit = home.stock.ids[0]
    with home.db() as db, db.session() as session:
        audit.append(session, "crm:record:read", actor="reader", subject=hit, body={"kind": "activity"})
        audit.append(session, "crm:record:read", actor="reader", subject=hit, body={"kind": "activity"})
        audit.append(session, "crm:attachment:read", actor="loader", subject=hit, body={"number": 1})
        audit.append(session, "crm:record:sent", actor="sync", subject=hit, body={"to": "lee@example.org"})
        audit.append(session, "crm:record:read", actor="stranger", subject=home.stock.ids[1], body={"kind": "activity"})
        reads.listed(session, actor="searcher", kind="activities", ids=[hit], action="crm:records:searched")
        reads.listed(session, actor="elsewhere", kind="activities", ids=[home.stock.ids[1]])
        audit.append(session, "crm:records:listed", actor="lister", body={"kind": "activities", "count": 9000})
        audit.append(session, "crm:records:listed", actor="phoner", body={"kind": "contacts", "count": 9000})
    start(home)
    with home.db() as db, db.reading() as session:
        number = session.get_one(Activity, hit).stub
    shown = desk.show_case(home.world.settings, number)
    assert [(r["actor"], r["how"], r["times"]) for r in shown["readers"]] == [
        ("sync", "received", 1), ("loader", "downloaded", 1), ("reader", "opened", 2), ("lister", "listed", 1),
        ("searcher", "listed", 1)]
    assert shown["exposure"] == 3, "a copy left the CRM"
    assert shown["origin"] == "rescan"
    assert shown["trackers"] == ["dana.reid"]
    with home.db() as db, db.session() as session:
        [pulled] = audit.show(session, action="rescan:item:pulled", subject=hit)
    assert (pulled.body["people"], pulled.body["readings"], pulled.body["exported"]) == (5, 6, True)


def test_filters_narrow_a_run(home: Home) -> None:
    assert home.report(start(home, kinds=("note",), dry_run=True))["by_kind"].keys() == {"note"}
    assert home.report(start(home, kinds=("attachment",), dry_run=True))["attachments"] == 8
    assert home.report(start(home, division="north", dry_run=True))["by_division"].keys() == {"north"}
    nothing = home.report(start(home, since="2999-01-01", dry_run=True))
    assert (nothing["state"], nothing["looked_at"], rescanning.exit_code(nothing)) == ("done", 0, 0)
    for wrong in ({"kinds": ("letter",)}, {"division": "nrth"}, {"since": "yesterday"}, {"max_holds": "many"}):
        with pytest.raises(BadFilter):
            start(home, **wrong)


def test_a_record_changed_or_deleted_while_it_is_looked_at(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from capture.crm.embedded import EmbeddedCrm

    first, second = home.stock.ids[0], home.stock.ids[15]
    real = EmbeddedCrm.pull

    def meddled(self: EmbeddedCrm, ident: str, version: str, case: str) -> None:
        with self._database.session() as session:
            activity = session.get_one(Activity, ident)
            if ident == first and "moved" not in activity.body:
                activity.body = "The course moved to Tuesday."
            elif ident == second:
                session.delete(activity)
        real(self, ident, version, case)

    with home.db() as db, db.session() as session:  # nothing hangs on the one that goes
        from store.crm_tables import ActivityTracker
        for row in session.scalars(select(ActivityTracker).where(col(ActivityTracker.activity_id) == second)):
            session.delete(row)
    monkeypatch.setattr(EmbeddedCrm, "pull", meddled)
    report = home.report(start(home))
    states = {p.record: p.state for p in home.all(CrmPull)}
    assert states[first] == "changed", "what stood there could be read, so its case stays"
    assert states[second] == "gone"
    results = {r.item: r.outcome for r in home.all(RescanResult)}
    assert (results[first], results[second]) == ("pass", "hold")
    with home.db() as db, db.reading() as session:
        assert session.get_one(Activity, first).body == "The course moved to Tuesday."
    assert report["outcomes"] == {"hold": 5, "pass": 55}


def test_what_could_not_be_looked_at_is_an_error_and_is_tried_again(home: Home,
                                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    from capture.crm.embedded import EmbeddedCrm

    real, away = EmbeddedCrm.read, home.stock.ids[0]

    def read(self: EmbeddedCrm, ident: str) -> StoredItem:
        if ident == away:
            raise TryLater
        return real(self, ident)

    monkeypatch.setattr(EmbeddedCrm, "read", read)
    number = start(home)
    report = home.report(number)
    assert (report["state"], report["looked_at"]) == ("done", 60)
    assert list(report["errors"]) == ["try-later"]
    assert rescanning.exit_code(report) == 2
    monkeypatch.undo()
    monkeypatch.setattr(wiring, "scanner_or_refusal", warm.scanner)
    rescanning.resume(home.world.settings, number, lambda *_: None)
    report = home.report(number)
    assert report["outcomes"] == {"hold": 6, "pass": 54}


def test_workers_go_on_with_a_run_whose_command_was_killed(either: Home) -> None:
    assert mortal.run(either.world.home, point=mortal.NOTED, nth=1).killed
    with either.db() as db, db.reading() as session:
        number = rescan.runs(session)[0].id
    with worker.running(either.world.settings), either.db() as db:
        import time
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with db.reading() as session:
                if rescan.progress(session, number).state == "done":
                    break
            time.sleep(0.1)
    check(either, number)


def test_held_items_that_would_pass_now_are_named_and_stay_held(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    world.put("dana.reid", "m", mail("Registration", "Please register her, SIN 046 454 286, for the course.\n"))
    worker.run(world.settings, once=True)
    [case] = desk.list_cases(world.settings)
    pack = tmp_path / "lenient.toml"
    text = (Path(cli.__file__).parent / "pii_scan" / "packs" / "bc_foippa.toml").read_text("utf-8")
    pack.write_text(_without_recognizers(text), encoding="utf-8")
    number = rescanning.start(world.settings, Asked(policy=str(pack)), lambda *_: None)
    pack.unlink()  # a run keeps the rules it was started with
    report = rescanning.report(world.settings, number)
    assert report["would_pass"] == [case["case"]]
    assert [c["state"] for c in desk.list_cases(world.settings)] == ["held"]
    assert rescanning.exit_code(report) == 0


def _without_recognizers(pack: str) -> str:
    """A pack that finds nothing: one harmless recognizer, and thresholds out of reach."""
    begin = pack.index("recognizers = [")
    end = pack.index("]", begin)
    text = pack[:begin] + 'recognizers = ["iban"' + pack[end:]
    head, _, rest = text.partition("[thresholds]")
    body, _, tail = rest.partition("\n\n")
    assert body
    return head + "[thresholds]\nfinding_block = 1.0\nfinding_review = 1.0\nblock = 1.0\nreview = 1.0\n\n" + tail


def test_the_command_prints_a_report_and_its_exit_code(tmp_path: Path) -> None:
    home = made(tmp_path, "")
    place = ["--home", str(home.world.home)]
    first = CliRunner().invoke(cli.app, ["rescan", "--dry-run", *place])
    assert first.exit_code == 1, first.output
    assert "60 of 60 looked at" in first.stdout
    assert "government_id\t4" in first.stdout
    second = CliRunner().invoke(cli.app, ["rescan", "--jsonl", "--kind", "note", *place])
    lines = second.stdout.splitlines()
    assert lines[-1].startswith('{"report": {')
    assert all(line.startswith('{"item": "') for line in lines[:-1])
    listed = CliRunner().invoke(cli.app, ["rescan", "--list", *place])
    assert listed.stdout.count("\tdone\t") == 2
    diff = CliRunner().invoke(cli.app, ["policy", "diff", "bc_foippa", "bc_foippa", *place])
    assert diff.exit_code == 0, diff.output
    assert "0 of 60 verdicts change" in diff.stdout


def test_policy_diff_counts_what_changes_and_changes_nothing(tmp_path: Path) -> None:
    from capture.comparing import compared

    home = made(tmp_path, "", 30, personal=3)
    start(home, kinds=("note",))
    pack = tmp_path / "lenient.toml"
    text = (Path(cli.__file__).parent / "pii_scan" / "packs" / "bc_foippa.toml").read_text("utf-8")
    pack.write_text(_without_recognizers(text), encoding="utf-8")
    before = [(a.id, a.body) for a in home.all(Activity)]
    found = compared(home.world.settings, "bc_foippa", str(pack)).as_json()
    assert found["changes"] == {"block>pass": 3}
    assert found["looked_at"] == 30
    assert found["categories"]["government_id"] == {"block>pass": 3}
    assert [(a.id, a.body) for a in home.all(Activity)] == before
