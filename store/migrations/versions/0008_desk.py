"""The review desk: what the queue sorts by, parties, rulings, incidents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime
from store.risk import due, of_summary, unreadable

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PAGE = 500
_FIXED = ("case_id", "outcome", "reason", "made_by", "made_key", "tagger", "needs_second", "suspends", "batch")

_NO_PARTY = """
    CREATE TRIGGER ruling_no_party_{name} BEFORE {verb} ON ruling
    WHEN EXISTS (SELECT 1 FROM case_party WHERE case_id = NEW.case_id AND digest IN (NEW.made_key, NEW.second_key))
         OR (NEW.second_key <> '' AND NEW.second_key = NEW.made_key)
    BEGIN SELECT RAISE(ABORT, 'nobody rules on their own mail, and nobody agrees with themselves'); END"""


def upgrade() -> None:
    """Four new tables; every case there is gets its row for the queue."""
    _make_desk_case()
    op.create_table(
        "case_party",
        sa.Column("case_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_case_party_case_id_quarantine_case"),
        sa.PrimaryKeyConstraint("case_id", "digest", name="pk_case_party"),
    )
    _make_ruling()
    _make_incident()
    if op.get_bind().dialect.name == "sqlite":
        _protect_on_sqlite()
    else:
        _protect_on_postgres()
    _file_what_is_there()


def _make_desk_case() -> None:
    op.create_table(
        "desk_case",
        sa.Column("case_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tab", sa.String(16), nullable=False),
        sa.Column("band", sa.String(16), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("elements", sa.Integer(), nullable=False),
        sa.Column("minors", sa.Integer(), nullable=False),
        sa.Column("exposure", sa.Integer(), nullable=False),
        sa.Column("kinds", sa.String(512), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("tagger", sa.String(32), nullable=False),
        sa.Column("parties", sa.Boolean(), nullable=False),
        sa.Column("sender", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(600), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("opened", UtcDateTime(), nullable=False),
        sa.Column("due", UtcDateTime(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("claimed_by", sa.String(32), nullable=False),
        sa.Column("claimed", UtcDateTime(), nullable=True),
        sa.Column("original_until", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_desk_case_case_id_quarantine_case"),
        sa.PrimaryKeyConstraint("case_id", name="pk_desk_case"),
    )
    for name, columns in (
            ("queue", ["tab", "rank", "due", "opened", "case_id"]),
            ("division", ["tab", "division", "rank", "due", "opened", "case_id"]),
            ("family", ["tab", "sender", "rule"]), ("content", ["tab", "content_hash"]),
            ("overdue", ["told", "tab", "due"]), ("parties", ["parties", "tab"]),
            ("claimed_by", ["claimed_by"]), ("original_until", ["original_until"])):
        op.create_index(f"ix_desk_case_{name}", "desk_case", columns)


def _make_ruling() -> None:
    op.create_table(
        "ruling",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("open_key", sa.String(32), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("batch", sa.String(32), nullable=False),
        sa.Column("tagger", sa.String(32), nullable=False),
        sa.Column("made_by", sa.String(32), nullable=False),
        sa.Column("made_key", sa.String(64), nullable=False),
        sa.Column("made", UtcDateTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("suspends", sa.Boolean(), nullable=False),
        sa.Column("needs_second", sa.Boolean(), nullable=False),
        sa.Column("why_second", sa.String(64), nullable=False),
        sa.Column("second_by", sa.String(32), nullable=False),
        sa.Column("second_key", sa.String(64), nullable=False),
        sa.Column("second_reason", sa.String(64), nullable=False),
        sa.Column("second", UtcDateTime(), nullable=True),
        sa.Column("effective", UtcDateTime(), nullable=True),
        sa.Column("taken", UtcDateTime(), nullable=True),
        sa.Column("taken_until", UtcDateTime(), nullable=True),
        sa.Column("finished", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("result", sa.String(64), nullable=False),
        sa.CheckConstraint("second_by = '' OR second_by <> made_by", name=op.f("ck_ruling_two_persons")),
        sa.CheckConstraint("tagger = '' OR (made_by <> tagger AND second_by <> tagger)",
                           name=op.f("ck_ruling_not_the_tagger")),
        sa.CheckConstraint("NOT needs_second OR second_by <> '' OR state IN ('second', 'undone')",
                           name=op.f("ck_ruling_second_agreed")),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_ruling_case_id_quarantine_case"),
        sa.PrimaryKeyConstraint("id", name="pk_ruling"),
        sa.UniqueConstraint("open_key", name="uq_ruling_open_key"),
    )
    for name, columns in (("state_effective", ["state", "effective"]), ("case_id", ["case_id"]),
                          ("batch", ["batch"]), ("made_by", ["made_by"])):
        op.create_index(f"ix_ruling_{name}", "ruling", columns)


def _make_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("number", sa.String(24), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("evidence_hold", sa.Boolean(), nullable=False),
        sa.Column("suspends", sa.Boolean(), nullable=False),
        sa.Column("persons", sa.Integer(), nullable=False),
        sa.Column("elements", sa.Integer(), nullable=False),
        sa.Column("exposure", sa.Integer(), nullable=False),
        sa.Column("division", sa.String(64), nullable=False),
        sa.Column("opened_by", sa.String(320), nullable=False),
        sa.Column("opened", UtcDateTime(), nullable=False),
        sa.Column("closed_by", sa.String(320), nullable=False),
        sa.Column("closed_reason", sa.String(64), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["case_id"], ["quarantine_case.id"], name="fk_incident_case_id_quarantine_case"),
        sa.PrimaryKeyConstraint("id", name="pk_incident"),
        sa.UniqueConstraint("number", name="uq_incident_number"),
    )
    op.create_index("ix_incident_open", "incident", ["state", "opened"])
    op.create_index("ix_incident_case_id", "incident", ["case_id"])


def _protect_on_sqlite() -> None:
    """No ruling by a party, what was ruled is never rewritten, no ruling is removed."""
    for name, verb in (("insert", "INSERT"), ("update", "UPDATE OF made_key, second_key")):
        op.execute(_NO_PARTY.replace("{name}", name).replace("{verb}", verb))
    changed = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in _FIXED)
    op.execute(f"""
        CREATE TRIGGER ruling_fixed BEFORE UPDATE ON ruling
        WHEN {changed} OR (OLD.second_by <> '' AND NEW.second_by <> OLD.second_by)
             OR OLD.state IN ('done', 'undone', 'refused')
        BEGIN SELECT RAISE(ABORT, 'what was ruled is never rewritten'); END""")
    op.execute("""
        CREATE TRIGGER ruling_no_delete BEFORE DELETE ON ruling
        BEGIN SELECT RAISE(ABORT, 'rulings are never removed'); END""")


def _protect_on_postgres() -> None:
    op.execute("""
        CREATE FUNCTION mailweir_ruling_no_party() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT 1 FROM case_party WHERE case_id = NEW.case_id
                       AND digest IN (NEW.made_key, NEW.second_key))
               OR (NEW.second_key <> '' AND NEW.second_key = NEW.made_key) THEN
                RAISE EXCEPTION 'nobody rules on their own mail, and nobody agrees with themselves';
            END IF;
            RETURN NEW;
        END $$""")
    changed = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in _FIXED)
    op.execute(f"""
        CREATE FUNCTION mailweir_ruling_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF {changed} OR (OLD.second_by <> '' AND NEW.second_by <> OLD.second_by)
               OR OLD.state IN ('done', 'undone', 'refused') THEN
                RAISE EXCEPTION 'what was ruled is never rewritten';
            END IF;
            RETURN NEW;
        END $$""")
    op.execute("""
        CREATE FUNCTION mailweir_ruling_kept() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'rulings are never removed'; END $$""")
    op.execute("""
        CREATE TRIGGER ruling_no_party BEFORE INSERT OR UPDATE OF made_key, second_key ON ruling
        FOR EACH ROW EXECUTE FUNCTION mailweir_ruling_no_party()""")
    op.execute("""
        CREATE TRIGGER ruling_fixed BEFORE UPDATE ON ruling
        FOR EACH ROW EXECUTE FUNCTION mailweir_ruling_fixed()""")
    op.execute("""
        CREATE TRIGGER ruling_no_delete BEFORE DELETE ON ruling
        FOR EACH ROW EXECUTE FUNCTION mailweir_ruling_kept()""")
    op.execute("""
        CREATE TRIGGER ruling_no_truncate BEFORE TRUNCATE ON ruling
        FOR EACH STATEMENT EXECUTE FUNCTION mailweir_ruling_kept()""")


def _file_what_is_there() -> None:
    """A row for every case, by the default weights and levels. Whose an open one is and who is a party to it needs
    the master key: the worker fills that in, and until then nobody but the privacy officer sees it."""
    connection = op.get_bind()
    case = sa.table("quarantine_case", sa.column("id", sa.Integer), sa.column("state", sa.String),
                    sa.column("summary", sa.JSON), sa.column("content_hash", sa.String),
                    sa.column("opened", UtcDateTime()))
    desk = sa.table("desk_case", *(sa.column(name) for name in (
        "case_id", "tab", "band", "rank", "weight", "persons", "elements", "minors", "exposure", "kinds", "division",
        "tagger", "parties", "sender", "rule", "content_hash", "told", "claimed_by")),
        sa.column("opened", UtcDateTime()), sa.column("due", UtcDateTime()))
    last = -1
    while True:
        rows = connection.execute(sa.select(case).where(case.c.id > last).order_by(case.c.id).limit(_PAGE)).all()
        if not rows:
            return
        connection.execute(desk.insert(), [_row(*row) for row in rows])
        last = rows[-1].id


def _row(ident: int, state: str, summary: dict[str, Any], content: str, opened: datetime) -> dict[str, Any]:
    risk, held = of_summary(summary), state == "held"
    moment = opened.replace(tzinfo=UTC) if opened.tzinfo is None else opened
    return {"case_id": ident, "tab": ("unreadable" if unreadable(summary) else "queue") if held else "",
            "band": risk.band, "rank": -round(risk.score * 100), "weight": risk.weight, "persons": risk.persons,
            "elements": risk.elements, "minors": int(summary.get("minors", 0)), "exposure": risk.exposure,
            "kinds": ",".join(map(str, summary.get("categories", ())))[:512], "division": "", "tagger": "",
            "parties": not held, "sender": "", "rule": "", "content_hash": content, "told": 0, "claimed_by": "",
            "opened": moment, "due": due(moment, risk.band)}
