"""What the CRM knows of the parties, the thread and the subject line of an item, as far as one person may see.

    sight = sight_of(person)                                  # None: somebody the register does not know
    contacts_by_address(session, emails, sight)               # and so on, for `capture.matching.Directory`

A record of another division is neither found nor offered; one that belongs to nobody in particular is. What was merged
is found as the record that stands for it now. All functions only read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.access import Action, Person, Scope, reach
from store.crm_tables import Activity, ActivityLink, Contact, Organisation, OrganisationDomain
from store.crm_work_tables import Event, Issue, Opportunity, Project

Record = tuple[str, str]
KINDS: Final[Mapping[str, Any]] = {
    "contact": Contact, "organisation": Organisation, "opportunity": Opportunity, "project": Project, "event": Event,
    "issue": Issue}
"""Kinds of record an activity can belong to."""
OPEN_STAGES: Final = ("lead", "qualified", "quoted")
MOST_WORK: Final = 20
MOST_MERGES: Final = 50
"""How often a record is followed to the one that stands for it."""
_CHUNK: Final = 400


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose records somebody may see: those of these divisions and nobody's in particular, or all."""

    divisions: frozenset[str] = frozenset()
    everything: bool = False

    def may_see(self, division: str) -> bool:
        """Whether a record of this division is within sight."""
        return self.everything or not division or division in self.divisions


@dataclass(frozen=True, slots=True)
class Thread:
    """A tracked mail: what it is about, and the addresses of its parties, casefolded."""

    regarding: tuple[Record, ...]
    parties: frozenset[str]


def sight_of(person: Person | None) -> Sight:
    """What a person may see of the CRM; somebody unknown or not active sees what belongs to no division."""
    if person is None or not person.active:
        return Sight()
    within = reach(person, Action.RECORD_READ)
    if within is Scope.ALL:
        return Sight(everything=True)
    return Sight(person.divisions) if within is Scope.DIVISION else Sight()


def visible(session: Session, record: str, ident: str, sight: Sight) -> bool:
    """Whether there is such a record, it stands for itself, and it is within sight."""
    table = KINDS.get(record)
    row = session.get(table, ident) if table is not None and ident else None
    return row is not None and not getattr(row, "merged_into", "") and sight.may_see(row.division)


def standing(session: Session, record: str, ident: str) -> Record:
    """The record that stands for this one since it was merged, or itself."""
    table = KINDS.get(record)
    for _ in range(MOST_MERGES):
        row = session.get(table, ident) if table is not None and ident else None
        into = getattr(row, "merged_into", "")
        if not into:
            break
        ident = into
    return record, ident


def contacts_by_address(session: Session, emails: Collection[str], sight: Sight) -> dict[str, list[str]]:
    """Casefolded address -> ids of the contacts that have it, at work or in private, or had it before a merge."""
    found: dict[str, set[str]] = {}
    for chunk in _chunks(sorted(e for e in emails if e)):
        rows = session.execute(
            columns(col(Contact.id), col(Contact.email_key), col(Contact.private_key), col(Contact.division),
                    col(Contact.merged_into))
            .where(or_(col(Contact.email_key).in_(chunk), col(Contact.private_key).in_(chunk)))).all()
        for ident, work, private, division, merged in rows:
            one = standing(session, "contact", ident)[1] if merged else ident
            if visible(session, "contact", one, sight) if merged else sight.may_see(division):
                for email in {work, private} & set(chunk):
                    found.setdefault(email, set()).add(one)
    return {email: sorted(idents) for email, idents in found.items()}


def leads_by_address(session: Session, emails: Collection[str], sight: Sight) -> dict[str, list[str]]:
    """Casefolded address -> ids of the opportunities that are leads of somebody with it."""
    found: dict[str, list[str]] = {}
    for chunk in _chunks(sorted(e for e in emails if e)):
        rows = session.execute(
            columns(col(Opportunity.lead_key), col(Opportunity.id), col(Opportunity.division))
            .where(col(Opportunity.lead_key).in_(chunk), col(Opportunity.stage) == "lead",
                   col(Opportunity.contact_id).is_(None)).order_by(col(Opportunity.id)))
        for email, ident, division in rows:
            if sight.may_see(division):
                found.setdefault(email, []).append(ident)
    return found


def organisations_by_domain(session: Session, domains: Collection[str], sight: Sight) -> dict[str, list[str]]:
    """Domain -> ids of the organisations known by it."""
    found: dict[str, list[str]] = {}
    for chunk in _chunks(sorted(d for d in domains if d)):
        rows = session.execute(
            columns(col(OrganisationDomain.domain), col(Organisation.id), col(Organisation.division))
            .join(Organisation, col(Organisation.id) == col(OrganisationDomain.organisation_id))
            .where(col(OrganisationDomain.domain).in_(chunk), col(Organisation.merged_into) == "")
            .order_by(col(Organisation.id)))
        for domain, ident, division in rows:
            if sight.may_see(division):
                found.setdefault(domain, []).append(ident)
    return found


def open_work(session: Session, contacts: Collection[str], sight: Sight) -> dict[Record, list[Record]]:
    """The open opportunities and projects of each contact, or of its organisation and nobody in it, latest contact
    first."""
    found: dict[Record, list[Record]] = {}
    for ident in contacts:
        employer = session.scalars(select(Contact.organisation_id).where(Contact.id == ident)).first()
        rows: list[tuple[Any, Any, str, str]] = []
        for kind, table, is_open in (
                ("opportunity", Opportunity, col(Opportunity.stage).in_(OPEN_STAGES)),
                ("project", Project, col(Project.status) == "open")):
            theirs = col(table.contact_id) == ident
            if employer:
                theirs = or_(theirs, (col(table.organisation_id) == employer) & col(table.contact_id).is_(None))
            rows += [(last or updated, updated, kind, key) for key, last, updated, division in session.execute(
                columns(col(table.id), col(table.last_contact_at), col(table.updated), col(table.division))
                .where(theirs, is_open).order_by(col(table.updated).desc()).limit(MOST_WORK))
                if sight.may_see(division)]
        if rows:
            found["contact", ident] = [(kind, key) for _, _, kind, key in sorted(rows, reverse=True)]
    return found


def answered(session: Session, message_keys: Sequence[str], sight: Sight) -> list[Thread]:
    """The tracked mails of these Message-IDs, in that order."""
    rows = _threads(session, col(Activity.message_key).in_([k for k in message_keys if k][:_CHUNK]), sight)
    order = {key: place for place, key in reversed(list(enumerate(message_keys)))}
    return [thread for _, thread in sorted(rows, key=lambda row: order.get(row[0], len(order)))]


def of_conversation(session: Session, conversation: str, sight: Sight) -> list[Thread]:
    """The tracked mails of a conversation, latest first."""
    if not conversation:
        return []
    return [thread for _, thread in _threads(session, col(Activity.conversation) == conversation, sight)]


def numbered(session: Session, number_keys: Collection[str], sight: Sight) -> list[Record]:
    """The opportunities and projects with one of these numbers."""
    found: list[Record] = []
    wanted = sorted(k for k in number_keys if k)[:_CHUNK]
    for kind, table in (("project", Project), ("opportunity", Opportunity)):
        found += [(kind, ident) for ident, division in session.execute(
            columns(col(table.id), col(table.division)).where(col(table.number_key).in_(wanted))
            .order_by(col(table.updated).desc())) if sight.may_see(division)] if wanted else []
    return found


def named(session: Session, names: Collection[str], sight: Sight) -> list[Record]:
    """The organisations with one of these names (as `store.crm_import.name_key` writes them), longest name first."""
    found: list[tuple[str, str]] = []
    for chunk in _chunks(sorted(n for n in names if n)):
        for name, ident in session.execute(columns(col(Organisation.name_key), col(Organisation.id)).where(
                col(Organisation.name_key).in_(chunk))).all():
            one = standing(session, "organisation", ident)[1]
            if visible(session, "organisation", one, sight):
                found.append((name, one))
    ordered = sorted(found, key=lambda row: (-len(row[0]), row[1]))
    return [("organisation", ident) for ident in dict.fromkeys(ident for _, ident in ordered)]


def _threads(session: Session, wanted: Any, sight: Sight) -> list[tuple[str, Thread]]:
    found: list[tuple[str, Thread]] = []
    rows = session.execute(
        columns(col(Activity.id), col(Activity.message_key), col(Activity.participants), col(Activity.division))
        .where(wanted, col(Activity.variant_of) == "").order_by(col(Activity.created).desc(), col(Activity.id))
        .limit(50)).all()
    for ident, key, participants, division in rows:
        if not sight.may_see(division):
            continue
        links = session.execute(
            columns(col(ActivityLink.record), col(ActivityLink.record_id))
            .where(col(ActivityLink.activity_id) == ident, col(ActivityLink.role) == "regarding",
                   col(ActivityLink.removed).is_(None))
            .order_by(col(ActivityLink.created), col(ActivityLink.record_id)))
        regarding = tuple((record, key_) for record, key_ in links if visible(session, record, key_, sight))
        people = frozenset(str(p.get("email", "")).strip().casefold() for p in participants or ()) - {""}
        found.append((key, Thread(regarding, people)))
    return found


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start:start + _CHUNK]
