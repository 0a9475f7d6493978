"""`mailweir db upgrade` and `mailweir db check`: one home's database, ours and the engine's part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from sqlalchemy import text
from sqlalchemy.engine import make_url

from capture import engine
from capture.doctor import Check
from capture.errors import BadSettings, EngineRefused
from capture.settings import Settings
from capture.wiring import master_keys
from pii_scan.errors import MailweirError
from store import audit, checkpoints, checks, roles, vault
from store.columns import now
from store.database import Database, head_version, open_database, schema_version, translated
from store.errors import DatabaseAway

MOST_NAMED = 5


def upgrade_database(settings: Settings, *, roles: bool = False) -> list[str]:
    """Make or upgrade every table as the owner, and with `roles` set the rights. Returns one sentence a thing done."""
    done: list[str] = []
    with _opened(settings.owner_url, settings) as db:
        before = schema_version(db)
        after = vault.prepare(db, master_keys(settings))
        done.append(f"schema {after}" + ("" if before == after else f", was {before or 'empty'}"))
        engine.migrate(db.engine)
        done.append(f"engine tables {engine.schema_state(db.engine)[0]}")
        if roles:
            done += _set_roles(settings, db)
        elif not db.is_sqlite and _named(settings):
            done.append("rights of the roles not touched; --roles sets them")
    return done


def role_statements(settings: Settings) -> Iterator[str]:
    """The statements that would set the rights of the roles of the settings."""
    _want_roles(settings)
    with _opened(settings.owner_url, settings) as db:
        for role, name in _named(settings):
            yield from roles.statements(db, role, name)


def check_database(settings: Settings) -> list[Check]:
    """Look at everything; a part that fails does not hide the ones after it."""
    found = list(_connections(settings))
    try:
        with _opened(settings.database_url, settings) as db:
            own = partial(_file, db) if db.is_sqlite else partial(_server, settings, db)
            for name, part in (("schema", partial(_schema, db)), ("engine tables", partial(_engine, db)),
                               ("checkpoints", partial(_checkpoints, settings, db)), ("server", own)):
                try:
                    with translated():
                        found += part()
                except DatabaseAway:
                    raise
                except MailweirError as error:
                    found.append(Check(name, "fail", f"{error} {error.hint}"))
    except MailweirError as error:
        found.append(Check("database", "fail", f"{error} {error.hint}"))
    return found


def _set_roles(settings: Settings, db: Database) -> list[str]:
    _want_roles(settings)
    done = []
    for role, name in _named(settings):
        roles.apply(db, role, name)
        done.append(f"rights of {name} ({role}) set")
    return done


def _want_roles(settings: Settings) -> None:
    if not _named(settings):
        raise BadSettings("store.service_role and store.reader_role are empty, so there is no role to give rights to")


def _named(settings: Settings) -> list[tuple[roles.Role, str]]:
    pairs = (("service", settings.store.service_role), ("reader", settings.store.reader_role))
    return [(cast("roles.Role", role), name) for role, name in pairs if name]


def _schema(db: Database) -> Iterator[Check]:
    version, needed = schema_version(db), head_version()
    yield Check("schema", "ok" if version == needed else "fail",
                version if version == needed else f"{version or 'none'}, this program needs {needed}; "
                                                  "run `mailweir db upgrade`")
    if version != needed:
        return
    with db.engine.connect() as connection:
        yield _check("tables", checks.differences(connection), "as this program makes them", "fail")
        yield _check("audit triggers", checks.triggers_missing(connection), "in place", "fail",
                     "missing or switched off: ")


def _engine(db: Database) -> Iterator[Check]:
    there, needed = engine.schema_state(db.engine)
    if there < needed or not there:
        yield Check("engine tables", "warn" if db.is_sqlite or not there else "fail",
                    f"version {there}, this program needs {needed or 'them'}; the worker makes them when it may, "
                    "`mailweir db upgrade` does")
        return
    try:
        engine.refuse_pickles(db.engine)
    except EngineRefused as error:
        yield Check("engine tables", "fail", str(error))
    else:
        yield Check("engine tables", "ok", f"version {there}, nothing pickled")


def _checkpoints(settings: Settings, db: Database) -> Iterator[Check]:
    if schema_version(db) != head_version():
        return
    with db.reading() as session:
        last, end = checkpoints.latest(session), audit.head(session)
    if last is None:
        yield Check("checkpoints", "warn", "none yet; the worker makes them, or `mailweir audit checkpoint`")
        return
    age = now() - datetime.fromisoformat(last.at)
    late = end.count > last.count and age > 2 * timedelta(minutes=settings.store.checkpoint_minutes)
    place = settings.store.checkpoint_place(settings.home)
    where = "" if place and place.exists() else "; the second place is not there"
    yield Check("checkpoints", "warn" if late or where else "ok",
                f"number {last.number} over {last.count} of {end.count} rows, {age.total_seconds() / 60:.0f} minutes "
                f"old{where}")


def _connections(settings: Settings) -> Iterator[Check]:
    working = settings.engine
    least = 2 * (working.concurrency + working.rescan_concurrency) + 10
    size = settings.store.pool_size
    yield Check("connections", "ok" if size >= least else "fail",
                f"{size} for each process" + ("" if size >= least else f", the engine needs {least}"))


def _file(db: Database) -> Iterator[Check]:
    yield _check("file", checks.file_troubles(db), "write-ahead log, sound, yours only", "fail")


def _server(settings: Settings, db: Database) -> Iterator[Check]:
    if make_url(settings.store.database).password:
        yield Check("password", "warn", "stands in settings.toml; MAILWEIR_DATABASE_PASSWORD or ~/.pgpass is for it")
    with db.engine.connect() as connection:
        yield _check("server", checks.server_troubles(connection), "keeps what it is told to keep, UTF8", "warn")
        me = connection.scalar(text("SELECT current_user")) or ""
        service = settings.store.service_role
        why = roles.unfit(connection, me)
        if why:
            yield Check("this connection", "warn",
                        f"{me}: {why}, so the audit is protected by its chain and checkpoints alone")
        elif service and me != service:
            yield Check("this connection", "warn", f"{me} is not the role store.service_role names")
        else:
            yield Check("this connection", "ok", me)
        for role, name in _named(settings):
            reason = roles.unfit(connection, name)
            if reason:
                yield Check(f"role {role}", "fail", f"{name}: {reason}")
                continue
            lacking, more = roles.missing(connection, role, name), roles.beyond(connection, role, name)
            yield _check(f"role {role}", lacking, f"{name} may do what it needs", "fail", "lacks ",
                         "; run `mailweir db upgrade --roles`")
            if more:
                yield _check(f"role {role}, too much", more, "", "fail", "may also ",
                             "; run `mailweir db upgrade --roles`")


def _check(name: str, wrong: list[str], well: str, worst: str, before: str = "", after: str = "") -> Check:
    if not wrong:
        return Check(name, "ok", well)
    more = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    said = f"{before}{', '.join(wrong[:MOST_NAMED])}{more}{after}"
    return Check(name, "warn" if worst == "warn" else "fail", said)


@contextmanager
def _opened(url: str, settings: Settings) -> Iterator[Database]:
    """The database whatever its schema; a missing file is not made."""
    db = open_database(url, pool_size=4, busy_seconds=settings.store.busy_seconds)
    try:
        yield db
    finally:
        db.close()
