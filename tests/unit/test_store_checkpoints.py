"""Signed checkpoints of the audit: what the chain cannot prove about itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from stores import behind_our_back, opened, sqlite_only

from store import audit, checkpoints
from store.checkpoints import Checkpoint, PublicKey, Signer, Verified, checkpoint_if_due, export, make, read
from store.database import Database
from store.errors import AuditBroken, CheckpointsUnreadable, PlaceRefused
from store.merkle import Tree

SIGNER = Signer(bytes(range(32)))
NOW = timedelta(0)
LEAVES = [bytes.fromhex(h) for h in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657",
                                     "606162636465666768696a6b6c6d6e6f")]
ROOTS = ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
         "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
         "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
         "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
         "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
         "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
         "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
         "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"]
"""The test vectors of Certificate Transparency for RFC 6962."""


def rfc_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 defines it."""
    if len(leaves) < 2:
        return sha256(b"\x00" + leaves[0]).digest() if leaves else sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + rfc_root(leaves[:split]) + rfc_root(leaves[split:])).digest()


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """A database with twelve audit rows."""
    with opened(store_url) as (database, _):
        add(database, 10)
        yield database


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The second place."""
    return tmp_path / "elsewhere.jsonl"


def add(db: Database, rows: int) -> None:
    for number in range(rows):
        with db.session() as session:
            audit.append(session, "audit:log:read", actor="anna", subject=f"s{number}")


def looked_at(db: Database, exported: tuple[Checkpoint, ...] = (), *keys: PublicKey) -> Verified:
    with db.snapshot() as session:
        return checkpoints.verify(session, {k.id: k for k in keys or (SIGNER.public,)}, exported)


def troubles(result: Verified) -> list[tuple[int, str]]:
    return [(p.number, p.trouble) for p in result.problems]


def rewrite(db: Database, keep: int) -> None:
    """A whole new chain that fits in itself: other actors, `keep` rows."""
    with behind_our_back(db) as connection:
        rows = connection.execute(text("SELECT * FROM audit_event ORDER BY seq")).mappings().all()[:keep]
        connection.execute(text("DELETE FROM audit_event"))
        previous = ""
        for row in rows:
            new = dict(row) | {"actor": "mallory", "previous": previous}
            previous = new["digest"] = audit._digest(*(new[n] for n in (
                "seq", "at", "actor", "action", "subject", "body", "previous")))
            connection.execute(text("INSERT INTO audit_event (seq, at, actor, action, subject, body, previous, digest) "
                                    "VALUES (:seq, :at, :actor, :action, :subject, :body, :previous, :digest)"), new)
        connection.execute(text("UPDATE audit_head SET count = :c, digest = :d"), {"c": keep, "d": previous})


def test_the_tree_gives_the_roots_of_the_standard() -> None:
    tree = Tree()
    assert tree.root() == rfc_root([])
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        tree.add(leaf)
        assert tree.root().hex() == root


def test_the_tree_can_be_continued_anywhere() -> None:
    leaves = [bytes([n]) * 32 for n in range(70)]
    tree = Tree()
    for count, leaf in enumerate(leaves, 1):
        tree = Tree(tree.count, tree.peaks)
        tree.add(leaf)
        assert tree.root() == rfc_root(leaves[:count])
    with pytest.raises(ValueError, match="peaks"):
        Tree(3, tree.peaks[:1])


def test_one_is_made_when_due_and_kept_in_two_places(db: Database, place: Path) -> None:
    first = checkpoint_if_due(db, SIGNER, place)
    assert first is not None
    assert (first.number, first.count, first.previous) == (1, 12, "")
    assert checkpoint_if_due(db, SIGNER, place, every=NOW) is None, "no row was added"
    add(db, 5)
    assert checkpoint_if_due(db, SIGNER, place) is None, "the hour is not over"
    second = checkpoint_if_due(db, SIGNER, place, every=NOW)
    assert second is not None
    assert (second.number, second.count, second.previous) == (2, 17, first.hash())
    assert read(place) == (first, second)
    result = looked_at(db, read(place))
    assert (result.ok, result.checkpoints, result.vouched, result.signed) == (True, 2, 17, True)


def test_the_root_is_that_of_all_digests(db: Database) -> None:
    add(db, 3)
    make(db, SIGNER)
    add(db, 4)
    made = make(db, SIGNER)
    assert made is not None
    with db.reading() as session:
        digests = session.execute(text("SELECT digest FROM audit_event ORDER BY seq")).scalars().all()
    assert made.root == rfc_root([bytes.fromhex(d) for d in digests]).hex()


def test_a_cut_tail_is_found_even_when_the_head_was_set_back(db: Database, place: Path) -> None:
    checkpoint_if_due(db, SIGNER, place)
    add(db, 5)
    checkpoint_if_due(db, SIGNER, place, every=NOW)
    with behind_our_back(db) as connection:
        connection.execute(text("DELETE FROM audit_event WHERE seq > 14"))
        connection.execute(text("UPDATE audit_head SET count = 14, digest = "
                                "(SELECT digest FROM audit_event WHERE seq = 14)"))
    result = looked_at(db)
    assert result.chain.ok, "the chain alone cannot tell"
    assert (troubles(result), result.vouched) == ([(2, "cut")], 12)
    assert result.problems[0].row == 15
    with pytest.raises(AuditBroken, match="14 rows"):
        make(db, SIGNER)


def test_a_chain_made_anew_is_found(db: Database, place: Path) -> None:
    checkpoint_if_due(db, SIGNER, place)
    add(db, 5)
    rewrite(db, 17)
    result = looked_at(db, read(place))
    assert result.chain.ok
    assert (troubles(result), result.vouched) == ([(1, "rewritten")], 0)
    with pytest.raises(AuditBroken):
        make(db, SIGNER)


def test_a_chain_made_anew_without_its_checkpoints_is_found_by_the_second_place(db: Database, place: Path) -> None:
    checkpoint_if_due(db, SIGNER, place)
    rewrite(db, 12)
    with behind_our_back(db) as connection:
        connection.execute(text("DELETE FROM audit_checkpoint"))
    assert looked_at(db).ok, "nothing in the database can tell"
    assert troubles(looked_at(db, read(place))) == [(1, "not-in-database"), (1, "rewritten")]
    add(db, 1)
    with pytest.raises(AuditBroken, match="second place"):
        checkpoint_if_due(db, SIGNER, place, every=NOW)
    with db.reading() as session:
        assert checkpoints.latest(session) is None, "the new chain is not signed"


@sqlite_only("an older PostgreSQL database comes back by pg_restore; to the program it is the same")
def test_an_older_database_put_in_place_is_found(db: Database, place: Path, tmp_path: Path) -> None:
    checkpoint_if_due(db, SIGNER, place)
    db.scrub()
    assert db.path is not None
    shutil.copy(db.path, tmp_path / "old.db")
    add(db, 5)
    checkpoint_if_due(db, SIGNER, place, every=NOW)
    db.scrub()
    db.close()
    shutil.copy(tmp_path / "old.db", db.path)
    assert looked_at(db).ok, "the old database is whole"
    assert troubles(looked_at(db, read(place))) == [(2, "cut"), (2, "not-in-database")]
    add(db, 20)
    with pytest.raises(AuditBroken, match="second place"):
        checkpoint_if_due(db, SIGNER, place, every=NOW)


def test_what_the_chain_does_not_reach_is_told_apart(db: Database) -> None:
    make(db, SIGNER)
    with behind_our_back(db) as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 5"))
    result = looked_at(db)
    assert (result.chain.row, result.chain.problem) == (5, "changed")
    assert troubles(result) == [(1, "unreached")]


def test_a_broken_chain_is_not_signed(db: Database) -> None:
    make(db, SIGNER)
    add(db, 3)
    with behind_our_back(db) as connection:
        connection.execute(text("UPDATE audit_event SET actor = 'mallory' WHERE seq = 14"))
    with pytest.raises(AuditBroken, match="row 14: changed"):
        make(db, SIGNER)


@pytest.mark.parametrize(("change", "trouble"), [
    pytest.param({"count": 11}, "signature", id="another count"),
    pytest.param({"root": "0" * 64}, "signature", id="another root"),
    pytest.param({"signature": "00" * 64}, "signature", id="no signature"),
    pytest.param({"signature": "no hex"}, "signature", id="not even hex"),
    pytest.param({"key_id": "0" * 16}, "unknown-key", id="another key"),
])
def test_a_forged_checkpoint_is_found(db: Database, change: dict[str, object], trouble: str) -> None:
    made = make(db, SIGNER)
    assert made is not None
    forged = replace(made, **change)  # type: ignore[arg-type]
    assert (1, trouble) in troubles(looked_at(db, (forged,)))
    assert (1, "differs") in troubles(looked_at(db, (forged,)))


def test_another_signer_is_not_believed(db: Database) -> None:
    make(db, Signer(bytes(32)))
    assert troubles(looked_at(db)) == [(1, "unknown-key")]
    assert looked_at(db, (), SIGNER.public, Signer(bytes(32)).public).ok, "two keys, one after the other, are fine"


def test_a_checkpoint_left_out_is_found(db: Database, place: Path) -> None:
    for _ in range(3):
        checkpoint_if_due(db, SIGNER, place, every=NOW)
        add(db, 1)
    first, _, third = read(place)
    assert troubles(looked_at(db, (first, third))) == [(3, "missing")]
    with behind_our_back(db) as connection:
        connection.execute(text("DELETE FROM audit_checkpoint WHERE number = 2"))
    assert (3, "missing") in troubles(looked_at(db))


@pytest.mark.parametrize("statement", [
    "UPDATE audit_checkpoint SET count = 1", "DELETE FROM audit_checkpoint"])
def test_the_database_refuses_to_change_or_remove_them(db: Database, statement: str) -> None:
    make(db, SIGNER)
    with pytest.raises(DatabaseError, match="audit"), db.session() as session:
        session.execute(text(statement))
    assert looked_at(db).ok


def test_a_second_place_that_was_away_is_brought_up_to_date(db: Database, tmp_path: Path) -> None:
    place = tmp_path / "share" / "checkpoints.jsonl"
    with pytest.raises(PlaceRefused):
        checkpoint_if_due(db, SIGNER, place)
    make(db, SIGNER)
    add(db, 1)
    make(db, SIGNER)
    place.parent.mkdir()
    assert export(db, place) == 2
    assert export(db, place) == 0
    assert [one.number for one in read(place)] == [1, 2]


def test_several_workers_make_one(db: Database, place: Path) -> None:
    problems: list[BaseException] = []

    def run() -> None:
        try:
            checkpoint_if_due(db, SIGNER, place)
        except BaseException as exc:  # noqa: BLE001 - shown by the assertion below
            problems.append(exc)

    threads = [Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [one.number for one in read(place)] == [1]
    assert looked_at(db, read(place)).ok


def test_writers_go_on_while_the_chain_is_verified(db: Database) -> None:
    with db.snapshot() as session:
        assert audit.head(session).count == 12
        add(db, 2)
        assert audit.verify(session).rows == 12
    assert looked_at(db).chain.rows == 14


@pytest.mark.parametrize("line", ["", "no json", "[]", "{}", '{"number": 1}'])
def test_a_damaged_file_is_told_by_line(db: Database, place: Path, line: str) -> None:
    checkpoint_if_due(db, SIGNER, place)
    with place.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(CheckpointsUnreadable, match="line 2"):
        read(place)


def test_a_value_of_another_type_is_no_checkpoint(db: Database, place: Path) -> None:
    checkpoint_if_due(db, SIGNER, place)
    place.write_text(json.dumps(json.loads(place.read_text()) | {"count": "12"}) + "\n")
    with pytest.raises(CheckpointsUnreadable, match="line 1"):
        read(place)


def test_a_public_key_is_read_back_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.pub"
    file.write_text(SIGNER.public.text())
    assert PublicKey.read(file).id == SIGNER.public.id
    file.write_text(SIGNER.public.text().replace("id ", "id 0"))
    with pytest.raises(CheckpointsUnreadable):
        PublicKey.read(file)
    with pytest.raises(CheckpointsUnreadable):
        PublicKey.read(tmp_path / "nothing")
    assert SIGNER.public.id in repr(SIGNER)
