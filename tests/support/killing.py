"""Kill `capture run` at random moments until a mailbox is worked through, then count what is there.

Real processes, real SIGKILL. Used by a test with few mails and by a benchmark with many.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from canaries import CANARIES, CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from world import World, mail, make_world

from capture import desk


@dataclass
class Outcome:
    """What was found after the last run."""

    items: int
    kills: int
    seconds: float
    problems: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def fill(world: World, items: int) -> None:
    """Every third mail holds canaries (held), one in ten is tracked by two people."""
    for n in range(items):
        body = (f"Please register {CANARY_NAME}, SIN {CANARY_SIN}, date of birth {CANARY_BIRTH}, seat {n}.\n"
                if n % 3 == 0 else f"Thank you for quote {n}. Could we start the course on the 9th at 8:30?\n")
        raw = mail(f"Course {n}", body, message_id=f"m{n}@client.example.com")
        world.put(f"user{n % 7}", f"item{n}", raw)
        if n % 10 == 1:
            world.put(f"user{(n + 1) % 7}", f"item{n}-too", raw)


def run_and_kill(home: Path, items: int, *, kills: int, seed: int, longest: float) -> Outcome:
    """Fill a mailbox, run `capture run --once` and kill it `kills` times, then let it finish."""
    world = make_world(home)
    fill(world, items)
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    began = time.perf_counter()
    done = 0
    while done < kills:
        process = _start(home)
        time.sleep(chance.uniform(0.5, longest))
        if process.poll() is None:
            process.kill()  # the worker alone: its reading children have to notice by themselves
            done += 1
        process.wait()
        if left := _survivors(process.pid, patience=10):
            return Outcome(items, done, time.perf_counter() - began, [f"{left} child processes outlived the worker"])
        if process.returncode == 0:
            break  # worked through before the last kill
    last = _start(home)
    if last.wait(timeout=600) != 0:
        return Outcome(items, done, time.perf_counter() - began, ["the last run did not end with 0"])
    return check(world, items, done, time.perf_counter() - began)


def _start(home: Path) -> subprocess.Popen[bytes]:
    with (home / "run.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "cli", "capture", "run", "--once", "--home", str(home)],
                                cwd=Path(__file__).parent.parent.parent, start_new_session=True,
                                stdout=log, stderr=subprocess.STDOUT)


def _survivors(session: int, *, patience: float) -> int:
    """Processes of a session that are still there after a while; left-over ones are ended."""
    end = time.monotonic() + patience
    while True:
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(stat.parent.name))
        if not found:
            return 0
        if time.monotonic() > end:
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            return len(found)
        time.sleep(0.1)


def check(world: World, items: int, kills: int, seconds: float) -> Outcome:
    """Every item exactly once in CRM or quarantine, none lost, none doubled, nothing personal left about."""
    outcome = Outcome(items, kills, seconds)
    say = outcome.problems.append
    linked = Counter(r[0] for r in world.rows("SELECT subject FROM activity"))
    expected = {f"Course {n}" for n in range(items) if n % 3}
    if set(linked) != expected:
        say(f"CRM: {len(expected - set(linked))} missing, {len(set(linked) - expected)} too many")
    if any(count > 1 for count in linked.values()):
        say("CRM: an activity twice")
    held = len([n for n in range(items) if n % 3 == 0])
    cases = world.rows("SELECT count(*), count(DISTINCT item_id) FROM quarantine_case WHERE state = 'held'")[0]
    if cases != (held, held):
        say(f"quarantine: {cases} cases and items instead of {held}")
    readable = world.rows("SELECT count(DISTINCT case_id) FROM blob WHERE role = 'held' AND kind = 'mail' "
                          "AND content IS NOT NULL")[0][0]
    if readable != held:
        say(f"quarantine: the mail of {held - readable} cases is missing")
    staged = world.rows("SELECT count(*) FROM blob WHERE role = 'staged'")[0][0]
    if staged:
        say(f"{staged} blobs left between two steps")
    unfinished = world.rows("SELECT count(*) FROM capture WHERE state NOT IN ('notified', 'gone')")[0][0]
    if unfinished:
        say(f"{unfinished} captures unfinished")
    told = Counter(n["key"] for n in world.notices())
    noticed = world.rows("SELECT count(*) FROM capture WHERE outcome = 'hold'")[0][0]
    if len(told) != noticed:
        say(f"{noticed - len(told)} users were not told")
    untagged = [p for p in world.settings.mailbox_root.rglob("*.eml") if b"Keywords: CRM: " not in p.read_bytes()]
    if untagged:
        say(f"{len(untagged)} items show no state")
    if not desk.verify_audit(world.settings)["whole"]:
        say("the audit does not verify")
    for name, data in world.stored_bytes().items():
        if any(canary.encode() in data for canary in CANARIES):
            say(f"a canary lies in {name}")
    outcome.counts = {"activities": sum(linked.values()), "cases": cases[0], "notices": sum(told.values())}
    return outcome
