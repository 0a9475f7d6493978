"""Watched mailboxes and folders, cursors, owed marks, requests to untrack; kinds and triggers of captures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Five new tables; captures that were there are mail that was tagged."""
    with op.batch_alter_table("capture") as table:
        for name, length, default in (("kind", 16, "mail"), ("trigger", 16, "category"), ("requested_by", 320, ""),
                                      ("record", 80, ""), ("shown", 16, ""),
                                      ("shown_key", 64, "")):
            table.add_column(sa.Column(name, sa.String(length), nullable=False, server_default=default))
        table.add_column(sa.Column("shown_at", UtcDateTime(), nullable=True))
        table.add_column(sa.Column("again", sa.LargeBinary(), nullable=True))
        table.create_index(op.f("ix_capture_mailbox_shown_key"), ["mailbox", "shown_key"])
    op.create_table(
        "watched_mailbox",
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("backend", sa.String(16), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("added", UtcDateTime(), nullable=False),
        sa.Column("added_by", sa.String(320), nullable=False),
        sa.Column("removed", UtcDateTime(), nullable=True),
        sa.Column("started", UtcDateTime(), nullable=True),
        sa.Column("looked", UtcDateTime(), nullable=True),
        sa.Column("woken", UtcDateTime(), nullable=True),
        sa.Column("parked", UtcDateTime(), nullable=True),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("next_try", UtcDateTime(), nullable=True),
        sa.Column("reconciled", UtcDateTime(), nullable=True),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("missed_total", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_watched_mailbox")))
    op.create_index(op.f("ix_watched_mailbox_parked"), "watched_mailbox", ["parked"])
    op.create_table(
        "watch",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("folder_key", sa.String(64), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("fast", sa.Boolean(), nullable=False),
        sa.Column("record", sa.String(80), nullable=False),
        sa.Column("record_by", sa.String(320), nullable=False),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("gone", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["mailbox"], ["watched_mailbox.mailbox"],
                                name=op.f("fk_watch_mailbox_watched_mailbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch")),
        sa.UniqueConstraint("mailbox", "folder_key", name=op.f("uq_watch_mailbox_folder_key")))
    op.create_table(
        "watch_cursor",
        sa.Column("watch_id", sa.String(32), nullable=False),
        sa.Column("position", sa.LargeBinary(), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("committed", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["watch_id"], ["watch.id"], name=op.f("fk_watch_cursor_watch_id_watch")),
        sa.PrimaryKeyConstraint("watch_id", name=op.f("pk_watch_cursor")))
    op.create_table(
        "owed_mark",
        sa.Column("capture_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("given_up", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_owed_mark_capture_id_capture")),
        sa.PrimaryKeyConstraint("capture_id", name=op.f("pk_owed_mark")))
    op.create_index(op.f("ix_owed_mark_due"), "owed_mark", ["due"])
    op.create_table(
        "untrack_request",
        sa.Column("capture_id", sa.String(32), nullable=False),
        sa.Column("mailbox", sa.String(320), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(320), nullable=False),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_untrack_request_capture_id_capture")),
        sa.PrimaryKeyConstraint("capture_id", name=op.f("pk_untrack_request")))
    op.create_index(op.f("ix_untrack_request_closed"), "untrack_request", ["closed"])
    op.create_index(op.f("ix_untrack_request_mailbox"), "untrack_request", ["mailbox"])
