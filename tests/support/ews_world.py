"""The EWS backend in the mailbox contract suite: the fake Exchange server behind it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

from ews_home import ews_settings
from ews_server import serving
from ews_store import Item
from mailboxes import OTHER, USER, plain_mail

from capture.mailbox.ews import EwsMailbox
from capture.ports import ItemKind, Mailbox, Stamp

_KINDS = {ItemKind.MAIL: "Message", ItemKind.APPOINTMENT: "CalendarItem", ItemKind.TASK: "Task"}


class EwsWorld:
    """Two mailboxes on the fake server. A handle is the server's own item."""

    lacks: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, _folder: Path) -> None:
        self._stack = ExitStack()
        self.server = self._stack.enter_context(serving())
        for user in (USER, OTHER):
            self.server.store.add_mailbox(user)
        self.mailbox: Mailbox = EwsMailbox(ews_settings(self.server, USER, OTHER))

    def add(self, user: str, folder: str, *, subject: str, text: str = "Hello.", message_id: str = "",
            kind: ItemKind = ItemKind.MAIL, categories: tuple[str, ...] = (), draft: bool = False,
            private: bool = False) -> tuple[str, Item]:
        known = {"item:Subject": subject, "item:Body": text, "calendar:UID": message_id or f"uid-{subject}",
                 "calendar:Start": "2026-03-09T16:30:00Z", "calendar:End": "2026-03-09T17:30:00Z",
                 "calendar:Organizer": "Dana Reid <dana@example.org>", "task:DueDate": "2026-03-20T00:00:00Z",
                 "item:IsDraft": str(draft).lower(), "item:Sensitivity": "Private" if private else "Normal"}
        mime = plain_mail(subject, text, message_id, user=user) if kind is ItemKind.MAIL else b""
        return user, self.server.store.put(user, folder, _KINDS[kind], mime=mime, categories=categories,
                                           properties=known)

    def move(self, handle: tuple[str, Item], folder: str) -> None:
        user, item = handle
        self.server.store.move(user, item, folder)

    def delete(self, handle: tuple[str, Item]) -> None:
        user, item = handle
        self.server.store.delete(user, item)

    def rename_folder(self, user: str, folder: str, name: str) -> None:
        self.server.store.rename(user, folder, name)

    def set_categories(self, handle: tuple[str, Item], categories: tuple[str, ...]) -> None:
        user, item = handle
        self.server.store.tag(user, item, *categories)

    def categories(self, handle: tuple[str, Item]) -> list[str]:
        return list(handle[1].categories)

    def stamp(self, handle: tuple[str, Item]) -> Stamp | None:
        written = handle[1].extended.get("mailweir-stamp")
        if written is None:
            return None
        capture, generation, state = written.split(" ", 2)
        return Stamp(capture, state, int(generation))

    def fault(self, name: str, times: int = 1) -> None:
        faults = self.server.faults
        if name == "busy":
            faults.add("busy", times=times, wait=7)
        elif name == "denied":
            faults.add("http", times=times, status=403)
        elif name == "cursor":
            faults.add("refuse cursor", "SyncFolderItems", times=times)
        else:
            faults.add("stale", "UpdateItem", times=times, user="Changed meanwhile")

    def close(self) -> None:
        self.mailbox.close()
        self._stack.close()
        assert self.server.problems == []
