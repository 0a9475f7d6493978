"""Records of the CRM as people work with them: make, change, look at, connect, with the history of every field.

    ident = create(session, who, "contact", {"last_name": ..., ...}, source="card", division="north")
    change(session, who, "contact", ident, {"title": ...})
    shown = read(session, who, "contact", ident)
    ident = log(session, who, Entry("phonecall", subject=..., body=..., about=[("contact", ident)]))
    project = win(session, who, opportunity)

Free text was scanned before it comes here (`capture/records.py`). Every function asks `may`, and audits in the caller's
transaction with ids, kinds and names of fields. Editing is open within what one may change; what is not in
`store.crm_fields` cannot be set (D16, D25).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select as columns
from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, crm_find
from store.access import Action, Thing
from store.columns import now
from store.crm_access import Who, must, stands
from store.crm_access import load as load
from store.crm_access import seen as seen
from store.crm_fields import FIELDS, TABLES, checked, closing, shown, source_of
from store.crm_records import NewActivity, add, fill, storable, touch
from store.crm_suppression import Digest, nobody, suppressed
from store.crm_tables import Activity, ActivityLink, Contact, Organisation
from store.crm_texts import TYPED, is_held, later
from store.crm_work_tables import Opportunity, OptOut, Project, RecordCategory, RecordChange, Relation
from store.database import begin_write, get_or_create
from store.errors import BadState, ChangedMeanwhile, NotAllowed, NotFound
from store.firewall import PERSONAL, closed
from store.people_tables import PersonRow
from store.tables import new_id

TYPES: Final = ("phonecall", "meeting", "note", "task", "training")
"""Kinds of activity people type in (J11); mails, appointments and tasks come from Outlook."""
ROLES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "about": (("organisation", "contact", "event", "document", "opportunity", "project"), ("issue",)),
    "attends": (("contact", "organisation"), ("event",)),
    "member": (("contact", "organisation"), ("organisation",)),
    "works-with": (("contact",), ("contact", "organisation")),
    "file": (("document",), ("organisation", "contact", "opportunity", "project", "event", "issue"))}
"""What records can have to do with one another: role -> from which kinds, to which kinds (D4, D9, D10, Y3)."""
MOST_SUBJECT: Final = 400
MOST_TEXT: Final = 50_000
"""Characters of a subject line and of a text somebody types in."""


@dataclass(frozen=True, slots=True, repr=False)
class Entry:
    """An activity somebody types in: what, when, with or about whom, what was promised. `division`: whose it is."""

    type: str
    subject: str
    body: str = ""
    when: datetime | None = None
    about: Sequence[tuple[str, str]] = ()
    outcome: str = ""
    follow_up: str = ""
    due: datetime | None = None
    division: str = ""


def create(session: Session, who: Who, kind: str, values: Mapping[str, Any], *, source: str, source_url: str = "",
           division: str = "", digest: Digest = nobody, content: bytes = b"", extra: Mapping[str, Any] | None = None,
           ) -> str:
    """Make a record and return its id. Its maker owns it.

    Raises `NotAllowed`, and `BadState` for what the schema does not have, a source that is not said, an organisation
    of that name, or somebody who does not want to be here (`digest`: how suppressed addresses are compared).
    """
    begin_write(session)
    division = division or _home(who)
    must(who, Action.RECORD_CHANGE, Thing(division=division, owner=_id(who)))
    source, source_url = source_of(source, source_url)
    if kind == "project":
        raise BadState("a project is made from a won opportunity")
    set_to = checked(kind, values, new=True) | dict(extra or {})
    _there(session, who, kind, set_to)
    _wanted(session, set_to, digest)
    if kind == "organisation":
        _new_name(session, set_to["name_key"], "")
    if kind == "document":
        set_to["content"] = content
    row = TABLES[kind](**set_to, **closing(kind, set_to), id=new_id(), division=division, owner=_id(who),
                       source=source, source_url=source_url)
    session.add(row)
    session.flush()
    crm_find.index_record(session, kind, row)
    audit.append(session, "crm:record:created", actor=who.actor, subject=row.id,
                 body={"kind": kind, "fields": sorted(values), "source": source})
    return str(row.id)


def change(session: Session, who: Who, kind: str, ident: str, values: Mapping[str, Any], *,
           digest: Digest = nobody, as_of: str = "") -> tuple[str, ...]:
    """Change fields of a record; returns those that changed. What was there goes into the history.

    `as_of` is `updated` of the record that somebody saw before they changed it (`read`): whoever changed it first wins.
    Raises `NotAllowed`, `NotFound`, `ChangedMeanwhile`, and `BadState`, also for text that is held for review.
    """
    row = load(session, kind, ident, lock=True)
    must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.owner))
    if as_of and as_of != _plain(row.updated):
        raise ChangedMeanwhile
    if getattr(row, "merged_into", ""):
        raise BadState("another record stands for it since a merge")
    set_to = checked(kind, values, new=False)
    _there(session, who, kind, set_to)
    _wanted(session, {key: value for key, value in set_to.items() if getattr(row, key) != value}, digest)
    if kind == "organisation" and "name_key" in set_to:
        _new_name(session, set_to["name_key"], row.id)
    changed = tuple(name for name in values if getattr(row, name) != set_to[name])
    anew = bool(row.stub) and not {*changed}.isdisjoint(TYPED[kind])
    if anew and is_held(session, row):
        raise BadState("what was typed into it is held for privacy review")
    for name in changed:
        session.add(RecordChange(record=kind, record_id=ident, field=name, before=shown(getattr(row, name)),
                                 after=shown(set_to[name]), by=who.actor))
    if changed:
        for name, value in (set_to | closing(kind, {n: set_to[n] for n in changed})).items():
            setattr(row, name, value)
        row.updated = later(row.updated)
        row.stub = "" if anew else row.stub
        session.flush()
        crm_find.index_record(session, kind, row)
        audit.append(session, "crm:record:changed", actor=who.actor, subject=ident,
                     body={"kind": kind, "fields": sorted(changed)})
    return changed


def read(session: Session, who: Who, kind: str, ident: str) -> dict[str, Any]:
    """A record as somebody may see it, with its relations: what is hidden from another division is None. Audited.

    Raises `NotAllowed` for business of another division.
    """
    must(who, Action.RECORD_LIST)
    audit.lock(session)
    row = seen(session, who, kind, ident)
    hidden = _hidden(who, kind, row)
    values = {name: None if name in hidden else _plain(getattr(row, name)) for name in FIELDS[kind]}
    system = {name: _plain(getattr(row, name)) for name in (
        "division", "owner", "source", "source_url", "created", "updated", "last_contact_at", "closed",
        "merged_into", "size", "content_type", "opportunity_id", "stub") if hasattr(row, name)}
    audit.append(session, "crm:record:read", actor=who.actor, subject=ident, body={"kind": kind})
    return {"kind": kind, "id": ident, **values, **system, "relations": relations(session, who, kind, ident)}


def history(session: Session, who: Who, kind: str, ident: str) -> list[dict[str, Any]]:
    """What changed in a record, the latest first: `{"at", "by", "field", "before", "after"}`; None is hidden."""
    must(who, Action.RECORD_LIST)
    audit.lock(session)
    hidden = _hidden(who, kind, seen(session, who, kind, ident))
    rows = session.scalars(select(RecordChange).where(RecordChange.record_id == ident).order_by(
        col(RecordChange.id).desc()))
    audit.append(session, "crm:record:read", actor=who.actor, subject=ident, body={"kind": kind})
    return [{"at": c.at.isoformat(timespec="seconds"), "by": c.by, "field": c.field,
             "before": None if c.field in hidden else c.before, "after": None if c.field in hidden else c.after}
            for c in rows]


# ------------------------------------------------------------------------------------- opportunities, relations

def win(session: Session, who: Who, opportunity_id: str) -> str:
    """Make the project of an opportunity that was won; repeated, it stays one. Returns its id (J10)."""
    row: Opportunity = load(session, "opportunity", opportunity_id, lock=True)
    must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.owner))
    if row.stub:
        raise BadState("what was typed into it is held for privacy review")
    if row.stage != "won":
        change(session, who, "opportunity", opportunity_id, {"stage": "won"})
    project, made = get_or_create(
        session, lambda: session.scalars(select(Project).where(Project.opportunity_id == row.id)).one_or_none(),
        lambda: Project(title=row.title, opportunity_id=row.id, organisation_id=row.organisation_id,
                        contact_id=row.contact_id, services=row.services, quoted_cents=row.quoted_cents,
                        currency=row.currency, division=row.division, owner=row.owner, source=row.source,
                        source_url=row.source_url))
    if made:
        crm_find.index_record(session, "project", project)
        audit.append(session, "crm:record:created", actor=who.actor, subject=project.id,
                     body={"kind": "project", "fields": [], "source": "opportunity"})
    return project.id


def relate(session: Session, who: Who, role: str, source: tuple[str, str], target: tuple[str, str], *,
           undo: bool = False) -> None:
    """Say that two records have to do with one another, or no more (`undo`). Raises `BadState` for a role that does
    not go with them."""
    begin_write(session)
    froms, tos = ROLES.get(role, ((), ()))
    if source[0] not in froms or target[0] not in tos or source == target:
        raise BadState(f"roles are {', '.join(ROLES)}, each between certain kinds of record")
    row, other = stands(session, *source), stands(session, *target)
    source, target = (source[0], row.id), (target[0], other.id)
    seen(session, who, *target)
    must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.owner))
    key = (*source, *target, role)
    there = session.get(Relation, key)
    if undo and there is not None:
        session.delete(there)
    elif not undo:
        add(session, Relation(from_kind=source[0], from_id=source[1], to_kind=target[0], to_id=target[1], role=role,
                              by=who.actor))
    session.flush()
    audit.append(session, "crm:record:unrelated" if undo else "crm:record:related", actor=who.actor, subject=source[1],
                 body={"role": role, "to": f"{target[0]}:{target[1]}"})


def relations(session: Session, who: Who, kind: str, ident: str) -> list[dict[str, str]]:
    """What a record has to do with others: `{"role", "kind", "id", "title", "way"}`; `way` "to" or "from". Business of
    another division is left out."""
    found: list[dict[str, str]] = []
    for row in session.scalars(select(Relation).where(Relation.from_kind == kind, Relation.from_id == ident)):
        found += _relation(session, who, row.role, row.to_kind, row.to_id, "to")
    for row in session.scalars(select(Relation).where(Relation.to_kind == kind, Relation.to_id == ident)):
        found += _relation(session, who, row.role, row.from_kind, row.from_id, "from")
    return sorted(found, key=lambda r: (r["role"], r["kind"], r["title"]))


def category(session: Session, who: Who, kind: str, title: str, *, close: bool = False) -> None:
    """Offer a category for organisations or contacts, or offer it no more (J8)."""
    begin_write(session)
    must(who, Action.RECORD_IMPORT, Thing(division=_home(who)))
    plain = " ".join(title.split())
    if kind not in ("organisation", "contact") or not 0 < len(plain) <= 64:
        raise BadState("a category is of organisations or contacts and has a title")
    row, _ = get_or_create(session, lambda: session.get(RecordCategory, (kind, plain)),
                           lambda: RecordCategory(kind=kind, title=plain))
    row.closed = now() if close else None
    session.flush()
    audit.append(session, "crm:category:changed", actor=who.actor, body={"kind": kind, "closed": close})


def categories(session: Session, kind: str) -> tuple[str, ...]:
    """The categories offered for a kind of record."""
    return tuple(session.scalars(select(RecordCategory.title).where(
        RecordCategory.kind == kind, col(RecordCategory.closed).is_(None)).order_by(col(RecordCategory.title))))


# --------------------------------------------------------------------------------------------------- activities

def log(session: Session, who: Who, entry: Entry) -> str:
    """Write what somebody did or has to do, and return the activity's id; a promised follow-up becomes a task (D7).

    Raises `NotAllowed`, `NotFound` for a record that is not there, `BadState`.
    """
    begin_write(session)
    division = entry.division or _home(who)
    must(who, Action.RECORD_CHANGE, Thing(division=division, owner=_id(who)))
    if entry.type not in TYPES:
        raise BadState(f"an activity is a {', '.join(TYPES)}")
    for name in ("subject", "body", "outcome", *(("due",) if entry.due else ())):
        _typed_in(name, getattr(entry, name))
    stand = {one: (one[0], stands(session, *one, lock=True).id)  # locked: none is merged or purged meanwhile
             for one in sorted(set(entry.about))}
    about = list(dict.fromkeys(stand[one] for one in entry.about))
    for record, ident in about:
        seen(session, who, record, ident)
    new = NewActivity(item_key=f"typed:{new_id()}", subject=entry.subject, body=entry.body, sent=entry.when or now(),
                      type=entry.type, division=division, due=entry.due,
                      matched=about[0][0] if about else "unmatched", reason="hand")
    row = Activity(item_key=new.item_key, type=new.type, matched=new.matched, reason=new.reason, division=division,
                   staff=_id(who), outcome=storable(entry.outcome))
    session.add(row)
    session.flush()
    fill(session, row, new)
    links = [(record, ident, "hand", "regarding") for record, ident in about]
    for record, ident, how, role in links:
        session.add(ActivityLink(activity_id=row.id, record=record, record_id=ident, how=how, role=role, by=who.actor))
    touch(session, links, new.sent or now())
    session.flush()
    audit.append(session, "crm:activity:typed", actor=who.actor, subject=row.id, body={
        "type": entry.type, "records": len(links), "follow-up": bool(entry.follow_up)})
    if entry.follow_up:
        log(session, who, Entry("task", entry.follow_up, about=entry.about, due=entry.due, division=division))
    return row.id


def edit(session: Session, who: Who, activity_id: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Change subject, body, outcome, due or done of an activity; the history keeps what was there.

    Raises `NotAllowed`, `NotFound`, `BadState`.
    """
    begin_write(session)
    row = session.scalars(select(Activity).where(Activity.id == activity_id).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("activity")
    must(who, Action.RECORD_CHANGE, Thing(division=row.division, owner=row.staff))
    if row.stub or set(values) - {"subject", "body", "outcome", "due", "done"}:
        raise BadState("subject, body, outcome, due and done of an activity can be changed, not of a held one")
    values = {name: _typed_in(name, value) for name, value in values.items()}
    changed = tuple(name for name, value in values.items() if getattr(row, name) != value)
    for name in changed:
        session.add(RecordChange(record="activity", record_id=row.id, field=name, before=shown(getattr(row, name)),
                                 after=shown(values[name]), by=who.actor))
        setattr(row, name, values[name])
    session.flush()
    if "subject" in changed:
        crm_find.index(session, "activity", row.id, [row.subject])
    if changed:
        audit.append(session, "crm:record:changed", actor=who.actor, subject=row.id,
                     body={"kind": "activity", "fields": sorted(changed)})
    return changed


def owned(session: Session, person_id: str) -> dict[str, int]:
    """How many records of each kind somebody owns: what has to be given to others when they leave (D12)."""
    return {kind: len(session.scalars(columns(col(table.id)).where(col(table.owner) == person_id)).all())
            for kind, table in TABLES.items()}


def reassign(session: Session, who: Who, person_id: str, to: str) -> int:
    """Give everything somebody owns to somebody else, with what they were asked to do: requests to be forgotten and
    open tasks. Returns how many records. Raises `NotAllowed`, `NotFound` for somebody who is not there or not active.
    """
    begin_write(session)
    must(who, Action.USER_GRANT, Thing(owner=person_id))
    new_owner = session.get(PersonRow, to)
    if not person_id or person_id == to or new_owner is None or new_owner.state != "active":
        raise NotFound("person")
    moved = 0
    for kind, table in TABLES.items():
        for ident in session.scalars(columns(col(table.id)).where(col(table.owner) == person_id).order_by(
                col(table.id)).with_for_update(key_share=True)).all():
            session.execute(update(table).where(col(table.id) == ident).values(owner=to))
            session.add(RecordChange(record=kind, record_id=ident, field="owner", before=person_id, after=to,
                                     by=who.actor))
            moved += 1
    session.execute(update(OptOut).where(col(OptOut.owner) == person_id, col(OptOut.state) == "open").values(owner=to))
    session.execute(update(Activity).where(
        col(Activity.staff) == person_id, col(Activity.type) == "task", col(Activity.done).is_(None)).values(staff=to))
    session.flush()
    audit.append(session, "crm:records:reassigned", actor=who.actor, subject=person_id,
                 body={"records": moved, "to": to})
    return moved


# ------------------------------------------------------------------------------------------------------- inside

def _home(who: Who) -> str:
    """The division of somebody who belongs to one; "" for several, none, or the operator."""
    theirs: Collection[str] = who.person.divisions if who.person is not None else ()
    return next(iter(theirs)) if len(theirs) == 1 else ""


def _id(who: Who) -> str:
    return who.person.id if who.person is not None else ""


def _typed_in(name: str, value: Any) -> Any:
    """A field of an activity as it is kept. Raises `BadState` naming the field, never the value."""
    most = {"subject": MOST_SUBJECT, "body": MOST_TEXT, "outcome": MOST_TEXT}.get(name)
    if most is None:
        if value is not None and not (isinstance(value, datetime) and value.tzinfo is not None):
            raise BadState(f"{name}: not a moment")
        return value
    if not isinstance(value, str) or len(value) > most or (name == "subject" and not value.strip()):
        raise BadState(f"{name}: not text of at most {most} characters")
    return storable(value)


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _there(session: Session, who: Who, kind: str, set_to: Mapping[str, Any]) -> None:
    """Records that are pointed at are there, stand for themselves, and are within sight."""
    for name, field in FIELDS[kind].items():
        ident = set_to.get(name)
        if field.holds == "record" and ident:
            row = load(session, field.among[0], ident, keep=True)
            if row.merged_into or not who.sight.may_see(row.division):
                raise NotFound("record")


def _wanted(session: Session, set_to: Mapping[str, Any], digest: Digest) -> None:
    """Nobody who asked not to be here comes in again, as a contact or as a lead (D35)."""
    if any(suppressed(session, digest, set_to.get(key, "")) for key in ("email_key", "private_key", "lead_key")):
        raise BadState("this person asked not to be in the CRM")


def _new_name(session: Session, key: str, own: str) -> None:
    there = session.scalars(select(Organisation.id).where(Organisation.name_key == key)).first()
    if there is not None and there != own:
        raise BadState("there is an organisation of this name")


def _relation(session: Session, who: Who, role: str, kind: str, ident: str, way: str) -> list[dict[str, str]]:
    try:
        row = seen(session, who, kind, ident)
    except (NotAllowed, NotFound):
        return []
    title = (" ".join(filter(None, (row.first_name, row.last_name))) if isinstance(row, Contact)
             else str(getattr(row, "name", "") or getattr(row, "title", "")))
    return [{"role": role, "kind": kind, "id": ident, "title": title, "way": way}]


def _hidden(who: Who, kind: str, row: Any) -> frozenset[str]:
    """The fields of a record that are not for somebody."""
    shut = closed(who.person, row.division) if kind == "contact" else frozenset()
    return shut | PERSONAL if shut else shut

