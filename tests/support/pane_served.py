"""A pane in a browser: a service process over a home, panes beside its items, what holds of every page.

With MAILWEIR_SCREENSHOTS set to a folder, `shown` keeps a picture of every state there.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES
from world import World

from capture.wiring import opened
from store import people, rules, sessions

ROOT = Path(__file__).parent.parent.parent
BUILT = ROOT / "addin" / "pane" / "built"
SHOTS = os.environ.get("MAILWEIR_SCREENSHOTS", "")
DANA, PRIYA = "dana.reid@example.org", "priya.nair@example.org"
TIMEOUT = 180_000
"""Milliseconds: the machine may be busy."""


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser. Missing, it is a failure where CI is set, else a skipped test."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


@dataclass
class Service:
    """A service process over a home, which may be stopped and started again at the same address."""

    world: World
    browser: Any
    process: Any = None
    address: str = ""
    log: Path = Path()
    words: list[str] = field(default_factory=list)

    def start(self, *words: str) -> None:
        """Start it; at the former port when there was one."""
        port = self.address.rpartition(":")[2] or "0"
        self.words = list(words)
        self.log = self.world.home.parent / "serve.log"
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "serve", "--port", port, "--home", str(self.world.home), *words],
                cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), self.log.read_text()
        self.address = line.split()[-1].replace("127.0.0.1", "localhost")

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(timeout=120)
        self.process.stdout.close()

    def affirm(self, name: str = "dana.reid") -> None:
        """Somebody affirms the rules, so that the pane goes straight to the item."""
        with opened(self.world.settings) as (database, _), database.session() as session:
            row = people.by_address(session, f"{name}@example.org")
            assert row is not None
            begun = sessions.find(session, sessions.begin(session, row.id, hours=1, kind=sessions.PANE))
            assert begun is not None
            rules.sign(session, row.id, rules.in_force(session).number)
            sessions.affirm(session, begun)

    @contextlib.contextmanager
    def pane(self, name: str, *, outlook: dict[str, Any] | None = None, width: int = 320, height: int = 570,
             office: str = "", open_it: bool = True, **more: Any) -> Iterator[Any]:
        """A pane beside an item of Dana's. `office`: a script that stands for office.js, "none" = it is blocked."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, bypass_csp=True, **more)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.said, page.asked, page.answers = [], [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("response", lambda response: page.answers.append(response))
        page.add_init_script(f"window.mailweirOutlook = {json.dumps(beside(name) | (outlook or {}))};")
        if office == "none":
            page.route("**/simulator.office.js", lambda route: route.abort())
        elif office:
            page.route("**/simulator.office.js", lambda route: route.fulfill(
                body=office, content_type="text/javascript"))
        try:
            if open_it:
                page.goto(f"{self.address}/pane/")
            yield page
            clean(page)
        finally:
            context.close()


def beside(name: str, mailbox: str = DANA) -> dict[str, Any]:
    """What Outlook says of an item."""
    return {"address": mailbox, "set": 5, "account": "enterprise", "item": name and {
        "itemId": f"Inbox/{name}.eml", "internetMessageId": f"<{name}@client.example.com>", "itemType": "message"}}


def clean(page: Any) -> None:
    """Nothing planted stands in any response, on the page, in its title or console, in a line above the item, or in an
    address; nothing is kept in the browser, and nothing has to be scrolled sideways."""
    answers, read = "", 0
    for response in page.answers:
        with contextlib.suppress(Exception):  # aborted, or of a page that was left
            answers += response.text()
            read += 1
    assert read or not page.answers
    assert page.title() == "Track in CRM"
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    places = {"answers": answers, "html": page.content(), "title": page.title(), "asked": " ".join(page.asked),
              "said": " ".join(page.said), "lines": page.evaluate("JSON.stringify(window.mailweirLines ?? [])")}
    assert [(where, canary) for where, text in places.items() for canary in CANARIES if canary in text] == []
    named = re.compile("dana|priya|%40|inbox", re.IGNORECASE)
    assert [url for url in page.asked if named.search(url)] == []
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie.length]") == [0, 0, 0]


def switch(page: Any, outlook: dict[str, Any]) -> None:
    """The user chooses another item while the pane stays open."""
    page.evaluate("one => { window.mailweirOutlook = one; window.postMessage('item', location.origin); }", outlook)


def press_to_verdict(page: Any, names: list[str]) -> list[float]:
    """Seconds from the press to the verdict on the page, for each of these items; who presses has read the page."""
    seconds = []
    for name in names:
        switch(page, beside(name))
        shown(page, "Not tracked")
        page.wait_for_selector("#search")
        page.wait_for_function("!document.body.textContent.includes('Looking for records')")
        began = time.perf_counter()
        page.click("#track")
        page.wait_for_function("document.querySelector('#status strong').textContent === 'Tracked'")
        seconds.append(time.perf_counter() - began)
    return seconds


def first_load() -> dict[str, int]:
    """What a pane loads before anybody signs in: file -> bytes, compressed."""
    html = (BUILT / "pane.html").read_text("utf-8")
    names = set(re.findall(r"/pane/static/([\w.-]+)", html))
    for name in list(names):
        if name.endswith(".js"):
            names |= set(re.findall(r'from"\./([\w.-]+\.js)"', (BUILT / name).read_text("utf-8")))
    return {name: len(gzip.compress((BUILT / name).read_bytes())) for name in sorted({*names, "pane.html"})}


def shown(page: Any, title: str) -> None:
    """Wait until the pane says this, and keep a picture."""
    page.wait_for_function("t => document.querySelector('[role=status] strong')?.textContent === t", arg=title)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        name, size = re.sub("[^a-z]+", "-", title.lower()), page.viewport_size
        forced = page.evaluate("matchMedia('(forced-colors: active)').matches")
        page.screenshot(path=Path(SHOTS) / f"pane-{name}.png", full_page=True)
        page.set_viewport_size({"width": 390, "height": 700})
        page.emulate_media(forced_colors="active")
        page.screenshot(path=Path(SHOTS) / f"pane-{name}-390-forced.png", full_page=True)
        page.emulate_media(forced_colors="active" if forced else "none")
        page.set_viewport_size(size)


def press(page: Any, ident: str) -> None:
    """Press a button by keyboard alone."""
    page.focus(f"#{ident}")
    page.keyboard.press("Enter")
