"""A web service in this process with the demo's people, as their browsers get it, and a small scanner that needs no
model: it blocks a text with a digit in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from webclient import Browser

from pii_scan.findings import Category, Decision, Finding, Report, Verdict
from pii_scan.text import Block, Extraction
from store import audit, people, rules, sessions
from store.columns import now

LOCAL = "http://localhost:8025"
HTML = {"accept": "text/html"}


class Reader:
    """Blocks a text with a digit in it."""

    def scan(self, extraction: Extraction) -> Report:
        found = any(c.isdigit() for part in extraction.parts for block in part.blocks if isinstance(block, Block)
                    for c in block.text)
        return Report((Finding(Category.GOVERNMENT_ID, "sin", "text", 0, 0, 0, 1, 1.0),) if found else ())

    def decide(self, report: Report, _extraction: Extraction) -> Decision:
        return Decision(Verdict.BLOCK if report.findings else Verdict.PASS, "test", "test@1", report.findings)


@dataclass
class Desk:
    """A running service in a demo home."""

    app: Any
    loop: Any
    database: Any
    case: str

    def browser(self, name: str, *, fresh: bool = True) -> Page:
        """Somebody signed in, the rules signed and affirmed."""
        with self.database.session() as s:
            row = people.by_address(s, f"{name}@example.org")
            assert row is not None
            rules.sign(s, row.id, rules.in_force(s).number)
            token = sessions.begin(s, row.id, hours=1)
            begun = sessions.find(s, token)
            assert begun is not None
            sessions.affirm(s, begun)
            if not fresh:
                begun.authenticated = now() - timedelta(hours=1)
        page = Page(self.app, self.loop, "127.0.0.1", LOCAL)
        page.client.cookies.set("mailweir", token)
        page.token = sessions.form_token(token)
        return page

    def events(self, action: str) -> list[Any]:
        with self.database.reading() as s:
            return list(audit.show(s, last=500, action=action))


class Page(Browser):
    """A browser that puts the form's token in."""

    token = ""

    def send(self, path: str, **data: str) -> httpx.Response:
        return self.post(path, data={"form_token": self.token, **data}, headers=HTML)

    def see(self, path: str) -> httpx.Response:
        return self.get(path, headers=HTML)
