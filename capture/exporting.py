"""Exports: for administrators only, for a reason, so many rows at most, marked with who took them, and disclosed.

    made = export(database, person, Wanted("cases", "csv", "audit-office", "auditor-general"), most=10_000)

Every row carries who exported it, when, and the export's id; the disclosure and the audit row are committed before a
byte goes out. Cells that a spreadsheet would take for a formula begin with an apostrophe. How to reach a person of
another division is not exported either (`store.access.FIREWALLED`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select as columns_of
from sqlalchemy.orm import Session
from sqlmodel import col, select

from capture.acting import must, required
from capture.errors import BadInput
from capture.settings import Settings
from capture.wiring import opened
from store import audit, people
from store.access import FIREWALLED, Action, Person
from store.account_tables import Disclosure
from store.columns import now
from store.crm_fields import NOT_SHARED, TABLES
from store.crm_tables import Activity, Contact, Organisation
from store.database import Database
from store.desk_tables import DeskCase
from store.reads import MOST_IDS
from store.tables import AuditEvent, Case, new_id

FORMS: Final = ("csv", "json")
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_FORMULA: Final = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"
"""Beginnings a spreadsheet takes for a formula, the full-width ones too."""
WATERMARK: Final = ("exported_by", "exported_at", "export_id")


class ExportRefused(BadInput):
    """The export cannot be made as asked, so nothing went out."""

    code = "export-refused"
    hint = "docs/operators/accountability.md says what can be exported and how much at a time."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported: one of `WHAT`, as csv or json, why and for whom (codes), rows from `since` on."""

    what: str
    form: str
    reason: str
    recipient: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Export:
    """A finished export. `name` is a file name without anything personal."""

    id: str
    name: str
    media: str
    data: bytes
    rows: int


Rows = Sequence[dict[str, Any]]


def _cases(session: Session, wanted: Wanted, most: int, _person: Person) -> Rows:
    query = select(Case, DeskCase.division, DeskCase.band).outerjoin(
        DeskCase, col(DeskCase.case_id) == col(Case.id)).order_by(col(Case.id)).limit(most)
    if wanted.since is not None:
        query = query.where(Case.opened >= wanted.since)
    return [{"case": c.number, "state": c.state, "verdict": c.verdict, "reason": c.reason,
             "kinds": " ".join(c.summary.get("categories", ())), "persons": int(c.summary.get("persons", 0)),
             "risk": band or "", "division": division or "", "trackers": c.trackers, "policy": c.policy,
             "opened": _iso(c.opened), "closed": _iso(c.closed), "closed_by": c.closed_by,
             "closed_reason": c.closed_reason} for c, division, band in session.execute(query)]


def _audit(session: Session, wanted: Wanted, most: int, _person: Person) -> Rows:
    query = select(AuditEvent).order_by(col(AuditEvent.seq)).limit(most)
    if wanted.since is not None:
        query = query.where(col(AuditEvent.at) >= wanted.since.astimezone(UTC).isoformat(timespec="microseconds"))
    return [{"seq": e.seq, "at": e.at, "action": e.action, "actor": e.actor, "subject": e.subject, "body": e.body,
             "previous": e.previous, "digest": e.digest} for e in session.scalars(query)]


def _contacts(session: Session, wanted: Wanted, most: int, person: Person) -> Rows:
    query = select(Contact, Organisation.name).outerjoin(
        Organisation, col(Contact.organisation_id) == col(Organisation.id)).where(
            Contact.merged_into == "").order_by(col(Contact.id)).limit(most)
    if wanted.since is not None:
        query = query.where(Contact.updated >= wanted.since)
    names = ("id", "first_name", "last_name", "title", "email", "phone", "fax", "category", "division")
    return [{name: None if name in FIREWALLED["contact"] and not (c.division and c.division in person.divisions)
             else getattr(c, name) for name in names} | {"organisation": organisation or ""}
            for c, organisation in session.execute(query)]


def _organisations(session: Session, wanted: Wanted, most: int, _person: Person) -> Rows:
    query = select(Organisation).where(Organisation.merged_into == "").order_by(col(Organisation.id)).limit(most)
    if wanted.since is not None:
        query = query.where(Organisation.updated >= wanted.since)
    return [{name: getattr(o, name) for name in ("id", "name", "address", "email", "phone", "fax", "category")}
            for o in session.scalars(query)]


def _activities(session: Session, wanted: Wanted, most: int, _person: Person) -> Rows:
    query = select(Activity).order_by(col(Activity.id)).limit(most)
    if wanted.since is not None:
        query = query.where(Activity.created >= wanted.since)
    return [{"id": a.id, "type": a.type, "sent": _iso(a.sent), "subject": a.subject, "matched": a.matched,
             "division": a.division} for a in session.scalars(query)]


def _business(kind: str, *names: str) -> Callable[[Session, Wanted, int, Person], Rows]:
    """Rows of a kind of record. What another division does not see is there without its values."""
    table = TABLES[kind]

    def rows(session: Session, wanted: Wanted, most: int, person: Person) -> Rows:
        query = columns_of(table.id, table.division, *(getattr(table, name) for name in names)).order_by(
            table.id).limit(most)
        if wanted.since is not None:
            query = query.where(table.updated >= wanted.since)
        return [{"id": ident, "division": division} | {
            name: None if kind in NOT_SHARED and division and division not in person.divisions else _plain(value)
            for name, value in zip(names, values, strict=True)} for ident, division, *values in session.execute(query)]

    return rows


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else " ".join(value) if isinstance(value, list) else value


_OPPORTUNITY: Final = ("title", "stage", "organisation_id", "contact_id", "quote_number", "quoted_cents", "currency",
                       "services", "owner", "source", "created", "closed")
_PROJECT: Final = ("title", "status", "opportunity_id", "organisation_id", "contact_id", "number", "quoted_cents",
                   "currency", "services", "delivery_locations", "delivery_from", "delivery_until", "owner", "created",
                   "closed")
_EVENT: Final = ("name", "starts", "ends", "place", "owner", "source", "created")
_ISSUE: Final = ("title", "priority", "status", "owner", "created", "closed")
_DOCUMENT: Final = ("name", "content_type", "size", "digest", "policy", "owner", "created")


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that can be exported: what one must be allowed, where its rows come from, its columns, and whether
    they are CRM records, whose ids the audit names."""

    needs: Action
    rows: Callable[[Session, Wanted, int, Person], Rows]
    columns: tuple[str, ...]
    records: bool = False


WHAT: Final[Mapping[str, Kind]] = {
    "cases": Kind(Action.AUDIT_EXPORT, _cases, (
        "case", "state", "verdict", "reason", "kinds", "persons", "risk", "division", "trackers", "policy", "opened",
        "closed", "closed_by", "closed_reason")),
    "audit": Kind(Action.AUDIT_EXPORT, _audit, (
        "seq", "at", "action", "actor", "subject", "body", "previous", "digest")),
    "contacts": Kind(Action.RECORD_EXPORT, _contacts, (
        "id", "first_name", "last_name", "title", "organisation", "email", "phone", "fax", "category", "division"),
        records=True),
    "organisations": Kind(Action.RECORD_EXPORT, _organisations, (
        "id", "name", "address", "email", "phone", "fax", "category"), records=True),
    "activities": Kind(Action.RECORD_EXPORT, _activities, (
        "id", "type", "sent", "subject", "matched", "division"), records=True),
    **{f"{kind}s": Kind(Action.RECORD_EXPORT, _business(kind, *names), ("id", *names, "division"), records=True)
       for kind, names in (("project", _PROJECT), ("event", _EVENT), ("issue", _ISSUE), ("document", _DOCUMENT))},
    "opportunities": Kind(Action.RECORD_EXPORT, _business("opportunity", *_OPPORTUNITY),
                          ("id", *_OPPORTUNITY, "division"), records=True),
}
"""What can be exported."""


def export(database: Database, person: Person, wanted: Wanted, *, most: int) -> Export:
    """Make an export, once `may` agrees. Raises `NotAllowed`, `ExportRefused`.

    The disclosure and its audit row are committed before this returns.
    """
    kind = _checked(person, wanted)
    with database.session() as session:
        audit.lock(session)  # before the reading: a rescan that pulls a record out now names this export
        found = kind.rows(session, wanted, most + 1, person)
        if len(found) > most:
            raise ExportRefused(f"more than {most} rows; name a later --since")
        address = people.get(session, person.id).address
        row = Disclosure(id=new_id(), person_id=person.id, what=wanted.what, form=wanted.form, rows=len(found),
                         reason=wanted.reason, recipient=wanted.recipient, made=now())
        mark = {"exported_by": address, "exported_at": row.made.isoformat(timespec="seconds"), "export_id": row.id}
        data = _csv(kind.columns, found, mark) if wanted.form == "csv" else _json(kind.columns, found, mark)
        row.digest = hashlib.sha256(data).hexdigest()
        session.add(row)
        session.flush()
        audit.append(session, "export:file:made", actor=person.id, subject=row.id, body={
            "what": row.what, "form": row.form, "rows": row.rows, "reason": row.reason,
            "recipient": row.recipient, "digest": row.digest})
        if kind.records:
            _name_records(session, person.id, wanted.what, [str(r["id"]) for r in found])
        return Export(row.id, f"mailweir-{wanted.what}-{row.id[:8]}.{wanted.form}",
                      "text/csv; charset=utf-8" if wanted.form == "csv" else "application/json", data, len(found))


def _checked(person: Person, wanted: Wanted) -> Kind:
    if wanted.what not in WHAT or wanted.form not in FORMS:
        raise ExportRefused(f"there are {', '.join(WHAT)}, as {' or '.join(FORMS)}")
    must(person, WHAT[wanted.what].needs)
    if not _CODE.fullmatch(wanted.reason) or not _CODE.fullmatch(wanted.recipient):
        raise ExportRefused("reason and recipient are short codes")
    return WHAT[wanted.what]


def _name_records(session: Session, actor: str, kind: str, ids: Sequence[str]) -> None:
    """Say which records went out, however many rows that takes."""
    for start in range(0, max(1, len(ids)), MOST_IDS):
        some = list(ids[start:start + MOST_IDS])
        audit.append(session, "crm:records:exported", actor=actor, body={"kind": kind, "count": len(some), "ids": some})


def defused(cell: object) -> object:
    """A cell no spreadsheet takes for a formula; what is no text stays as it is."""
    if not isinstance(cell, str):
        return "" if cell is None else cell
    plain = cell.replace("\x00", "")
    return f"'{plain}" if plain.lstrip(" \"'")[:1] in tuple(_FORMULA) or plain[:1] in tuple(_FORMULA) else plain


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], mark: Mapping[str, str]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([*columns, *WATERMARK])
    for row in rows:
        writer.writerow([*(defused(row[name]) for name in columns), *(mark[name] for name in WATERMARK)])
    return out.getvalue().encode("utf-8", "replace")


def _json(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], mark: Mapping[str, str]) -> bytes:
    tree = {"export": dict(mark), "rows": [{**{name: row[name] for name in columns}, **mark} for row in rows]}
    return (json.dumps(tree, ensure_ascii=False, indent=1, default=str) + "\n").encode("utf-8", "replace")


def disclosures(session: Session, *, last: int = 100) -> list[dict[str, Any]]:
    """The last exports, newest first: what, how much, who, why, for whom."""
    rows = session.scalars(select(Disclosure).order_by(col(Disclosure.made).desc()).limit(last))
    return [{"id": r.id, "made": r.made, "person": r.person_id, "what": r.what, "form": r.form, "rows": r.rows,
             "reason": r.reason, "recipient": r.recipient, "digest": r.digest} for r in rows]


def to_file(settings: Settings, wanted: Wanted, out: Path, *, actor: str) -> Export:
    """Export into a new file that only its owner reads. Raises as `export`, and `UnknownActor`."""
    with opened(settings) as (database, _):
        if out.exists():
            raise BadInput(f"{out}: is there already")
        with database.reading() as session:
            kind = WHAT.get(wanted.what)
            if kind is None:
                raise ExportRefused(f"there are {', '.join(WHAT)}")
            person = required(session, actor, kind.needs)
        made = export(database, person, wanted, most=settings.accountability.export_rows)
        try:
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(made.data)
        except OSError as exc:
            raise BadInput(f"{out}: {type(exc).__name__}") from None
        return made


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""
