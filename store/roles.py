"""Roles in PostgreSQL: who may do what to which table, and whether it is so.

    owner      owns the tables and runs migrations; a person or a deployment script, never the running service
    service    the running service: reads and writes rows; on the audit it may only add; it owns nothing
    reader     looks on, for reports and verification: states, counts and the audit, no content, nobody's address book

`grants` gives the statements (to read or to run), `missing` and `beyond` compare what is with what should be. The roles
themselves are made by an administrator: CREATE ROLE mailweir_service LOGIN PASSWORD '...'.

SQLite has no roles: there, whoever may open the file may do everything, and the chain and its checkpoints tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sqlalchemy import Connection, text

from store.database import VERSION_TABLE, Database
from store.errors import DatabaseRefused
from store.migrations.scope import METADATA

Role = Literal["service", "reader"]

AUDIT = {"audit_event": frozenset({"SELECT", "INSERT"}), "audit_checkpoint": frozenset({"SELECT", "INSERT"}),
         "audit_head": frozenset({"SELECT", "UPDATE"})}
"""What the service may do to the audit. The head must move; a trigger lets it move forward only."""
ROWS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
READ = frozenset({"SELECT"})
READABLE = frozenset({
    "audit_event", "audit_head", "audit_checkpoint", "item", "quarantine_case", "counter", "executor_lease", "job_try",
    VERSION_TABLE})
"""What the reader may see: ids, states, counts and codes. A table that is not named here is not given to it."""
EVERY = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
ENGINE_SCHEMA = "dbos"


def wanted(role: Role) -> dict[str, frozenset[str]]:
    """Table -> privileges of a role, for our own tables."""
    tables = sorted({*METADATA.tables, VERSION_TABLE})
    if role == "reader":
        return {name: READ for name in tables if name in READABLE}
    return {name: READ if name == VERSION_TABLE else AUDIT.get(name, ROWS) for name in tables}


def grants(connection: Connection, role: Role, name: str) -> list[str]:
    """The statements that give the role `name` what it needs and take the rest. Run them as the owner."""
    quoted = _quote(connection, name)
    schema = _quote(connection, connection.scalar(text("SELECT current_schema()")) or "public")
    database = _quote(connection, connection.engine.url.database or "")
    said = [
        f"GRANT CONNECT ON DATABASE {database} TO {quoted}",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {schema} TO {quoted}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {quoted}",
    ]
    for table, privileges in wanted(role).items():
        said.append(f"GRANT {', '.join(sorted(privileges))} ON {schema}.{_quote(connection, table)} TO {quoted}")
    if role == "service":
        said.append(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {quoted}")
        if _has_schema(connection, ENGINE_SCHEMA):
            said += [
                f"GRANT USAGE ON SCHEMA {ENGINE_SCHEMA} TO {quoted}",
                f"REVOKE ALL ON ALL TABLES IN SCHEMA {ENGINE_SCHEMA} FROM PUBLIC",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {ENGINE_SCHEMA} TO {quoted}",
                f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {ENGINE_SCHEMA} TO {quoted}",
                f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {ENGINE_SCHEMA} TO {quoted}",
            ]
    return said


def apply(db: Database, role: Role, name: str) -> list[str]:
    """Set the grants of a role, in one transaction, and return the statements.

    Raises `DatabaseRefused` on SQLite, when there is no such role, or when it could not be bound by grants anyway
    (a superuser, or the owner itself).
    """
    if db.is_sqlite:
        raise DatabaseRefused("SQLite has no roles")
    with db.engine.begin() as connection:
        why = unfit(connection, name)
        if why:
            raise DatabaseRefused(f"role {name}: {why}")
        said = grants(connection, role, name)
        for statement in said:
            connection.execute(text(statement))
    return said


def unfit(connection: Connection, name: str) -> str:
    """Why grants would not bind this role; "" when they do."""
    row = connection.execute(text("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = :name"),
                             {"name": name}).one_or_none()
    if row is None:
        return "there is no such role"
    if row.rolsuper:
        return "it is a superuser"
    if row.rolcreaterole:
        return "it may make roles, and so give itself others"
    owner = connection.scalar(text("SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() "
                                   "AND tablename = 'audit_event'"))
    if owner and connection.scalar(text("SELECT pg_has_role(:name, :owner, 'MEMBER')"), {"name": name, "owner": owner}):
        return "it owns the audit, or is a member of the role that does"
    return ""


def missing(connection: Connection, role: Role, name: str) -> list[str]:
    """What the role lacks, as "PRIVILEGE on table"."""
    lacking = [f"{privilege} on {table}" for table, privileges in wanted(role).items()
               for privilege in sorted(privileges) if not _may(connection, name, table, privilege)]
    if role == "service":
        lacking += [f"{p} on {ENGINE_SCHEMA}.{t}" for t in engine_tables(connection) for p in sorted(ROWS)
                    if not _may(connection, name, f"{ENGINE_SCHEMA}.{t}", p)]
    return lacking


def beyond(connection: Connection, role: Role, name: str) -> list[str]:
    """What the role may do and should not, as "PRIVILEGE on table"."""
    allowed = wanted(role)
    tables = {*METADATA.tables, VERSION_TABLE}
    return [f"{privilege} on {table}" for table in sorted(tables) for privilege in EVERY
            if privilege not in allowed.get(table, ()) and _may(connection, name, table, privilege)]


def engine_tables(connection: Connection) -> list[str]:
    """The tables in the durable engine's schema; none on SQLite, where they lie beside ours."""
    return list(connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = :schema ORDER BY 1"),
                                   {"schema": ENGINE_SCHEMA}).scalars())


def _may(connection: Connection, name: str, table: str, privilege: str) -> bool:
    return bool(connection.scalar(
        text("SELECT to_regclass(:table) IS NOT NULL AND has_table_privilege(:name, to_regclass(:table), :privilege)"),
        {"name": name, "table": table, "privilege": privilege}))


def _has_schema(connection: Connection, name: str) -> bool:
    return bool(connection.scalar(text("SELECT to_regnamespace(:name) IS NOT NULL"), {"name": name}))


def _quote(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def statements(db: Database, role: Role, name: str) -> Iterator[str]:
    """As `apply`, without running them: for an administrator to read first."""
    with db.engine.connect() as connection:
        yield from grants(connection, role, name)
