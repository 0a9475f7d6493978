"""The JSON of the Graph stand-in: one function for each kind of object it hands out.

Names and types are Microsoft's; `make conformance` holds every reply to the metadata. `graph_shapes.stamp` is
the hash of this file as that suite last saw it: change a shape, run the suite, then write the new hash.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

Json = dict[str, Any]


def new_id(prefix: str = "AAkALg") -> str:
    """A random id in the form of Graph's: base64url."""
    return prefix + secrets.token_urlsafe(24) + "="


def iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zoned(value: datetime | None) -> Json | None:
    if value is None:
        return None
    return {"dateTime": value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.0000000"), "timeZone": "UTC"}


def person(name: str, address: str) -> Json:
    return {"emailAddress": {"name": name or address, "address": address}}


def people(message: Message, header: str) -> list[Json]:
    return [person(name, address) for name, address in getaddresses([str(v) for v in message.get_all(header, [])])]


def message_json(raw: bytes, *, invite: str = "") -> Json:
    """A message made of its MIME; `invite` is a meetingMessageType, "" for plain mail."""
    mail = message_from_bytes(raw, policy=compat32)
    try:
        sent = parsedate_to_datetime(str(mail["Date"]))
    except (TypeError, ValueError):
        sent = datetime(2026, 3, 3, 9, 15, tzinfo=UTC)
    sender = (people(mail, "From") or [person("", "unknown@example.com")])[0]
    shape: Json = {
        "createdDateTime": iso(sent), "lastModifiedDateTime": iso(sent), "receivedDateTime": iso(sent),
        "sentDateTime": iso(sent), "hasAttachments": any(not f["isInline"] for f in attachments_of(raw)),
        "internetMessageId": str(mail["Message-ID"]) if mail["Message-ID"] else None,
        "subject": decoded(str(mail.get("Subject", ""))), "bodyPreview": "", "importance": "normal",
        "conversationId": new_id("AAQk"), "conversationIndex": "AQHT", "isDeliveryReceiptRequested": None,
        "isReadReceiptRequested": False, "isRead": False, "isDraft": False, "inferenceClassification": "focused",
        "webLink": "https://outlook.office365.com/owa/", "body": {"contentType": "html", "content": "<p></p>"},
        "sender": sender, "from": sender, "toRecipients": people(mail, "To"), "ccRecipients": people(mail, "Cc"),
        "bccRecipients": [], "replyTo": [], "flag": {"flagStatus": "notFlagged"}, "categories": [],
    }
    if invite:
        shape |= {"@odata.type": "#microsoft.graph.eventMessageRequest" if invite == "meetingRequest"
                  else "#microsoft.graph.eventMessage", "meetingMessageType": invite}
    return shape


def event_json(*, subject: str, start: datetime, end: datetime, body: str, attendees: list[tuple[str, str]],
               sensitivity: str = "normal", kind: str = "singleInstance", master: str | None = None,
               uid: str = "", original: datetime | None = None, place: str = "Room 4") -> Json:
    """An event; `kind` as `eventType`."""
    return {
        "createdDateTime": iso(start), "lastModifiedDateTime": iso(start), "categories": [],
        "transactionId": None, "originalStartTimeZone": "UTC", "originalEndTimeZone": "UTC",
        "iCalUId": uid or secrets.token_hex(28).upper(), "reminderMinutesBeforeStart": 15, "isReminderOn": True,
        "hasAttachments": False, "subject": subject, "bodyPreview": body[:80], "importance": "normal",
        "sensitivity": sensitivity, "isAllDay": False, "isCancelled": False, "isOrganizer": True,
        "responseRequested": True, "seriesMasterId": master, "showAs": "busy", "type": kind,
        "webLink": "https://outlook.office365.com/owa/", "onlineMeetingUrl": None, "isOnlineMeeting": False,
        "onlineMeetingProvider": "unknown", "allowNewTimeProposals": True, "isDraft": False, "hideAttendees": False,
        "originalStart": iso(original) if original else None, "onlineMeeting": None,
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "body": {"contentType": "html", "content": f"<html><body><p>{body}</p></body></html>"},
        "start": zoned(start), "end": zoned(end),
        "location": {"displayName": place, "locationType": "default", "uniqueId": place, "uniqueIdType": "private"},
        "locations": [{"displayName": place, "locationType": "default", "uniqueIdType": "private"}],
        "recurrence": {"pattern": {"type": "weekly", "interval": 1, "month": 0, "dayOfMonth": 0,
                                   "daysOfWeek": ["tuesday"], "firstDayOfWeek": "sunday", "index": "first"},
                       "range": {"type": "noEnd", "startDate": start.date().isoformat(), "endDate": "0001-01-01",
                                 "recurrenceTimeZone": "UTC", "numberOfOccurrences": 0}}
        if kind == "seriesMaster" else None,
        "attendees": [{"type": "required", "status": {"response": "none", "time": "0001-01-01T00:00:00Z"},
                       **person(name, address)} for name, address in attendees],
        "organizer": person("Dana Reid", "dana.reid@example.org"),
    }


def occurrence_json(master: str, start: datetime, end: datetime) -> Json:
    """What a calendar view's delta gives of an ordinary occurrence: no more than this."""
    return {"id": new_id("AAkOcc"), "type": "occurrence", "seriesMasterId": master, "start": zoned(start),
            "end": zoned(end)}


def task_json(*, title: str, body: str, due: datetime | None) -> Json:
    return {"importance": "normal", "isReminderOn": False, "status": "notStarted", "title": title,
            "createdDateTime": "2026-03-03T09:15:00Z", "lastModifiedDateTime": "2026-03-03T09:15:00Z",
            "hasAttachments": False, "categories": [], "body": {"content": body, "contentType": "text"},
            "dueDateTime": zoned(due)}


def list_json(id_: str, name: str, well_known: str = "none") -> Json:
    return {"id": id_, "displayName": name, "isOwner": True, "isShared": False, "wellknownListName": well_known}


def folder_json(id_: str, name: str, parent: str, children: int, total: int) -> Json:
    return {"id": id_, "displayName": name, "parentFolderId": parent, "childFolderCount": children,
            "unreadItemCount": 0, "totalItemCount": total, "isHidden": False}


def calendar_json(id_: str, name: str, *, can_edit: bool = True) -> Json:
    return {"id": id_, "name": name, "color": "auto", "isDefaultCalendar": name == "Calendar", "changeKey": "nfZ=",
            "canShare": True, "canViewPrivateItems": True, "hexColor": "", "canEdit": can_edit,
            "owner": {"name": "Dana Reid", "address": "dana.reid@example.org"}}


def category_json(name: str, color: str = "preset8") -> Json:
    return {"id": secrets.token_hex(16), "displayName": name, "color": color}


def attachment_json(kind: str, name: str, mime: str, size: int, *, inline: bool = False) -> Json:
    """`kind`: file, item, reference, taskFile."""
    shape = {"@odata.type": f"#microsoft.graph.{kind}Attachment", "id": new_id("AAkAtt"), "name": name,
             "contentType": mime or None, "size": size, "lastModifiedDateTime": "2026-03-03T09:15:00Z"}
    return shape if kind == "taskFile" else shape | {"isInline": inline}


def subscription_json(asked: Json) -> Json:
    return {"id": secrets.token_hex(16), "applicationId": secrets.token_hex(16), "creatorId": secrets.token_hex(16),
            "includeResourceData": None, "encryptionCertificate": None, "notificationQueryOptions": None} | {
        name: asked[name] for name in ("changeType", "resource", "notificationUrl", "expirationDateTime",
                                       "lifecycleNotificationUrl", "clientState", "latestSupportedTlsVersion")
        if name in asked}


def notification_json(subscription: Json, event: str = "") -> Json:
    """One entry of what Graph posts; with a life-cycle event it carries no item."""
    common = {"subscriptionId": subscription["id"], "clientState": subscription["clientState"],
              "subscriptionExpirationDateTime": subscription["expirationDateTime"],
              "tenantId": "84bd8158-6d4d-4958-8b9f-9d6445542f95"}
    if event:
        return common | {"lifecycleEvent": event}
    return common | {"changeType": "updated", "resource": subscription["resource"]}


def error_json(code: str, inner: str = "") -> Json:
    """An error; the message carries what must never be shown."""
    return {"error": {"code": code, "message": "The item of dana.reid@example.org about Surname was not found.",
                      "innerError": {"date": "2026-03-03T09:15:00", "request-id": secrets.token_hex(16),
                                     **({"code": inner} if inner else {})}}}


def attachments_of(raw: bytes) -> list[Json]:
    """What a server lists of a MIME message: everything that is neither body nor multipart."""
    found: list[Json] = []
    bodies = {"text/plain", "text/html"}
    waiting: list[Message] = [message_from_bytes(raw, policy=compat32)]
    while waiting:
        part = waiting.pop(0)
        content = part.get_payload()
        if part.get_content_maintype() == "multipart":
            waiting[:0] = content if isinstance(content, list) else []
        elif part.get_content_type() == "message/rfc822":
            inner = content[0] if isinstance(content, list) else part
            found.append(attachment_json("item", decoded(str(inner.get("Subject", ""))), "", 100))
        elif part.get_filename() or part.get_content_disposition() == "attachment" or (
                part.get_content_type() not in bodies):
            size = len(part.get_payload(decode=True) or b"")
            found.append(attachment_json("file", decoded(part.get_filename() or ""), part.get_content_type(), size,
                                         inline=part.get_content_disposition() == "inline"))
        else:
            bodies.discard(part.get_content_type())
    return found


def decoded(value: str) -> str:
    return str(make_header(decode_header(value)))
