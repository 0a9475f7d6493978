"""A real store on a real file for tests, and the steps of the flow in one call."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from pii_scan.findings import Category, Decision, Finding, Verdict
from store import identity, ledger, quarantine
from store.crypto import Keys
from store.database import Database, open_database, upgrade
from store.vault import prepare

MASTER = bytes(range(32))


def sqlite_only(reason: str) -> pytest.MarkDecorator:
    """A test on the fixture `store_url` that is SQLite's own matter; the reason is for the reader."""
    assert reason
    return pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def postgres_only(reason: str) -> pytest.MarkDecorator:
    """A test on the fixture `store_url` that is PostgreSQL's own matter; the reason is for the reader."""
    assert reason
    return pytest.mark.parametrize("store_url", ["postgres"], indirect=True)


POLICY = "bc_foippa@test"


def finding(category: Category = Category.GOVERNMENT_ID, place: str = "body", *, count: int = 1,
            exempt: str = "") -> Finding:
    """One finding of the rule "test"."""
    return Finding(category, "test", place, 0, 0, 3, 14, 0.9, count, exempt=exempt)


PASS = Decision(Verdict.PASS, "nothing-found", POLICY)
BLOCK = Decision(Verdict.BLOCK, "any-finding", POLICY, (finding(),))


@contextmanager
def opened(place: Path | str, master: bytes = MASTER, busy_seconds: float = 30) -> Iterator[tuple[Database, Keys]]:
    """A prepared database with the keys of `master`: a SQLite file in this folder, or the database at this URL."""
    keys = Keys(master)
    url = place if isinstance(place, str) else f"sqlite:///{place / 'mailweir.db'}"
    _copy_template(url)
    db = open_database(url, pool_size=10, busy_seconds=busy_seconds, create=True)
    try:
        prepare(db, keys)
        yield db, keys
    finally:
        db.close()


@lru_cache(maxsize=1)
def _template() -> bytes:
    """A SQLite file with our schema, made once: migrating it anew for every test takes longer than the test."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        db = open_database(f"sqlite:///{path}", pool_size=1, create=True)
        upgrade(db)
        db.close()  # the last connection moves the log into the file
        return path.read_bytes()


def _copy_template(url: str) -> None:
    """Put the template where a new SQLite file is wanted; two processes may do so at once."""
    name = make_url(url).database or ""
    if not url.startswith("sqlite") or Path(name).exists():
        return
    with tempfile.NamedTemporaryFile(dir=Path(name).parent) as copy:
        copy.write(_template())
        copy.flush()
        with contextlib.suppress(FileExistsError):
            os.link(copy.name, name)  # whole or not at all


@contextmanager
def behind_our_back(db: Database) -> Iterator[Connection]:
    """A transaction in which no trigger fires, as for somebody who owns the file or the server."""
    with db.engine.begin() as connection:
        if db.is_sqlite:
            found = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars()
            for name in found.all():
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        yield connection


def sight(db: Database, keys: Keys, mailbox: str, message_id: str, decision: Decision, *,
          content: bytes = b"content", source: str = "") -> tuple[str, ledger.Ruling]:
    """Register, stage, scan and decide one sighting; returns the capture's id and the ruling."""
    item_key = identity.message_key(keys, message_id)
    with db.session() as session:
        capture = ledger.register(session, mailbox, identity.source_key(keys, mailbox, source or message_id), item_key)
        ledger.begin(session, capture.id)
    with db.session() as session:
        quarantine.stage(session, keys, capture.id, "mail", content)
        ledger.scanned(session, capture.id, item_key=item_key, content_hash=identity.content_hash(keys, content),
                       decision=decision)
    with db.session() as session:
        return capture.id, ledger.decide(session, capture.id)


def finish(db: Database, capture_id: str, ruling: ledger.Ruling) -> ledger.Held | None:
    """Link or hold, mark and finish."""
    with db.session() as session:
        held = None if ruling.link else ledger.hold(session, capture_id)
        if ruling.link:
            ledger.linked(session, capture_id, activity="a1", matched="contact", records=1)
    with db.session() as session:
        ledger.marked(session, capture_id)
        ledger.finished(session, capture_id)
    return held
