"""People, roles, divisions, sign-ins, rules of behaviour, training."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, and an index by which captures are counted."""
    op.create_index("ix_capture_state_outcome", "capture", ["state", "outcome", "created"])
    op.create_table(
        "division",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("closed", _MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_division"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(200), nullable=True),
        sa.Column("address", sa.String(320), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("justification", sa.String(64), nullable=False),
        sa.Column("ends", _MOMENT, nullable=True),
        sa.Column("created", _MOMENT, nullable=False),
        sa.Column("updated", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("address", name="uq_person_address"),
        sa.UniqueConstraint("subject", name="uq_person_subject"),
    )
    op.create_index("ix_person_state", "person", ["state"])
    op.create_table(
        "person_division",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("open_key", sa.String(100), nullable=True),
        sa.Column("began", _MOMENT, nullable=False),
        sa.Column("ended", _MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["division"], ["division.key"], name="fk_person_division_division_division"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_person_division_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_person_division"),
        sa.UniqueConstraint("open_key", name="uq_person_division_open_key"),
    )
    op.create_index("ix_person_division_division", "person_division", ["division"])
    op.create_index("ix_person_division_person_id", "person_division", ["person_id"])
    op.create_table(
        "role_grant",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("open_key", sa.String(100), nullable=True),
        sa.Column("asked_by", sa.String(320), nullable=False),
        sa.Column("approved_by", sa.String(320), nullable=False),
        sa.Column("granted_by", sa.String(320), nullable=False),
        sa.Column("ended_by", sa.String(320), nullable=False),
        sa.Column("asked", _MOMENT, nullable=False),
        sa.Column("approved", _MOMENT, nullable=True),
        sa.Column("granted", _MOMENT, nullable=True),
        sa.Column("until", _MOMENT, nullable=True),
        sa.Column("ended", _MOMENT, nullable=True),
        sa.CheckConstraint("approved_by = '' OR approved_by <> person_id",
                           name=op.f("ck_role_grant_not_approved_by_oneself")),
        sa.CheckConstraint("granted_by = '' OR granted_by <> person_id",
                           name=op.f("ck_role_grant_not_granted_by_oneself")),
        sa.CheckConstraint("approved_by = '' OR approved_by <> granted_by OR origin <> 'here'",
                           name=op.f("ck_role_grant_two_persons")),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_role_grant_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_role_grant"),
        sa.UniqueConstraint("open_key", name="uq_role_grant_open_key"),
    )
    op.create_index("ix_role_grant_person_id", "role_grant", ["person_id"])
    op.create_table(
        "delegation",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("head_id", sa.String(32), nullable=False),
        sa.Column("delegate_id", sa.String(32), nullable=False),
        sa.Column("begins", _MOMENT, nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("made", _MOMENT, nullable=False),
        sa.Column("ended", _MOMENT, nullable=True),
        sa.CheckConstraint("head_id <> delegate_id", name=op.f("ck_delegation_not_to_oneself")),
        sa.ForeignKeyConstraint(["delegate_id"], ["person.id"], name="fk_delegation_delegate_id_person"),
        sa.ForeignKeyConstraint(["head_id"], ["person.id"], name="fk_delegation_head_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_delegation"),
    )
    op.create_index("ix_delegation_delegate_id", "delegation", ["delegate_id"])
    op.create_index("ix_delegation_head_id", "delegation", ["head_id"])
    _rules_and_sessions()


def _rules_and_sessions() -> None:
    op.create_table(
        "rules_version",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("published", _MOMENT, nullable=False),
        sa.Column("published_by", sa.String(320), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_rules_version"),
    )
    op.create_table(
        "rules_signature",
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("signed", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["number"], ["rules_version.number"],
                                name="fk_rules_signature_number_rules_version"),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_rules_signature_person_id_person"),
        sa.PrimaryKeyConstraint("person_id", "number", name="pk_rules_signature"),
    )
    op.create_table(
        "training_record",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("course", sa.String(64), nullable=False),
        sa.Column("completed", _MOMENT, nullable=False),
        sa.Column("expires", _MOMENT, nullable=False),
        sa.Column("recorded_by", sa.String(320), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_training_record_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_training_record"),
    )
    op.create_index("ix_training_record_person_id", "training_record", ["person_id"])
    op.create_table(
        "web_session",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("person_id", sa.String(32), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("begun", _MOMENT, nullable=False),
        sa.Column("seen", _MOMENT, nullable=False),
        sa.Column("authenticated", _MOMENT, nullable=False),
        sa.Column("ends", _MOMENT, nullable=False),
        sa.Column("affirmed", sa.Integer(), nullable=False),
        sa.Column("ended", _MOMENT, nullable=True),
        sa.Column("why", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name="fk_web_session_person_id_person"),
        sa.PrimaryKeyConstraint("id", name="pk_web_session"),
        sa.UniqueConstraint("token_hash", name="uq_web_session_token_hash"),
    )
    op.create_index("ix_web_session_ends", "web_session", ["ends"])
    op.create_index("ix_web_session_person_id", "web_session", ["person_id"])
