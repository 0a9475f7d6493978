"""Never-track lists: addresses, domains and mailboxes of which nothing is linked by rule.

    add(session, who, "@lawyers.example.com")            # for everybody
    add(session, who, "sister@example.net", tracker="dana.reid")      # one's own list
    add(session, who, "hr", kind="mailbox")              # a mailbox of ours that is never linked (HR, legal, health)
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.access import Action, Thing
from store.crm_access import Who, must
from store.crm_tables import NeverTrack
from store.database import begin_write, get_or_create
from store.errors import BadState, NotFound

KINDS: Final = ("party", "mailbox")
_PATTERN: Final = re.compile(r"[^\s,;<>\"]{1,64}@[^\s@,;<>\"]{3,255}|@?[a-z0-9-]+(\.[a-z0-9-]+)+")


def add(session: Session, who: Who, pattern: str, *, tracker: str = "", kind: str = "party") -> None:
    """Put an address, a domain or a mailbox on a list. `tracker`: whose list, "" everybody's."""
    plain = pattern.strip().casefold()
    if kind not in KINDS or (kind == "party" and not _PATTERN.fullmatch(plain)) or not 0 < len(plain) <= 320:
        raise BadState("an address, a domain, or a mailbox by name")
    _must(who, tracker)
    begin_write(session)
    _, made = get_or_create(session, lambda: session.get(NeverTrack, (tracker, kind, plain)),
                            lambda: NeverTrack(tracker=tracker, kind=kind, pattern=plain, by=who.actor))
    if made:
        audit.append(session, "crm:never:added", actor=who.actor, body={"kind": kind, "own": bool(tracker)})


def remove(session: Session, who: Who, pattern: str, *, tracker: str = "", kind: str = "party") -> None:
    """Take an entry off. Raises `NotFound`."""
    _must(who, tracker)
    begin_write(session)
    row = session.get(NeverTrack, (tracker, kind, pattern.strip().casefold()))
    if row is None:
        raise NotFound("entry")
    session.delete(row)
    session.flush()
    audit.append(session, "crm:never:removed", actor=who.actor, body={"kind": kind, "own": bool(tracker)})


def listed(session: Session, who: Who) -> list[dict[str, Any]]:
    """The lists somebody keeps or may read: everybody's, and their own; the operator reads all. Audited."""
    must(who, Action.SELF_READ)
    query = select(NeverTrack).order_by(col(NeverTrack.tracker), col(NeverTrack.kind), col(NeverTrack.pattern))
    if who.person is not None:
        query = query.where(col(NeverTrack.tracker).in_(["", *sorted(who.mailboxes)]))
    rows = [{"list": row.tracker, "kind": row.kind, "pattern": row.pattern, "by": row.by} for row in
            session.scalars(query)]
    audit.append(session, "crm:records:listed", actor=who.actor, body={"kind": "never", "count": len(rows), "ids": []})
    return rows


def patterns(session: Session, tracker: str) -> frozenset[str]:
    """The addresses and domains that are never linked for this mailbox: everybody's list and its owner's."""
    return frozenset(session.scalars(select(NeverTrack.pattern).where(
        NeverTrack.kind == "party", col(NeverTrack.tracker).in_(("", tracker)))))


def is_barred(session: Session, mailbox: str) -> bool:
    """Whether the mailbox is of a kind that is never linked by rule."""
    return session.get(NeverTrack, ("", "mailbox", mailbox.strip().casefold())) is not None


def _must(who: Who, tracker: str) -> None:
    """One's own list is one's own; everybody's is for whoever keeps records."""
    if who.person is None:
        return
    if tracker:
        must(who, Action.ITEM_WITHDRAW, Thing(owner=who.person.id if tracker in who.mailboxes else ""))
    else:
        must(who, Action.RECORD_IMPORT, Thing(division=next(iter(sorted(who.person.divisions)), "")))
