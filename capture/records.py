"""Records of the CRM as pages and commands make and change them: free text is scanned, then the store is asked.

    ident = records.create(database, keys, scanner, who, "contact", values, source="card")

Nothing is kept of a text that may not be kept; the audit says who tried and which kinds it held. A document is read and
scanned whole when it is uploaded (J13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from capture.ports import Extractor, Scanner
from capture.typed_text import TypedRefused, checked
from pii_scan.findings import Verdict
from store import audit, crm_suppression, crm_work
from store.crm_access import Who
from store.crm_fields import typed_of
from store.crm_work import Entry
from store.crypto import Keys
from store.database import Database
from store.errors import BadState

MOST_BYTES = 25_000_000
"""Longest document."""


def create(database: Database, keys: Keys, scanner: Scanner, who: Who, kind: str, values: Mapping[str, Any], *,
           source: str, source_url: str = "", division: str = "") -> str:
    """Make a record; see `store.crm_work.create`. Raises `TypedRefused` besides."""
    scanned(database, scanner, who, typed_of(kind, values))
    with database.session() as session:
        return crm_work.create(session, who, kind, values, source=source, source_url=source_url, division=division,
                               digest=crm_suppression.digest_with(keys))


def change(database: Database, keys: Keys, scanner: Scanner, who: Who, kind: str, ident: str,
           values: Mapping[str, Any], *, as_of: str = "") -> tuple[str, ...]:
    """Change a record; see `store.crm_work.change`. Raises `TypedRefused` besides."""
    scanned(database, scanner, who, typed_of(kind, values))
    with database.session() as session:
        return crm_work.change(session, who, kind, ident, values, digest=crm_suppression.digest_with(keys),
                               as_of=as_of)


def log(database: Database, scanner: Scanner, who: Who, entry: Entry) -> str:
    """Write a call, meeting, note, task or training request; see `store.crm_work.log`. Raises `TypedRefused`."""
    scanned(database, scanner, who, {"subject": entry.subject, "body": entry.body, "outcome": entry.outcome,
                                     "follow_up": entry.follow_up})
    with database.session() as session:
        return crm_work.log(session, who, replace(entry, subject=" ".join(entry.subject.split())))


def edit(database: Database, scanner: Scanner, who: Who, activity: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Change what was typed; see `store.crm_work.edit`. Raises `TypedRefused` besides."""
    scanned(database, scanner, who, {name: str(values[name]) for name in ("subject", "body", "outcome")
                                     if values.get(name)})
    with database.session() as session:
        return crm_work.edit(session, who, activity, values)


def upload(database: Database, scanner: Scanner, extractor: Extractor, who: Who, name: str, content: bytes, *,
           content_type: str = "", source: str = "mail", division: str = "") -> str:
    """Keep a document once everything in it was read and scanned clean. Raises `TypedRefused` naming kinds and what
    could not be read; nothing is kept then."""
    if not 0 < len(content) <= MOST_BYTES:
        raise BadState(f"a document has at most {MOST_BYTES} bytes")
    scanned(database, scanner, who, {"name": name})
    extraction = extractor.extract(content, name=name)
    decision = scanner.decide(scanner.scan(extraction), extraction)
    if decision.verdict is not Verdict.PASS:
        kinds = sorted({str(getattr(kind, "value", kind)) for kind in decision.categories} | {
            unread.code for unread in decision.unread}) or ["unclear"]
        _refused(database, who, {"document": tuple(kinds)})
    with database.session() as session:
        return crm_work.create(session, who, "document", {"name": name}, source=source, division=division,
                               content=content, extra={
                                   "content_type": content_type[:255], "size": len(content),
                                   "digest": hashlib.sha256(content).hexdigest(), "policy": decision.policy})


def scanned(database: Database, scanner: Scanner, who: Who, fields: Mapping[str, str]) -> None:
    """Go on only when every text may be kept. Raises `TypedRefused`, and the audit says who tried and which kinds."""
    try:
        checked(scanner, fields)
    except TypedRefused as refused:
        _refused(database, who, refused.kinds)


def _refused(database: Database, who: Who, kinds: Mapping[str, tuple[str, ...]]) -> None:
    with database.session() as session:
        audit.append(session, "crm:text:refused", actor=who.actor, body={
            "fields": sorted(kinds), "kinds": sorted({kind for found in kinds.values() for kind in found})})
    raise TypedRefused(kinds)
