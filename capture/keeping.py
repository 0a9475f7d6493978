"""What people do with records of the CRM at the terminal: merge, forget, reassign, look at, see gaps.

A record is named KIND:ID; the beginning of an id will do where only one begins like it.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy.orm import Session
from sqlmodel import col, select

from capture import coordinating, signature
from capture.acting import UnknownActor, person_of
from capture.choosing import activity_of, who_is
from capture.errors import BadInput
from capture.matching import domain_of
from capture.settings import Settings
from capture.wiring import build_scanner, opened
from store import audit, crm_access, crm_gaps, crm_merge, crm_purge, crm_suppression, crm_work, people, reads
from store.access import Action
from store.crm_access import must
from store.crm_fields import FIELDS, NOT_SHARED, TABLES
from store.errors import NotFound

LISTED: Final = {"opportunities": "opportunity", "projects": "project", "events": "event", "issues": "issue",
                 "documents": "document"}
"""What `crm list` lists beside activities, organisations and contacts -> its kind."""
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LINE: Final = ("title", "name", "number", "stage", "status", "priority", "starts", "division", "owner")
MOST: Final = 1000


def listed(settings: Settings, kinds: str, *, actor: str = "") -> list[dict[str, Any]]:
    """Records of one of `LISTED`, by name; business of other divisions is left out. Audited."""
    kind = LISTED[kinds]
    table, names = TABLES[kind], [name for name in _LINE if name in FIELDS[kind] or name in ("division", "owner")]
    with opened(settings) as (database, _), database.session() as session:
        audit.lock(session)  # before the reading: see `capture.desk.list_crm`
        who = who_is(session, settings, actor)
        must(who, Action.RECORD_LIST)
        query = select(col(table.id), *(getattr(table, name) for name in names))
        if kind in NOT_SHARED and not who.sight.everything:
            query = query.where(table.division.in_(["", *sorted(who.sight.divisions)]) | (table.owner == who.actor))
        rows = [dict(zip(("id", *names), row, strict=True)) for row in session.execute(
            query.order_by(getattr(table, names[0]), table.id).limit(MOST))]
        reads.listed(session, actor=who.actor, kind=kinds, ids=[row["id"] for row in rows])
        return rows


def show(settings: Settings, record: str, *, actor: str = "") -> dict[str, Any]:
    """One record with its relations; what is hidden from another division is None. Audited."""
    with opened(settings) as (database, _), database.session() as session:
        kind, ident = _record(session, record)
        return crm_work.read(session, who_is(session, settings, actor), kind, ident)


def propose(settings: Settings, activity: str, *, actor: str = "") -> dict[str, str]:
    """The contact that the signature of an unmatched mail would make; nothing is written. Audited as a reading.

    Raises `NotAllowed` for the mail of another division, `NotFound`.
    """
    with opened(settings) as (database, _), database.session() as session:
        audit.lock(session)
        who = who_is(session, settings, actor)
        row = crm_access.activity(session, activity_of(session, activity))
        must(who, Action.RECORD_CHANGE, crm_access.thing_of(session, who, row))
        audit.append(session, "crm:record:read", actor=who.actor, subject=row.id, body={"kind": "activity"})
        sender = next((p for p in row.participants if p.get("role") == "from"), {})
        own = settings.scan.own_domains
        if not sender or domain_of(sender.get("email", "")) in own:
            return {}
        return signature.proposed(sender.get("name", ""), sender.get("email", ""), row.body)


def merge(settings: Settings, kept: str, gone: str, *, actor: str = "") -> str:
    """Let one record stand for both."""
    with opened(settings) as (database, _), database.session() as session:
        who = who_is(session, settings, actor)
        (kind, stays), (other, goes) = _record(session, kept), _record(session, gone)
        if kind != other:
            raise BadInput("two contacts or two organisations are merged")
        made = crm_merge.merge(session, who, kind, stays, goes)
        return f"{kind} {stays[:12]} stands for both; `mailweir crm unmerge {made}` takes them apart"


def unmerge(settings: Settings, merge_id: str, *, actor: str = "") -> str:
    """Take two records apart again."""
    with opened(settings) as (database, _), database.session() as session:
        crm_merge.unmerge(session, who_is(session, settings, actor), merge_id)
        return "apart again"


def ask_to_forget(settings: Settings, contact: str, medium: str, *, actor: str = "") -> str:
    """Write that a contact asked to be forgotten; the owner is told."""
    if medium not in crm_suppression.MEDIA:
        raise BadInput(f"a medium is one of {', '.join(crm_suppression.MEDIA)}")
    with opened(settings) as (database, _):
        with database.reading() as session:
            who, ident = who_is(session, settings, actor), _of_kind(session, contact, "contact")
        request = coordinating.asked_to_be_forgotten(database, who, ident, medium)
        return f"request {request.id}: whoever owns contact {ident[:12]} has until {request.due:%Y-%m-%d} to purge it"


def requests(settings: Settings, *, actor: str = "") -> list[dict[str, Any]]:
    """Open requests to be forgotten, the oldest first, with their age in days."""
    with opened(settings) as (database, _), database.session() as session:
        return crm_suppression.open_requests(session, who_is(session, settings, actor))


def forget(settings: Settings, contact: str, *, reason: str, actor: str = "") -> str:
    """Destroy a contact with everything of it and keep its addresses out; a receipt stays."""
    _check_code(reason)
    with opened(settings) as (database, keys):
        with database.session() as session:
            receipt = crm_suppression.purge_contact(
                session, who_is(session, settings, actor), _of_kind(session, contact, "contact"),
                crm_suppression.digest_with(keys), reason=reason)
        database.scrub()
        counts = ", ".join(f"{count} {name}" for name, count in receipt.counts.items())
        return f"purged ({counts}); receipt {receipt.id}"


def purge_document(settings: Settings, document: str, *, reason: str, actor: str = "") -> str:
    """Destroy a document with everything of it; a receipt stays."""
    _check_code(reason)
    with opened(settings) as (database, _):
        with database.session() as session:
            receipt = crm_purge.purge_document(session, who_is(session, settings, actor),
                                               _of_kind(session, document, "document"), reason=reason)
        database.scrub()
        counts = ", ".join(f"{count} {name}" for name, count in receipt.counts.items())
        return f"purged ({counts}); receipt {receipt.id}"


def suppress(settings: Settings, address: str, *, reason: str, actor: str = "") -> str:
    """Keep an address out of the CRM from now on; only its keyed hash is kept."""
    _check_code(reason)
    if "@" not in address:
        raise BadInput("this is no address")
    with opened(settings) as (database, keys), database.session() as session:
        crm_suppression.suppress(session, who_is(session, settings, actor), address, crm_suppression.digest_with(keys),
                                 reason=reason)
        return "nobody with this address is made a contact or lead from now on"


def ask_owner(settings: Settings, record: str, question: str, *, actor: str) -> str:
    """Put a question about a record to whoever answers for it."""
    with opened(settings) as (database, _):
        with database.reading() as session:
            who = who_is(session, settings, actor)
            if who.person is None:
                raise UnknownActor
            kind, ident = _record(session, record)
        task = coordinating.ask_owner(database, build_scanner(settings), who, kind, ident, question)
        return f"asked; the question is task {task[:12]} of the record"


def reassign(settings: Settings, leaver: str, to: str, *, actor: str = "") -> str:
    """Give everything somebody owns, and what they were asked to do, to somebody else."""
    with opened(settings) as (database, _), database.session() as session:
        who = who_is(session, settings, actor)
        old, new = _person(session, leaver), _person(session, to)
        moved = crm_work.reassign(session, who, old, new)
        return f"{moved} record{'' if moved == 1 else 's'} reassigned"


def gaps(settings: Settings, *, everything: bool = False, actor: str = "") -> list[dict[str, Any]]:
    """Where nobody is known or was reached for an open issue, or every region and issue."""
    with opened(settings) as (database, _), database.session() as session:
        return crm_gaps.gaps(session, who_is(session, settings, actor), everything=everything)


# ------------------------------------------------------------------------------------------------------ inside

def _record(session: Session, named: str) -> tuple[str, str]:
    kind, colon, beginning = named.partition(":")
    if not colon or kind not in TABLES or not beginning:
        raise BadInput(f"a record is named KIND:ID; kinds are {', '.join(sorted(TABLES))}")
    table = TABLES[kind]
    if session.get(table, beginning) is not None:
        return kind, beginning
    found = session.scalars(select(table.id).where(
        table.id.startswith(beginning, autoescape=True)).limit(2)).all() if len(beginning) > 3 else []
    if len(found) != 1:
        raise NotFound(f"no one {kind} begins with this id")
    return kind, str(found[0])


def _of_kind(session: Session, named: str, kind: str) -> str:
    found, ident = _record(session, named if ":" in named else f"{kind}:{named}")
    if found != kind:
        raise BadInput(f"this is no {kind}")
    return ident


def _person(session: Session, named: str) -> str:
    """The id of a person, also of one who left."""
    row = people.by_address(session, named) if "@" in named else None
    person = person_of(session, named)
    if row is None and person is None:
        raise NotFound("person")
    return row.id if row is not None else person.id if person is not None else ""


def _check_code(reason: str) -> None:
    if not _CODE.fullmatch(reason):
        raise BadInput("a reason is a short code: asked, not-business")
