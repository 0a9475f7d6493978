"""`mailweir user`: entering people and giving roles at the terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from world import make_world

import cli
from capture.wiring import opened
from pii_scan.errors import MailweirError
from store import audit, people, rules
from store.errors import BadState, NotFound, RolesClash

WHO = "vera.stone@example.org"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("register") / "home").home


def user(home: Path, *words: str) -> str:
    """Run `mailweir user ...`; what it printed. Raises our errors as the command does."""
    done = CliRunner().invoke(cli.app, ["user", *words, "--home", str(home)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_a_person_is_entered_given_a_role_by_three_and_leaves(home: Path, tmp_path: Path) -> None:
    assert user(home, "add", "Vera.Stone@Example.org", "--division", "north") == f"{WHO} entered\n"
    assert "asked for" in user(home, "ask", WHO, "--role", "reviewer", "--actor", "vera")
    with pytest.raises(BadState):
        user(home, "grant", WHO, "--role", "reviewer", "--actor", "nora")
    assert "approved" in user(home, "approve", WHO, "--role", "reviewer", "--actor", "petra")
    with pytest.raises(BadState):
        user(home, "grant", WHO, "--role", "reviewer", "--actor", "petra")
    assert "in force" in user(home, "grant", WHO, "--role", "reviewer", "--actor", "nora")
    with pytest.raises(RolesClash):
        user(home, "ask", WHO, "--role", "auditor")
    (row,) = json.loads(user(home, "list", "--json"))
    assert (row["address"], row["state"], row["roles"], row["divisions"]) == (WHO, "active", ["reviewer"], ["north"])
    assert json.loads(user(home, "list", "--json", "--as-of", "2020-01-01")) == []
    assert "privacy-basics" in user(home, "train", WHO, "privacy-basics", "--completed", "2026-01-05", "--expires",
                                    "2099-01-05", "--actor", "jules")
    text = tmp_path / "rules.txt"
    text.write_text("Only for work.", encoding="utf-8")
    assert user(home, "rules", str(text)) == "version 1 is in force\n"
    user(home, "revoke", WHO, "--role", "reviewer")
    assert user(home, "state", WHO, "ended") == f"{WHO} is ended\n"
    from capture.settings import load_settings

    with opened(load_settings(home)) as (database, _), database.reading() as session:
        person = people.by_address(session, WHO)
        assert person is not None
        assert people.load(session, person.id).roles == frozenset()
        assert rules.current_number(session) == 1
        names = [row.action for row in audit.show(session, last=100, action="people:")]
        assert audit.verify(session).ok
    assert names.count("people:register:read") == 2
    assert {"people:person:added", "people:role:granted", "people:role:ended", "people:training:recorded",
            "people:rules:published", "people:person:changed"} <= set(names)


@pytest.mark.parametrize("words", [
    ("add", "no-address"), ("add", "x@example.org", "--contractor"), ("ask", "nobody@example.org", "--role", "staff"),
    ("ask", WHO, "--role", "king"), ("list", "--as-of", "yesterday"), ("state", "nobody@example.org", "active"),
    ("train", "nobody@example.org", "x", "--completed", "2026-01-01", "--expires", "2027-01-01"),
    ("rules", "/nowhere/at/all"), ("approve", "nobody@example.org", "--role", "staff"),
])
def test_what_makes_no_sense_is_an_error_with_a_code(home: Path, words: tuple[str, ...]) -> None:
    with pytest.raises(MailweirError) as error:
        user(home, *words)
    assert error.value.code in ("bad-state", "bad-input", "not-found")
    assert issubclass(NotFound, MailweirError)


def test_the_head_lets_somebody_act_for_a_time_and_takes_it_back(tmp_path: Path) -> None:
    from capture.settings import load_settings

    here = make_world(tmp_path / "home").home
    for address in ("hana@example.org", "petra@example.org"):
        user(here, "add", address, "--division", "north")
    for role, address in (("head", "hana@example.org"), ("privacy-officer", "petra@example.org")):
        user(here, "ask", address, "--role", role, "--actor", "vera")
        user(here, "approve", address, "--role", role, "--actor", "marcus")
        user(here, "grant", address, "--role", role, "--actor", "nora")
    text = tmp_path / "rules.txt"
    text.write_text("Only for work.", encoding="utf-8")
    user(here, "rules", str(text))
    with opened(load_settings(here)) as (database, _):
        with database.session() as session:
            ids = {}
            for name in ("hana", "petra"):
                person = people.by_address(session, f"{name}@example.org")
                assert person is not None
                ids[name] = person.id
                rules.sign(session, person.id, 1)
        term = ("--from", "2020-01-01", "--until", "2999-01-01", "--document", "letter-7")

        def roles() -> frozenset[str]:
            with database.reading() as session:
                return frozenset(people.load(session, ids["petra"]).roles)

        with pytest.raises(MailweirError) as refused:
            user(here, "delegate", "hana@example.org", *term, "--actor", "petra@example.org")
        assert refused.value.code == "not-allowed"
        user(here, "delegate", "petra@example.org", *term, "--actor", "hana@example.org")
        assert "delegate" in roles()
        user(here, "undelegate", "petra@example.org", "--actor", "hana@example.org")
        assert "delegate" not in roles()
        with pytest.raises(NotFound):
            user(here, "undelegate", "petra@example.org", "--actor", "hana@example.org")
        with database.reading() as session:
            (made,) = audit.show(session, last=100, action="people:delegation:made")
        assert (made.actor, made.subject, made.body["document"]) == (ids["hana"], ids["petra"], "letter-7")
