"""Mailboxes in Exchange Online, through Microsoft Graph.

The pieces: `graph_watch` (folders, deltas, tags), `graph_items` (fetch, mark, locate), `graph_hooks`
(notifications), `graph_check`; under them `graph_http` (pace, token, errors), `graph_parse` (what the JSON says)
and `graph_errors` (what an error means). Never for Exchange on-premises: that is EWS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event

from capture.clouds import cloud_of
from capture.mailbox import graph_check, states
from capture.mailbox.graph_hooks import Subscriptions
from capture.mailbox.graph_http import GraphHttp
from capture.mailbox.graph_items import GraphItems
from capture.mailbox.graph_watch import GraphWatch
from capture.mailbox.tokens import TokenProvider, graph_tokens
from capture.pace import PATIENCE
from capture.ports import Changes, Check, Folder, ItemRef, Mailbox, MailItem, Sighting, Stamp
from capture.settings import GraphSettings, Settings
from store.database import Database, open_database


class GraphMailbox:
    """The mailboxes of one tenant. Thread-safe. `ItemRef.mailbox` is the address (or Entra id) of a mailbox.

    `database` keeps the subscriptions, is needed only with `graph.webhook_url`, and is closed with the mailbox.
    """

    def __init__(self, settings: GraphSettings, tokens: TokenProvider, *, database: Database | None = None,
                 trigger: str = states.TRIGGER, exclude: Sequence[str] = (), patience: float = PATIENCE) -> None:
        self._settings, self._tokens = settings, tokens
        self.http = GraphHttp(cloud_of(settings).graph, tokens, timeout=settings.timeout_seconds,
                              ca_file=settings.ca_file, patience=patience)
        self._watch = GraphWatch(self.http, settings, trigger=trigger, exclude=exclude)
        self._items = GraphItems(self.http, limit=settings.max_mime_bytes, tasks=settings.tasks, trigger=trigger)
        self._subscriptions = (Subscriptions(self.http, database, settings.webhook_url)
                               if settings.webhook_url and database is not None else None)
        self._database = database

    def __repr__(self) -> str:
        return "GraphMailbox(...)"

    def mailboxes(self) -> list[str]:
        """Those of `graph.mailboxes`, each once whatever its case."""
        found = {name.casefold(): name for name in reversed(self._settings.mailboxes)}
        return sorted(found.values(), key=str.casefold)

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """See `capture.ports.Mailbox`."""
        return self._watch.folders(mailbox)

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """See `capture.ports.Mailbox`."""
        return self._watch.changes(folder, cursor)

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """See `capture.ports.Mailbox`."""
        return self._watch.tagged(mailbox)

    def fetch(self, ref: ItemRef) -> MailItem:
        """See `capture.ports.Mailbox`."""
        return self._items.fetch(ref)

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """See `capture.ports.Mailbox`."""
        return self._items.mark(ref, state, stamp)

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """See `capture.ports.Mailbox`."""
        return self._items.locate(ref, capture, message_id)

    def wakeups(self, stop: Event) -> Iterator[str]:
        """Looks after the subscriptions; see `graph_hooks`. Nothing at all without `graph.webhook_url`."""
        if self._subscriptions is not None:
            resources = ["messages", *(["events"] if self._settings.calendar else [])]
            yield from self._subscriptions.wakeups(stop, self.mailboxes, resources)

    def check(self, mailbox: str) -> Sequence[Check]:
        """See `capture.ports.Mailbox`."""
        webhook = self._subscriptions.check if self._subscriptions else None
        return graph_check.check(self.http, self._tokens, self._settings, mailbox, webhook)

    def close(self) -> None:
        """Let go of connections and tokens."""
        self.http.close()
        self._tokens.close()
        if self._database is not None:
            self._database.close()


def from_settings(settings: Settings) -> GraphMailbox:
    """The backend of a home. Raises `BadSettings` naming what is missing."""
    tokens = graph_tokens(settings)
    database = open_database(settings.database_url, pool_size=4) if settings.graph.webhook_url else None
    return GraphMailbox(settings.graph, tokens, database=database, trigger=settings.mailbox.trigger,
                        exclude=settings.mailbox.exclude)


_: type[Mailbox] = GraphMailbox
