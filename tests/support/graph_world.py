"""A tenant for tests: the Graph stand-in, and the backend talking to it over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from graph_server import Graph, serving_graph

from capture.mailbox.graph import GraphMailbox
from capture.ports import Folder, Sighting
from capture.settings import GraphSettings

DANA = "dana@example.org"
TRACK = "Track in CRM"
PLAIN = (b"From: Rose Antoine <rose@client.example.com>\r\nTo: dana@example.org\r\nSubject: Quote\r\n"
         b"Date: Tue, 03 Mar 2026 09:15:00 -0800\r\nMessage-ID: <q1@client.example.com>\r\n\r\nHello\r\n")


@dataclass
class StaticTokens:
    """A token provider whose token may be refused once."""

    valid: str = "good"
    asked: list[str] = field(default_factory=list)
    given: str = "good"

    def token(self, *, refused: str = "") -> str:
        self.asked.append(refused)
        if refused:
            self.given = self.valid
        return self.given

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Tenant:
    """The service, the backend, and where the watching of each folder stands."""

    graph: Graph
    mailbox: GraphMailbox
    tokens: StaticTokens
    cursors: dict[str, bytes] = field(default_factory=dict)

    def folder(self, path: str, mailbox: str = DANA) -> Folder:
        return next(f for f in self.mailbox.folders(mailbox) if f.path == path)

    def see(self, folder: Folder) -> list[Sighting]:
        """All sightings since the last call."""
        found: list[Sighting] = []
        while True:
            page = self.mailbox.changes(folder, self.cursors.get(folder.key, b""))
            self.cursors[folder.key] = page.cursor
            found += page.sightings
            if not page.more:
                return found

    def tagged(self, folder: Folder) -> list[Sighting]:
        return [s for s in self.see(folder) if s.tagged]


@contextmanager
def tenant(**fields: Any) -> Iterator[Tenant]:
    """A tenant with one mailbox, `DANA`; `fields` go into `[graph]`."""
    tokens = StaticTokens()
    with serving_graph(lambda token: token == tokens.valid) as graph:
        graph.mailbox(DANA)
        settings = GraphSettings.model_validate(
            {"tenant": "t", "client_id": "c", "graph_url": graph.url, "mailboxes": [DANA], "timeout_seconds": 10,
             "hosts": ["127.0.0.1", "login.microsoftonline.com"], "tasks": True} | fields)
        mailbox = GraphMailbox(settings, tokens, patience=0.3)
        try:
            yield Tenant(graph, mailbox, tokens)
        finally:
            mailbox.close()
