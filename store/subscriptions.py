"""Subscriptions to change notifications, each function in the caller's transaction.

    with db.session() as s: subscriptions.wish(s, "dana@example.org", "messages")
    with db.session() as s: due = subscriptions.claim(s)                  # one worker makes or renews each
    with db.session() as s: subscriptions.made(s, due, remote=..., secret=..., expires=...)
    with db.session() as s: subscriptions.notified(s, remote, secret)     # wakes the mailbox
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import watch
from store.columns import now
from store.database import begin_write, get_or_create
from store.subscription_tables import Subscription

CLAIM = timedelta(minutes=5)


def wish(session: Session, mailbox: str, resource: str) -> Subscription:
    """Have a subscription to `resource` of a mailbox; a second call gives the first row back."""
    begin_write(session)

    def find() -> Subscription | None:
        return session.get(Subscription, (mailbox, resource))

    return get_or_create(session, find, lambda: Subscription(mailbox=mailbox, resource=resource))[0]


def claim(session: Session) -> Subscription | None:
    """One subscription that is due to be made or renewed, for this caller alone for five minutes."""
    begin_write(session)
    moment = now()
    found = session.scalars(
        select(Subscription).where(col(Subscription.due) <= moment).where(
            sa.or_(col(Subscription.claimed).is_(None), col(Subscription.claimed) <= moment))
        .order_by(col(Subscription.due)).limit(1).with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)).one_or_none()
    if found is not None:
        found.claimed = moment + CLAIM
        session.flush()
    return found


def made(session: Session, row: Subscription, *, remote: str, secret: str, expires: datetime) -> None:
    """It exists, or was renewed, until `expires`; due again at half of that time. `secret` "" keeps the old."""
    stored = _locked(session, row)
    moment = now()
    stored.remote, stored.expires, stored.claimed = remote, expires, None
    stored.secret = digest(secret) if secret else stored.secret
    stored.due = moment + (expires - moment) / 2
    session.flush()


def failed(session: Session, row: Subscription, *, wait: float, lost: bool = False) -> None:
    """It could not be made or renewed: again after `wait` seconds; `lost`: the server does not know it."""
    stored = _locked(session, row)
    stored.due, stored.claimed = now() + timedelta(seconds=wait), None
    if lost:
        stored.remote, stored.expires = "", None
    session.flush()


def drop(session: Session, row: Subscription) -> None:
    """The mailbox is not watched any more."""
    begin_write(session)
    session.execute(sa.delete(Subscription).where(
        col(Subscription.mailbox) == row.mailbox, col(Subscription.resource) == row.resource))


def others(session: Session, mailboxes: list[str]) -> list[Subscription]:
    """Subscriptions of mailboxes that are not among these."""
    return list(session.scalars(select(Subscription).where(col(Subscription.mailbox).not_in(mailboxes))))


def of_mailbox(session: Session, mailbox: str) -> list[Subscription]:
    """The subscriptions of a mailbox."""
    return list(session.scalars(select(Subscription).where(col(Subscription.mailbox) == mailbox)))


def notified(session: Session, remote: str, secret: str, event: str = "") -> bool:
    """Take a notification in: wake its mailbox. False when the subscription or its secret is not ours.

    `event` of the life cycle: "subscriptionRemoved" asks for a new one, "reauthorizationRequired" for a renewal,
    at once; "missed" and "" only wake.
    """
    begin_write(session)
    row = session.scalars(select(Subscription).where(col(Subscription.remote) == remote)).first() if remote else None
    if not hmac.compare_digest(digest(secret), row.secret if row else digest("")) or row is None or not secret:
        return False
    if event in ("subscriptionRemoved", "reauthorizationRequired"):
        row.due = now()
        if event == "subscriptionRemoved":
            row.remote, row.expires = "", None
        session.flush()
    watch.wake(session, row.mailbox)
    return True


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def _locked(session: Session, row: Subscription) -> Subscription:
    begin_write(session)
    return session.get_one(Subscription, (row.mailbox, row.resource), with_for_update=True)
