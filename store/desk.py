"""The reviewer's desk: the queue, claims, rulings, the second person, families, the history of a case.

    page = desk.queue(session, person, tab="queue")              sorted by risk, overrun of the service level, age
    answer = may(person, Action.CASE_READ, desk.thing(session, keys, number, person))
    desk.claim(session, keys, number, person)                    then capture.deciding.show: the item shows it
    ruling = desk.propose(session, keys, number, person, "release", "false-positive")
    desk.undo(session, ruling.id, person)                        until `ruling.effective_at`
    desk.second(session, keys, number, other, agree=True, reason="checked")

A ruling takes effect after its undo window, by `capture.deciding.settle`. Every act asks `store.access.may` itself
and is audited in the caller's transaction; readings are the caller's to audit, before anything goes out. What
becomes of a case is never for time to say: an overdue one is brought before other people, and stays held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from sqlalchemy.orm import Session

from store.access import Person, Thing
from store.crypto import Keys
from store.desk_types import (
    BULK_MOST,
    RULES,
    Bulk,
    Event,
    Family,
    Filing,
    Incident,
    Member,
    Outcome,
    QueuePage,
    QueueRow,
    Redaction,
    Rules,
    Ruling,
    RulingState,
    Tab,
)

Viewer: TypeAlias = Person

__all__ = ["BULK_MOST", "RULES", "Bulk", "Event", "Family", "Filing", "Incident", "Member", "Outcome", "QueuePage",
           "QueueRow", "Redaction", "Rules", "Ruling", "RulingState", "Tab", "Viewer", "claim", "close_incident",
           "family", "history", "incidents", "pending", "propose", "propose_all", "queue", "row", "second",
           "second_all", "thing", "unclaim", "undo"]


def queue(session: Session, person: Person, *, tab: str = "queue", division: str = "", kind: str = "",
          reason: str = "", policy: str = "", tagger: str = "", overdue: bool = False, after: str = "",
          limit: int = 50) -> QueuePage:
    """One page of open cases within the person's reach; a person without any gets an empty page.

    Filters: `division`, `kind` (a category), `reason`, `policy` ("name@version"), `tagger` (id of a person),
    `overdue`. `after` is the `next` of the page before. Raises `BadState` for a tab or an `after` there is not.
    """
    raise NotImplementedError


def row(session: Session, number: str) -> QueueRow:
    """One case as the queue shows it, open or closed. Raises `NotFound`."""
    raise NotImplementedError


def thing(session: Session, keys: Keys, number: str, person: Person) -> Thing:
    """The case as `may` wants it: the tagger's division, the tagger, the parties, who decided first.

    Parties are kept as keyed hashes only: the result holds those of the person's own addresses that are among them.
    Are they not known yet, all of them are. Raises `NotFound`.
    """
    raise NotImplementedError


def claim(session: Session, keys: Keys, number: str, person: Person, *, rules: Rules = RULES) -> QueueRow:
    """The person takes the case on. A claim older than `rules.claim_hours` may be taken over. Call
    `capture.deciding.show` after the commit. Raises `NotFound`, `NotAllowed`, `BadState` when somebody else has it."""
    raise NotImplementedError


def unclaim(session: Session, number: str, person: Person) -> QueueRow:
    """Give the case back; somebody else's claim only with a reach over everything. Call `capture.deciding.show` after
    the commit. Raises `NotFound`, `NotAllowed`, `BadState`."""
    raise NotImplementedError


def propose(session: Session, keys: Keys, number: str, person: Person, outcome: str, reason: str, *,
            redaction: Redaction | None = None, seconds: float = 10.0, rules: Rules = RULES) -> Ruling:
    """Rule on a case: "release", "redact" (with the `redaction`), "delete" or "escalate"; `reason` is a code, for an
    escalation the kind of incident. It takes effect in `seconds`, or after a second person agreed.

    Claims the case when nobody has. Raises `NotFound`, `NotAllowed`, `BadState` when the case is not open, somebody
    else has it, a ruling waits already, or the outcome and the redaction do not fit.
    """
    raise NotImplementedError


def undo(session: Session, ruling_id: str, person: Person) -> Ruling:
    """Take a ruling back before it takes effect, with all of its batch: the one who made it, or who agreed to it.

    Raises `NotFound`, `NotAllowed`, `BadState` when it is too late.
    """
    raise NotImplementedError


def second(session: Session, keys: Keys, number: str, person: Person, agree: bool, reason: str, *,
           seconds: float = 10.0) -> Ruling:
    """The second person's answer: agreed, it takes effect in `seconds`; else the case is back in the queue.

    Raises `NotFound`, `NotAllowed`, `BadState` when nothing waits for a second person.
    """
    raise NotImplementedError


def second_all(session: Session, keys: Keys, batch: str, person: Person, agree: bool, reason: str, *,
               seconds: float = 10.0) -> tuple[Ruling, ...]:
    """As `second`, for all rulings of a batch that wait; one that is not allowed stops them all."""
    raise NotImplementedError


def pending(session: Session, number: str) -> Ruling | None:
    """The ruling of a case that is not in effect yet, or None."""
    raise NotImplementedError


def family(session: Session, number: str, person: Person) -> Family:
    """The open cases that may be ruled on together with this one, itself included, within the person's reach, and
    what differs. Raises `NotFound`."""
    raise NotImplementedError


def propose_all(session: Session, keys: Keys, numbers: Sequence[str], person: Person, outcome: str, reason: str, *,
                seconds: float = 10.0, rules: Rules = RULES) -> Bulk:
    """Rule on several cases of one family at once, at most `BULK_MOST`; never a redaction.

    Cases that are not for this person, or that somebody else has, are left out and named. Raises `BadState` when they
    are no family, too many, or none is left.
    """
    raise NotImplementedError


def history(session: Session, number: str) -> list[Event]:
    """What happened to a case, oldest first: held, joined, looked at, revealed, claimed, ruled, undone, told, closed.

    Raises `NotFound`.
    """
    raise NotImplementedError


def incidents(session: Session, person: Person, *, state: str = "open") -> tuple[Incident, ...]:
    """Incidents within the person's reach, the newest first; `state` open or closed."""
    raise NotImplementedError


def close_incident(session: Session, number: str, person: Person, reason: str) -> Incident:
    """The incident is dealt with: the evidence hold ends and its case is back in the queue, to be decided.

    Raises `NotFound`, `NotAllowed`, `BadState` when it is closed already.
    """
    raise NotImplementedError
