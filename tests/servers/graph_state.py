"""Mailboxes in memory behind the Graph stand-in, and what their users do to them in a test.

    box = graph.mailbox("dana@example.org")
    item = box.put_mail(raw, folder="Inbox/Clients", categories=["Track in CRM"])
    box.tag(item); box.untag(item); box.move(item, "Archive"); box.delete(item); box.rename("Inbox/Clients", "New")
    item.categories, item.stamp

Every item has an id that stays (`immutable`) and one that changes with every move (`regular`).
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import graph_shapes as shapes

WELL_KNOWN = {"Inbox": "inbox", "Sent Items": "sentitems", "Deleted Items": "deleteditems", "Junk Email": "junkemail",
              "Drafts": "drafts", "Outbox": "outbox", "Archive": "archive"}


@dataclass
class Item:
    """A message, event or task. `shape` is its JSON without id, etag and folder."""

    what: str
    shape: dict[str, Any]
    folder: str
    immutable: str = field(default_factory=shapes.new_id)
    regular: str = field(default_factory=lambda: shapes.new_id("AAMkAD"))
    raw: bytes = b""
    properties: dict[str, str] = field(default_factory=dict)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)
    linked: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    etag: str = field(default_factory=lambda: f'W/"{secrets.token_urlsafe(12)}"')
    gone: bool = False
    event: Item | None = None
    occurrences: list[dict[str, Any]] = field(default_factory=list)

    @property
    def categories(self) -> list[str]:
        found: list[str] = self.shape["categories"]
        return found

    @property
    def stamp(self) -> tuple[str, str]:
        """The two strings of the named properties (or of the linked resource), ("", "") without them."""
        values = {name.rpartition(" ")[2]: value for name, value in self.properties.items()}
        for link in self.linked:
            return link["externalId"], link["displayName"]
        return values.get("mailweir-capture", ""), values.get("mailweir-state", "")


@dataclass
class FolderState:
    id: str
    name: str
    parent: str


@dataclass
class Change:
    """One line of a collection's journal: the item, and which properties changed (None = all)."""

    seq: int
    item: Item
    fields: set[str] | None
    present: bool


class BoxState:
    """One mailbox. All methods lock."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.lock = threading.RLock()
        self.root = shapes.new_id("AQMk")
        self.folders: dict[str, FolderState] = {}
        self.well_known: dict[str, str] = {}
        self.items: list[Item] = []
        self.by_id: dict[str, Item] = {}
        self.lists: dict[str, str] = {}
        self.calendars = {shapes.new_id("AAkCal"): "Calendar"}
        self.journal: dict[str, list[Change]] = {}
        self.seq = 0
        self.master_categories = [shapes.category_json("Red category", "preset0")]
        self.listeners: list[Any] = []
        for name, known in WELL_KNOWN.items():
            self.well_known[known] = self.folder(name)
        self.list("Tasks")
        self.lists[shapes.new_id("AQMkList")] = "Flagged Emails"

    # ------------------------------------------------------------------------------------- what users do

    def folder(self, path: str) -> str:
        """The id of a mail folder, made with its parents when it is not there."""
        with self.lock:
            parent = self.root
            for name in path.split("/"):
                found = [f for f in self.folders.values() if f.parent == parent and f.name == name]
                if not found:
                    found = [FolderState(shapes.new_id("AQMk"), name, parent)]
                    self.folders[found[0].id] = found[0]
                parent = found[0].id
            return parent

    def list(self, name: str) -> str:
        with self.lock:
            for key, there in self.lists.items():
                if there == name:
                    return key
            key = shapes.new_id("AQMkList")
            self.lists[key] = name
            return key

    def put_mail(self, raw: bytes, *, folder: str = "Inbox", categories: tuple[str, ...] | list[str] = (),
                 draft: bool = False, sensitivity: int = 0, invite: str = "", event: Item | None = None,
                 links: int = 0) -> Item:
        """Lay a mail into a folder; `links` more attachments are links to cloud files."""
        shape = shapes.message_json(raw, invite=invite) | {"categories": list(categories), "isDraft": draft}
        item = Item("messages", shape, self.folder(folder), raw=raw, event=event,
                    attachments=shapes.attachments_of(raw))
        item.attachments += [shapes.attachment_json("reference", f"shared {n}.docx", "", 0) for n in range(links)]
        if sensitivity:
            item.properties["Integer 0x36"] = str(sensitivity)
        return self._add(item)

    def put_event(self, subject: str = "Meeting", *, start: datetime | None = None, body: str = "Agenda",
                  attendees: tuple[tuple[str, str], ...] = (("Rose Antoine", "rose@client.example.com"),),
                  categories: tuple[str, ...] | list[str] = (), sensitivity: str = "normal", series: int = 0,
                  files: tuple[tuple[str, bytes], ...] = (), calendar: str = "Calendar") -> Item:
        """An appointment; `series` > 0 makes it a weekly series with so many occurrences."""
        begin = start or datetime.now().astimezone() + timedelta(days=3)
        shape = shapes.event_json(subject=subject, start=begin, end=begin + timedelta(hours=1), body=body,
                                  attendees=list(attendees), sensitivity=sensitivity,
                                  kind="seriesMaster" if series else "singleInstance")
        shape |= {"categories": list(categories), "hasAttachments": bool(files)}
        key = next((k for k, name in self.calendars.items() if name == calendar), "") or shapes.new_id("AAkCal")
        self.calendars[key] = calendar
        item = Item("events", shape, key)
        item.occurrences = [shapes.occurrence_json(item.immutable, begin + timedelta(weeks=n),
                                                   begin + timedelta(weeks=n, hours=1)) for n in range(series)]
        self._enclose(item, "file", files)
        return self._add(item)

    def put_exception(self, master: Item, *, weeks: int = 1, categories: tuple[str, ...] | list[str] = ()) -> Item:
        """One meeting of a series that differs from it."""
        start = datetime.fromisoformat(master.shape["start"]["dateTime"][:19] + "+00:00") + timedelta(weeks=weeks)
        shape = shapes.event_json(subject=master.shape["subject"], start=start, end=start + timedelta(hours=1),
                                  body="Moved", attendees=[], kind="exception", master=master.immutable,
                                  uid=master.shape["iCalUId"], original=start)
        return self._add(Item("events", shape | {"categories": list(categories)}, master.folder))

    def put_task(self, title: str = "Call back", *, body: str = "", due: datetime | None = None,
                 list_name: str = "Tasks", categories: tuple[str, ...] | list[str] = (),
                 files: tuple[tuple[str, bytes], ...] = (), steps: tuple[str, ...] = ()) -> Item:
        shape = shapes.task_json(title=title, body=body, due=due) | {"categories": list(categories)}
        item = Item("tasks", shape | {"hasAttachments": bool(files)}, self.list(list_name))
        item.regular = item.immutable = shapes.new_id("AAMkTask")
        item.steps = [{"id": secrets.token_hex(8), "displayName": step, "isChecked": False,
                       "createdDateTime": "2026-03-03T09:15:00Z"} for step in steps]
        self._enclose(item, "taskFile", files)
        return self._add(item)

    def tag(self, item: Item, category: str = "Track in CRM") -> None:
        if category not in item.categories:
            self.change(item, categories=[*item.categories, category])

    def untag(self, item: Item, category: str = "Track in CRM") -> None:
        self.change(item, categories=[name for name in item.categories if name != category])

    def change(self, item: Item, **fields: Any) -> None:
        """Change properties, as a client does: new etag, one line in the journal."""
        with self.lock:
            item.shape |= fields
            self.touched(item, set(fields))

    def move(self, item: Item, folder: str) -> None:
        """To another folder: the regular id changes, and no journal says "moved"."""
        with self.lock:
            self._note(item, None, present=False)
            item.folder = self.folder(folder)
            self.by_id.pop(item.regular, None)
            item.regular = shapes.new_id("AAMkAD")
            self.by_id[item.regular] = item
            self._note(item, None, present=True)

    def delete(self, item: Item) -> None:
        """For good, not into Deleted Items."""
        with self.lock:
            item.gone = True
            self.items.remove(item)
            self._note(item, None, present=False)

    def rename(self, path: str, name: str) -> None:
        with self.lock:
            self.folders[self.folder(path)].name = name

    def touched(self, item: Item, fields: set[str] | None) -> None:
        """The item was written: new etag, journal, listeners."""
        with self.lock:
            item.etag = f'W/"{secrets.token_urlsafe(12)}"'
            self._note(item, fields, present=True)

    # ----------------------------------------------------------------------------------------- inside

    def find(self, id_: str, what: str) -> Item | None:
        with self.lock:
            item = self.by_id.get(id_)
            return item if item is not None and item.what == what and not item.gone else None

    def within(self, folder: str) -> list[Item]:
        with self.lock:
            return [item for item in self.items if item.folder == folder]

    def _add(self, item: Item) -> Item:
        with self.lock:
            self.items.append(item)
            self.by_id |= {item.immutable: item, item.regular: item}
            self._note(item, None, present=True)
        return item

    def _note(self, item: Item, fields: set[str] | None, *, present: bool) -> None:
        self.seq += 1
        self.journal.setdefault(item.folder, []).append(Change(self.seq, item, fields, present))
        for listener in self.listeners:
            listener(self, item)

    @staticmethod
    def _enclose(item: Item, kind: str, files: tuple[tuple[str, bytes], ...]) -> None:
        for name, data in files:
            entry = shapes.attachment_json(kind, name, "application/octet-stream", len(data))
            item.attachments.append(entry)
            item.contents[entry["id"]] = data
