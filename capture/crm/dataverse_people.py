"""Who and what Dataverse knows: the person who tagged, the people of an item, records by name.

Records are read with the rights of the person who tagged (`CallerObjectId`: the rights of both count, the person's and
ours), so that a record they may not see is neither linked nor shown. Somebody Dataverse does not know acts for nobody:
then only records of the division of their mailbox are looked at, and none when it has no division.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from capture.crm.dataverse_content import word
from capture.crm.dataverse_http import DataverseHttp, rows
from capture.crm.dataverse_tables import OF_WORD, TARGETS, Target, quoted
from capture.matching import Directory, domain_of, key_of, may_identify, without_tag
from capture.ports import Record

KNOWN_SECONDS: Final = 600.0
"""How long what is known of a user is believed."""
_CHUNK: Final = 12
"""Addresses in one filter: an address of a request has at most 32 KB."""
_MAILS: Final = ("emailaddress1", "emailaddress2", "emailaddress3")
_MOST_ROWS: Final = 500
_DETAILS: Final[Mapping[str, str]] = {"contact": "jobtitle", "account": "address1_city", "lead": "companyname",
                                      "opportunity": "estimatedclosedate"}


@dataclass(frozen=True, slots=True)
class Caller:
    """With whose rights records are read: `object_id` in Entra, `user` in Dataverse ("" = nobody's), and to which
    division the look is limited then (None = to nothing at all)."""

    object_id: str = ""
    user: str = ""
    division: str | None = None

    @property
    def blind(self) -> bool:
        """Whether nothing may be looked at."""
        return not self.user and not self.division

    def limit(self) -> str:
        """What a filter must add for this caller."""
        return "" if self.user else f" and owningbusinessunit/name eq {quoted(self.division or '')}"


@dataclass(frozen=True, slots=True)
class Known:
    """What was found of an item's people: the rows that stand for them, and the directory for matching."""

    resolved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    directory: Directory = field(default_factory=lambda: Directory({}, {}))


class People:
    """Asks Dataverse. `own` are the mail domains of the installation, casefolded. Safe to share between threads."""

    def __init__(self, http: DataverseHttp, own: Collection[str], *, act: bool = True, leads: bool = True) -> None:
        self._http, self._own, self._act, self._leads = http, frozenset(own), act, leads
        self._lock = threading.Lock()
        self._users: dict[str, tuple[float, tuple[str, str]]] = {}

    def caller(self, address: str, division: str) -> Caller:
        """Whoever has this address; `division` is that of their mailbox, "" when it has none."""
        object_id, user = self._user(address) if address else ("", "")
        if self._act and object_id and user:
            return Caller(object_id, user)
        return Caller(division=division or None)

    def of_item(self, addresses: Iterable[str], caller: Caller) -> Known:
        """What is known of these addresses. An address with several rows is resolved to none of them."""
        everybody = list(dict.fromkeys(key_of(address) for address in addresses if "@" in address))
        outside = [address for address in everybody if domain_of(address) not in self._own]
        resolved = {address: ("systemuser", user) for address in everybody if address not in outside
                    if (user := self._user(address)[1])}
        if caller.blind:
            return Known(resolved)
        asked = list(dict.fromkeys((*outside, *filter(None, map(without_tag, outside)))))
        contacts = self._by_address(OF_WORD["contact"], asked, caller)
        leads = self._by_address(OF_WORD["lead"], asked, caller) if self._leads else {}
        for address in outside:
            found = [*(("contact", row) for row in contacts.get(address, ())),
                     *(("lead", row) for row in leads.get(address, ()))]
            if len(found) == 1:
                resolved[address] = found[0]
        domains = {domain_of(a) for a in outside if a not in contacts and a not in leads}
        organisations = self._by_domain({d for d in domains if may_identify(d, self._own)}, caller)
        return Known(resolved, Directory(contacts, organisations, leads))

    def is_there(self, kind: str, ident: str, caller: Caller) -> bool:
        """Whether there is a record of this kind and id that the caller may see."""
        target = OF_WORD.get(kind)
        if target is None or caller.blind or not _is_row(ident):
            return False
        found = rows(self._http.get(f"/{target.path}", {
            "$select": target.key, "$filter": f"{target.key} eq {ident}{caller.limit()}"}, caller=caller.object_id))
        return bool(found)

    def named(self, kind: str, ident: str, caller: Caller) -> Record | None:
        """One record as a picker shows it; None when there is none the caller may see."""
        target = OF_WORD.get(kind)
        if target is None or caller.blind or not _is_row(ident):
            return None
        detail = _DETAILS[target.name]
        found = rows(self._http.get(f"/{target.path}", {
            "$select": f"{target.key},{target.title},{detail}",
            "$filter": f"{target.key} eq {ident}{caller.limit()}"}, caller=caller.object_id))
        return Record(kind, ident, word(found[0], target.title), word(found[0], detail)) if found else None

    def addresses(self, kind: str, ident: str, caller: Caller) -> frozenset[str]:
        """The casefolded addresses of a record that the caller may see."""
        target = OF_WORD[kind]
        if target.name == "opportunity" or caller.blind:
            return frozenset()
        found = rows(self._http.get(f"/{target.path}", {
            "$select": ",".join((target.key, *_MAILS)), "$filter": f"{target.key} eq {ident}{caller.limit()}"},
            caller=caller.object_id))
        return frozenset(key_of(word(row, column)) for row in found for column in _MAILS) - {""}

    def find(self, text: str, caller: Caller, kinds: Sequence[str], limit: int) -> list[Record]:
        """Records of this name or address, by name."""
        wanted = " ".join(text.split())
        if not wanted or caller.blind:
            return []
        found: list[Record] = []
        for target in TARGETS:
            if kinds and target.kind not in kinds:
                continue
            rule = f"contains({target.title},{quoted(wanted)})"
            if "@" in wanted and target.name != "opportunity":
                rule = f"({rule} or emailaddress1 eq {quoted(wanted)})"
            detail = _DETAILS[target.name]
            found += [Record(target.kind, str(row[target.key]), word(row, target.title), word(row, detail))
                      for row in rows(self._http.get(f"/{target.path}", {
                          "$select": f"{target.key},{target.title},{detail}",
                          "$filter": f"statecode eq 0 and {rule}{caller.limit()}",
                          "$orderby": f"{target.title} asc", "$top": str(limit)}, caller=caller.object_id))]
        return sorted(found, key=lambda record: (record.name.casefold(), record.id))[:limit]

    # ------------------------------------------------------------------------------------------ inside

    def _user(self, address: str) -> tuple[str, str]:
        """(Entra object id, row id) of the enabled user with this address; ("", "") when there is not exactly one."""
        key = key_of(address)
        with self._lock:
            known = self._users.get(key)
        if known and time.monotonic() - known[0] < KNOWN_SECONDS:
            return known[1]
        found = rows(self._http.get("/systemusers", {
            "$select": "systemuserid,azureactivedirectoryobjectid",
            "$filter": f"isdisabled eq false and (internalemailaddress eq {quoted(key)} or "
                       f"domainname eq {quoted(key)})",
            "$top": "2"}))
        user = (word(found[0], "azureactivedirectoryobjectid"), word(found[0], "systemuserid")) if len(found) == 1 \
            else ("", "")
        with self._lock:
            self._users[key] = (time.monotonic(), user)
        return user

    def _by_address(self, target: Target, addresses: Sequence[str], caller: Caller) -> dict[str, list[str]]:
        """Row ids by address, of active rows; Dataverse compares without regard to case, and so do we."""
        found: dict[str, set[str]] = {}
        for chunk in _chunks(addresses):
            rule = " or ".join(f"{column} eq {quoted(address)}" for address in chunk for column in _MAILS)
            for row in self._read(target, ",".join(_MAILS), f"({rule})", caller):
                for column in _MAILS:
                    address = key_of(word(row, column))
                    if address in chunk:
                        found.setdefault(address, set()).add(str(row[target.key]))
        return {address: sorted(ids) for address, ids in found.items()}

    def _by_domain(self, domains: Collection[str], caller: Caller) -> dict[str, list[str]]:
        """Ids of the organisations whose address or web site is at a domain."""
        found: dict[str, set[str]] = {}
        target = OF_WORD["organisation"]
        for chunk in _chunks(sorted(domains)):
            rule = " or ".join(f"endswith(emailaddress1,{quoted(f'@{domain}')}) or "
                               f"contains(websiteurl,{quoted(domain)})" for domain in chunk)
            for row in self._read(target, "emailaddress1,websiteurl", f"({rule})", caller):
                for domain in {domain_of(word(row, "emailaddress1")), _host(word(row, "websiteurl"))} & set(chunk):
                    found.setdefault(domain, set()).add(str(row[target.key]))
        return {domain: sorted(ids) for domain, ids in found.items()}

    def _read(self, target: Target, columns: str, rule: str, caller: Caller) -> Iterator[dict[str, Any]]:
        yield from self._http.pages(f"/{target.path}", {
            "$select": f"{target.key},{columns}", "$filter": f"statecode eq 0 and {rule}{caller.limit()}"},
            caller=caller.object_id, page=_MOST_ROWS)


def _host(url: str) -> str:
    """The host of a web site as people write it, without "www."."""
    host = url.casefold().partition("://")[2] or url.casefold()
    return host.partition("/")[0].partition(":")[0].removeprefix("www.").strip(". ")


def with_hyphens(ident: str) -> str:
    """An id as Dataverse writes it; our own tables keep it as 32 digits."""
    plain = len(ident) == 32 and all(c in "0123456789abcdefABCDEF" for c in ident)
    return str(UUID(ident)) if plain else ident


def _is_row(text: str) -> bool:
    return len(text) == 36 and all(c in "0123456789abcdefABCDEF-" for c in text)


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start:start + _CHUNK]
