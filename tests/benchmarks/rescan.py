"""Rescan of many stored records: speed, the engine's share, memory, two kills, two workers against one.

    python -m tests.benchmarks.rescan [--items 50000] [--pair 4000] [--url postgresql+psycopg://...]

The records are made once and copied, so that the killed run and the uninterrupted one look at the same. Every run is
the command itself in a process of its own. `--url` runs on an empty PostgreSQL database instead, without the
comparison of two copies: there the killed run is held against what was put in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

import psutil
from stock import Expected, fill_crm
from world import SETTINGS, World, make_world

from capture import rescanning
from capture.ports import StoredKind, Wanted
from capture.rescan import judged
from capture.stored import read_stored
from capture.wiring import assembled, opened
from store import rescan
from store.rescan import Progress

ROOT = Path(__file__).parent.parent.parent
KEYS = ("state", "total", "looked_at", "outcomes", "by_kind", "by_division", "categories", "unread", "attachments",
        "errors")


@dataclass
class Timed:
    """One process of the command: seconds, and of the processor's time, from its first result to its last, and
    memory in MB at both."""

    run: str
    seconds: float
    items: int
    first_mb: float
    last_mb: float
    cpu: float
    killed: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=5000)
    parser.add_argument("--pair", type=int, default=2000, help="records for two workers against one; 0 = leave out")
    parser.add_argument("--url", default="")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        world, stock = make(Path(folder) / "killed", chosen.items, chosen.url)
        whole = copy(world, Path(folder) / "whole") if not chosen.url else None
        say(f"{stock.records} records, {stock.hits} should be found; made in {time.perf_counter() - began:.0f} s; "
            f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        problems = killed_twice(world, stock, whole)
        if chosen.pair:
            two_against_one(Path(folder), chosen.pair)
    say("same totals" if not problems else "; ".join(problems))
    return 1 if problems else 0


def say(text: str) -> None:
    print(text, flush=True)


def make(home: Path, items: int, url: str = "") -> tuple[World, Expected]:
    """A home whose CRM holds so many records, one in 500 personal, one in 5,000 unreadable, one in 50 with a file."""
    store = f'[store]\ndatabase = "{url}"\n' if url else ""
    world = make_world(home, SETTINGS + store)
    with opened(world.settings) as (db, keys):
        return world, fill_crm(db, keys, items, personal=max(4, items // 500), unreadable=max(1, items // 5000),
                               files=max(1, items // 50))


def copy(world: World, home: Path) -> World:
    """The same home once more."""
    with opened(world.settings) as (db, _):
        db.scrub()
    shutil.copytree(world.home, home)
    return World(home, world.settings.model_copy(update={"home": home}))


def killed_twice(world: World, stock: Expected, whole: World | None) -> list[str]:
    """Run, kill at a third and at two thirds, resume; then the same without a kill."""
    first = command(world, until=stock.records // 3)
    second = command(world, resume=first.run, until=2 * stock.records // 3)
    last = command(world, resume=first.run)
    report = rescanning.report(world.settings, first.run)
    for name, timed in (("first", first), ("second", second), ("last", last)):
        show(f"{name} process{', killed' if timed.killed else ''}", timed)
    shown(report)
    alone_ms = 1000 * bare(world)
    say(f"  reading and scanning alone: {alone_ms:.1f} ms of one core an item; the engine, the queue, results and "
        f"audit add {1000 * last.cpu / max(last.items, 1) - alone_ms:.1f} ms")
    problems = []
    if not (first.killed and second.killed):
        problems.append("a process ended before it could be killed")
    if report["outcomes"] != {"hold": stock.hits, "pass": stock.records - stock.hits}:
        problems.append(f"outcomes {report['outcomes']}")
    if len(report["cases"]) != stock.hits:
        problems.append(f"{len(report['cases'])} cases")
    if whole is not None:
        alone = command(whole)
        show("uninterrupted", alone)
        other = rescanning.report(whole.settings, alone.run)
        shown(other)
        problems += [f"{key} differs" for key in KEYS if report[key] != other[key]]
    return problems


def show(name: str, timed: Timed) -> None:
    say(f"{name}: {timed.items} items in {timed.seconds:.0f} s, {timed.items / max(timed.seconds, 0.001):.0f}/s, "
        f"{1000 * timed.cpu / max(timed.items, 1):.1f} ms of one core an item, "
        f"RSS {timed.first_mb:.0f} -> {timed.last_mb:.0f} MB")


def shown(report: dict[str, Any]) -> None:
    """What the run came to, and the speed of one worker while it works on items."""
    say(f"  {report['outcomes']}; {report['looked_at'] / report['seconds']:.0f} items/s per worker at work")


def bare(world: World, items: int = 300) -> float:
    """Seconds of one core that reading, scanning and deciding one record takes, without engine, queue or results."""
    with assembled(world.settings) as tools:
        refs = [ref.id for ref in tools.crm.stored(Wanted(kinds=(StoredKind.NOTE, StoredKind.TASK)), "", items)]

        def look(ident: str) -> None:
            judged(tools.scanner, read_stored(tools.crm.read(ident), tools.extractor, tools.settings.extract), "")

        look(refs[0])
        began = time.process_time()
        for ident in refs:
            look(ident)
        return (time.process_time() - began) / len(refs)


def two_against_one(folder: Path, items: int) -> None:
    """The same records with one worker and with two, on SQLite."""
    world, _ = make(folder / "one", items)
    pair = copy(world, folder / "two")
    one = command(world)
    with helper(pair):
        two = command(pair)
    alone, both = one.items / one.seconds, two.items / two.seconds
    say(f"one worker {alone:.0f}/s, two {both:.0f}/s: ratio {both / alone:.2f} (load {os.getloadavg()[0]:.1f} on "
        f"{os.cpu_count()} cores)")


@contextmanager
def helper(world: World) -> Iterator[None]:
    """A second worker, started and warm before the command."""
    process = subprocess.Popen([sys.executable, "-m", "cli", "work", "--no-watch", "--home", str(world.home)], cwd=ROOT,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(15)
        yield
    finally:
        process.terminate()
        process.wait(60)


def command(world: World, *, resume: str = "", until: int = 0) -> Timed:
    """`mailweir rescan` in a process of its own, killed when `until` items are looked at in all."""
    args = [sys.executable, "-m", "cli", "rescan", "--json", "--max-holds", "0", "--home", str(world.home)]
    process = subprocess.Popen([*args, *(["--resume", resume] if resume else [])], cwd=ROOT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    memory = psutil.Process(process.pid)
    began = moment = 0.0
    before = looked = 0
    first = last = spent = spent_before = 0.0
    number = resume
    with opened(world.settings) as (db, _):
        if resume:
            with db.reading() as session:
                before = rescan.progress(session, resume).looked
        while process.poll() is None:
            with db.reading() as session:
                number = number or next((run.id for run in rescan.runs(session, 1)), "")
                at: Progress | None = rescan.progress(session, number) if number else None
            if at and at.looked > before:
                try:
                    last, spent = memory.memory_info().rss / 1e6, sum(memory.cpu_times()[:2])
                except psutil.Error:
                    break
                moment = time.perf_counter()
                if not began:
                    began, first, before, spent_before = moment, last, at.looked, spent
                looked = at.looked
                if until and looked >= until:
                    process.kill()
                    break
                if at.state != "running":
                    break
            time.sleep(0.2)
    code = process.wait(600)
    return Timed(number, moment - began, looked - before, first, last, spent - spent_before,
                 killed=code < 0)


if __name__ == "__main__":
    sys.exit(main())
