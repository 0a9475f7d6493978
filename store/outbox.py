"""Notices: written in the transaction that decided, sent later, at least once.

    outbox.add(session, key=f"{capture.id}/held", recipient=..., template="held", data={...}, capture_id=...)
    for notice in outbox.take(session, limit=20): ...     # own transaction; a claim that runs out
    outbox.mark_sent(session, notice.id)
    outbox.mark_failed(session, notice.id, code="try-later", retry=True)

`data` is for the template: kinds, counts, places, the case number. It is checked for length and control
characters, so that no text of a mail slips in by accident; what a template says is the notifier's matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, or_
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.columns import now
from store.database import begin_write, get_or_create
from store.errors import BadState, NotFound
from store.tables import Notice, NoticeState

MAX_ATTEMPTS = 8
MAX_WORD = 120
BACKOFF_SECONDS = (30, 60, 300, 900, 3600, 3 * 3600, 6 * 3600)


def add(session: Session, *, key: str, recipient: str, template: str, data: Mapping[str, Any],
        capture_id: str | None = None) -> Notice:
    """Put a notice into the outbox, once per `key`; a second call gives the first notice back."""
    _check(data)
    begin_write(session)

    def find() -> Notice | None:
        return session.scalars(select(Notice).where(Notice.key == key)).one_or_none()

    return get_or_create(session, find, lambda: Notice(
        key=key, recipient=recipient, template=template, data=dict(data), capture_id=capture_id))[0]


def told(session: Session, key: str) -> bool:
    """Whether there is a notice of this key."""
    return session.scalars(select(Notice.id).where(Notice.key == key)).first() is not None


def take(session: Session, *, limit: int = 20, lease_seconds: float = 120) -> tuple[Notice, ...]:
    """Claim notices that are due, oldest first. Two senders never hold the same one at a time.

    A claim runs out after `lease_seconds`; a sender that died leaves nothing behind.
    """
    begin_write(session)
    moment = now()
    found = session.scalars(
        select(Notice).where(or_(
            and_(col(Notice.state) == NoticeState.PENDING, col(Notice.due) <= moment),
            and_(col(Notice.state) == NoticeState.SENDING, col(Notice.due) <= moment)))
        .order_by(col(Notice.created), col(Notice.id)).limit(limit).with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)).all()
    for notice in found:
        notice.state, notice.attempts = NoticeState.SENDING, notice.attempts + 1
        notice.due = moment + timedelta(seconds=lease_seconds)
    session.flush()
    return tuple(found)


def mark_sent(session: Session, notice_id: str) -> None:
    """The notice was delivered. A second call changes nothing."""
    notice = _get(session, notice_id)
    if notice.state == NoticeState.SENT:
        return
    notice.state, notice.sent, notice.error = NoticeState.SENT, now(), ""
    audit.append(session, "notice:message:sent", actor="mailweir", subject=notice.id,
                 body={"template": notice.template, "attempts": notice.attempts})


def mark_failed(session: Session, notice_id: str, *, code: str, retry: bool) -> Notice:
    """Delivery failed. With `retry` it waits longer each time, up to `MAX_ATTEMPTS`; then it is `failed`."""
    notice = _get(session, notice_id)
    if notice.state != NoticeState.SENDING:
        raise BadState(f"notice {notice.id} is {notice.state}")
    notice.error = code
    if retry and notice.attempts < MAX_ATTEMPTS:
        wait = BACKOFF_SECONDS[min(notice.attempts, len(BACKOFF_SECONDS)) - 1]
        notice.state, notice.due = NoticeState.PENDING, now() + timedelta(seconds=wait)
        session.flush()
        return notice
    notice.state = NoticeState.FAILED
    audit.append(session, "notice:message:failed", actor="mailweir", subject=notice.id,
                 body={"attempts": notice.attempts, "code": code})
    return notice


def waiting(session: Session) -> int:
    """How many notices are not sent yet and not given up."""
    return len(session.scalars(select(Notice.id).where(
        col(Notice.state).in_((NoticeState.PENDING, NoticeState.SENDING)))).all())


def _get(session: Session, notice_id: str) -> Notice:
    begin_write(session)
    notice = session.scalars(select(Notice).where(Notice.id == notice_id).with_for_update(key_share=True)
                             .execution_options(populate_existing=True)).one_or_none()
    if notice is None:
        raise NotFound(f"notice {notice_id}")
    return notice


def _check(value: Any) -> None:
    """Raise `BadState` for anything that is not short codes, places and numbers."""
    if isinstance(value, str):
        if len(value) > MAX_WORD or not value.isprintable():
            raise BadState("a notice holds kinds, counts and places, not text")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _check(name)
            _check(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check(inner)
    elif value is not None and not isinstance(value, (int, float)):
        raise BadState("a notice holds kinds, counts and places only")
