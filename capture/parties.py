"""Who is a party to an item: keyed hashes of the addresses of its sender, its recipients and whoever tracked it.

A reviewer among them may not open its case (`store.access`), and the addresses themselves are kept nowhere.
"""

from __future__ import annotations

from email.parser import BytesHeaderParser
from email.policy import compat32
from email.utils import getaddresses

from sqlmodel import Session

from capture import notices, wire
from capture.settings import Settings
from pii_scan.text import Envelope
from store import pulls, quarantine
from store.crypto import Keys
from store.desk import Filing, Rules, party
from store.errors import ContentDestroyed, ContentUnreadable
from store.tables import Capture

_FROM = ("from", "sender", "reply-to", "resent-from")
_TO = ("to", "cc", "bcc", "resent-to", "resent-cc", "apparently-to")


def filing_of(settings: Settings, keys: Keys, rules: Rules, envelope: Envelope | None, raw: bytes,
              trackers: tuple[str, ...]) -> Filing:
    """What the desk has to know of an item that is held. `trackers` are mailboxes or addresses; without an envelope the
    headers of the mail are looked at, and an item of which nothing is kept has no other parties."""
    taggers = tuple(dict.fromkeys(address for tracker in trackers for address in addresses_of(settings, tracker)))
    sender, others = _of_envelope(envelope) if envelope is not None else ("", ())
    if not sender and not others:
        sender, others = _of_headers(raw)
    found = {address for address in (sender, *others, *taggers) if "@" in address}
    return Filing(frozenset(party(keys, address) for address in found), party(keys, sender) if sender else "", taggers,
                  rules)


def filing_of_capture(settings: Settings, keys: Keys, rules: Rules, session: Session, row: Capture) -> Filing:
    """As `filing_of`, with what is kept of a capture. The parties stay unknown when that cannot be decrypted."""
    trackers = tuple(name for name in (row.requested_by, row.mailbox) if name and name != pulls.CRM)
    if row.mailbox == pulls.CRM:
        trackers = tuple(pulls.case_trackers(session, row.case_id))
    try:
        text = quarantine.read_kind(session, keys, row.id, quarantine.EXTRACTION)
        raw = quarantine.read_kind(session, keys, row.id, quarantine.MAIL) or b""
    except (ContentUnreadable, ContentDestroyed):
        return Filing(None, "", tuple(a for t in trackers for a in addresses_of(settings, t)), rules)
    return filing_of(settings, keys, rules, wire.from_bytes(text).envelope if text else None, raw, trackers)


def addresses_of(settings: Settings, tracker: str) -> tuple[str, ...]:
    """The addresses that whoever owns a mailbox may have, the likeliest first."""
    if "@" in tracker:
        return (tracker.casefold(),)
    domains = dict.fromkeys((settings.mailbox.domain, *sorted(settings.scan.own_domains)))
    return tuple(notices.address(tracker, domain).casefold() for domain in domains if domain)


def _of_envelope(envelope: Envelope) -> tuple[str, tuple[str, ...]]:
    sender = envelope.sender.email.casefold() if envelope.sender else ""
    return sender, tuple(address.email.casefold() for address in envelope.recipients)


def _of_headers(raw: bytes) -> tuple[str, tuple[str, ...]]:
    """The addresses in the headers as they stand; none when it is no mail."""
    head = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0][:200_000] + b"\n\n"
    headers = BytesHeaderParser(policy=compat32).parsebytes(head)

    def found(names: tuple[str, ...]) -> list[str]:
        values = [str(value) for name in names for value in headers.get_all(name, [])]
        return [address.casefold() for _, address in getaddresses(values) if "@" in address]

    senders = found(_FROM)
    return (senders[0] if senders else ""), (*senders[1:], *found(_TO))
