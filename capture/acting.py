"""Who acts at the terminal, and may they.

    who = acting(session, named, Action.RULE_APPROVE, thing)     # the id or name that stands in the audit

Whoever runs a command has the key and the database of the home; these checks keep honest people in their roles and
name them, they do not stop the owner of the machine. Three cases, see docs/operators/roles.md:

* `--actor` names a registered person (address or id): `store.access.may` decides, and the person is recorded.
* `--actor` names nobody we know: refused, except while nobody is administrator yet, so that a home can be set up.
* no `--actor`: the user the operating system knows is recorded as the operator of the machine. What needs a person
  (approving a rule, signing a week, exporting) is refused.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session
from sqlmodel import col, select

from capture.auditing import actor_name
from capture.errors import CaptureError
from store import people, rules
from store.access import Action, Person, Role, Thing, may
from store.errors import NotAllowed, NotFound
from store.people_tables import PersonRow, RoleGrant

NEEDS_A_PERSON: Final = frozenset({
    Action.RULE_PROPOSE, Action.RULE_APPROVE, Action.AUDIT_SIGN, Action.RECORD_EXPORT, Action.AUDIT_EXPORT,
    Action.CASE_SECOND, Action.CASE_REPORT})
"""Nobody does these without being in the register."""


class UnknownActor(CaptureError):
    """This needs a person of the register, and --actor names none."""

    code = "unknown-actor"
    hint = "Name a person with --actor ADDRESS; `mailweir user list` shows who there is."


def acting(session: Session, named: str, action: Action, thing: Thing | None = None) -> str:
    """Who is recorded as acting. Raises `NotAllowed` and `UnknownActor`."""
    person = person_of(session, named)
    if person is not None:
        must(person, action, thing)
        return person.id
    if action in NEEDS_A_PERSON or (named and somebody_administers(session)):
        raise UnknownActor
    return actor_name(named)


def required(session: Session, named: str, action: Action, thing: Thing | None = None) -> Person:
    """The registered person who acts, once `may` agreed. Raises `NotAllowed` and `UnknownActor`."""
    person = person_of(session, named)
    if person is None:
        raise UnknownActor
    must(person, action, thing)
    return person


def must(person: Person, action: Action, thing: Thing | None = None) -> None:
    """Go on only when it is allowed. Raises `NotAllowed` with the reason."""
    answer = may(person, action, thing)
    if not answer:
        raise NotAllowed(answer.code)


def person_of(session: Session, named: str) -> Person | None:
    """The person an address or an id names, or None. At the terminal there is no sign-in: whoever signed the rules in
    force counts as having affirmed them, and as just signed in."""
    row = people.by_address(session, named) if "@" in named else (session.get(PersonRow, named) if named else None)
    if row is None:
        return None
    try:
        return people.load(session, row.id, affirmed=rules.current_number(session), fresh=True)
    except NotFound:
        return None


def somebody_administers(session: Session) -> bool:
    """Whether anybody was ever made administrator: from then on the register knows everybody who acts."""
    return session.scalars(select(RoleGrant.id).where(
        RoleGrant.role == Role.ADMINISTRATOR, col(RoleGrant.granted).is_not(None)).limit(1)).first() is not None
