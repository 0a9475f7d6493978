"""The watching: ask every mailbox what changed, and bring tagged items to the ledger and the queue."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial

from sqlmodel import Session

from capture import pipeline
from capture.errors import CursorLost, ItemGone, StepFailed, Unreachable
from capture.ports import Folder, ItemRef, Sighting
from capture.steps import directly
from capture.wiring import Tools
from store import identity, ledger

log = logging.getLogger("mailweir.watch")

Enqueue = Callable[[Session, str], None]
"""Puts a capture into the queue in the caller's transaction: `Engine.enqueue`."""

BATCH = 50


class Watch:
    """Looks for tagged items in every mailbox and brings each once for every time it was tagged.

    `enqueue` is called in the transaction that registers the capture. `trouble` counts the looks in a row
    that failed as a whole.
    """

    def __init__(self, tools: Tools, enqueue: Enqueue) -> None:
        self.tools, self._enqueue = tools, enqueue
        self.trouble = 0
        self._cursors: dict[tuple[str, str], bytes] = {}
        self._looked = float("-inf")

    def look(self, *, first: bool = False) -> int:
        """Bring what is newly tagged; returns how many items were brought.

        A mailbox that cannot be opened is an error at the start and a warning later. After `engine.attempts` looks
        in a row that failed the error goes on to the caller.
        """
        self._looked = time.monotonic()
        pipeline.deliver(self.tools)
        brought = 0
        try:
            for mailbox in self.tools.mailbox.mailboxes():
                for folder in self.tools.mailbox.folders(mailbox):
                    brought += self._look_into(folder)
        except (Unreachable, StepFailed) as error:
            self.trouble += 1
            if (first and isinstance(error, Unreachable)) or self.trouble >= self.tools.settings.engine.attempts:
                raise
            log.warning("%s; tagged items stay tagged and are found again", error)
        else:
            self.trouble = 0
        return brought

    def due(self) -> bool:
        """True when the mailboxes have not been looked at for `mailbox.poll_seconds`."""
        return time.monotonic() - self._looked >= self.tools.settings.poll_seconds

    def close(self) -> None:
        """Nothing is held open."""

    def _look_into(self, folder: Folder) -> int:
        place = (folder.mailbox, folder.key)
        brought, more = 0, True
        while more:
            try:
                page = self.tools.mailbox.changes(folder, self._cursors.get(place, b""))
            except CursorLost:
                self._cursors.pop(place, None)
                continue
            except ItemGone:
                return brought
            refs = [s.ref for s in page.sightings if self._is_trigger(folder, s)]
            for batch in _batches(refs):
                directly("register", partial(self._bring, batch))
                brought += len(batch)
            self._cursors[place] = page.cursor
            more = page.more
        return brought

    def _is_trigger(self, folder: Folder, sighting: Sighting) -> bool:
        if sighting.removed or sighting.draft:
            return False
        in_folder = self.tools.settings.mailbox.trigger in folder.path.split("/")
        return sighting.tagged or (in_folder and not sighting.state)

    def _bring(self, refs: list[ItemRef]) -> None:
        """Register and queue in one transaction: both or neither."""
        keys = self.tools.keys
        with self.tools.database.session() as session:
            for ref in refs:
                source = identity.source_key(keys, ref.mailbox, ref.identity or ref.key)
                capture = ledger.register(session, ref.mailbox, source,
                                          locator=ledger.seal_locator(keys, ref.mailbox, source, ref.key))
                self._enqueue(session, capture.id)


def _batches(refs: list[ItemRef]) -> Iterator[list[ItemRef]]:
    for start in range(0, len(refs), BATCH):
        yield refs[start:start + BATCH]
