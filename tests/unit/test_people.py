"""People, roles, delegations, rules, training and sessions, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from stores import opened

from store import audit, people, rules, sessions
from store.access import Action, Person, Role, may
from store.columns import now
from store.database import Database
from store.errors import BadState, DatabaseConflict, NotFound, RolesClash
from store.people_tables import WebSession

DAY = timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("pg_url")
    with opened(place) as (database, _):
        yield database


def somebody(db: Database, name: str, *roles: Role, division: str = "north") -> str:
    """A person with roles in force."""
    with db.session() as s:
        people.add_division(s, division, actor="root")
        who = people.add(s, f"{name}@example.org", actor="root", divisions=(division,)).id
        for role in roles:
            grant = people.ask_role(s, who, role, actor="root")
            people.approve_role(s, grant.id, actor="owner-1")
            people.apply_role(s, grant.id, actor="admin-1")
    return who


def load(db: Database, who: str, **known: bool) -> Person:
    with db.reading() as s:
        return people.load(s, who, affirmed=rules.current_number(s), **known)


def in_order(db: Database, who: str) -> None:
    """Rules signed, training fresh."""
    with db.session() as s:
        rules.sign(s, who, rules.in_force(s).number)
        people.record_training(s, who, "privacy-basics", completed=now() - DAY, expires=now() + DAY, actor="root")


def events(db: Database, beginning: str = "people:") -> list[str]:
    with db.reading() as s:
        return [row.action for row in audit.show(s, last=1000, action=beginning)]


def test_a_person_becomes_what_was_asked_approved_and_applied(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        grant = people.ask_role(s, who, Role.REVIEWER, actor=who).id
    assert load(db, who).roles == frozenset()
    with db.session() as s:
        people.approve_role(s, grant, actor="owner-1")
    assert load(db, who).roles == frozenset()
    with db.session() as s:
        people.apply_role(s, grant, actor="admin-1")
    person = load(db, who)
    assert (person.roles, person.divisions) == ({Role.REVIEWER}, {"north"})
    assert person.addresses == {"dana@example.org"}
    with db.session() as s:
        people.end_role(s, grant, actor="admin-1")
    assert load(db, who).roles == frozenset()
    assert events(db, "people:role:") == [f"people:role:{v}" for v in ("asked", "approved", "granted", "ended")]


def test_nobody_approves_or_applies_a_role_alone(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        grant = people.ask_role(s, who, Role.REVIEWER, actor="root").id

    def tried(act: Callable[..., object], actor: str) -> None:
        with pytest.raises(BadState), db.session() as s:
            act(s, grant, actor=actor)

    tried(people.apply_role, "admin-1")  # not approved yet
    tried(people.approve_role, who)
    with db.session() as s:
        people.approve_role(s, grant, actor="owner-1")
    tried(people.approve_role, "owner-2")
    tried(people.apply_role, who)
    tried(people.apply_role, "owner-1")
    with db.session() as s:
        people.apply_role(s, grant, actor="admin-1")
    tried(people.apply_role, "admin-2")


@pytest.mark.parametrize("column", ["approved_by", "granted_by"])
def test_the_database_itself_refuses_self_approval(db: Database, column: str) -> None:
    who = somebody(db, "dana", Role.REVIEWER)
    with pytest.raises(DatabaseConflict), db.session() as s:
        s.execute(text(f"UPDATE role_grant SET {column} = person_id WHERE person_id = :p"), {"p": who})  # noqa: S608
    with pytest.raises(DatabaseConflict), db.session() as s:
        s.execute(text("UPDATE role_grant SET granted_by = approved_by WHERE person_id = :p"), {"p": who})


def test_roles_that_stay_apart_are_refused_at_asking_and_at_applying(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        one = people.ask_role(s, who, Role.REVIEWER, actor="root").id
        other = people.ask_role(s, who, Role.ADMINISTRATOR, actor="root").id
        for grant in (one, other):
            people.approve_role(s, grant, actor="owner-1")
        people.apply_role(s, one, actor="admin-1")
    with pytest.raises(RolesClash), db.session() as s:
        people.apply_role(s, other, actor="admin-1")
    with pytest.raises(RolesClash), db.session() as s:
        people.ask_role(s, who, Role.AUDITOR, actor="root")
    with pytest.raises(BadState), db.session() as s:
        people.ask_role(s, who, Role.REVIEWER, actor="root")


def test_a_role_for_a_time_ends_with_it(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        grant = people.ask_role(s, who, Role.AUDITOR, actor="root", until=now() + DAY)
        people.approve_role(s, grant.id, actor="owner-1")
        people.apply_role(s, grant.id, actor="admin-1")
    with db.reading() as s:
        assert people.roles_of(s, who, now()) == {Role.AUDITOR}
        assert people.roles_of(s, who, now() + 2 * DAY) == frozenset()
        assert people.roles_of(s, who, now() - DAY) == frozenset()


def test_roles_from_the_directory_follow_it(db: Database) -> None:
    who = somebody(db, "dana", Role.STAFF)
    with db.session() as s:
        people.follow_directory(s, who, frozenset({Role.STAFF, Role.REVIEWER}))
    assert load(db, who).roles == {Role.STAFF, Role.REVIEWER}
    with db.session() as s:
        people.follow_directory(s, who, frozenset())
    assert load(db, who).roles == {Role.STAFF}, "what was granted here stays"
    with pytest.raises(RolesClash), db.session() as s:
        people.follow_directory(s, who, frozenset({Role.AUDITOR}))
    with pytest.raises(RolesClash), db.session() as s:
        people.follow_directory(s, who, frozenset({Role.ADMINISTRATOR, Role.REVIEWER}))
    assert load(db, who).roles == {Role.STAFF}


def test_a_delegate_acts_for_the_head_for_a_time(db: Database) -> None:
    head, other = somebody(db, "head", Role.HEAD), somebody(db, "other", Role.STAFF)
    for who in (head, other):
        in_order(db, who)
    assert not may(load(db, other), Action.INCIDENT_NOTIFY)
    with db.session() as s:
        made = people.delegate(s, head, other, begins=now() - DAY, ends=now() + DAY).id
    assert may(load(db, other), Action.INCIDENT_NOTIFY)
    assert not may(load(db, other), Action.DELEGATION_MAKE)
    with db.reading() as s:
        assert Role.DELEGATE not in people.roles_of(s, other, now() + 2 * DAY)
    for wrong in ((other, head), (head, head)):
        with pytest.raises(BadState), db.session() as s:
            people.delegate(s, *wrong, begins=now(), ends=now() + DAY)
    auditor = somebody(db, "auditor", Role.AUDITOR)
    with pytest.raises(RolesClash), db.session() as s:
        people.delegate(s, head, auditor, begins=now(), ends=now() + DAY)
    with db.session() as s:
        people.end_delegation(s, made, actor=head)
    assert not may(load(db, other), Action.INCIDENT_NOTIFY)


def test_a_delegation_ends_with_the_heads_own_role(db: Database) -> None:
    head, other = somebody(db, "head", Role.HEAD), somebody(db, "other", Role.STAFF)
    with db.session() as s:
        people.delegate(s, head, other, begins=now() - DAY, ends=now() + DAY)
    assert Role.DELEGATE in load(db, other).roles
    with db.session() as s:
        grant = s.execute(text("SELECT id FROM role_grant WHERE person_id = :p"), {"p": head}).scalar_one()
        people.end_role(s, grant, actor="admin-1")
    assert Role.DELEGATE not in load(db, other).roles


def test_suspended_ended_and_expired_accounts_do_nothing(db: Database) -> None:
    who = somebody(db, "dana", Role.STAFF)
    in_order(db, who)
    with db.session() as s:
        token = sessions.begin(s, who, hours=8)
    assert load(db, who).active
    with pytest.raises(BadState), db.session() as s:
        people.change_state(s, who, "ended", actor=who)
    with db.session() as s:
        people.change_state(s, who, "suspended", actor="root")
    assert not load(db, who).active
    with db.session() as s:
        assert sessions.resume(s, token, idle_minutes=15) is None, "a suspended person is signed out at once"
        people.change_state(s, who, "active", actor="root")
        assert sessions.resume(s, token, idle_minutes=15) is None
        people.change_state(s, who, "ended", actor="root")
    with pytest.raises(BadState), db.session() as s:
        people.change_state(s, who, "active", actor="root")
    with db.session() as s:
        last = people.add(s, "temp@example.org", actor="root", kind="contractor", justification="audit-2026",
                          ends=now() - DAY).id
    assert not load(db, last).active
    for wrong in ({"kind": "contractor"}, {"kind": "guest"}, {"state": "ended"}):
        with pytest.raises(BadState), db.session() as s:
            people.add(s, "x@example.org", actor="root", **wrong)  # type: ignore[arg-type]


def test_one_address_is_one_person_and_divisions_have_to_exist(db: Database) -> None:
    who = somebody(db, "dana")
    for address in ("DANA@Example.org", " dana@example.org "):
        with pytest.raises(BadState), db.session() as s:
            people.add(s, address, actor="root")
    for address in ("", "nobody", "two words@example.org", "x@y@example.org"):
        with pytest.raises(BadState), db.session() as s:
            people.add(s, address, actor="root")
    with pytest.raises(NotFound), db.session() as s:
        people.join(s, who, "south", actor="root")
    with db.session() as s:
        people.leave(s, who, "north", actor="root")
        people.join(s, who, "north", actor="root")
        people.join(s, who, "north", actor="root")
    assert load(db, who).divisions == {"north"}
    assert events(db, "people:division:") == [
        f"people:division:{v}" for v in ("added", "joined", "left", "joined")]


def test_rules_are_signed_once_per_version_and_affirmed_at_every_sign_in(db: Database) -> None:
    who = somebody(db, "dana", Role.STAFF)
    with db.session() as s:
        first = rules.in_force(s)
        assert rules.in_force(s).number == first.number == 1
        token = sessions.begin(s, who, hours=8)
        row = sessions.resume(s, token, idle_minutes=15)
        assert row is not None
        with pytest.raises(BadState):
            sessions.affirm(s, row)
        rules.sign(s, who, 1)
        rules.sign(s, who, 1)
        sessions.affirm(s, row)
        sessions.affirm(s, row)
        assert people.load(s, who, affirmed=row.affirmed).bound
        assert not people.load(s, who).bound, "another sign-in affirms anew"
    with db.session() as s:
        assert rules.publish(s, first.text, actor="root").number == 1
        assert rules.publish(s, "New rules.", actor="root").number == 2
        assert not people.load(s, who, affirmed=1).bound
        with pytest.raises(BadState):
            rules.sign(s, who, 1)
    assert events(db, "people:rules:") == [f"people:rules:{v}" for v in (
        "published", "signed", "affirmed", "published")]


def test_training_runs_out(db: Database) -> None:
    who = somebody(db, "dana", Role.STAFF)
    assert not load(db, who).trained
    in_order(db, who)
    assert load(db, who).trained
    with db.reading() as s:
        assert not people.load(s, who, at=now() + 2 * DAY).trained
    for wrong in ({"completed": now() + DAY, "expires": now() + 2 * DAY}, {"completed": now(), "expires": now() - DAY}):
        with pytest.raises(BadState), db.session() as s:
            people.record_training(s, who, "x", actor="root", **wrong)
    with pytest.raises(BadState), db.session() as s:
        people.record_training(s, who, "x", completed=now() - DAY, expires=now() + DAY, actor=who)


NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(("looks", "alive"), [
    pytest.param([14, 28, 42, 56], True, id="in use"),
    pytest.param([14, 30], False, id="idle"),
    pytest.param([15], False, id="idle to the minute"),
    pytest.param([*range(10, 480, 10)], True, id="nearly eight hours"),
    pytest.param([*range(10, 490, 10)], False, id="eight hours, whatever happens"),
])
def test_a_session_ends_idle_or_after_its_hours(db: Database, looks: list[int], alive: bool) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        token = sessions.begin(s, who, hours=8, at=NOON)
        found = [sessions.resume(s, token, idle_minutes=15, at=NOON + timedelta(minutes=m)) for m in looks]
    assert (found[-1] is not None) == alive
    assert all(row is not None for row in found[:-1])
    with db.session() as s:
        assert (sessions.resume(s, token, idle_minutes=15, at=NOON + timedelta(minutes=looks[-1] - 1)) is not None
                ) == alive, "what is over stays over"


def test_a_renewed_session_has_another_token_and_the_same_end(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        token = sessions.begin(s, who, hours=8, at=NOON)
        row = sessions.resume(s, token, idle_minutes=15, at=NOON + timedelta(minutes=10))
        assert row is not None
        assert not sessions.fresh(row, minutes=5, at=NOON + timedelta(minutes=10))
        newer = sessions.again(s, row, at=NOON + timedelta(minutes=10))
        assert sessions.fresh(row, minutes=5, at=NOON + timedelta(minutes=14))
        assert row.ends == NOON + timedelta(hours=8)
        assert sessions.resume(s, token, idle_minutes=15, at=NOON + timedelta(minutes=11)) is None
        assert sessions.resume(s, newer, idle_minutes=15, at=NOON + timedelta(minutes=11)) is not None
        sessions.end(s, row, why="signed-out")
        sessions.end(s, row, why="signed-out")
        assert sessions.resume(s, newer, idle_minutes=15, at=NOON + timedelta(minutes=11)) is None
        with pytest.raises(BadState):
            sessions.again(s, row)
    assert events(db, "web:") == [f"web:session:{v}" for v in ("begun", "renewed", "ended")]


def test_the_table_of_sessions_lets_nobody_in(db: Database) -> None:
    who = somebody(db, "dana")
    with db.session() as s:
        token = sessions.begin(s, who, hours=8)
        (row,) = s.execute(text("SELECT * FROM web_session")).mappings()
        stored = [str(value) for value in row.values()]
        assert not any(token in value or value == token for value in stored)
        for value in stored:
            assert sessions.resume(s, value, idle_minutes=15) is None
        assert token not in repr(s.get(WebSession, row["id"]))


def test_a_form_fits_its_own_session_only() -> None:
    one, other = "token-one", "token-two"
    assert sessions.form_token_fits(one, sessions.form_token(one))
    for wrong in (sessions.form_token(other), "", one, sessions.form_token(one)[:-1], "\udcff"):
        assert not sessions.form_token_fits(one, wrong)


def test_the_register_says_who_was_what_and_when(db: Database) -> None:
    who = somebody(db, "dana", Role.STAFF)
    with db.session() as s:
        assert [(r["address"], r["roles"], r["divisions"]) for r in people.register(s)] == [
            ("dana@example.org", ["staff"], ["north"])]
        assert people.register(s, at=now() - DAY) == []
        people.change_state(s, who, "ended", actor="root")
        assert [r["state"] for r in people.register(s)] == ["ended"]
