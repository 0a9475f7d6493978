"""Records whose text a rescan pulled out are marked with their case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A new column, empty for what is there."""
    for table in ("organisation", "contact", "opportunity", "project", "crm_event", "issue", "document"):
        op.add_column(table, sa.Column("stub", sa.String(24), nullable=False, server_default=""))
