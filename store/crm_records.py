"""The embedded CRM's own queries: write activities, list and show.

`upsert_activity` is safe to repeat and safe in parallel: one activity per item key, one tracker row per
person, one link per record. (What matching looks up: `store/crm_matching.py`; import: `store/crm_import.py`.)

Another copy of a mail, with other content under the same Message-ID, is kept beside the first as its variant: an
activity of its own that stands on no list and no timeline, is read by every rescan, and goes with the first. An
appointment or task that the same person tags again was changed in Outlook: its activity gets the new content, unless
somebody changed it in the CRM meanwhile; then it is a variant too.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, update
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, crm_find
from store.columns import now
from store.crm_matching import KINDS, standing
from store.crm_tables import (
    Activity,
    ActivityLink,
    ActivitySuggestion,
    ActivityTracker,
    Attachment,
    Contact,
    Organisation,
    OrganisationDomain,
)
from store.database import begin_write, get_or_create
from store.errors import NotFound
from store.identity import thread_key
from store.tables import OPEN_CASE, Case, Row

SERVICE = "mailweir"
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
    """A communication to write. `links` are (record kind, record id, how it was matched, role); `suggestions` (record
    kind, record id, role, reason, confidence, question)."""

    item_key: str
    subject: str = ""
    body: str = ""
    message_id: str = ""
    sent: datetime | None = None
    participants: Sequence[dict[str, str]] = ()
    matched: str = "unmatched"
    reason: str = ""
    links: Sequence[tuple[str, str, str, str]] = ()
    suggestions: Sequence[tuple[str, str, str, str, int, str]] = ()
    conversation: str = ""
    attachments: Sequence[NewAttachment] = field(default=())
    type: str = "email"
    division: str = ""
    starts: datetime | None = None
    ends: datetime | None = None
    due: datetime | None = None


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
    """Whether there is a record of this kind ("contact", "organisation", "opportunity", ...) and id."""
    table = KINDS.get(record)
    return table is not None and session.get(table, ident) is not None


def upsert_activity(session: Session, new: NewActivity, tracker: str) -> tuple[Activity, bool]:
    """Write the activity, or add the tracker, further records and what is suggested to the one there is.

    Returns the activity and whether it is new. What a person changed since is never overwritten; what becomes of
    another content: see the top of this module. The stub of a closed case is filled.
    """
    begin_write(session)
    activity, made = _activity(session, new, new.item_key)
    known = session.get(ActivityTracker, (activity.id, tracker)) is not None
    if made or (activity.stub and not _open(session, activity.stub)):
        fill(session, activity, new)
    elif not activity.stub and copy_key(new) != _copy_of(session, activity):
        if known and new.type in ("appointment", "task") and _unchanged(session, activity):
            fill(session, activity, new)
            audit.append(session, "crm:activity:updated", actor=SERVICE, subject=activity.id, body={
                "files": len(new.attachments)})
        else:
            _variant(session, activity, new, tracker)
    _track(session, activity.id, tracker)
    links, suggestions = _standing(session, new)
    for record, record_id, how, role in links:
        _link(session, activity.id, record, record_id, how, role)
    _suggest(session, activity.id, tracker, suggestions)
    if new.links and not links:
        if made:
            activity.matched, activity.reason = "unmatched", "no-record"
    elif not made and activity.matched == "unmatched" and new.matched != "unmatched":
        activity.matched, activity.reason = new.matched, new.reason
    if new.conversation and not activity.conversation:
        activity.conversation = new.conversation
    touch(session, links, new.sent or activity.created)
    session.flush()
    return activity, made


def fill(session: Session, activity: Activity, new: NewActivity) -> None:
    """Give an activity its content, in the place of what it had."""
    activity.subject, activity.body = storable(new.subject), storable(new.body)
    activity.message_id, activity.sent, activity.stub = storable(new.message_id), new.sent, ""
    activity.participants = [{name: storable(value) for name, value in p.items()} for p in new.participants]
    if new.starts or new.ends or new.due:
        activity.starts, activity.ends, activity.due = new.starts, new.ends, new.due
    activity.message_key, activity.copy_key = thread_key(activity.message_id), copy_key(new)
    session.execute(delete(Attachment).where(col(Attachment.activity_id) == activity.id))
    session.add_all(Attachment(activity_id=activity.id, number=a.number, name=storable(a.name),
                               content_type=a.content_type, size=len(a.content), content=a.content)
                    for a in new.attachments)
    activity.filled = version(content_of(activity, new.attachments))
    session.flush()
    if not activity.variant_of:
        crm_find.index(session, "activity", activity.id, [activity.subject])


def copy_key(new: NewActivity) -> str:
    """The hash of what makes two copies of one mail the same: sender, subject, text, files. Not the recipients: the
    sender's copy names those that others do not see."""
    mac = hashlib.sha256()
    senders = sorted(storable(p.get("email", "")) for p in new.participants if p.get("role") in ("from", "organizer"))
    for text in (*senders, "", storable(new.subject), " ".join(storable(new.body).split())):
        mac.update(text.encode() + b"\0")
    for file in new.attachments:
        mac.update(storable(file.name).encode() + b"\0" + hashlib.sha256(file.content).digest())
    return mac.hexdigest()


def files_of(session: Session, activity_id: str) -> tuple[NewAttachment, ...]:
    """The files of an activity, in order."""
    rows = session.execute(
        columns(col(Attachment.number), col(Attachment.name), col(Attachment.content_type), col(Attachment.content))
        .where(col(Attachment.activity_id) == activity_id).order_by(col(Attachment.number)))
    return tuple(NewAttachment(number, name, kind, content) for number, name, kind, content in rows)


def touch(session: Session, links: Sequence[tuple[str, str, str, str]], moment: datetime) -> None:
    """Note the latest contact on the records of these links, and on the organisations of linked contacts."""
    moment = min(moment, now())
    wanted = {(record, ident) for record, ident, _, _ in links}
    people = [ident for record, ident in wanted if record == "contact"]
    if people:
        wanted |= {("organisation", employer) for employer in session.scalars(select(Contact.organisation_id).where(
            col(Contact.id).in_(people), col(Contact.organisation_id).is_not(None))) if employer}
    for record, ident in sorted(wanted):  # in one order, so that two workers do not wait for each other
        table: Any = KINDS.get(record)
        if table is not None and hasattr(table, "last_contact_at"):
            last = col(table.last_contact_at)
            session.execute(update(table).where(col(table.id) == ident, or_(last.is_(None), last < moment))
                            .values(last_contact_at=moment).execution_options(synchronize_session=False))


def _standing(session: Session, new: NewActivity) -> tuple[list[tuple[str, str, str, str]],
                                                           list[tuple[str, str, str, str, int, str]]]:
    """The links and suggestions of a communication as their records stand now: one that was merged since it was found
    is the other, one that was purged is none. What is linked is locked, and so are contacts that are asked about, which
    are what people merge: a question is not left with the one that goes."""
    stand: dict[tuple[str, str], str] = {}
    wanted = {link[:2] for link in new.links} | {one[:2] for one in new.suggestions if one[0] == "contact"}
    for record, ident in sorted(wanted):  # in one order, as `touch`
        table: Any = KINDS.get(record)
        now_there = ident
        while table is not None:
            one = session.scalars(select(table).where(table.id == now_there).with_for_update(key_share=True)
                                  .execution_options(populate_existing=True)).one_or_none()
            if one is None:
                break
            if not getattr(one, "merged_into", ""):
                stand[record, ident] = now_there
                break
            now_there = one.merged_into
    links: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    for record, ident, how, role in new.links:
        if stands := stand.get((record, ident)):
            links.setdefault((record, stands), (record, stands, how, role))
    suggestions: list[tuple[str, str, str, str, int, str]] = []
    for record, ident, role, reason, confidence, question in new.suggestions:
        one_there = stand.get((record, ident)) if record == "contact" else standing(session, record, ident)[1]
        if one_there:
            suggestions.append((record, one_there, role, reason, confidence, question))
    return list(links.values()), suggestions


def _activity(session: Session, new: NewActivity, key: str, variant_of: str = "") -> tuple[Activity, bool]:
    """The activity of this key, locked: two copies of one mail take their turns."""
    def find() -> Activity | None:
        return session.scalars(select(Activity).where(Activity.item_key == key).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()

    return get_or_create(session, find, lambda: Activity(
        item_key=key, type=new.type, matched=new.matched, reason=new.reason, division=new.division,
        variant_of=variant_of, conversation=new.conversation))


def _variant(session: Session, first: Activity, new: NewActivity, tracker: str) -> None:
    """Keep another copy of a mail beside the first."""
    key = hashlib.sha256(f"{new.item_key}/{copy_key(new)}".encode()).hexdigest()
    variant, made = _activity(session, new, key, first.id)
    if made:
        fill(session, variant, new)
        audit.append(session, "crm:activity:variant", actor=SERVICE, subject=first.id, body={"variant": variant.id})
    _track(session, variant.id, tracker)


def _track(session: Session, activity_id: str, tracker: str) -> None:
    get_or_create(session, lambda: session.get(ActivityTracker, (activity_id, tracker)),
                  lambda: ActivityTracker(activity_id=activity_id, tracker=tracker))


def _copy_of(session: Session, activity: Activity) -> str:
    """The `copy_key` of an activity as it was linked; of one from before there were any, as it is now."""
    return activity.copy_key or copy_key(NewActivity(
        activity.item_key, activity.subject, activity.body, participants=activity.participants,
        attachments=files_of(session, activity.id)))


def _unchanged(session: Session, activity: Activity) -> bool:
    """Whether nobody changed it in the CRM since it was linked."""
    return activity.filled == version(content_of(activity, files_of(session, activity.id)))


def content_of(activity: Activity, files: Sequence[NewAttachment]) -> bytes:
    """The content of an activity as canonical JSON (UTF-8, files in base64): the same bytes for the same content."""
    tree: dict[str, Any] = {"subject": activity.subject, "body": activity.body, "message_id": activity.message_id,
                            "participants": activity.participants}
    if activity.outcome:
        tree["outcome"] = activity.outcome
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


def is_typed(activity: Activity) -> bool:
    """Whether somebody typed an activity in; others came from Outlook."""
    return activity.item_key.startswith("typed:")


def storable(text: str) -> str:
    """Text every database takes: without NUL, and with half characters replaced."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def links_of(session: Session, activity_id: str) -> int:
    """To how many records an activity is linked."""
    return session.scalars(select(func.count()).select_from(ActivityLink).where(
        ActivityLink.activity_id == activity_id, col(ActivityLink.removed).is_(None))).one()


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
            .where(col(Contact.merged_into) == "")
            .order_by(col(Contact.last_name), col(Contact.first_name), col(Contact.id)).limit(limit))
        return [{"id": c.id, "first_name": c.first_name, "last_name": c.last_name, "title": c.title,
                 "email": c.email, "phone": c.phone, "category": c.category, "organisation": name or "",
                 "division": c.division}
                for c, name in rows]
    if kind == "organisations":
        number = func.count(col(Contact.id))
        found = session.execute(
            columns(Organisation, number).outerjoin(Contact, (
                col(Contact.organisation_id) == col(Organisation.id)) & (col(Contact.merged_into) == ""))
            .where(col(Organisation.merged_into) == "")
            .group_by(col(Organisation.id)).order_by(col(Organisation.name_key)).limit(limit))
        return [{"id": o.id, "name": o.name, "email": o.email, "phone": o.phone, "category": o.category,
                 "contacts": contacts} for o, contacts in found]
    raise NotFound(f"there are {', '.join(LISTS)}")


def _activities(session: Session, limit: int | None, *, only_unmatched: bool) -> list[dict[str, Any]]:
    trackers = columns(func.count()).where(
        col(ActivityTracker.activity_id) == col(Activity.id)).correlate(Activity).scalar_subquery()
    links = columns(func.count()).where(
        col(ActivityLink.activity_id) == col(Activity.id), col(ActivityLink.removed).is_(None)
    ).correlate(Activity).scalar_subquery()
    query = columns(col(Activity.id), col(Activity.type), col(Activity.sent), col(Activity.subject),
                    col(Activity.matched), col(Activity.reason), trackers, links).where(col(Activity.variant_of) == "")
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
        return {"kind": "contact", **_fields(contact, "email_key", "private_key"),
                "organisation": organisation.name if organisation else "",
                "activities": _timeline(session, [contact.id])}
    found = _one(session, Organisation, ident)
    if isinstance(found, Organisation):
        people = session.scalars(select(Contact).where(
            Contact.organisation_id == found.id, Contact.merged_into == "")
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
    links = session.scalars(select(ActivityLink).where(
        ActivityLink.activity_id == activity.id, col(ActivityLink.removed).is_(None)).order_by(
            ActivityLink.record, ActivityLink.record_id)).all()
    trackers = session.scalars(select(ActivityTracker.tracker).where(
        ActivityTracker.activity_id == activity.id).order_by(ActivityTracker.tracker)).all()
    files = session.execute(
        columns(col(Attachment.number), col(Attachment.name), col(Attachment.content_type), col(Attachment.size))
        .where(col(Attachment.activity_id) == activity.id).order_by(col(Attachment.number)))
    variants = session.scalars(select(Activity.id).where(Activity.variant_of == activity.id).order_by(
        col(Activity.created), col(Activity.id))).all()
    return {"kind": "activity", **_fields(activity, "filled", "copy_key", "message_key", "conversation"),
            "trackers": list(trackers), "variants": list(variants),
            "records": [{"record": link.record, "id": link.record_id, "how": link.how, "role": link.role}
                        for link in links],
            "attachments": [{"number": n, "name": name, "content_type": kind, "size": size}
                            for n, name, kind, size in files]}


def _timeline(session: Session, record_ids: Sequence[str]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for chunk in _chunks(list(record_ids)):
        rows = session.execute(
            columns(col(Activity.id), col(Activity.type), col(Activity.sent), col(Activity.subject))
            .join(ActivityLink, col(ActivityLink.activity_id) == col(Activity.id))
            .where(col(ActivityLink.record_id).in_(chunk), col(ActivityLink.removed).is_(None)))
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


def _link(session: Session, activity_id: str, record: str, record_id: str, how: str, role: str) -> None:
    """Link by rule. What a person unlinked stays so; only a person links it again."""
    row, made = get_or_create(
        session, lambda: session.get(ActivityLink, (activity_id, record, record_id)),
        lambda: ActivityLink(activity_id=activity_id, record=record, record_id=record_id, how=how, role=role))
    if not made and how == "hand" and (row.how != "hand" or row.removed is not None):
        row.how, row.role, row.removed = how, role, None


def _suggest(session: Session, activity_id: str, tracker: str,
             suggestions: Sequence[tuple[str, str, str, str, int, str]]) -> None:
    """Suggest, unless that was decided before, a person took the link off, or the question was answered."""
    links = {(link.record, link.record_id): link.removed is None for link in session.scalars(
        select(ActivityLink).where(ActivityLink.activity_id == activity_id))}
    answered = {question for record, ident, _, _, _, question in suggestions if question and links.get((record, ident))}
    for record, record_id, role, reason, confidence, question in suggestions:
        if (record, record_id) not in links and question not in answered:
            add(session, ActivitySuggestion(
                activity_id=activity_id, tracker=tracker, record=record, record_id=record_id, role=role, reason=reason,
                confidence=confidence, question=question))


def add(session: Session, row: Row) -> None:
    """Add a row, unless one of its key is there."""
    key = tuple(getattr(row, column.name) for column in type(row).__table__.primary_key)  # type: ignore[attr-defined]
    get_or_create(session, lambda: session.get(type(row), key), lambda: row)


def questions_of(session: Session, activity_id: str, tracker: str) -> int:
    """How many questions about an activity only this tracker can answer."""
    return session.scalars(select(func.count(func.distinct(ActivitySuggestion.question))).where(
        ActivitySuggestion.activity_id == activity_id, ActivitySuggestion.tracker == tracker,
        ActivitySuggestion.state == "open", ActivitySuggestion.question != "")).one()


def _iso(moment: datetime | None) -> str:
    return moment.isoformat(timespec="seconds") if moment else ""


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start:start + _CHUNK]
