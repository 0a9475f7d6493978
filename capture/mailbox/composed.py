"""Appointments and tasks as RFC 822 bytes, so that one extractor and one CRM writer serve every backend.

Servers give no dependable MIME of an appointment or a task, so a backend fetches the properties and hands an
`Entry` to `compose`. What comes out is a mail with the headers of the item (organiser as From, attendees as To),
its body, a `text/calendar` part with times, place, status and people, and its attachments; `calendar_of` gives
the times back to whoever writes the CRM's activity. The folder backend wraps its `.ics` files the same way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP, compat32
from email.utils import format_datetime, formataddr

from capture.ports import ItemKind

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"(?P<name>[A-Za-z-]+)(?P<parameters>(?:;(?:[^\":;]|\"[^\"]*\")*)*):(?P<value>.*)", re.DOTALL)
_PARAMETER = re.compile(r";(?:[^\":;]|\"[^\"]*\")*")
_UNESCAPE = re.compile(r"\\([nN,;\\])")
_MESSAGE_ID = re.compile(rb"^message-id[ \t]*:\s*(?P<id>[^\r\n]+)", re.IGNORECASE | re.MULTILINE)
_COMPONENTS = {"VEVENT": ItemKind.APPOINTMENT, "VTODO": ItemKind.TASK}


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """Somebody of an appointment."""

    email: str
    name: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Attached:
    """A file of an appointment or task; `type` like "application/pdf"."""

    name: str
    type: str
    content: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """An appointment or a task as its properties. `uid` is the same in every mailbox (iCalendar UID); `occurrence`
    (start as the series has it) tells one occurrence from its series. Times with a zone, or dates for all day.
    `status`: iCalendar's ("CONFIRMED", "NEEDS-ACTION", "COMPLETED", "IN-PROCESS", "CANCELLED"). `created`, not the
    time of the last change, which our own mark would move."""

    kind: ItemKind
    uid: str
    subject: str = ""
    text: str = ""
    html: str = ""
    start: datetime | date | None = None
    end: datetime | date | None = None
    due: datetime | date | None = None
    occurrence: datetime | date | None = None
    place: str = ""
    status: str = ""
    recurrence: str = ""
    created: datetime | None = None
    organizer: Person | None = None
    attendees: tuple[Person, ...] = ()
    attachments: tuple[Attached, ...] = ()


def compose(entry: Entry) -> bytes:
    """The entry as RFC 822 bytes, the same bytes for the same entry."""
    message = EmailMessage(policy=SMTP)
    _headers(message, uid=_key(entry.uid, _stamp_of(entry.occurrence)), subject=entry.subject, sent=entry.created,
             organizer=entry.organizer, attendees=entry.attendees)
    if entry.html:
        message.set_content(entry.html, subtype="html")
    else:
        message.set_content(entry.text or "\n")
    message.add_attachment(_calendar_text(entry).encode("utf-8", "replace"), maintype="text", subtype="calendar",
                           disposition="inline", params={"charset": "utf-8"})
    for attached in entry.attachments:
        main, _, sub = attached.type.partition("/")
        if not sub or main in ("multipart", "message", "text"):
            main, sub = "application", "octet-stream"
        message.add_attachment(attached.content, maintype=main, subtype=sub,
                               filename=_one_line(attached.name) or "file")
    message.set_boundary(_boundary(entry))
    return message.as_bytes()


def from_calendar(raw: bytes) -> bytes:
    """A calendar file as a mail: headers and body from the first event or task, and the file itself beside them."""
    text = raw.decode("utf-8", "replace")
    found = first_component(text)
    message = EmailMessage(policy=SMTP)
    people = [_person(value, parameters) for name, parameters, value in found if name == "ATTENDEE"]
    organizer = [_person(value, parameters) for name, parameters, value in found if name == "ORGANIZER"]
    values = {name: value for name, _, value in reversed(found)}
    moment = moment_of(values.get("DTSTAMP", "")) or moment_of(values.get("DTSTART", ""))
    _headers(message, uid=_key(values.get("UID", ""), values.get("RECURRENCE-ID", "")),
             subject=unescaped(values.get("SUMMARY", "")), sent=moment if isinstance(moment, datetime) else None,
             organizer=organizer[0] if organizer else None, attendees=tuple(people))
    message.set_content(unescaped(values.get("DESCRIPTION", "")) or "\n")
    message.add_attachment(raw, maintype="text", subtype="calendar", disposition="inline",
                           params={"charset": "utf-8"})
    message.set_boundary(f"=-{hashlib.sha256(raw).hexdigest()[:40]}")
    return message.as_bytes()


def calendar_of(raw: bytes) -> list[tuple[str, dict[str, str], str]]:
    """The properties of the first event or task in the calendar part of a composed item: (name in capitals,
    parameters, value as it stands). Empty for an item without one."""
    for part in message_from_bytes(raw, policy=compat32).walk():
        if part.get_content_type() == "text/calendar":
            payload = Message.get_payload(part, decode=True)
            return first_component(payload.decode("utf-8", "replace") if isinstance(payload, bytes) else "")
    return []


def first_component(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The properties of the first VEVENT or VTODO of a calendar text, not going into alarms."""
    found: list[tuple[str, dict[str, str], str]] = []
    inside = ""
    depth = 0
    for name, parameters, value in _properties(text):
        if not inside:
            inside = value.upper() if name == "BEGIN" and value.upper() in _COMPONENTS else ""
        elif name == "BEGIN":
            depth += 1
        elif name == "END" and value.upper() == inside:
            return found
        elif name == "END":
            depth -= 1
        elif depth == 0:
            found.append((name, parameters, value))
    return found


def moment_of(value: str) -> datetime | date | None:
    """An iCalendar date or time; local times are taken as UTC. None when it is neither."""
    for form, cut in (("%Y%m%dT%H%M%SZ", datetime), ("%Y%m%dT%H%M%S", datetime), ("%Y%m%d", date)):
        try:
            moment = datetime.strptime(value.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
        return moment if cut is datetime else moment.date()
    return None


def unescaped(value: str) -> str:
    """The text of an iCalendar TEXT value."""
    return _UNESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], value)


def message_id_of(head: bytes) -> str:
    """The Message-ID in a header block, without brackets; "" when there is none."""
    found = _MESSAGE_ID.search(head)
    return found["id"].decode("utf-8", "replace").strip().strip("<>") if found else ""


# ------------------------------------------------------------------------------------------------ inside

def _headers(message: EmailMessage, *, uid: str, subject: str, sent: datetime | None, organizer: Person | None,
             attendees: tuple[Person, ...]) -> None:
    if organizer:
        message["From"] = _address(organizer)
    if attendees:
        message["To"] = ", ".join(_address(person) for person in attendees)
    message["Subject"] = _one_line(subject)
    if sent is not None:
        message["Date"] = format_datetime(sent.astimezone(UTC))
    if uid:
        message["Message-ID"] = f"<{uid}>"


def _boundary(entry: Entry) -> str:
    """A boundary that does not change from one fetch to the next, as a random one would."""
    sha = hashlib.sha256()
    for text in (entry.uid, entry.subject, entry.text, entry.html):
        sha.update(text.encode("utf-8", "replace") + b"\0")
    return f"=-{sha.hexdigest()[:40]}"


def _address(person: Person) -> str:
    email = "".join(_one_line(person.email).split())
    try:
        return formataddr((_one_line(person.name), email))
    except UnicodeEncodeError:
        return formataddr((_one_line(f"{person.name} {email}"), "address@invalid"))


def _key(uid: str, occurrence: str) -> str:
    """What stands in place of a Message-ID: an id that every mailbox's copy shares."""
    plain = re.sub(r"[^\x21-\x7e]|[<>()\",;:\\\[\]]", "-", uid.strip())
    if not plain:
        return ""
    local, at, domain = plain.rpartition("@")
    local, domain = (local, domain) if at and local and domain else (plain.replace("@", "-"), "calendar.invalid")
    return f"{local}{'.' + occurrence.strip() if occurrence.strip() else ''}@{domain}"


def _calendar_text(entry: Entry) -> str:
    component = "VTODO" if entry.kind is ItemKind.TASK else "VEVENT"
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", f"BEGIN:{component}", f"UID:{_one_line(entry.uid)}",
             f"SUMMARY:{_escaped(entry.subject)}"]
    for name, moment in (("DTSTART", entry.start), ("DTEND", entry.end), ("DUE", entry.due),
                         ("RECURRENCE-ID", entry.occurrence)):
        if moment is not None:
            lines.append(f"{name}{'' if isinstance(moment, datetime) else ';VALUE=DATE'}:{_stamp_of(moment)}")
    for name, text in (("LOCATION", _escaped(entry.place)), ("STATUS", _one_line(entry.status)),
                       ("RRULE", _one_line(entry.recurrence))):
        if text:
            lines.append(f"{name}:{text}")
    if entry.organizer:
        lines.append(f"ORGANIZER{_named(entry.organizer)}:mailto:{_one_line(entry.organizer.email)}")
    lines += [f"ATTENDEE{_named(person)}:mailto:{_one_line(person.email)}" for person in entry.attendees]
    return "\r\n".join([*lines, f"END:{component}", "END:VCALENDAR", ""])


def _named(person: Person) -> str:
    plain = _one_line(person.name).replace('"', "'")
    return f';CN="{plain}"' if plain else ""


def _stamp_of(moment: datetime | date | None) -> str:
    if moment is None:
        return ""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ") if isinstance(moment, datetime) else (
        moment.strftime("%Y%m%d"))


def _escaped(text: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"([\\,;])", r"\\\1", plain).replace("\n", "\\n")


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _properties(text: str) -> Iterator[tuple[str, dict[str, str], str]]:
    for line in _FOLD.sub("", text).splitlines():
        if found := _LINE.fullmatch(line.strip("\ufeff")):
            pairs = (pair[1:].partition("=") for pair in _PARAMETER.findall(found["parameters"]))
            yield (found["name"].upper(), {key.upper(): value.strip('"') for key, _, value in pairs},
                   found["value"].strip())


def _person(value: str, parameters: dict[str, str]) -> Person:
    return Person(re.sub(r"^mailto:", "", value, flags=re.IGNORECASE), parameters.get("CN", ""))
