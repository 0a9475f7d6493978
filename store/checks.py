"""Whether a database is as this program made it: schema, tables, triggers of the audit, modes.

Each function gives a list of what is wrong, in words without content; an empty list means all is well.
"""

from __future__ import annotations

import stat

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from store.database import VERSION_TABLE, Database
from store.migrations.scope import METADATA, ours

TRIGGERS = {
    "sqlite": frozenset({
        "audit_event_no_update", "audit_event_no_delete", "audit_head_forward", "audit_head_no_delete",
        "audit_checkpoint_no_update", "audit_checkpoint_no_delete",
        "ruling_no_party_insert", "ruling_no_party_update", "ruling_fixed", "ruling_no_delete"}),
    "postgresql": frozenset({
        "audit_event_no_change", "audit_event_no_truncate", "audit_head_forward", "audit_head_no_delete",
        "audit_head_no_truncate", "audit_checkpoint_no_change", "audit_checkpoint_no_truncate",
        "ruling_no_party", "ruling_fixed", "ruling_no_delete", "ruling_no_truncate"}),
}
"""The triggers that protect the audit and the rulings, by dialect."""


def differences(connection: Connection) -> list[str]:
    """Where the tables are not those of the code, as "add_column table.name". Other programs' tables do not count."""
    context = MigrationContext.configure(connection, opts={
        "version_table": VERSION_TABLE, "include_object": ours, "compare_type": True})
    return sorted({_named(found) for found in compare_metadata(context, METADATA)})


def triggers_missing(connection: Connection) -> list[str]:
    """The triggers that are not there, or are switched off."""
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
    else:
        found = connection.execute(text(
            "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A') AND NOT tgisinternal AND tgrelid IN "
            "(to_regclass('audit_event'), to_regclass('audit_head'), to_regclass('audit_checkpoint'), "
            "to_regclass('ruling'))")).scalars()
    return sorted(TRIGGERS[connection.dialect.name] - set(found))


def file_troubles(db: Database) -> list[str]:
    """SQLite: not in WAL mode, damaged pages, or a file others may read."""
    wrong: list[str] = []
    with db.engine.connect() as connection:
        mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        if mode != "wal":
            wrong.append(f"the log mode is {mode}, not wal (a network file system?)")
        sound = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if sound != "ok":
            wrong.append("pages of the file are damaged")
    if db.path is not None and stat.S_IMODE(db.path.stat().st_mode) & 0o077:
        wrong.append("others may read or write the file")
    return wrong


def server_troubles(connection: Connection) -> list[str]:
    """PostgreSQL: settings with which a crash of the machine loses what was promised to be kept, or mangles text."""
    wrong = [f"{name} is off: a crash of the server can lose {what}"
             for name, what in (("fsync", "everything"), ("full_page_writes", "pages"),
                                ("synchronous_commit", "the last moments"))
             if connection.scalar(text("SELECT current_setting(:name)"), {"name": name}) == "off"]
    encoding = connection.scalar(text("SELECT current_setting('server_encoding')"))
    if encoding != "UTF8":
        wrong.append(f"the encoding is {encoding}, not UTF8")
    return wrong


def _named(found: object) -> str:
    """One difference in words: what Alembic would do, and to which table or column."""
    if isinstance(found, list):
        return _named(found[0])
    if not isinstance(found, tuple):
        return type(found).__name__
    names = [str(part) if isinstance(part, str) else str(getattr(part, "name", "")) for part in found[1:]]
    return f"{found[0]} {'.'.join(name for name in names if name)}".strip()
