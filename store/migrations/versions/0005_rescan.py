"""Rescan runs, their results, what was pulled out of the CRM and who had seen it; division and stub of an activity."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, and three columns of the activity."""
    with op.batch_alter_table("activity") as batch:
        batch.add_column(sa.Column("division", sa.String(64), nullable=False, server_default=""))
        batch.add_column(sa.Column("stub", sa.String(24), nullable=False, server_default=""))
        batch.add_column(sa.Column("filled", sa.String(64), nullable=False, server_default=""))
    with op.batch_alter_table("activity") as batch:
        batch.alter_column("division", server_default=None, existing_type=sa.String(64), existing_nullable=False)
        batch.alter_column("stub", server_default=None, existing_type=sa.String(24), existing_nullable=False)
        batch.alter_column("filled", server_default=None, existing_type=sa.String(64), existing_nullable=False)
    op.create_index("ix_activity_division", "activity", ["division"])
    op.create_table(
        "rescan_run",
        sa.Column("id", sa.String(24), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("why", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("policy", sa.String(256), nullable=False),
        sa.Column("policy_text", sa.Text(), nullable=False),
        sa.Column("label", sa.String(128), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("max_holds", sa.Integer(), nullable=False),
        sa.Column("holds", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(128), nullable=False),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_rescan_run"),
    )
    op.create_index("ix_rescan_run_state", "rescan_run", ["state"])
    op.create_table(
        "rescan_chunk",
        sa.Column("run_id", sa.String(24), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("ids", sa.JSON(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["rescan_run.id"], name="fk_rescan_chunk_run_id_rescan_run"),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_rescan_chunk"),
    )
    op.create_index("ix_rescan_chunk_done", "rescan_chunk", ["done"])
    op.create_table(
        "rescan_result",
        sa.Column("run_id", sa.String(24), nullable=False),
        sa.Column("item", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("unread", sa.JSON(), nullable=False),
        sa.Column("attachments", sa.Integer(), nullable=False),
        sa.Column("case", sa.String(24), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["rescan_run.id"], name="fk_rescan_result_run_id_rescan_run"),
        sa.PrimaryKeyConstraint("run_id", "item", name="pk_rescan_result"),
    )
    op.create_table(
        "crm_pull",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("capture_id", sa.String(32), nullable=False),
        sa.Column("record", sa.String(128), nullable=False),
        sa.Column("run_id", sa.String(24), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("trackers", sa.JSON(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("stored", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pulled", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_crm_pull_case_id_quarantine_case"),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name="fk_crm_pull_capture_id_capture"),
        sa.ForeignKeyConstraint(["run_id"], ["rescan_run.id"], name="fk_crm_pull_run_id_rescan_run"),
        sa.PrimaryKeyConstraint("id", name="pk_crm_pull"),
        sa.UniqueConstraint("capture_id", name="uq_crm_pull_capture_id"),
        sa.UniqueConstraint("case_id", "record", name="uq_crm_pull_case_id_record"),
    )
    op.create_index("ix_crm_pull_case_id", "crm_pull", ["case_id"])
    op.create_index("ix_crm_pull_record", "crm_pull", ["record"])
    op.create_table(
        "exposure",
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(128), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("how", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_exposure_case_id_quarantine_case"),
        sa.PrimaryKeyConstraint("case_id", "record", "seq", name="pk_exposure"),
    )
