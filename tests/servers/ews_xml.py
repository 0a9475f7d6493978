"""How the fake Exchange server writes its replies: SOAP envelopes, folders, items, errors.

Element names and their order are those of the published schema and of recorded replies; `make conformance` holds
every reply against both. After a change here run it again and write the new stamp (tests/unit/test_ews_server.py).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from email import message_from_bytes
from xml.sax.saxutils import escape, quoteattr

from ews_store import Attached, Folder, Item, Mailbox

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
M = "http://schemas.microsoft.com/exchange/services/2006/messages"
T = "http://schemas.microsoft.com/exchange/services/2006/types"
E = "http://schemas.microsoft.com/exchange/services/2006/errors"
VERSION = (f'<h:ServerVersionInfo MajorVersion="15" MinorVersion="2" MajorBuildNumber="1748" MinorBuildNumber="10" '
           f'Version="V2017_07_11" xmlns:h="{T}"/>')


def envelope(body: str, *, version: bool = True) -> bytes:
    """A SOAP envelope; some servers send no version."""
    header = f"<s:Header>{VERSION}</s:Header>" if version else ""
    return (f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}">{header}'
            f"<s:Body>{body}</s:Body></s:Envelope>").encode()


def response(operation: str, messages: Iterable[str]) -> str:
    """The response element of an operation."""
    return (f'<m:{operation}Response xmlns:m="{M}" xmlns:t="{T}"><m:ResponseMessages>{"".join(messages)}'
            f"</m:ResponseMessages></m:{operation}Response>")


def success(operation: str, content: str = "") -> str:
    """One good response message."""
    return (f'<m:{operation}ResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>{content}'
            f"</m:{operation}ResponseMessage>")


def error(operation: str, code: str, content: str = "", text: str = "Not possible.") -> str:
    """One response message with an error, inside HTTP 200."""
    return (f'<m:{operation}ResponseMessage ResponseClass="Error"><m:MessageText>{escape(text)}</m:MessageText>'
            f"<m:ResponseCode>{code}</m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{content}"
            f"</m:{operation}ResponseMessage>")


def fault(code: str, values: Sequence[tuple[str, str]] = (), text: str = "Not possible.") -> bytes:
    """A SOAP fault, sent with HTTP 500."""
    named = "".join(f"<t:Value Name={quoteattr(name)}>{escape(value)}</t:Value>" for name, value in values)
    more = f'<t:MessageXml xmlns:t="{T}">{named}</t:MessageXml>' if values else ""
    return (f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{SOAP}"><s:Body><s:Fault>'
            f'<faultcode xmlns:a="{T}">a:{code}</faultcode><faultstring xml:lang="en-US">{escape(text)}</faultstring>'
            f'<detail><e:ResponseCode xmlns:e="{E}">{code}</e:ResponseCode>'
            f'<e:Message xmlns:e="{E}">{escape(text)}</e:Message>{more}</detail></s:Fault></s:Body>'
            f"</s:Envelope>").encode()


# --------------------------------------------------------------------------------------------------- folders

def folder(one: Folder, box: Mailbox, count: int = 0, children: int = 0) -> str:
    """A folder with the properties recorded replies show."""
    modify = "false" if box.read_only else "true"
    folder_class = f"<t:FolderClass>{one.folder_class}</t:FolderClass>" if one.folder_class else ""
    parent = f'<t:ParentFolderId Id="{one.parent or one.key}" ChangeKey="AQAAAA=="/>'
    return (f'<t:{one.element}><t:FolderId Id="{one.key}" ChangeKey="AQAAAA=="/>{parent}{folder_class}'
            f"<t:DisplayName>{escape(one.name)}</t:DisplayName><t:TotalCount>{count}</t:TotalCount>"
            f"<t:ChildFolderCount>{children}</t:ChildFolderCount><t:EffectiveRights><t:CreateAssociated>{modify}"
            f"</t:CreateAssociated><t:CreateContents>{modify}</t:CreateContents><t:CreateHierarchy>{modify}"
            f"</t:CreateHierarchy><t:Delete>{modify}</t:Delete><t:Modify>{modify}</t:Modify><t:Read>true</t:Read>"
            f"</t:EffectiveRights></t:{one.element}>")


# ----------------------------------------------------------------------------------------------------- items

ORDER = (
    "item:MimeContent", "item:ItemId", "item:ParentFolderId", "item:ItemClass", "item:Subject", "item:Sensitivity",
    "item:Body", "item:Attachments", "item:DateTimeReceived", "item:Size", "item:Categories", "item:IsDraft",
    "item:DateTimeSent", "item:DateTimeCreated", "item:HasAttachments", "extended", "item:LastModifiedTime",
    # message
    "message:InternetMessageId", "message:IsRead",
    # calendar
    "calendar:UID", "calendar:RecurrenceId", "calendar:Start", "calendar:End", "calendar:IsAllDayEvent",
    "calendar:Location", "calendar:IsCancelled", "calendar:IsRecurring", "calendar:CalendarItemType",
    "calendar:Organizer", "calendar:RequiredAttendees", "calendar:OptionalAttendees", "calendar:Resources",
    "calendar:ModifiedOccurrences",
    # task
    "task:BillingInformation", "task:Companies", "task:Contacts", "task:Delegator", "task:DueDate", "task:Mileage",
    "task:Owner", "task:StartDate", "task:Status")
"""The order of elements in an item, by field URI."""
_OF_KIND = {"message": ("Message",), "calendar": ("CalendarItem",), "task": ("Task",)}


def item(one: Item, wanted: set[str], extended: Sequence[tuple[str, str]], mime: bytes) -> str:
    """An item with the properties asked for that it has. `extended`: (attributes of the path, name in the item)."""
    written = []
    for field in ORDER:
        prefix = field.split(":")[0]
        if field == "extended":
            written += [f"<t:ExtendedProperty><t:ExtendedFieldURI {path}/><t:Value>{escape(one.extended[name])}"
                        f"</t:Value></t:ExtendedProperty>" for path, name in extended if name in one.extended]
        elif field in wanted and (prefix == "item" or one.kind in _OF_KIND.get(prefix, ())):
            written.append(_property(one, field, mime))
    return f"<t:{one.kind}>{''.join(written)}</t:{one.kind}>"


def _property(one: Item, field: str, mime: bytes) -> str:
    name = field.split(":")[1]
    made = {
        "item:ItemId": lambda: f'<t:ItemId Id="{one.key}" ChangeKey="{one.change_key}"/>',
        "item:ParentFolderId": lambda: f'<t:ParentFolderId Id="{one.folder}" ChangeKey="AQAAAA=="/>',
        "item:MimeContent": lambda: (f'<t:MimeContent CharacterSet="UTF-8">{base64.b64encode(mime).decode()}'
                                     f"</t:MimeContent>") if mime else "",
        "item:Categories": lambda: _strings("Categories", one.categories),
        "item:Attachments": lambda: _attachments(one.attachments),
        "item:DateTimeReceived": lambda: _text(name, one.received.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "item:DateTimeCreated": lambda: _text(name, one.received.strftime("%Y-%m-%dT%H:%M:%SZ")),
        "item:HasAttachments": lambda: _text(name, "true" if one.attachments else "false"),
        "item:IsDraft": lambda: _text(name, one.properties.get(field, "false")),
        "item:Sensitivity": lambda: _text(name, one.properties.get(field, "Normal")),
        "item:Body": lambda: (f'<t:Body BodyType="{one.properties.get("body type", "Text")}">'
                              f"{escape(one.properties.get(field, ''))}</t:Body>"),
        "message:InternetMessageId": lambda: _text(name, message_id(one)) if message_id(one) else "",
        "calendar:Organizer": lambda: _people(name, one.properties.get(field, ""), single=True),
        "calendar:RequiredAttendees": lambda: _people(name, one.properties.get(field, "")),
        "calendar:OptionalAttendees": lambda: _people(name, one.properties.get(field, "")),
        "calendar:ModifiedOccurrences": lambda: _occurrences(one.occurrences),
        "task:Companies": lambda: _strings(name, one.properties.get(field, "").split()),
    }.get(field)
    if made is not None:
        return made()
    return _text(name, one.properties[field]) if field in one.properties else ""


def message_id(one: Item) -> str:
    """The Message-ID of a mail; "" without one."""
    found = one.properties.get("message:InternetMessageId")
    return found if found is not None else str(message_from_bytes(one.mime).get("Message-ID", ""))


def _text(name: str, value: str) -> str:
    return f"<t:{name}>{escape(value)}</t:{name}>"


def _strings(name: str, values: Sequence[str]) -> str:
    return _text_list(name, "String", values)


def _text_list(name: str, each: str, values: Sequence[str]) -> str:
    return f"<t:{name}>{''.join(_text(each, value) for value in values)}</t:{name}>" if values else ""


def _mailbox(person: str) -> str:
    """`Name <address>` as a Mailbox element."""
    name, _, address = person.partition("<")
    return (f"<t:Mailbox><t:Name>{escape(name.strip())}</t:Name><t:EmailAddress>{escape(address.strip('> '))}"
            f"</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType></t:Mailbox>")


def _people(name: str, people: str, *, single: bool = False) -> str:
    """People, separated by semicolons; an organizer is a bare mailbox, guests are attendees."""
    listed = [_mailbox(one.strip()) for one in people.split(";") if one.strip()]
    if not listed:
        return ""
    content = listed[0] if single else "".join(f"<t:Attendee>{one}</t:Attendee>" for one in listed)
    return f"<t:{name}>{content}</t:{name}>"


def _occurrences(found: Sequence[Item]) -> str:
    if not found:
        return ""
    each = "".join(
        f'<t:Occurrence><t:ItemId Id="{one.key}" ChangeKey="{one.change_key}"/>'
        f'{_text("Start", one.properties["calendar:Start"])}{_text("End", one.properties["calendar:Start"])}'
        f'{_text("OriginalStart", one.properties["calendar:RecurrenceId"])}</t:Occurrence>' for one in found)
    return f"<t:ModifiedOccurrences>{each}</t:ModifiedOccurrences>"


_SORTS = {"file": "FileAttachment", "item": "ItemAttachment", "reference": "ReferenceAttachment"}


def _attachments(found: Sequence[Attached]) -> str:
    return f"<t:Attachments>{''.join(attachment(one) for one in found)}</t:Attachments>" if found else ""


def attachment(one: Attached, *, content: bool = False) -> str:
    """An attachment as it is listed, or with its content."""
    element = _SORTS[one.sort]
    inside = ""
    if content and one.sort == "file":
        inside = f"<t:Content>{base64.b64encode(one.content).decode()}</t:Content>"
    elif content and one.sort == "item":
        inside = (f'<t:Message><t:MimeContent CharacterSet="UTF-8">{base64.b64encode(one.content).decode()}'
                  f"</t:MimeContent></t:Message>")
    return (f'<t:{element}><t:AttachmentId Id="{one.key}"/><t:Name>{escape(one.name)}</t:Name>'
            f"<t:ContentType>{escape(one.content_type)}</t:ContentType><t:Size>{len(one.content)}</t:Size>"
            f"<t:IsInline>false</t:IsInline>{inside}</t:{element}>")
