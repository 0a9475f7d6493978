"""A service with the pane, in this process, over a demo home; and pages of it that carry a bearer.

    with pane_place(home) as place:
        dana = place.signed_in("dana.reid")
        dana.post("/pane/api/status", json={...})
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from webclient import Browser, running
from world import World, make_world

from addin.app import build_app
from capture.demo.cast import enter_people
from capture.settings import Settings
from capture.wiring import opened
from store import audit, people, rules, sessions
from store.crypto import Keys
from store.database import Database

HOST = "https://weir.example.org"
LOCAL = "http://localhost"
AUDIENCE = f"{HOST}/pane/"


class Pane:
    """A pane: a browser whose requests carry a bearer, and no cookie."""

    def __init__(self, browser: Browser, bearer: str = "") -> None:
        self.browser, self.bearer = browser, bearer

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request."""
        headers = {"authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        return self.browser.request(method, path, headers=headers | more.pop("headers", {}), **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST of JSON."""
        return self.request("POST", path, json=json, **more)

    def sign_in(self, kind: str, token: str = "", mailbox: str = "dana.reid@example.org") -> httpx.Response:
        """Exchange a token for a bearer, and keep it."""
        answer = self.post("/pane/api/sign-in", {"kind": kind, "token": token, "mailbox": mailbox})
        if answer.status_code == 200:
            self.bearer = answer.json()["bearer"]
        return answer


@dataclass
class PanePlace:
    """A running service and its home."""

    app: Any
    loop: Any
    settings: Settings
    database: Database
    keys: Keys
    world: World

    def pane(self, *, url: str = LOCAL, bearer: str = "", peer: str = "127.0.0.1") -> Pane:
        """A pane nobody is signed in to, unless a bearer is given."""
        return Pane(Browser(self.app, self.loop, peer, url), bearer)

    def signed_in(self, name: str, *, bound: bool = True, url: str = LOCAL, peer: str = "127.0.0.1") -> Pane:
        """A pane of somebody."""
        return self.pane(url=url, bearer=self.bearer_of(name, bound=bound), peer=peer)

    def bearer_of(self, name: str, *, bound: bool = True, hours: float = 1) -> str:
        """A bearer of somebody, who affirmed the rules."""
        with self.database.session() as session:
            row = people.by_address(session, f"{name}@example.org")
            assert row is not None
            token = sessions.begin(session, row.id, hours=hours, kind=sessions.PANE)
            begun = sessions.find(session, token)
            assert begun is not None
            if bound:
                rules.sign(session, row.id, rules.in_force(session).number)
                sessions.affirm(session, begun)
        return token

    def events(self, beginning: str) -> list[tuple[str, Any]]:
        """Audit rows."""
        with self.database.reading() as session:
            return [(row.action, row.body) for row in audit.show(session, last=1000, action=beginning)]


def pane_settings(settings: Settings, *, sign_in: dict[str, Any] | None = None, **pane: Any) -> Settings:
    """The settings with a pane."""
    return settings.model_copy(update={
        "pane": settings.pane.model_copy(update={"enabled": True, **pane}),
        "sign_in": settings.sign_in.model_copy(update=sign_in or {}),
        "web": settings.web.model_copy(update={"names": ("weir.example.org",)} if sign_in and sign_in.get(
            "kind") != "demo" else {})})


def demo_world(home: Path) -> World:
    """A demo home, nothing in it yet."""
    world = make_world(home)
    enter_people(world.settings)
    return world


@contextmanager
def pane_place(world: World, settings: Settings) -> Iterator[PanePlace]:
    """The service until the block ends."""
    app = build_app(settings)
    with running(app) as loop, opened(settings) as (database, keys):
        yield PanePlace(app, loop, settings, database, keys, world)
