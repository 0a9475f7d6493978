"""The embedded CRM's own queries: look up parties, write activities, list and show.

`upsert_activity` is safe to repeat and safe in parallel: one activity per item key, one tracker row per
person, one link per record. (Import from CSV: `store/crm_import.py`.)
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store.crm_tables import (
    Activity,
    ActivityLink,
    ActivityTracker,
    Attachment,
    Contact,
    Organisation,
    OrganisationDomain,
)
from store.database import begin_write, get_or_create
from store.errors import NotFound
from store.tables import OPEN_CASE, Case

_CHUNK = 400  # values in one IN (...); SQLite allows 32,766, older servers fewer


@dataclass(frozen=True, slots=True, repr=False)
class NewAttachment:
    """A file to keep with an activity; `number` counts from 1 within the mail."""

    number: int
    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True, repr=False)
class NewActivity:
    """A communication to write. `links` are (record kind, record id, how it was matched)."""

    item_key: str
    subject: str = ""
    body: str = ""
    message_id: str = ""
    sent: datetime | None = None
    participants: Sequence[dict[str, str]] = ()
    matched: str = "unmatched"
    reason: str = ""
    links: Sequence[tuple[str, str, str]] = ()
    attachments: Sequence[NewAttachment] = field(default=())
    type: str = "email"
    division: str = ""


def contacts_by_address(session: Session, emails: Collection[str]) -> dict[str, list[str]]:
    """Casefolded address -> ids of the contacts that have it."""
    found: dict[str, list[str]] = {}
    for chunk in _chunks(sorted(emails)):
        for email, ident in session.execute(columns(col(Contact.email_key), col(Contact.id)).where(
                col(Contact.email_key).in_(chunk)).order_by(col(Contact.id))):
            found.setdefault(email, []).append(ident)
    return found


def organisations_by_domain(session: Session, domains: Collection[str]) -> dict[str, list[str]]:
    """Domain -> ids of the organisations known by it."""
    found: dict[str, list[str]] = {}
    for chunk in _chunks(sorted(domains)):
        for domain, ident in session.execute(
                columns(col(OrganisationDomain.domain), col(OrganisationDomain.organisation_id)).where(
                    col(OrganisationDomain.domain).in_(chunk)).order_by(col(OrganisationDomain.organisation_id))):
            found.setdefault(domain, []).append(ident)
    return found


def is_there(session: Session, record: str, ident: str) -> bool:
    """Whether there is a record of this kind ("contact", "organisation") and id."""
    if record == "contact":
        return session.get(Contact, ident) is not None
    return record == "organisation" and session.get(Organisation, ident) is not None


def upsert_activity(session: Session, new: NewActivity, tracker: str) -> tuple[Activity, bool]:
    """Write the activity, or add the tracker and further records to the one there is.

    Returns the activity and whether it is new. What is there already is never overwritten: the first
    copy of a mail stays, and so does what a person changed since. Only the stub of a closed case is filled.
    """
    begin_write(session)

    def find() -> Activity | None:
        return session.scalars(select(Activity).where(Activity.item_key == new.item_key)).one_or_none()

    activity, made = get_or_create(session, find, lambda: Activity(
        item_key=new.item_key, type=new.type, matched=new.matched, reason=new.reason, division=new.division))
    if made or (activity.stub and not _open(session, activity.stub)):
        fill(session, activity, new)
    get_or_create(session, lambda: session.get(ActivityTracker, (activity.id, tracker)),
                  lambda: ActivityTracker(activity_id=activity.id, tracker=tracker))
    for record, record_id, how in new.links:
        _link(session, activity.id, record, record_id, how)
    if not made and activity.matched == "unmatched" and new.matched != "unmatched":
        activity.matched, activity.reason = new.matched, new.reason
    session.flush()
    return activity, made


def fill(session: Session, activity: Activity, new: NewActivity) -> None:
    """Give an activity its content, in the place of what it had."""
    activity.subject, activity.body = storable(new.subject), storable(new.body)
    activity.message_id, activity.sent, activity.stub = storable(new.message_id), new.sent, ""
    activity.participants = [{name: storable(value) for name, value in p.items()} for p in new.participants]
    session.execute(delete(Attachment).where(col(Attachment.activity_id) == activity.id))
    session.add_all(Attachment(activity_id=activity.id, number=a.number, name=storable(a.name),
                               content_type=a.content_type, size=len(a.content), content=a.content)
                    for a in new.attachments)
    activity.filled = version(content_of(activity, new.attachments))
    session.flush()


def content_of(activity: Activity, files: Sequence[NewAttachment]) -> bytes:
    """The content of an activity as canonical JSON (UTF-8, files in base64): the same bytes for the same content."""
    tree: dict[str, Any] = {"subject": activity.subject, "body": activity.body, "message_id": activity.message_id,
                            "participants": activity.participants}
    tree["attachments"] = [{"number": a.number, "name": storable(a.name), "content_type": a.content_type,
                            "content": base64.b64encode(a.content).decode("ascii")} for a in files]
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def version(content: bytes) -> str:
    """The SHA-256 of what `content_of` gave: it changes with the content, and for nothing else."""
    return hashlib.sha256(content).hexdigest()


def _open(session: Session, case: str) -> bool:
    """Whether the case an activity's content went to is still open."""
    found = session.scalars(select(Case.id).where(Case.number == case, col(Case.state).in_(OPEN_CASE)))
    return found.first() is not None


def storable(text: str) -> str:
    """Text every database takes: without NUL, and with half characters replaced."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def links_of(session: Session, activity_id: str) -> int:
    """To how many records an activity is linked."""
    return session.scalars(select(func.count()).select_from(ActivityLink).where(
        ActivityLink.activity_id == activity_id)).one()


# ------------------------------------------------------------------------------------------ list and show

LISTS = ("activities", "contacts", "organisations", "unmatched")
"""What `listed` can list."""


def listed(session: Session, kind: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Rows for `crm list`, newest activity first, records by name. Raises `NotFound` for another kind."""
    if kind in ("activities", "unmatched"):
        return _activities(session, limit, only_unmatched=kind == "unmatched")
    if kind == "contacts":
        rows = session.execute(
            columns(Contact, col(Organisation.name)).outerjoin(
                Organisation, col(Contact.organisation_id) == col(Organisation.id))
            .order_by(col(Contact.last_name), col(Contact.first_name), col(Contact.id)).limit(limit))
        return [{"id": c.id, "first_name": c.first_name, "last_name": c.last_name, "title": c.title,
                 "email": c.email, "phone": c.phone, "category": c.category, "organisation": name or "",
                 "division": c.division}
                for c, name in rows]
    if kind == "organisations":
        number = func.count(col(Contact.id))
        found = session.execute(
            columns(Organisation, number).outerjoin(Contact, col(Contact.organisation_id) == col(Organisation.id))
            .group_by(col(Organisation.id)).order_by(col(Organisation.name_key)).limit(limit))
        return [{"id": o.id, "name": o.name, "email": o.email, "phone": o.phone, "category": o.category,
                 "contacts": contacts} for o, contacts in found]
    raise NotFound(f"there are {', '.join(LISTS)}")


def _activities(session: Session, limit: int | None, *, only_unmatched: bool) -> list[dict[str, Any]]:
    trackers = columns(func.count()).where(
        col(ActivityTracker.activity_id) == col(Activity.id)).correlate(Activity).scalar_subquery()
    links = columns(func.count()).where(
        col(ActivityLink.activity_id) == col(Activity.id)).correlate(Activity).scalar_subquery()
    query = columns(col(Activity.id), col(Activity.type), col(Activity.sent), col(Activity.subject),
                    col(Activity.matched), col(Activity.reason), trackers, links)
    if only_unmatched:
        query = query.where(col(Activity.matched) == "unmatched")
    rows = session.execute(query.order_by(col(Activity.created).desc(), col(Activity.id)).limit(limit))
    return [{"id": i, "type": t, "sent": _iso(sent), "subject": subject, "matched": matched, "reason": reason,
             "trackers": tracked, "records": linked}
            for i, t, sent, subject, matched, reason, tracked, linked in rows]


def shown(session: Session, ident: str) -> dict[str, Any]:
    """Everything about one activity, contact or organisation (its id, or the beginning of it).

    Raises `NotFound` for none and for several.
    """
    activity = _one(session, Activity, ident)
    if isinstance(activity, Activity):
        return _show_activity(session, activity)
    contact = _one(session, Contact, ident)
    if isinstance(contact, Contact):
        organisation = session.get(Organisation, contact.organisation_id) if contact.organisation_id else None
        return {"kind": "contact", **_fields(contact, "email_key"),
                "organisation": organisation.name if organisation else "",
                "activities": _timeline(session, [contact.id])}
    found = _one(session, Organisation, ident)
    if isinstance(found, Organisation):
        people = session.scalars(select(Contact).where(Contact.organisation_id == found.id)
                                 .order_by(col(Contact.last_name), col(Contact.first_name))).all()
        domains = session.scalars(select(OrganisationDomain.domain).where(
            OrganisationDomain.organisation_id == found.id).order_by(OrganisationDomain.domain)).all()
        return {"kind": "organisation", **_fields(found, "name_key"), "domains": list(domains),
                "contacts": [{"id": p.id, "name": f"{p.first_name} {p.last_name}".strip(), "email": p.email,
                              "division": p.division}
                             for p in people],
                "activities": _timeline(session, [found.id, *(p.id for p in people)])}
    raise NotFound("no activity, contact or organisation with this id")


def _show_activity(session: Session, activity: Activity) -> dict[str, Any]:
    links = session.scalars(select(ActivityLink).where(ActivityLink.activity_id == activity.id)
                            .order_by(ActivityLink.record, ActivityLink.record_id)).all()
    trackers = session.scalars(select(ActivityTracker.tracker).where(
        ActivityTracker.activity_id == activity.id).order_by(ActivityTracker.tracker)).all()
    files = session.execute(
        columns(col(Attachment.number), col(Attachment.name), col(Attachment.content_type), col(Attachment.size))
        .where(col(Attachment.activity_id) == activity.id).order_by(col(Attachment.number)))
    return {"kind": "activity", **_fields(activity, "filled"), "trackers": list(trackers),
            "records": [{"record": link.record, "id": link.record_id, "how": link.how} for link in links],
            "attachments": [{"number": n, "name": name, "content_type": kind, "size": size}
                            for n, name, kind, size in files]}


def _timeline(session: Session, record_ids: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for chunk in _chunks(list(record_ids)):
        rows = session.execute(
            columns(col(Activity.id), col(Activity.type), col(Activity.sent), col(Activity.subject))
            .join(ActivityLink, col(ActivityLink.activity_id) == col(Activity.id))
            .where(col(ActivityLink.record_id).in_(chunk)))
        for ident, kind, sent, subject in rows:
            found[ident] = {"id": ident, "type": kind, "sent": _iso(sent), "subject": subject}
    return sorted(found.values(), key=lambda row: (row["sent"], row["id"]), reverse=True)


def _one(session: Session, table: type[Activity | Contact | Organisation], ident: str) -> object | None:
    if len(ident) < 4:
        return None
    ids = col(table.id)
    rows = session.scalars(select(table).where(or_(ids == ident, ids.startswith(ident, autoescape=True)))
                           .limit(2)).all()
    if len(rows) > 1:
        raise NotFound("several records begin with this id; give more of it")
    return rows[0] if rows else None


def _fields(row: Activity | Contact | Organisation, *hidden: str) -> dict[str, Any]:
    return {name: _iso(value) if value is None or isinstance(value, datetime) else value
            for name, value in row.model_dump().items() if name not in hidden and name != "organisation_id"}


def _link(session: Session, activity_id: str, record: str, record_id: str, how: str) -> None:
    get_or_create(session, lambda: session.get(ActivityLink, (activity_id, record, record_id)),
                  lambda: ActivityLink(activity_id=activity_id, record=record, record_id=record_id, how=how))


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start:start + _CHUNK]
