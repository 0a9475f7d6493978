"""Business contact: evidence that contact data lets somebody be reached at work, never an exemption of text.

Only findings that are contact data can be exempted, and only when they stand in a signature or address
lines, or belong to a party of the mail, an organisation's own domain or a known contact. An exempted
finding is kept with its reason. Joined to another element about a person it counts again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pii_scan.findings import Category, Finding
from pii_scan.folding import word_set
from pii_scan.text import Block, Envelope, Extraction, Label, Table

CONTACT_RULES = frozenset({"home_phone", "home_address", "private_mail"})
"""Rules whose findings are telephone numbers, addresses or mailboxes. Nothing else can be exempted."""

_FREE = word_set(
    "gmail.com googlemail.com hotmail.com outlook.com live.com live.ca msn.com yahoo.com yahoo.ca yahoo.co.uk "
    "ymail.com aol.com icloud.com "
    "me.com mac.com shaw.ca telus.net rogers.com videotron.ca sympatico.ca bell.net proton.me protonmail.com "
    "gmx.com mail.com "
    "excite.com juno.com earthlink.net comcast.net btinternet.com hotmail.co.uk hotmail.ca")
_AT_WORK = re.compile(r"\b(?:office|work|business|direct|desk|main|bureau|travail|toll[- ]?free|fax)\b", re.IGNORECASE)

_HOME_NEXT = re.compile(r"[\s(,-]{0,3}(?:at |\()?(?:home|h\)|residence|house)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class KnownContacts:
    """What is known to be business: addresses, domains and telephone digits. Never printed."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    phones: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, envelope: Envelope, own_domains: Iterable[str], contacts: Iterable[str]) -> KnownContacts:
        """The parties of a mail (free mail domains left out), the operator's domains and contacts."""
        parties = {p.email for p in envelope.parties() if p.email}
        domains = {d.lower().lstrip("@") for d in own_domains}
        domains |= {d for e in parties if (d := e.rpartition("@")[2]) and d not in _FREE}
        addresses, phones = set(), set()
        for contact in contacts:
            if contact.startswith("@"):
                domains.add(contact[1:].lower())
            elif "@" in contact:
                addresses.add(contact.lower())
            else:
                phones.add(digits(contact))
        return cls(frozenset(addresses), frozenset(domains), frozenset(phones))

    def knows(self, value: str) -> str:
        """The reason `value` is business contact, or ""."""
        low = value.strip().lower()
        if "@" in low:
            if low in self.addresses:
                return "known-contact"
            return "party-domain" if low.rpartition("@")[2] in self.domains else ""
        return "known-contact" if len(number := digits(low)) >= 7 and number in self.phones else ""


def digits(value: str) -> str:
    """The last ten decimal digits of a telephone number."""
    return re.sub(r"\D", "", value)[-10:]


def exempt(findings: Sequence[Finding], extraction: Extraction, known: KnownContacts) -> tuple[Finding, ...]:
    """Return the findings with the reason filled in for those that are business contact."""
    first = tuple(_weighed(f, extraction, known) if f.rule in CONTACT_RULES else f for f in findings)
    return tuple(replace(f, exempt="") if f.exempt and _joined(f, first) else f for f in first)


CALLED_HOME = frozenset({"context:home", "context:h", "context:relative", "context:reach-at-home"})
"""Codes of a telephone number that the text itself calls somebody's home."""

IN_SIGNATURE = 0.6
"""Highest score of a number called home inside a signature: its owner chose to give it, so it is doubt."""


def _weighed(f: Finding, extraction: Extraction, known: KnownContacts) -> Finding:
    """The finding with the reason it is business contact, or as doubt when a signature calls it home."""
    reason = _reason(f, extraction, known)
    if reason == "signature" and f.rule == "home_phone" and not CALLED_HOME.isdisjoint(f.why):
        return replace(f, score=min(f.score, IN_SIGNATURE), why=(*f.why, "in-signature"))
    return replace(f, exempt=reason)


def _reason(f: Finding, extraction: Extraction, known: KnownContacts) -> str:
    block = extraction.parts[f.part].blocks[f.block]
    if isinstance(block, Table):
        return ""
    if reason := known.knows(block.text[f.start:f.end]):
        return reason
    return _by_label(block, f)


def _by_label(block: Block, f: Finding) -> str:
    if block.label is Label.ADDRESSES:
        return "address-lines"
    if block.label is Label.SIGNATURE:
        return "signature"
    line = block.text[block.text.rfind("\n", 0, f.start) + 1:f.end]
    home = "home" in line.lower() or _HOME_NEXT.match(block.text, f.end)
    if _AT_WORK.search(line) and len(line) < 60 and f.category is Category.HOME_CONTACT and not home:
        return "work-label"
    return ""


def _joined(f: Finding, all_findings: Sequence[Finding]) -> bool:
    return any(o.part == f.part and o.block == f.block and not o.exempt and o.rule not in CONTACT_RULES
               and o.score >= 0.5 and abs(o.start - f.start) <= 300 for o in all_findings)
