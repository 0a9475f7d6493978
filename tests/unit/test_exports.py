"""Exports on both databases: who may, the mark, formulas, the limit, the firewall, and what is recorded first."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import stat
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from register import enter, loaded
from stores import BLOCK, finish, opened, sight
from world import make_world

from capture.exporting import WATERMARK, WHAT, ExportRefused, Wanted, defused, export, to_file
from capture.wiring import opened as opened_home
from store import audit, reads
from store.access import Person, Role
from store.account_tables import Disclosure
from store.columns import now
from store.crm_tables import Activity, Contact
from store.crm_work_tables import Issue, Opportunity
from store.database import Database
from store.errors import NotAllowed

REASON = {"reason": "audit-office", "recipient": "internal"}


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, keys):
        with database.session() as s:
            enter(s, "dana", Role.STAFF)
            s.add(Contact(id="n" * 32, first_name="Nia", last_name="=1+1", email="nia@c.example", phone="1",
                          division="north"))
            s.add(Contact(id="s" * 32, first_name="Sol", last_name="May", email="sol@c.example", phone="2",
                          division="south"))
            s.add(Contact(id="x" * 32, first_name="Xan", last_name="Roe", email="xan@c.example"))
            s.add(Activity(id="a" * 32, item_key="k", subject="@SUM(A1)"))
        finish(database, *sight(database, keys, "dana", "m@x", BLOCK))
        yield database


def somebody(db: Database, *roles: Role, name: str = "nora", fresh: bool = True) -> Person:
    with db.session() as s:
        return loaded(s, enter(s, name, *roles), fresh=fresh)


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode())))


def test_nobody_but_an_administrator_exports_anything(db: Database) -> None:
    for role in set(Role) - {Role.ADMINISTRATOR}:
        who = somebody(db, role, name=role)
        for what in WHAT:
            with pytest.raises(NotAllowed):
                export(db, who, Wanted(what, "csv", **REASON), most=10)
    with db.reading() as s:
        assert audit.show(s, action="export:") == ()


def test_an_export_needs_a_sign_in_of_the_last_minutes(db: Database) -> None:
    with pytest.raises(NotAllowed, match="sign-in-again"):
        export(db, somebody(db, Role.ADMINISTRATOR, fresh=False), Wanted("cases", "csv", **REASON), most=10)


def test_every_row_says_who_took_it_and_the_disclosure_is_there_first(db: Database) -> None:
    who = somebody(db, Role.ADMINISTRATOR)
    for what, form in product(WHAT, ("csv", "json")):
        marked(db, who, what, form)


def marked(db: Database, who: Person, what: str, form: str) -> None:
    made = export(db, who, Wanted(what, form, **REASON), most=1000)
    rows = rows_of(made.data) if form == "csv" else json.loads(made.data)["rows"]
    assert len(rows) == made.rows
    assert rows or what in ("organisations", "projects", "opportunities", "events", "issues", "documents")
    for row in rows:
        assert tuple(row)[-3:] == WATERMARK
        assert (row["exported_by"], row["export_id"]) == ("nora@example.org", made.id)
    with db.reading() as s:
        kept = s.get(Disclosure, made.id)
        assert kept is not None
        assert (kept.person_id, kept.what, kept.rows, kept.reason, kept.recipient) == (
            who.id, what, made.rows, "audit-office", "internal")
        assert kept.digest == hashlib.sha256(made.data).hexdigest()
        [event] = audit.show(s, action="export:file:made", subject=made.id)
        assert (event.actor, event.subject, event.body["rows"]) == (who.id, made.id, made.rows)
    assert "nora" not in made.name


def test_exported_records_are_named_so_that_a_rescan_knows_who_has_them(db: Database) -> None:
    who = somebody(db, Role.ADMINISTRATOR)
    export(db, who, Wanted("activities", "json", **REASON), most=10)
    with db.reading() as s:
        found = list(reads.of_record(s, "a" * 32, now().replace(year=2000)))
    assert [(r.actor, r.how) for r in found] == [(who.id, reads.How.EXPORTED)]


def test_how_to_reach_somebody_of_another_division_is_left_out(db: Database) -> None:
    made = export(db, somebody(db, Role.ADMINISTRATOR), Wanted("contacts", "json", **REASON), most=10)
    rows = {row["first_name"]: row for row in json.loads(made.data)["rows"]}
    assert (rows["Nia"]["email"], rows["Nia"]["phone"]) == ("nia@c.example", "1")
    for name in ("Sol", "Xan"):
        assert (rows[name]["email"], rows[name]["phone"], rows[name]["fax"]) == (None, None, None)
        assert rows[name]["last_name"] in ("May", "Roe")
    assert b"sol@c.example" not in made.data


def test_business_of_another_division_is_there_without_its_values(db: Database) -> None:
    with db.session() as s:
        s.add_all([Opportunity(id="o1", title="Ours", division="north", quoted_cents=12_00),
                   Opportunity(id="o2", title="Theirs", division="south", quoted_cents=13_00),
                   Opportunity(id="o3", title="Nobody's"), Issue(id="i1", title="Shared", division="south")])
    who = somebody(db, Role.ADMINISTRATOR)
    made = export(db, who, Wanted("opportunities", "json", **REASON), most=10)
    assert [(r["id"], r["title"], r["quoted_cents"], r["division"]) for r in json.loads(made.data)["rows"]] == [
        ("o1", "Ours", 1200, "north"), ("o2", None, None, "south"), ("o3", "Nobody's", None, "")]
    assert json.loads(export(db, who, Wanted("issues", "json", **REASON), most=10).data)["rows"][0]["title"] == "Shared"
    for what in ("projects", "events", "documents"):
        assert export(db, who, Wanted(what, "csv", **REASON), most=10).rows == 0


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", " =1", '"=1', "\uff1d1", "\x00=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert str(defused(cell)).startswith("'")


@pytest.mark.parametrize(("cell", "shown"), [("Roe", "Roe"), (31, 31), (-1, -1), (None, ""), ("a=b", "a=b"), ("", "")])
def test_what_is_no_formula_stays(cell: object, shown: object) -> None:
    assert defused(cell) == shown


def test_formulas_are_defused_in_the_file(db: Database) -> None:
    made = export(db, somebody(db, Role.ADMINISTRATOR), Wanted("contacts", "csv", **REASON), most=10)
    assert {row["last_name"] for row in rows_of(made.data)} == {"'=1+1", "May", "Roe"}


@pytest.mark.parametrize("wanted", [
    pytest.param(Wanted("contacts", "csv", **REASON), id="too many rows"),
    pytest.param(Wanted("content", "csv", **REASON), id="nothing there is"),
    pytest.param(Wanted("cases", "xlsx", **REASON), id="another form"),
    pytest.param(Wanted("cases", "csv", "because I want", "internal"), id="a reason in words"),
    pytest.param(Wanted("cases", "csv", "audit-office", ""), id="no recipient"),
])
def test_what_cannot_be_exported_leaves_nothing(db: Database, wanted: Wanted) -> None:
    with pytest.raises(ExportRefused):
        export(db, somebody(db, Role.ADMINISTRATOR), wanted, most=2)
    with db.reading() as s:
        assert audit.show(s, action="export:") == ()


def test_the_file_is_new_and_its_owners_only(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    with opened_home(world.settings) as (db, _), db.session() as s:
        enter(s, "nora", Role.ADMINISTRATOR)
    out = tmp_path / "audit.csv"
    made = to_file(world.settings, Wanted("audit", "csv", **REASON), out, actor="nora@example.org")
    assert out.read_bytes() == made.data
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
