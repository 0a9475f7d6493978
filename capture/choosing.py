"""What people decide about linked items at the terminal: which record, tracked or not, destroyed or not."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.orm import Session
from sqlmodel import col, select

from capture.acting import UnknownActor, person_of, somebody_administers
from capture.auditing import actor_name
from capture.errors import BadInput
from capture.matching import REASONS
from capture.mine import mailboxes_of
from capture.settings import Settings
from capture.wiring import opened
from store import audit, crm_access, crm_choices, crm_never, reads
from store.crm_access import Who
from store.crm_matching import KINDS
from store.crm_tables import Activity
from store.errors import NotFound

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def who_is(session: Session, settings: Settings, named: str) -> Who:
    """Who acts: a person of the register with their mailboxes, or the operator of the machine.

    Raises `UnknownActor` for a name the register does not know, once somebody administers.
    """
    person = person_of(session, named)
    if person is not None:
        return Who(person.id, person, mailboxes_of(person.addresses, settings))
    if named and somebody_administers(session):
        raise UnknownActor
    return Who(actor_name(named))


def waiting(settings: Settings, *, actor: str = "") -> list[dict[str, Any]]:
    """What somebody is asked and suggested, one line for each record: activity, subject, record, title, reason in
    words. `question` numbers the either-ors of an activity, "" for what may be confirmed by itself."""
    with _acting(settings, actor) as (session, who):
        audit.lock(session)  # before the reading: a rescan that pulls one of them out now names this reader
        found = crm_choices.waiting(session, who)
        reads.listed(session, actor=who.actor, kind="activities", ids=[entry["activity"] for entry in found])
        rows: list[dict[str, Any]] = []
        for entry in found:
            asked = [(str(n), line) for n, question in enumerate(entry["questions"], 1) for line in question]
            for number, line in (*asked, *(("", line) for line in entry["suggestions"])):
                rows.append({"activity": entry["activity"], "sent": entry["sent"], "subject": entry["subject"],
                             "question": number, "record": f"{line['record']}:{line['id']}", "title": line["title"],
                             "reason": line["reason"], "why": REASONS[line["reason"]]})
        return rows


def confirm(settings: Settings, activity: str, record: str, *, role: str = "", actor: str = "") -> str:
    """Link an activity to a record by hand."""
    kind, ident = record_named(record)
    with _acting(settings, actor) as (session, who):
        found = activity_of(session, activity)
        crm_choices.confirm(session, who, found, kind, ident, role)
        return f"{found[:12]} linked to {kind} {ident[:12]}"


def dismiss(settings: Settings, activity: str, record: str, *, actor: str = "") -> str:
    """Say that an activity does not belong to a suggested record."""
    kind, ident = record_named(record)
    with _acting(settings, actor) as (session, who):
        found = activity_of(session, activity)
        crm_choices.dismiss(session, who, found, kind, ident)
        return f"{kind} {ident[:12]} is not suggested for {found[:12]} again"


def unlink(settings: Settings, activity: str, record: str = "", *, actor: str = "") -> str:
    """Take one link off, or all of them; the activity stays."""
    kind, ident = record_named(record) if record else ("", "")
    with _acting(settings, actor) as (session, who):
        found = activity_of(session, activity)
        left = crm_choices.unlink(session, who, found, kind, ident)
        return (f"unlinked; {found[:12]} stays, with {_many(left.records, 'record')} and "
                f"{_many(left.trackers, 'tracker')}")


def untrack(settings: Settings, activity: str, mailbox: str = "", *, undo: bool = False, actor: str = "") -> str:
    """Take a mailbox off those that track an activity, or put it back."""
    with _acting(settings, actor) as (session, who):
        found = activity_of(session, activity)
        named = mailbox or next(iter(sorted(who.mailboxes & set(crm_access.trackers_of(session, found)))), "")
        if not named:
            raise BadInput("name the mailbox with --mailbox")
        left = (crm_choices.track_again if undo else crm_choices.untrack)(session, who, found, named)
    said = f"{found[:12]} is in the CRM, with {_many(left.records, 'record')} and {_many(left.trackers, 'tracker')}"
    if undo:
        return f"tracked again; {said}"
    return f"untracked; {said}" + ("" if left.trackers else ": nobody tracks it, so unlink or purge it, or leave it")


def purge(settings: Settings, activity: str, *, reason: str, actor: str = "") -> str:
    """Destroy an activity with everything of it; a receipt stays."""
    if not _CODE.fullmatch(reason):
        raise BadInput("a reason is a short code: not-business, asked-by-subject")
    with opened(settings) as (database, _):
        with database.session() as session:
            receipt = crm_choices.purge(session, who_is(session, settings, actor), activity_of(session, activity),
                                        reason=reason)
        database.scrub()
        counts = ", ".join(f"{count} {name}" for name, count in receipt.counts.items())
        return f"purged ({counts}); receipt {receipt.id}"


def never_list(settings: Settings, *, actor: str = "") -> list[dict[str, Any]]:
    """The never-track lists somebody may read."""
    with _acting(settings, actor) as (session, who):
        return crm_never.listed(session, who)


def never_change(settings: Settings, pattern: str, *, own: str = "", mailbox: bool = False, remove: bool = False,
                 actor: str = "") -> str:
    """Put an entry on a never-track list, or take it off."""
    kind = "mailbox" if mailbox else "party"
    with _acting(settings, actor) as (session, who):
        (crm_never.remove if remove else crm_never.add)(session, who, pattern, tracker=own, kind=kind)
    return "taken off the list" if remove else "on the list: nothing of it is linked by rule from now on"


@contextmanager
def _acting(settings: Settings, actor: str) -> Iterator[tuple[Session, Who]]:
    with opened(settings) as (database, _), database.session() as session:
        yield session, who_is(session, settings, actor)


def activity_of(session: Session, beginning: str) -> str:
    """The id of the activity that begins like this. Raises `NotFound` for none and for several."""
    found = session.scalars(select(Activity.id).where(
        col(Activity.id).startswith(beginning, autoescape=True)).limit(2)).all() if len(beginning) > 3 else []
    if len(found) != 1:
        raise NotFound("no one activity begins with this id")
    return found[0]


def record_named(text: str, kinds: Collection[str] = KINDS) -> tuple[str, str]:
    """The kind and id of a record that is named KIND:ID. Raises `BadInput`."""
    kind, colon, ident = text.partition(":")
    if not colon or kind not in kinds or not ident:
        raise BadInput(f"a record is named KIND:ID; kinds are {', '.join(sorted(kinds))}")
    return kind, ident


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
