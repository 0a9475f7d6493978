"""Many writers at once, on both databases: no deadlock, nothing doubled, the chain verifies.

The store locks in one order: capture, item, case, counter, head of the audit (`store/database.py`).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from postgres import PostgresServer, Server, serving
from sqlalchemy import text
from sqlmodel import select
from stores import BLOCK, PASS, finish, opened, postgres_only, sight

from store import audit, cases, checkpoints, outbox
from store.checkpoints import Signer
from store.database import Database
from store.errors import BadState, DatabaseAway, DatabaseLocked, NotFound
from store.tables import Capture, Case, Item

WRITERS = 5
ITEMS = 10


def patiently(act: Callable[[], None]) -> int:
    """Do it, and again while the database is busy; returns how often it was."""
    for busy in range(100):
        try:
            act()
        except DatabaseLocked:
            time.sleep(0.01)
        else:
            return busy
    raise AssertionError("busy a hundred times")


def test_writers_in_every_order_do_not_block_each_other_for_good(store_url: str) -> None:
    """Five threads track the same ten messages in different orders, while a reviewer decides and notices go out."""
    with opened(store_url) as (db, keys):
        start = Barrier(WRITERS + 2)
        deadlocks: list[str] = []

        def track(writer: int) -> None:
            order = list(range(ITEMS))
            random.Random(writer).shuffle(order)  # noqa: S311 - an order, no secret
            start.wait()
            for n in order:
                capture, ruling = sight(db, keys, f"user{writer}", f"<m{n}@example.com>", BLOCK if n % 3 else PASS,
                                        content=f"content {n}".encode())
                with contextlib.suppress(BadState):  # decided by the reviewer between two steps
                    finish(db, capture, ruling)

        def review() -> None:
            start.wait()
            end = time.monotonic() + 2
            while time.monotonic() < end:
                with db.reading() as session:
                    numbers = [case.number for case in cases.listed(session, limit=3)]
                for number in numbers:
                    try:
                        with db.session() as session:
                            cases.delete(session, number, actor="rev", reason="confirmed")
                    except BadState:
                        pass

        def send() -> None:
            start.wait()
            end = time.monotonic() + 2
            count = 0
            while time.monotonic() < end:
                with db.session() as session:
                    outbox.add(session, key=f"k{count % 20}", recipient="a@example.org", template="held", data={})
                with db.session() as session:
                    taken = outbox.take(session, limit=3)
                for notice in taken:
                    with db.session() as session:
                        outbox.mark_sent(session, notice.id)
                count += 1

        with ThreadPoolExecutor(WRITERS + 2) as pool:
            works = [*(pool.submit(track, n) for n in range(WRITERS)), pool.submit(review), pool.submit(send)]
            for work in works:
                try:
                    work.result(timeout=120)
                except DatabaseLocked as error:
                    deadlocks.append(str(error))
        assert deadlocks == []
        with db.snapshot() as session:
            assert audit.verify(session).ok
        with db.reading() as session:
            assert len(session.scalars(select(Item)).all()) == ITEMS
            assert len(session.scalars(select(Capture)).all()) == ITEMS * WRITERS
            numbers = [case.number for case in session.scalars(select(Case))]
            assert len(numbers) == len(set(numbers))


def test_appending_takes_turns_and_loses_none(store_url: str) -> None:
    with opened(store_url) as (db, _):
        with db.reading() as session:
            before = audit.head(session).count

        def write(writer: int) -> None:
            for n in range(25):
                with db.session() as session:
                    audit.append(session, "audit:log:read", actor=f"w{writer}", subject=str(n))
                    if n % 5 == 0:
                        audit.append(session, "audit:log:read", actor=f"w{writer}", subject="again")

        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(write, range(WRITERS)))
        with db.snapshot() as session:
            assert audit.verify(session).rows == before + WRITERS * 30


@postgres_only("SQLite has one writer at a time, so two cannot wait for each other")
def test_a_deadlock_is_an_error_to_try_again(store_url: str) -> None:
    with opened(store_url) as (db, _):
        with db.session() as session:
            session.add_all([Item(id="a", item_key="a"), Item(id="b", item_key="b")])
        meet = Barrier(2, timeout=30)

        def lock(first: str, second: str) -> str:
            try:
                with db.session() as session:
                    session.execute(text("UPDATE item SET policy = 'x' WHERE id = :id"), {"id": first})
                    meet.wait()
                    session.execute(text("UPDATE item SET policy = 'x' WHERE id = :id"), {"id": second})
            except DatabaseLocked as error:
                return str(error)
            return ""

        with ThreadPoolExecutor(2) as pool:
            told = sorted(pool.map(lock, "ab", "ba"))
        assert told[0] == ""
        assert "40P01" in told[1]


# ------------------------------------------------------------------------------------- a server that goes away

@pytest.fixture
def own_server(pg_server: Server) -> PostgresServer:
    """A server that may be stopped; the shared one, which is running again after the test."""
    if not isinstance(pg_server, PostgresServer):
        pytest.skip("TEST_DATABASE_URL names a server that is not ours to stop")
    return pg_server


@pytest.mark.parametrize("how", ["restart", "crash"])
def test_a_server_that_restarts_is_an_error_to_try_again_and_nothing_is_lost(own_server: PostgresServer,
                                                                             how: str) -> None:
    def bring_down(db: Database) -> None:
        with db.session() as session:
            audit.append(session, "audit:log:read", actor="anna", subject="lost")
            own_server.kill() if how == "crash" else own_server.stop()

    with own_server.database() as url, opened(url) as (db, _):
        try:
            with pytest.raises(DatabaseAway):
                bring_down(db)
            with pytest.raises(DatabaseAway), db.reading() as session:
                audit.head(session)
        finally:
            own_server.start()

        def write() -> None:
            with db.session() as session:
                audit.append(session, "audit:log:read", actor="anna", subject="kept")

        patiently(write)
        with db.snapshot() as session:
            assert audit.verify(session).ok
            assert [row.subject for row in audit.show(session, action="audit:log:read")] == ["kept"]


@postgres_only("SQLite's lock is the process's, and goes with it")
def test_a_process_that_froze_in_a_transaction_is_told(store_url: str) -> None:
    with opened(store_url) as (db, _):
        def freeze() -> None:
            with db.session() as session:
                session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
                audit.lock(session)
                time.sleep(0.5)
                audit.append(session, "audit:log:read", actor="anna")

        with pytest.raises(DatabaseLocked):
            freeze()
        with db.session() as session:
            audit.append(session, "audit:log:read", actor="bert")
        with db.snapshot() as session:
            assert audit.verify(session).ok


# --------------------------------------------------------------------------------------- content on PostgreSQL

def server_holds(server: PostgresServer, word: bytes) -> list[str]:
    """The files of the server in which the bytes occur, once everything was written."""
    server.run("CHECKPOINT")
    return [path.name for path in (server.folder / "data").rglob("*")
            if path.is_file() and word in path.read_bytes()]


def test_held_content_is_nowhere_in_the_files_of_the_server() -> None:
    canary = b"Quillon Zebediah Marchbanks"
    with serving() as server:
        if not isinstance(server, PostgresServer):
            pytest.skip("TEST_DATABASE_URL names a server whose files are not ours to read")
        with server.database() as url, opened(url) as (db, keys):
            capture, ruling = sight(db, keys, "anna", "<m1@example.com>", BLOCK, content=canary * 300)
            assert finish(db, capture, ruling) is not None
            with db.session() as session:
                session.add(Item(item_key="planted-to-see-that-the-search-finds"))
            assert server_holds(server, b"planted-to-see-that-the-search-finds") != []
            assert server_holds(server, canary) == []
            with pytest.raises(NotFound), db.reading() as session:
                cases.get(session, "nothing")


def test_a_checkpoint_after_a_crash_fits(own_server: PostgresServer) -> None:
    signer = Signer(bytes(range(32)))
    with own_server.database() as url, opened(url) as (db, _):
        assert checkpoints.make(db, signer) is not None
        own_server.kill()
        own_server.start()
        with db.session() as session:
            audit.append(session, "audit:log:read", actor="anna")
        assert checkpoints.make(db, signer) is not None
        with db.snapshot() as session:
            assert checkpoints.verify(session, {signer.public.id: signer.public}).ok
