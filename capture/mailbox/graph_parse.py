"""What Graph's JSON says, as small values: no request is made here.

Graph's types are Microsoft's (`graph-mocks` pairs and the metadata are the conformance data). A property may
be missing or null; one of a wrong type is treated as missing where that is harmless, and as an error
(`TryLater`: the reply was not understood) where it would make us take one item for another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from capture.errors import TryLater
from capture.ports import Stamp

Json = Mapping[str, Any]

PROPERTY_SET: Final = "{6b1c0f5e-3f0d-4c55-9e0a-5f0b8f6d2c11}"
CAPTURE_PROPERTY: Final = f"String {PROPERTY_SET} Name mailweir-capture"
STATE_PROPERTY: Final = f"String {PROPERTY_SET} Name mailweir-state"
SENSITIVITY_PROPERTY: Final = "Integer 0x36"
"""PidTagSensitivity of a message: 0 normal, 1 personal, 2 private, 3 confidential."""
APPLICATION: Final = "mailweir"

_PRIVATE: Final = frozenset({"private", "confidential", "2", "3"})


@dataclass(frozen=True, slots=True, repr=False)
class Seen:
    """One object of a list or a delta. `kind` is None for `@removed`. `invite`: a meeting request, answer or
    cancellation; `event_type`: singleInstance, seriesMaster, occurrence, exception."""

    id: str
    removed: bool = False
    categories: tuple[str, ...] = ()
    folder: str = ""
    message_id: str = ""
    received: str = ""
    etag: str = ""
    draft: bool = False
    invite: bool = False
    private: bool = False
    event_type: str = ""
    master: str = ""
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True, repr=False)
class MailFolder:
    """A mail folder: id, the name its user sees, its parent, and whether it has children."""

    id: str
    name: str
    parent: str
    children: int
    hidden: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Attached:
    """An entry of an attachment list. `kind`: "file", "item" (a mail, an event ...), "reference" (only a link to
    somewhere else) or "other"; `size` in bytes."""

    id: str
    kind: Literal["file", "item", "reference", "other"]
    name: str
    mime: str
    size: int


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A change or lifecycle notification: which subscription, with which secret, and what ("" = a change)."""

    subscription: str
    secret: str
    event: str = ""


def identifier(value: Json) -> str:
    """The id of an object. Raises `TryLater` when it has none: it could be taken for another."""
    found = value.get("id")
    if not isinstance(found, str) or not found:
        raise TryLater("graph: an object without an id")
    return found


def text(value: Any) -> str:
    """A string property, "" when it is missing or something else."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """An integer property, 0 when it is missing or something else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def strings(value: Any) -> tuple[str, ...]:
    """A collection of strings, without what is none."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def objects(value: Any) -> list[Json]:
    """A collection of objects, without what is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def member(value: Any, *path: str) -> str:
    """The string at a path through nested objects, "" when there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return text(value)


def kind_of(value: Json) -> str:
    """The entity type a reply names, without its namespace: "eventMessage", "" when it names none."""
    return text(value.get("@odata.type")).rpartition(".")[2]


def seen(value: Json) -> Seen:
    """A message, event or task as a list or a delta shows it."""
    properties = extended(value)
    return Seen(
        id=identifier(value),
        removed="@removed" in value,
        categories=strings(value.get("categories")),
        folder=text(value.get("parentFolderId")),
        message_id=text(value.get("internetMessageId")),
        received=text(value.get("receivedDateTime")) or text(value.get("createdDateTime")),
        etag=text(value.get("@odata.etag")) or text(value.get("changeKey")),
        draft=value.get("isDraft") is True,
        invite=kind_of(value).startswith("eventMessage") or bool(text(value.get("meetingMessageType"))),
        private=(text(value.get("sensitivity")).casefold() in _PRIVATE
                 or properties.get(SENSITIVITY_PROPERTY.casefold(), "") in _PRIVATE),
        event_type=text(value.get("type")),
        master=text(value.get("seriesMasterId")),
        stamp=stamp_of(value),
    )


def extended(value: Json) -> dict[str, str]:
    """The single-value extended properties of an item; names without regard to case, as servers write GUIDs."""
    return {text(one.get("id")).casefold(): text(one.get("value"))
            for one in objects(value.get("singleValueExtendedProperties"))}


def stamp_of(value: Json) -> Stamp | None:
    """Our stamp on an item, or on a task (a linked resource); None when there is none or it is not ours."""
    properties = extended(value)
    found = stamp_from(properties.get(CAPTURE_PROPERTY.casefold(), ""), properties.get(STATE_PROPERTY.casefold(), ""))
    for link in objects(value.get("linkedResources")):
        if text(link.get("applicationName")) == APPLICATION:
            found = stamp_from(text(link.get("externalId")), text(link.get("displayName"))) or found
    return found


def stamp_from(capture: str, state: str) -> Stamp | None:
    """The stamp of its two strings: the capture's id, and "<generation> <state>".

    >>> stamp_from("6f", "2 in review")
    Stamp(capture='6f', state='in review', generation=2)
    """
    generation, _, name = state.partition(" ")
    if not capture or not generation.isascii() or not generation.isdigit() or len(generation) > 9:
        return None
    return Stamp(capture, name, int(generation))


def stamp_text(stamp: Stamp) -> str:
    """The second string of a stamp."""
    return f"{stamp.generation} {stamp.state}"


def mail_folder(value: Json) -> MailFolder:
    """A mail folder."""
    return MailFolder(identifier(value), text(value.get("displayName")), text(value.get("parentFolderId")),
                      number(value.get("childFolderCount")), value.get("isHidden") is True)


def attached(value: Json) -> Attached:
    """An entry of an attachment list; a type we do not know is "other" and stays unread."""
    name = kind_of(value)
    kind: Literal["file", "item", "reference", "other"] = "other"
    if name in ("fileAttachment", "taskFileAttachment"):
        kind = "file"
    elif name == "itemAttachment":
        kind = "item"
    elif name == "referenceAttachment":
        kind = "reference"
    return Attached(identifier(value), kind, text(value.get("name")), text(value.get("contentType")),
                    number(value.get("size")))


def notifications(body: Any) -> Iterator[Lifecycle]:
    """The notifications of a webhook's body, which nobody has vouched for: whatever is odd is left out."""
    for one in objects(body.get("value") if isinstance(body, dict) else None):
        subscription, secret = text(one.get("subscriptionId")), text(one.get("clientState"))
        if subscription and secret:
            yield Lifecycle(subscription, secret, text(one.get("lifecycleEvent")))


def moment(value: Any) -> datetime | None:
    """A date of Graph's (`dateTimeTimeZone` in UTC, or an ISO string); None when it is none.

    Graph gives up to seven digits of a second, which Python does not take.
    """
    words = text(value.get("dateTime")) if isinstance(value, dict) else text(value)
    head, dot, rest = words.partition(".")
    digits = rest.rstrip("Zz").partition("+")[0][:6] if dot else ""
    zone = "+00:00" if isinstance(value, dict) or words.endswith(("Z", "z")) or dot else ""
    try:
        found = datetime.fromisoformat(f"{head.rstrip('Zz')}{'.' + digits if digits.isdigit() else ''}{zone}")
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
