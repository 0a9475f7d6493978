"""Run by Alembic. The connection comes from `store.database`; nothing is read from a file.

Only tables of our own metadata are looked at: the durable engine keeps its tables in the same file, and
autogenerate would propose to drop them.
"""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection

import store.crm_tables
import store.tables
from store.database import VERSION_TABLE

METADATA = store.tables.Row.metadata
KNOWN = frozenset(METADATA.tables) | frozenset(table.__tablename__ for table in store.crm_tables.CRM_TABLES)


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """True for our own tables and everything inside them."""
    return kind != "table" or name in KNOWN


def run(connection: Connection) -> None:
    """Upgrade inside one transaction, alone."""
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        # rebuilding a table drops it, which would cascade; the switch works outside a transaction only
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236481109)")
    context.configure(connection=connection, target_metadata=METADATA, version_table=VERSION_TABLE,
                      include_object=ours, render_as_batch=sqlite, compare_type=True,
                      transactional_ddl=True)
    context.run_migrations()
    connection.commit()
    if sqlite:
        connection.exec_driver_sql("PRAGMA foreign_keys=ON")


run(context.config.attributes["connection"])
