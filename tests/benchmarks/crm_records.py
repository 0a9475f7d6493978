"""The embedded CRM with much in it: an import of 20,000 contacts, and searches over 100,000 contacts and 500,000
activities, on SQLite and PostgreSQL.

    python -m tests.benchmarks.crm_records [--only sqlite|postgres] [--import 20000] [--contacts 100000]
                                           [--activities 500000] [--searches 200]

Prints seconds, duplicates and memory of the import, and p50 and p95 of searches and timelines.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from postgres import serving as serving_postgres
from sqlalchemy import insert
from stores import opened

from store import crm_find
from store.columns import now
from store.crm_access import Who
from store.crm_import import import_csv
from store.crm_tables import Activity, ActivityLink, Contact, Organisation
from store.crm_work_tables import RecordWord
from store.database import Database

ROOT = Who("benchmark")
FIRST = ("Ada", "Bo", "Cleo", "Dov", "Edda", "Finn", "Gita", "Hugo", "Ines", "Jon", "Kaja", "Luc", "Mina", "Nils")
TOPICS = ("course", "quote", "invoice", "rooms", "agenda", "contract", "schedule", "manuals", "forklift", "safety",
          "evaluation", "instructor", "delivery", "seats", "renewal")
REGIONS = ("North Shore", "Interior", "Island", "Valley")
PAGE = 5000


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    parser.add_argument("--import", dest="imported", type=int, default=20_000)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--activities", type=int, default=500_000)
    parser.add_argument("--searches", type=int, default=200)
    chosen = parser.parse_args()
    good = True
    for kind in ("sqlite", "postgres"):
        if chosen.only in (None, kind):
            with ExitStack() as stack:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                place: Path | str = folder if kind == "sqlite" else stack.enter_context(
                    stack.enter_context(serving_postgres(Path(tempfile.gettempdir()))).database())  # gigabytes: on disk
                db, _ = stack.enter_context(opened(place))
                good = imports(kind, db, chosen.imported) and good
                if chosen.searches:
                    fill(kind, db, chosen.contacts, chosen.activities)
                    good = searches(kind, db, chosen.searches) and good
    return 0 if good else 1


def imports(kind: str, db: Database, count: int) -> bool:
    """Import a file in which each tenth contact stands twice; again, nothing may change."""
    text = a_file(count)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    with db.session() as session:
        counts = import_csv(session, text, actor="benchmark")
    seconds = time.perf_counter() - began
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    began = time.perf_counter()
    with db.session() as session:
        again = import_csv(session, text, actor="benchmark")
    print(f"{kind:9} {count:,} contacts in {count + count // 10:,} lines ({len(text) / 1e6:.1f} MB): {seconds:.1f} s, "
          f"{counts['contacts new']:,} new, {counts['unchanged']:,} duplicates, {counts['shared addresses']:,} shared "
          f"addresses, +{grown:.0f} MB; again {time.perf_counter() - began:.1f} s, "
          f"{again['contacts new'] + again['contacts changed']} changed", flush=True)
    return counts["contacts new"] == count and counts["unchanged"] == count // 10 and not again["contacts new"]


def a_file(count: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("organisation", "organisation_domain", "first_name", "last_name", "email", "phone", "title",
                     "region", "category"))
    for n in [*range(count), *range(0, count, 10)]:
        office = n % max(1, count // 20)
        address = f"info@office{office}.example.com" if n % 100 == 0 else f"p{n}@office{office}.example.com"
        writer.writerow((f"Office {office}", f"office{office}.example.com", FIRST[n % len(FIRST)], f"Invented{n}",
                         address, "250-555-0100", "Manager", REGIONS[n % len(REGIONS)], "customer"))
    return out.getvalue()


def fill(kind: str, db: Database, contacts: int, activities: int) -> None:
    """Rows as the program would have written them, past it."""
    chance = random.Random(7)  # noqa: S311 - invented text
    began = time.perf_counter()
    with db.session() as session:
        session.execute(insert(Organisation), [
            {"id": f"bo{n}", "name": f"Bench {n}", "name_key": f"bench {n}"} for n in range(max(1, contacts // 100))])
    for page in pages(contacts):
        rows = [{"id": f"bc{n}", "first_name": chance.choice(FIRST), "last_name": f"Person{n}", "title": "Manager",
                 "email": f"b{n}@bench.example", "email_key": f"b{n}@bench.example",
                 "division": ("north", "south")[n % 2], "region": REGIONS[n % 4],
                 "organisation_id": f"bo{n % max(1, contacts // 100)}"} for n in page]
        words = [{"word": word, "kind": "contact", "record_id": row["id"]} for row in rows
                 for word in crm_find.words_of(row["first_name"], row["last_name"], row["title"], row["region"])]
        write(db, (Contact, rows), (RecordWord, words))
    for page in pages(activities):
        moment = now()
        rows = [{"id": f"ba{n}", "item_key": f"ba{n}", "subject": f"{chance.choice(TOPICS)} {chance.choice(TOPICS)} "
                 f"{chance.choice(TOPICS)} number{n % 50_000}", "sent": moment - timedelta(minutes=n),
                 "matched": "contact", "division": ("north", "south")[n % 2]} for n in page]
        links = [{"activity_id": row["id"], "record": "contact", "record_id": f"bc{chance.randrange(contacts)}",
                  "how": "address", "role": "party"} for row in rows]
        words = [{"word": word, "kind": "activity", "record_id": row["id"]}
                 for row in rows for word in crm_find.words_of(str(row["subject"]))]
        write(db, (Activity, rows), (ActivityLink, links), (RecordWord, words))
    with db.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    print(f"{kind:9} {contacts:,} contacts and {activities:,} activities laid in {time.perf_counter() - began:.0f} s",
          flush=True)


def pages(count: int) -> Iterator[range]:
    for start in range(0, count, PAGE):
        yield range(start, min(start + PAGE, count))


def write(db: Database, *tables: tuple[Any, Sequence[dict[str, Any]]]) -> None:
    """Lay rows in; on PostgreSQL by COPY, which takes millions in a minute where single inserts take an hour."""
    with db.session() as session:
        for table, rows in tables:
            if db.is_sqlite:
                session.execute(insert(table), list(rows))
                continue
            columns = table.__table__.columns
            names = ", ".join(f'"{column.name}"' for column in columns)
            raw = session.connection().connection.cursor()
            with raw.copy(f'COPY "{table.__tablename__}" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row([_bound(db, column, row) for column in columns])


def _bound(db: Database, column: Any, row: dict[str, Any]) -> Any:
    """A value of a row, or the column's default, as the driver takes it."""
    value = row.get(column.name)
    if column.name not in row and column.default is not None:
        value = column.default.arg(None) if column.default.is_callable else column.default.arg
    process = column.type.dialect_impl(db.engine.dialect).bind_processor(db.engine.dialect)
    return process(value) if process is not None and value is not None else value


def searches(kind: str, db: Database, count: int) -> bool:
    """Common and rare words, several words, a region; timelines."""
    chance = random.Random(11)  # noqa: S311 - invented text
    asked: dict[str, Callable[[], dict[str, Any]]] = {
        "a rare word": lambda: {"text": f"person{chance.randrange(50_000)}"},
        "a word of half the subjects": lambda: {"text": chance.choice(TOPICS)},
        "three words": lambda: {"text": f"{chance.choice(FIRST)} {chance.choice(REGIONS)} manager"},
        "a beginning": lambda: {"text": chance.choice(FIRST)[:2], "kinds": ("contact",)},
        "words no record has together": lambda: {"text": f"forklift person{chance.randrange(50_000)}"},
        "a region": lambda: {"text": "", "region": chance.choice(REGIONS)}}
    worst = 0.0
    for name, make in asked.items():
        times = []
        for _ in range(count // len(asked)):
            began = time.perf_counter()
            with db.session() as session:
                crm_find.search(session, ROOT, **make())
            times.append(time.perf_counter() - began)
        worst = max(worst, show(kind, f"search, {name}", times))
    times = []
    for _ in range(count // len(asked)):
        began = time.perf_counter()
        with db.reading() as session:
            crm_find.timeline(session, ROOT, "contact", f"bc{chance.randrange(1000)}")
        times.append(time.perf_counter() - began)
    worst = max(worst, show(kind, "timeline of a contact", times))
    return worst < 1.0


def show(kind: str, what: str, times: Sequence[float]) -> float:
    """Print p50 and p95 in milliseconds; returns p95 in seconds."""
    slow = sorted(times)[int(len(times) * 0.95)]
    print(f"{kind:9} {what:32} p50 {statistics.median(times) * 1000:6.1f} ms   p95 {slow * 1000:6.1f} ms", flush=True)
    return slow


if __name__ == "__main__":
    sys.exit(main())
