"""From the first schema with data in it to the newest, on both databases, with the engine's tables beside ours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from stores import BLOCK, MASTER, PASS, finish, sight

from capture import engine
from store import audit, checks, crm_find
from store.crm_access import Who
from store.crypto import Keys
from store.database import VERSION_TABLE, Database, _config, head_version, open_database, schema_version, upgrade
from store.migrations.scope import METADATA, ours
from store.vault import prepare

WHEN = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
ROWS = 3
LEFT_ALONE = {"audit_event", "audit_head", "meta", VERSION_TABLE}


@pytest.fixture
def first(empty_url: str) -> Iterator[Database]:
    """A database as the first release left it: its schema, rows in every table, the engine's tables."""
    db = open_database(empty_url, pool_size=5, create=True)
    to_revision(db, "0001")
    fill(db)
    engine.migrate(db.engine)
    yield db
    db.close()


def to_revision(db: Database, revision: str) -> None:
    with _config() as config, db.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def fill(db: Database) -> None:
    """Rows in every table of the schema that is there, found by looking, and an audit chain that fits."""
    known = sa.MetaData()
    with db.engine.begin() as connection:
        known.reflect(connection, only=lambda name, _: name in METADATA.tables)
        for table in known.sorted_tables:
            if table.name in LEFT_ALONE:
                continue
            for number in range(1, ROWS + 1):
                connection.execute(table.insert().values({c.name: value(c, number) for c in table.columns}))
        previous = ""
        for seq in range(1, ROWS + 1):
            row = (seq, WHEN.isoformat(timespec="microseconds"), "anna", "audit:log:read", f"s{seq}", "{}", previous)
            previous = audit._digest(*row)
            names = ("seq", "at", "actor", "action", "subject", "body", "previous", "digest")
            connection.execute(known.tables["audit_event"].insert().values(
                dict(zip(names, (*row, previous), strict=True))))
        connection.execute(known.tables["audit_head"].update().values(count=ROWS, digest=previous))
        if not db.is_sqlite:  # as many as rows were given a number by hand
            connection.execute(sa.text("SELECT setval('quarantine_case_id_seq', 3)"))


def value(column: sa.Column[Any], number: int) -> Any:
    """A value of the column's type; the same number gives rows that point at each other."""
    for key in column.foreign_keys:
        return f"id{number}" if isinstance(key.column.type, sa.String) else number
    kind = column.type
    if column.name == "state":
        return "held" if "capture" not in column.table.name else "notified"
    if isinstance(kind, sa.DateTime):
        return WHEN if kind.timezone else WHEN.replace(tzinfo=None)
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.LargeBinary):
        return b"\x00\xff" * number
    if isinstance(kind, sa.JSON):
        return {"n": number}
    return f"id{number}" if column.name == "id" else f"{column.name}{number}"[:kind.length or 99]  # type: ignore[attr-defined]


def contents(db: Database, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in these columns of these tables."""
    with db.engine.connect() as connection:
        return {table: sorted(tuple(map(str, row)) for row in connection.execute(
                    sa.select(*(sa.column(c) for c in names)).select_from(sa.table(table))))
                for table, names in columns.items()}


def columns_of(db: Database) -> dict[str, list[str]]:
    found = sa.inspect(db.engine)
    return {table: [c["name"] for c in found.get_columns(table)] for table in found.get_table_names()
            if table in METADATA.tables}


def proposals(db: Database) -> list[Any]:
    """What autogenerate would do, with the settings of `env.py`."""
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={
            "version_table": VERSION_TABLE, "include_object": ours, "compare_type": True,
            "target_metadata": METADATA, "render_as_batch": db.is_sqlite})
        assert produce_migrations(context, METADATA).upgrade_ops.is_empty() == (not compare_metadata(context, METADATA))
        return list(compare_metadata(context, METADATA))


def test_everything_that_was_there_is_there_afterwards(first: Database) -> None:
    columns = columns_of(first)
    before = contents(first, columns)
    assert all(len(rows) == ROWS for table, rows in before.items() if table not in ("audit_head", "meta"))
    assert upgrade(first) == head_version()
    now = columns_of(first)
    assert {table: [c for c in names if c not in now[table]] for table, names in columns.items()} == {
        table: [] for table in columns}, "no column of the first schema was dropped"
    assert contents(first, columns) == before


def test_what_was_there_before_is_found_by_its_words(first: Database) -> None:
    to_revision(first, "0009")
    with first.engine.begin() as connection:
        connection.execute(sa.text(
            "UPDATE contact SET first_name = 'Élodie', last_name = 'O''Invented', title = 'Chief' WHERE id = 'id1'"))
        connection.execute(sa.text("UPDATE organisation SET name = 'Fictional Fire Hall' WHERE id = 'id2'"))
        connection.execute(sa.text("UPDATE activity SET subject = 'Spring course', stub = '' WHERE id = 'id1'"))
        connection.execute(sa.text("UPDATE activity SET subject = 'Held words', stub = 'MW-1' WHERE id = 'id2'"))
        values = connection.execute(sa.text("SELECT * FROM organisation WHERE id = 'id3'")).mappings().one()
        table, rows = sa.table("organisation", *(sa.column(name) for name in values)), 1200
        connection.execute(table.insert(), [dict(values) | {"id": f"many{n:04}", "name": f"Many {n:04}",
                                                            "name_key": f"many {n:04}"} for n in range(rows)])
    upgrade(first)
    with first.session() as session:
        def found(text: str) -> set[tuple[str, str]]:
            return {(row["kind"], row["id"]) for row in crm_find.search(session, Who("root"), text)}

        assert found("elodie o'invented") == {("contact", "id1")}
        assert found("fire hall") == {("organisation", "id2")}
        assert found("spring") == {("activity", "id1")}
        assert found("held") == set()
        assert found("many 0500") == {("organisation", "many0500")}, "over pages"
        assert session.scalar(sa.text("SELECT count(*) FROM record_word WHERE word = 'many'")) == rows


def test_the_audit_is_whole_and_protected_afterwards(first: Database) -> None:
    upgrade(first)
    with first.snapshot() as session:
        result = audit.verify(session)
    assert (result.ok, result.rows) == (True, ROWS)
    with first.engine.connect() as connection:
        assert checks.triggers_missing(connection) == []
        assert checks.differences(connection) == []


def test_nothing_is_proposed_not_even_for_the_engines_tables(first: Database) -> None:
    upgrade(first)
    assert engine.schema_state(first.engine)[0] > 0, "the engine's tables are there"
    assert proposals(first) == []


def test_the_program_works_on_what_was_upgraded(first: Database) -> None:
    upgrade(first)
    keys = Keys(MASTER)
    prepare(first, keys)
    capture, ruling = sight(first, keys, "anna", "<new@example.com>", PASS)
    assert finish(first, capture, ruling) is None
    capture, ruling = sight(first, keys, "anna", "<personal@example.com>", BLOCK)
    assert finish(first, capture, ruling) is not None
    with first.snapshot() as session:
        assert audit.verify(session).ok


def test_every_step_can_be_taken_alone(empty_url: str) -> None:
    db = open_database(empty_url, pool_size=5, create=True)
    with _config() as config:
        steps = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    assert steps == sorted(steps), "one chain, in order"
    for step in steps:
        to_revision(db, step)
        assert schema_version(db) == step
    assert proposals(db) == []
    db.close()


def test_there_is_no_way_down() -> None:
    with _config() as config:
        for script in ScriptDirectory.from_config(config).walk_revisions():
            assert not hasattr(script.module, "downgrade"), script.revision
