"""Subscriptions to change notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One new table; nothing that was there changes."""
    op.create_table(
        "subscription",
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("resource", sa.String(32), nullable=False),
        sa.Column("remote", sa.String(128), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=True),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("claimed", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox", "resource", name=op.f("pk_subscription")))
    op.create_index(op.f("ix_subscription_remote"), "subscription", ["remote"])
    op.create_index(op.f("ix_subscription_due"), "subscription", ["due"])
