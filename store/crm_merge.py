"""Two records that are one and the same: merged, and taken apart again (Y4).

    merge_id = merge(session, who, "contact", kept, gone)
    unmerge(session, who, merge_id)

The record that goes stays as it was and stands for itself no more; its links, relations, business and people move to
the one that is kept. What was moved is written down by ids, so that undoing moves exactly that back.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.orm import Session
from sqlmodel import select

from store import audit, crm_find
from store.access import Action, Thing
from store.columns import now
from store.crm_access import Who, load, must
from store.crm_fields import TABLES
from store.crm_records import add
from store.crm_tables import Activity, ActivityLink, ActivitySuggestion, Contact, OrganisationDomain
from store.crm_work_tables import Opportunity, Project, RecordMerge, Relation
from store.database import begin_write
from store.errors import BadState, NotFound

KINDS: Final = ("contact", "organisation")
_POINTERS: Final[dict[str, tuple[tuple[Any, str], ...]]] = {
    "contact": ((Opportunity, "contact_id"), (Project, "contact_id")),
    "organisation": ((Contact, "organisation_id"), (Opportunity, "organisation_id"), (Project, "organisation_id"))}
_NAMES: Final = {"contact": Contact, "opportunity": Opportunity, "project": Project}


def merge(session: Session, who: Who, kind: str, kept: str, gone: str) -> str:
    """Let `kept` stand for both; returns the id by which it can be undone. Raises `NotAllowed` for whoever may not
    change both, `BadState`."""
    begin_write(session)
    if kind not in KINDS or kept == gone:
        raise BadState("two contacts or two organisations are merged")
    rows = {ident: load(session, kind, ident, lock=True) for ident in sorted((kept, gone))}
    for row in rows.values():
        must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.owner))
        if row.merged_into:
            raise BadState("one of them was merged before")
    moved: dict[str, Any] = {
        "links": _links(session, kind, kept, gone), "suggestions": _suggestions(session, kind, kept, gone),
        "relations": _relations(session, kind, kept, gone),
        "domains": _domains(session, kept, gone) if kind == "organisation" else []}
    for table, column in _POINTERS[kind]:
        pointing = session.scalars(select(table).where(getattr(table, column) == gone)).all()
        for row in pointing:
            setattr(row, column, kept)
        moved[f"{table.__tablename__}.{column}"] = [row.id for row in pointing]
    rows[gone].merged_into = kept
    made = RecordMerge(record=kind, kept=kept, gone=gone, moved=moved, by=who.actor)
    session.add(made)
    session.flush()
    for row in rows.values():
        crm_find.index_record(session, kind, row)
    audit.append(session, "crm:records:merged", actor=who.actor, subject=kept,
                 body={"merge": made.id, "kind": kind, "gone": gone})
    return made.id


def unmerge(session: Session, who: Who, merge_id: str) -> None:
    """Take two records apart again. Raises `NotFound`, `NotAllowed`, `BadState` when it was undone before or a later
    merge builds on it."""
    begin_write(session)
    made = session.get(RecordMerge, merge_id)
    if made is None:
        raise NotFound("merge")
    rows = {ident: load(session, made.record, ident, lock=True) for ident in sorted((made.kept, made.gone))}
    for row in rows.values():
        must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.owner))
    if made.undone is not None or rows[made.gone].merged_into != made.kept or rows[made.kept].merged_into:
        raise BadState("it was undone before, or a later merge has to be undone first")
    rows[made.gone].merged_into = ""
    for activity, how, role, by, already in made.moved["links"]:
        if session.get(Activity, activity) is not None:  # it may have been purged
            _link_back(session, made, activity, (how, role, by), already)
    for activity, tracker in made.moved["suggestions"]:
        _suggest_again(session, made.record, made.kept, made.gone, activity, tracker)
    for before, after, already in made.moved["relations"]:
        if not (_is_there(session, before[0], before[1]) and _is_there(session, before[2], before[3])):
            continue
        add(session, Relation(**_named(before)))
        there = session.get(Relation, tuple(after))
        if not already and there is not None:
            session.delete(there)
    for domain, already in made.moved["domains"]:
        add(session, OrganisationDomain(domain=domain, organisation_id=made.gone))
        mapped = session.get(OrganisationDomain, (domain, made.kept))
        if not already and mapped is not None:
            session.delete(mapped)
    for name, idents in made.moved.items():
        table_name, dot, column = name.partition(".")
        for ident in idents if dot else ():
            row = session.get(_NAMES[table_name], ident)
            if row is not None and getattr(row, column) == made.kept:
                setattr(row, column, made.gone)
    made.undone, made.undone_by = now(), who.actor
    session.flush()
    for row in rows.values():
        crm_find.index_record(session, made.record, row)
    audit.append(session, "crm:records:unmerged", actor=who.actor, subject=made.kept, body={"merge": made.id})


def _links(session: Session, kind: str, kept: str, gone: str) -> list[list[Any]]:
    """Move the links of activities; a link both have is kept once, and the move remembers that."""
    moved: list[list[Any]] = []
    for link in session.scalars(select(ActivityLink).where(
            ActivityLink.record == kind, ActivityLink.record_id == gone)).all():
        if link.removed is not None:
            continue
        there = session.get(ActivityLink, (link.activity_id, kind, kept))
        already = "" if there is None else "removed" if there.removed is not None else "linked"
        if there is not None and there.removed is not None:  # somebody took that one off, and this one not
            there.removed, there.how, there.role, there.by = None, link.how, link.role, link.by
        add(session, ActivityLink(activity_id=link.activity_id, record=kind, record_id=kept, how=link.how,
                                  role=link.role, by=link.by))
        moved.append([link.activity_id, link.how, link.role, link.by, already])
        session.delete(link)
    session.flush()
    return moved


def _link_back(session: Session, made: RecordMerge, activity: str, link: tuple[str, str, str], already: str) -> None:
    """Give a link back to the record that had it; taken off meanwhile, it stays off."""
    how, role, by = link
    there = session.get(ActivityLink, (activity, made.record, made.kept))
    removed = there.removed if there is not None else now()
    add(session, ActivityLink(activity_id=activity, record=made.record, record_id=made.gone, how=how, role=role, by=by,
                              removed=removed))
    if there is not None and not already:
        session.delete(there)
    elif there is not None and already == "removed":
        there.removed = there.removed or now()


def _suggestions(session: Session, kind: str, kept: str, gone: str) -> list[list[Any]]:
    """What is asked about the one is asked about the other, unless that was decided."""
    moved: list[list[Any]] = []
    for row in session.scalars(select(ActivitySuggestion).where(
            ActivitySuggestion.record == kind, ActivitySuggestion.record_id == gone,
            ActivitySuggestion.state == "open")).all():
        linked = session.get(ActivityLink, (row.activity_id, kind, kept)) is not None
        if linked or session.get(ActivitySuggestion, (row.activity_id, row.tracker, kind, kept)) is not None:
            continue
        _suggest_again(session, kind, gone, kept, row.activity_id, row.tracker)
        moved.append([row.activity_id, row.tracker])
    session.flush()
    return moved


def _suggest_again(session: Session, kind: str, old: str, new: str, activity: str, tracker: str) -> None:
    """Let an open suggestion be of another record."""
    row = session.get(ActivitySuggestion, (activity, tracker, kind, old))
    if row is None or row.state != "open":
        return
    add(session, ActivitySuggestion(activity_id=activity, tracker=tracker, record=kind, record_id=new, role=row.role,
                                    reason=row.reason, confidence=row.confidence, question=row.question))
    session.delete(row)
    session.flush()


def _is_there(session: Session, kind: str, ident: str) -> bool:
    return session.get(TABLES[kind], ident) is not None


def _relations(session: Session, kind: str, kept: str, gone: str) -> list[list[Any]]:
    moved: list[list[Any]] = []
    for row in [
            *session.scalars(select(Relation).where(Relation.from_kind == kind, Relation.from_id == gone)),
            *session.scalars(select(Relation).where(Relation.to_kind == kind, Relation.to_id == gone))]:
        before = [row.from_kind, row.from_id, row.to_kind, row.to_id, row.role]
        after = [row.from_kind, kept if (row.from_kind, row.from_id) == (kind, gone) else row.from_id,
                 row.to_kind, kept if (row.to_kind, row.to_id) == (kind, gone) else row.to_id, row.role]
        already = session.get(Relation, tuple(after)) is not None
        add(session, Relation(**_named(after), by=row.by))
        moved.append([before, after, already])
        session.delete(row)
    session.flush()
    return moved


def _domains(session: Session, kept: str, gone: str) -> list[list[Any]]:
    moved: list[list[Any]] = []
    for row in session.scalars(select(OrganisationDomain).where(OrganisationDomain.organisation_id == gone)):
        moved.append([row.domain, session.get(OrganisationDomain, (row.domain, kept)) is not None])
        add(session, OrganisationDomain(domain=row.domain, organisation_id=kept))
        session.delete(row)
    session.flush()
    return moved


def _named(key: list[Any]) -> dict[str, Any]:
    return dict(zip(("from_kind", "from_id", "to_kind", "to_id", "role"), key, strict=True))
