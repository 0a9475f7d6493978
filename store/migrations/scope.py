"""Which tables migrations may look at: ours, and no others.

The durable engine keeps its tables in the same file; without this list autogenerate proposes to drop them.
"""

from __future__ import annotations

from typing import Any

import store.account_tables
import store.checkpoint_tables
import store.crm_tables
import store.crm_work_tables
import store.desk_tables
import store.lease_tables
import store.people_tables
import store.rescan_tables
import store.subscription_tables
import store.tables
import store.watch_tables

METADATA = store.tables.Row.metadata
KNOWN = frozenset(METADATA.tables) | frozenset(table.__tablename__ for table in store.crm_tables.CRM_TABLES)


def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any) -> bool:
    """True for our own tables and everything inside them."""
    return kind != "table" or name in KNOWN
