"""What matching has to know of an item: looked up in the CRM with the rights of whoever tagged it.

    sight = sight_of_tracker(session, "dana.reid", own_domains)
    found = matched(session, tracker, item, envelope, sight, own_domains)       # a `capture.matching.Match`
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator
from email import message_from_bytes
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import Final

from sqlmodel import Session

from capture.matching import Chosen, Directory, Earlier, Match, Record, domain_of, match, never_tracked, outside_parties
from capture.matching import without_tag as plain_of
from capture.ports import ItemKind, MailItem
from pii_scan.text import Envelope
from store import crm_matching, crm_never, people
from store.access import Person
from store.crm_import import name_key
from store.crm_matching import Sight, Thread
from store.errors import NotFound
from store.identity import thread_key

_THREAD_BYTES: Final = 22
"""The part of a Thread-Index header that all mails of a conversation share (MS-OXOMSG 2.2.1.3)."""
_NUMBER: Final = re.compile(r"(?<![\w-])[A-Za-z]{0,8}[-/#. ]?\d[\d./-]{1,20}(?![\w])")
_WORD: Final = re.compile(r"[\w&'.-]+")
_WORDS_IN_NAME: Final = 6
_SHORTEST_NAME: Final = 4
_MOST_WORDS: Final = 40
_RESTRICTED: Final = frozenset({"private", "confidential", "company-confidential", "personal"})


def person_of(session: Session, tracker: str, own_domains: Collection[str]) -> Person | None:
    """The person a mailbox belongs to, as the register knows them."""
    for address in [tracker] if "@" in tracker else [f"{tracker}@{domain}" for domain in sorted(own_domains)]:
        row = people.by_address(session, address)
        if row is not None:
            try:
                return people.load(session, row.id)
            except NotFound:
                return None
    return None


def sight_of_tracker(session: Session, tracker: str, own_domains: Collection[str]) -> Sight:
    """Whose records the owner of a mailbox may see."""
    return crm_matching.sight_of(person_of(session, tracker, own_domains))


def matched(session: Session, tracker: str, item: MailItem, envelope: Envelope, sight: Sight,
            own_domains: Collection[str]) -> Match:
    """The records an item belongs to, and what is suggested. `item.record` names the records that were chosen:
    "contact:ID", several separated by blanks; "folder/contact:ID" and "hand/contact:ID" say by what."""
    outside = outside_parties(envelope.parties(), own_domains)
    directory = directory_of(session, envelope, outside, sight, conversation_of(item.raw, envelope))
    return match(envelope.parties(), directory, own_domains, chosen=chosen_of(session, item.record, sight),
                 barred=barred(session, tracker, item, envelope))


def chosen_of(session: Session, records: str, sight: Sight) -> Chosen:
    """The records that were chosen, those that are there and within sight."""
    by_hand: list[Record] = []
    by_folder: list[Record] = []
    for named in records.split():
        how, slash, rest = named.partition("/")
        kind, _, ident = (rest if slash else named).partition(":")
        record = crm_matching.standing(session, kind, ident)  # it may have been merged since
        if crm_matching.visible(session, *record, sight):
            (by_hand if slash and how == "hand" else by_folder).append(record)
    return Chosen(tuple(dict.fromkeys(by_hand)), tuple(dict.fromkeys(by_folder)))


def barred(session: Session, tracker: str, item: MailItem, envelope: Envelope) -> str:
    """Why nothing may be linked by rule, a code of `capture.matching.REASONS`; "" when there is no reason."""
    if crm_never.is_barred(session, tracker):
        return "mailbox-class"
    if item.private or envelope.sensitivity.strip().casefold() in _RESTRICTED:
        return "private"
    if never_tracked(envelope.parties(), crm_never.patterns(session, tracker)):
        return "never-track"
    return "meeting-request" if item.ref.kind is ItemKind.MAIL and is_meeting_request(item.raw) else ""


def directory_of(session: Session, envelope: Envelope, outside: Collection[str], sight: Sight,
                 conversation: str = "") -> Directory:
    """What the CRM knows of the parties, the thread and the subject line."""
    emails = {*outside, *filter(None, (plain_of(email) for email in outside))}
    contacts = crm_matching.contacts_by_address(session, emails, sight)
    single = sorted({found[0] for email, found in contacts.items() if len(found) == 1 and email in outside})
    answers = [key for ident in (envelope.in_reply_to, *reversed(envelope.references)) if (key := thread_key(ident))]
    own = thread_key(envelope.message_id)
    return Directory(
        contacts=contacts, leads=crm_matching.leads_by_address(session, emails, sight),
        organisations=crm_matching.organisations_by_domain(session, {domain_of(email) for email in outside}, sight),
        work=crm_matching.open_work(session, single, sight),
        answered=_earlier(crm_matching.answered(session, list(dict.fromkeys(k for k in answers if k != own)), sight)),
        conversation=_earlier(crm_matching.of_conversation(session, conversation, sight)),
        numbered=crm_matching.numbered(session, numbers_in(envelope.subject), sight),
        named=crm_matching.named(session, names_in(envelope.subject), sight))


def conversation_of(raw: bytes, envelope: Envelope) -> str:
    """The hash by which mails of one conversation are known: of Outlook's conversation index where there is one, else
    of the first mail of the thread; "" for neither."""
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0][:200_000] + b"\n\n"
    index = "".join(str(BytesHeaderParser(policy=compat32).parsebytes(head).get("Thread-Index", "")).split())
    try:
        start = base64.b64decode(index, validate=True)[:_THREAD_BYTES]
    except (binascii.Error, ValueError):
        start = b""
    if len(start) == _THREAD_BYTES:
        return hashlib.sha256(b"thread-index\0" + start).hexdigest()
    root = next(iter(envelope.references), "") or envelope.in_reply_to or envelope.message_id
    return thread_key(root)


def is_meeting_request(raw: bytes) -> bool:
    """Whether a mail carries an invitation, an answer to one or its cancellation (iTIP)."""
    for part in message_from_bytes(raw, policy=compat32).walk():
        if part.get_content_type() == "text/calendar" and str(part.get_param("method") or "").upper() in (
                "REQUEST", "REPLY", "CANCEL", "COUNTER", "DECLINECOUNTER"):
            return True
    return False


def numbers_in(subject: str) -> frozenset[str]:
    """What could be the number of a project or quote in a subject line, as `number_key` writes it."""
    return frozenset(filter(None, (number_key(found[0]) for found in _NUMBER.finditer(subject[:1000]))))


def number_key(number: str) -> str:
    """A number of a project or quote as it is compared: small letters and digits only; "" for less than three."""
    plain = "".join(c for c in number.casefold() if c.isalnum())
    return plain[:64] if len(plain) > 2 and any(c.isdigit() for c in plain) else ""


def names_in(subject: str) -> frozenset[str]:
    """Every run of up to six words of a subject line, as names of organisations are compared."""
    words = _WORD.findall(subject)[:_MOST_WORDS]
    runs = (" ".join(words[start:end]) for start in range(len(words))
            for end in range(start + 1, min(start + _WORDS_IN_NAME, len(words)) + 1))
    return frozenset(key for run in _trimmed(runs) if len(key := name_key(run)) >= _SHORTEST_NAME)


def _trimmed(runs: Iterable[str]) -> Iterator[str]:
    """Each run as it stands, and without punctuation at its end."""
    for run in runs:
        yield run
        if (bare := run.strip(".'-&")) != run:
            yield bare


def _earlier(threads: Iterable[Thread]) -> tuple[Earlier, ...]:
    return tuple(Earlier(thread.regarding, thread.parties) for thread in threads)
