"""Graph's events and tasks as entries for `capture.mailbox.composed`.

Every property a person can write text into goes in, so that it is scanned: subject and body, places, people,
how to join, the steps of a task and what it is linked to. What our own marking changes (categories, change key,
time of last change) stays out: the same item gives the same bytes until its user changes it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from capture.mailbox.composed import Attached, Entry, Person, compose
from capture.mailbox.graph_parse import APPLICATION, Json, member, moment, number, objects, strings, text
from capture.ports import ItemKind

_UNFIT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters and half characters: JSON can carry them, mail cannot."""
_MIME: Final = re.compile(r"[A-Za-z0-9.+-]{1,60}/[A-Za-z0-9.+-]{1,80}")
_FREQUENCIES: Final = {
    "daily": "DAILY", "weekly": "WEEKLY", "absolutemonthly": "MONTHLY", "relativemonthly": "MONTHLY",
    "absoluteyearly": "YEARLY", "relativeyearly": "YEARLY"}
_STATUSES: Final = {"inprogress": "IN-PROCESS", "completed": "COMPLETED"}


def appointment(event: Json, attachments: Sequence[Attached] = ()) -> bytes:
    """An event as RFC 822 bytes: the organiser as sender, the attendees as recipients.

    Its key is the calendar's own UID, with the original start for one meeting of a series, so that the copies
    of all its guests are one item.
    """
    single = text(event.get("type")) in ("occurrence", "exception")
    places = _places(event)
    plain, rich = _body(event.get("body"), [*places[1:], *_online(event)])
    people = [_person(one) for one in objects(event.get("attendees"))]
    organizer = _person(event.get("organizer"))
    return compose(Entry(
        ItemKind.APPOINTMENT, clean(text(event.get("iCalUId")) or text(event.get("id"))),
        subject=clean(text(event.get("subject"))),
        text=plain, html=rich,
        start=_time(event, "start"), end=_time(event, "end"),
        occurrence=moment(event.get("originalStart")) if single else None,
        place=places[0] if places else "",
        status="CANCELLED" if event.get("isCancelled") is True else "CONFIRMED",
        recurrence=_recurrence(event), created=moment(event.get("createdDateTime")),
        organizer=organizer, attendees=tuple(person for person in people if person),
        attachments=tuple(attachments)))


def task(item: Json, mailbox: str, attachments: Sequence[Attached] = ()) -> bytes:
    """A To Do task as RFC 822 bytes, from and to the owner of its mailbox. It has no id that other mailboxes
    share, so mailbox and id together are its key."""
    steps = [text(step.get("displayName")) for step in objects(item.get("checklistItems"))]
    links = [_joined((text(link.get("displayName")), text(link.get("webUrl"))))
             for link in objects(item.get("linkedResources")) if text(link.get("applicationName")) != APPLICATION]
    key = hashlib.sha256(f"{mailbox}\n{text(item.get('id'))}".encode("utf-8", "replace")).hexdigest()[:40]
    owner = Person(clean(mailbox))
    plain, rich = _body(item.get("body"), [*steps, *links])
    return compose(Entry(
        ItemKind.TASK, f"{key}@task.invalid", subject=clean(text(item.get("title"))),
        text=plain, html=rich,
        start=moment(item.get("startDateTime")), due=moment(item.get("dueDateTime")),
        status=_STATUSES.get(text(item.get("status")).casefold(), "NEEDS-ACTION"),
        recurrence=_recurrence(item), created=moment(item.get("createdDateTime")),
        organizer=owner, attendees=(owner,), attachments=tuple(attachments)))


def attachment(name: str, mime: str, content: bytes) -> Attached:
    """A file for an entry; a content type that is none becomes bytes of unknown kind."""
    return Attached(clean(name), mime if _MIME.fullmatch(mime) else "application/octet-stream", content)


def clean(value: str) -> str:
    """The text without what a mail cannot carry."""
    return _UNFIT.sub(" ", value)


def _body(body: Any, extra: Iterable[str]) -> tuple[str, str]:
    """The body of an entry as plain text or as HTML, the other "", with further lines below it."""
    content, lines = clean(member(body, "content")), [clean(line) for line in extra if line]
    if member(body, "contentType").casefold() == "html" and content:
        return "", content + "".join(f"\n<p>{html.escape(line)}</p>" for line in lines)
    return "\n".join([content, *lines]).replace("\r\n", "\n").replace("\r", "\n") + "\n", ""


def _person(value: Any) -> Person | None:
    name, address = member(value, "emailAddress", "name"), member(value, "emailAddress", "address")
    return Person(clean(address), clean(name)) if name or address else None


def _places(event: Json) -> list[str]:
    """Every place of an event, each once."""
    found = [clean(_place(one)) for one in [*objects([event.get("location")]), *objects(event.get("locations"))]]
    return list(dict.fromkeys(filter(None, found)))


def _place(place: Json) -> str:
    address = place.get("address")
    return _joined([
        *(text(place.get(name)) for name in ("displayName", "locationEmailAddress", "locationUri")),
        *(member(address, name) for name in ("street", "postalCode", "city", "state", "countryOrRegion"))])


def _online(event: Json) -> list[str]:
    """How to join an online meeting: addresses and numbers to dial."""
    meeting = event.get("onlineMeeting")
    found = [text(event.get("onlineMeetingUrl"))]
    if isinstance(meeting, dict):
        found += [text(meeting.get(name)) for name in ("joinUrl", "conferenceId", "tollNumber", "quickDial")]
        found += [text(phone.get("number")) for phone in objects(meeting.get("phones"))]
        found += strings(meeting.get("tollFreeNumbers"))
    return found


def _time(event: Json, name: str) -> datetime | date | None:
    found = moment(event.get(name))
    return found.date() if found and event.get("isAllDay") is True else found


def _recurrence(item: Json) -> str:
    """How often it comes back, as the start of an iCalendar rule; the days are in the calendar itself."""
    recurrence = item.get("recurrence")
    pattern = recurrence.get("pattern") if isinstance(recurrence, dict) else None
    frequency = _FREQUENCIES.get(member(pattern, "type").casefold(), "")
    interval = number(pattern.get("interval")) if isinstance(pattern, dict) else 0
    return f"FREQ={frequency}{f';INTERVAL={interval}' if interval > 1 else ''}" if frequency else ""


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(filter(None, parts))
