"""What the database says about itself in numbers, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from stores import BLOCK, PASS, finish, opened, sight

from store import leases, tries
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.figures import figures_of
from store.lease_tables import ExecutorLease
from store.rescan_tables import RescanChunk, RescanRun, RunState
from store.tables import Capture, Case
from store.watch_tables import WatchedMailbox


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Keys]]:
    place = tmp_path if request.param == "sqlite" else request.getfixturevalue("pg_url")
    with opened(place) as both:
        yield both


def test_an_empty_database_has_every_number(store: tuple[Database, Keys]) -> None:
    with store[0].reading() as s:
        found = figures_of(s)
    assert (found.backlog, found.oldest_seconds, found.oldest_notice_seconds) == (0, 0.0, 0.0)
    assert set(found.open_cases) == {"under_4h", "under_1d", "under_3d", "under_5d", "over_5d"}
    for numbers in (found.captures, found.cases, found.notices, found.leases, found.jobs, found.mailboxes,
                    found.rescans, found.rescan_chunks):
        assert numbers
        assert set(numbers.values()) == {0}


def test_everything_is_counted_where_it_belongs(store: tuple[Database, Keys]) -> None:
    db, keys = store
    finish(db, *sight(db, keys, "a", "<1@x>", PASS))
    for number in range(3):
        finish(db, *sight(db, keys, "a", f"<b{number}@x>", BLOCK, content=b"%d" % number))
    waiting, _ = sight(db, keys, "a", "<w@x>", PASS)
    cancelled, _ = sight(db, keys, "a", "<c@x>", PASS)
    with db.session() as s:
        s.execute(update(Capture).where(Capture.id == cancelled).values(state="cancelled", outcome="cancel"))  # type: ignore[arg-type]
        for days, number in ((2, 1), (9, 2)):
            s.execute(update(Case).where(Case.id == number).values(opened=now() - timedelta(days=days)))  # type: ignore[arg-type]
        leases.join(s, "alive")
        leases.join(s, "lost")
        s.execute(update(ExecutorLease).where(ExecutorLease.id == "lost").values(ts=now() - timedelta(hours=1)))  # type: ignore[arg-type]
        tries.park(s, waiting, "capture", "try-later")
        tries.failed(s, "other", "capture", "try-later")
        s.add_all([WatchedMailbox(mailbox="a"), WatchedMailbox(mailbox="b", parked=now()),
                   WatchedMailbox(mailbox="c", removed=now())])
        s.add_all([RescanRun(id="RS-1", actor="x"), RescanRun(id="RS-2", actor="x", state=RunState.DONE)])
        s.flush()
        s.add_all([RescanChunk(run_id="RS-1", number=n, done=n < 2) for n in range(5)])
        s.add(RescanChunk(run_id="RS-2", number=0, done=True))
    with db.reading() as s:
        found = figures_of(s, now() + timedelta(minutes=1), lease_seconds=120)
    assert found.captures["notified", "link"] == 1
    assert found.captures["notified", "hold"] == 3
    assert found.captures["cancelled", "cancel"] == 1
    assert (found.backlog, found.cases["held"]) == (1, 3)
    assert 59 < found.oldest_seconds < 120
    assert dict(found.open_cases) == {"under_4h": 1, "under_1d": 0, "under_3d": 1, "under_5d": 0, "over_5d": 1}
    assert found.leases == {"alive": 1, "lost": 1}
    assert found.jobs == {"parked": 1, "retried": 1}
    assert found.mailboxes == {"watched": 1, "parked": 1}
    assert found.rescans == {"running": 1, "paused": 0, "done": 1}
    assert found.rescan_chunks == {"done": 2, "waiting": 3}
    assert found.audit_rows > 15


def test_only_parked_captures_count_as_work_nobody_waits_for(store: tuple[Database, Keys]) -> None:
    """A parked rescan beside a waiting capture must not end `capture run --once` before the capture is done."""
    db, keys = store
    waiting, _ = sight(db, keys, "a", "<w@x>", PASS)
    with db.session() as s:
        tries.park(s, "rescan-RS-1-0", "rescan_chunk", "internal")
        assert (tries.unfinished(s), tries.parked_captures(s)) == (1, 0)
        tries.park(s, f"capture-{waiting}", "capture", "internal")
        tries.park(s, f"aside-{waiting}", "aside", "internal")
        assert (tries.unfinished(s), tries.parked_captures(s)) == (1, 1)
