"""The one place where database engines are made, transactions begin, and driver errors get our names.

Everything that differs between SQLite and PostgreSQL is here and in the audit triggers of the first
migration. The engine of a `Database` is also handed to the durable engine, which brings statements of
its own; what that asks of us on SQLite is noted at `_prepare_sqlite`.

    db = open_database("sqlite:///mailweir.db", pool_size=30)
    with db.session() as session:       # one write transaction: commits at the end, rolls back on error
        ledger.register(session, ...)
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.orm import sessionmaker
from sqlmodel import Session

from store.errors import (
    DatabaseAway,
    DatabaseConflict,
    DatabaseCorrupt,
    DatabaseLocked,
    DatabaseMissing,
    DatabaseOutdated,
    DatabaseRefused,
    StoreError,
)

VERSION_TABLE = "mailweir_schema"
"""Where Alembic keeps the schema version; a name of our own, because the file is shared."""

POSTGRES_CONNECTION: dict[str, Any] = {
    "application_name": "mailweir",
    "connect_timeout": 10,
    # a frozen process lets go of its locks after half a minute
    "options": "-c idle_in_transaction_session_timeout=30s",
    # a server that vanished is noticed within a minute, and not when the system gives up after hours
    "keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""What every connection to PostgreSQL is told; the query part of the URL wins."""

_R = TypeVar("_R")
_ONE_UPGRADE = threading.Lock()
"""Alembic's context is one per process; between processes the database's own lock serves."""


@dataclass(frozen=True)
class Database:
    """An open database: the SQLAlchemy engine and how to get a transaction."""

    engine: Engine
    sessionmaker: sessionmaker[Session]

    @property
    def is_sqlite(self) -> bool:
        """True for a SQLite file."""
        return self.engine.dialect.name == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file, or None."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name else None

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One write transaction. Commits when the block ends, rolls back when it raises.

        On SQLite the write lock is taken at once, so what is read inside stays true until the commit.
        Driver errors come out as `StoreError`s without statement values.
        """
        with translated(), self.sessionmaker() as session, session.begin():
            begin_write(session)
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for queries only; takes no write lock. Nothing is committed."""
        with translated(), self.sessionmaker() as session:
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A session for queries that all see one moment; writers go on meanwhile. Nothing is committed."""
        with translated(), self.sessionmaker() as session:
            if self.is_sqlite:
                session.connection().exec_driver_sql("BEGIN")
            else:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            session.info["snapshot"] = True
            yield session

    def scrub(self) -> None:
        """Overwrite what deleted rows and old page versions left in the files (SQLite: empty the WAL).

        Call it after a commit that destroyed content. Does nothing on PostgreSQL, where only the
        destroyed key protects old row versions until VACUUM. Returns quietly when readers are busy.
        """
        if self.is_sqlite:
            with translated(), self.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str, *, pool_size: int = 30, busy_seconds: float = 30.0, create: bool = False) -> Database:
    """Open the database at `url` ("sqlite:///path" or "postgresql+psycopg://...").

    A SQLite file that is not there is made, with mode 0600, only when `create` is set; otherwise
    `DatabaseMissing`. The schema is not looked at here: see `upgrade` and `require_current`.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise DatabaseMissing("store.database is not a database URL") from exc
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": pool_size, "max_overflow": 0,
                               "pool_timeout": busy_seconds}
    if parsed.get_backend_name() == "sqlite":
        _require_file(parsed, create=create)
        engine = create_engine(parsed, connect_args={"timeout": busy_seconds}, **options)
        _prepare_sqlite(engine, busy_seconds)
    else:
        told = POSTGRES_CONNECTION | dict(parsed.query)
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=told, **options)
        _silence_postgres(engine)
    return Database(engine, sessionmaker(engine, class_=Session, expire_on_commit=False))


def _require_file(url: URL, *, create: bool) -> None:
    if not url.database or url.database == ":memory:":
        raise DatabaseMissing("a database in memory cannot be shared between threads; name a file")
    path = Path(url.database)
    if path.is_dir() or not path.parent.is_dir():
        raise DatabaseMissing("the folder of the database is missing, or the name is that of a folder")
    if not path.exists():
        if not create:
            raise DatabaseMissing("no file at store.database")
        # SQLite gives the -wal and -shm files the mode of the database file
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as exc:
            raise DatabaseRefused(f"the file cannot be made: {type(exc).__name__}") from exc


def _prepare_sqlite(engine: Engine, busy_seconds: float) -> None:
    """Set every connection up: WAL, patience, foreign keys, overwriting what is deleted.

    The driver stays in its own transaction mode with `isolation_level = "IMMEDIATE"`, because dbos
    counts on it (it sends "BEGIN IMMEDIATE" itself while migrating, and expects SELECTs to run in
    autocommit). An event that begins every transaction would break that. Our own transactions send
    "BEGIN IMMEDIATE" in `begin_write`.
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute(f"PRAGMA busy_timeout={int(busy_seconds * 1000)}")
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        # asking for SERIALIZABLE, as dbos does for its steps, leaves the driver in deferred mode
        connection.isolation_level = "IMMEDIATE"


def _silence_postgres(engine: Engine) -> None:
    """Keep values out of errors: the server quotes the failing row, or the word it could not read. What is left is
    the state and the constraint; the texts of our own triggers stay."""

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        origin = context.original_exception
        state = getattr(origin, "sqlstate", None)
        if state is None or state.startswith("P0"):  # P0: RAISE in a function
            return
        said = f"state {state} {getattr(getattr(origin, 'diag', None), 'constraint_name', None) or ''}".rstrip()
        origin.args = (said,)
        if context.sqlalchemy_exception is not None:
            context.sqlalchemy_exception.args = (said,)


def begin_write(session: OrmSession) -> None:
    """Take SQLite's write lock now, unless the transaction has it; PostgreSQL locks row by row.

    There the store locks in one order, capture, item, case, counter, head of the audit, and with
    `key_share=True` (FOR NO KEY UPDATE), so that foreign keys pointing at a locked row do not wait.

    Every function of the store that reads and then writes calls this first, so that it is also safe in
    a transaction somebody else began.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.dbapi_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")


def get_or_create(session: OrmSession, find: Callable[[], _R | None], make: Callable[[], _R]) -> tuple[_R, bool]:
    """The row `find` gives, or the one `make` builds, and whether it is new.

    Safe against another transaction that makes the same row at the same moment: a unique index decides
    and the loser finds the winner's row.
    """
    found = find()
    if found is not None:
        return found, False
    made = make()
    try:
        with session.begin_nested():
            session.add(made)
            session.flush()
    except IntegrityError:
        found = find()
        if found is None:
            raise
        return found, False
    return made, True


# ----------------------------------------------------------------------------------------------- schema

def upgrade(db: Database) -> str:
    """Bring the schema to this program's version and return it. Does nothing when it is there already.

    Threads and processes may call it at once; the second waits for the first.
    """
    with _ONE_UPGRADE, translated(), _config() as config, db.engine.connect() as connection:
        if _is_head(connection, config):
            return head_version()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return schema_version(db)


def schema_version(db: Database) -> str:
    """The schema version of the database; "" for a database without our tables."""
    with translated(), db.engine.connect() as connection:
        return _version(connection)


def head_version() -> str:
    """The schema version this program needs."""
    with _config() as config:
        return ScriptDirectory.from_config(config).get_current_head() or ""


def require_current(db: Database) -> None:
    """Raise `DatabaseMissing` without our tables, `DatabaseOutdated` when the version is another."""
    found = schema_version(db)
    if not found:
        raise DatabaseMissing("the file holds no mailweir tables")
    if found != head_version():
        raise DatabaseOutdated(f"schema {found}, this program needs {head_version()}")


@contextmanager
def _config() -> Iterator[Config]:
    with as_file(files("store") / "migrations") as folder:
        config = Config()
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        yield config


def _version(connection: Connection) -> str:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision() or ""


def _is_head(connection: Connection, config: Config) -> bool:
    """Whether nothing is left to do. Raises `DatabaseOutdated` for a schema this program does not know."""
    found = _version(connection)
    connection.rollback()
    scripts = ScriptDirectory.from_config(config)
    if found and found not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseOutdated(f"schema {found} is newer than this program")
    return found == scripts.get_current_head()


# ----------------------------------------------------------------------------------------------- errors

_SQLITE_NAMES: dict[str, type[StoreError]] = {
    "SQLITE_BUSY": DatabaseLocked,
    "SQLITE_LOCKED": DatabaseLocked,
    "SQLITE_NOTADB": DatabaseCorrupt,
    "SQLITE_CORRUPT": DatabaseCorrupt,
    "SQLITE_CANTOPEN": DatabaseRefused,
    "SQLITE_FULL": DatabaseRefused,
    "SQLITE_IOERR": DatabaseRefused,
    "SQLITE_READONLY": DatabaseRefused,
    "SQLITE_PERM": DatabaseRefused,
    "SQLITE_AUTH": DatabaseRefused,
}
_POSTGRES_STATES: dict[str, type[StoreError]] = {
    "55P03": DatabaseLocked,   # lock not available
    "40P01": DatabaseLocked,   # deadlock
    "40001": DatabaseLocked,   # serialization failure
    "25P03": DatabaseLocked,   # idle in a transaction for too long: the process was frozen
    "57014": DatabaseLocked,   # a timeout of the server
    "42P01": DatabaseMissing,  # no such table
    "3D000": DatabaseMissing,  # no such database
    "42501": DatabaseRefused,  # the role may not do this
    "57P01": DatabaseAway,     # the administrator stops the server
    "57P02": DatabaseAway,     # a process of the server crashed
    "57P03": DatabaseAway,     # it starts, and takes no connections yet
    "53300": DatabaseAway,     # too many connections
    "XX001": DatabaseCorrupt,
    "XX002": DatabaseCorrupt,
}
_STATES_SAID = {
    "42501": "this role has not the right to do it, state 42501",
    "53300": "too many connections, state 53300",
    "53100": "the server's disk is full, state 53100",
    "28P01": "wrong password, state 28P01",
    "28000": "this role may not sign in, state 28000",
}
_POSTGRES_CLASSES: dict[str, type[StoreError]] = {
    "08": DatabaseAway,        # the connection was lost
    "28": DatabaseRefused,     # wrong user or password
    "53": DatabaseRefused,     # disk or memory full
    "57": DatabaseRefused,
    "58": DatabaseRefused,     # an error of the system below
}


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the database and its driver into ours. Errors of the audit triggers stay what they
    are: they are faults of the program, not of the database. The driver's text about a broken constraint is
    dropped, because PostgreSQL quotes the value in it."""
    try:
        yield
    except PoolTimeout as exc:
        raise DatabaseLocked("no free connection") from exc
    except IntegrityError as exc:
        if getattr(exc.orig, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_TRIGGER":  # RAISE(ABORT) comes so
            raise
        raise DatabaseConflict(_constraint(exc)) from None
    except DBAPIError as exc:
        ours = _named(exc)
        if ours is None:
            raise
        raise ours from exc
    except sqlite3.DatabaseError as exc:  # raised while a connection is prepared
        name = getattr(exc, "sqlite_errorname", "")
        raise _by_sqlite_name(name, DatabaseRefused)(name) from exc


def _constraint(exc: IntegrityError) -> str:
    """Which constraint was broken: its name (PostgreSQL) or its kind (SQLite)."""
    named = getattr(getattr(exc.orig, "diag", None), "constraint_name", None)
    return str(named or getattr(exc.orig, "sqlite_errorname", "constraint"))


def undecodable(exc: DBAPIError) -> bool:
    """Whether a text of the row is not UTF-8: somebody wrote to the file past the program."""
    return isinstance(exc.orig, sqlite3.OperationalError) and "decode" in str(exc.orig)


def _named(exc: DBAPIError) -> StoreError | None:
    origin = exc.orig
    if isinstance(origin, sqlite3.Error):
        name = getattr(origin, "sqlite_errorname", "")
        if name == "SQLITE_ERROR" and "no such table" in str(origin):
            return DatabaseMissing("a table is missing")
        found = _by_sqlite_name(name, None)
        return found(name) if found else None
    state = getattr(origin, "sqlstate", None)
    if state is None:  # the driver itself: refused, cut off, or closed under us
        lost = exc.connection_invalidated or isinstance(exc, OperationalError | InterfaceError)
        return DatabaseAway("no connection to the database server") if lost else None
    found = _POSTGRES_STATES.get(state) or _POSTGRES_CLASSES.get(state[:2])
    return found(_STATES_SAID.get(state, f"state {state}")) if found else None


def _by_sqlite_name(name: str, default: type[StoreError] | None) -> Any:
    for prefix, error in _SQLITE_NAMES.items():
        if name == prefix or name.startswith(prefix + "_"):
            return error
    return default
