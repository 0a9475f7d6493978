"""The whole road on PostgreSQL, as the service role, and what `mailweir db` says of a database."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from postgres import Server
from sqlalchemy.engine import make_url
from typer.testing import CliRunner
from world import SETTINGS, World, mail, make_world

from capture import auditing, databases, desk, worker
from capture.errors import BadSettings
from capture.homes import create_home
from capture.settings import load_settings
from cli import app
from store.errors import DatabaseRefused

PERSONAL = f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}.\n"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"


@pytest.fixture
def served(pg_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A home whose service is a role without a password in the settings; the owner's URL is in the environment."""
    names = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in ("owner", "service")}
    with pg_server.database(empty=True) as url:
        database = make_url(url).database or ""
        for name in names.values():
            pg_server.run(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        pg_server.run(f"ALTER DATABASE {database} OWNER TO {names['owner']}")
        monkeypatch.setenv("MAILWEIR_OWNER_DATABASE", pg_server.url(database, user=names["owner"], password="x"))
        monkeypatch.setenv("MAILWEIR_DATABASE_PASSWORD", "x")
        service = make_url(pg_server.url(database, user=names["service"])).set(password=None)
        try:
            home = tmp_path / "home"
            create_home(home, settings_text=f"{SETTINGS}[store]\nservice_role = \"{names['service']}\"\n"
                                            f"database = \"{service.render_as_string(hide_password=False)}\"\n")
            yield World(home, load_settings(home))
        finally:
            for name in names.values():
                pg_server.run(f"DROP OWNED BY {name} CASCADE", database=database)
    for name in names.values():
        pg_server.run(f"DROP ROLE {name}")


def checked(world: World) -> dict[str, str]:
    return {check.name: check.result for check in databases.check_database(world.settings)}


def test_the_service_role_works_the_whole_road(served: World) -> None:
    assert databases.upgrade_database(served.settings, roles=True)[-1].endswith("(service) set")
    clean = mail("Course dates", BUSINESS, message_id="c1@client.example.com")
    personal = mail("Registration", PERSONAL, message_id="p1@client.example.com")
    for user in ("dana.reid", "marcus.lee"):
        served.put(user, "clean", clean)
        served.put(user, "personal", personal)
    totals = worker.run(served.settings, once=True)
    assert (totals["linked"], totals["held"], totals["unfinished"]) == (2, 2, 0)
    assert served.rows("SELECT count(*) FROM activity") == [(1,)]
    [case] = desk.list_cases(served.settings)
    assert case["trackers"] == 2
    assert served.rows("SELECT current_user")[0][0].startswith("service_")
    assert "destroyed" in desk.delete_case(served.settings, case["case"], reason="confirmed")
    assert auditing.make(served.settings) is not None
    told = auditing.verify(served.settings)
    assert told["whole"], told
    assert checked(served) == {name: "ok" if name != "server" else "warn" for name in checked(served)}, \
        "the test server does not fsync, and nothing else is amiss"


def test_a_fresh_home_on_postgres_is_made_by_the_owner(served: World) -> None:
    assert checked(served)["role service"] == "fail", "no right was given yet"
    result = CliRunner().invoke(app, ["db", "check", "--home", str(served.home)])
    assert result.exit_code == 2
    printed = CliRunner().invoke(app, ["db", "upgrade", "--print", "--home", str(served.home)])
    assert "GRANT INSERT, SELECT ON" in printed.output
    assert checked(served)["role service"] == "fail", "printing changes nothing"
    assert CliRunner().invoke(app, ["db", "upgrade", "--roles", "--home", str(served.home)]).exit_code == 0
    assert CliRunner().invoke(app, ["db", "check", "--home", str(served.home)]).exit_code == 1
    assert checked(served)["role service"] == "ok"


@pytest.mark.parametrize("owned", ["sqlite", "postgres"])
def test_missing_triggers_and_strange_tables_are_told(owned: str, tmp_path: Path,
                                                      request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("pg_url") if owned == "postgres" else ""
    world = make_world(tmp_path / "home", database=url)
    databases.upgrade_database(world.settings)
    assert checked(world) | {"server": "", "this connection": "", "checkpoints": ""} == {
        name: "ok" if name not in ("server", "this connection", "checkpoints") else "" for name in
        checked(world) | {"server": "", "this connection": "", "checkpoints": ""}}
    with databases._opened(world.settings.database_url, world.settings) as db, db.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_head_forward" + (" ON audit_head" if url else ""))
        connection.exec_driver_sql("ALTER TABLE item ADD COLUMN extra INTEGER")
    found = {check.name: check for check in databases.check_database(world.settings)}
    assert "audit_head_forward" in found["audit triggers"].detail
    assert "item" in found["tables"].detail
    assert (found["audit triggers"].result, found["tables"].result) == ("fail", "fail")


def test_a_database_that_is_not_there_is_told_and_not_made(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    (tmp_path / "home" / "mailweir.db").unlink()
    assert checked(world)["database"] == "fail"
    assert not (tmp_path / "home" / "mailweir.db").exists()


def test_roles_are_asked_for_in_vain_without_names_or_on_sqlite(tmp_path: Path) -> None:
    world = make_world(tmp_path / "home")
    with pytest.raises(BadSettings, match="service_role"):
        databases.upgrade_database(world.settings, roles=True)
    named = make_world(tmp_path / "named", f'{SETTINGS}[store]\nservice_role = "x"\n')
    with pytest.raises(DatabaseRefused):
        databases.upgrade_database(named.settings, roles=True)
