"""The pane and the CRM's records: where an item could belong, what was picked, what is still asked, untracking.

Whoever asks sees what they may see in the CRM, whosever mailbox it is: a delegate is shown nothing of the director's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlmodel import Session

from capture import pane, trimming
from capture.mine import mailboxes_of
from capture.pane import Named, Stored
from capture.ports import Asks, Offers, Record
from capture.wiring import Tools
from store import audit, crm_choices, crm_named, people, reads, watch
from store.access import Action, Person, Thing
from store.crm_access import Who, must, trackers_of
from store.crm_choices import Left
from store.crm_tables import Activity
from store.errors import BadState, NotFound
from store.tables import Capture

EMBEDDED: Final = "embedded"
MOST_FOUND: Final = 20


@dataclass(frozen=True, slots=True)
class Attached:
    """An attachment of the mail itself, by its number: it may be left out."""

    number: int
    stored: Stored


def who_is(tools: Tools, person: Person) -> Who:
    """Who acts on the CRM."""
    return Who(person.id, person, mailboxes_of(person.addresses, tools.settings))


def suggestions(tools: Tools, item: Named, person: Person) -> tuple[Offers, tuple[Attached, ...]]:
    """What matching would link and suggests, and the attachments. Raises as `pane.check` does."""
    mail = pane.fetched(tools, item)
    extraction = pane.extracted(tools, mail)
    offers = tools.crm.suggest(item.mailbox, mail, extraction.envelope, who=_address(tools, person))
    with tools.database.session() as session:
        reads.listed(session, actor=person.id, kind="suggestions", ids=[one.record.id for one in offers.found],
                     action="crm:records:searched")
    sizes = {part.place: part.size for part in extraction.parts}
    return offers, tuple(Attached(number, Stored(place, sizes[place], "bytes"))
                         for number, place in sorted(trimming.attachments_of(extraction).items()))


def search(tools: Tools, text: str, person: Person) -> tuple[Sequence[Record], int]:
    """Records of this name or address that somebody may see, and how many of ours they may not."""
    found = tools.crm.find(text, who=_address(tools, person), limit=MOST_FOUND)
    with tools.database.session() as session:
        beyond = crm_named.beyond_text(session, text, who_is(tools, person).sight, MOST_FOUND)
        reads.listed(session, actor=person.id, kind="pane", ids=[one.id for one in found],
                     action="crm:records:searched")
    return found, beyond


def note(tools: Tools, session: Session, capture: str, records: Sequence[str], numbers: Sequence[int],
         person: Person) -> None:
    """Keep what was picked ("contact:ID") and left out before the item is worked on. Raises `NotFound`, `BadState`."""
    who, elsewhere = who_is(tools, person), tools.settings.crm.kind != EMBEDDED
    picked = [(kind, ident.replace("-", "") if elsewhere else ident)
              for kind, _, ident in (one.partition(":") for one in records)]
    crm_choices.choose(session, capture, picked, who, elsewhere=elsewhere)
    crm_choices.leave_out(session, capture, numbers, who)


def questions(session: Session, who: Who, activity: str) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """What somebody is asked and suggested about an activity: either-ors, and single records. Audited as a reading."""
    audit.lock(session)  # before the reading: a rescan that pulls it out now names this reader
    found = crm_choices.waiting(session, who, about=activity)
    reads.listed(session, actor=who.actor, kind="activities", ids=[entry["activity"] for entry in found])
    return (found[0]["questions"], found[0]["suggestions"]) if found else ([], [])


def decide(session: Session, who: Who, activity: str, act: str, record: str) -> None:
    """Link an activity to a record by hand ("link"), say that it is not this one ("dismiss"), take the link off
    ("unlink"). Raises `NotAllowed`, `NotFound`."""
    kind, _, ident = record.partition(":")
    if act == "link":
        crm_choices.confirm(session, who, activity, kind, ident)
    elif act == "dismiss":
        crm_choices.dismiss(session, who, activity, kind, ident)
    else:
        crm_choices.unlink(session, who, activity, kind, ident)


def questions_elsewhere(tools: Tools, who: Who, row: Capture
                        ) -> tuple[list[list[dict[str, Any]]], list[dict[str, Any]]]:
    """The same in a CRM that is not ours, for the mailbox the item was tracked in. The reading is in the audit before
    the words are fetched. Raises `NotFound` where nothing is asked, or it is another's mailbox."""
    crm = _asks(tools, who, row)
    must(who, Action.RECORD_LIST)
    asked = crm.asked([row.mailbox], about=row.activity)
    with tools.database.session() as session:
        reads.listed(session, actor=who.actor, kind="activities", ids=[row.activity] if asked else [])
    either: dict[str, list[dict[str, Any]]] = {}
    alone: list[dict[str, Any]] = []
    for one in crm.in_words(asked):
        line = {"record": one.asked.kind, "id": one.asked.ident, "title": one.record.name, "reason": one.asked.reason}
        (either.setdefault(one.asked.question, []) if one.asked.question else alone).append(line)
    return list(either.values()), alone


def decide_elsewhere(tools: Tools, who: Who, row: Capture, act: str, record: str) -> None:
    """Link or dismiss in a CRM that is not ours. Raises `NotFound`, `NotAllowed`, `BadState` for taking a link off:
    that is done there."""
    crm = _asks(tools, who, row)
    must(who, Action.RECORD_CHANGE, Thing(owner=who.person.id if who.person is not None else ""))
    if act == "unlink":
        raise BadState("links are taken off in the CRM itself")
    kind, _, ident = record.partition(":")
    crm.answer(row.activity, row.mailbox, (kind, ident), link=act == "link", who=row.mailbox)
    with tools.database.session() as session:
        body: dict[str, audit.Fact] = {"record": record}
        body |= {"role": "regarding"} if act == "link" else {}
        audit.append(session, f"crm:link:{'confirmed' if act == 'link' else 'dismissed'}", actor=who.actor,
                     subject=row.activity, body=body)


def asks_elsewhere(tools: Tools, who: Who, row: Capture) -> bool:
    """Whether somebody can be asked about an item in a CRM that is not ours: with their own mailbox."""
    return isinstance(tools.crm, Asks) and bool(row.activity) and row.mailbox in who.mailboxes


def _asks(tools: Tools, who: Who, row: Capture) -> Asks:
    if not isinstance(tools.crm, Asks) or not asks_elsewhere(tools, who, row) or row.outcome != "link":
        raise NotFound("activity")
    return tools.crm


def is_ours(session: Session, activity: str) -> bool:
    """Whether an activity stands in our own tables: there it is untracked at once, elsewhere an operator does it."""
    return bool(activity) and session.get(Activity, activity) is not None


def left_to_others(session: Session, row: Capture) -> int:
    """How many other mailboxes track what a capture became."""
    return len(set(trackers_of(session, row.activity)) - {row.mailbox})


def untrack(session: Session, who: Who, row: Capture) -> Left | None:
    """Take the mailbox off those that track the item, and return what stays; None when the CRM is not ours: then an
    operator is asked. Raises `NotAllowed`, `NotFound`."""
    if is_ours(session, row.activity):
        return crm_choices.untrack(session, who, row.activity, row.mailbox)
    watch.ask_untrack(session, row, actor=who.actor)
    return None


def _address(tools: Tools, person: Person) -> str:
    with tools.database.reading() as session:
        return people.get(session, person.id).address
