"""Many Exchange mailboxes with many tagged items: items a second, requests an item, memory, does one starve.

    python -m tests.benchmarks.mailboxes_ews [--mailboxes 50] [--items 200] [--workers 2] [--backend]

The whole program works through them: watching, fetching, reading, scanning, linking, marking; `--backend` measures
the way to the server alone (watch, mark pending, fetch, mark linked). The server is the fake one of the tests, on
loopback in this process. A mailbox starves when the others are long done before it is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "servers")]

# ruff: noqa: E402 - the path comes first

import psutil
from ews_home import ews_settings
from ews_server import PASSWORD, EwsServer, serving
from ews_store import Item
from ews_worker import PRELOAD, home, state
from world import mail

from capture.mailbox.ews import EwsMailbox

TEXT = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"
TAG = "Track in CRM"
TURN = 2


class Ends:
    """When each mailbox had all its items marked, and the memory of the workers."""

    def __init__(self, server: EwsServer, items: dict[str, list[Item]], processes: list[int]) -> None:
        self.server, self.items, self.processes = server, items, processes
        self.began = time.monotonic()
        self.ended: dict[str, float] = {}
        self.memory = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self.look()

    def look(self) -> None:
        """Note what is done now."""
        for name, items in self.items.items():
            if name not in self.ended and all(state(item) in ("CRM: linked", "CRM: held") for item in items):
                self.ended[name] = time.monotonic() - self.began
        total = 0
        for pid in self.processes:
            try:
                process = psutil.Process(pid)
                total += sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
            except psutil.Error:
                continue
        self.memory = max(self.memory, total)

    def finish(self) -> None:
        """Look once more and stop looking."""
        self._stop.set()
        self._thread.join()
        self.look()


def backend_worker(url: str, names: list[str]) -> None:
    """What the flow asks of a backend, for some mailboxes, one after the other in small turns."""
    from capture.ports import Stamp

    mailbox = EwsMailbox(ews_settings(EwsServer(url=url), *names))
    waiting: dict[str, list[Any]] = {}
    for name in names:
        waiting[name] = []
        for folder in mailbox.folders(name):
            cursor, more = b"", True
            while more:
                page = mailbox.changes(folder, cursor)
                waiting[name] += [one.ref for one in page.sightings if one.tagged]
                cursor, more = page.cursor, page.more
    while any(waiting.values()):
        for name in names:
            for ref in waiting[name][:TURN]:
                pending = mailbox.mark(ref, "pending", Stamp("0" * 32, "pending", 1))
                fetched = mailbox.fetch(pending)
                mailbox.mark(fetched.ref, "linked", Stamp("0" * 32, "linked", 1))
            del waiting[name][:TURN]
    mailbox.close()


def whole_worker(folder: str) -> None:
    """`capture run` until everything is done."""
    os.environ["MAILWEIR_EWS_PASSWORD"] = PASSWORD
    import warm

    from capture import worker
    from capture.settings import load_settings

    warm.share()
    worker.run(load_settings(Path(folder)), once=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--items", type=int, default=200, help="tagged items of each mailbox; as many are not tagged")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--backend", action="store_true", help="the way to the server alone")
    chosen = parser.parse_args()
    names = [f"user{n:02}@example.org" for n in range(chosen.mailboxes)]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    with serving() as server, tempfile.TemporaryDirectory() as folder:
        world = home(server, Path(folder) / "home", *names, lease=30)
        items = {name: fill(server, name, chosen.items) for name in names}
        if chosen.backend:
            jobs = [context.Process(target=backend_worker, args=(server.url, names[n::chosen.workers]))
                    for n in range(chosen.workers)]
        else:
            jobs = [context.Process(target=whole_worker, args=(str(world.home),)) for _ in range(chosen.workers)]
        for job in jobs:
            job.start()
        ends = Ends(server, items, [job.pid for job in jobs if job.pid])
        for job in jobs:
            job.join()
        ends.finish()
        return report(server, ends, chosen, [job.exitcode for job in jobs])


def fill(server: EwsServer, name: str, count: int) -> list[Item]:
    """Tagged items, and as many that are not."""
    tagged = []
    for n in range(count):
        for categories in ((TAG,), ()):
            ident = f"{name.partition('@')[0]}-{n}-{len(categories)}@client.example.com"
            item = server.store.put(name, "inbox", mime=mail(f"Course {n}", TEXT, message_id=ident),
                                    categories=categories)
            if categories:
                tagged.append(item)
    return tagged


def report(server: EwsServer, ends: Ends, chosen: argparse.Namespace, codes: list[int | None]) -> int:
    """Print the figures; 0 when every item was marked once and the server had nothing to complain of."""
    count = chosen.mailboxes * chosen.items
    missing = [name for name in ends.items if name not in ends.ended]
    if missing or server.problems or any(codes):
        print(f"FAILED: {len(missing)} mailboxes not done, problems {server.problems[:3]}, exit codes {codes}")
        return 1
    times = sorted(ends.ended.values())
    print(f"{'backend' if chosen.backend else 'whole'}: {chosen.mailboxes} mailboxes x {chosen.items} items, "
          f"{chosen.workers} workers: {times[-1]:.0f} s, {count / times[-1]:.1f} items/s")
    print(f"requests an item: {sum(server.asked.values()) / count:.2f}  "
          f"({', '.join(f'{name} {number}' for name, number in server.asked.most_common())})")
    print(f"memory of the workers and their children at most: {ends.memory / 2**20:.0f} MiB; "
          f"requests at a time for a mailbox at most: {server.most_at_a_time}")
    print(f"mailboxes done after {times[0]:.0f} to {times[-1]:.0f} s, median {times[len(times) // 2]:.0f} s; "
          f"the first needed {times[0] / times[-1]:.0%} of the time of the last")
    return 0


if __name__ == "__main__":
    sys.exit(main())
