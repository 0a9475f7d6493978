"""Held content: encrypted, bound to its row, readable with the right key only, gone when destroyed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select
from stores import BLOCK, MASTER, PASS, behind_our_back, finish, opened, sight, sqlite_only

from store import audit, cases, ledger, quarantine
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, ContentDestroyed, ContentUnreadable, KeyWrong, NotFound
from store.tables import Blob, BlobRole

CANARIES = ("130 692 544", "Quillon Zebediah Marchbanks", "1987-04-23")
CONTENT = "\n".join(CANARIES).encode() * 300

Store = tuple[Database, Keys]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A prepared store on a file."""
    with opened(store_url) as opened_store:
        yield opened_store


def held(store: Store, mailbox: str = "anna", message: str = "<m1@example.com>",
         content: bytes = CONTENT) -> tuple[str, str]:
    """A held item; returns the capture's id and the case number."""
    capture_id, ruling = sight(*store, mailbox, message, BLOCK, content=content)
    case = finish(store[0], capture_id, ruling)
    assert case is not None
    return capture_id, case.number


def files_hold(folder: Path, word: bytes) -> list[str]:
    """The files of the database in which the bytes occur."""
    return [path.name for path in folder.iterdir() if word in path.read_bytes()]


def test_content_comes_back_as_it_was(store: Store) -> None:
    db, keys = store
    capture_id, number = held(store)
    with db.session() as session:
        case = cases.get(session, number)
        assert quarantine.read_kind(session, keys, capture_id, "mail") == CONTENT
        assert quarantine.reveal(session, keys, case, "mail", actor="rev", reason="decide") == CONTENT
        (blob,) = quarantine.blobs(session, case_id=case.id)
    assert (blob.role, blob.size, blob.kind) == (BlobRole.HELD, len(CONTENT), "mail")


@sqlite_only("looks into the write-ahead log; for PostgreSQL see test_store_postgres.py")
def test_held_content_is_nowhere_in_the_files(store: Store, tmp_path: Path) -> None:
    db, keys = store
    held(store)
    sight(db, keys, "anna", "<m2@example.com>", BLOCK, content=CONTENT)
    assert (tmp_path / "mailweir.db-wal").stat().st_size > len(CONTENT)
    for canary in (*CANARIES, "m1@example.com"):
        assert files_hold(tmp_path, canary.encode()) == []
    db.scrub()
    for canary in CANARIES:
        assert files_hold(tmp_path, canary.encode()) == []


def test_a_swapped_row_does_not_open(store: Store) -> None:
    db, keys = store
    first, _ = held(store)
    second, _ = held(store, message="<m2@example.com>", content=b"other content")
    with behind_our_back(db) as connection:
        rows = connection.execute(text("SELECT id, wrapped, content FROM blob ORDER BY size")).all()
        for (ident, _, _), (_, wrapped, content) in zip(rows, reversed(rows), strict=True):
            connection.execute(text("UPDATE blob SET wrapped = :wrapped, content = :content WHERE id = :id"),
                               {"wrapped": wrapped, "content": content, "id": ident})
    for capture_id in (first, second):
        with pytest.raises(ContentUnreadable), db.reading() as session:
            quarantine.read_kind(session, keys, capture_id, "mail")


def test_a_changed_byte_is_found(store: Store) -> None:
    db, keys = store
    capture_id, _ = held(store)
    with db.session() as session:
        blob = session.scalars(select(Blob)).one()
        assert blob.content is not None
        blob.content = blob.content[:-1] + bytes([blob.content[-1] ^ 1])
    with pytest.raises(ContentUnreadable), db.reading() as session:
        quarantine.read_kind(session, keys, capture_id, "mail")


def test_another_master_key_reads_nothing(store: Store) -> None:
    db, _ = store
    capture_id, _ = held(store)
    with pytest.raises(KeyWrong, match=Keys(MASTER).id), db.reading() as session:
        quarantine.read_kind(session, Keys(bytes(32)), capture_id, "mail")


def test_two_blobs_of_the_same_content_look_different(store: Store) -> None:
    held(store)
    held(store, message="<m2@example.com>")
    with store[0].reading() as session:
        first, second = session.scalars(select(Blob)).all()
    assert first.content != second.content
    assert first.wrapped != second.wrapped


def test_confirming_destroys_the_keys_and_leaves_a_tombstone(store: Store, tmp_path: Path) -> None:
    db, keys = store
    capture_id, number = held(store)
    with db.reading() as session:
        blob = session.scalars(select(Blob)).one()
        sealed, wrapped = blob.content, blob.wrapped
    assert sealed is not None
    assert wrapped is not None
    with db.session() as session:
        assert cases.delete(session, number, actor="rev", reason="confirmed") == 1
    db.scrub()
    assert files_hold(tmp_path, wrapped) == []
    assert files_hold(tmp_path, sealed[:200]) == []
    with db.session() as session:
        tomb = session.scalars(select(Blob)).one()
        assert (tomb.role, tomb.wrapped, tomb.content) == (BlobRole.DESTROYED, None, None)
        assert tomb.destroyed is not None
        assert quarantine.read_kind(session, keys, capture_id, "mail") is None
        assert audit.verify(session).ok
    with pytest.raises(ContentDestroyed), db.reading() as session:
        quarantine.read(session, keys, tomb.id)
    with pytest.raises(ContentDestroyed), db.session() as session:
        quarantine.reveal(session, keys, cases.get(session, number), "mail", actor="rev", reason="look")


def test_destroying_twice_changes_nothing(store: Store) -> None:
    db, _ = store
    capture_id, _ = held(store)
    with db.session() as session:
        assert quarantine.destroy_all(session, capture_id=capture_id) == 1
        first = session.scalars(select(Blob)).one().destroyed
        (blob,) = quarantine.blobs(session, capture_id=capture_id, destroyed=True)
        quarantine.destroy(session, blob.id)
        assert quarantine.destroy_all(session, capture_id=capture_id) == 0
        assert session.scalars(select(Blob)).one().destroyed == first


def test_destroying_needs_a_target(store: Store) -> None:
    with pytest.raises(ValueError, match="capture or a case"), store[0].session() as session:
        quarantine.destroy_all(session)


def test_linking_destroys_what_was_staged(store: Store, tmp_path: Path) -> None:
    db, keys = store
    capture_id, ruling = sight(db, keys, "anna", "<m1@example.com>", PASS, content=CONTENT)
    with db.reading() as session:
        assert quarantine.read_kind(session, keys, capture_id, "mail") == CONTENT
    finish(db, capture_id, ruling)
    with db.reading() as session:
        assert quarantine.read_kind(session, keys, capture_id, "mail") is None
    assert files_hold(tmp_path, CANARIES[0].encode()) == []


def test_a_repeated_step_leaves_one_staged_blob(store: Store) -> None:
    db, keys = store
    capture_id, _ = sight(db, keys, "anna", "<m1@example.com>", BLOCK, content=b"first")
    with db.session() as session:
        quarantine.stage(session, keys, capture_id, "mail", b"second")
        quarantine.stage(session, keys, capture_id, "extraction", b"third")
    with db.reading() as session:
        assert [b.kind for b in quarantine.blobs(session, capture_id=capture_id)] == ["mail", "extraction"]
        assert quarantine.read_kind(session, keys, capture_id, "mail") == b"second"


def test_whoever_joins_a_case_brings_no_second_copy(store: Store) -> None:
    db, keys = store
    held(store)
    second, number = held(store, mailbox="bert")
    with db.reading() as session:
        case = cases.get(session, number)
        assert len(quarantine.blobs(session, case_id=case.id)) == 1
        assert quarantine.blobs(session, capture_id=second) == ()
        assert quarantine.read_kind(session, keys, second, "mail") == CONTENT


def test_a_case_held_before_reading_gets_its_content_from_the_next_tracker(store: Store) -> None:
    db, keys = store
    with db.session() as session:
        first = ledger.register(session, "anna", "s" * 64)
        number = ledger.hold(session, first.id, reason="fetch-failed").number
        case = cases.get(session, number)
        assert quarantine.blobs(session, case_id=case.id) == ()
        ledger.marked(session, first.id)
    with db.session() as session:
        again = ledger.register(session, "anna", "s" * 64)
        quarantine.stage(session, keys, again.id, "mail", CONTENT)
        assert ledger.hold(session, again.id, reason="crashed").number == number
        assert len(quarantine.blobs(session, case_id=case.id)) == 1


def test_every_look_at_content_is_in_the_audit(store: Store) -> None:
    db, keys = store
    _, number = held(store)
    with db.session() as session:
        quarantine.reveal(session, keys, cases.get(session, number), "mail", actor="rev@example.com", reason="decide")
        (row,) = audit.show(session, action="quarantine:content:read")
    assert (row.actor, row.subject, row.body) == ("rev@example.com", number, {"kind": "mail", "reason": "decide"})


def test_unknown_blobs_and_cases_are_not_found(store: Store) -> None:
    with store[0].reading() as session:
        with pytest.raises(NotFound):
            quarantine.read(session, store[1], "nothing")
        with pytest.raises(NotFound):
            cases.get(session, "MW-2026-999999")


def test_a_decided_case_cannot_be_decided_again(store: Store) -> None:
    db, _ = store
    _, number = held(store)
    with db.session() as session:
        cases.delete(session, number, actor="rev", reason="confirmed")
    for decide in (cases.delete, cases.release):
        with pytest.raises(BadState, match="deleted"), db.session() as session:
            decide(session, number, actor="other", reason="late")
