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

from typing import TypeAlias

from store.access import Person
from store.desk_history import close_incident, history, incident_of, incidents
from store.desk_queue import family, party, queue, ranked, row, somebody_reviews, thing, within
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
from store.rulings import claim, pending, propose, propose_all, second, second_all, unclaim, undo

Viewer: TypeAlias = Person

__all__ = ["BULK_MOST", "RULES", "Bulk", "Event", "Family", "Filing", "Incident", "Member", "Outcome", "QueuePage",
           "QueueRow", "Redaction", "Rules", "Ruling", "RulingState", "Tab", "Viewer", "claim", "close_incident",
           "family", "history", "incident_of", "incidents", "party", "pending", "propose", "propose_all", "queue",
           "ranked", "row", "second", "second_all", "somebody_reviews", "thing", "unclaim", "undo", "within"]
