"""Leases of workers, named leases, and what a poison item needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three new tables; nothing that was there changes."""
    op.create_table(
        "executor_lease",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("boot", sa.String(160), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("started", UtcDateTime(), nullable=False),
        sa.Column("ts", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_executor_lease")))
    op.create_index(op.f("ix_executor_lease_ts"), "executor_lease", ["ts"])
    op.create_table(
        "named_lease",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_named_lease")))
    op.create_index(op.f("ix_named_lease_owner"), "named_lease", ["owner"])
    op.create_table(
        "job_try",
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("taken_up", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(64), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("parked", UtcDateTime(), nullable=True),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_job_try")))
    op.create_index(op.f("ix_job_try_parked"), "job_try", ["parked"])
