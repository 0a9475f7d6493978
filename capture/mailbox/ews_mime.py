"""A whole item from Exchange as RFC 822 bytes, and what of it was not handed over.

Mail comes as its MIME. The server's list of attachments is held against it: an attachment that is listed and not
in the MIME is an unread part, which holds the item. Appointments and tasks have no MIME to rely on: they are put
together from their properties and attachments, so that one extractor reads everything.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import email.parser
import email.policy
import hashlib
import html
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Any, Final

from lxml import etree

from capture.errors import ItemUnreadable
from capture.mailbox.composed import Attached, Entry, Person, compose
from capture.mailbox.ews_calls import tag
from capture.mailbox.ews_items import identity_of, key_of, normal, text
from capture.ports import ItemKind
from pii_scan.text import Unread

Element = Any  # lxml ships no types

NOT_FETCHED: Final = "not_fetched"
MAIL: Final = ("item:MimeContent", "item:Attachments", "item:Sensitivity", "item:Categories", "item:IsDraft",
               "message:InternetMessageId", "stamp")
APPOINTMENT: Final = (
    "item:Subject", "item:Body", "item:Attachments", "item:Sensitivity", "item:Categories", "item:DateTimeCreated",
    "calendar:UID", "calendar:RecurrenceId", "calendar:CalendarItemType", "calendar:Start", "calendar:End",
    "calendar:Location", "calendar:IsCancelled", "calendar:Organizer", "calendar:RequiredAttendees",
    "calendar:OptionalAttendees", "calendar:Resources", "stamp")
TASK: Final = (
    "item:Subject", "item:Body", "item:Attachments", "item:Sensitivity", "item:Categories", "item:DateTimeCreated",
    "task:StartDate", "task:DueDate", "task:Status", "task:Owner", "task:Delegator", "task:Companies",
    "task:Contacts", "task:BillingInformation", "task:Mileage", "searchkey", "stamp")

_PRIVATE: Final = frozenset(("Private", "Confidential"))
_STATUSES: Final = {"InProgress": "IN-PROCESS", "Completed": "COMPLETED"}


def is_private(item: Element) -> bool:
    """Whether its user marked the item private or confidential."""
    return text(item, "Sensitivity") in _PRIVATE


# ---------------------------------------------------------------------------------------------------- mail

def mail_of(item: Element) -> tuple[bytes, tuple[Unread, ...]]:
    """The MIME of a mail, and the attachments the server lists that are not in it.

    Raises `ItemUnreadable` when there is no MIME, or when it is another mail's.
    """
    raw = _decoded(item.findtext(tag("MimeContent")) or "")
    if not raw:
        raise ItemUnreadable("no MIME")
    mail = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(raw)
    listed, found = normal(text(item, "InternetMessageId")), normal(str(mail.get("Message-ID", "")))
    if listed and found and listed != found:
        raise ItemUnreadable("MIME of another mail")
    return raw, _missing(item, mail)


def _decoded(content: str) -> bytes:
    """Base64 of the server. Raises `ItemUnreadable` when it is none."""
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ItemUnreadable("not base64") from None


def _missing(item: Element, mail: Any) -> tuple[Unread, ...]:
    """Listed attachments without a part in the MIME. Each part stands for one attachment: first by Content-ID or
    name, then any part of the right sort, since servers rename on conversion. A TNEF part holds them all."""
    listed = attachments(item)
    parts = _may_be_attachments(mail)
    sealed = any(part.get_content_type() in ("application/ms-tnef", "application/vnd.ms-tnef") for part in parts)
    left = list(parts)
    unmatched: list[int] = []
    for number, attachment in enumerate(listed):
        match = next((part for part in left if _same(attachment, part)), None)
        if match is not None:
            left.remove(match)
        else:
            unmatched.append(number)
    missing: list[int] = []
    for number in unmatched:
        sort = etree.QName(listed[number]).localname
        spare = next((part for part in left if _fits(listed[number], part)), None)
        if spare is not None:
            left.remove(spare)
        elif sort == "ReferenceAttachment" or not sealed:
            missing.append(number)
    return tuple(Unread(_place(number, len(listed)), NOT_FETCHED) for number in missing)


def _place(number: int, count: int) -> str:
    return f"attachment {number + 1} of {count}"


def attachments(item: Element) -> list[Element]:
    """The attachments the server lists: files, items and references (links)."""
    found = item.find(tag("Attachments"))
    return [] if found is None else [one for one in found if isinstance(one.tag, str)]


def _walk(mail: Any) -> list[Any]:
    """The parts of a mail that hold content; an attached mail is one part."""
    if mail.get_content_type() == "message/rfc822" or not mail.is_multipart():
        return [mail]
    return [part for child in mail.get_payload() for part in _walk(child)]


def _may_be_attachments(mail: Any) -> list[Any]:
    """Every part but the body: the first bare text and the first bare HTML. Footers of lists are further bare texts,
    which Exchange lists as attachments."""
    found, bodies = [], set()
    for part in _walk(mail):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and _is_bare(part) and kind not in bodies:
            bodies.add(kind)
        else:
            found.append(part)
    return found


def _is_bare(part: Any) -> bool:
    return not (part.get_filename() or part.get("Content-ID") or part.get_content_disposition() == "attachment")


def _same(attachment: Element, part: Any) -> bool:
    if etree.QName(attachment).localname == "ReferenceAttachment":
        return False
    content_id = text(attachment, "ContentId").strip("<>")
    if content_id and content_id == str(part.get("Content-ID", "")).strip().strip("<>"):
        return True
    name = text(attachment, "Name").casefold()
    return bool(name) and name == _file_name(part).casefold()


def _file_name(part: Any) -> str:
    name = part.get_filename() or ""
    with contextlib.suppress(ValueError, LookupError, MessageError):
        name = str(make_header(decode_header(name)))
    return name


def _fits(attachment: Element, part: Any) -> bool:
    """Whether a part of the MIME can be what an attachment became under another name."""
    sort = etree.QName(attachment).localname
    if sort == "ReferenceAttachment":
        return False
    if part.get_content_type() in ("message/rfc822", "text/calendar", "text/vcard", "text/x-vcard"):
        return True
    if part.get_content_maintype() == "text" and _is_bare(part):
        return bool(sort == "FileAttachment" and text(attachment, "ContentType").startswith("text/"))
    return bool(sort == "FileAttachment")


# ----------------------------------------------------------------------------------- appointments and tasks

def composed(mailbox: str, item: Element,
             fetch: Callable[[str], Element | None]) -> tuple[bytes, tuple[Unread, ...]]:
    """An appointment or a task as a mail, with its attachments, and what of these was not handed over.

    `fetch` gets an attachment by id, None when the server does not hand it over.
    """
    listed = attachments(item)
    got = [_attached(attachment, fetch) for attachment in listed]
    unread = tuple(Unread(_place(number, len(listed)), NOT_FETCHED) for number, one in enumerate(got) if one is None)
    held = tuple(one for one in got if one is not None)
    entry = _appointment(item, held) if etree.QName(item).localname == "CalendarItem" else _task(mailbox, item, held)
    return compose(entry), unread


def _attached(listed: Element, fetch: Callable[[str], Element | None]) -> Attached | None:
    """The content of an attachment; None when it is a link or is not to be had."""
    sort = etree.QName(listed).localname
    found = listed.find(tag("AttachmentId"))
    fetched = None if sort == "ReferenceAttachment" or found is None else fetch(found.get("Id") or "")
    if fetched is None:
        return None
    name = text(listed, "Name")
    try:
        if sort == "FileAttachment":
            content = fetched.findtext(tag("Content"))
            return None if content is None else Attached(name, text(listed, "ContentType"), _decoded(content))
        raw = _decoded(next((one.text or "" for one in fetched.iter(tag("MimeContent"))), ""))
        return Attached(f"{name or 'item'}.eml", "application/octet-stream", raw) if raw else None
    except ItemUnreadable:
        return None


def _appointment(item: Element, held: tuple[Attached, ...]) -> Entry:
    plain, rich = _body(item, [])
    organizer = [person for person in map(_person, item.iterfind(f"{tag('Organizer')}/{tag('Mailbox')}")) if person]
    guests = [_person(one) for name in ("RequiredAttendees", "OptionalAttendees", "Resources")
              for one in item.iterfind(f"{tag(name)}/{tag('Attendee')}/{tag('Mailbox')}")]
    return Entry(
        ItemKind.APPOINTMENT, text(item, "UID") or key_of(item), subject=text(item, "Subject"), text=plain, html=rich,
        start=_moment(item, "Start"), end=_moment(item, "End"), occurrence=_moment(item, "RecurrenceId"),
        place=text(item, "Location"), status="CANCELLED" if text(item, "IsCancelled") == "true" else "CONFIRMED",
        created=_moment(item, "DateTimeCreated"), organizer=organizer[0] if organizer else None,
        attendees=tuple(person for person in guests if person), attachments=held)


def _task(mailbox: str, item: Element, held: tuple[Attached, ...]) -> Entry:
    """No id of a task is shared by other mailboxes, so the mailbox and its search key together are its key."""
    more = [text(item, name) for name in ("Owner", "Delegator", "BillingInformation", "Mileage")]
    more += [(one.text or "").strip() for name in ("Companies", "Contacts")
             for one in item.iterfind(f"{tag(name)}/{tag('String')}")]
    plain, rich = _body(item, [line for line in more if line])
    own = identity_of(item, ItemKind.TASK) or key_of(item)
    person = Person(mailbox)
    return Entry(
        ItemKind.TASK, f"{hashlib.sha256(f'{mailbox} {own}'.encode()).hexdigest()[:40]}@task.invalid",
        subject=text(item, "Subject"), text=plain, html=rich, start=_moment(item, "StartDate"),
        due=_moment(item, "DueDate"), status=_STATUSES.get(text(item, "Status"), "NEEDS-ACTION"),
        created=_moment(item, "DateTimeCreated"), organizer=person, attendees=(person,), attachments=held)


def _body(item: Element, more: Sequence[str]) -> tuple[str, str]:
    """The body as (plain, HTML), one of them empty, with further lines at its end: everything a person can write
    into an item is scanned."""
    body = item.find(tag("Body"))
    content = "" if body is None else body.text or ""
    if body is not None and body.get("BodyType") == "HTML":
        return "", content + "".join(f"<p>{html.escape(line)}</p>" for line in more)
    return "\n".join([content, *more] if more else [content]), ""


def _person(mailbox: Element) -> Person | None:
    """A person by address, also in Exchange's own form; None without any."""
    address, name = text(mailbox, "EmailAddress"), text(mailbox, "Name")
    return Person(address, name) if address or name else None


def _moment(item: Element, name: str) -> datetime | None:
    """An xs:dateTime of the server; None without one."""
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text(item, name).replace("Z", "+00:00"))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
