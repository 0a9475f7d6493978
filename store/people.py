"""Who uses this program, and what they are: people, divisions, roles, delegations, training.

    people.add(session, "dana.reid@example.org", actor="root", divisions=("north",))
    grant = people.ask_role(session, person_id, Role.REVIEWER, actor=asker)
    people.approve_role(session, grant.id, actor=owner); people.apply_role(session, grant.id, actor=administrator)
    who = people.load(session, person_id, affirmed=..., fresh=...)      # what `store.access.may` wants

A role is asked for, approved and applied by different people, and never by the one it is for; the database has the
same rule as a constraint. Roles that nobody may hold together are refused here. Whether the one who acts may do so at
all is for `store.access.may`, which the caller asks first. Everything is audited, by ids and codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import func, or_
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, rules
from store.access import Person, Role, clash
from store.columns import now
from store.database import begin_write, get_or_create
from store.errors import BadState, NotFound, RolesClash
from store.people_tables import Delegation, Division, PersonDivision, PersonRow, RoleGrant, TrainingRecord, WebSession
from store.tables import Meta

STATES: Final = ("requested", "active", "suspended", "ended")
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_ADDRESS: Final = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[a-z0-9.-]{1,255}")
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


# ---------------------------------------------------------------------------------------------- divisions

def add_division(session: Session, key: str, *, actor: str, title: str = "") -> Division:
    """A division by its short name (small letters, digits, hyphens); a second call changes nothing."""
    if not _KEY.fullmatch(key):
        raise BadState("a division's key has small letters, digits and hyphens")
    begin_write(session)
    row, made = get_or_create(session, lambda: session.get(Division, key), lambda: Division(key=key, title=title))
    if made:
        audit.append(session, "people:division:added", actor=actor, subject=key)
    return row


# ------------------------------------------------------------------------------------------------- people

def add(session: Session, address: str, *, actor: str, divisions: Iterable[str] = (), state: str = "active",
        kind: str = "employee", justification: str = "", ends: datetime | None = None) -> PersonRow:
    """A new person. A contractor needs a justification code and a last day. Raises `BadState`, `NotFound`."""
    plain = address.strip().casefold()
    if not _ADDRESS.fullmatch(plain) or state not in ("requested", "active"):
        raise BadState("a person has an address and begins as requested or active")
    in_order = kind == "employee" or (kind == "contractor" and _CODE.fullmatch(justification) and ends)
    if not in_order:
        raise BadState("a contractor has a justification code and a last day")
    begin_write(session)
    if session.scalars(select(PersonRow.id).where(PersonRow.address == plain)).first() is not None:
        raise BadState("somebody has this address already")
    row = PersonRow(address=plain, state=state, kind=kind, justification=justification, ends=ends)
    session.add(row)
    session.flush()
    audit.append(session, "people:person:added", actor=actor, subject=row.id, body={"state": state, "kind": kind})
    for key in divisions:
        join(session, row.id, key, actor=actor)
    return row


def get(session: Session, person_id: str, *, lock: bool = False) -> PersonRow:
    """One person. Raises `NotFound`."""
    query = select(PersonRow).where(PersonRow.id == person_id)
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("no such person")
    return row


def by_address(session: Session, address: str) -> PersonRow | None:
    """The person with this address, in whatever case it is written."""
    return session.scalars(select(PersonRow).where(PersonRow.address == address.strip().casefold())).one_or_none()


def listed(session: Session) -> tuple[PersonRow, ...]:
    """Everybody, by address."""
    return tuple(session.scalars(select(PersonRow).order_by(col(PersonRow.address))))


def change_state(session: Session, person_id: str, state: str, *, actor: str) -> PersonRow:
    """Activate, suspend or end an account. Whoever is suspended or ended is signed out at once."""
    if state not in STATES or state == "requested":
        raise BadState(f"an account becomes {', '.join(STATES[1:])}")
    row = get(session, person_id, lock=True)
    if actor == row.id:
        raise BadState("nobody changes the state of their own account")
    if row.state == "ended" and state != "ended":
        raise BadState("an ended account stays ended")
    if row.state != state:
        row.state, row.updated = state, now()
        if state != "active":
            sign_out_everywhere(session, row.id, why=state)
        audit.append(session, "people:person:changed", actor=actor, subject=row.id, body={"state": state})
    return row


def sign_out_everywhere(session: Session, person_id: str, *, why: str) -> int:
    """End every session of a person; returns how many."""
    open_ones = session.scalars(select(WebSession).where(
        WebSession.person_id == person_id, col(WebSession.ended).is_(None))).all()
    for row in open_ones:
        row.ended, row.why = now(), why
    return len(open_ones)


def join(session: Session, person_id: str, division: str, *, actor: str) -> None:
    """The person belongs to the division from now on. Raises `NotFound` for a division there is not."""
    get(session, person_id, lock=True)
    place = session.get(Division, division)
    if place is None or place.closed is not None:
        raise NotFound("no such division")
    key = f"{person_id}/{division}"
    _, made = get_or_create(
        session, lambda: session.scalars(select(PersonDivision).where(PersonDivision.open_key == key)).one_or_none(),
        lambda: PersonDivision(person_id=person_id, division=division, open_key=key))
    if made:
        audit.append(session, "people:division:joined", actor=actor, subject=person_id, body={"division": division})


def leave(session: Session, person_id: str, division: str, *, actor: str) -> None:
    """The person no longer belongs to the division."""
    get(session, person_id, lock=True)
    row = session.scalars(select(PersonDivision).where(
        PersonDivision.open_key == f"{person_id}/{division}")).one_or_none()
    if row is not None:
        row.open_key, row.ended = None, now()
        audit.append(session, "people:division:left", actor=actor, subject=person_id, body={"division": division})


# -------------------------------------------------------------------------------------------------- roles

def ask_role(session: Session, person_id: str, role: Role, *, actor: str, until: datetime | None = None) -> RoleGrant:
    """Ask for a role, for oneself or somebody else. Raises `BadState` when it is held or asked for already,
    `RolesClash` when it cannot go with those the person has."""
    get(session, person_id, lock=True)
    key = f"{person_id}/{role}"
    if session.scalars(select(RoleGrant.id).where(RoleGrant.open_key == key)).first() is not None:
        raise BadState("the role is held or asked for already")
    _refuse_clash(session, person_id, role)
    row = RoleGrant(person_id=person_id, role=role, asked_by=actor, until=until, open_key=key)
    session.add(row)
    session.flush()
    audit.append(session, "people:role:asked", actor=actor, subject=person_id,
                 body={"role": str(role), "grant": row.id})
    return row


def approve_role(session: Session, grant_id: str, *, actor: str) -> RoleGrant:
    """Somebody who answers for it says yes. Raises `BadState` when it is the person themselves, or out of order."""
    row = _open_grant(session, grant_id)
    if row.approved is not None:
        raise BadState("the role was approved already")
    if actor == row.person_id:
        raise BadState("nobody approves a role for themselves")
    row.approved, row.approved_by = now(), actor
    audit.append(session, "people:role:approved", actor=actor, subject=row.person_id,
                 body={"role": row.role, "grant": row.id})
    return row


def apply_role(session: Session, grant_id: str, *, actor: str) -> RoleGrant:
    """An administrator puts it in force. Raises `BadState` when it was not approved, or by the same person."""
    row = _open_grant(session, grant_id)
    if row.approved is None or row.granted is not None:
        raise BadState("the role was not approved, or is in force already")
    if actor in (row.person_id, row.approved_by):
        raise BadState("another person applies a role than the one who approved it or gets it")
    _refuse_clash(session, row.person_id, Role(row.role))
    row.granted, row.granted_by = now(), actor
    audit.append(session, "people:role:granted", actor=actor, subject=row.person_id,
                 body={"role": row.role, "grant": row.id})
    return row


def end_role(session: Session, grant_id: str, *, actor: str) -> None:
    """Take a role away, or turn a request down."""
    row = _open_grant(session, grant_id)
    row.ended, row.ended_by, row.open_key = now(), actor, None
    audit.append(session, "people:role:ended", actor=actor, subject=row.person_id,
                 body={"role": row.role, "grant": row.id})


def follow_directory(session: Session, person_id: str, roles: frozenset[Role]) -> None:
    """Make the roles that come from the directory what the sign-in says: missing ones end, new ones begin.

    Raises `RolesClash` when they cannot go together, with one another or with those given here.
    """
    get(session, person_id, lock=True)
    held = [row for row in _grants(session, person_id) if row.origin == "directory"]
    for row in held:
        if Role(row.role) not in roles:
            end_role(session, row.id, actor="directory")
    session.flush()
    together = roles | roles_of(session, person_id, now())
    if clash(together):
        raise RolesClash(" and ".join(sorted(clash(together))))
    for role in sorted(roles - {Role(row.role) for row in _grants(session, person_id)}):
        made = RoleGrant(person_id=person_id, role=role, origin="directory", open_key=f"{person_id}/{role}",
                         asked_by="directory", approved_by="directory", granted_by="directory", approved=now(),
                         granted=now())
        session.add(made)
        session.flush()
        audit.append(session, "people:role:granted", actor="directory", subject=person_id,
                     body={"role": str(role), "grant": made.id})


def roles_of(session: Session, person_id: str, at: datetime) -> frozenset[Role]:
    """The roles in force at a moment, a delegation included."""
    held = {Role(row.role) for row in session.scalars(select(RoleGrant).where(
        RoleGrant.person_id == person_id, col(RoleGrant.granted) <= at,
        or_(col(RoleGrant.ended).is_(None), col(RoleGrant.ended) > at),
        or_(col(RoleGrant.until).is_(None), col(RoleGrant.until) > at)))}
    if _acts_for_head(session, person_id, at):
        held.add(Role.DELEGATE)
    return frozenset(held)


# -------------------------------------------------------------------------------- delegation and training

def delegate(session: Session, head_id: str, delegate_id: str, *, begins: datetime, ends: datetime,
             document: str = "") -> Delegation:
    """The head lets somebody act for them for a time. `document` is the reference of the paper that says so, as a
    code. Raises `BadState` when the one is not head, the times or the code are wrong or it is the head themselves,
    `RolesClash` when the other's roles do not go with it."""
    get(session, delegate_id, lock=True)
    if head_id == delegate_id or ends <= begins or Role.HEAD not in roles_of(session, head_id, now()):
        raise BadState("the head delegates to another person, for a time")
    if document and not _CODE.fullmatch(document):
        raise BadState("the reference of a document is a short code")
    both = roles_of(session, delegate_id, now()) | {Role.DELEGATE}
    if clash(both):
        raise RolesClash(" and ".join(sorted(clash(both))))
    row = Delegation(head_id=head_id, delegate_id=delegate_id, begins=begins, ends=ends)
    session.add(row)
    session.flush()
    audit.append(session, "people:delegation:made", actor=head_id, subject=delegate_id,
                 body={"delegation": row.id, "document": document})
    return row


def delegations(session: Session, delegate_id: str) -> list[Delegation]:
    """What was delegated to a person and is in force now or later, the earliest first."""
    return list(session.scalars(select(Delegation).where(
        Delegation.delegate_id == delegate_id, col(Delegation.ends) > now(),
        or_(col(Delegation.ended).is_(None), col(Delegation.ended) > now())).order_by(col(Delegation.begins))))


def end_delegation(session: Session, delegation_id: str, *, actor: str) -> None:
    """Take a delegation back before its time."""
    begin_write(session)
    row = session.get(Delegation, delegation_id)
    if row is None or row.ended is not None:
        raise NotFound("no such delegation in force")
    row.ended = now()
    audit.append(session, "people:delegation:ended", actor=actor, subject=row.delegate_id,
                 body={"delegation": row.id})


def record_training(session: Session, person_id: str, course: str, *, completed: datetime, expires: datetime,
                    actor: str) -> TrainingRecord:
    """A person completed a course (a code). Raises `BadState` for times that make no sense, or for oneself."""
    get(session, person_id)
    if not _CODE.fullmatch(course) or expires <= completed or completed > now() or actor == person_id:
        raise BadState("a course is a code, was completed in the past, expires later, and is recorded by another")
    row = TrainingRecord(person_id=person_id, course=course, completed=completed, expires=expires, recorded_by=actor)
    session.add(row)
    session.flush()
    audit.append(session, "people:training:recorded", actor=actor, subject=person_id, body={"course": course})
    return row


def trained_until(session: Session, person_id: str) -> datetime | None:
    """When the training of a person runs out; None when there is no record."""
    return session.scalars(select(func.max(col(TrainingRecord.expires))).where(
        TrainingRecord.person_id == person_id)).one()


# ----------------------------------------------------------------------------------------------- for access

def load(session: Session, person_id: str, *, affirmed: int = 0, fresh: bool = False,
         at: datetime | None = None) -> Person:
    """The person as `store.access.may` wants them, at this moment.

    `affirmed` is the version of the rules affirmed at this sign-in, `fresh` whether the sign-in is minutes old.
    Raises `NotFound`.
    """
    moment = at or now()
    row = get(session, person_id)
    version = rules.current_number(session)
    until = trained_until(session, person_id)
    return Person(
        id=row.id, roles=roles_of(session, row.id, moment), divisions=divisions_of(session, row.id),
        addresses=frozenset({row.address}), fresh=fresh,
        active=row.state == "active" and (row.ends is None or row.ends > moment),
        bound=bool(version and affirmed == version and rules.signed(session, row.id, version)),
        trained=until is not None and until > moment)


def divisions_of(session: Session, person_id: str) -> frozenset[str]:
    """The divisions a person belongs to now."""
    return frozenset(session.scalars(select(PersonDivision.division).where(
        PersonDivision.person_id == person_id, col(PersonDivision.ended).is_(None))))


def home_division(session: Session, address: str) -> str:
    """The division of whoever has this address; "" when they belong to none or to several, or are not known."""
    person = by_address(session, address)
    theirs = divisions_of(session, person.id) if person is not None else frozenset()
    return next(iter(theirs)) if len(theirs) == 1 else ""


def register(session: Session, *, at: datetime | None = None) -> list[Mapping[str, object]]:
    """The register of users as of a moment: id, address, state, kind, roles, divisions. For `user list`."""
    moment = at or now()
    rows: list[Mapping[str, object]] = []
    for row in listed(session):
        if row.created > moment:
            continue
        places = session.scalars(select(PersonDivision.division).where(
            PersonDivision.person_id == row.id, col(PersonDivision.began) <= moment,
            or_(col(PersonDivision.ended).is_(None), col(PersonDivision.ended) > moment)))
        rows.append({"id": row.id, "address": row.address, "state": row.state, "kind": row.kind,
                     "roles": sorted(roles_of(session, row.id, moment)), "divisions": sorted(places)})
    return rows


def _grants(session: Session, person_id: str) -> list[RoleGrant]:
    return list(session.scalars(select(RoleGrant).where(
        RoleGrant.person_id == person_id, col(RoleGrant.ended).is_(None))))


def _open_grant(session: Session, grant_id: str) -> RoleGrant:
    begin_write(session)
    row = session.scalars(select(RoleGrant).where(RoleGrant.id == grant_id).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("no such role grant")
    if row.ended is not None:
        raise BadState("the role grant has ended")
    return row


def _refuse_clash(session: Session, person_id: str, role: Role) -> None:
    pair = clash(roles_of(session, person_id, now()) | {role})
    if pair:
        raise RolesClash(" and ".join(sorted(pair)))


def _acts_for_head(session: Session, person_id: str, at: datetime) -> bool:
    heads = session.scalars(select(Delegation.head_id).where(
        Delegation.delegate_id == person_id, col(Delegation.begins) <= at, col(Delegation.ends) > at,
        or_(col(Delegation.ended).is_(None), col(Delegation.ended) > at))).all()
    return any(_is_head(session, head, at) for head in heads)


def _is_head(session: Session, person_id: str, at: datetime) -> bool:
    """A delegation ends with the head's own role."""
    return session.scalars(select(RoleGrant.id).where(
        RoleGrant.person_id == person_id, RoleGrant.role == Role.HEAD, col(RoleGrant.granted) <= at,
        or_(col(RoleGrant.ended).is_(None), col(RoleGrant.ended) > at),
        or_(col(RoleGrant.until).is_(None), col(RoleGrant.until) > at)).limit(1)).first() is not None


# --------------------------------------------------------------------------------------------------- demo

_DEMO: Final = "demo"


def mark_demo(session: Session) -> None:
    """Everybody in this database is invented: only then may people sign in by choosing who they are."""
    begin_write(session)
    if session.get(Meta, _DEMO) is None:
        session.add(Meta(name=_DEMO, value="invented"))


def is_demo(session: Session) -> bool:
    """Whether everybody in this database is invented."""
    return session.get(Meta, _DEMO) is not None
