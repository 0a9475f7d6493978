"""The audit chain: appending, signing and verifying, against the same rows without a chain, on both databases.

    python -m tests.benchmarks.audit_speed [--rows 100000] [--only sqlite|postgres]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import psutil
from postgres import serving
from sqlalchemy import insert, text
from stores import opened

from store import audit, checkpoints
from store.checkpoints import Signer
from store.columns import now
from store.database import Database
from store.tables import AuditEvent

SIGNER = Signer(bytes(range(32)))
BODY: dict[str, audit.Fact] = {"outcome": "hold", "kinds": {"health": 2, "contact": 1}, "unread": 0}
WRITERS = 4
EACH = 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    chosen = parser.parse_args()
    whole = True
    for name in ("sqlite", "postgres"):
        if chosen.only in (None, name):
            with databases(name) as db:
                whole = measure(name, db, chosen.rows) and whole
    return 0 if whole else 1


@contextmanager
def databases(name: str) -> Iterator[Database]:
    """A fresh database of this kind."""
    with ExitStack() as stack:
        if name == "sqlite":
            place: Path | str = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            place = stack.enter_context(stack.enter_context(serving()).database())
        yield stack.enter_context(opened(place))[0]


def measure(name: str, db: Database, rows: int) -> bool:
    """Print the figures of one database; True when everything verified."""
    one = rate(1000, lambda: transactions(db, 1000))
    plain = rate(1000, lambda: plain_transactions(db, 1000))
    print(f"{name:9} append, a transaction each    {one:9,.0f} rows/s   a plain row {plain:9,.0f}   "
          f"ratio {one / plain:.2f}")
    with ThreadPoolExecutor(WRITERS) as pool:
        many = rate(WRITERS * EACH, lambda: list(pool.map(lambda _: transactions(db, EACH), range(WRITERS))))
    print(f"{name:9} append, {WRITERS} writers at once     {many:9,.0f} rows/s   ratio to one writer {many / one:.2f}")
    with db.reading() as session:
        left = rows - audit.head(session).count
    bulk(db, left)
    first = seconds(lambda: checkpoints.make(db, SIGNER))
    transactions(db, 100)
    again = seconds(lambda: checkpoints.make(db, SIGNER))
    print(f"{name:9} first checkpoint              {first:9.2f} s        the next, over 100 rows {again * 1000:.0f} ms")
    before = psutil.Process().memory_info().rss
    took = seconds(lambda: read_all(db))
    with db.snapshot() as session:
        began, cpu = time.perf_counter(), time.process_time()
        result = checkpoints.verify(session, {SIGNER.public.id: SIGNER.public})
        verify, cpu = time.perf_counter() - began, time.process_time() - cpu
    grown = (psutil.Process().memory_info().rss - before) / 1e6
    count = result.chain.rows
    print(f"{name:9} verify {count:,} rows       {count / verify:9,.0f} rows/s ({count / cpu:,.0f} a second of CPU)   "
          f"reading them only {count / took:9,.0f}   ratio {took / verify:.2f}   memory +{grown:.0f} MB   "
          f"{'whole' if result.ok else 'BROKEN'}", flush=True)
    return result.ok


def transactions(db: Database, count: int) -> None:
    """One audit row a transaction, as the flow does."""
    for n in range(count):
        with db.session() as session:
            audit.append(session, "capture:item:decided", actor="mailweir", subject=f"c{n}", body=BODY)


def plain_transactions(db: Database, count: int) -> None:
    """The same words in a row of a table without chain, head or lock."""
    with db.session() as session:
        session.execute(text("CREATE TABLE plain (seq INTEGER, at TEXT, actor TEXT, action TEXT, subject TEXT, "
                             "body TEXT, previous TEXT, digest TEXT)"))
    for n in range(count):
        with db.session() as session:
            session.execute(
                text("INSERT INTO plain VALUES (:n, :at, 'mailweir', 'capture:item:decided', :s, :b, :d, :d)"),
                {"n": n, "at": now().isoformat(), "s": f"c{n}", "b": "{}" * 20, "d": "0" * 64})


def bulk(db: Database, count: int) -> None:
    """Rows with the right digests, put in past the program: to have something to verify."""
    with db.session() as session:
        end = audit.head(session)
        seq, previous, at = end.count, end.digest, now().isoformat(timespec="microseconds")
        while count > 0:
            page = []
            for _ in range(min(count, 5000)):
                seq += 1
                row = {"seq": seq, "at": at, "actor": "mailweir", "action": "capture:item:decided",
                       "subject": f"c{seq}", "body": audit._checked("capture:item:decided", "mailweir", "", BODY),
                       "previous": previous}
                previous = row["digest"] = audit._digest(*row.values())  # type: ignore[arg-type]
                page.append(row)
            session.execute(insert(AuditEvent), page)
            session.execute(text("UPDATE audit_head SET count = :c, digest = :d"), {"c": seq, "d": previous})
            count -= len(page)


def read_all(db: Database) -> None:
    with db.snapshot() as session:
        for _ in audit._rows(session):
            pass


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def rate(count: int, act: Callable[[], object]) -> float:
    return count / seconds(act)


if __name__ == "__main__":
    sys.exit(main())
