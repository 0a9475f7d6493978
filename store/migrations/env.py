"""Run by Alembic. The connection comes from `store.database`; nothing is read from a file."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from store.database import VERSION_TABLE
from store.migrations.scope import METADATA, ours


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
