"""What a rescan asks of the embedded CRM: page through stored activities, read one, pull its content, put it back.

    page(session, after="", limit=200, ...)    ids in order, with type and division
    load(session, ident)                       one activity with everything of it
    pull(session, ident, expected, case, stub)  content out, stub in
    restore(session, ident, case, content)     stub out, content in

`Stored.content` and `Stored.version` are those of `store.crm_records.content_of` and `version`. All functions run in
the caller's transaction.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import crm_find
from store.crm_records import NewActivity, NewAttachment, content_of, files_of, fill, version
from store.crm_tables import Activity, ActivityLink, ActivityTracker, Attachment, Contact
from store.crm_work_tables import RecordChange
from store.database import begin_write
from store.errors import NotFound
from store.tables import Case, CaseState


@dataclass(frozen=True, slots=True)
class Filter:
    """Which activities: stored at `since` or later, before `until`, of a division, of these types, with files."""

    since: datetime | None = None
    until: datetime | None = None
    division: str = ""
    types: tuple[str, ...] = ()
    attached: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Stored:
    """An activity with its content, its trackers, the records on whose timelines it stands, and what stood there before
    somebody changed it."""

    activity: Activity
    attachments: tuple[NewAttachment, ...]
    content: bytes
    version: str
    trackers: tuple[str, ...]
    shown_with: tuple[str, ...]
    former: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Stored({self.activity.id})"

    @property
    def edited(self) -> bool:
        """Whether somebody changed it in the CRM since it was linked or restored."""
        return self.version != self.activity.filled


class ContentChanged(Exception):
    """The content is not that of the version named."""


def page(session: Session, wanted: Filter, after: str = "", limit: int = 200) -> list[tuple[str, str, str]]:
    """(id, type, division) of the activities after an id, in the order of ids."""
    query = _wanted(columns(col(Activity.id), col(Activity.type), col(Activity.division)), wanted)
    rows = session.execute(query.where(col(Activity.id) > after).order_by(col(Activity.id)).limit(limit))
    return [(ident, kind, division) for ident, kind, division in rows]


def count(session: Session, wanted: Filter) -> int:
    """How many there are."""
    return int(session.execute(_wanted(columns(func.count(col(Activity.id))), wanted)).scalar_one())


def load(session: Session, ident: str) -> Stored:
    """One activity with its content. Raises `NotFound`."""
    activity = session.scalars(select(Activity).where(Activity.id == ident)).one_or_none()
    if activity is None:
        raise NotFound(f"activity {ident}")
    files = _files(session, ident)
    content = content_of(activity, files)
    trackers = session.scalars(select(ActivityTracker.tracker).where(
        ActivityTracker.activity_id == ident).order_by(ActivityTracker.tracker)).all()
    return Stored(activity, files, content, version(content), tuple(trackers), _shown_with(session, ident),
                  _former(session, activity))


def pull(session: Session, ident: str, expected: str, case: str, stub: tuple[str, str]) -> None:
    """Take the content out and put a stub (subject, body) in, marked with the case.

    Does nothing when it is this stub already. Raises `NotFound`, or `ContentChanged` for another version, and when
    the case was released meanwhile: its copy of the content goes with the release.
    """
    activity = _locked(session, ident)
    if activity.stub == case:
        return
    if activity.stub or version(content_of(activity, _files(session, ident))) != expected:
        raise ContentChanged
    # read under the record's lock: a release commits before it puts the content back, which needs that lock
    if session.scalars(select(Case.id).where(Case.number == case, col(Case.state).in_(
            (CaseState.RELEASED, CaseState.REDACTED)))).first():
        raise ContentChanged
    activity.subject, activity.body = stub
    activity.message_id, activity.participants, activity.stub = "", [], case
    activity.message_key = activity.copy_key = activity.outcome = ""
    crm_find.index(session, "activity", ident, ())
    session.execute(delete(RecordChange).where(  # what it held before somebody changed it
        col(RecordChange.record) == "activity", col(RecordChange.record_id) == ident))
    session.execute(delete(Attachment).where(col(Attachment.activity_id) == ident))
    session.flush()


def restore(session: Session, ident: str, case: str, content: bytes) -> Literal["restored", "already", "gone"]:
    """Put the content back in the place of the stub of this case."""
    try:
        activity = _locked(session, ident)
    except NotFound:
        return "gone"
    if activity.stub != case:
        return "already"
    tree: dict[str, Any] = json.loads(content)
    activity.outcome = tree.get("outcome", "")
    fill(session, activity, NewActivity(
        item_key=activity.item_key, subject=tree["subject"], body=tree["body"], message_id=tree["message_id"],
        sent=activity.sent, participants=tree["participants"],
        attachments=[NewAttachment(a["number"], a["name"], a["content_type"], base64.b64decode(a["content"]))
                     for a in tree["attachments"]]))
    return "restored"


def _wanted(query: Any, wanted: Filter) -> Any:
    if wanted.since is not None:
        query = query.where(col(Activity.created) >= wanted.since)
    if wanted.until is not None:
        query = query.where(col(Activity.created) < wanted.until)
    if wanted.division:
        query = query.where(col(Activity.division) == wanted.division)
    if wanted.types:
        query = query.where(col(Activity.type).in_(wanted.types))
    if wanted.attached:
        query = query.where(select(Attachment.id).where(Attachment.activity_id == Activity.id).exists())
    return query


def _locked(session: Session, ident: str) -> Activity:
    begin_write(session)
    activity = session.scalars(select(Activity).where(Activity.id == ident).with_for_update(key_share=True)
                               .execution_options(populate_existing=True)).one_or_none()
    if activity is None:
        raise NotFound(f"activity {ident}")
    return activity


def _files(session: Session, ident: str) -> tuple[NewAttachment, ...]:
    return files_of(session, ident)


def _former(session: Session, activity: Activity) -> tuple[str, ...]:
    """Texts of the activity's history that stand in it no more."""
    there = {activity.subject, activity.body, activity.outcome, ""}
    changes = session.scalars(select(RecordChange).where(
        RecordChange.record == "activity", RecordChange.record_id == activity.id, col(RecordChange.field).in_(
            ("subject", "body", "outcome"))).order_by(col(RecordChange.id)))
    return tuple(dict.fromkeys(text for change in changes for text in (change.before, change.after)
                               if text not in there))


def _shown_with(session: Session, ident: str) -> tuple[str, ...]:
    """The linked records, and the organisations of linked contacts: their timelines show the subject line."""
    linked = set(session.scalars(select(ActivityLink.record_id).where(
        ActivityLink.activity_id == ident, col(ActivityLink.removed).is_(None))))
    employers = set(session.scalars(select(Contact.organisation_id).where(
        col(Contact.id).in_(linked), col(Contact.organisation_id).is_not(None)))) if linked else set()
    return tuple(sorted(linked | {e for e in employers if e}))
