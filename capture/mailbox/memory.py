"""Mailboxes in memory: a whole backend with knobs for faults, for tests of everything above the protocol.

It behaves like a server: ids change when an item is moved (`moving_ids`), a cursor is a position in a journal,
the server may forget it, an item may be changed between two calls. `fail` makes the next calls of a method
raise, `before` runs something just before a method does its work.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal

from capture.errors import CursorLost, ItemGone, Parked
from capture.mailbox import composed, filemarks, states
from capture.ports import Changes, Check, Folder, ItemKind, ItemRef, Mailbox, MailItem, Sighting, Stamp
from pii_scan.text import Unread

if TYPE_CHECKING:
    from capture.settings import Settings

FolderKind = Literal["mail", "sent", "calendar", "tasks"]
USUAL: tuple[tuple[str, FolderKind], ...] = (
    ("Inbox", "mail"), ("Sent Items", "sent"), ("Calendar", "calendar"), ("Tasks", "tasks"))


@dataclass(slots=True, repr=False)
class Item:
    """One item. `id` changes when it is moved, `identity` does not; `changed` is its place in the journal."""

    mailbox: str
    folder: str
    raw: bytes
    kind: ItemKind = ItemKind.MAIL
    categories: list[str] = field(default_factory=list)
    stamp: Stamp | None = None
    draft: bool = False
    private: bool = False
    unread: tuple[Unread, ...] = ()
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    identity: str = field(default_factory=lambda: uuid.uuid4().hex)
    changed: int = 0


class MemoryMailbox:
    """Mailboxes that live as long as the object. Safe to use from several threads."""

    def __init__(self, *, trigger: str = states.TRIGGER, page: int = 50, moving_ids: bool = True) -> None:
        self.trigger, self.page, self.moving_ids = trigger, page, moving_ids
        self.items: dict[str, Item] = {}
        self.calls: defaultdict[str, int] = defaultdict(int)
        self.slow_seconds = 0.0
        self._folders: dict[str, dict[str, tuple[str, FolderKind]]] = {}
        self._removed: list[tuple[int, str, ItemRef]] = []
        self._clock, self._epoch = 0, 0
        self._restart: set[str] = set()
        self._faults: defaultdict[str, list[tuple[str, Exception]]] = defaultdict(list)
        self._hooks: dict[str, Callable[[], object]] = {}
        self._woken: list[str] = []
        self._lock = threading.RLock()

    # ------------------------------------------------------------------------------- what users do

    def add_mailbox(self, name: str) -> None:
        """A mailbox with the usual folders."""
        with self._lock:
            self._folders.setdefault(name, {uuid.uuid4().hex: (path, kind) for path, kind in USUAL})

    def add(self, mailbox: str, raw: bytes, *, folder: str = "Inbox", kind: ItemKind = ItemKind.MAIL,
            categories: Sequence[str] = (), draft: bool = False, private: bool = False) -> str:
        """Lay an item into a folder, which is made if need be; returns its identity."""
        with self._lock:
            self.add_mailbox(mailbox)
            item = Item(mailbox, self._folder_key(mailbox, folder), raw, kind, list(categories), None, draft, private)
            self._touch(item)
            self.items[item.identity] = item
            return item.identity

    def set_categories(self, identity: str, categories: Sequence[str]) -> None:
        """What a user does in Outlook."""
        with self._lock:
            self.items[identity].categories = list(categories)
            self._touch(self.items[identity])

    def move(self, identity: str, folder: str) -> None:
        """Move an item; its id changes when `moving_ids`."""
        with self._lock:
            item = self.items[identity]
            self._removed.append((self._tick(), item.folder, self._ref(item)))
            item.folder = self._folder_key(item.mailbox, folder)
            if self.moving_ids:
                item.id = uuid.uuid4().hex
            self._touch(item)

    def delete(self, identity: str) -> None:
        """Delete an item for good."""
        with self._lock:
            item = self.items.pop(identity)
            self._removed.append((self._tick(), item.folder, self._ref(item)))

    def copy(self, identity: str, folder: str) -> str:
        """Copy an item, stamp and categories with it; returns the copy's identity."""
        with self._lock:
            old = self.items[identity]
            copied = Item(old.mailbox, self._folder_key(old.mailbox, folder), old.raw, old.kind, list(old.categories),
                          old.stamp)
            self._touch(copied)
            self.items[copied.identity] = copied
            return copied.identity

    def rename_folder(self, mailbox: str, folder: str, new: str) -> None:
        """Rename a folder; its key stays."""
        with self._lock:
            key = self._folder_key(mailbox, folder)
            self._folders[mailbox][key] = (new, self._folders[mailbox][key][1])

    # -------------------------------------------------------------------------------------- faults

    def fail(self, method: str, error: Exception, *, times: int = 1, mailbox: str = "") -> None:
        """Let the next calls of a method (of one mailbox, or of any) raise."""
        with self._lock:
            self._faults[method] += [(mailbox, error)] * times

    def before(self, method: str, action: Callable[[], object]) -> None:
        """Run `action` once, just before the next call of `method` does its work."""
        self._hooks[method] = action

    def lose_cursors(self) -> None:
        """The server knows no earlier cursor any more."""
        with self._lock:
            self._epoch += 1

    def ignore_cursors(self) -> None:
        """The server silently begins every folder anew at the next question, whatever the cursor."""
        with self._lock:
            self._restart = {key for folders in self._folders.values() for key in folders}

    def wake(self, mailbox: str) -> None:
        """Something may have changed there."""
        with self._lock:
            self._woken.append(mailbox)

    # ------------------------------------------------------------------------------- the protocol

    def mailboxes(self) -> Sequence[str]:
        """Every mailbox that was added."""
        self._enter("mailboxes", "")
        with self._lock:
            return sorted(self._folders)

    def folders(self, mailbox: str) -> Sequence[Folder]:
        """Its folders."""
        self._enter("folders", mailbox)
        with self._lock:
            if mailbox not in self._folders:
                raise Parked("no such mailbox")
            return [Folder(mailbox, key, kind, fast=path in dict(USUAL), path=path)
                    for key, (path, kind) in self._folders[mailbox].items()]

    def changes(self, folder: Folder, cursor: bytes) -> Changes:
        """One page of the journal."""
        self._enter("changes", folder.mailbox)
        with self._lock:
            epoch, _, place = cursor.partition(b" ")
            if cursor and int(epoch) != self._epoch:
                raise CursorLost
            if folder.key not in self._folders.get(folder.mailbox, {}):
                raise ItemGone
            reset = bool(cursor) and folder.key in self._restart
            self._restart.discard(folder.key)
            since = 0 if reset or not cursor else int(place)
            entries = [(item.changed, self._sighting(item)) for item in self.items.values()
                       if item.folder == folder.key and item.changed > since]
            entries += [(at, Sighting(ref, removed=True)) for at, key, ref in self._removed
                        if key == folder.key and at > since]
            entries.sort(key=lambda entry: entry[0])
            page = entries[:self.page]
            end = page[-1][0] if page else max(since, int(place or 0))
            return Changes(tuple(s for _, s in page), b"%d %d" % (self._epoch, end),
                           more=len(entries) > len(page), reset=reset)

    def tagged(self, mailbox: str) -> Iterator[Sighting]:
        """Every tagged item, oldest change first."""
        self._enter("tagged", mailbox)
        with self._lock:
            found = sorted((i for i in self.items.values() if i.mailbox == mailbox), key=lambda i: i.changed)
            yield from [s for s in map(self._sighting, found) if s.tagged]

    def fetch(self, ref: ItemRef) -> MailItem:
        """The item as it was added."""
        self._enter("fetch", ref.mailbox)
        with self._lock:
            item = self._at(ref)
            return MailItem(self._ref(item), item.raw, item.unread, item.private)

    def mark(self, ref: ItemRef, state: str, stamp: Stamp | None = None) -> ItemRef:
        """Categories and stamp in one step."""
        self._enter("mark", ref.mailbox)
        with self._lock:
            item = self._at(ref)
            wanted = states.merged(item.categories, state, self.trigger)
            if wanted != item.categories or stamp != item.stamp:
                item.categories, item.stamp = wanted, stamp
                self._touch(item)
            return self._ref(item)

    def locate(self, ref: ItemRef, capture: str = "", message_id: str = "") -> ItemRef | None:
        """By identity, stamp, Message-ID."""
        self._enter("locate", ref.mailbox)
        with self._lock:
            here = [item for item in self.items.values() if item.mailbox == ref.mailbox]
            wanted = message_id.strip().strip("<>")
            tests: list[Callable[[Item], bool]] = [
                lambda item: bool(ref.identity) and item.identity == ref.identity,
                lambda item: bool(capture) and item.stamp is not None and item.stamp.capture == capture,
                lambda item: bool(wanted) and composed.message_id_of(filemarks.header_of(item.raw)) == wanted]
            return next((self._ref(item) for test in tests for item in here if test(item)), None)

    def wakeups(self, stop: Event) -> Iterator[str]:
        """What `wake` was called with."""
        while not stop.wait(0.02):
            with self._lock:
                woken, self._woken = self._woken, []
            yield from woken

    def check(self, mailbox: str) -> Sequence[Check]:
        """Whether it was added."""
        there = mailbox in self._folders
        return [Check("mailbox-there", there, "in memory" if there else "no such mailbox")]

    def close(self) -> None:
        """Nothing to let go of."""

    # ------------------------------------------------------------------------------------- inside

    def _enter(self, method: str, mailbox: str) -> None:
        with self._lock:
            self.calls[method] += 1
            planned = next((p for p in self._faults[method] if p[0] in ("", mailbox)), None)
            if planned:
                self._faults[method].remove(planned)
            hook = self._hooks.pop(method, None)
        if self.slow_seconds:
            time.sleep(self.slow_seconds)
        if hook:
            hook()
        if planned:
            raise planned[1]

    def _at(self, ref: ItemRef) -> Item:
        for item in self.items.values():
            if item.id == ref.key and item.mailbox == ref.mailbox:
                return item
        raise ItemGone

    def _folder_key(self, mailbox: str, path: str) -> str:
        for key, (name, _) in self._folders[mailbox].items():
            if name == path:
                return key
        key = uuid.uuid4().hex
        self._folders[mailbox][key] = (path, "mail")
        return key

    def _tick(self) -> int:
        self._clock += 1
        return self._clock

    def _touch(self, item: Item) -> None:
        item.changed = self._tick()

    @staticmethod
    def _ref(item: Item) -> ItemRef:
        return ItemRef(item.mailbox, item.id, item.kind, item.identity)

    def _sighting(self, item: Item) -> Sighting:
        return Sighting(self._ref(item), tagged=states.is_tagged(item.categories, self.trigger),
                        state=states.state_of(item.categories), stamp=item.stamp, draft=item.draft)


_SHARED: dict[Path, MemoryMailbox] = {}


def from_settings(settings: Settings) -> MemoryMailbox:
    """The mailboxes of a home in this process: the same object every time."""
    return _SHARED.setdefault(settings.home, MemoryMailbox(trigger=settings.mailbox.trigger))


_: type[Mailbox] = MemoryMailbox
