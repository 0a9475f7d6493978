"""A served desk for browser tests: sessions of its people, a browser, and what must be true of every page.

With MAILWEIR_SCREENSHOTS set to a folder, `shot` keeps a picture there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from canaries import CANARIES
from world import World

from store import audit, people, rules, sessions
from store.database import Database

TIMEOUT = 60_000
"""Milliseconds: the machine may be busy."""
SHOTS = os.environ.get("MAILWEIR_SCREENSHOTS", "")


@dataclass
class Served:
    """A service, its home, and a browser."""

    address: str
    world: World
    database: Database
    browser: Any

    @contextmanager
    def as_person(self, name: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True,
                  fresh: bool = True) -> Iterator[Any]:
        """A page of somebody signed in, who affirmed the rules. What the browser says is in `page.said`."""
        token = self.session_of(name, fresh=fresh)
        context = self.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme,
                                           java_script_enabled=scripts, bypass_csp=True)  # axe is put in as a script
        context.add_cookies([{"name": "mailweir", "value": token, "url": self.address}])
        page = context.new_page()
        page.set_default_timeout(TIMEOUT)
        page.said = []
        page.asked = []
        page.heads = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("response", lambda response: page.heads.append(str(response.headers)))
        try:
            yield page
        finally:
            context.close()

    @contextmanager
    def client(self, name: str, *, fresh: bool = True) -> Iterator[httpx.Client]:
        """A program with somebody's session."""
        token = self.session_of(name, fresh=fresh)
        with httpx.Client(base_url=self.address, cookies={"mailweir": token}, trust_env=False, timeout=180,
                          headers={"x-form-token": sessions.form_token(token)}) as made:
            yield made

    def session_of(self, name: str, *, fresh: bool = True) -> str:
        """The token of a new session of somebody who affirmed the rules."""
        with self.database.session() as session:
            row = people.by_address(session, f"{name}@example.org")
            assert row is not None
            rules.sign(session, row.id, rules.in_force(session).number)
            token = sessions.begin(session, row.id, hours=1)
            begun = sessions.find(session, token)
            assert begun is not None
            sessions.affirm(session, begun)
            if not fresh:
                begun.authenticated = begun.authenticated.replace(year=2020)
        return token

    def case(self, sql: str) -> str:
        """The number of the one case that fits, of those still open."""
        found = self.cases(f"d.tab <> '' AND {sql}")
        assert found, sql
        return found[0]

    def cases(self, sql: str) -> list[str]:
        """The numbers of the cases that fit, the worst first."""
        return [str(number) for (number,) in self.world.rows(
            "SELECT c.number FROM quarantine_case c JOIN desk_case d ON d.case_id = c.id "  # noqa: S608 - our words
            f"WHERE {sql} ORDER BY d.rank, c.number")]

    def state(self, number: str) -> str:
        """How a case stands in the database."""
        return str(self.world.rows("SELECT state FROM quarantine_case WHERE number = ?", number)[0][0])

    def events(self, action: str, subject: str = "") -> list[dict[str, Any]]:
        """Bodies of audit rows."""
        with self.database.reading() as session:
            return [dict(row.body) for row in audit.show(session, last=1000, action=action, subject=subject)]


WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size", "meta-viewport")
"""Rules of axe whose answer changes with the width or the colour scheme; the others read the document alone."""


def violations(page: Any, *rules: str) -> list[str]:
    """What axe finds against WCAG 2 A and AA; with `rules` by those alone."""
    from axe_playwright_python.sync_playwright import Axe

    chosen = {"type": "rule", "values": list(rules)} if rules else {"type": "tag", "values": list(WCAG)}
    found = Axe().run(page, options={"runOnly": chosen})
    return [f"{v['id']}: {n['html'][:150]}" for v in found.response["violations"] for n in v["nodes"]]


def clean(page: Any, *, said: bool = True) -> None:
    """Nothing personal stands anywhere on the page, and no script of a mail ran."""
    places = {"html": page.content(), "title": page.title(), "url": page.url, "asked": " ".join(page.asked),
              "heads": " ".join(page.heads),
              "said": " ".join(page.said) if said else ""}
    assert [(where, canary) for where, text in places.items() for canary in CANARIES if canary in text] == []
    for text in places.values():
        assert "Marchbanks" not in text
        assert "onerror" not in text


def in_order(page: Any, name: str) -> None:
    """The page as it is, light and dark, wide and narrow: nothing against WCAG A or AA, no scrolling sideways."""
    for width, scheme, asked in ((1280, "light", ()), (390, "dark", LOOKS), (320, "light", LOOKS[1:])):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        assert violations(page, *asked) == [], (name, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        shot(page, name, width, scheme)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def shot(page: Any, name: str, width: int, scheme: str) -> None:
    """Keep a picture, when a folder for them is named."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"desk-{name}-{width}-{scheme}.png", full_page=True)
