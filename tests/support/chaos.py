"""Several real workers on one database, killed, frozen and cut off from it until everything is worked through.

Real processes, SIGKILL, SIGSTOP, a PostgreSQL restart. Used by a test with few mails and a benchmark with many.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from canaries import CANARIES
from killing import fill
from postgres import PostgresServer
from world import World, make_world

from capture import desk
from store.database import open_database

ROOT = Path(__file__).parent.parent.parent

SETTINGS = """\
[store]
database = "{url}"
[mailbox]
domain = "example.org"
poll_seconds = 1
[scan]
own_domains = ["example.org"]
[engine]
concurrency = 2
retry_seconds = 0.2
beat_seconds = 1
lease_seconds = {lease}
stop_seconds = 15
take_ups = 20
"""


@dataclass
class Plan:
    """What is done to the workers, in seconds. The first kill comes as soon as an item is finished. `kill_idle`: how
    likely the next one may hit a worker that has nothing in hand; any other waits for one that has."""

    items: int
    workers: int = 2
    seed: int = 1
    kill_every: tuple[float, float] = (3.0, 8.0)
    kill_idle: float = 0.1
    kills: int = 1000
    lease: float = 5.0
    freeze: bool = True
    restart: bool = True
    patience: float = 1800.0
    command: Sequence[str] = ("-m", "cli", "work")


@dataclass
class Outcome:
    """What was found at the end."""

    items: int
    captures: int
    seconds: float
    kills: int = 0
    froze: int = 0
    restarts: int = 0
    recovered: list[float] = field(default_factory=list)
    thawed: float = 0.0
    taken_up: int = 0
    told_twice: int = 0
    held_by_error: int = 0
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Figures for a person."""
        times = sorted(self.recovered)
        recovery = (f"median {statistics.median(times):.1f} s, longest {times[-1]:.1f} s of {len(times)}"
                    if times else "no kill hit an item in hand")
        return [f"{self.captures} captures of {self.items} items in {self.seconds:.0f} s = "
                f"{self.captures / self.seconds:.1f} items/s",
                f"{self.kills} kills, {self.froze} freezes, {self.restarts} database restarts; "
                f"{self.taken_up} jobs taken up; {self.told_twice} notices delivered twice, "
                f"{self.held_by_error} items held by an error",
                f"kill -> everything the dead worker had in hand is finished: {recovery}",
                *([f"freeze -> its items finished by others: {self.thawed:.1f} s"] if self.froze else []),
                *(self.problems or ["items = outcomes, nothing twice, nothing lost, audit whole"])]


class Chaos:
    """One run. `url` is the database's; `server` the PostgreSQL to restart, or None."""

    def __init__(self, home: Path, plan: Plan, url: str = "", server: PostgresServer | None = None) -> None:
        self.plan, self.server = plan, server
        self.world = make_world(home, SETTINGS.format(url=url, lease=plan.lease))
        fill(self.world, plan.items)
        self.database = sa.create_engine(self.world.settings.database_url, pool_pre_ping=True)
        self.chance = random.Random(plan.seed)  # noqa: S311 - moments, not secrets
        self.workers: list[subprocess.Popen[bytes]] = []
        self.waiting: list[tuple[float, set[str], bool]] = []
        self.frozen: tuple[float, subprocess.Popen[bytes]] | None = None
        self.outcome = Outcome(plan.items, plan.items + len([n for n in range(plan.items) if n % 10 == 1]), 0.0)

    def run(self) -> Outcome:
        """Do it all."""
        began = time.monotonic()
        self.workers = [self._start() for _ in range(self.plan.workers)]
        try:
            self._until_done(began)
        finally:
            self._stop()
            self.database.dispose()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    def _until_done(self, began: float) -> None:
        plan, out = self.plan, self.outcome
        next_kill = freeze_at = restart_at = float("inf")
        frozen_once = restarted = idle = False
        while True:
            now = time.monotonic()
            if now - began > plan.patience:
                out.problems.append(f"not done after {plan.patience:.0f} s: {self._progress()} of {out.captures}")
                break
            for n, worker in enumerate(self.workers):
                if worker.poll() is not None:
                    if worker.returncode not in (-signal.SIGKILL, 0):
                        out.problems.append(f"a worker ended by itself with {worker.returncode}")
                    self.workers[n] = self._start()
            with contextlib.suppress(sa.exc.DBAPIError):
                finished = self._progress()
                if finished and next_kill == float("inf"):
                    next_kill, freeze_at = now, now + 2.0  # at once: a fast machine may soon be done
                self._note_recovery()
                if finished >= out.captures and not self.waiting and self.frozen is None:
                    break
                if self.server and plan.restart and not restarted and finished > out.captures * 0.4:
                    restarted = True
                    restart_at = now
            if now >= restart_at and self.server:
                restart_at = float("inf")
                self.server.restart()
                out.restarts += 1
            if now >= next_kill and out.kills < plan.kills and self._kill(idle):
                next_kill = time.monotonic() + self.chance.uniform(*plan.kill_every)
                idle = self.chance.random() < plan.kill_idle
            if plan.freeze and not frozen_once and now >= freeze_at:
                frozen_once = self._freeze()
            if self.frozen and now - self.frozen[0] > plan.lease * 2 + 2:
                self.frozen[1].send_signal(signal.SIGCONT)
                self.frozen = None
            time.sleep(0.1)
        self._check()

    # -- what is done to them

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.world.home / "run.log").open("ab") as log:
            return subprocess.Popen([sys.executable, *self.plan.command, "--home", str(self.world.home)], cwd=ROOT,
                                    start_new_session=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    env=os.environ | {"OMP_NUM_THREADS": "1"})

    def _kill(self, idle: bool) -> bool:
        """Kill a worker that has something in hand; False when none has and it may not be an `idle` one."""
        living = [w for w in self.workers if w.poll() is None and not (self.frozen and w is self.frozen[1])]
        self.chance.shuffle(living)
        victim, hand = None, set[str]()
        with contextlib.suppress(sa.exc.DBAPIError):
            for victim in living:
                if hand := self._in_hand(victim.pid):
                    break
        if victim is None or not (hand or idle):
            return False
        victim.kill()
        victim.wait()
        self.outcome.kills += 1
        with contextlib.suppress(sa.exc.DBAPIError):
            if hand := self._in_hand(victim.pid) or hand:
                self.waiting.append((time.monotonic(), hand, False))
        return True

    def _freeze(self) -> bool:
        """Stop a worker that has something in hand; False when none has at this moment."""
        for worker in self.workers:
            if worker.poll() is None and (hand := self._in_hand(worker.pid)):
                worker.send_signal(signal.SIGSTOP)
                self.frozen = (time.monotonic(), worker)
                self.waiting.append((time.monotonic(), self._in_hand(worker.pid) or hand, True))
                self.outcome.froze += 1
                return True
        return False

    def _stop(self) -> None:
        if self.frozen:
            self.frozen[1].send_signal(signal.SIGCONT)
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            try:
                if worker.wait(60) not in (0, -signal.SIGTERM):  # the latter: it had not got to handle it yet
                    self.outcome.problems.append(f"a worker told to stop ended with {worker.returncode}")
            except subprocess.TimeoutExpired:
                self.outcome.problems.append("a worker did not stop when told")
                worker.kill()
                worker.wait()

    # -- what is looked at

    def rows(self, query: str) -> list[Any]:
        """Rows of the database, read by a connection of the test's own."""
        with self.database.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def _engine(self, table: str) -> str:
        return table if self.database.dialect.name == "sqlite" else f"dbos.{table}"

    def _progress(self) -> int:
        return int(self.rows("SELECT count(*) FROM capture WHERE state IN ('notified', 'gone')")[0][0])

    def _in_hand(self, pid: int) -> set[str]:
        if not sa.inspect(self.database).has_table(
                "workflow_status", schema=None if self.database.dialect.name == "sqlite" else "dbos"):
            return set()
        executors = {row[0] for row in self.rows("SELECT id, boot FROM executor_lease")
                     if row[1].split()[2:3] == [str(pid)]}
        pending = self.rows(f"SELECT workflow_uuid, executor_id FROM {self._engine('workflow_status')} "  # noqa: S608
                            "WHERE status = 'PENDING'")
        return {row[0] for row in pending if row[1] in executors}

    def _note_recovery(self) -> None:
        """Times of those whose items are finished; a frozen worker's is kept apart."""
        if not self.waiting:
            return
        open_jobs = {row[0] for row in self.rows(
            f"SELECT workflow_uuid FROM {self._engine('workflow_status')} "  # noqa: S608
            "WHERE status IN ('PENDING', 'ENQUEUED', 'DELAYED')")}
        left = []
        for since, jobs, frozen in self.waiting:
            if jobs & open_jobs:
                left.append((since, jobs, frozen))
            elif frozen:
                self.outcome.thawed = time.monotonic() - since
            else:
                self.outcome.recovered.append(time.monotonic() - since)
        self.waiting = left

    def _check(self) -> None:
        out, say = self.outcome, self.outcome.problems.append
        items = out.items
        self._check_flow(say)
        linked = Counter(row[0] for row in self.rows("SELECT subject FROM activity"))
        expected = {f"Course {n}" for n in range(items) if n % 3}
        if set(linked) != expected:
            say(f"CRM: {len(expected - set(linked))} missing, {len(set(linked) - expected)} too many")
        if any(count > 1 for count in linked.values()):
            say("CRM: an activity twice")
        held = len([n for n in range(items) if n % 3 == 0])
        cases = self.rows("SELECT count(*), count(DISTINCT item_id) FROM quarantine_case WHERE state = 'held'")[0]
        if cases != (held, held):
            say(f"quarantine: {cases} cases and items instead of {held}")
        out.held_by_error = self.rows(
            "SELECT count(*) FROM quarantine_case WHERE reason <> 'personal-information'")[0][0]
        notices = Counter(row[0] for row in self.rows("SELECT capture_id FROM notice"))
        holds = {row[0] for row in self.rows("SELECT id FROM capture WHERE outcome = 'hold'")}
        if set(notices) != holds or any(count > 1 for count in notices.values()):
            say("not exactly one notice for each held capture")
        told = Counter(notice["key"] for notice in self.world.notices())
        if len(told) != len(holds):
            say(f"{len(holds) - len(told)} users were not told")
        out.told_twice = sum(told.values()) - len(told)
        mails = self.world.settings.mailbox_root.rglob("*.eml")
        untagged = [path for path in mails if b"Keywords: CRM: " not in path.read_bytes()]
        if untagged:
            say(f"{len(untagged)} items show no state")
        if not desk.verify_audit(self.world.settings)["whole"]:
            say("the audit does not verify")
        for name, data in self.world.stored_bytes().items():
            if any(canary.encode() in data for canary in CANARIES):
                say(f"a canary lies in {name}")

    def _check_flow(self, say: Any) -> None:
        captures = self.rows("SELECT state, generation, mailbox, source_key FROM capture")
        if len(captures) != self.outcome.captures:
            say(f"{len(captures)} captures instead of {self.outcome.captures}")
        if any(row[0] != "notified" for row in captures):
            say("captures that are not finished")
        if any(row[1] != 1 for row in captures):
            say(f"{sum(row[1] != 1 for row in captures)} items captured twice")
        events = Counter(self.rows("SELECT subject, action FROM audit_event WHERE action LIKE 'capture:item:%'"))
        if doubled := [key for key, count in events.items() if count > 1]:
            say(f"{len(doubled)} acts audited twice")
        ended = Counter(subject for subject, action in events
                        if action in ("capture:item:linked", "capture:item:held", "capture:item:joined"))
        if len(ended) != self.outcome.captures or any(count > 1 for count in ended.values()):
            say("not exactly one outcome audited for each capture")
        staged = self.rows("SELECT count(*) FROM blob WHERE role = 'staged'")[0][0]
        if staged:
            say(f"{staged} blobs left between two steps")
        readable = self.rows("SELECT count(DISTINCT case_id) FROM blob WHERE role = 'held' AND kind = 'mail' "
                             "AND content IS NOT NULL")[0][0]
        held = self.rows("SELECT count(*) FROM quarantine_case WHERE state = 'held'")[0][0]
        if readable != held:
            say(f"the mail of {held - readable} cases is missing")
        said = re.findall(r"(\d+) jobs are taken up", (self.world.home / "run.log").read_text(errors="replace"))
        self.outcome.taken_up = sum(map(int, said))
        if parked := self.rows("SELECT count(*) FROM job_try WHERE parked IS NOT NULL")[0][0]:
            say(f"{parked} jobs parked")


@contextmanager
def prepared(home: Path, plan: Plan, server: PostgresServer | None) -> Iterator[Chaos]:
    """A run on SQLite, or on a new database of this server."""
    if server is None:
        yield Chaos(home, plan)
        return
    url = server.create(empty=True)
    open_database(url).close()
    try:
        yield Chaos(home, plan, url, server)
    finally:
        server.drop(url)


__all__ = ["Chaos", "Outcome", "Plan", "World", "prepared"]
