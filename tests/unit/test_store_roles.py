"""Roles in PostgreSQL: the service adds to the audit and can do nothing else to it; the reader sees no content."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from postgres import Server
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError
from stores import BLOCK, MASTER, finish, opened, sight

from store import audit, cases, checkpoints, checks, roles
from store.checkpoints import Signer
from store.crypto import Keys
from store.database import Database, open_database
from store.errors import DatabaseRefused, StoreError
from store.migrations.scope import METADATA

SIGNER = Signer(bytes(range(32)))


@dataclass
class Roles:
    """A database whose tables belong to `owner`, and connections of the two other roles."""

    owner: Database
    service: Database
    reader: Database
    names: dict[str, str]


@pytest.fixture(scope="module")
def world(pg_server: Server) -> Iterator[Roles]:
    """Three roles that log in; the owner is no superuser."""
    names = {role: f"{role}_{uuid.uuid4().hex[:8]}" for role in ("owner", "service", "reader")}
    with pg_server.database(empty=True) as url:
        for name in names.values():
            pg_server.run(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        pg_server.run(f"ALTER DATABASE {make_url(url).database} OWNER TO {names['owner']}")
        urls = {role: pg_server.url(make_url(url).database or "", user=name, password="x")
                for role, name in names.items()}
        opened_as = {role: open_database(one, pool_size=5) for role, one in urls.items()}
        try:
            with opened(urls["owner"]) as (owner, _):
                roles.apply(owner, "service", names["service"])
                roles.apply(owner, "reader", names["reader"])
                yield Roles(owner, opened_as["service"], opened_as["reader"], names)
        finally:
            for db in opened_as.values():
                db.close()
            for name in names.values():
                pg_server.run(f"REASSIGN OWNED BY {name} TO postgres", database=make_url(url).database or "")
                pg_server.run(f"DROP OWNED BY {name} CASCADE", database=make_url(url).database or "")
    for name in names.values():
        pg_server.run(f"DROP ROLE {name}")


def refused(db: Database, statement: str) -> str:
    """The state the server refuses it with."""
    with pytest.raises(DatabaseError) as told, db.engine.begin() as connection:
        connection.execute(text(statement))
    return str(getattr(told.value.orig, "sqlstate", ""))


def test_the_service_does_its_whole_work(world: Roles) -> None:
    keys = Keys(MASTER)
    capture_id, ruling = sight(world.service, keys, "anna", "<m1@example.com>", BLOCK)
    held = finish(world.service, capture_id, ruling)
    assert held is not None
    with world.service.session() as session:
        assert cases.delete(session, held.number, actor="rev", reason="confirmed") == 1
    assert checkpoints.make(world.service, SIGNER) is not None
    with world.service.snapshot() as session:
        assert checkpoints.verify(session, {SIGNER.public.id: SIGNER.public}).ok


@pytest.mark.parametrize("statement", [
    "UPDATE audit_event SET actor = 'nobody'",
    "DELETE FROM audit_event WHERE seq = 1",
    "TRUNCATE audit_event",
    "DROP TABLE audit_event",
    "DROP TRIGGER audit_event_no_change ON audit_event",
    "ALTER TABLE audit_event DISABLE TRIGGER ALL",
    "ALTER TABLE audit_event ADD COLUMN x int",
    "CREATE TRIGGER mine BEFORE INSERT ON audit_event EXECUTE FUNCTION mailweir_audit_refuse()",
    "CREATE RULE mine AS ON INSERT TO audit_event DO INSTEAD NOTHING",
    "DELETE FROM audit_head",
    "TRUNCATE audit_head",
    "INSERT INTO audit_head (id, count, digest) VALUES (2, 0, '')",
    "ALTER TABLE audit_head DISABLE TRIGGER audit_head_forward",
    "UPDATE audit_checkpoint SET count = 0",
    "DELETE FROM audit_checkpoint",
    "DROP TRIGGER audit_checkpoint_no_change ON audit_checkpoint",
    "CREATE OR REPLACE FUNCTION mailweir_audit_refuse() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
    "SET session_replication_role = replica",
    "UPDATE mailweir_schema SET version_num = '0001'",
    "CREATE TABLE mine (id int)",
])
def test_the_service_cannot_touch_the_audit(world: Roles, statement: str) -> None:
    assert refused(world.service, statement) in {"42501", "42P13"}  # no right; or: not even that far
    with world.owner.session() as session:
        assert audit.verify(session).ok
    with world.owner.engine.connect() as connection:
        assert checks.triggers_missing(connection) == []


@pytest.mark.parametrize("statement", ["UPDATE audit_head SET count = count - 1", "UPDATE audit_head SET digest = ''",
                                       "UPDATE audit_head SET id = 7"])
def test_the_head_moves_forward_only(world: Roles, statement: str) -> None:
    for db in (world.service, world.owner):
        assert refused(db, statement) == "P0001"


def test_even_the_owner_is_stopped_by_the_triggers(world: Roles) -> None:
    for statement in ("UPDATE audit_event SET actor = 'x'", "DELETE FROM audit_event", "TRUNCATE audit_event",
                      "TRUNCATE audit_checkpoint"):
        assert refused(world.owner, statement) == "P0001"


def test_the_reader_sees_states_and_no_content(world: Roles) -> None:
    sight(world.service, Keys(MASTER), "anna", "<m1@example.com>", BLOCK)
    with world.reader.engine.connect() as connection:
        for table in sorted(roles.READABLE & set(METADATA.tables)):
            connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - names of our own tables
    with world.reader.snapshot() as session:
        assert audit.verify(session).ok
    for table in ("blob", "activity", "attachment", "contact", "capture", "meta", "notice"):
        assert refused(world.reader, f"SELECT * FROM {table}") == "42501"  # noqa: S608 - as above
    assert refused(world.reader, "INSERT INTO counter (name, value) VALUES ('x', 1)") == "42501"


def test_no_table_with_content_is_named_for_the_reader() -> None:
    for name in roles.READABLE & set(METADATA.tables):
        kinds = {column.name: str(column.type) for column in METADATA.tables[name].columns}
        assert not any(kind in ("BLOB", "BYTEA") for kind in kinds.values()), name


def test_what_a_role_lacks_or_has_too_much_is_told(world: Roles) -> None:
    with world.owner.engine.begin() as connection:
        assert roles.missing(connection, "service", world.names["service"]) == []
        assert roles.beyond(connection, "service", world.names["service"]) == []
        connection.execute(text(f"REVOKE INSERT ON item FROM {world.names['service']}"))
        connection.execute(text(f"GRANT DELETE ON audit_event TO {world.names['service']}"))
        connection.execute(text(f"GRANT SELECT ON blob TO {world.names['reader']}"))
        assert roles.missing(connection, "service", world.names["service"]) == ["INSERT on item"]
        assert roles.beyond(connection, "service", world.names["service"]) == ["DELETE on audit_event"]
        assert roles.beyond(connection, "reader", world.names["reader"]) == ["SELECT on blob"]
    roles.apply(world.owner, "service", world.names["service"])
    roles.apply(world.owner, "reader", world.names["reader"])
    with world.owner.engine.connect() as connection:
        for role in ("service", "reader"):
            assert roles.missing(connection, role, world.names[role]) == []  # type: ignore[arg-type]
            assert roles.beyond(connection, role, world.names[role]) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "why"), [
    pytest.param("postgres", "superuser", id="a superuser"),
    pytest.param("nobody_at_all", "no such role", id="no role"),
    pytest.param("owner", "owns the audit", id="the owner itself"),
])
def test_a_role_that_grants_do_not_bind_is_refused(world: Roles, name: str, why: str) -> None:
    with pytest.raises(DatabaseRefused, match=why):
        roles.apply(world.owner, "service", world.names.get(name, name))


def test_sqlite_has_no_roles(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _), pytest.raises(DatabaseRefused):
        roles.apply(db, "service", "x")


def test_what_the_service_may_not_do_is_an_error_of_ours(world: Roles) -> None:
    with pytest.raises(StoreError), world.service.session() as session:
        session.execute(text("DELETE FROM audit_event"))
