"""From an identity of the directory to a session of ours, and back out again.

Who is not known, not active or has roles that clash is refused with a code, and the refusal is audited. Somebody
entered by address (`people.add`) is tied to their directory id at the first sign-in; from then on only the id counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy.orm import Session
from sqlmodel import select

from addin.auth import Identity
from addin.errors import SignInRefused
from capture.settings import SignInSettings
from store import audit, people, sessions
from store.access import Role
from store.columns import now
from store.database import Database, begin_write
from store.errors import RolesClash
from store.people_tables import PersonRow, WebSession

REFUSALS: Final[Mapping[str, str]] = {
    "directory-refused": "The directory did not let you in.",
    "sign-in-too-old": "The sign-in took too long.",
    "not-this-sign-in": "This is not the sign-in that was begun in this browser.",
    "not-signed-in-again": "The directory did not ask you again.",
    "bad-token": "What the directory sent cannot be believed.",
    "another-tenant": "This account belongs to another organisation.",
    "another-person": "Somebody else signed in than the one who was signed in here.",
    "unknown-person": "You are not entered as a user. Ask the administrator of your division.",
    "account-inactive": "Your account is suspended, has ended or is not approved yet.",
    "roles-clash": "Your roles cannot go together. Ask the administrator.",
    "mailbox-not-proved": "The server of the mailbox does not confirm that it is yours. Tell the operator.",
    "too-often": "Too many attempts. Wait a minute.",
}
"""Every reason not to be let in, as the page says it."""


def let_in(database: Database, settings: SignInSettings, identity: Identity, *, former: str = "") -> str:
    """Begin a session for this identity and return its token. The session of a `former` token of the same browser
    ends. Raises `SignInRefused`; the refusal is audited."""
    try:
        with database.session() as session:
            row = require_active(person_of(session, identity))
            if settings.app_roles:
                _follow(session, row.id, settings.app_roles, identity.roles)
            old = sessions.find(session, former) if former else None
            if old is not None:
                sessions.end(session, old, why="signed-in-anew")
            return sessions.begin(session, row.id, hours=settings.hours)
    except SignInRefused as refused:
        note_refusal(database, refused.why, identity.subject)
        raise


def let_in_again(database: Database, identity: Identity, row_id: str) -> str:
    """The same person proved again who they are; returns the session's new token. Raises `SignInRefused` when it is
    somebody else or the session is over."""
    try:
        with database.session() as session:
            return sessions.again(session, _same_person(session, identity, row_id))
    except SignInRefused as refused:
        note_refusal(database, refused.why, identity.subject)
        raise


def note_refusal(database: Database, why: str, actor: str = "") -> None:
    """Audit that somebody was not let in."""
    with database.session() as session:
        audit.append(session, "web:session:refused", actor=actor or "unknown", body={"code": why})


def require_active(row: PersonRow | None) -> PersonRow:
    """The person, if somebody is known and active. Raises `SignInRefused`."""
    if row is None:
        raise SignInRefused("unknown-person")
    if row.state != "active" or (row.ends is not None and row.ends <= now()):
        raise SignInRefused("account-inactive")
    return row


def _same_person(session: Session, identity: Identity, row_id: str) -> WebSession:
    row = session.get(WebSession, row_id)
    person = person_of(session, identity)
    if row is None or row.ended is not None or person is None or person.id != row.person_id:
        raise SignInRefused("another-person")
    return row


def person_of(session: Session, identity: Identity) -> PersonRow | None:
    """Who this is to us, or None. Somebody entered by address is tied to the directory's id at the first sign-in."""
    begin_write(session)
    row = session.scalars(select(PersonRow).where(PersonRow.subject == identity.subject)).one_or_none()
    if row is not None:
        moved = identity.address and identity.address != row.address
        if moved and people.by_address(session, identity.address) is None:
            row.address, row.updated = identity.address, now()
            session.flush()
        return row
    row = people.by_address(session, identity.address) if identity.address else None
    if row is None or row.subject is not None:
        return None
    row.subject, row.updated = identity.subject, now()
    session.flush()
    audit.append(session, "people:person:bound", actor=row.id, subject=row.id)
    return row


def _follow(session: Session, person_id: str, known: Mapping[str, Role], app_roles: frozenset[str]) -> None:
    try:
        people.follow_directory(session, person_id, frozenset(
            known[role] for role in app_roles if role in known))
    except RolesClash:
        raise SignInRefused("roles-clash") from None
