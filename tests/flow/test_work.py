"""`mailweir work` as a real process: it works, stops when told, and leaves to others what it must; `mailweir jobs`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import col, select
from world import SETTINGS, World, mail, make_world

from capture import jobs, pipeline, worker
from capture.errors import TryLater
from capture.wiring import Tools
from store import tries
from store.database import open_database
from store.tables import Capture

ROOT = Path(__file__).parent.parent.parent
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> World:
    """A home on either database."""
    url = "" if store_url.startswith("sqlite") else store_url
    return make_world(tmp_path / "home", f'[store]\ndatabase = "{url}"\n' + SETTINGS.replace(
        "[mailbox]\n", "[mailbox]\npoll_seconds = 0.5\n"))


@contextmanager
def working(world: World, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with (world.home / "run.log").open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "cli", "work", "--home", str(world.home), *options], cwd=ROOT,
                                   stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def mailweir(world: World, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "cli", *words, "--home", str(world.home)], cwd=ROOT, check=False,
                          capture_output=True, text=True, timeout=120)


def counts(world: World) -> dict[str, int]:
    counted: dict[str, int] = jobs.listed(world.settings)["counts"]
    return counted


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)


def rows(world: World, query: str) -> list[tuple[object, ...]]:
    database = open_database(world.settings.database_url)
    try:
        with database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]
    finally:
        database.close()


@pytest.mark.slow
def test_a_worker_works_beside_another_and_stops_when_told(world: World) -> None:
    with working(world) as first, working(world, "--concurrency", "1") as second:
        until(lambda: counts(world)["workers"] == 2)
        for n in range(4):
            world.put("dana.reid", f"m{n}", mail(f"S{n}", BUSINESS))
        until(lambda: rows(world, "SELECT count(*) FROM capture WHERE state = 'notified'") == [(4,)])
        for process in (first, second):
            process.send_signal(signal.SIGTERM)
        assert (first.wait(150), second.wait(150)) == (0, 0)
    assert rows(world, "SELECT count(*), count(DISTINCT item_key) FROM activity") == [(4, 4)]
    assert counts(world) == {"unfinished": 0, "parked": 0, "workers": 0}
    log = (world.home / "run.log").read_text()
    assert "failed" not in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_a_second_signal_ends_a_worker_at_once(world: World) -> None:
    with working(world, "--no-watch") as process:
        until(lambda: counts(world)["workers"] == 1)
        time.sleep(1)
        process.send_signal(signal.SIGSTOP)  # both signals are there before it can act on the first
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGCONT)
        assert process.wait(20) in (128 + signal.SIGTERM, 128 + signal.SIGINT)
    assert counts(world)["workers"] == 0, "its process is gone from this machine"


def test_what_cannot_be_worked_on_now_is_tried_again_later(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mailbox is away for all tries of the first run; nothing is held, and a later run links the item."""
    calls: list[int] = []
    examine = pipeline.examine

    def away(tools: Tools, capture: str) -> str:
        calls.append(1)
        if len(calls) <= world.settings.engine.attempts + 1:
            raise TryLater
        return examine(tools, capture)

    monkeypatch.setattr(pipeline, "examine", away)
    world.put("dana.reid", "m", mail("S", BUSINESS))
    with worker.running(world.settings) as running:
        watch = worker.Watch(running.tools, running.engine.enqueue, running.lifeline.executor)
        watch.look(everywhere=True)
        until(lambda: not running.busy(), 60)
        watch.close()
        with running.tools.database.reading() as session:
            assert tries.listed(session) == ()
        assert running.totals()["linked"] == 1
    assert len(calls) == world.settings.engine.attempts + 2


def test_jobs_are_listed_and_an_unknown_one_is_named(world: World) -> None:
    done = mailweir(world, "jobs", "list", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0, {"counts": {"unfinished": 0, "parked": 0, "workers": 0}, "jobs": []})
    for command in (["show", "nothing"], ["retry", "nothing"]):
        done = mailweir(world, "jobs", *command)
        assert (done.returncode, done.stderr.split(":")[0]) == (2, "no-such-job")


def test_parked_work_is_shown_by_list_and_doctor(world: World) -> None:
    database = open_database(world.settings.database_url)
    with database.session() as session:
        tries.park(session, "capture-0123456789abcdef", "capture_item", "internal")
    database.close()
    done = mailweir(world, "jobs", "list", "--dead", "--json")
    (job,) = json.loads(done.stdout)["jobs"]
    assert (done.returncode, job["id"], job["state"], job["error"]) == (
        1, "capture-0123456789abcdef", "parked", "internal")
    checks = {check["check"]: check["result"] for check in json.loads(mailweir(world, "doctor", "--json").stdout)}
    assert (checks["parked work"], checks["workers"]) == ("fail", "ok")
    assert mailweir(world, "jobs", "retry", "--all").stdout.strip() == "1 queued again"
    assert mailweir(world, "jobs", "list", "--dead").returncode == 0


def test_a_small_mailbox_does_not_wait_behind_a_large_one(world: World) -> None:
    for number in range(40):
        world.put("amy.large", f"m{number}", mail(f"S{number}", BUSINESS))
    for number in range(2):
        world.put("zoe.small", f"m{number}", mail(f"Z{number}", BUSINESS))
    with worker.running(world.settings) as running:
        watch = worker.Watch(running.tools, running.bring, running.lifeline.executor)
        watch.look(everywhere=True)
        until(lambda: not running.busy(), 120)
        watch.close()
        with running.tools.database.reading() as session:
            order = session.scalars(select(Capture.mailbox).order_by(col(Capture.finished))).all()
    assert len(order) == 42
    assert max(place for place, mailbox in enumerate(order) if mailbox == "zoe.small") < 30
