"""A fetched item, or what a person typed, as a new activity: fields, parties, files, and what could not go in.

Nothing is cut without saying so in the activity itself: text that is too long for its table goes along as a file,
a file that Dataverse does not take is named by its number and kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.policy import compat32
from email.utils import getaddresses
from pathlib import PurePath
from typing import Any, Final

from capture.crm.dataverse_content import Content, File, Party, clean, escaped
from capture.crm.dataverse_tables import (
    BCC,
    CC,
    FROM,
    MESSAGE_ID_LENGTH,
    NAME_LENGTH,
    OF_KIND,
    ORGANIZER,
    REQUIRED,
    TO,
    Table,
    stamp,
)
from capture.crm.embedded import attachments, body_text
from capture.errors import CrmRefused
from capture.mailbox.composed import calendar_of, moment_of, unescaped
from capture.matching import domain_of, key_of
from capture.ports import MailItem, StoredKind, Typed
from pii_scan.text import Address, Envelope, Extraction
from store.crm_records import NewAttachment, storable

TOO_LARGE, BLOCKED, LONG_TEXT, LONG_SUBJECT = "file-too-large", "file-blocked", "text-as-file", "subject-cut"
"""What a new activity may not hold as it was; the codes stand in the audit."""
FULL_TEXT: Final = "full text.txt"
PLACE_LENGTH: Final = 200
_HALF_HOUR: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the organisation takes: bytes of a file, endings of file names it refuses, bytes of one request."""

    file_bytes: int
    blocked: frozenset[str]
    request_bytes: int


@dataclass(frozen=True, slots=True, repr=False)
class Draft:
    """A new activity. `fields` are further columns; `notes` the codes of what does not stand in it as it was."""

    table: Table
    content: Content
    outgoing: bool
    fields: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[int, int]:
        """State and status when everything is in it."""
        return self.table.sent if self.outgoing else self.table.received


def draft_of(item: MailItem, envelope: Envelope, extraction: Extraction, limits: Limits,
             resolved: Mapping[str, tuple[str, str]], own: frozenset[str], *, hold_oversize: bool = False) -> Draft:
    """The activity for an item. `resolved` are the rows of people: casefolded address -> (table, row id).

    Raises `CrmRefused` when a file does not fit and `hold_oversize` says that the item then waits.
    """
    table = OF_KIND[StoredKind(item.ref.kind)]
    kept, left = fitting(list(attachments(item.raw)), limits)
    if left and hold_oversize:
        raise CrmRefused(f"{len(left)} of {len(kept) + len(left)} files not taken")
    outgoing = envelope.sender is not None and domain_of(envelope.sender.email) in own
    calendar = {name: value for name, _, value in reversed(calendar_of(item.raw))}
    lines, codes = [f"[{what}]" for what, _ in left], [code for _, code in left]
    content = Content(parties=tuple(bound(_parties(table, item.raw, envelope), resolved)), files=tuple(kept))
    fields: dict[str, Any] = {}
    if table.kind is StoredKind.MAIL:
        fields = {"directioncode": outgoing} | ({"actualend": stamp(when)} if (when := _sent(envelope.sent)) else {})
        if not outgoing:  # "received only", says the table reference
            bracketed = f"<{envelope.message_id}>" if envelope.message_id else ""
            content = replace(content, message_id=bracketed if len(bracketed) <= MESSAGE_ID_LENGTH else "")
    elif table.kind is StoredKind.APPOINTMENT:
        place = " ".join(clean(unescaped(calendar.get("LOCATION", ""))).split())
        fields, content = _times(calendar, _sent(envelope.sent)), replace(content, place=place[:PLACE_LENGTH])
        lines += [f"[Place: {place}]"] if len(place) > PLACE_LENGTH else []
    elif due := _time(calendar.get("DUE", "")):
        fields = {"scheduledend": stamp(due)}
    return _written(Draft(table, content, outgoing, fields), envelope.subject, body_text(extraction), lines,
                    codes)


def draft_of_typed(typed: Typed, resolved: Mapping[str, tuple[str, str]]) -> Draft:
    """The activity for what a person typed. Raises `CrmRefused` for a kind that is not written here."""
    table = OF_KIND.get(typed.kind)
    if table is None or table.kind not in (StoredKind.PHONE_CALL, StoredKind.TASK):
        raise CrmRefused(f"{typed.kind} is not written to Dataverse")
    people: list[Party] = []
    fields: dict[str, Any] = {}
    when = stamp(typed.when) if typed.when else ""
    if table.kind is StoredKind.PHONE_CALL:
        people = [Party(FROM, key_of(typed.caller.email), clean(typed.caller.name)),
                  *(Party(TO, key_of(one.email), clean(one.name)) for one in typed.called)]
        fields = {"directioncode": typed.outgoing,
                  "actualdurationminutes": typed.minutes, **({"scheduledend": when} if when else {})}
    elif when:
        fields = {"scheduledend": when}
    number = " ".join(clean(typed.number).split())[:PLACE_LENGTH] if table.place else ""
    content = Content(place=number, parties=tuple(bound(people, resolved)))
    return _written(Draft(table, content, typed.outgoing, fields), typed.subject, clean(typed.text), [], [])


def _written(draft: Draft, subject: str, text: str, lines: Sequence[str], codes: Sequence[str]) -> Draft:
    """The draft with subject and text, as far as they fit; `lines` say what was left out."""
    table, notes = draft.table, list(dict.fromkeys(codes))
    one_line = " ".join(clean(subject).split())
    short = _cut(one_line, table.subject)
    if short != one_line:
        notes.append(LONG_SUBJECT)
        text = f"{one_line}\n\n{text}"
    full = clean("\n".join([text, *lines]) if lines else text)
    kept = escaped(full) if table.html else full
    files = draft.content.files
    if _units(kept) > table.text:
        notes.append(LONG_TEXT)
        files = (*files, File(len(files) + 1, FULL_TEXT, "text/plain", full.encode("utf-8", "replace")))
        says = f"\n[The whole text is in the file \"{FULL_TEXT}\".]"
        kept = _cut(full, table.text - _units(says)) + says if not table.html else escaped(says.strip())
    content = replace(draft.content, subject=short, text=kept, files=files)
    return replace(draft, content=content, notes=tuple(notes))


# ------------------------------------------------------------------------------------------------ files

def fitting(found: Sequence[NewAttachment], limits: Limits) -> tuple[list[File], list[tuple[str, str]]]:
    """The files that go in, and for each that does not a line for the reader with its code. Of files that are too
    much for one request together, the largest stay out."""
    kept: list[File] = []
    left: list[tuple[str, str]] = []
    whole = sum(_base64(a) for a in found if len(a.content) <= limits.file_bytes)
    allowed = sorted((a for a in found if len(a.content) <= limits.file_bytes), key=lambda a: -len(a.content))
    over: set[int] = set()
    for attachment in allowed:
        if whole <= limits.request_bytes:
            break
        over.add(attachment.number)
        whole -= _base64(attachment)
    for attachment in found:
        ending = PurePath(attachment.name).suffix.lstrip(".").casefold()
        place = f"attachment {attachment.number} of {len(found)}{f' ({ending[:12]})' if ending else ''}"
        if len(attachment.content) > limits.file_bytes or attachment.number in over:
            left.append((f"{place}: {len(attachment.content):,} bytes, larger than this CRM takes; "
                         "it is in the mailbox", TOO_LARGE))
        elif ending in limits.blocked:
            left.append((f"{place}: this CRM does not take files of this kind; it is in the mailbox", BLOCKED))
        else:
            kept.append(File(len(kept) + 1, _file_name(attachment), attachment.content_type[:255],
                             attachment.content))
    return kept, left


def _base64(attachment: NewAttachment) -> int:
    return (len(attachment.content) + 2) // 3 * 4


def _file_name(attachment: NewAttachment) -> str:
    """Its name, with the ending kept when it must be cut; a file without one gets one by its number."""
    name = " ".join(storable(attachment.name).replace("/", " ").replace("\\", " ").split())
    if not name:
        ending = {"message/rfc822": "eml", "text/plain": "txt", "text/html": "html"}.get(attachment.content_type, "bin")
        return f"attachment {attachment.number}.{ending}"
    if len(name) <= NAME_LENGTH:
        return name
    ending = PurePath(name).suffix[:20]
    return name[:NAME_LENGTH - len(ending)] + ending


# ------------------------------------------------------------------------------------------------ people and times

def bound(parties: Sequence[Party], resolved: Mapping[str, tuple[str, str]]) -> Iterator[Party]:
    """The parties with the rows that stand for them."""
    for party in parties:
        table, row = resolved.get(key_of(party.address), ("", ""))
        yield replace(party, table=table, row=row, name="" if row else party.name)


def _parties(table: Table, raw: bytes, envelope: Envelope) -> list[Party]:
    """The people of an item, in the order of its headers."""
    if not table.parties:
        return []
    meeting = table.kind is StoredKind.APPOINTMENT
    head = message_from_bytes(raw, policy=compat32)
    masks: dict[str, int] = {}
    for mask, header in ((CC, "Cc"), (BCC, "Bcc")):
        for _, email in getaddresses([str(value) for value in head.get_all(header, [])]):
            masks.setdefault(key_of(email), mask)
    for _, email in getaddresses([str(value) for value in head.get_all("To", [])]):
        masks[key_of(email)] = TO
    found: dict[tuple[int, str, str], Party] = {}

    def add(mask: int, who: Address) -> None:
        address = key_of(storable(who.email))
        name = " ".join(clean(who.name).split())
        if address or name:
            found.setdefault((mask, address, "" if address else name), Party(mask, address, name))

    if envelope.sender:
        add(ORGANIZER if meeting else FROM, envelope.sender)
    for who in envelope.recipients:
        add(REQUIRED if meeting else masks.get(key_of(who.email), TO), who)
    return list(found.values())


def _times(calendar: Mapping[str, str], sent: datetime | None) -> dict[str, Any]:
    """Start and end of an appointment; both are required."""
    start = _time(calendar.get("DTSTART", "")) or sent
    if start is None:
        raise CrmRefused("an appointment without a time")
    end = _time(calendar.get("DTEND", "")) or start + _HALF_HOUR
    all_day = type(moment_of(calendar.get("DTSTART", ""))) is date
    return {"scheduledstart": stamp(start), "scheduledend": stamp(max(start, end)), "isalldayevent": all_day}


def _time(value: str) -> datetime | None:
    found = moment_of(value)
    if found is None or isinstance(found, datetime):
        return found
    return datetime.combine(found, time(), UTC)


def _sent(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _units(text: str) -> int:
    """Characters as Dataverse counts them: UTF-16."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _cut(text: str, most: int) -> str:
    """The beginning of the text, no more than `most` characters as Dataverse counts them."""
    if _units(text) <= most:
        return text
    return text.encode("utf-16-le", "surrogatepass")[:2 * (most - 1)].decode("utf-16-le", "ignore") + "…"
