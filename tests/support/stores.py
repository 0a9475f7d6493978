"""A real store on a real file for tests, and the steps of the flow in one call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pii_scan.findings import Category, Decision, Finding, Verdict
from store import identity, ledger, quarantine
from store.crypto import Keys
from store.database import Database, open_database
from store.vault import prepare

MASTER = bytes(range(32))
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
    db = open_database(url, pool_size=10, busy_seconds=busy_seconds, create=True)
    try:
        prepare(db, keys)
        yield db, keys
    finally:
        db.close()


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
