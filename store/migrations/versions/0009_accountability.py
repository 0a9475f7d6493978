"""Allow rules, users' reports, the auditor's week, follow-ups, disclosures; contacts belong to a division."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New tables, an index by time on the audit, and one column; nothing that was there changes."""
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"])
    op.add_column("contact", sa.Column("division", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "allow_rule",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rule", sa.String(64), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("pattern", sa.String(64), nullable=False),
        sa.Column("domain", sa.String(255), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("proposed_by", sa.String(320), nullable=False),
        sa.Column("proposed", UtcDateTime(), nullable=False),
        sa.Column("approved_by", sa.String(320), nullable=False),
        sa.Column("approved", UtcDateTime(), nullable=True),
        sa.Column("expires", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(320), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.Column("tested", sa.JSON(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("last_used", UtcDateTime(), nullable=True),
        sa.CheckConstraint("approved_by = '' OR approved_by <> proposed_by", name=op.f("ck_allow_rule_two_persons")),
        sa.CheckConstraint("rule <> '' AND category <> ''", name=op.f("ck_allow_rule_about_one_rule")),
        sa.CheckConstraint("state <> 'in-force' OR (approved_by <> '' AND expires IS NOT NULL)",
                           name=op.f("ck_allow_rule_approved")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_allow_rule")))
    op.create_index(op.f("ix_allow_rule_state"), "allow_rule", ["state"])
    op.create_table(
        "allow_entry",
        sa.Column("rule_id", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["allow_rule.id"], name=op.f("fk_allow_entry_rule_id_allow_rule")),
        sa.PrimaryKeyConstraint("rule_id", "digest", name=op.f("pk_allow_entry")))
    op.create_table(
        "case_report",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("made", UtcDateTime(), nullable=False),
        sa.Column("answer_code", sa.String(32), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("answered_by", sa.String(320), nullable=False),
        sa.Column("answered", UtcDateTime(), nullable=True),
        sa.CheckConstraint("answered_by = '' OR answered_by <> person_id",
                           name=op.f("ck_case_report_not_by_oneself")),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"],
                                name=op.f("fk_case_report_case_id_quarantine_case")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_case_report_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_report")),
        sa.UniqueConstraint("case_id", "person_id", "turn", name=op.f("uq_case_report_case_id_person_id_turn")))
    op.create_index(op.f("ix_case_report_case_id"), "case_report", ["case_id"])
    op.create_index(op.f("ix_case_report_person_id"), "case_report", ["person_id"])
    _week_and_people()


def _week_and_people() -> None:
    op.create_table(
        "week_pack",
        sa.Column("week", sa.String(8), nullable=False),
        sa.Column("begins", UtcDateTime(), nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=False),
        sa.Column("built", UtcDateTime(), nullable=False),
        sa.Column("pack", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("signed_by", sa.String(320), nullable=False),
        sa.Column("signed", UtcDateTime(), nullable=True),
        sa.Column("reminded", UtcDateTime(), nullable=True),
        sa.CheckConstraint("(signed_by = '') = (signed IS NULL)", name=op.f("ck_week_pack_signed_by_somebody")),
        sa.PrimaryKeyConstraint("week", name=op.f("pk_week_pack")))
    op.create_table(
        "week_comment",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("week", sa.String(8), nullable=False),
        sa.Column("flag", sa.String(32), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("made", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["week"], ["week_pack.week"], name=op.f("fk_week_comment_week_week_pack")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_week_comment")))
    op.create_index(op.f("ix_week_comment_week"), "week_comment", ["week"])
    op.create_table(
        "follow_up",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("course", sa.String(64), nullable=False),
        sa.Column("opened", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_follow_up_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up")),
        sa.UniqueConstraint("person_id", "step", "number", name=op.f("uq_follow_up_person_id_step_number")))
    op.create_index(op.f("ix_follow_up_person_id"), "follow_up", ["person_id"])
    op.create_table(
        "disclosure",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("form", sa.String(8), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("made", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_disclosure_person_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disclosure")))
    op.create_index(op.f("ix_disclosure_person_id"), "disclosure", ["person_id"])
