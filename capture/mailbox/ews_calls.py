"""The EWS operations mailweir uses, each with exactly the fields it needs.

exchangelib signs in, sends, negotiates the version and raises what the server complains of. Request bodies are
built and replies are read here, so that a sync never fetches whole items, the sync state is always passed by us,
and an item of any class is read.

Source: Exchange Web Services reference (messages.xsd, types.xsd).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from exchangelib.services import GetStreamingEvents, SubscribeToStreaming
from exchangelib.services.common import EWSAccountService
from exchangelib.util import MNS, SOAPNS, TNS, create_element
from lxml import etree

from capture.errors import TryLater
from capture.mailbox.ews_errors import BadReply, translated

Element = Any  # lxml ships no types

CHANGES_A_CALL: Final = 512
"""The most `MaxChangesReturned` may be (1 to 512)."""
PAGE: Final = 500
"""Rows of a FindItem page; the server's limit is 1,000."""
OVERLAP: Final = 20
"""Rows asked for again at the head of the next page: what vanishes between two pages moves the rest up."""
ITEMS_A_CALL: Final = 10
"""Items of one GetItem; more makes a busy server slow."""
FOLDERS_A_CALL: Final = 50

STAMP_SET: Final = "5b2f1d0e-8a4c-4e63-9d57-3c0a6f7e21b8"
"""Property set of mailweir's named property. Never change it: items carry it."""
STAMP_NAME: Final = "mailweir-stamp"
SEARCH_KEY: Final = "0x300b"
"""PidTagSearchKey: stays when an item is moved."""

_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
_NO_XML: Final = re.compile(rb"(?i)[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])"
                            rb"|x0*(?:[0-8bcef]|1[0-9a-f]|d[89a-f][0-9a-f]{2}|fff[ef]));")
"""Characters, and references to characters, that XML does not allow."""


def tag(name: str) -> str:
    """The qualified name of an element of the types namespace."""
    return f"{{{TNS}}}{name}"


def parsed(content: bytes) -> Element:
    """The tree of a reply. exchangelib's own parser mends what it can: a mail cut off in the middle would then be
    taken for a whole one. Only characters that XML forbids, which Exchange does send, are taken out here.

    Raises `BadReply`.
    """
    try:
        return etree.fromstring(content, _PARSER)
    except etree.XMLSyntaxError:
        try:
            return etree.fromstring(_NO_XML.sub(b"", content), _PARSER)
        except etree.XMLSyntaxError:
            raise BadReply("not well-formed") from None


class Call(EWSAccountService):  # type: ignore[misc] # exchangelib ships no types
    """One operation of EWS. `send` gives the elements of the reply; an error of one item is raised as well."""

    ERRORS_TO_CATCH_IN_RESPONSE = ()

    @classmethod
    def _get_soap_parts(cls, response: Any) -> tuple[Element, Element]:
        root = parsed(response.content)
        body = root.find(f"{{{SOAPNS}}}Body")
        if body is None:
            raise BadReply("no body")
        return root.find(f"{{{SOAPNS}}}Header"), body

    def _get_elements(self, payload: Element) -> Iterator[Element]:
        """Send once. exchangelib would try again by itself; trying again is the engine's matter."""
        yield from self._response_generator(payload=payload)

    def send(self, payload: Element) -> list[Element]:
        """Send the request and return the elements of its reply, all of them read."""
        return list(self._get_elements(payload=payload))


class GetFolder(Call):
    """Folders by id or by distinguished name."""

    SERVICE_NAME = "GetFolder"
    element_container_name = f"{{{MNS}}}Folders"
    ERRORS_TO_CATCH_IN_RESPONSE: Any = (Exception,)  # a mailbox need not have each of them


class FindFolder(Call):
    """Folders below a folder."""

    SERVICE_NAME = "FindFolder"
    element_container_name = f"{{{MNS}}}RootFolder"


class SyncFolderItems(Call):
    """What changed in a folder."""

    SERVICE_NAME = "SyncFolderItems"
    element_container_name = f"{{{MNS}}}Changes"

    state = ""
    last = True

    def _get_element_container(self, message: Element, name: str | None = None) -> Element:
        container = super()._get_element_container(message=message, name=name)
        self.state = message.findtext(f"{{{MNS}}}SyncState") or ""
        self.last = (message.findtext(f"{{{MNS}}}IncludesLastItemInRange") or "true").strip() in ("true", "1")
        return container


class FindItem(Call):
    """Items of folders that meet a condition."""

    SERVICE_NAME = "FindItem"
    element_container_name = f"{{{MNS}}}RootFolder"


class GetItem(Call):
    """Items by id."""

    SERVICE_NAME = "GetItem"
    element_container_name = f"{{{MNS}}}Items"


class GetAttachment(Call):
    """Attachments by id."""

    SERVICE_NAME = "GetAttachment"
    element_container_name = f"{{{MNS}}}Attachments"


class UpdateItem(Call):
    """Writes categories and the stamp."""

    SERVICE_NAME = "UpdateItem"
    element_container_name = f"{{{MNS}}}Items"


# ------------------------------------------------------------------------------------------------ requests

def _child(parent: Element, name: str, text: str | None = None, **attributes: str) -> Element:
    made = create_element(name, attrs=attributes or None)
    if text is not None:
        made.text = text
    parent.append(made)
    return made


def _shape(parent: Element, name: str, fields: Iterable[str], *, text_body: bool = False) -> None:
    shape = _child(parent, name)
    _child(shape, "t:BaseShape", "IdOnly")
    if text_body:
        _child(shape, "t:BodyType", "Best")
    named = sorted(fields)
    if named:
        more = _child(shape, "t:AdditionalProperties")
        for field in named:
            _path(more, field)


def _path(parent: Element, field: str) -> None:
    """`item:Categories` is a property by its name, `stamp` and `searchkey` are ours by theirs."""
    if field == "stamp":
        _child(parent, "t:ExtendedFieldURI", PropertySetId=STAMP_SET, PropertyName=STAMP_NAME, PropertyType="String")
    elif field == "searchkey":
        _child(parent, "t:ExtendedFieldURI", PropertyTag=SEARCH_KEY, PropertyType="Binary")
    else:
        _child(parent, "t:FieldURI", FieldURI=field)


DISTINGUISHED: Final = ("msgfolderroot", "inbox", "sentitems", "calendar", "tasks", "deleteditems", "junkemail",
                        "drafts", "outbox", "syncissues", "conversationhistory")
_MAY_LACK: Final = ("syncissues", "conversationhistory")
"""Folders some servers know nothing of, and say so in their own way."""


@dataclass(frozen=True, slots=True, repr=False)
class FolderRow:
    """A folder as the server tells of it. `element` is the name of its XML element."""

    key: str
    parent: str
    name: str
    element: str
    folder_class: str
    may_modify: bool = True


def get_distinguished(account: Any, names: Sequence[str] = DISTINGUISHED) -> dict[str, FolderRow]:
    """The well-known folders a mailbox has, by name."""
    payload = create_element("m:GetFolder")
    _shape(payload, "m:FolderShape", _FOLDER_FIELDS)
    ids = _child(payload, "m:FolderIds")
    for name in names:
        _child(ids, "t:DistinguishedFolderId", Id=name)
    found = GetFolder(account=account).send(payload)
    errors = [one for one in found if isinstance(one, Exception)]
    if errors and len(errors) == len(found):
        raise errors[0]
    if len(found) != len(names):
        raise BadReply("another number of folders than asked for")
    failed = {name: one for name, one in zip(names, found, strict=True) if isinstance(one, Exception)}
    for name, error in failed.items():  # a busy server does not say that there is no such folder
        if name not in _MAY_LACK and isinstance(translated(error), TryLater):
            raise error
    return {name: _folder(one) for name, one in zip(names, found, strict=True) if not isinstance(one, Exception)}


_FOLDER_FIELDS = ("folder:DisplayName", "folder:FolderClass", "folder:ParentFolderId", "folder:EffectiveRights")


def find_folders(account: Any, root: str) -> list[FolderRow]:
    """Every folder below `root`, at any depth."""
    found: dict[str, FolderRow] = {}
    offset = 0
    while True:
        payload = create_element("m:FindFolder", attrs={"Traversal": "Deep"})
        _shape(payload, "m:FolderShape", _FOLDER_FIELDS)
        _child(payload, "m:IndexedPageFolderView", MaxEntriesReturned="1000", Offset=str(offset),
               BasePoint="Beginning")
        ids = _child(payload, "m:ParentFolderIds")
        _child(ids, "t:FolderId", Id=root)
        [container] = _containers(FindFolder(account=account), payload)
        rows = {row.key: row for row in map(_folder, container.iterfind(f"{tag('Folders')}/*"))}
        new = rows.keys() - found.keys()
        found |= rows
        offset += len(rows)
        if not new or _is_last(container):  # some servers give the last page again and again
            return list(found.values())


def _containers(call: Call, payload: Element) -> list[Element]:
    """The `RootFolder` of each folder asked."""
    return [call._get_element_container(message, call.element_container_name)
            for message in call._get_response_xml(payload=payload)]


def _is_last(container: Element) -> bool:
    return (container.get("IncludesLastItemInRange") or "true") in ("true", "1")


def _folder(element: Element) -> FolderRow:
    return FolderRow(_id(element, "FolderId"), _id(element, "ParentFolderId"),
                     element.findtext(tag("DisplayName")) or "", etree.QName(element).localname,
                     element.findtext(tag("FolderClass")) or "",
                     (element.findtext(f"{tag('EffectiveRights')}/{tag('Modify')}") or "true") == "true")


def _id(element: Element, name: str) -> str:
    found = element.find(tag(name))
    return "" if found is None else found.get("Id") or ""


@dataclass(frozen=True, slots=True, repr=False)
class Page:
    """What a sync gave: (kind of change, item element), the new state, and whether more is ready."""

    changes: list[tuple[str, Element]]
    state: str
    more: bool


def sync_items(account: Any, folder: str, state: str, fields: Iterable[str]) -> Page:
    """One page of changes since `state` ("" = from the start), oldest first. The server gives the newest first.

    The page is whole: the new state is only known once the reply was read to its end.
    """
    payload = create_element("m:SyncFolderItems")
    _shape(payload, "m:ItemShape", fields)
    target = _child(payload, "m:SyncFolderId")
    _child(target, "t:FolderId", Id=folder)
    if state:
        _child(payload, "m:SyncState", state)
    _child(payload, "m:MaxChangesReturned", str(CHANGES_A_CALL))
    call = SyncFolderItems(account=account)
    changes = [(etree.QName(change).localname, change[0]) for change in call.send(payload)]
    if not call.state:
        raise BadReply("no sync state")
    return Page(changes[::-1], call.state, more=not call.last and call.state != state)


def find_items(account: Any, folders: Sequence[str], fields: Iterable[str], *, condition: Element | None = None,
               offset: int = 0) -> list[tuple[list[Element], bool]]:
    """One page of items of each folder, oldest first, and whether it was the last."""
    payload = create_element("m:FindItem", attrs={"Traversal": "Shallow"})
    _shape(payload, "m:ItemShape", fields)
    _child(payload, "m:IndexedPageItemView", MaxEntriesReturned=str(PAGE), Offset=str(offset), BasePoint="Beginning")
    if condition is not None:
        _child(payload, "m:Restriction").append(condition)
    order = _child(_child(payload, "m:SortOrder"), "t:FieldOrder", Order="Ascending")
    _path(order, "item:DateTimeReceived")
    ids = _child(payload, "m:ParentFolderIds")
    for folder in folders:
        _child(ids, "t:FolderId", Id=folder)
    return [(list(container.iterfind(f"{tag('Items')}/*")), _is_last(container))
            for container in _containers(FindItem(account=account), payload)]


def equals(field: str, value: str) -> Element:
    """The condition that a property has this value."""
    made = create_element("t:IsEqualTo")
    _path(made, field)
    _child(_child(made, "t:FieldURIOrConstant"), "t:Constant", Value=value)
    return made


def begins(field: str, value: str) -> Element:
    """The condition that a text property begins with this value."""
    made = create_element("t:Contains", attrs={"ContainmentMode": "Prefixed", "ContainmentComparison": "Exact"})
    _path(made, field)
    _child(made, "t:Constant", Value=value)
    return made


def get_items(account: Any, keys: Sequence[str], fields: Iterable[str], *, text_body: bool = False) -> list[Element]:
    """Items by id. Raises the error of the first one that cannot be had."""
    named = tuple(fields)
    found: list[Element] = []
    for start in range(0, len(keys), ITEMS_A_CALL):
        payload = create_element("m:GetItem")
        _shape(payload, "m:ItemShape", named, text_body=text_body)
        ids = _child(payload, "m:ItemIds")
        for key in keys[start:start + ITEMS_A_CALL]:
            _child(ids, "t:ItemId", Id=key)
        found += GetItem(account=account).send(payload)
    if len(found) != len(keys):
        raise BadReply("another number of items than asked for")
    return found


def get_attachment(account: Any, key: str) -> Element:
    """One attachment with its content; an attached item with its MIME."""
    payload = create_element("m:GetAttachment")
    _child(_child(payload, "m:AttachmentShape"), "t:IncludeMimeContent", "true")
    _child(_child(payload, "m:AttachmentIds"), "t:AttachmentId", Id=key)
    found = GetAttachment(account=account).send(payload)
    if len(found) != 1:
        raise BadReply("another number of attachments than asked for")
    return found[0]


def update_item(account: Any, item: Element, categories: Sequence[str], stamp: str | None) -> Element:
    """Write the categories, and the stamp unless it is None, in one request; nobody is sent anything.

    Raises ErrorIrresolvableConflict when the item is no longer as it was read.
    """
    payload = create_element("m:UpdateItem", attrs={
        "ConflictResolution": "NeverOverwrite", "MessageDisposition": "SaveOnly",
        "SendMeetingInvitationsOrCancellations": "SendToNone", "SuppressReadReceipts": "true"})
    change = _child(_child(payload, "m:ItemChanges"), "t:ItemChange")
    key = item.find(tag("ItemId"))
    named = {"ChangeKey": key.get("ChangeKey")} if key.get("ChangeKey") else {}
    _child(change, "t:ItemId", Id=key.get("Id"), **named)
    updates = _child(change, "t:Updates")
    kind = f"t:{etree.QName(item).localname}"
    if categories:
        setting = _child(updates, "t:SetItemField")
        _path(setting, "item:Categories")
        names = _child(_child(setting, kind), "t:Categories")
        for name in categories:
            _child(names, "t:String", name)
    else:
        _path(_child(updates, "t:DeleteItemField"), "item:Categories")
    if stamp is not None:
        setting = _child(updates, "t:SetItemField")
        _path(setting, "stamp")
        value = _child(_child(setting, kind), "t:ExtendedProperty")
        _path(value, "stamp")
        _child(value, "t:Value", stamp)
    found = UpdateItem(account=account).send(payload)
    if len(found) != 1:
        raise BadReply("another number of items than asked for")
    return found[0]


# --------------------------------------------------------------------------------------------------- stream

class Subscribe(SubscribeToStreaming):  # type: ignore[misc] # exchangelib ships no types
    """A subscription to everything that happens in a mailbox."""

    _get_soap_parts = Call._get_soap_parts


class Stream(GetStreamingEvents):  # type: ignore[misc] # exchangelib ships no types
    """The notifications of a subscription. `alive` is called for each piece that arrives, heartbeats included;
    what it raises ends the stream."""

    alive: Any = staticmethod(lambda: None)

    def _get_element_container(self, message: Element, name: str | None = None) -> Element:
        self.alive()
        return super()._get_element_container(message=message, name=name)
