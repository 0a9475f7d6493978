"""Signed checkpoints of the audit chain, protected as its rows are; destroyed content is vacuumed soon."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One new table; nothing that was there changes."""
    op.create_table(
        "audit_checkpoint",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.Column("peaks", sa.String(2200), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_audit_checkpoint"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"""
                CREATE TRIGGER audit_checkpoint_no_{verb.lower()} BEFORE {verb} ON audit_checkpoint
                BEGIN SELECT RAISE(ABORT, 'audit checkpoints are never changed or removed'); END""")
        return
    op.execute("""
        CREATE TRIGGER audit_checkpoint_no_change BEFORE UPDATE OR DELETE ON audit_checkpoint
        FOR EACH ROW EXECUTE FUNCTION mailweir_audit_refuse()""")
    op.execute("""
        CREATE TRIGGER audit_checkpoint_no_truncate BEFORE TRUNCATE ON audit_checkpoint
        FOR EACH STATEMENT EXECUTE FUNCTION mailweir_audit_refuse()""")
    # PostgreSQL keeps old versions of a row; those of a destroyed blob hold its wrapped key until they are vacuumed
    op.execute("""
        ALTER TABLE blob SET (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
                              toast.autovacuum_vacuum_threshold = 0, toast.autovacuum_vacuum_scale_factor = 0)""")
