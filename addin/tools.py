"""The scanner, the readers and the mailboxes for pages that need them: made at the first use, shared by all requests.

Loading the language model takes seconds, so a service that shows no case never does it.
"""

from __future__ import annotations

import threading
from typing import Final

from capture.settings import Settings
from capture.wiring import Tools, build_crm, build_extractor, build_mailbox, build_notifier, scanner_or_refusal
from store.crypto import Keys
from store.database import Database


class DeskTools:
    """`tools.get()` from any thread; the database and the keys stay their owner's."""

    def __init__(self, settings: Settings, database: Database, keys: Keys) -> None:
        self._settings, self._database, self._keys = settings, database, keys
        self._lock: Final = threading.Lock()
        self._made: Tools | None = None
        self._warming = False

    def get(self) -> Tools:
        """Everything the flow works with. Raises `BadSettings`."""
        with self._lock:
            if self._made is None:
                settings, database = self._settings, self._database
                self._made = Tools(
                    settings, database, self._keys, build_mailbox(settings, database), build_extractor(settings),
                    scanner_or_refusal(settings), build_crm(settings, database), build_notifier(settings))
            return self._made

    def warm(self) -> None:
        """Begin to make them, if nobody has: whoever looks at the queue opens a case next."""
        if self._made is None and not self._warming:
            self._warming = True
            threading.Thread(target=self.get, name="desk-tools", daemon=True).start()

    def close(self) -> None:
        """Stop what was started."""
        with self._lock:
            if self._made is not None:
                self._made.mailbox.close()
                self._made.extractor.close()
                self._made = None
