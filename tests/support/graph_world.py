"""A tenant for tests: the Graph stand-in, and the backend talking to it over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from graph_server import Graph, serving_graph
from graph_state import BoxState, Item

from capture.mailbox.graph import GraphMailbox
from capture.mailbox.graph_parse import stamp_from
from capture.ports import Folder, ItemKind, Mailbox, Sighting, Stamp
from capture.settings import GraphSettings

DANA, LEE = "dana@example.org", "lee@example.org"
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


class GraphWorld:
    """A tenant with the knobs of the contract suite (tests/support/mailboxes.py)."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, _folder: Path) -> None:
        self._stack = ExitStack()
        self.tenant = self._stack.enter_context(tenant(mailboxes=[DANA, LEE], page_size=3))
        self.mailbox: Mailbox = self.tenant.mailbox
        for user in (DANA, LEE):
            self.tenant.graph.mailbox(user)
        self._boxes: dict[int, BoxState] = {}

    def add(self, user: str, folder: str, *, subject: str, text: str = "Hello.", message_id: str = "",
            kind: ItemKind = ItemKind.MAIL, categories: tuple[str, ...] = (), draft: bool = False,
            private: bool = False) -> Item:
        box = self.tenant.graph.mailbox(user)
        if kind is ItemKind.APPOINTMENT:
            item = box.put_event(subject, body=text, categories=categories,
                                 sensitivity="private" if private else "normal")
        elif kind is ItemKind.TASK:
            item = box.put_task(subject, body=text, categories=categories, due=datetime(2026, 4, 1, tzinfo=UTC))
        else:
            raw = PLAIN.replace(b"Subject: Quote", f"Subject: {subject}".encode()).replace(b"Hello", text.encode())
            raw = raw.replace(b"Message-ID: <q1@client.example.com>\r\n",
                              f"Message-ID: <{message_id}>\r\n".encode() if message_id else b"")
            item = box.put_mail(raw, folder=folder, categories=categories, draft=draft, sensitivity=2 * private)
        self._boxes[id(item)] = box
        return item

    def move(self, handle: Item, folder: str) -> None:
        self._boxes[id(handle)].move(handle, folder)

    def delete(self, handle: Item) -> None:
        self._boxes[id(handle)].delete(handle)

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        self.tenant.graph.mailbox(user).rename(folder, name)

    def set_categories(self, handle: Item, categories: tuple[str, ...]) -> None:
        self._boxes[id(handle)].change(handle, categories=list(categories))

    def categories(self, handle: Item) -> list[str]:
        return handle.categories

    def stamp(self, handle: Item) -> Stamp | None:
        return stamp_from(*handle.stamp)

    def fault(self, name: str, times: int = 1) -> None:
        graph = self.tenant.graph
        if name == "cursor":
            graph.forget_cursors()
        elif name == "changed":
            item = next(i for i in graph.mailbox(DANA).items)
            box = self._boxes[id(item)]
            graph.fault("PATCH", times=times, before=lambda: box.change(item, importance="high"))
        else:
            status, code, after = {"busy": (429, "ApplicationThrottled", "7"),
                                   "denied": (403, "ErrorAccessDenied", "")}[name]
            graph.fault("", times=times, status=status, code=code, retry_after=after)

    def close(self) -> None:
        self._stack.close()
