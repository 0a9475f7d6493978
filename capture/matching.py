"""Which CRM records a mail belongs to, with the reason. Pure: a directory goes in, a match comes out.

Nothing is guessed. In this order, for every party outside our own domains:

1. the address is that of exactly one contact: link the contact;
2. the address is that of several contacts: a person has to choose, so nothing is linked for it;
3. the domain is that of exactly one organisation, and not a freemail domain: link the organisation.

Addresses and domains are compared casefolded and whole; a subdomain is another domain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pii_scan.text import Address

Matched = Literal["contact", "organisation", "unmatched"]
Reason = Literal["address", "domain", "ambiguous", "own-domains-only", "freemail", "no-record", "no-address"]

FREEMAIL = frozenset({
    "aol.com", "bell.net", "btinternet.com", "cogeco.ca", "duck.com", "eastlink.ca", "fastmail.com", "fastmail.fm",
    "free.fr", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com", "hey.com", "hotmail.ca",
    "hotmail.co.uk", "hotmail.com", "hotmail.fr", "hushmail.com", "icloud.com", "laposte.net", "libero.it",
    "live.ca", "live.co.uk", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com", "mts.net",
    "ntlworld.com", "orange.fr", "outlook.com", "outlook.fr", "pm.me", "proton.me", "protonmail.com", "qq.com",
    "rocketmail.com", "rogers.com", "sasktel.net", "shaw.ca", "sky.com", "sympatico.ca", "t-online.de",
    "talktalk.net", "telus.net", "tutanota.com", "verizon.net", "videotron.ca", "virginmedia.com", "web.de",
    "yahoo.ca", "yahoo.co.uk", "yahoo.com", "yahoo.fr", "yandex.com", "yandex.ru", "ymail.com", "zoho.com",
    "163.com", "126.com",
})
"""Domains at which anybody gets an address: they say nothing about an organisation."""


@dataclass(frozen=True, slots=True)
class Directory:
    """What the CRM knows of the parties: ids of contacts by casefolded address, of organisations by domain."""

    contacts: Mapping[str, Collection[str]]
    organisations: Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class RecordLink:
    """One record to link: its kind, its id, and whether the address or the domain led there."""

    record: Literal["contact", "organisation"]
    record_id: str
    how: Literal["address", "domain"]


@dataclass(frozen=True, slots=True)
class Match:
    """The strongest kind of record found, why, and every record to link. `unmatched` has no records."""

    matched: Matched
    reason: Reason
    links: tuple[RecordLink, ...] = ()


def key_of(email: str) -> str:
    """An address as it is compared."""
    return email.strip().casefold()


def domain_of(email: str) -> str:
    """The domain of an address as it is compared; "" when there is none."""
    return key_of(email).rpartition("@")[2].strip(".") if "@" in email else ""


def may_identify(domain: str, own_domains: Collection[str] = ()) -> bool:
    """Whether mail from this domain says which organisation it is from."""
    return bool(domain) and domain not in FREEMAIL and domain not in own_domains


def outside_parties(parties: Iterable[Address], own_domains: Collection[str]) -> tuple[str, ...]:
    """Casefolded addresses of the parties that are not our own, in order, each once."""
    seen = dict.fromkeys(key_of(p.email) for p in parties if "@" in p.email)
    return tuple(email for email in seen if domain_of(email) not in own_domains)


def match(parties: Iterable[Address], directory: Directory, own_domains: Collection[str] = ()) -> Match:
    """The records a mail between these parties belongs to; see the rules at the top of this module.

    `own_domains` are casefolded.
    """
    everybody = tuple(parties)
    outside = outside_parties(everybody, own_domains)
    if not outside:
        some = any("@" in p.email for p in everybody)
        return Match("unmatched", "own-domains-only" if some else "no-address")
    links: dict[RecordLink, None] = {}
    asked = False
    for email in outside:
        contacts = directory.contacts.get(email, ())
        if len(contacts) == 1:
            links[RecordLink("contact", next(iter(contacts)), "address")] = None
            continue
        domain = domain_of(email)
        organisations = directory.organisations.get(domain, ()) if may_identify(domain, own_domains) else ()
        if contacts or len(organisations) > 1:
            asked = True
        elif organisations:
            links[RecordLink("organisation", next(iter(organisations)), "domain")] = None
    found = tuple(links)
    if any(link.record == "contact" for link in found):
        return Match("contact", "address", found)
    if found:
        return Match("organisation", "domain", found)
    if asked:
        return Match("unmatched", "ambiguous")
    free = all(domain_of(email) in FREEMAIL for email in outside)
    return Match("unmatched", "freemail" if free else "no-record")
