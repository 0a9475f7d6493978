"""What an EWS item element says to the watching: which item, tagged or not, which state, whose stamp.

The identity of an item, by which a capture is recognised after a move (an ItemId changes on every move):

| Kind | Identity |
|---|---|
| mail | its Message-ID; without one there is none, and our stamp finds it again |
| appointment | its UID; an occurrence has the UID and its RecurrenceId (its original start, UTC) |
| task | its search key, which is kept by a move |

A copy keeps Message-ID, UID and search key, so copies in one mailbox are one item here, as they are in the CRM.
ItemIds are case-sensitive and are never folded.
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

from capture.mailbox import states
from capture.mailbox.ews_calls import SEARCH_KEY, STAMP_NAME, tag
from capture.ports import ItemKind, ItemRef, Sighting, Stamp

Element = Any  # lxml ships no types

MAIL_FIELDS: Final = ("item:Categories", "item:IsDraft", "message:InternetMessageId", "stamp")
CALENDAR_FIELDS: Final = ("item:Categories", "calendar:UID", "calendar:RecurrenceId", "calendar:CalendarItemType",
                          "stamp")
TASK_FIELDS: Final = ("item:Categories", "searchkey", "stamp")
FIELDS: Final = {"mail": MAIL_FIELDS, "sent": MAIL_FIELDS, "calendar": CALENDAR_FIELDS, "tasks": TASK_FIELDS}
"""What a sync of a folder asks for: each property is one more call to the store, so no others."""
FIELDS_BY_KIND: Final = {ItemKind.MAIL: MAIL_FIELDS, ItemKind.APPOINTMENT: CALENDAR_FIELDS,
                         ItemKind.TASK: TASK_FIELDS}

_KINDS: Final = {"Message": ItemKind.MAIL, "SharingMessage": ItemKind.MAIL, "Item": ItemKind.MAIL,
                 "CalendarItem": ItemKind.APPOINTMENT, "Task": ItemKind.TASK}
KIND_OF_FOLDER: Final = {"mail": ItemKind.MAIL, "sent": ItemKind.MAIL, "calendar": ItemKind.APPOINTMENT,
                         "tasks": ItemKind.TASK}
_STAMP: Final = re.compile(r"(?P<capture>[\w.:-]{1,64}) (?P<generation>\d{1,9}) (?P<state>[a-z ]{0,32})", re.ASCII)


def text(element: Element, name: str) -> str:
    """The text of a child element, "" when there is none."""
    return (element.findtext(tag(name)) or "").strip()


def key_of(element: Element) -> str:
    """The ItemId of an item element, or of the ItemId element itself."""
    found = element if etree.QName(element).localname == "ItemId" else element.find(tag("ItemId"))
    return "" if found is None else found.get("Id") or ""


def kind_of(element: Element) -> ItemKind | None:
    """What an item is to us; None for meeting requests, contacts, posts and the like, which are not tracked
    (a meeting is tracked by its appointment)."""
    return _KINDS.get(etree.QName(element).localname)


def categories(element: Element) -> list[str]:
    """The categories of an item, in its user's order."""
    return [name.text or "" for name in element.iterfind(f"{tag('Categories')}/{tag('String')}")]


def identity_of(element: Element, kind: ItemKind) -> str:
    """What stays the same when the item is moved; "" when the server offers nothing. See the table above."""
    if kind is ItemKind.APPOINTMENT:
        uid, occurrence = text(element, "UID"), text(element, "RecurrenceId")
        return f"uid:{uid}" + (f":{occurrence}" if occurrence else "") if uid else ""
    if kind is ItemKind.MAIL:
        message_id = text(element, "InternetMessageId")
        return f"mid:{message_id}" if message_id else ""
    key = _property(element, SEARCH_KEY)
    return f"key:{key}" if key else ""


def message_id_of(identity: str) -> str:
    """The Message-ID in an identity, as the server wrote it; "" when it holds none."""
    return identity.removeprefix("mid:") if identity.startswith("mid:") else ""


def normal(message_id: str) -> str:
    """A Message-ID without brackets and blanks, the domain folded (it has no case, the rest has)."""
    local, at, domain = "".join(message_id.split()).strip("<>").rpartition("@")
    return f"{local}{at}{domain.casefold()}" if at else domain


def reference(mailbox: str, element: Element, kind: ItemKind) -> ItemRef:
    """The reference of an item."""
    return ItemRef(mailbox, key_of(element), kind, identity_of(element, kind))


def sighting(mailbox: str, element: Element, trigger: str) -> Sighting | None:
    """What the watching sees of an item; None when it is of a kind that is not tracked."""
    kind = kind_of(element)
    if kind is None or not key_of(element):
        return None
    names = categories(element)
    return Sighting(reference(mailbox, element, kind), tagged=states.is_tagged(names, trigger),
                    state=states.state_of(names), stamp=read_stamp(element), draft=text(element, "IsDraft") == "true")


def is_series(element: Element) -> bool:
    """Whether an appointment is the master of a series."""
    return text(element, "CalendarItemType") == "RecurringMaster"


def written(stamp: Stamp) -> str:
    """The stamp as the value of our named property: capture, generation, state. The capture comes first, so that it
    can be searched for."""
    return f"{stamp.capture} {stamp.generation} {stamp.state}"


def read_stamp(element: Element) -> Stamp | None:
    """Our stamp on an item; None without one, or when somebody else wrote into our property."""
    match = _STAMP.fullmatch(_property(element, STAMP_NAME))
    return Stamp(match["capture"], match["state"], int(match["generation"])) if match else None


def _property(element: Element, name: str) -> str:
    """The value of a named or tagged extended property, "" without it."""
    for found in element.iterfind(tag("ExtendedProperty")):
        uri = found.find(tag("ExtendedFieldURI"))
        if uri is not None and name.casefold() in (
                (uri.get("PropertyName") or "").casefold(), (uri.get("PropertyTag") or "").casefold()):
            return text(found, "Value")
    return ""
