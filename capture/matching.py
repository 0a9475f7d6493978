"""Which CRM records an item belongs to, with the reason. Pure: what is known goes in, a match comes out.

Nothing is guessed. Every step can add links or suggestions; a suggestion is for whoever tracked the item to confirm.

| Step | Rule | Result | Reason |
|---|---|---|---|
| 1 | picked in the pane; the item's folder is bound to a record | link | `hand`, `folder` |
| 2 | it answers a tracked mail | suggest what that one is about | `thread` |
| 3 | it is of the conversation of a tracked mail, with an outside party of that one | suggest, lower | `conversation` |
| 4 | an address is that of exactly one contact or lead | link; suggest its open work | `address`, `lead`, `open-work` |
|   | without its "+tag" it is | suggest | `plus-address` |
| 5 | an address is that of several | ask | `ambiguous` |
| 6 | a domain is that of exactly one organisation; of several | suggest; ask | `domain`, `domain-shared` |
| 7 | a project's or quote's number, or an organisation's name, is in the subject line | suggest | `number`, `name` |

Nothing is linked or suggested by rule when the mail is among ourselves only, when a party is on a never-track list,
when it is marked private or confidential, when the mailbox is of a kind that is never linked (HR, legal, health), or
when it is a meeting request (its appointment is linked instead). What a person picked is linked all the same; so is
what lies in a bound folder, when it is merely mail among ourselves.

Addresses and domains are compared casefolded and whole; a subdomain is another domain, and a name never counts. The
`Directory` holds what the person who tagged may see, and nothing else (`capture/crm/lookup.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from pii_scan.text import Address

Matched = Literal["contact", "lead", "organisation", "opportunity", "project", "event", "issue", "unmatched"]
Role = Literal["party", "regarding"]

REASONS: Final[Mapping[str, str]] = {
    "hand": "You picked it.",
    "folder": "The folder it lies in is bound to this record.",
    "thread": "It answers a mail that is linked to this record.",
    "conversation": "An earlier mail of this conversation, with the same people, is linked to this record.",
    "address": "An address of the mail is that of this contact.",
    "lead": "An address of the mail is that of this lead.",
    "open-work": "It is open business of somebody who wrote or received the mail, latest contact first.",
    "plus-address": "Without the part after the plus sign, an address of the mail is that of this contact.",
    "ambiguous": "An address of the mail is that of several records: please choose.",
    "domain": "An address of the mail is at this organisation's domain.",
    "domain-shared": "Several organisations use the domain of an address: please choose.",
    "number": "Its number stands in the subject line.",
    "name": "Its name stands in the subject line.",
    "own-domains-only": "The mail is among ourselves only.",
    "never-track": "Somebody in it is on a list of people who are never tracked.",
    "private": "It is marked private or confidential.",
    "mailbox-class": "The mailbox is of a kind that is never linked by itself.",
    "meeting-request": "It is a meeting request; track the appointment instead.",
    "freemail": "All outside addresses are of free mail services, and no contact has one of them.",
    "no-record": "No record has an address or domain of the mail.",
    "no-address": "The mail names no address.",
    "suggested": "Nothing is sure, but there are suggestions: please choose.",
}
"""Why something is linked or suggested, why nothing is: code -> what the user reads."""

CONFIDENCE: Final[Mapping[str, int]] = {
    "hand": 100, "folder": 100, "thread": 90, "number": 80, "conversation": 70, "open-work": 60, "domain": 50,
    "ambiguous": 50, "domain-shared": 40, "plus-address": 40, "name": 30}
"""Per cent; it orders suggestions and says nothing else."""
ASKING: Final = frozenset({"ambiguous", "domain-shared"})
"""Reasons with which a person is asked to choose between records."""
MOST_SUGGESTED: Final = 5
"""Suggestions of one reason."""

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

Record = tuple[str, str]
"""A record: its kind ("contact", "organisation", "opportunity", "project", ...) and its id."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A tracked mail: what it is about, and the casefolded addresses of its parties."""

    regarding: Sequence[Record]
    parties: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Directory:
    """What the CRM knows of an item, as far as the one who tagged it may see.

    `contacts` and `leads` (open ones) by casefolded address, `organisations` by domain; `work`: the open opportunities
    and projects of a contact or lead, latest contact first; `answered`: the tracked mails it answers; `conversation`:
    the other tracked mails of its conversation; `numbered` and `named`: what the subject line names.
    """

    contacts: Mapping[str, Collection[str]]
    organisations: Mapping[str, Collection[str]]
    leads: Mapping[str, Collection[str]] = field(default_factory=dict)
    work: Mapping[Record, Sequence[Record]] = field(default_factory=dict)
    answered: Sequence[Earlier] = ()
    conversation: Sequence[Earlier] = ()
    numbered: Sequence[Record] = ()
    named: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for an item, each checked to be there and visible: by hand in the pane, by its folder."""

    by_hand: Sequence[Record] = ()
    by_folder: Sequence[Record] = ()


@dataclass(frozen=True, slots=True)
class RecordLink:
    """One record to link: its kind, its id, how it was found, and what it is to the item."""

    record: str
    record_id: str
    how: str
    role: Role = "party"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One record to suggest. Suggestions with the same `question` are an either-or."""

    record: str
    record_id: str
    reason: str
    role: Role = "regarding"
    question: str = ""

    @property
    def confidence(self) -> int:
        """Per cent."""
        return CONFIDENCE[self.reason]


@dataclass(frozen=True, slots=True)
class Match:
    """The strongest kind of record linked, why (or why none), every record to link, and what to suggest."""

    matched: Matched
    reason: str
    links: tuple[RecordLink, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def asks(self) -> int:
        """How many questions only a person can answer."""
        return len({s.question for s in self.suggestions if s.question})


def key_of(email: str) -> str:
    """An address as it is compared."""
    return email.strip().casefold()


def domain_of(email: str) -> str:
    """The domain of an address as it is compared; "" when there is none."""
    return key_of(email).rpartition("@")[2].strip(".") if "@" in email else ""


def without_tag(email: str) -> str:
    """The address without what follows a plus sign in its local part; "" when there is nothing to leave out."""
    local, _, domain = key_of(email).rpartition("@")
    plain, plus, _ = local.partition("+")
    return f"{plain}@{domain}" if plus and plain else ""


def may_identify(domain: str, own_domains: Collection[str] = ()) -> bool:
    """Whether mail from this domain says which organisation it is from."""
    return bool(domain) and domain not in FREEMAIL and domain not in own_domains


def outside_parties(parties: Iterable[Address], own_domains: Collection[str]) -> tuple[str, ...]:
    """Casefolded addresses of the parties that are not our own, in order, each once."""
    seen = dict.fromkeys(key_of(p.email) for p in parties if "@" in p.email)
    return tuple(email for email in seen if domain_of(email) not in own_domains)


def never_tracked(parties: Iterable[Address], patterns: Collection[str]) -> bool:
    """Whether a party is on a never-track list. `patterns` are casefolded addresses, or domains ("x.example" or
    "@x.example"), which mean their subdomains too."""
    if not patterns:
        return False
    listed = {pattern.lstrip("@") for pattern in patterns}
    for party in parties:
        email, domain = key_of(party.email), domain_of(party.email)
        labels = domain.split(".")
        if email in listed or any(".".join(labels[n:]) in listed for n in range(len(labels))):
            return True
    return False


def match(parties: Iterable[Address], directory: Directory, own_domains: Collection[str] = (), *,
          chosen: Chosen = Chosen(), barred: str = "") -> Match:
    """The records an item between these parties belongs to; see the table at the top of this module.

    `own_domains` are casefolded. `barred` is the reason why nothing may be linked by rule ("never-track", "private",
    "mailbox-class", "meeting-request"), "" when there is none.
    """
    everybody = tuple(parties)
    outside = outside_parties(everybody, own_domains)
    links = [RecordLink(kind, ident, "hand", "regarding") for kind, ident in chosen.by_hand]
    if barred:
        return _result(links, (), barred)
    links += [RecordLink(kind, ident, "folder", "regarding") for kind, ident in chosen.by_folder]
    if not outside:
        some = any("@" in p.email for p in everybody)
        return _result(links, (), "own-domains-only" if some else "no-address")
    suggestions = [*_of_thread(directory, outside)]
    for number, email in enumerate(outside, 1):
        found, offered = _of_party(email, f"party {number}", directory, own_domains)
        links += found
        suggestions += offered
    suggestions += [Suggestion(kind, ident, "number") for kind, ident in directory.numbered[:MOST_SUGGESTED]]
    suggestions += [Suggestion(kind, ident, "name") for kind, ident in directory.named[:MOST_SUGGESTED]]
    free = all(domain_of(email) in FREEMAIL for email in outside)
    return _result(links, suggestions, "freemail" if free else "no-record")


def _of_thread(directory: Directory, outside: Collection[str]) -> Iterator[Suggestion]:
    """Steps 2 and 3: what the answered mail is about; what others of the conversation are about."""
    for earlier in directory.answered:
        yield from (Suggestion(kind, ident, "thread") for kind, ident in earlier.regarding)
    for earlier in directory.conversation:
        if not earlier.parties or set(outside).isdisjoint(earlier.parties):
            continue
        yield from (Suggestion(kind, ident, "conversation") for kind, ident in earlier.regarding)


def _of_party(email: str, question: str, directory: Directory,
              own_domains: Collection[str]) -> tuple[list[RecordLink], list[Suggestion]]:
    """Steps 4 to 6 for one outside address."""
    known = _known(email, directory)
    if len(known) == 1:
        [(kind, ident)] = known
        how = "lead" if kind == "opportunity" else "address"
        work = directory.work.get((kind, ident), ())[:MOST_SUGGESTED]
        return [RecordLink(kind, ident, how)], [Suggestion(k, i, "open-work") for k, i in work]
    if known:
        return [], [Suggestion(kind, ident, "ambiguous", "party", question) for kind, ident in known]
    plain = _known(without_tag(email), directory)
    if plain:
        asked = question if len(plain) > 1 else ""
        return [], [Suggestion(kind, ident, "plus-address", "party", asked) for kind, ident in plain]
    domain = domain_of(email)
    found = sorted(directory.organisations.get(domain, ())) if may_identify(domain, own_domains) else []
    if len(found) > 1:
        return [], [Suggestion("organisation", ident, "domain-shared", "party", question) for ident in found]
    return [], [Suggestion("organisation", ident, "domain", "party") for ident in found]


def _known(email: str, directory: Directory) -> list[Record]:
    """Who has this address: contacts first, then leads."""
    return [*(("contact", ident) for ident in sorted(directory.contacts.get(email, ()))),
            *(("opportunity", ident) for ident in sorted(directory.leads.get(email, ())))]


def _result(links: Iterable[RecordLink], suggestions: Iterable[Suggestion], otherwise: str) -> Match:
    """Everything once: the first link of a record, the first suggestion of it, none of what is linked."""
    once: dict[Record, RecordLink] = {}
    for link in links:
        once.setdefault((link.record, link.record_id), link)
    offered: dict[Record, Suggestion] = {}
    for suggestion in suggestions:
        record = suggestion.record, suggestion.record_id
        if record not in once:
            offered.setdefault(record, suggestion)
    left = _not_alone(tuple(offered.values()))
    found = tuple(once.values())
    if found:
        first = next((link for link in found if link.how == "address"), found[0])
        kind = "lead" if first.how == "lead" else first.record
        return Match(kind, first.how, found, left)  # type: ignore[arg-type]  # kinds of records are those of `Matched`
    if any(s.reason in ASKING for s in left):
        return Match("unmatched", "ambiguous", (), left)
    return Match("unmatched", "suggested" if left else otherwise, (), left)


def _not_alone(suggestions: tuple[Suggestion, ...]) -> tuple[Suggestion, ...]:
    """In the order of the steps; a question with one answer left is none any more."""
    counts: dict[str, int] = {}
    for s in suggestions:
        counts[s.question] = counts.get(s.question, 0) + 1
    return tuple(s if not s.question or counts[s.question] > 1
                 else Suggestion(s.record, s.record_id, s.reason, s.role) for s in suggestions)
