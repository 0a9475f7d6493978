"""The register of users at the terminal: who there is, entering people, roles, training, the rules.

Whoever runs these commands has the home's key and database; the web pages are for everybody else. The same rules hold
all the same (`capture.acting`): a role is asked for, approved and applied by different people, named by `actor`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from sqlmodel import col, select

from capture.acting import acting, person_of, required
from capture.auditing import actor_name
from capture.errors import BadInput
from capture.settings import Settings
from capture.wiring import opened
from store import audit, people, rules
from store.access import Action, Role, Thing
from store.errors import NotFound
from store.people_tables import PersonRow, RoleGrant


def listed(settings: Settings, as_of: str = "") -> list[dict[str, Any]]:
    """The register as of a day (ISO date or time, UTC); now when empty. Audited."""
    moment = _moment(as_of) if as_of else None
    with opened(settings) as (database, _), database.session() as session:
        rows = [dict(row) for row in people.register(session, at=moment)]
        audit.append(session, "people:register:read", actor=actor_name(), body={"rows": len(rows)})
        return rows


def enter(settings: Settings, address: str, *, division: str, kind: str, justification: str, ends: str,
          actor: str = "") -> str:
    """Enter a person; the division is made when there is none."""
    def act(session: Session) -> str:
        who = acting(session, actor, Action.USER_REQUEST, Thing(division))
        if division:
            people.add_division(session, division, actor=who)
        row = people.add(session, address, actor=who, divisions=(division,) if division else (), kind=kind,
                         justification=justification, ends=_moment(ends) if ends else None)
        return f"{row.address} entered"

    return _done(settings, act)


def change_role(settings: Settings, address: str, role: str, *, what: str, actor: str = "") -> str:
    """Ask for, approve, apply or end a role of somebody. `what`: ask, approve, apply, end."""
    wanted = _role(role)

    def act(session: Session) -> str:
        row = _person(session, address)
        if what == "ask":
            who = acting(session, actor, Action.USER_REQUEST, _thing(session, row))
            people.ask_role(session, row.id, wanted, actor=who)
        else:
            grant = _open(session, row.id, wanted)
            needs = Action.USER_APPROVE if what == "approve" else Action.USER_GRANT
            before = {"approve": {grant.asked_by}, "apply": {grant.approved_by}}.get(what, set())
            who = acting(session, actor, needs, _thing(session, row, before))
            step = {"approve": people.approve_role, "apply": people.apply_role, "end": people.end_role}[what]
            step(session, grant.id, actor=who)
        said = {"ask": "asked for", "approve": "approved", "apply": "in force", "end": "ended"}[what]
        return f"{row.address}: {wanted} {said}"

    return _done(settings, act)


def change_state(settings: Settings, address: str, state: str, *, actor: str = "") -> str:
    """Activate, suspend or end an account; suspended and ended ones are signed out at once."""
    def act(session: Session) -> str:
        person = _person(session, address)
        who = acting(session, actor, Action.USER_SUSPEND, _thing(session, person))
        row = people.change_state(session, person.id, state, actor=who)
        return f"{row.address} is {row.state}"

    return _done(settings, act)


def train(settings: Settings, address: str, course: str, *, completed: str, expires: str, actor: str = "") -> str:
    """Record a completed course."""
    def act(session: Session) -> str:
        row = _person(session, address)
        who = acting(session, actor, Action.TRAINING_RECORD, _thing(session, row))
        people.record_training(session, row.id, course, completed=_moment(completed), expires=_moment(expires),
                               actor=who)
        return f"{row.address}: {course} recorded"

    return _done(settings, act)


def delegate(settings: Settings, address: str, *, begins: str, until: str, document: str, actor: str) -> str:
    """The head lets somebody act for them, from one day through another (UTC). `document`: the reference of the paper
    that says so. Raises `NotAllowed` for anybody but the head, `BadState`, `RolesClash`."""
    def act(session: Session) -> str:
        head = required(session, actor, Action.DELEGATION_MAKE, Thing(owner=_head(session, actor)))
        row = _person(session, address)
        people.delegate(session, head.id, row.id, begins=_moment(begins), ends=_moment(until) + timedelta(days=1),
                        document=document)
        return f"{row.address} acts for the head from {begins} through {until}"

    return _done(settings, act)


def take_back(settings: Settings, address: str, *, actor: str) -> str:
    """End what was delegated to somebody, now or later in force. Raises `NotFound` when there is nothing."""
    def act(session: Session) -> str:
        head = required(session, actor, Action.DELEGATION_MAKE, Thing(owner=_head(session, actor)))
        row = _person(session, address)
        mine = [one for one in people.delegations(session, row.id) if one.head_id == head.id]
        if not mine:
            raise NotFound("you have delegated nothing to them that is in force")
        for one in mine:
            people.end_delegation(session, one.id, actor=head.id)
        return f"{row.address} does not act for the head any more"

    return _done(settings, act)


def publish(settings: Settings, file: Path, *, actor: str = "") -> str:
    """Put a new text of the rules of behaviour in force; everybody signs it anew."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    def act(session: Session) -> str:
        who = acting(session, actor, Action.RULES_PUBLISH)
        return f"version {rules.publish(session, text, actor=who).number} is in force"

    return _done(settings, act)


def _done(settings: Settings, act: Callable[[Session], str]) -> str:
    with opened(settings) as (database, _), database.session() as session:
        return act(session)


def _person(session: Session, address: str) -> PersonRow:
    row = people.by_address(session, address)
    if row is None:
        raise NotFound("nobody has this address")
    return row


def _head(session: Session, named: str) -> str:
    """The id of whoever is named: one's own power is what is delegated."""
    person = person_of(session, named)
    return person.id if person else ""


def _thing(session: Session, row: PersonRow, before: Collection[str] = ()) -> Thing:
    """A person as something to be decided about: of their division, by somebody else than those before."""
    return Thing(people.home_division(session, row.address), row.id, before=frozenset(before))


def _open(session: Session, person_id: str, role: Role) -> RoleGrant:
    row = session.scalars(select(RoleGrant).where(
        RoleGrant.person_id == person_id, RoleGrant.role == role, col(RoleGrant.ended).is_(None))).one_or_none()
    if row is None:
        raise NotFound("the role was not asked for")
    return row


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise BadInput(f"--role is one of {', '.join(Role)}") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("a day is written as 2026-03-31") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
