"""A home whose mailboxes are in memory, a watch, and a queue worked through by hand: real store, scanner, readers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mailboxes import plain_mail
from world import SETTINGS, make_world

from capture import pipeline
from capture.mailbox.memory import MemoryMailbox
from capture.settings import Settings
from capture.watch import Watch
from capture.wiring import Tools, build_crm, build_notifier, opened

TAG = ("Track in CRM",)
DANA = "dana@example.org"
BUSINESS = "Thank you for the quote. Could we start the course on Monday the 9th at 8:30 in the usual room?\n"


@dataclass
class Rig:
    """One watcher over memory mailboxes."""

    tools: Tools
    mailbox: MemoryMailbox
    queued: list[str] = field(default_factory=list)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = self.watcher()

    def watcher(self, owner: str = "") -> Watch:
        """Another watcher on the same database and mailboxes."""
        return Watch(self.tools, lambda _session, capture: self.queued.append(capture), owner)

    def look(self) -> int:
        """One look everywhere."""
        return self.watch.look(everywhere=True)

    def work(self) -> list[str]:
        """Work the queue through; returns the outcomes."""
        outcomes = []
        while self.queued:
            outcomes.append(pipeline.capture_item(self.queued.pop(0), self.tools))
        return outcomes

    def mail(self, subject: str, *, text: str = BUSINESS, categories: tuple[str, ...] = TAG, user: str = DANA,
             folder: str = "Inbox", message_id: str = "", **more: Any) -> str:
        """Lay a mail into a mailbox."""
        raw = plain_mail(subject, text, message_id or f"{subject}@client.example.com", user=user)
        return self.mailbox.add(user, raw, folder=folder, categories=categories, **more)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with self.tools.database.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(sql))]

    def categories(self, identity: str) -> list[str]:
        """What the item shows."""
        return self.mailbox.items[identity].categories


@contextmanager
def rig(home: Path, extractor: Any, scanner: Any, *, mailbox: MemoryMailbox | None = None,
        settings: str = "") -> Iterator[Rig]:
    """A rig in a new home; `extractor` and `scanner` are real ones, shared between tests because they start slowly."""
    world = make_world(home, SETTINGS + settings)
    chosen: Settings = world.settings
    with opened(chosen) as (database, keys):
        backend = mailbox or MemoryMailbox()
        tools = Tools(chosen, database, keys, backend, extractor, scanner, build_crm(chosen, database),
                      build_notifier(chosen))
        made = Rig(tools, backend)
        try:
            yield made
        finally:
            made.watch.close()


def with_settings(made: Rig, **mailbox: Any) -> None:
    """Change settings of `[mailbox]` for the rest of the test."""
    settings = made.tools.settings
    made.tools = replace(made.tools, settings=settings.model_copy(
        update={"mailbox": settings.mailbox.model_copy(update=mailbox)}))
    made.watch = made.watcher()
