"""Who acts on the CRM, and what they may do with one record. Every function of the CRM that shows or changes something
takes a `Who` and asks `store.access.may` here.

    who = Who("p1", person, mailboxes)     # somebody of the register, and the names of their mailboxes
    who = Who("root")                      # the operator of the machine: not in the register, belongs to no division
    must(who, Action.RECORD_CHANGE, Thing(division, owner))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.access import Action, Person, Scope, Thing, may, reach
from store.crm_fields import NOT_SHARED, TABLES
from store.crm_matching import Sight, sight_of, standing
from store.crm_tables import Activity, ActivityTracker
from store.database import begin_write
from store.errors import NotAllowed, NotFound


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who acts: as the audit names them, as a person of the register, and their mailboxes."""

    actor: str
    person: Person | None = None
    mailboxes: frozenset[str] = frozenset()

    @property
    def sight(self) -> Sight:
        """Whose records they may see. The operator of the machine links whatever there is."""
        return Sight(everything=True) if self.person is None else sight_of(self.person)

    def reaches_all(self, action: Action) -> bool:
        """Whether a list they ask for is not cut to their divisions."""
        return self.person is None or reach(self.person, action) is Scope.ALL


def must(who: Who, action: Action, thing: Thing | None = None) -> None:
    """Go on only when it is allowed. Raises `NotAllowed` with the reason."""
    if who.person is None:
        return
    answer = may(who.person, action, thing)
    if not answer:
        raise NotAllowed(answer.code)


def load(session: Session, kind: str, ident: str, *, lock: bool = False, keep: bool = False) -> Any:
    """One record; `lock`: to be changed, `keep`: to be pointed at, so that it is not merged or purged meanwhile. Raises
    `NotFound`."""
    table = TABLES.get(kind)
    if table is None:
        raise NotFound("record")
    query = select(table).where(table.id == ident)
    if lock or keep:
        begin_write(session)
        query = query.with_for_update(read=keep, key_share=not keep).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("record")
    return row


def stands(session: Session, kind: str, ident: str, *, lock: bool = False) -> Any:
    """The record that stands for this one, kept in place until the transaction ends (`lock`: to be changed as well);
    one that is merged while it is looked for is followed. Raises `NotFound`."""
    while True:
        kind, ident = standing(session, kind, ident)
        row = load(session, kind, ident, lock=lock, keep=not lock)
        if not getattr(row, "merged_into", ""):
            return row


def seen(session: Session, who: Who, kind: str, ident: str) -> Any:
    """One record, when somebody may know of it. Raises `NotFound`, `NotAllowed`."""
    row = load(session, kind, ident)
    mine = who.person is not None and row.owner == who.person.id
    if kind in NOT_SHARED and not mine and not who.sight.may_see(row.division):
        raise NotAllowed("other-division")
    return row


def activity(session: Session, ident: str) -> Activity:
    """One activity, locked for a change. Raises `NotFound`."""
    begin_write(session)
    row = session.scalars(select(Activity).where(Activity.id == ident).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("activity")
    return row


def trackers_of(session: Session, ident: str) -> tuple[str, ...]:
    """The mailboxes whose owners track an activity."""
    return tuple(session.scalars(select(ActivityTracker.tracker).where(
        ActivityTracker.activity_id == ident).order_by(col(ActivityTracker.tracker))))


def thing_of(session: Session, who: Who, row: Activity) -> Thing:
    """An activity as `may` is asked about it: their own when they track it."""
    own = who.person is not None and not who.mailboxes.isdisjoint(trackers_of(session, row.id))
    return Thing(division=row.division, owner=who.person.id if own and who.person is not None else "")
