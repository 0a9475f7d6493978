"""The rules of behaviour: a text in versions, signed once per version and affirmed at every sign-in.

    version = rules.current(session)                 # the one in force, or None before the first
    rules.sign(session, person_id, version.number, actor=person_id)

The text that ships (`store/rules.txt`) becomes version 1 when nothing was published yet. A published text is
never changed; a change is a new version, which everybody signs anew.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.columns import now
from store.database import begin_write, get_or_create
from store.errors import BadState
from store.people_tables import PersonRow, RulesSignature, RulesVersion

MAX_TEXT = 50_000


def shipped_text() -> str:
    """The text that ships with the program."""
    return (files("store") / "rules.txt").read_text(encoding="utf-8")


def current_number(session: Session) -> int:
    """The number of the version in force; 0 when there is none."""
    return int(session.scalars(select(func.max(col(RulesVersion.number)))).one() or 0)


def current(session: Session) -> RulesVersion | None:
    """The version in force."""
    number = current_number(session)
    return session.get(RulesVersion, number) if number else None


def publish(session: Session, text: str, *, actor: str) -> RulesVersion:
    """Put a new version in force. Raises `BadState` for an empty or endless text; the same text again is no new one."""
    plain = text.strip() + "\n"
    if not text.strip() or len(plain) > MAX_TEXT:
        raise BadState("the rules have a text of reasonable length")
    begin_write(session)
    last = current(session)
    if last is not None and last.text == plain:
        return last
    row = RulesVersion(number=(last.number if last else 0) + 1, text=plain, published_by=actor,
                       digest=hashlib.sha256(plain.encode()).hexdigest())
    session.add(row)
    session.flush()
    audit.append(session, "people:rules:published", actor=actor, subject=str(row.number), body={"digest": row.digest})
    return row


def in_force(session: Session) -> RulesVersion:
    """The version in force; the text that ships becomes the first."""
    begin_write(session)
    return current(session) or publish(session, shipped_text(), actor="mailweir")


def signed(session: Session, person_id: str, number: int) -> bool:
    """Whether a person signed this version."""
    return session.get(RulesSignature, (person_id, number)) is not None


def sign(session: Session, person_id: str, number: int) -> None:
    """A person signs the version in force for themselves. Raises `BadState` for another version. Twice is once."""
    begin_write(session)
    version = current(session)
    if version is None or version.number != number or session.get(PersonRow, person_id) is None:
        raise BadState("only the version in force is signed, by somebody we know")
    _, made = get_or_create(
        session, lambda: session.get(RulesSignature, (person_id, number)),
        lambda: RulesSignature(person_id=person_id, number=number, digest=version.digest, signed=now()))
    if made:
        audit.append(session, "people:rules:signed", actor=person_id, subject=str(number),
                     body={"digest": version.digest})
