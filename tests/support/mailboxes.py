"""What the mailbox contract suite needs of a backend: a small world with users in it, and knobs for faults.

A backend joins the suite by one line in `WORLDS`: "module:class" of a `MailWorld`, imported only when its tests run.
The module lies in `tests/support/` or `tests/servers/`. A world that cannot do a thing says so in `lacks`.
"""

from __future__ import annotations

import sys
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol

from capture.errors import Changed, Parked, TryLater
from capture.mailbox import composed, filemarks
from capture.mailbox.folder import FolderMailbox
from capture.mailbox.memory import MemoryMailbox
from capture.ports import ItemKind, Mailbox, Stamp

sys.path.insert(0, str(Path(__file__).parent.parent / "servers"))

USER = "dana@example.org"
OTHER = "lee@example.org"


class MailWorld(Protocol):
    """A backend with two empty mailboxes, `USER` and `OTHER`, each with the folders Inbox, Sent Items, Calendar,
    Tasks and Drafts. `folder` arguments are paths below the mailbox ("Inbox/Clients"), made when missing.

    `lacks` names what the backend does not have: "fault:busy", "fault:denied", "fault:cursor", "fault:changed",
    "drafts", "private", "tasks", "unreachable".
    """

    lacks: frozenset[str]

    @property
    def mailbox(self) -> Mailbox:
        """The backend under test, connected to the world."""

    def add(self, user: str, folder: str, *, subject: str, text: str = "Hello.", message_id: str = "",
            kind: ItemKind = ItemKind.MAIL, categories: tuple[str, ...] = (), draft: bool = False,
            private: bool = False) -> Any:
        """Lay an item into a folder; returns a handle that stays good when the item is moved."""

    def move(self, handle: Any, folder: str) -> None:
        """Move an item within its mailbox."""

    def delete(self, handle: Any) -> None:
        """Delete an item for good."""

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        """Rename a folder; `name` replaces the last part of its path."""

    def set_categories(self, handle: Any, categories: tuple[str, ...]) -> None:
        """What its user does in Outlook: these categories and no others."""

    def categories(self, handle: Any) -> list[str]:
        """The categories on it."""

    def stamp(self, handle: Any) -> Stamp | None:
        """Our stamp on it."""

    def fault(self, name: str, times: int = 1) -> None:
        """Let the next requests meet a fault: "busy" (the server asks for a pause of 7 s), "denied" (403 or the
        like), "cursor" (every cursor given out so far is refused once), "changed" (the item changes under the next
        `times` writes)."""

    def close(self) -> None:
        """Stop servers."""


WORLDS: dict[str, str] = {
    "ews": "ews_world:EwsWorld",
    "folder": "mailboxes:FolderWorld",
    "graph": "graph_world:GraphWorld",
    "memory": "mailboxes:MemoryWorld",
}
"""Backend kind -> "module:class"; the class is called with a folder of its own to work in."""


def open_world(kind: str, folder: Path) -> MailWorld:
    """The world of a backend."""
    module, _, name = WORLDS[kind].partition(":")
    made: MailWorld = getattr(import_module(module), name)(folder)
    return made


def plain_mail(subject: str, text: str, message_id: str, *, user: str = USER) -> bytes:
    """A mail as bytes, CRLF line ends."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Rose Antoine <rose@client.example.com>", user, subject
    message["Date"] = "Tue, 03 Mar 2026 09:15:00 -0800"
    if message_id:
        message["Message-ID"] = f"<{message_id}>"
    message.set_content(text)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def calendar_file(kind: ItemKind, subject: str, text: str, uid: str, *, private: bool = False) -> bytes:
    """An event or a task as an .ics file."""
    name = "VTODO" if kind is ItemKind.TASK else "VEVENT"
    times = "DUE;VALUE=DATE:20260320" if kind is ItemKind.TASK else "DTSTART:20260309T163000Z\r\nDTEND:20260309T173000Z"
    private_line = "CLASS:PRIVATE\r\n" if private else ""
    return (f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:{name}\r\nUID:{uid}\r\nDTSTAMP:20260303T171500Z\r\n{times}\r\n"
            f"SUMMARY:{subject}\r\nDESCRIPTION:{text}\r\nORGANIZER;CN=Dana Reid:mailto:dana@example.org\r\n"
            f"{private_line}END:{name}\r\nEND:VCALENDAR\r\n").encode()


class FolderWorld:
    """The folder backend in a directory."""

    lacks: ClassVar[frozenset[str]] = frozenset({"fault:busy", "fault:denied", "fault:cursor", "fault:changed"})

    def __init__(self, folder: Path) -> None:
        self.root = folder / "mail"
        for user in (USER, OTHER):
            for name in ("Inbox", "Sent Items", "Calendar", "Tasks", "Drafts"):
                (self.root / user / name).mkdir(parents=True)
        self.mailbox: Mailbox = FolderMailbox(self.root)
        self._paths: dict[int, Path] = {}

    def add(self, user: str, folder: str, *, subject: str, text: str = "Hello.", message_id: str = "",
            kind: ItemKind = ItemKind.MAIL, categories: tuple[str, ...] = (), draft: bool = False,
            private: bool = False) -> int:
        handle = len(self._paths) + 1
        suffix = "eml" if kind is ItemKind.MAIL else "ics"
        path = self.root / user / folder / f"item{handle}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind is ItemKind.MAIL:
            raw = plain_mail(subject, text, message_id, user=user)
            raw = (b"X-Unsent: 1\r\n" if draft else b"") + (b"Sensitivity: Private\r\n" if private else b"") + raw
        else:
            raw = calendar_file(kind, subject, text, message_id or f"uid{handle}@example.org", private=private)
        path.write_bytes(raw)
        self._paths[handle] = path
        if categories:
            self.set_categories(handle, categories)
        return handle

    def move(self, handle: int, folder: str) -> None:
        old = self._paths[handle]
        user = old.relative_to(self.root).parts[0]
        new = self.root / user / folder / old.name
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        self._paths[handle] = new

    def delete(self, handle: int) -> None:
        self._paths[handle].unlink()

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        old = self.root / user / folder
        old.rename(old.with_name(name))
        for handle, path in self._paths.items():
            if old in path.parents:
                self._paths[handle] = old.with_name(name) / path.relative_to(old)

    def set_categories(self, handle: int, categories: tuple[str, ...]) -> None:
        path = self._paths[handle]
        raw = path.read_bytes()
        style = filemarks.MAIL if path.suffix == ".eml" else filemarks.CALENDAR
        stamp = style.stamp(raw)
        bare = style.marked(style.without_marks(raw), "", stamp, "")
        if path.suffix == ".eml":
            line = f"Keywords: {', '.join(categories)}\r\n".encode() if categories else b""
            path.write_bytes(line + bare)
        else:
            line = f"CATEGORIES:{','.join(categories)}\r\n".encode() if categories else b""
            head, begin, rest = bare.partition(b"UID:")
            path.write_bytes(head + line + begin + rest)

    def categories(self, handle: int) -> list[str]:
        path = self._paths[handle]
        style = filemarks.MAIL if path.suffix == ".eml" else filemarks.CALENDAR
        return style.categories(path.read_bytes())

    def stamp(self, handle: int) -> Stamp | None:
        path = self._paths[handle]
        style = filemarks.MAIL if path.suffix == ".eml" else filemarks.CALENDAR
        return style.stamp(path.read_bytes())

    def fault(self, name: str, times: int = 1) -> None:
        raise NotImplementedError(name, times)

    def close(self) -> None:
        self.mailbox.close()


class MemoryWorld:
    """The memory backend."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, _folder: Path) -> None:
        self.backend = MemoryMailbox(page=3)
        for user in (USER, OTHER):
            self.backend.add_mailbox(user)
        self.mailbox: Mailbox = self.backend

    def add(self, user: str, folder: str, *, subject: str, text: str = "Hello.", message_id: str = "",
            kind: ItemKind = ItemKind.MAIL, categories: tuple[str, ...] = (), draft: bool = False,
            private: bool = False) -> str:
        raw = plain_mail(subject, text, message_id, user=user) if kind is ItemKind.MAIL else composed.from_calendar(
            calendar_file(kind, subject, text, message_id or "uid@example.org"))
        return self.backend.add(user, raw, folder=folder, kind=kind, categories=categories, draft=draft,
                                private=private)

    def move(self, handle: str, folder: str) -> None:
        self.backend.move(handle, folder)

    def delete(self, handle: str) -> None:
        self.backend.delete(handle)

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        self.backend.rename_folder(user, folder, "/".join([*folder.split("/")[:-1], name]))

    def set_categories(self, handle: str, categories: tuple[str, ...]) -> None:
        self.backend.set_categories(handle, categories)

    def categories(self, handle: str) -> list[str]:
        return list(self.backend.items[handle].categories)

    def stamp(self, handle: str) -> Stamp | None:
        return self.backend.items[handle].stamp

    def fault(self, name: str, times: int = 1) -> None:
        if name == "cursor":
            self.backend.lose_cursors()
            return
        method = "mark" if name == "changed" else "fetch"
        error = {"busy": TryLater("planned", wait=7), "denied": Parked("planned"), "changed": Changed()}[name]
        for target in ("fetch", "changes", "mark") if name in ("busy", "denied") else (method,):
            self.backend.fail(target, error, times=times)

    def close(self) -> None:
        self.mailbox.close()
