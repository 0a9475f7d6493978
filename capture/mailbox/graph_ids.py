"""Where an item is in Exchange Online, as the key of an `ItemRef`.

    <id>                  a message
    event:<id>            an appointment
    invite:<id>           a meeting request in a mail folder; the item is the appointment behind it
    task:<list>:<id>      a task, which is known only inside its list

Graph's ids are base64url and hold no colon. Mailboxes and ids are put into addresses quoted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from capture.ports import ItemKind, ItemRef

What = Literal["message", "event", "invite", "task"]
_PREFIXES: dict[str, What] = {"event": "event", "invite": "invite", "task": "task"}


@dataclass(frozen=True, slots=True, repr=False)
class Place:
    """A key taken apart. `list_id` is the task's list, "" for the others."""

    what: What
    id: str
    list_id: str = ""

    @property
    def key(self) -> str:
        """The key it came from."""
        if self.what == "message":
            return self.id
        return ":".join(filter(None, (self.what, self.list_id, self.id)))

    def url(self, mailbox: str) -> str:
        """The item's address below the version of Graph."""
        if self.what == "task":
            return f"{user(mailbox)}/todo/lists/{quoted(self.list_id)}/tasks/{quoted(self.id)}"
        return f"{user(mailbox)}/{'events' if self.what == 'event' else 'messages'}/{quoted(self.id)}"


def place_of(ref: ItemRef) -> Place:
    """The place a reference names. A bare id of an appointment (from the pane) is an event's."""
    name, colon, rest = ref.key.partition(":")
    what = _PREFIXES.get(name) if colon else None
    if what == "task":
        list_id, _, item = rest.rpartition(":")
        return Place("task", item, list_id)
    if what:
        return Place(what, rest)
    return Place("event" if ref.kind is ItemKind.APPOINTMENT else "message", ref.key)


def reference(mailbox: str, place: Place, identity: str = "") -> ItemRef:
    """The reference to a place; `identity` is the item's own id unless another is given."""
    kind = {"message": ItemKind.MAIL, "task": ItemKind.TASK}.get(place.what, ItemKind.APPOINTMENT)
    return ItemRef(mailbox, place.key, kind, identity or place.id)


def user(mailbox: str) -> str:
    """The address of a mailbox below the version of Graph."""
    return f"/users/{quoted(mailbox)}"


def quoted(value: str) -> str:
    """One segment of an address."""
    return quote(value, safe="")


def literal(value: str) -> str:
    """A string inside an OData filter."""
    return "'" + value.replace("'", "''") + "'"
