"""The CRM's business: opportunities, projects, events, issues, documents, relations, history, suggestions, purges."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_PAGE = 500


def upgrade() -> None:
    """New tables, and new columns that are empty for what is there; activities get the hash of their Message-ID, and
    what is there is found by its words."""
    _columns()
    _activities()
    _work()
    _events()
    _records()
    _accountability()
    _thread_keys()
    _words()


def _columns() -> None:
    op.add_column("activity", sa.Column("variant_of", sa.String(32), nullable=False, server_default=""))
    op.add_column("activity", sa.Column("message_key", sa.String(64), nullable=False, server_default=""))
    op.add_column("activity", sa.Column("conversation", sa.String(64), nullable=False, server_default=""))
    op.add_column("activity", sa.Column("copy_key", sa.String(64), nullable=False, server_default=""))
    op.add_column("activity", sa.Column("staff", sa.String(32), nullable=False, server_default=""))
    op.add_column("activity", sa.Column("starts", UtcDateTime(), nullable=True))
    op.add_column("activity", sa.Column("ends", UtcDateTime(), nullable=True))
    op.add_column("activity", sa.Column("due", UtcDateTime(), nullable=True))
    op.add_column("activity", sa.Column("done", UtcDateTime(), nullable=True))
    op.add_column("activity", sa.Column("outcome", sa.Text(), nullable=False, server_default=""))
    op.create_index(op.f("ix_activity_conversation"), "activity", ["conversation"])
    op.create_index(op.f("ix_activity_message_key"), "activity", ["message_key"])
    op.create_index(op.f("ix_activity_variant_of"), "activity", ["variant_of"])
    op.add_column("activity_link", sa.Column("role", sa.String(16), nullable=False, server_default="party"))
    op.add_column("activity_link", sa.Column("by", sa.String(320), nullable=False, server_default=""))
    op.add_column("activity_link", sa.Column("removed", UtcDateTime(), nullable=True))
    op.add_column("contact", sa.Column("salutation", sa.String(32), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("mobile", sa.String(64), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("private_email", sa.String(320), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("private_key", sa.String(320), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("region", sa.String(64), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("interests", sa.Text(), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("notes", sa.Text(), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("owner", sa.String(32), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("source", sa.String(16), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("source_url", sa.String(400), nullable=False, server_default=""))
    op.add_column("contact", sa.Column("last_contact_at", UtcDateTime(), nullable=True))
    op.add_column("contact", sa.Column("merged_into", sa.String(32), nullable=False, server_default=""))
    op.create_index(op.f("ix_contact_private_key"), "contact", ["private_key"])
    op.add_column("organisation", sa.Column("region", sa.String(64), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("division", sa.String(64), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("owner", sa.String(32), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("source", sa.String(16), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("source_url", sa.String(400), nullable=False, server_default=""))
    op.add_column("organisation", sa.Column("last_contact_at", UtcDateTime(), nullable=True))
    op.add_column("organisation", sa.Column("merged_into", sa.String(32), nullable=False, server_default=""))


def _activities() -> None:
    op.create_table(
        "never_track",
        sa.Column("tracker", sa.String(320), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("pattern", sa.String(320), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tracker", "kind", "pattern", name=op.f("pk_never_track")))
    op.create_table(
        "activity_suggestion",
        sa.Column("activity_id", sa.String(32), nullable=False),
        sa.Column("tracker", sa.String(320), nullable=False),
        sa.Column("record", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(24), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("decided_by", sa.String(320), nullable=False),
        sa.Column("decided", UtcDateTime(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["activity_id"], ["activity.id"],
                                name=op.f("fk_activity_suggestion_activity_id_activity")),
        sa.PrimaryKeyConstraint("activity_id", "tracker", "record", "record_id", name=op.f("pk_activity_suggestion")))
    op.create_index(op.f("ix_activity_suggestion_record_id"), "activity_suggestion", ["record_id"])
    op.create_index(op.f("ix_activity_suggestion_state"), "activity_suggestion", ["state"])
    op.create_table(
        "capture_choice",
        sa.Column("capture_id", sa.String(32), nullable=False),
        sa.Column("record", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["capture_id"], ["capture.id"], name=op.f("fk_capture_choice_capture_id_capture")),
        sa.PrimaryKeyConstraint("capture_id", "record", "record_id", name=op.f("pk_capture_choice")))


def _work() -> None:
    op.create_table(
        "opportunity",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("organisation_id", sa.String(32), nullable=True),
        sa.Column("contact_id", sa.String(32), nullable=True),
        sa.Column("lead_name", sa.String(200), nullable=False),
        sa.Column("lead_organisation", sa.String(200), nullable=False),
        sa.Column("lead_email", sa.String(320), nullable=False),
        sa.Column("lead_key", sa.String(320), nullable=False),
        sa.Column("lead_phone", sa.String(64), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("quoted_cents", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("quote_number", sa.String(64), nullable=False),
        sa.Column("number_key", sa.String(64), nullable=False),
        sa.Column("quote_details", sa.Text(), nullable=False),
        sa.Column("internal_contacts", sa.JSON(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_url", sa.String(400), nullable=False),
        sa.Column("last_contact_at", UtcDateTime(), nullable=True),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_opportunity_contact_id_contact")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                name=op.f("fk_opportunity_organisation_id_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opportunity")))
    op.create_index(op.f("ix_opportunity_contact_id"), "opportunity", ["contact_id"])
    op.create_index(op.f("ix_opportunity_division"), "opportunity", ["division"])
    op.create_index(op.f("ix_opportunity_lead_key"), "opportunity", ["lead_key"])
    op.create_index(op.f("ix_opportunity_number_key"), "opportunity", ["number_key"])
    op.create_index(op.f("ix_opportunity_organisation_id"), "opportunity", ["organisation_id"])
    op.create_index(op.f("ix_opportunity_stage"), "opportunity", ["stage"])
    op.create_table(
        "project",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("opportunity_id", sa.String(32), nullable=False),
        sa.Column("organisation_id", sa.String(32), nullable=True),
        sa.Column("contact_id", sa.String(32), nullable=True),
        sa.Column("number", sa.String(64), nullable=False),
        sa.Column("number_key", sa.String(64), nullable=False),
        sa.Column("services", sa.Text(), nullable=False),
        sa.Column("quoted_cents", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("delivery_locations", sa.Text(), nullable=False),
        sa.Column("instructors", sa.Text(), nullable=False),
        sa.Column("delivery_from", sa.Date(), nullable=True),
        sa.Column("delivery_until", sa.Date(), nullable=True),
        sa.Column("shipping_address", sa.String(400), nullable=False),
        sa.Column("billing_address", sa.String(400), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_url", sa.String(400), nullable=False),
        sa.Column("last_contact_at", UtcDateTime(), nullable=True),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_project_contact_id_contact")),
        sa.ForeignKeyConstraint(["opportunity_id"], ["opportunity.id"],
                                name=op.f("fk_project_opportunity_id_opportunity")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"],
                                name=op.f("fk_project_organisation_id_organisation")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("opportunity_id", name=op.f("uq_project_opportunity_id")))
    op.create_index(op.f("ix_project_contact_id"), "project", ["contact_id"])
    op.create_index(op.f("ix_project_division"), "project", ["division"])
    op.create_index(op.f("ix_project_number_key"), "project", ["number_key"])
    op.create_index(op.f("ix_project_organisation_id"), "project", ["organisation_id"])
    op.create_index(op.f("ix_project_status"), "project", ["status"])


def _events() -> None:
    op.create_table(
        "crm_event",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("starts", UtcDateTime(), nullable=False),
        sa.Column("ends", UtcDateTime(), nullable=True),
        sa.Column("place", sa.String(200), nullable=False),
        sa.Column("agenda", sa.Text(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_url", sa.String(400), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_crm_event")))
    op.create_index(op.f("ix_crm_event_division"), "crm_event", ["division"])
    op.create_table(
        "document",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("policy", sa.String(128), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_url", sa.String(400), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")))
    op.create_index(op.f("ix_document_division"), "document", ["division"])
    op.create_table(
        "issue",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("news", sa.Text(), nullable=False),
        sa.Column("talking_points", sa.Text(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("source_url", sa.String(400), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("updated", UtcDateTime(), nullable=False),
        sa.CheckConstraint("priority BETWEEN 1 AND 5", name=op.f("ck_issue_priority")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue")))
    op.create_index(op.f("ix_issue_division"), "issue", ["division"])
    op.create_index(op.f("ix_issue_status"), "issue", ["status"])


def _records() -> None:
    op.create_table(
        "record_category",
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.String(64), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "title", name=op.f("pk_record_category")))
    op.create_table(
        "record_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("field", sa.String(32), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_change")))
    op.create_index(op.f("ix_record_change_record_id"), "record_change", ["record_id"])
    op.create_table(
        "record_merge",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("record", sa.String(16), nullable=False),
        sa.Column("kept", sa.String(32), nullable=False),
        sa.Column("gone", sa.String(32), nullable=False),
        sa.Column("moved", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("undone_by", sa.String(320), nullable=False),
        sa.Column("undone", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_merge")))
    op.create_index(op.f("ix_record_merge_gone"), "record_merge", ["gone"])
    op.create_index(op.f("ix_record_merge_kept"), "record_merge", ["kept"])
    op.create_table(
        "record_relation",
        sa.Column("from_kind", sa.String(16), nullable=False),
        sa.Column("from_id", sa.String(32), nullable=False),
        sa.Column("to_kind", sa.String(16), nullable=False),
        sa.Column("to_id", sa.String(32), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("from_kind", "from_id", "to_kind", "to_id", "role", name=op.f("pk_record_relation")))
    op.create_index(op.f("ix_record_relation_to_id"), "record_relation", ["to_id"])
    op.create_table(
        "record_word",
        sa.Column("word", sa.String(48).with_variant(sa.String(48, collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("word", "kind", "record_id", name=op.f("pk_record_word")))
    op.create_index(op.f("ix_record_word_record_id"), "record_word", ["record_id"])


def _accountability() -> None:
    op.create_table(
        "opt_out",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("contact_id", sa.String(32), nullable=False),
        sa.Column("open_key", sa.String(32), nullable=True),
        sa.Column("medium", sa.String(16), nullable=False),
        sa.Column("asked_by", sa.String(320), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("closed_by", sa.String(320), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("receipt", sa.String(32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opt_out")),
        sa.UniqueConstraint("open_key", name=op.f("uq_opt_out_open_key")))
    op.create_index(op.f("ix_opt_out_contact_id"), "opt_out", ["contact_id"])
    op.create_index(op.f("ix_opt_out_division"), "opt_out", ["division"])
    op.create_index(op.f("ix_opt_out_state"), "opt_out", ["state"])
    op.create_table(
        "purge_receipt",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("record", sa.String(16), nullable=False),
        sa.Column("record_id", sa.String(32), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purge_receipt")))
    op.create_index(op.f("ix_purge_receipt_record_id"), "purge_receipt", ["record_id"])
    op.create_table(
        "suppression",
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("by", sa.String(320), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_suppression")))


def _thread_keys() -> None:
    """By which answers find what they answer: as `store.identity.thread_key` writes it on this day."""
    activity = sa.table("activity", sa.column("id", sa.String), sa.column("message_id", sa.Text),
                        sa.column("message_key", sa.String))
    connection, last = op.get_bind(), ""
    while rows := connection.execute(
            sa.select(activity.c.id, activity.c.message_id).where(activity.c.id > last, activity.c.message_id != "")
            .order_by(activity.c.id).limit(_PAGE)).all():
        for ident, message_id in rows:
            bare = "".join(message_id.split()).strip("<>")
            local, at, domain = bare.rpartition("@")
            plain = f"{local}{at}{domain.casefold()}" if at else bare
            if plain:
                key = hashlib.sha256(b"message-id\0" + plain.encode("utf-8", "replace")).hexdigest()
                connection.execute(sa.update(activity).where(activity.c.id == ident).values(message_key=key))
        last = rows[-1][0]


def _words() -> None:
    """What is there is found by its words: as `store.crm_find` indexes it on this day, a page at a time."""
    sources: dict[str, tuple[str, tuple[str, ...]]] = {
        "organisation": ("organisation", ("name", "category")),
        "contact": ("contact", ("first_name", "last_name", "known_as", "title", "category")),
        "activity": ("activity", ("subject",))}
    word = sa.table("record_word", sa.column("word", sa.String), sa.column("kind", sa.String),
                    sa.column("record_id", sa.String))
    connection = op.get_bind()
    for kind, (name, fields) in sources.items():
        table = sa.table(name, sa.column("id", sa.String), *(sa.column(field, sa.Text) for field in fields),
                         *([sa.column("stub", sa.String)] if kind == "activity" else []))
        wanted = sa.select(table.c.id, *(table.c[field] for field in fields)).order_by(table.c.id).limit(_PAGE)
        if kind == "activity":
            wanted = wanted.where(table.c.stub == "")  # the content of a stub was taken out
        last = ""
        while rows := connection.execute(wanted.where(table.c.id > last)).all():
            found = [{"word": one, "kind": kind, "record_id": ident}
                     for ident, *texts in rows for one in sorted(_words_of(texts))]
            if found:
                connection.execute(sa.insert(word), found)
            last = rows[-1][0]


def _words_of(texts: Sequence[str]) -> set[str]:
    """Small letters without accents, at most 48 characters each."""
    found: set[str] = set()
    for text in texts:
        folded = unicodedata.normalize("NFKD", text[:2000].casefold())
        plain = "".join(c for c in folded if not unicodedata.combining(c))
        found |= {one[:48] for one in re.findall(r"[^\W_]+", plain)}
    return found
