"""Mailboxes of the fake Exchange server: folders, items, what changed when, and who listens.

Ids are random in every run, change when an item is moved, and come in pairs that differ in their case only: a
client that folds them loses items. Nothing of mailweir is imported here.
"""

from __future__ import annotations

import base64
import itertools
import queue
import secrets
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

DISTINGUISHED = {  # name -> (display name, element, class)
    "inbox": ("Inbox", "Folder", "IPF.Note"), "sentitems": ("Sent Items", "Folder", "IPF.Note"),
    "drafts": ("Drafts", "Folder", "IPF.Note"), "outbox": ("Outbox", "Folder", "IPF.Note"),
    "deleteditems": ("Deleted Items", "Folder", "IPF.Note"), "junkemail": ("Junk Email", "Folder", "IPF.Note"),
    "calendar": ("Calendar", "CalendarFolder", "IPF.Appointment"), "tasks": ("Tasks", "TasksFolder", "IPF.Task"),
    "contacts": ("Contacts", "ContactsFolder", "IPF.Contact"),
}


@dataclass
class Attached:
    """An attachment as the server lists it. `sort` is file, item or reference. `broken`: it cannot be handed over.
    `in_mime`: the MIME of its mail holds it."""

    name: str
    content: bytes
    sort: str = "file"
    content_type: str = "application/octet-stream"
    broken: bool = False
    key: str = field(default_factory=lambda: secrets.token_urlsafe(24))


@dataclass
class Item:
    """One item. `kind` is the name of its XML element; `properties` its values by field URI."""

    kind: str
    folder: str
    key: str
    change_key: str
    properties: dict[str, str]
    mime: bytes = b""
    categories: list[str] = field(default_factory=list)
    extended: dict[str, str] = field(default_factory=dict)
    attachments: list[Attached] = field(default_factory=list)
    occurrences: list[Item] = field(default_factory=list)
    received: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, tzinfo=UTC))
    search_key: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(16)).decode())


@dataclass
class Folder:
    """One folder. `journal` is what happened in it: (number, "Create" | "Update" | "Delete" | "ReadFlagChange", id)."""

    key: str
    parent: str
    name: str
    element: str = "Folder"
    folder_class: str = "IPF.Note"
    distinguished: str = ""
    journal: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class Mailbox:
    """One user's mailbox."""

    address: str
    folders: dict[str, Folder] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    root: str = ""
    read_only: bool = False
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))


class Store:
    """All mailboxes of the server. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.mailboxes: dict[str, Mailbox] = {}
        self.listeners: dict[str, tuple[str, queue.Queue[tuple[str, str, str]]]] = {}
        self._numbers = itertools.count(1)
        self._twin = ""
        self._secret = secrets.token_hex(4)

    # -------------------------------------------------------------------------------------- what tests do

    def add_mailbox(self, address: str) -> Mailbox:
        """A mailbox with the folders every mailbox has."""
        with self.lock:
            box = Mailbox(address)
            above, box.root = self.new_id(), self.new_id()
            box.folders[above] = Folder(above, "", "Root", folder_class="", distinguished="root")
            box.folders[box.root] = Folder(box.root, above, "Top of Information Store", distinguished="msgfolderroot")
            for name, (shown, element, folder_class) in DISTINGUISHED.items():
                key = self.id_in(box) if name == "inbox" else self.new_id()
                box.folders[key] = Folder(key, box.root, shown, element, folder_class, name)
            self.mailboxes[address.casefold()] = box
            return box

    def box(self, address: str) -> Mailbox:
        """A mailbox by its address."""
        return self.mailboxes[address.casefold()]

    def folder(self, address: str, path: str) -> Folder:
        """A folder by its path ("Inbox/Clients") or distinguished name; made when there is none."""
        with self.lock:
            box = self.box(address)
            for folder in box.folders.values():
                if folder.distinguished == path:
                    return folder
            parent = box.folders[box.root]
            for name in path.split("/"):
                found = next((f for f in box.folders.values() if f.parent == parent.key and f.name == name), None)
                if found is None:
                    found = Folder(self.new_id(), parent.key, name, parent.element if parent.element != "Folder"
                                   else "Folder", parent.folder_class)
                    box.folders[found.key] = found
                parent = found
            return parent

    def put(self, address: str, path: str, kind: str = "Message", *, mime: bytes = b"",
            categories: tuple[str, ...] = (), properties: dict[str, str] | None = None,
            attachments: tuple[Attached, ...] = (), minutes: int = 0) -> Item:
        """A new item in a folder."""
        with self.lock:
            folder = self.folder(address, path)
            item = Item(kind, folder.key, self.new_id(), self.new_change_key(), dict(properties or {}), mime,
                        list(categories), attachments=list(attachments))
            item.received += timedelta(minutes=minutes + len(self.box(address).items))
            self.box(address).items[item.key] = item
            self.note(address, folder.key, "Create", item.key)
            return item

    def occurrence(self, address: str, master: Item, start: str, *, categories: tuple[str, ...] = ()) -> Item:
        """A changed occurrence of a series: it has an id of its own, and the folder tells of the master only."""
        with self.lock:
            one = Item("CalendarItem", master.folder, self.new_id(), self.new_change_key(),
                       master.properties | {"calendar:RecurrenceId": start, "calendar:CalendarItemType": "Exception",
                                            "calendar:Start": start}, categories=list(categories))
            master.occurrences.append(one)
            self.box(address).items[one.key] = one
            self.note(address, master.folder, "Update", master.key)
            return one

    def tag(self, address: str, item: Item, *names: str) -> None:
        """A user sets the categories of an item."""
        with self.lock:
            item.categories = list(names)
            self.touch(address, item)

    def touch(self, address: str, item: Item) -> None:
        """Something about an item changed."""
        item.change_key = self.new_change_key()
        master = self.master_of(address, item)
        self.note(address, item.folder, "Update", (master or item).key)

    def master_of(self, address: str, item: Item) -> Item | None:
        """The series of an occurrence."""
        return next((one for one in self.box(address).items.values() if item in one.occurrences), None)

    def read(self, address: str, item: Item) -> None:
        """A user reads an item; the change key stays."""
        self.note(address, item.folder, "ReadFlagChange", item.key)

    def move(self, address: str, item: Item, path: str) -> None:
        """A user moves an item: it gets a new id."""
        with self.lock:
            box, target = self.box(address), self.folder(address, path)
            del box.items[item.key]
            self.note(address, item.folder, "Delete", item.key)
            item.key, item.folder, item.change_key = self.new_id(), target.key, self.new_change_key()
            box.items[item.key] = item
            self.note(address, target.key, "Create", item.key)

    def delete(self, address: str, item: Item) -> None:
        """A user deletes an item for good."""
        with self.lock:
            self.box(address).items.pop(item.key, None)
            self.note(address, item.folder, "Delete", item.key)

    def rename(self, address: str, path: str, name: str) -> None:
        """A user renames a folder; its id stays."""
        self.folder(address, path).name = name

    # ---------------------------------------------------------------------------------- what the server does

    def new_id(self) -> str:
        """A random id; every second one is the one before in the other case."""
        with self.lock:
            if self._twin:
                made, self._twin = self._twin, ""
                return made
            made = base64.b64encode(b"\x00\x01" + secrets.token_bytes(46)).decode()
            self._twin = made.swapcase()
            return made

    @staticmethod
    def id_in(box: Mailbox) -> str:
        """A random id that names its mailbox, as newer servers make them."""
        return base64.b64encode(b"\x00\x03\x24\x00" + box.guid.encode() + secrets.token_bytes(20)).decode()

    def new_change_key(self) -> str:
        """A random change key."""
        return base64.b64encode(secrets.token_bytes(12)).decode()

    def note(self, address: str, folder: str, what: str, key: str) -> None:
        """Write into a folder's journal and tell who listens."""
        with self.lock:
            self.box(address).folders[folder].journal.append((next(self._numbers), what, key))
            for listener, events in self.listeners.values():
                if listener == address.casefold():
                    events.put((what, folder, key))

    def state(self, folder: Folder, number: int) -> str:
        """A sync state."""
        return base64.b64encode(f"{self._secret} {folder.key} {number}".encode()).decode()

    def number(self, folder: Folder, state: str) -> int | None:
        """Where a sync state stands; None when it is none of this folder and run."""
        try:
            secret, key, number = base64.b64decode(state, validate=True).decode().split(" ")
        except (ValueError, UnicodeDecodeError):
            return None
        return int(number) if (secret, key) == (self._secret, folder.key) else None

    def changes(self, folder: Folder, since: int, most: int) -> tuple[list[tuple[str, str]], int, bool]:
        """What happened after a number, each item once: ([(what, id)] newest first, new number, whether all)."""
        with self.lock:
            new = [event for event in folder.journal if event[0] > since]
            made = {key for _, what, key in new if what == "Create"}
            last: dict[str, tuple[int, str]] = {}
            for number, what, key in new:
                last.pop(key, None)
                shown = "Create" if key in made and what != "Delete" else what
                last[key] = (number, shown)
            ordered = [(number, what, key) for key, (number, what) in last.items()
                       if not (what == "Delete" and key in made)]
            page, rest = ordered[:most], ordered[most:]
            end = page[-1][0] if rest else max([since, *(event[0] for event in new)])
            return [(what, key) for _, what, key in reversed(page)], end, not rest

    def in_folder(self, address: str, folder: str) -> Iterator[Item]:
        """The items of a folder, oldest first; occurrences do not lie in it."""
        box = self.box(address)
        hidden = {one.key for item in box.items.values() for one in item.occurrences}
        yield from sorted((item for item in box.items.values() if item.folder == folder and item.key not in hidden),
                          key=lambda item: (item.received, item.key))

    def below(self, address: str, key: str) -> Iterator[Folder]:
        """Every folder below a folder."""
        for folder in list(self.box(address).folders.values()):
            if folder.parent == key:
                yield folder
                yield from self.below(address, folder.key)
