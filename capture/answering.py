"""What people are asked about items in a CRM that is not ours, and their answers (`capture.choosing` for ours).

The ids are read first, the reading is committed to the audit, then the words are fetched: whoever pulls an item out
meanwhile finds the reader named. An answer is in the audit once the CRM took it; given again, it is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from capture.choosing import record_named, who_is
from capture.errors import BadInput
from capture.matching import REASONS
from capture.ports import Asks
from capture.settings import Settings
from capture.wiring import build_crm, opened
from store import audit, reads
from store.access import Action, Thing
from store.crm_access import Who, must
from store.database import Database
from store.errors import NotFound

MOST: Final = 200
KINDS: Final = ("contact", "organisation", "lead", "opportunity")
ROLES: Final = ("", "party", "regarding")


@dataclass(frozen=True, slots=True, repr=False)
class _At:
    database: Database
    crm: Asks
    who: Who

    @property
    def mailboxes(self) -> frozenset[str] | None:
        """Whose questions: one's own; the operator of the machine sees everybody's."""
        return self.who.mailboxes if self.who.person is not None else None


def waiting(settings: Settings, *, actor: str = "") -> list[dict[str, Any]]:
    """What somebody is asked and suggested, one line for each record, as `capture.choosing.waiting` has it."""
    with _asking(settings, actor) as at:
        must(at.who, Action.RECORD_LIST)
        asked = at.crm.asked(at.mailboxes, MOST)
        with at.database.session() as session:
            reads.listed(session, actor=at.who.actor, kind="activities", ids=list(dict.fromkeys(
                one.activity for one in asked)))
        return [{"activity": one.asked.activity, "sent": one.sent, "subject": one.subject,
                 "question": one.asked.question, "record": f"{one.asked.kind}:{one.asked.ident}",
                 "title": one.record.name, "reason": one.asked.reason, "why": REASONS[one.asked.reason]}
                for one in at.crm.in_words(asked) if one.asked.reason in REASONS]


def confirm(settings: Settings, activity: str, record: str, *, role: str = "", actor: str = "") -> str:
    """Link an activity to a record by hand."""
    if role not in ROLES:
        raise BadInput("a role is party or regarding")
    found, kind, ident = _answered(settings, activity, record, link=True, role=role, actor=actor)
    return f"{found} linked to {kind} {ident[:12]}"


def dismiss(settings: Settings, activity: str, record: str, *, actor: str = "") -> str:
    """Say that an activity does not belong to a suggested record."""
    found, kind, ident = _answered(settings, activity, record, link=False, role="", actor=actor)
    return f"{kind} {ident[:12]} is not suggested for {found} again"


def _answered(settings: Settings, activity: str, record: str, *, link: bool, role: str,
              actor: str) -> tuple[str, str, str]:
    kind, ident = record_named(record, KINDS)
    with _asking(settings, actor) as at:
        found, tracker, who = _whose(at, activity)
        at.crm.answer(found, tracker, (kind, ident), link=link, who=who, role=role)
        with at.database.session() as session:
            body: dict[str, audit.Fact] = {"record": f"{kind}:{ident}"}
            body |= {"role": role or "regarding"} if link else {}
            audit.append(session, f"crm:link:{'confirmed' if link else 'dismissed'}", actor=at.who.actor,
                         subject=found, body=body)
        return found, kind, ident


def _whose(at: _At, activity: str) -> tuple[str, str, str]:
    """The activity that begins so, the mailbox whose question it is, and with whose rights the record is looked at:
    those of the mailbox for its owner and the operator, else those of the person who decides. Raises `NotAllowed`."""
    found = activity
    if len(activity) < 40:  # the beginning of one that waits
        fits = {one.activity for one in at.crm.asked(at.mailboxes, MOST) if one.activity.startswith(activity)}
        if len(fits) != 1 or len(activity) < 4:
            raise NotFound("no one activity begins with this id")
        [found] = fits
    division, trackers = at.crm.whose(found)
    person = at.who.person
    boxes = {name.casefold() for name in at.who.mailboxes}
    mine = [name for name in trackers if name.casefold() in boxes]
    must(at.who, Action.RECORD_CHANGE, Thing(division=division, owner=person.id if mine and person is not None else ""))
    if not trackers:
        raise NotFound("tracker")
    tracker = (mine or list(trackers))[0]
    rights = tracker if mine or person is None else next(iter(sorted(person.addresses)), tracker)
    return found, tracker, rights


@contextmanager
def _asking(settings: Settings, actor: str) -> Iterator[_At]:
    """The CRM and who acts. Raises `BadInput` for a CRM that keeps no questions."""
    with opened(settings) as (database, _):
        with database.session() as session:
            who = who_is(session, settings, actor)
        crm = build_crm(settings, database)
        try:
            if not isinstance(crm, Asks):
                raise BadInput("this CRM keeps no questions")
            yield _At(database, crm, who)
        finally:
            crm.close()
