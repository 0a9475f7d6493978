"""People of the register for tests: somebody with roles in force, rules signed, training fresh."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from store import people, rules
from store.access import Person, Role
from store.columns import now


def enter(session: Session, name: str, *roles: Role, division: str = "north") -> str:
    """Enter NAME@example.org and return the id."""
    people.add_division(session, division, actor="root")
    who = people.add(session, f"{name}@example.org", actor="root", divisions=(division,)).id
    for role in roles:
        grant = people.ask_role(session, who, role, actor="root")
        people.approve_role(session, grant.id, actor="owner-1")
        people.apply_role(session, grant.id, actor="admin-1")
    rules.sign(session, who, rules.in_force(session).number)
    people.record_training(session, who, "privacy-basics", completed=now() - timedelta(days=1),
                           expires=now() + timedelta(days=300), actor="root")
    return who


def loaded(session: Session, who: str, *, fresh: bool = True) -> Person:
    """The person as `may` wants them, signed in and the rules affirmed."""
    return people.load(session, who, affirmed=rules.current_number(session), fresh=fresh)
