"""Leases: one holder at a time, taken over when they run out, freed with a dead worker."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from stores import opened

from store import leases
from store.crypto import Keys
from store.database import Database

Store = tuple[Database, Keys]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with opened(store_url) as found:
        yield found


def test_a_lease_has_one_holder_who_may_keep_it(store: Store) -> None:
    db, _ = store
    with db.session() as session:
        assert leases.hold(session, "watch", "one", 60)
    with db.session() as session:
        assert not leases.hold(session, "watch", "two", 60)
        assert leases.hold(session, "watch", "one", 60)
        assert leases.hold(session, "other", "two", 60)
        assert leases.holder(session, "watch") == "one"


def test_a_lease_that_ran_out_or_was_let_go_is_free(store: Store) -> None:
    db, _ = store
    with db.session() as session:
        assert leases.hold(session, "watch", "one", 0.2)
    time.sleep(0.4)
    with db.session() as session:
        assert leases.holder(session, "watch") == ""
        assert leases.hold(session, "watch", "two", 60)
    with db.session() as session:
        leases.release(session, "watch", "one")
        assert leases.holder(session, "watch") == "two"
        leases.release(session, "watch", "two")
        assert leases.hold(session, "watch", "one", 60)


def test_of_many_who_ask_at_once_one_gets_it(store: Store) -> None:
    db, _ = store
    got: list[str] = []
    together = threading.Barrier(6)

    def ask(name: str) -> None:
        together.wait()
        with db.session() as session:
            if leases.hold(session, "watch", name, 60):
                got.append(name)

    threads = [threading.Thread(target=ask, args=[f"w{n}"]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def test_a_worker_is_expired_when_it_was_not_heard_of_and_learns_that_it_was_cleared_away(store: Store) -> None:
    db, _ = store
    with db.session() as session:
        for name in ("one", "two"):
            leases.join(session, name, boot="b", version="1")
        assert leases.hold(session, "watch", "one", 60)
    time.sleep(0.3)
    with db.session() as session:
        assert leases.beat(session, "two")
    with db.session() as session:
        assert [worker.id for worker in leases.expired(session, 0.2)] == ["one"]
        assert [worker.id for worker in leases.expired(session, 60, gone={"two"})] == ["two"]
        leases.leave(session, "one")
    with db.session() as session:
        assert not leases.beat(session, "one")
        assert leases.holder(session, "watch") == ""
        assert [worker.id for worker in leases.workers(session)] == ["two"]
