"""The CRM in our own tables: organisations, contacts, activities.

Its stored items are activities, and what was typed or uploaded into every other record (`store/crm_texts.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from sqlmodel import Session

from capture.coordinating import answering_for
from capture.crm import lookup
from capture.crm.asmail import StoredFile, as_mail
from capture.crm.offers import offers_of
from capture.crm.times import times_of
from capture.crm.trackers import division_of_tracker
from capture.errors import CrmRefused, RecordChanged, RecordGone, TryLater
from capture.matching import outside_parties
from capture.ports import (
    Check,
    Crm,
    Linked,
    MailItem,
    Offers,
    Record,
    Restored,
    StoredItem,
    StoredKind,
    StoredRef,
    Typed,
    Wanted,
)
from capture.settings import Settings
from capture.typed_text import SHORT
from pii_scan.text import Address, Block, Envelope, Extraction, Label, Part
from store import crm_named, crm_records, crm_stored, crm_texts
from store.crm_records import NewActivity, NewAttachment
from store.database import Database
from store.errors import DatabaseLocked, NotFound

_BODY_LABELS = frozenset({Label.TEXT, Label.SIGNATURE, Label.DISCLAIMER})
TYPES = {StoredKind.MAIL: "email", StoredKind.APPOINTMENT: "appointment", StoredKind.TASK: "task",
         StoredKind.NOTE: "note", StoredKind.PHONE_CALL: "phonecall"}
"""What each kind is called in the column `type`."""
KINDS = {name: kind for kind, name in TYPES.items()} | {
    "meeting": StoredKind.NOTE, "training": StoredKind.NOTE}
STUB_SUBJECT = "Held for privacy review"
STUB_BODY = "This record was taken out of the CRM for privacy review. Case {case}. Ask the privacy office about it."
STUB_TEXT = "What stood here was taken out of the CRM for privacy review. Case {case}. Ask the privacy office about it."
_ATTACHED = ("attachment", "member", "embedded", "header")


class EmbeddedCrm:
    """Writes one activity per item, in a transaction of its own.

    `own_domains` are the mail domains of the installation: people there are not matched.
    """

    def __init__(self, database: Database, own_domains: Collection[str] = ()) -> None:
        self._database = database
        self._own = frozenset(domain.strip().casefold() for domain in own_domains)

    def link(self, item_key: str, tracker: str, item: MailItem, envelope: Envelope,
             extraction: Extraction) -> Linked:
        """Write one activity for the item (or add the tracker to it), link it to its records, and note what is
        suggested.

        Raises `TryLater` while the database is busy.
        """
        with self._patiently() as session:
            sight = lookup.sight_of_tracker(session, tracker, self._own)
            found = lookup.matched(session, tracker, item, envelope, sight, self._own)
            times = times_of(item)
            activity, made = crm_records.upsert_activity(session, NewActivity(
                item_key=item_key, subject=envelope.subject, body="\n".join(filter(None, (
                    times.words, body_text(extraction)))),
                message_id=envelope.message_id, sent=_moment(envelope.sent), type=TYPES[StoredKind(item.ref.kind)],
                participants=tuple(_participants(envelope)), matched=found.matched, reason=found.reason,
                links=tuple((link.record, link.record_id, link.how, link.role) for link in found.links),
                suggestions=tuple((s.record, s.record_id, s.role, s.reason, s.confidence, s.question)
                                  for s in found.suggestions),
                conversation=lookup.conversation_of(item.raw, envelope), attachments=tuple(attachments(item.raw)),
                division=division_of_tracker(session, tracker, self._own), starts=times.starts,
                ends=times.ends, due=times.due), tracker)
            records = len(found.links) if made else crm_records.links_of(session, activity.id)
            return Linked(activity.id, activity.matched, records,
                          asked=crm_records.questions_of(session, activity.id, tracker))

    def write(self, item_key: str, author: str, typed: Typed) -> Linked:
        """Write what a person typed as one activity."""
        if typed.kind not in (StoredKind.PHONE_CALL, StoredKind.TASK):
            raise CrmRefused(f"{typed.kind} is not written here")
        call = typed.kind is StoredKind.PHONE_CALL
        people = (typed.caller, *typed.called) if call else ()
        with self._patiently() as session:
            sight = lookup.sight_of_tracker(session, author, self._own)
            chosen = lookup.chosen_of(session, typed.record, sight)
            links = tuple((kind, ident, "hand", "regarding") for kind, ident in (*chosen.by_hand, *chosen.by_folder))
            lines = [f"{typed.minutes} min, {'outgoing' if typed.outgoing else 'incoming'} {typed.number}".strip()]
            activity, _ = crm_records.upsert_activity(session, NewActivity(
                item_key=item_key, subject=typed.subject, body="\n".join([*(lines if call else ()), typed.text]),
                type=TYPES[typed.kind], matched=links[0][0] if links else "unmatched",
                reason="hand" if links else "no-record", links=links, due=typed.when,
                participants=tuple({"role": "to" if number else "from", "name": who.name, "email": who.email}
                                   for number, who in enumerate(people)),
                division=division_of_tracker(session, author, self._own)), author)
            return Linked(activity.id, activity.matched, crm_records.links_of(session, activity.id))

    def suggest(self, tracker: str, item: MailItem, envelope: Envelope, *, who: str = "") -> Offers:
        """What `link` would make of the item, as far as `who` may see."""
        with self._reading() as session:
            sight = lookup.sight_of_tracker(session, who or tracker, self._own)
            found = lookup.matched(session, tracker, item, envelope, sight, self._own)
            beyond = crm_named.beyond_at(session, outside_parties(envelope.parties(), self._own), sight)

            def named(kind: str, ident: str) -> Record | None:
                one = crm_named.named(session, kind, ident, sight)
                return Record(one.kind, one.id, one.name, one.detail) if one else None

            return offers_of(found, named, beyond)

    def find(self, text: str, *, who: str = "", kinds: tuple[str, ...] = (), limit: int = 20) -> list[Record]:
        """Records of this name or address that `who` may see."""
        with self._reading() as session:
            sight = lookup.sight_of_tracker(session, who, self._own)
            return [Record(one.kind, one.id, one.name, one.detail)
                    for one in crm_named.find(session, text, sight, kinds, limit)]

    def stored(self, wanted: Wanted, after: str = "", limit: int = 200) -> list[StoredRef]:
        """One page of activities in the order of their ids, then of records with a text."""
        activities, records = _filters(wanted)
        found: list[StoredRef] = []
        with self._reading() as session:
            if activities is not None and not after.startswith(crm_texts.PREFIX):
                found += [StoredRef(ident, KINDS.get(kind, StoredKind.MAIL), division)
                          for ident, kind, division in crm_stored.page(session, activities, after, limit)]
            if records is not None and len(found) < limit:
                found += [StoredRef(name, StoredKind(kind), division) for name, kind, division in crm_texts.page(
                    session, records, after if after.startswith(crm_texts.PREFIX) else "", limit - len(found))]
        return found

    def count(self, wanted: Wanted) -> int:
        """How many activities and records with a text there are."""
        activities, records = _filters(wanted)
        with self._reading() as session:
            return (crm_stored.count(session, activities) if activities is not None else 0) + (
                crm_texts.count(session, records) if records is not None else 0)

    def read(self, ident: str) -> StoredItem:
        """One activity or one record's text, as a mail and as it is kept. Raises `RecordGone`."""
        try:
            with self._reading() as session:
                if ident.startswith(crm_texts.PREFIX):
                    text = crm_texts.load(session, ident)
                    return stored_text(text, answering_for(session, text.owner, text.division))
                found = crm_stored.load(session, ident)
                typed = crm_records.is_typed(found.activity)
                told = answering_for(session, found.activity.staff, "") if typed else ()
        except NotFound:
            raise RecordGone(f"record {ident}") from None
        return self._activity(found, typed=typed, told=told)

    def _activity(self, found: crm_stored.Stored, *, typed: bool, told: tuple[str, ...]) -> StoredItem:
        kept = found.activity
        text = "\n".join(filter(None, (kept.body, kept.outcome, *found.former)))
        raw = as_mail(subject=kept.subject, body=text, sent=kept.sent, message_id=kept.message_id,
                      participants=kept.participants,
                      files=[StoredFile(a.name, a.content_type, a.content) for a in found.attachments])
        return StoredItem(
            StoredRef(kept.id, KINDS.get(kept.type, StoredKind.MAIL), kept.division), kept.item_key, raw,
            found.content, found.version, kept.created, stub=kept.stub, trackers=found.trackers or told,
            shown_with=found.shown_with, attachments=len(found.attachments), edited=found.edited,
            typed="\n".join((kept.subject, text)) if typed and not kept.stub else "")

    def pull(self, ident: str, version: str, case: str) -> None:
        """Replace the content by the stub of this case. Raises `RecordGone` or `RecordChanged`."""
        record = ident.startswith(crm_texts.PREFIX)
        try:
            with self._patiently() as session:
                (crm_texts if record else crm_stored).pull(session, ident, version, case, (
                    STUB_SUBJECT, (STUB_TEXT if record else STUB_BODY).format(case=case)))
        except NotFound:
            raise RecordGone(f"record {ident}") from None
        except crm_stored.ContentChanged:
            raise RecordChanged(f"record {ident}") from None

    def restore(self, ident: str, case: str, content: bytes) -> Restored:
        """Put the content back in the place of the stub of this case."""
        with self._patiently() as session:
            if ident.startswith(crm_texts.PREFIX):
                return crm_texts.restore(session, ident, case, content)
            return crm_stored.restore(session, ident, case, content)

    def check(self) -> list[Check]:
        """That its tables can be read."""
        with self._reading() as session:
            count = crm_stored.count(session, crm_stored.Filter())
        return [Check("crm-tables", True, f"The embedded CRM holds {count} activities.")]

    def close(self) -> None:
        """Nothing is open: the database is its owner's."""

    @contextmanager
    def _patiently(self) -> Iterator[Session]:
        """A write transaction; a busy database is one to try later."""
        try:
            with self._database.session() as session:
                yield session
        except DatabaseLocked as exc:
            raise TryLater("the database is busy") from exc

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        try:
            with self._database.reading() as session:
                yield session
        except DatabaseLocked as exc:
            raise TryLater("the database is busy") from exc


def from_settings(settings: Settings, database: Database) -> EmbeddedCrm:
    """The backend of a home."""
    return EmbeddedCrm(database, settings.scan.own_domains)


def _filters(wanted: Wanted) -> tuple[crm_stored.Filter | None, crm_stored.Filter | None]:
    """What is wanted of activities, and of other records; None where no kind of them is."""
    def of(names: tuple[str, ...]) -> crm_stored.Filter | None:
        if wanted.kinds and not names:
            return None
        return crm_stored.Filter(wanted.since, wanted.until, wanted.division, names, wanted.attached)

    return (of(tuple(TYPES[kind] for kind in wanted.kinds if kind in TYPES)),
            of(tuple(kind.value for kind in wanted.kinds if kind not in TYPES)))


def stored_text(text: crm_texts.StoredText, told: tuple[str, ...]) -> StoredItem:
    """A record's text as a rescan reads it. A document is a mail with its file, so that it is read as any file is."""
    title, files = "", []
    if text.file is not None:
        title, content_type, content = text.file
        files = [StoredFile(title, content_type, content)]
    lines = [*(() if files else (words for _, words in text.fields)), *text.former]
    former = tuple(("history", words) for words in text.former)
    guarded = [words for name, words in text.fields if name not in SHORT]
    return StoredItem(
        StoredRef(crm_texts.name_of(text.kind, text.id), StoredKind(text.kind), text.division),
        crm_texts.name_of(text.kind, text.id),
        as_mail(subject=title, body="\n\n".join(lines), sent=None, message_id="", participants=(), files=files),
        text.content, text.version, text.created, stub=text.stub, trackers=told, shown_with=text.shown_with,
        attachments=len(files), fields=() if files or text.stub else (*text.fields, *former),
        typed="" if text.stub else "\n".join((*guarded, *text.former)))


def body_text(extraction: Extraction) -> str:
    """The text of the mail itself: no headers, no attachments, no text that a reader of the mail does not see."""
    bodies = [part for part in extraction.parts if part.place.startswith("body")]
    bodies = bodies or [part for part in extraction.parts if not part.place.startswith(_ATTACHED)]
    return "\n".join(text for part in bodies if (text := _visible(part))).strip()


def attachments(raw: bytes) -> Iterator[NewAttachment]:
    """The attached files of a mail, numbered from 1. An attached mail is one file."""
    number = 0
    for part in _leaves(message_from_bytes(raw, policy=compat32)):
        name, attached = part.get_filename() or "", part.get_content_disposition() == "attachment"
        mail_inside = part.get_content_type() == "message/rfc822"
        if not (name or attached or mail_inside) and part.get_content_maintype() == "text":
            continue
        if mail_inside and part.is_multipart():
            content = b"\n".join(inner.as_bytes() for inner in part.get_payload() if isinstance(inner, Message))
        else:
            payload = part.get_payload(decode=True)
            content = payload if isinstance(payload, bytes) else b""
        number += 1
        yield NewAttachment(number, name, part.get_content_type()[:255], content)


def _leaves(message: Message) -> Iterator[Message]:
    """The parts that hold content, in order, not going into attached mails."""
    if message.is_multipart() and message.get_content_maintype() == "multipart":
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _leaves(part)
    else:
        yield message


def _visible(part: Part) -> str:
    kept = [b.text if isinstance(b, Block) else "\n".join(b.lines())
            for b in part.blocks if b.label in _BODY_LABELS]
    return "\n".join(kept).strip()


def _participants(envelope: Envelope) -> Iterator[dict[str, str]]:
    def entry(role: str, who: Address) -> dict[str, str]:
        return {"role": role, "name": who.name, "email": who.email}

    if envelope.sender:
        yield entry("from", envelope.sender)
    for who in envelope.recipients:
        yield entry("to", who)


def _moment(sent: str) -> datetime | None:
    """UTC ISO 8601, or None for a mail without a usable date."""
    try:
        moment = datetime.fromisoformat(sent)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


_: type[Crm] = EmbeddedCrm
