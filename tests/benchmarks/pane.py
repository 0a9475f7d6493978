"""The pane: press to verdict, idle and while a rescan runs; first render against an empty page; sizes.

    python -m tests.benchmarks.pane [--presses 30] [--records 4000] [--opens 12] [--seconds 600]

A real `mailweir serve` with its worker and a real Chromium. "press": from the click on Track to the verdict on the
page, for mails of about 2 kB. "render": first contentful paint, and the moment the state of the item stands there, of a
pane in a fresh browser context; beside it the first paint of a page with one line from the same address.

While the second series of presses runs, `mailweir rescan` looks at all records again in a process of its own, anew when
it is through. No series takes longer than `--seconds`: then there are fewer presses, and the number says so.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "support"))

from pane_place import demo_world
from pane_served import BUILT, ROOT, Service, first_load, press_to_verdict, shown
from stock import fill_crm
from world import SETTINGS, World, mail

from capture.settings import load_settings
from capture.wiring import opened
from store import rescan
from tests.benchmarks.latency import prose

PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--presses", type=int, default=30)
    parser.add_argument("--records", type=int, default=4000)
    parser.add_argument("--opens", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=600)
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("no chromium")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    sizes()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        world = home(Path(folder), chosen.presses, chosen.records)
        service = Service(world, browser)
        service.affirm()
        service.start()
        try:
            with service.pane("idle-0") as page:
                say("press, idle", presses(page, names("idle", chosen.presses), chosen.seconds))
            renders(service, chosen.opens)
            with service.pane("busy-0") as page, Rescanning(world) as rescanning:
                seconds = presses(page, names("busy", chosen.presses), chosen.seconds, rescanning)
            say(f"press, rescan running ({rescanning.looked} records looked at meanwhile)", seconds)
        finally:
            service.stop()
            browser.close()
    return 0


def home(folder: Path, presses: int, records: int) -> World:
    """A demo home with mails to press on, and records to look at again."""
    world = demo_world(folder / "home")
    (world.home / "settings.toml").write_text(
        SETTINGS + '[sign_in]\nkind = "demo"\n[pane]\nenabled = true\n', "utf-8")
    world = World(world.home, load_settings(world.home))
    for n, name in enumerate((*names("idle", presses), *names("busy", presses))):
        world.put("dana.reid", name, mail(f"Room {n}", prose(n, 1500), message_id=f"{name}@client.example.com"),
                  folder="Inbox")
    with opened(world.settings) as (database, keys):
        fill_crm(database, keys, records, personal=4, files=records // 50)
    return world


def names(how: str, presses: int) -> list[str]:
    return [f"{how}-{n}" for n in range(presses + 1)]  # the first warms the reader's processes


class Rescanning:
    """A rescan of everything, in a process of its own, and another one when it is through."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._run: subprocess.Popen[bytes] | None = None
        self._number = ""
        self._before = self._since = 0

    def __enter__(self) -> Rescanning:
        self.go_on()
        self._since = self._looked()
        return self

    def __exit__(self, *_: object) -> None:
        if self._run is not None:
            self._run.terminate()
            self._run.wait(120)

    def go_on(self) -> None:
        """Return when records are being looked at. Ends the program when that does not begin within two minutes."""
        if self._run is not None and self._run.poll() is None:
            return
        self._before = self._looked()
        former = self._number
        self._run = subprocess.Popen(
            [sys.executable, "-m", "cli", "rescan", "--json", "--max-holds", "0", "--home", str(self._world.home)],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
        until = time.monotonic() + 120
        over = False
        while time.monotonic() < until and not over:
            time.sleep(0.2)
            over = self._run.poll() is not None
            number, looked = self._newest()
            if number != former and looked:
                self._number = number
                return
        sys.exit(f"the rescan does not run: {self._run.poll()}")

    @property
    def looked(self) -> int:
        """Records looked at since the block began."""
        return self._looked() - self._since

    def _looked(self) -> int:
        number, looked = self._newest()
        return self._before + (looked if number == self._number else 0)

    def _newest(self) -> tuple[str, int]:
        with opened(self._world.settings) as (database, _), database.reading() as session:
            runs = rescan.runs(session, 1)
            return (runs[0].id, rescan.progress(session, runs[0].id).looked) if runs else ("", 0)


def presses(page: Any, items: list[str], most: float, rescanning: Rescanning | None = None) -> list[float]:
    """Seconds of each press but the first, which warms the reader's processes; no more presses after `most` seconds."""
    press_to_verdict(page, items[:1])
    until = time.monotonic() + most
    seconds = []
    for name in items[1:]:
        if time.monotonic() > until:
            break
        if rescanning is not None:
            rescanning.go_on()
        seconds += press_to_verdict(page, [name])
    return seconds


def renders(service: Service, opens: int) -> None:
    """First paint of an empty page and of the pane, turn by turn, and when the pane can be used."""
    empty: list[float] = []
    paint: list[float] = []
    ready: list[float] = []
    for _ in range(opens + 1):
        with service.pane("idle-0", open_it=False) as page:
            page.route("**/pane/nothing", lambda route: route.fulfill(
                body="<!doctype html><title>Track in CRM</title><p>None", content_type="text/html"))
            page.goto(f"{service.address}/pane/nothing")
            empty.append(painted(page))
        with service.pane("idle-0", open_it=False) as page:
            began = time.perf_counter()
            page.goto(f"{service.address}/pane/")
            shown(page, "Tracked")
            ready.append(time.perf_counter() - began)
            paint.append(painted(page))
    say("render, empty page, first paint", empty[1:])
    say("render, pane, first paint", paint[1:])
    say("render, pane, state of the item", ready[1:])


def painted(page: Any) -> float:
    page.wait_for_function(PAINT)
    return float(page.evaluate(PAINT)) / 1000


def sizes() -> None:
    first = first_load()
    print(f"first load {sum(first.values())} bytes gzip in {len(first)} files: {first}", flush=True)
    for path in sorted(BUILT.glob("*.js")):
        if path.name not in first:
            print(f"  later {path.name} {len(gzip.compress(path.read_bytes()))} bytes gzip", flush=True)


def say(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p95 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    print(f"{what}: p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms ({len(ordered)})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
