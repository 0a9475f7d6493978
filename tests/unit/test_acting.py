"""Who acts at the terminal; and the firewalls between divisions in the lists and records shown there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from register import enter
from stores import opened
from world import World, make_world

from capture import desk, register
from capture.acting import UnknownActor, acting
from capture.auditing import actor_name
from capture.wiring import opened as opened_home
from store import audit
from store.access import FIREWALLED, Action, Role, Thing
from store.crm_tables import Activity, Contact, Organisation
from store.database import Database
from store.errors import NotAllowed, NotFound


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    with opened(store_url) as (database, _):
        yield database


def test_a_registered_person_is_asked_for_their_roles_and_recorded_by_id(db: Database) -> None:
    with db.session() as s:
        vera, nora = enter(s, "vera", Role.REVIEWER), enter(s, "nora", Role.ADMINISTRATOR)
        assert acting(s, "Vera@example.org", Action.RULE_PROPOSE, Thing("north")) == vera
        assert acting(s, nora, Action.RECORD_EXPORT) == nora
        for named, action, thing in (("vera@example.org", Action.RULE_PROPOSE, Thing("south")),
                                     ("vera@example.org", Action.RECORD_EXPORT, None),
                                     ("nora@example.org", Action.CASE_READ, Thing("north"))):
            with pytest.raises(NotAllowed):
                acting(s, named, action, thing)


def test_a_name_nobody_knows_counts_only_while_there_is_no_administrator(db: Database) -> None:
    with db.session() as s:
        enter(s, "vera", Role.REVIEWER)
        assert acting(s, "petra", Action.USER_GRANT) == "petra"
        assert acting(s, "", Action.USER_GRANT) == actor_name()
        for action in (Action.RULE_APPROVE, Action.AUDIT_SIGN, Action.RECORD_EXPORT, Action.AUDIT_EXPORT):
            for named in ("", "petra", "petra@example.org"):
                with pytest.raises(UnknownActor):
                    acting(s, named, action)
        enter(s, "nora", Role.ADMINISTRATOR)
        with pytest.raises(UnknownActor):
            acting(s, "petra", Action.USER_GRANT)
        assert acting(s, "", Action.USER_GRANT) == actor_name(), "the operator of the machine"


# ------------------------------------------------------------------------------------------------ firewall

@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path / "home")
    with opened_home(made.settings) as (database, _), database.session() as s:
        enter(s, "dana", Role.STAFF)
        enter(s, "omar", Role.STAFF, division="south")
        enter(s, "nora", Role.ADMINISTRATOR)
        enter(s, "petra", Role.OWNER)
        enter(s, "jules", Role.DIVISION_ADMIN)
        s.add(Organisation(id="o" * 32, name="Fire Hall", name_key="fire hall", email="desk@hall.example"))
        s.flush()
        s.add(Contact(id="c" * 32, first_name="Nia", last_name="Roe", email="nia@hall.example", phone="604",
                      fax="605", division="north", organisation_id="o" * 32))
        s.add(Activity(id="a" * 32, item_key="k", subject="Plan", division="north",
                       participants=[{"role": "from", "name": "Nia Roe", "email": "nia@hall.example"}]))
    return made


def test_the_queue_is_shown_to_nobody_who_only_says_a_name(world: World) -> None:
    assert desk.list_cases(world.settings) == []
    with pytest.raises(UnknownActor):
        desk.list_cases(world.settings, actor="nobody@example.org")
    with pytest.raises(NotAllowed):
        desk.list_cases(world.settings, actor="dana@example.org")


def everything(world: World, actor: str) -> dict[str, Any]:
    """What somebody sees of the contact in every list and record."""
    return {"list": desk.list_crm(world.settings, "contacts", actor=actor),
            **{letter: desk.show_crm(world.settings, letter * 32, actor=actor) for letter in "coa"}}


def test_the_other_division_sees_names_and_no_way_to_reach_the_person(world: World) -> None:
    mine = everything(world, "dana@example.org")
    assert mine["list"][0]["email"] == mine["c"]["email"] == mine["o"]["contacts"][0]["email"] == "nia@hall.example"
    assert mine["a"]["participants"][0]["email"] == "nia@hall.example"
    for other in ("omar@example.org", ""):
        seen = everything(world, other)
        assert "nia@hall.example" not in str(seen)
        assert {seen["c"][name] for name in FIREWALLED["contact"] if name in seen["c"]} == {None}
        assert (seen["list"][0]["email"], seen["list"][0]["phone"]) == (None, None)
        assert (seen["list"][0]["last_name"], seen["c"]["last_name"]) == ("Roe", "Roe")
        assert seen["o"]["email"] == "desk@hall.example", "an organisation is no individual"
        assert (seen["a"]["subject"], seen["a"]["participants"][0]["name"]) == ("Plan", "Nia Roe")
    with opened_home(world.settings) as (database, _), database.reading() as s:
        readers = {row.actor for row in audit.show(s, last=100, action="crm:record")}
    assert len(readers) == 3
    assert actor_name() in readers


def test_an_import_names_the_division_of_its_contacts(world: World, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,first_name,last_name\nnew@hall.example,Sol,May\n", encoding="utf-8")
    with pytest.raises(NotFound):
        desk.import_crm(world.settings, file, division="west", actor="nora@example.org")
    with pytest.raises(NotAllowed):
        desk.import_crm(world.settings, file, division="south", actor="jules@example.org")
    assert desk.import_crm(world.settings, file, division="north", actor="jules@example.org")["contacts new"] == 1
    rows = {row["last_name"]: row for row in desk.list_crm(world.settings, "contacts", actor="omar@example.org")}
    assert (rows["May"]["division"], rows["May"]["email"]) == ("north", None)


def test_the_register_asks_who_may(world: World) -> None:
    assert "entered" in register.enter(world.settings, "zoe@example.org", division="north", kind="employee",
                                       justification="", ends="", actor="jules@example.org")
    with pytest.raises(NotAllowed):
        register.change_role(world.settings, "zoe@example.org", "reviewer", what="ask", actor="dana@example.org")
    for what, actor in (("ask", "jules"), ("approve", "petra"), ("apply", "nora")):
        register.change_role(world.settings, "zoe@example.org", "reviewer", what=what, actor=f"{actor}@example.org")
    with pytest.raises(NotAllowed):
        register.change_state(world.settings, "zoe@example.org", "suspended", actor="petra@example.org")
    assert "suspended" in register.change_state(world.settings, "zoe@example.org", "suspended",
                                                actor="jules@example.org")
    with pytest.raises(UnknownActor):
        register.change_state(world.settings, "zoe@example.org", "active", actor="somebody")
