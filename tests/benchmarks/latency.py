"""How long from a tag to the verdict, when nothing else is to do, and what waiting costs.

    python -m tests.benchmarks.latency [--items 40] [--database sqlite postgres]

A real worker process; each item comes alone, after a pause. "queued": from the commit that queues the item, which is
what the pane does, to the commit of the ruling. "folder": from the file's arrival in the watched folder. Prints p50,
p95, p99 and the CPU of worker (and database server) with nothing to do, in % of one core.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import psutil
import sqlalchemy as sa
from documents import paragraph, word
from postgres import PostgresServer, serving
from world import World, mail, make_world

from capture.engine import CAPTURE, LIVE, workflow_id
from capture.jobs import client
from capture.watch import Watch
from capture.wiring import assembled
from store.database import open_database

ROOT = Path(__file__).parent.parent.parent
WORDS = ["course", "quote", "seat", "room", "invoice", "agenda", "training", "catering", "projector", "parking",
         "schedule", "budget", "supplier", "venue", "delivery", "contract", "version", "answer", "meeting"]
SETTINGS = """\
[store]
database = "{url}"
[mailbox]
domain = "example.org"
poll_seconds = 0.5
[scan]
own_domains = ["example.org"]
"""


def small(n: int) -> bytes:
    """A mail of about 2 kB."""
    return mail(f"Small {n}", prose(n, 1500), message_id=f"s{n}@client.example.com")


def large(n: int) -> bytes:
    """A mail with a document whose file has about 100 kB."""
    chance = random.Random(n)  # noqa: S311 - filler
    filler = chance.randbytes(88_000)
    document = word("".join(paragraph(prose(n + i, 400)) for i in range(40)), **{"docProps/thumbnail.jpeg": filler})
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    return mail(f"Large {n}", prose(n, 300), message_id=f"l{n}@client.example.com",
                attachments=(("offer.docx", kind, document),))


def prose(seed: int, size: int) -> str:
    """Business prose without anything personal."""
    chance = random.Random(seed)  # noqa: S311 - filler
    words: list[str] = []
    while sum(map(len, words)) + len(words) < size:
        words.append(chance.choice(WORDS))
    return " ".join(words) + ".\n"


class Bench:
    """One database, one worker."""

    def __init__(self, home: Path, url: str) -> None:
        self.world: World = make_world(home, SETTINGS.format(url=url))
        self.database = sa.create_engine(self.world.settings.database_url)

    @contextlib.contextmanager
    def worker(self, *options: str):  # type: ignore[no-untyped-def]
        with (self.world.home / "run.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "work", "--home", str(self.world.home), *options], cwd=ROOT,
                stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
        try:
            while self.scalar("SELECT count(*) FROM executor_lease") == 0:
                time.sleep(0.2)
            yield process
        finally:
            process.terminate()
            process.wait(60)

    def scalar(self, query: str) -> int:
        with self.database.connect() as connection:
            return int(connection.execute(sa.text(query)).scalar() or 0)

    def ruled(self) -> int:
        return self.scalar("SELECT count(*) FROM capture WHERE outcome <> ''")

    def wait_for(self, number: int) -> None:
        end = time.monotonic() + 120
        while self.ruled() < number:
            assert time.monotonic() < end, "no verdict in two minutes"
            time.sleep(0.005)

    def queued(self, items: list[bytes], name: str) -> list[float]:
        """From the commit that queues to the commit of the ruling; nobody watches."""
        times = []
        with self.worker("--no-watch"), assembled(self.world.settings) as tools, \
                client(tools.database, tools.keys) as jobs:
            watch = Watch(tools, lambda session, capture: jobs.enqueue(
                session, CAPTURE, LIVE, workflow_id(capture), [capture, 0]))
            for n, raw in enumerate(items):
                self.world.put("dana.reid", f"{name}{n}", raw)
                before = self.ruled()
                end = time.monotonic() + 60
                while not watch.look(everywhere=True):  # a file just written may still be growing, to the mailbox
                    assert time.monotonic() < end, "the item was not brought"
                    time.sleep(0.1)
                began = time.perf_counter()
                self.wait_for(before + 1)
                times.append(time.perf_counter() - began)
                time.sleep(random.uniform(0.3, 0.6))  # noqa: S311 - so that no poll is met on purpose
            watch.close()
        return times[2:]  # the first loads the language model

    def arrived(self, items: list[bytes], name: str) -> list[float]:
        """From the file's arrival to the commit of the ruling."""
        times = []
        with self.worker():
            for n, raw in enumerate(items):
                before = self.ruled()
                began = time.perf_counter()
                self.world.put("dana.reid", f"{name}{n}", raw)
                self.wait_for(before + 1)
                times.append(time.perf_counter() - began)
                time.sleep(random.uniform(0.8, 1.6))  # noqa: S311 - as above
        return times[2:]

    def idle(self, seconds: float, server: PostgresServer | None) -> tuple[float, float]:
        """CPU of a watching worker with nothing to do, and of the database server, in % of one core."""
        with self.worker() as process:
            time.sleep(10)
            watched = [psutil.Process(process.pid)]
            before, base = cpu(watched), cpu(of_server(server))
            time.sleep(seconds)
            return (100 * (cpu(watched) - before) / seconds, 100 * (cpu(of_server(server)) - base) / seconds)


def of_server(server: PostgresServer | None) -> list[psutil.Process]:
    """The processes of our PostgreSQL, found by its folder."""
    if server is None:
        return []
    return [process for process in psutil.process_iter() if process.name() == "postgres"
            and any(str(server.folder) in word for word in parents(process))]


def parents(process: psutil.Process) -> list[str]:
    """The command lines of a process and of its parent."""
    with contextlib.suppress(psutil.Error):
        parent = process.parent()
        return [*process.cmdline(), *(parent.cmdline() if parent else [])]
    return []


def cpu(processes: list[psutil.Process]) -> float:
    """Seconds of CPU used so far, with ended children."""
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += sum(process.cpu_times()[:4])
    return total


def figures(times: list[float]) -> str:
    ordered = sorted(times)
    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000
    return f"p50 {at(0.5):5.0f} ms  p95 {at(0.95):5.0f} ms  p99 {at(0.99):5.0f} ms  ({len(times)} items)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=40)
    parser.add_argument("--database", nargs="+", choices=["sqlite", "postgres"], default=["sqlite", "postgres"])
    parser.add_argument("--idle", type=float, default=20.0, help="seconds of measured idleness")
    chosen = parser.parse_args()
    print(f"load average at the start {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores; "
          f"sizes {len(small(1)) / 1000:.1f} kB and {len(large(1)) * 3 / 4000:.0f} kB (decoded)", flush=True)
    for kind in chosen.database:
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(serving()) if kind == "postgres" else None
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = ""
            if server is not None:
                url = stack.enter_context(server.database(empty=True))
                open_database(url).close()
            bench = Bench(folder / "home", url)
            stack.callback(bench.database.dispose)
            own = server if isinstance(server, PostgresServer) else None
            for name, make in (("2 kB mail", small), ("mail with 100 kB docx", large)):
                for how, measure in (("queued", bench.queued), ("folder", bench.arrived)):
                    items = [make(hash((name, how)) % 10**6 + n) for n in range(chosen.items + 2)]
                    found = figures(measure(items, f"{how}-{make.__name__}-"))
                    print(f"{kind:8} {how:6} {name:22} {found}", flush=True)
            worker, database = bench.idle(chosen.idle, own)
            print(f"{kind:8} idle   worker {worker:.1f} %, database server {database:.1f} % of one core", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
