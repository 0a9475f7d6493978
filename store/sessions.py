"""Who is signed in: sessions of browsers.

    token = sessions.begin(session, person_id, hours=8)                   # the browser keeps it, we its hash
    row = sessions.resume(session, token, idle_minutes=15)                # None: sign in (again)
    token = sessions.again(session, row)                                  # signed in anew: another token
    sessions.affirm(session, row, number); sessions.end(session, row, why="signed-out")

The token is 256 random bits; only its SHA-256 is stored. A session ends after some idle minutes, after some hours
whatever happens, and when the account is suspended. Every beginning and end is audited.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, rules
from store.columns import now
from store.database import begin_write
from store.errors import BadState
from store.people_tables import WebSession
from store.tables import AuditEvent

TOUCH_SECONDS: Final = 20
"""`seen` is written at most this often, so that reading pages does not write all the time."""
KEEP_ENDED: Final = timedelta(days=30)
PANE: Final = "pane."
"""How the token of a pane's sign-in begins: it is sent as a bearer and opens no page, a cookie's opens no pane."""
LEFT_PANE: Final = "pane-signed-out"


def begin(session: Session, person_id: str, *, hours: float, at: datetime | None = None, kind: str = "") -> str:
    """Somebody signed in: a new session. Returns the token for the browser; `kind` is what it begins with."""
    begin_write(session)
    moment = at or now()
    token = kind + secrets.token_urlsafe(32)
    row = WebSession(person_id=person_id, token_hash=_hash(token), begun=moment, seen=moment, authenticated=moment,
                     ends=moment + timedelta(hours=hours))
    session.add(row)
    session.flush()
    session.execute(delete(WebSession).where(col(WebSession.ends) < moment - KEEP_ENDED))
    audit.append(session, "web:session:begun", actor=person_id, subject=row.id)
    return token


def resume(session: Session, token: str, *, idle_minutes: float, at: datetime | None = None) -> WebSession | None:
    """The session of a token, or None when there is none, or it is over. Ends one that ran out."""
    moment = at or now()
    row = find(session, token)
    if row is None:
        return None
    if why := over(row, idle_minutes=idle_minutes, at=moment):
        end(session, row, why=why)
        return None
    if due(row, at=moment):
        begin_write(session)
        row.seen = moment
        session.flush()
    return row


def find(session: Session, token: str) -> WebSession | None:
    """The session of a token unless it was ended; looks only, so ask `over` besides."""
    return session.scalars(select(WebSession).where(
        WebSession.token_hash == _hash(token), col(WebSession.ended).is_(None))).one_or_none()


def over(row: WebSession, *, idle_minutes: float, at: datetime | None = None) -> str:
    """Why a session is over by the clock ("idle", "absolute"); "" when it is not."""
    moment = at or now()
    if moment >= row.ends:
        return "absolute"
    return "idle" if moment >= row.seen + timedelta(minutes=idle_minutes) else ""


def due(row: WebSession, *, at: datetime | None = None) -> bool:
    """Whether it is time to write down that the session is in use."""
    return (at or now()) >= row.seen + timedelta(seconds=TOUCH_SECONDS)


def again(session: Session, row: WebSession, *, at: datetime | None = None) -> str:
    """The same person signed in again: the session goes on under another token, its absolute end stays."""
    begin_write(session)
    if row.ended is not None:
        raise BadState("the session is over")
    token = secrets.token_urlsafe(32)
    row.token_hash, row.authenticated, row.seen = _hash(token), at or now(), at or now()
    session.flush()
    audit.append(session, "web:session:renewed", actor=row.person_id, subject=row.id)
    return token


def affirm(session: Session, row: WebSession) -> None:
    """The person affirms the rules in force for this sign-in. Raises `BadState` when they are not signed."""
    begin_write(session)
    number = rules.current_number(session)
    if not number or not rules.signed(session, row.person_id, number):
        raise BadState("the rules in force are not signed")
    if row.affirmed != number:
        row.affirmed = number
        session.flush()
        audit.append(session, "people:rules:affirmed", actor=row.person_id, subject=row.id, body={"version": number})


def carry_on(session: Session, row: WebSession, *, hours: float) -> None:
    """A sign-in that renews itself: the rules count as affirmed when the person affirmed the version in force within
    the last hours, by hand."""
    number, since = rules.current_number(session), now() - timedelta(hours=hours)
    found = session.scalars(select(AuditEvent.body).where(
        AuditEvent.action == "people:rules:affirmed", AuditEvent.actor == row.person_id,
        col(AuditEvent.at) >= since.isoformat(timespec="microseconds")).order_by(col(AuditEvent.seq).desc())
        .limit(1)).first()
    if number and found is not None and json.loads(found).get("version") == number:
        row.affirmed = number
        session.flush()


def left_since(session: Session, person_id: str, moment: datetime) -> bool:
    """Whether the person signed out of a pane at this moment or later: what a directory issued before that does not
    let them in again."""
    return session.scalars(select(WebSession.id).where(
        WebSession.person_id == person_id, WebSession.why == LEFT_PANE, col(WebSession.ended) >= moment)
        .limit(1)).first() is not None


def end(session: Session, row: WebSession, *, why: str) -> None:
    """End a session. A second call changes nothing."""
    begin_write(session)
    if row.ended is None:
        row.ended, row.why = now(), why
        session.flush()
        audit.append(session, "web:session:ended", actor=row.person_id, subject=row.id, body={"why": why})


def fresh(row: WebSession, *, minutes: float, at: datetime | None = None) -> bool:
    """Whether the person proved who they are within the last minutes."""
    return (at or now()) < row.authenticated + timedelta(minutes=minutes)


def form_token(token: str) -> str:
    """What a form of this session carries, so that no other site can send it."""
    return hmac.digest(token.encode(), b"mailweir/form", "sha256").hex()


def form_token_fits(token: str, given: str) -> bool:
    """Whether a form came from a page of this session."""
    return hmac.compare_digest(form_token(token).encode(), given.encode("utf-8", "replace"))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
