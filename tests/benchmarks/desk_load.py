"""Fifty reviewers at once on a queue of 20,000 open cases, on a real service, SQLite and PostgreSQL; and the queue with
more and more closed cases.

    python -m tests.benchmarks.desk_load [--only sqlite|postgres] [--open 20000] [--reviewers 50] [--rounds 4]
                                         [--closed 0 20000 100000]

Each reviewer lists the queue and opens a case of it, again and again, without a pause. Every case has encrypted content
that is decrypted, scanned and masked when it is opened. Clients and service share this machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import httpx
from desk_process import HTML, serving_desk
from postgres import serving as serving_postgres
from sqlalchemy import insert
from stores import POLICY
from world import SETTINGS, World, mail, make_world

from capture import wire
from capture.demo.cast import enter_people
from capture.wiring import build_extractor, opened
from store import people
from store.access import Role
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.desk_tables import DeskCase
from store.tables import Blob, BlobRole, Capture, CaptureState, Case, CaseState, Item, ItemState, new_id

CLOSED = (0, 20_000, 100_000)
"""How many closed cases lie beside the open ones when the queue is timed."""
LOOKS = 30
BANDS = (("critical", -9000), ("high", -4000), ("medium", -1500), ("low", -300))
DIVISIONS = ("north", "south")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    parser.add_argument("--open", type=int, default=20_000)
    parser.add_argument("--reviewers", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--closed", type=int, nargs="+", default=CLOSED, metavar="CASES")
    chosen = parser.parse_args()
    good = True
    for kind in ("sqlite", "postgres"):
        if chosen.only in (None, kind):
            good = measure(kind, chosen) and good
    return 0 if good else 1


def measure(kind: str, chosen: argparse.Namespace) -> bool:
    """Print the figures on one kind of database; True when nothing failed and the queue did not get slower."""
    with ExitStack() as stack:
        world = stack.enter_context(a_world(kind))
        began = time.perf_counter()
        fill(world, chosen.open)
        names = enter_reviewers(world, chosen.reviewers)
        print(f"{kind:9} {chosen.open:,} open cases made in {time.perf_counter() - began:.0f} s", flush=True)
        desk = stack.enter_context(serving_desk(world))
        clients = [stack.enter_context(desk.client(name)) for name in names]
        warm(clients[0])
        before = desk.cpu_seconds()
        good, pages = crowd(kind, clients, chosen.rounds)
        print(f"{kind:9} {(desk.cpu_seconds() - before) / pages * 1000:.0f} ms of a core a page", flush=True)
        taken: list[tuple[float, float]] = []
        for closed, fewer in zip(chosen.closed, (0, *chosen.closed), strict=False):
            fill(world, closed - fewer, closed=True, first=chosen.open + fewer)
            if kind == "postgres":
                with desk.database.engine.connect() as connection:
                    connection.exec_driver_sql("ANALYZE")
            used = desk.cpu_seconds()
            times = [timed(clients[0], "/desk") for _ in range(LOOKS)]
            core = (desk.cpu_seconds() - used) / LOOKS * 1000
            taken.append((min(times), statistics.median(times)))
            print(f"{kind:9} queue, one reviewer, {closed:>7,} closed cases   {figures(times)}   "
                  f"{core:.0f} ms of a core", flush=True)
        grown = min(last / first for last, first in zip(taken[-1], taken[0], strict=True))  # other load does the rest
        print(f"{kind:9} with {chosen.closed[-1]:,} closed cases the queue takes {grown:.2f} x as long as with none",
              flush=True)
        return good and grown < 1.5


@contextmanager
def a_world(kind: str) -> Iterator[World]:
    """A home with the people of the demo."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(stack.enter_context(serving_postgres()).database()) if kind == "postgres" else ""
        world = make_world(folder / "home", SETTINGS + '[sign_in]\nkind = "demo"\n', database=url)
        enter_people(world.settings)
        yield world


def enter_reviewers(world: World, count: int) -> list[str]:
    """Reviewers of both divisions in turn; their names."""
    names = [f"reviewer{n:03d}" for n in range(count)]
    with opened(world.settings) as (database, _), database.session() as session:
        for n, name in enumerate(names):
            row = people.add(session, f"{name}@example.org", actor="demo", divisions=(DIVISIONS[n % 2],))
            grant = people.ask_role(session, row.id, Role.REVIEWER, actor="demo")
            people.approve_role(session, grant.id, actor="demo")
            people.apply_role(session, grant.id, actor="demo-two")
    return names


def fill(world: World, count: int, *, closed: bool = False, first: int = 0) -> None:
    """Cases past the program, as its steps would have written them; open ones with their encrypted content."""
    if count <= 0:
        return
    with opened(world.settings) as (database, keys):
        extractor = build_extractor(world.settings)
        try:
            texts = [] if closed else [wire.to_bytes(extractor.extract(raw)) for raw in mails()]
        finally:
            extractor.close()
        with database.reading() as session:
            taggers = {d: people.by_address(session, f"{name}@example.org")
                       for d, name in zip(DIVISIONS, ("dana.reid", "marcus.lee"), strict=True)}
        ids = {d: row.id for d, row in taggers.items() if row is not None}
        for some in batched(range(first, first + count), 2000):
            write(database, keys, [one_case(n, closed, ids) for n in some], texts)


def mails() -> list[bytes]:
    """Ordinary personal mails, no two alike."""
    return [mail(f"Enrolment {n}", f"Dear colleagues of office {n},\n\n" + "".join(
        f"please register student {n}{k}, born 19{50 + n % 50}-0{1 + k}-1{k}, and send the forms to the office.\n\n"
        for k in range(6)) + "Kind regards\nRose\n", message_id=f"load-{n}@example.com") for n in range(200)]


def one_case(n: int, closed: bool, taggers: dict[str, str]) -> dict[str, Any]:
    """The rows of one case."""
    band, rank = BANDS[n % 4]
    division, opened_at = DIVISIONS[n % 2], now() - timedelta(minutes=n % 40_000)
    item, capture, content = new_id(), new_id(), f"{n:064d}"
    place = {"kind": "date_of_birth", "place": "body", "rule": "date_of_birth", "count": 3, "score": 0.95, "why": []}
    summary = {"verdict": "block", "rule": "finding:date_of_birth", "policy": POLICY, "categories": ["date_of_birth"],
               "findings": [place], "exempt": [], "unread": [], "persons": 3, "minors": 0, "sensitivity": "L4"}
    verdict = {"content_hash": content, "policy": POLICY, "verdict": "block"}
    return {
        "item": {"id": item, "item_key": content, "state": ItemState.DELETED if closed else ItemState.HELD, **verdict},
        "case": {"id": n + 1, "number": f"MW-2026-{n + 1:06d}", "item_id": item, "reason": "personal-information",
                 "summary": summary, "opened": opened_at, "state": CaseState.DELETED if closed else CaseState.HELD,
                 "open_key": None if closed else f"{item}:{content}"[:100], **verdict},
        "desk": {"case_id": n + 1, "tab": "" if closed else "queue", "band": band, "rank": rank - n % 97, "weight": 3.0,
                 "persons": 3, "elements": 3, "kinds": "date_of_birth", "division": division, "parties": True,
                 "tagger": taggers[division], "content_hash": content, "opened": opened_at,
                 "due": opened_at + timedelta(days=5)},
        "capture": {"id": capture, "mailbox": f"{division}@example.org", "source_key": content, "item_id": item,
                    "case_id": n + 1, "state": CaptureState.NOTIFIED, "outcome": "block", "content_hash": content,
                    "summary": summary},
    }


def write(database: Database, keys: Keys, rows: Sequence[dict[str, Any]], texts: Sequence[bytes]) -> None:
    """Insert them; a blob for each when there are texts."""
    blobs: list[dict[str, Any]] = []
    for n, row in enumerate(rows if texts else ()):
        ident, plain = new_id(), texts[n % len(texts)]
        key, wrapped = keys.new_data_key(f"blob/{ident}")
        blobs.append({"id": ident, "capture_id": row["capture"]["id"], "case_id": row["case"]["id"],
                      "role": BlobRole.HELD, "kind": "extraction", "size": len(plain), "key_id": keys.id,
                      "wrapped": wrapped, "content": key.seal(f"blob/{ident}", plain)})
    with database.session() as session:
        for table, name in ((Item, "item"), (Case, "case"), (DeskCase, "desk"), (Capture, "capture")):
            session.execute(insert(table), [row[name] for row in rows])
        for some in batched(blobs, 500):
            session.execute(insert(Blob), some)


def warm(client: httpx.Client) -> None:
    """The language model is loaded."""
    timed(client, "/desk")
    timed(client, f"/desk/case/{client.get('/api/queue').json()['cases'][0]['number']}")


def crowd(kind: str, clients: Sequence[httpx.Client], rounds: int) -> tuple[bool, int]:
    """All reviewers at once; prints p50 and p95. Whether every answer was 200, and how many there were."""
    def review(client: httpx.Client) -> tuple[list[float], list[float], Counter[int]]:
        queues, cases, codes = [], [], Counter[int]()
        listed = client.get("/api/queue", params={"limit": 100})
        if listed.status_code != 200:
            return queues, cases, Counter({listed.status_code: 1})
        mine = [row["number"] for row in listed.json()["cases"]]
        for number in islice(mine[clients.index(client) % 40:], rounds):
            for path, times in (("/desk", queues), (f"/desk/case/{number}", cases)):
                began = time.perf_counter()
                codes[client.get(path, headers=HTML).status_code] += 1
                times.append(time.perf_counter() - began)
        return queues, cases, codes

    began = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        results = list(pool.map(review, clients))
    took = time.perf_counter() - began
    codes = sum((result[2] for result in results), Counter[int]())
    for name, place in (("queue", 0), ("case", 1)):
        print(f"{kind:9} {name:5}, {len(clients)} reviewers at once   "
              f"{figures([t for result in results for t in result[place]])}", flush=True)
    print(f"{kind:9} {codes.total() / took:.1f} pages a second, answers {dict(codes)}", flush=True)
    return set(codes) == {200}, codes.total()


def timed(client: httpx.Client, path: str) -> float:
    """Seconds a page takes."""
    began = time.perf_counter()
    answer = client.get(path, headers=HTML)
    took = time.perf_counter() - began
    assert answer.status_code == 200, (path, answer.status_code)
    return took


def figures(times: Sequence[float]) -> str:
    """p50 and p95 in milliseconds, and how many."""
    ordered = sorted(times)
    late = ordered[int(len(ordered) * 0.95)]
    return f"p50 {statistics.median(ordered) * 1000:7.0f} ms   p95 {late * 1000:7.0f} ms   of {len(ordered)}"


def batched(rows: Sequence[Any] | range, size: int) -> Iterator[Sequence[Any]]:
    """The rows, so many at a time."""
    for start in range(0, len(rows), size):
        yield rows[start:start + size]


if __name__ == "__main__":
    sys.exit(main())
