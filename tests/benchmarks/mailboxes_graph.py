"""Many mailboxes with many tagged items in Exchange Online, worked through by two worker processes.

    python -m tests.benchmarks.mailboxes_graph [--mailboxes 50] [--items 200] [--workers 2] [--backend]

The workers are `capture run` processes on one database: watching, fetching, reading, scanning, linking, marking.
With `--backend` they do what concerns the mailbox alone: see every change, show "pending", fetch, show "linked"
with our stamp. The server is the stand-in of the tests, on loopback in this process, and takes its share of the
machine. Printed: items a second, requests an item, the largest worker, and, without `--backend`, whether a mailbox
starves: how far the slowest mailbox is when half of all items are done.
"""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "support"), str(ROOT / "servers")]

# ruff: noqa: E402 - the path comes first

import psutil
from entra_server import serving_entra
from graph_home import SECRET, graph_home
from graph_server import Graph, serving_graph
from graph_world import DANA, LEE, PLAIN, StaticTokens

from capture.errors import TryLater
from capture.mailbox.graph import GraphMailbox
from capture.ports import ItemRef, Stamp
from capture.settings import GraphSettings

THREADS = 2


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--backend", action="store_true", help="the mailbox alone, without reading and scanning")
    chosen = parser.parse_args()
    return (backend if chosen.backend else whole)(chosen.mailboxes, chosen.items, chosen.workers)


def fill(graph: Graph, mailboxes: int, items: int) -> list[str]:
    """Tagged mail in the inbox of each mailbox; every mail its own Message-ID."""
    names = [f"user{n:03d}@example.org" for n in range(mailboxes)]
    for name in names:
        box = graph.mailbox(name)
        for n in range(items):
            raw = PLAIN.replace(b"<q1@", f"<{name[:7]}-{n}@".encode())
            box.put_mail(raw.replace(b"Hello", f"Quote {n}, thank you.".encode()), categories=["Track in CRM"])
    graph.counted.clear()
    return names


def backend(mailboxes: int, items: int, workers: int) -> int:
    context = get_context("spawn")
    with serving_graph() as graph:
        names = fill(graph, mailboxes, items)
        began = time.perf_counter()
        started = [context.Process(target=_work, args=(graph.url, names[n::workers], n)) for n in range(workers)]
        for process in started:
            process.start()
        seen = _watch(graph, names, items, [p.pid or 0 for p in started], lambda: any(p.is_alive() for p in started))
        for process in started:
            process.join()
        return _say(graph, mailboxes * items, time.perf_counter() - began, seen)


def whole(mailboxes: int, items: int, workers: int) -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = stack.enter_context(graph_home(folder / "home", stack.enter_context(serving_entra())))
        names = fill(made.graph, mailboxes, items)
        path = made.world.home / "settings.toml"
        path.write_text(path.read_text("utf-8").replace(f'["{DANA}", "{LEE}"]', str(names).replace("'", '"')), "utf-8")
        environment = os.environ | {"MAILWEIR_GRAPH_SECRET": SECRET}
        log = stack.enter_context((folder / "log").open("wb"))
        began = time.perf_counter()
        started = [subprocess.Popen([sys.executable, "-m", "cli", "capture", "run", "--once", "--home",
                                     str(made.world.home)], cwd=ROOT.parent, env=environment, stdout=log, stderr=log)
                   for _ in range(workers)]
        seen = _watch(made.graph, names, items, [p.pid for p in started],
                      lambda: any(p.poll() is None for p in started))
        code = _say(made.graph, mailboxes * items, time.perf_counter() - began, seen)
        print(f"when half was done the slowest mailbox had done {seen['fair']:.0%} of its {items}")
        [(linked, twice)] = made.world.rows("SELECT count(*), count(*) - count(DISTINCT item_key) FROM activity")
        print(f"in the CRM {linked}, twice {twice}")
        return code or int(linked != mailboxes * items or twice != 0)


def _work(url: str, names: list[str], number: int) -> None:
    """One worker: a page of each mailbox in turn, and threads that work the items off."""
    settings = GraphSettings.model_validate({"tenant": "t", "client_id": "c", "graph_url": url, "mailboxes": names,
                                             "hosts": ["127.0.0.1", "login.microsoftonline.com"], "page_size": 50})
    mailbox = GraphMailbox(settings, StaticTokens())
    todo: queue.Queue[ItemRef | None] = queue.Queue(200)

    def items() -> None:
        while (ref := todo.get()) is not None:
            for _ in range(10):  # as the engine does
                try:
                    mailbox.mark(ref, "pending", Stamp(f"{number:032x}", "pending", 1))
                    mailbox.fetch(ref)
                    mailbox.mark(ref, "linked", Stamp(f"{number:032x}", "linked", 1))
                    break
                except TryLater as error:
                    time.sleep(min(error.wait, 1.0))

    threads = [threading.Thread(target=items) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    waiting: list[tuple[Any, bytes]] = [(folder, b"") for name in names for folder in mailbox.folders(name)]
    while waiting:
        again = []
        for folder, cursor in waiting:
            page = mailbox.changes(folder, cursor)
            for sighting in page.sightings:
                if sighting.tagged:
                    todo.put(sighting.ref)
            if page.more:
                again.append((folder, page.cursor))
        waiting = again
    for _ in threads:
        todo.put(None)
    for thread in threads:
        thread.join()
    mailbox.close()


def _watch(graph: Graph, names: list[str], items: int, processes: list[int], alive: Any) -> dict[str, float]:
    """Look at the mailboxes and the workers until these end: the largest worker in MiB, and the least share of any
    mailbox when half of all was done."""
    largest, fair = 0.0, -1.0
    while alive():
        for pid in processes:
            try:
                largest = max(largest, psutil.Process(pid).memory_info().rss / 2**20)
            except psutil.Error:
                continue
        done = Counter({name: sum("CRM: linked" in item.categories for item in graph.boxes[name].items)
                        for name in names})
        if fair < 0 and done.total() * 2 >= len(names) * items:
            fair = min(done.values()) / items
        time.sleep(0.5)
    return {"MiB": largest, "fair": fair}


def _say(graph: Graph, expected: int, seconds: float, seen: dict[str, float]) -> int:
    done = sum("CRM: linked" in item.categories for box in graph.boxes.values() for item in box.items)
    requests = graph.counted.total()
    kinds = ", ".join(f"{method} {number}" for method, number in sorted(graph.counted.items()))
    print(f"items {done} of {expected}  seconds {seconds:.0f}  items/s {done / seconds:.1f}  "
          f"requests/item {requests / max(done, 1):.2f} ({kinds})")
    print(f"largest worker {seen['MiB']:.0f} MiB  requests of one mailbox at a time: {max(graph.peak.values())}")
    return int(done != expected)


if __name__ == "__main__":
    sys.exit(main())
