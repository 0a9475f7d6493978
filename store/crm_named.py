"""Records of the embedded CRM by name or address, as a picker shows them, as far as one person may see. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col

from store.crm_matching import KINDS as KINDS_OF
from store.crm_matching import Sight, visible
from store.crm_tables import Contact, Organisation
from store.crm_work_tables import Opportunity

KINDS = ("contact", "organisation", "opportunity")
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True, repr=False)
class Found:
    """A record: kind, id, name, and what tells it from others of the name."""

    kind: str
    id: str
    name: str
    detail: str


def find(session: Session, text: str, sight: Sight, kinds: Collection[str] = (), limit: int = 20) -> list[Found]:
    """Records all of whose words of `text` begin or go on in their name, or with this very address, by name."""
    words = text.casefold().split()[:_MOST_WORDS]
    if not words:
        return []
    found: list[Found] = []
    if not kinds or "contact" in kinds:
        name = func.lower(col(Contact.first_name) + " " + col(Contact.last_name))
        rule = or_(and_(*(name.contains(word, autoescape=True) for word in words)),
                   and_(col(Contact.email_key) != "", col(Contact.email_key) == text.strip().casefold()))
        found += [Found("contact", c.id, f"{c.first_name} {c.last_name}".strip(), c.title) for (c,) in session.execute(
            columns(Contact).where(rule, col(Contact.merged_into) == "", _within(Contact, sight)).order_by(
                name, col(Contact.id)).limit(limit))]
    if not kinds or "organisation" in kinds:
        rule = and_(*(func.lower(col(Organisation.name)).contains(word, autoescape=True) for word in words))
        found += [Found("organisation", o.id, o.name, o.category) for (o,) in session.execute(
            columns(Organisation).where(rule, col(Organisation.merged_into) == "", _within(Organisation, sight))
            .order_by(col(Organisation.name_key)).limit(limit))]
    if not kinds or "opportunity" in kinds:
        rule = and_(*(func.lower(col(Opportunity.title)).contains(word, autoescape=True) for word in words))
        found += [Found("opportunity", o.id, o.title, o.stage) for (o,) in session.execute(
            columns(Opportunity).where(rule, _within(Opportunity, sight)).order_by(
                col(Opportunity.title), col(Opportunity.id)).limit(limit))]
    return sorted(found, key=lambda one: (one.name.casefold(), one.id))[:limit]


def named(session: Session, kind: str, ident: str, sight: Sight) -> Found | None:
    """One record as a picker shows it; None when there is none, or none within sight."""
    table = KINDS_OF.get(kind)
    row = session.get(table, ident) if table is not None else None
    if row is None or not visible(session, kind, ident, sight):
        return None
    if isinstance(row, Contact):
        employer = session.get(Organisation, row.organisation_id) if row.organisation_id else None
        return Found(kind, ident, f"{row.first_name} {row.last_name}".strip(), ", ".join(
            filter(None, (row.title, employer.name if employer else ""))))
    detail = getattr(row, "category", "") or getattr(row, "stage", "") or getattr(row, "status", "")
    return Found(kind, ident, getattr(row, "name", "") or getattr(row, "title", ""), str(detail))


def beyond_at(session: Session, addresses: Collection[str], sight: Sight) -> int:
    """How many contacts with one of these casefolded addresses are out of sight."""
    wanted = [address for address in addresses if address][:400]
    if sight.everything or not wanted:
        return 0
    return int(session.scalars(columns(func.count()).select_from(Contact).where(
        col(Contact.email_key).in_(wanted), col(Contact.merged_into) == "",
        ~_within(Contact, sight))).one())


def beyond_text(session: Session, text: str, sight: Sight, most: int = 20) -> int:
    """How many of the first records of this name or address are out of sight."""
    if sight.everything:
        return 0
    within = {one.id for one in find(session, text, sight, limit=most)}
    return len([one for one in find(session, text, Sight(everything=True), limit=most)
                if one.id not in within and not visible(session, one.kind, one.id, sight)])


def _within(table: type[Contact | Organisation | Opportunity], sight: Sight) -> ColumnElement[bool]:
    """The rule of what somebody sees."""
    return col(table.id) != "" if sight.everything else col(table.division).in_(["", *sorted(sight.divisions)])
