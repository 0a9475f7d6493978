"""The database: opened in one place, upgraded from package data, errors under our names."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from traceback import format_exception

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import select
from stores import opened

from store import audit
from store.crm_tables import CRM_TABLES, Contact, Organisation
from store.database import (
    VERSION_TABLE,
    begin_write,
    get_or_create,
    head_version,
    open_database,
    require_current,
    schema_version,
    upgrade,
)
from store.errors import (
    DatabaseAway,
    DatabaseConflict,
    DatabaseCorrupt,
    DatabaseLocked,
    DatabaseMissing,
    DatabaseOutdated,
)
from store.migrations.scope import METADATA, ours
from store.tables import Item, Row


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'mailweir.db'}"


def test_migrations_build_exactly_the_tables_of_the_code(store_url: str) -> None:
    with opened(store_url) as (db, _), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={
            "version_table": VERSION_TABLE, "include_object": ours, "compare_type": True})
        assert compare_metadata(context, METADATA) == []
        assert set(inspect(connection).get_table_names()) == {*METADATA.tables, VERSION_TABLE}
        assert {table.__tablename__ for table in CRM_TABLES} <= set(METADATA.tables)


def test_tables_of_others_in_the_same_file_are_left_alone(tmp_path: Path) -> None:
    db = open_database(url(tmp_path), create=True)
    with db.engine.begin() as connection:
        connection.execute(text("CREATE TABLE workflow_status (id TEXT)"))
        connection.execute(text("INSERT INTO workflow_status VALUES ('w1')"))
    upgrade(db)
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={
            "version_table": VERSION_TABLE, "include_object": ours})
        assert compare_metadata(context, METADATA) == []
        assert connection.execute(text("SELECT count(*) FROM workflow_status")).scalar() == 1
    db.close()


def test_upgrading_twice_and_at_the_same_moment_is_harmless(empty_url: str) -> None:
    db = open_database(empty_url, create=True)
    problems: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(db)
        except BaseException as exc:  # noqa: BLE001 - shown by the assertion below
            problems.append(exc)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert schema_version(db) == head_version()
    require_current(db)
    db.close()


def test_two_processes_may_prepare_one_database(empty_url: str) -> None:
    program = ("import sys; from stores import MASTER; from store.crypto import Keys; from store.vault import prepare\n"
               "from store.database import open_database\n"
               "prepare(open_database(sys.argv[1], pool_size=2, create=True), Keys(MASTER))")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    both = [subprocess.Popen([sys.executable, "-c", program, empty_url], env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    with opened(empty_url) as (db, _), db.session() as session:
        assert [event.action for event in audit.show(session)] == ["store:database:created", "store:key:bound"]
        assert audit.verify(session).ok


def test_every_connection_is_patient_safe_and_overwrites_what_is_deleted(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _), db.engine.connect() as connection:
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                 for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")}
    assert asked == {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "secure_delete": 1,
                     "busy_timeout": 30_000}


@pytest.mark.skipif(os.name != "posix", reason="modes are a POSIX matter")
def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    os.umask(0o022)
    with opened(tmp_path) as (db, _):
        with db.session() as session:
            session.add(Item(item_key="k"))
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes.pop("mailweir.db") == 0o600
    assert set(modes.values()) == {0o600}


def test_a_write_transaction_holds_the_lock_from_its_first_line(tmp_path: Path) -> None:
    with opened(tmp_path, busy_seconds=0.2) as (db, _), db.session() as session:
        assert session.scalars(select(Item)).all() == []
        with pytest.raises(DatabaseLocked), db.session():
            pytest.fail("two writers at once")


def test_readers_do_not_wait_for_a_writer(store_url: str) -> None:
    with opened(store_url, busy_seconds=0.2) as (db, _), db.session() as writer:
        writer.add(Item(item_key="k"))
        writer.flush()
        with db.reading() as reader:
            assert reader.scalars(select(Item)).all() == []


def test_taking_the_lock_works_in_a_transaction_somebody_else_began(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _), db.sessionmaker() as session, session.begin():
        session.connection(execution_options={"isolation_level": "SERIALIZABLE"})  # as dbos asks for
        begin_write(session)
        begin_write(session)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(tmp_path / "mailweir.db", timeout=0.1).execute("BEGIN IMMEDIATE")


def test_an_error_rolls_everything_back(store_url: str) -> None:
    with opened(store_url) as (db, _):
        def fail_half_way() -> None:
            with db.session() as session:
                session.add(Item(item_key="k"))
                session.flush()
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_half_way()
        with db.reading() as session:
            assert session.scalars(select(Item)).all() == []


def test_errors_do_not_show_the_values_of_a_statement(store_url: str) -> None:
    planted = "Wanda Imaginary"
    with opened(store_url) as (db, _):
        with pytest.raises(DatabaseConflict, match=r"UNIQUE|uq_organisation_name_key") as told, db.session() as session:
            session.add_all(Organisation(name=planted, name_key="same") for _ in range(2))
        assert planted not in "".join(format_exception(told.value))
        with pytest.raises(IntegrityError) as raw, db.engine.begin() as connection:
            connection.execute(text("INSERT INTO meta (name) VALUES (:name)"), {"name": planted})
        assert planted not in "".join(format_exception(raw.value))


def test_a_row_shows_its_key_and_no_content() -> None:
    contact = Contact(id="c1", first_name="Wanda", last_name="Imaginary", email="wanda@example.com")
    assert repr(contact) == "Contact(id='c1')"
    assert "Wanda" not in str(contact)
    for mapper in Row._sa_registry.mappers:
        row = mapper.class_(**{column.key: "planted" for column in mapper.columns
                               if not column.primary_key and column.type.python_type is str})
        assert "planted" not in repr(row), mapper.class_.__name__
        assert "planted" not in f"{row}", mapper.class_.__name__


def test_every_table_says_what_a_row_is() -> None:
    for mapper in Row._sa_registry.mappers:
        assert len(mapper.class_.__doc__ or "") > 80, mapper.class_.__name__


def test_moments_come_back_in_utc_and_without_a_zone_are_refused(store_url: str) -> None:
    vancouver = timezone(timedelta(hours=-8))
    with opened(store_url) as (db, _):
        with db.session() as session:
            session.add(Item(item_key="k", created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=vancouver)))
        with db.reading() as session:
            created = session.scalars(select(Item)).one().created
        assert created == datetime(2026, 1, 2, 11, 4, 5, tzinfo=UTC)
        assert created.tzinfo is UTC
        with pytest.raises(StatementError, match="without a zone"), db.session() as session:
            session.add(Item(item_key="naive", created=datetime(2026, 1, 2)))  # noqa: DTZ001


def test_two_writers_of_one_row_get_the_same_row(store_url: str) -> None:
    with opened(store_url) as (db, _), db.session() as session:
        session.add(Item(id="first", item_key="k"))
        session.flush()
        looks = iter([None])  # as if the other transaction had not committed when we looked

        def find() -> Item | None:
            return next(looks, session.scalars(select(Item).where(Item.item_key == "k")).one_or_none())

        item, made = get_or_create(session, find, lambda: Item(item_key="k"))
        assert (item.id, made) == ("first", False)


# ------------------------------------------------------------------------------------- things gone wrong

def test_a_missing_file_is_not_made_by_accident(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing) as told:
        open_database(url(tmp_path))
    assert str(tmp_path) not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [
    pytest.param("not a url", id="no URL"),
    pytest.param("sqlite://", id="in memory"),
    pytest.param("sqlite:////no/such/folder/mailweir.db", id="no folder"),
])
def test_a_url_that_names_no_file_is_refused(bad: str) -> None:
    with pytest.raises(DatabaseMissing):
        open_database(bad, create=True)


def test_an_empty_database_is_missing_its_tables(empty_url: str) -> None:
    db = open_database(empty_url, create=True)
    with pytest.raises(DatabaseMissing):
        require_current(db)
    with pytest.raises(DatabaseMissing), db.reading() as session:
        session.scalars(select(Item)).all()
    db.close()


def test_another_version_of_the_schema_is_refused(store_url: str) -> None:
    with opened(store_url) as (db, _):
        with db.session() as session:
            session.execute(text("UPDATE mailweir_schema SET version_num = '9999'"))
        with pytest.raises(DatabaseOutdated, match="9999"):
            require_current(db)
        with pytest.raises(DatabaseOutdated, match="newer"):
            upgrade(db)


@pytest.mark.parametrize("content", [
    pytest.param(b"this is a text file, not a database" * 100, id="text"),
    pytest.param(os.urandom(8192), id="noise"),
])
def test_a_file_that_is_no_database_is_told_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mailweir.db").write_bytes(content)
    db = open_database(url(tmp_path))
    with pytest.raises(DatabaseCorrupt):
        require_current(db)
    db.close()
    assert (tmp_path / "mailweir.db").read_bytes() == content


def test_a_damaged_page_is_told_so(tmp_path: Path) -> None:
    with opened(tmp_path) as (db, _), db.session() as session:
        session.add_all(Item(item_key=f"k{n}") for n in range(2000))
    path = tmp_path / "mailweir.db"
    data = bytearray(path.read_bytes())
    data[4096 * 4:] = os.urandom(len(data) - 4096 * 4)
    path.write_bytes(data)
    db = open_database(url(tmp_path))
    with pytest.raises((DatabaseCorrupt, DatabaseMissing)), db.reading() as session:
        session.scalars(select(Item)).all()
    db.close()


def test_a_server_that_is_not_there_is_told_so() -> None:
    db = open_database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
    with pytest.raises(DatabaseAway), db.reading() as session:
        session.scalars(select(Item)).all()
    db.close()
