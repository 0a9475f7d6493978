"""The audit: it cannot be changed quietly, and it holds no text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import DatabaseError
from sqlmodel import text
from stores import behind_our_back, opened, sqlite_only

from store import audit
from store.audit import EVENTS, Anchor, append, head, show, verify
from store.database import Database
from store.errors import AuditBroken, BadAuditBody


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """A database with twelve audit rows: two of its making, ten decisions."""
    with opened(store_url) as (database, _):
        for number in range(10):
            with database.session() as session:
                append(session, "capture:item:decided", actor="mailweir", subject=f"c{number}",
                       body={"outcome": "hold", "kinds": {"health": number}, "unread": 0})
        yield database


def tamper(db: Database, *statements: str) -> None:
    """Change rows behind our back."""
    with behind_our_back(db) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def verified(db: Database, anchor: Anchor | None = None) -> audit.VerifyResult:
    with db.session() as session:
        return verify(session, anchor)


def test_an_untouched_chain_verifies(db: Database) -> None:
    result = verified(db)
    assert (result.ok, result.rows, result.row) == (True, 12, None)
    result.require()


def test_an_empty_chain_verifies(store_url: str) -> None:
    with opened(store_url) as (db, _):
        tamper(db, "DELETE FROM audit_event", "UPDATE audit_head SET count = 0, digest = ''")
        assert verified(db).ok


@pytest.mark.parametrize(("statements", "row", "problem"), [
    pytest.param(["UPDATE audit_event SET actor = 'nobody' WHERE seq = 7"], 7, "changed", id="actor edited"),
    pytest.param(["UPDATE audit_event SET body = replace(body, '5', '6') WHERE seq = 8"], 8, "changed",
                 id="one digit of the body edited"),
    pytest.param(["UPDATE audit_event SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 3"], 3, "changed",
                 id="time edited"),
    pytest.param(["UPDATE audit_event SET digest = substr(digest, 2) || substr(digest, 1, 1) WHERE seq = 12"], 12,
                 "changed", id="digest of the last row edited"),
    pytest.param(["DELETE FROM audit_event WHERE seq = 5"], 5, "missing", id="row deleted"),
    pytest.param(["DELETE FROM audit_event WHERE seq = 1"], 1, "missing", id="first row deleted"),
    pytest.param(["DELETE FROM audit_event WHERE seq = 5",
                  "UPDATE audit_event SET seq = seq - 1 WHERE seq > 5"], 5, "changed", id="gap closed up"),
    pytest.param(["UPDATE audit_event SET seq = 99 WHERE seq = 4", "UPDATE audit_event SET seq = 4 WHERE seq = 5",
                  "UPDATE audit_event SET seq = 5 WHERE seq = 99"], 4, "changed", id="two rows swapped"),
    pytest.param(["INSERT INTO audit_event SELECT 13, at, action, actor, subject, body, previous, digest "
                  "FROM audit_event WHERE seq = 12"], 13, "added", id="row put at the end"),
    pytest.param(["INSERT INTO audit_event SELECT 0, at, action, actor, subject, body, previous, digest "
                  "FROM audit_event WHERE seq = 12"], 0, "added", id="row put before the first"),
    pytest.param(["DELETE FROM audit_event WHERE seq > 9"], 10, "cut", id="tail cut"),
    pytest.param(["DELETE FROM audit_event"], 1, "cut", id="everything deleted"),
    pytest.param(["DELETE FROM audit_head"], 1, "added", id="head deleted"),
])
def test_tampering_is_found_and_the_row_named(db: Database, statements: list[str], row: int, problem: str) -> None:
    tamper(db, *statements)
    result = verified(db)
    assert (result.row, result.problem) == (row, problem)
    assert str(row) in str(result)
    with pytest.raises(AuditBroken, match=f"row {row}"):
        result.require()


@sqlite_only("PostgreSQL keeps a column to its type, and text to UTF-8")
@pytest.mark.parametrize(("statement", "row"), [
    pytest.param("UPDATE audit_event SET body = CAST(x'7bff7d' AS TEXT) WHERE seq = 6", 6, id="body is no text"),
    pytest.param("UPDATE audit_event SET actor = x'00ff' WHERE seq = 6", 6, id="actor is bytes"),
    pytest.param("UPDATE audit_event SET body = CAST(x'ff' AS TEXT), actor = 'x' WHERE seq = 12", 12,
                 id="last row is no text"),
])
def test_values_of_another_type_are_found(db: Database, statement: str, row: int) -> None:
    tamper(db, statement)
    assert (verified(db).row, verified(db).problem) == (row, "changed")


def rewrite(db: Database, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    """Make a whole new chain that fits in itself, as somebody with the database and this source can."""
    with behind_our_back(db) as connection:
        found = connection.execute(text("SELECT * FROM audit_event ORDER BY seq")).mappings()
        rows = change([dict(row) for row in found])
        connection.execute(text("DELETE FROM audit_event"))
        previous = ""
        for seq, row in enumerate(rows, 1):
            parts = (row["at"], row["actor"], row["action"], row["subject"], row["body"])
            digest = audit._digest(seq, *parts, previous)
            connection.execute(
                text("INSERT INTO audit_event (seq, at, actor, action, subject, body, previous, digest) "
                     "VALUES (:seq, :at, :actor, :action, :subject, :body, :previous, :digest)"),
                row | {"seq": seq, "previous": previous, "digest": digest})
            previous = digest
        connection.execute(text("UPDATE audit_head SET count = :count, digest = :digest"),
                           {"count": len(rows), "digest": previous})


def without_row_five(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:4] + rows[5:]


def test_a_chain_rewritten_as_a_whole_is_found_by_an_anchor_kept_elsewhere(db: Database) -> None:
    with db.reading() as session:
        anchor = head(session)
    assert verified(db, anchor).ok
    rewrite(db, without_row_five)
    assert verified(db).ok, "without the anchor nobody can tell"
    assert verified(db, anchor).problem == "cut"
    with db.session() as session:
        append(session, "audit:log:read", actor="mailweir")
    result = verified(db, anchor)
    assert (result.row, result.problem) == (12, "anchor")


@pytest.mark.parametrize("statement", [
    "UPDATE audit_event SET actor = 'nobody' WHERE seq = 2",
    "DELETE FROM audit_event WHERE seq = 12",
    "DELETE FROM audit_event",
    "DELETE FROM audit_head",
    "UPDATE audit_head SET count = count - 1",
    "UPDATE audit_head SET digest = ''",
])
def test_the_database_refuses_to_change_or_remove_rows(db: Database, statement: str) -> None:
    with pytest.raises(DatabaseError, match="audit"), db.session() as session:
        session.execute(text(statement))
    assert verified(db).ok


@sqlite_only("the test writes into the one file; PostgreSQL has checksums of its own for that")
def test_one_flipped_byte_in_the_file_is_found(db: Database) -> None:
    assert db.path is not None
    db.scrub()
    data = bytearray(db.path.read_bytes())
    position = data.rindex(b'"outcome":"hold"') + 11
    data[position] ^= 0x80
    db.close()
    db.path.write_bytes(data)
    result = verified(db)
    assert result.problem == "changed"
    assert result.row is not None


@pytest.mark.parametrize("pages", [1, 3, 12, 13])
def test_the_chain_is_read_in_pages(db: Database, pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_PAGE", pages)
    assert verified(db).rows == 12


def test_showing_a_broken_row_says_so(db: Database) -> None:
    tamper(db, "UPDATE audit_event SET body = 'no json' WHERE seq = 12")
    with pytest.raises(AuditBroken, match="row 12"), db.reading() as session:
        show(session)


def test_without_its_head_the_chain_takes_no_more_rows(db: Database) -> None:
    tamper(db, "DELETE FROM audit_head")
    with pytest.raises(AuditBroken), db.session() as session:
        append(session, "audit:log:read", actor="anna")


def test_a_row_stands_or_falls_with_the_act(db: Database) -> None:
    def fail_half_way() -> None:
        with db.session() as session:
            append(session, "audit:log:read", actor="anna")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert verified(db).rows == 12


@pytest.mark.parametrize(("subject", "body"), [
    pytest.param("", {"note": "Wanda Imaginary was born in May"}, id="sentence"),
    pytest.param("", {"note": "two words"}, id="blank"),
    pytest.param("", {"note": "a\nb"}, id="line break"),
    pytest.param("", {"note": "x" * 129}, id="too long"),
    pytest.param("", {"kinds": {"Wanda Imaginary": 1}}, id="text as a name of a count"),
    pytest.param("", {"kinds": {"health": "text"}}, id="text as a count"),
    pytest.param("", {"kinds": ["health", "home contact"]}, id="text in a list"),
    pytest.param("", {"score": 0.5}, id="a float is not a count"),
    pytest.param("", {"two words": 1}, id="text as a name"),
    pytest.param("Re: Quote", {}, id="text as subject"),
])
def test_free_text_is_refused_and_not_repeated(db: Database, subject: str, body: dict[str, Any]) -> None:
    with pytest.raises(BadAuditBody) as told, db.session() as session:
        append(session, "audit:log:read", actor="anna", subject=subject, body=body)
    assert "Wanda" not in str(told.value)
    assert verified(db).rows == 12


@pytest.mark.parametrize(("action", "actor"), [
    ("audit:log:burnt", "anna"), ("audit:log:read", ""), ("audit:log:read", "a b"), ("audit:log:read", "a\x00"),
])
def test_unknown_actions_and_nameless_actors_are_refused(db: Database, action: str, actor: str) -> None:
    with pytest.raises(BadAuditBody), db.session() as session:
        append(session, action, actor=actor)


def test_show_gives_the_last_rows_that_fit(db: Database) -> None:
    with db.reading() as session:
        assert [row.seq for row in show(session, last=3)] == [10, 11, 12]
        assert [row.subject for row in show(session, subject="c4")] == ["c4"]
        assert [row.action for row in show(session, action="store:")] == ["store:database:created", "store:key:bound"]
        assert show(session, actor="nobody") == ()
        assert show(session, last=1)[0].body == {"kinds": {"health": 9}, "outcome": "hold", "unread": 0}


def test_every_event_has_a_name_in_three_parts_and_a_sentence() -> None:
    for action, sentence in EVENTS.items():
        assert len(action.split(":")) == 3
        assert len(action) <= 64
        assert sentence.endswith(".")
