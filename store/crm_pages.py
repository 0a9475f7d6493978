"""What pages of the CRM show beside `store.crm_work` and `store.crm_find`: lists, what goes with a record, one
activity, its files, open tasks.

Each function that shows something names it in the audit, in the caller's transaction: commit before it goes out. What a
mail says and how to reach its people is for the division it belongs to and for those who track it; that it was, when,
by whom and under which subject line is shared (D31).
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import exists, func, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session, aliased, defer
from sqlmodel import col, select

from store import audit, crm_find, crm_records, crm_work, reads
from store.access import Action, Thing, may
from store.columns import now
from store.crm_access import Who, must, thing_of, trackers_of
from store.crm_choices import title
from store.crm_fields import NOT_SHARED, TABLES
from store.crm_tables import Activity, ActivityLink, ActivityTracker, Attachment, Contact
from store.crm_work_tables import Document, Opportunity, Project, RecordCategory, RecordMerge
from store.errors import BadState, NotAllowed, NotFound
from store.tables import Capture
from store.watch_tables import UntrackRequest

CATEGORISED: Final = ("organisation", "contact")
"""Kinds of record whose categories the business sets."""
PAGE: Final = 50
"""Records on one page of a list."""
_ORDER: Final[dict[str, tuple[str, ...]]] = {
    "organisation": ("name_key",), "contact": ("last_name", "first_name"), "opportunity": ("title",),
    "project": ("title",), "event": ("starts",), "issue": ("priority", "title"), "document": ("name",)}

_BUSINESS: Final[tuple[tuple[str, Any], ...]] = (("opportunity", Opportunity), ("project", Project))


def listing(session: Session, who: Who, kind: str, *, page: int = 1) -> tuple[list[dict[str, Any]], bool]:
    """One page of the records of a kind, by name (events the latest first, issues by priority), as lines of
    `store.crm_find.search`; and whether there are more. Business of other divisions is left out. Audited.

    Raises `NotFound` for another kind.
    """
    must(who, Action.RECORD_LIST)
    table = TABLES.get(kind)
    if table is None:
        raise NotFound("kind")
    audit.lock(session)
    query = select(table)
    if kind == "document":
        query = query.options(defer(Document.content))  # type: ignore[arg-type]
    if hasattr(table, "merged_into"):
        query = query.where(table.merged_into == "")
    if kind in NOT_SHARED and not who.sight.everything:
        query = query.where(or_(table.division.in_(["", *sorted(who.sight.divisions)]), table.owner == _id(who)))
    order = [getattr(table, name) for name in _ORDER[kind]]
    if kind == "event":
        order = [table.starts.desc()]
    found = session.scalars(query.order_by(*order, table.id).offset((page - 1) * PAGE).limit(PAGE + 1)).all()
    rows = [line for row in found[:PAGE] if (line := crm_find.line_of(session, kind, row.id)) is not None]
    reads.listed(session, actor=who.actor, kind=f"{kind}s", ids=[row["id"] for row in rows])
    return rows, len(found) > PAGE


def beside(session: Session, who: Who, kind: str, ident: str) -> dict[str, Any]:
    """What goes with an organisation or a contact: `people` (who is of it), `business` (opportunities and projects
    within sight), both as lines of a search, and `merges` that can be undone: `{"id", "title", "at", "by"}`. Audited;
    the record itself was read before (`store.crm_work.read`)."""
    must(who, Action.RECORD_LIST)
    lines: list[tuple[str, str]] = []
    if kind == "organisation":
        lines = [("contact", ident_of) for ident_of in session.scalars(columns(col(Contact.id)).where(
            col(Contact.organisation_id) == ident, col(Contact.merged_into) == "").order_by(
                col(Contact.last_name), col(Contact.first_name)).limit(200))]
    if kind in ("organisation", "contact"):
        for name, table in _BUSINESS:
            for row in session.scalars(select(table).where(getattr(table, f"{kind}_id") == ident).order_by(
                    col(table.updated).desc()).limit(100)):
                if row.owner == _id(who) or who.sight.may_see(row.division):
                    lines.append((name, row.id))
    found = [line for one in lines if (line := crm_find.line_of(session, *one)) is not None]
    if found:
        reads.listed(session, actor=who.actor, kind="all", ids=[row["id"] for row in found])
    merges = session.scalars(select(RecordMerge).where(
        RecordMerge.record == kind, RecordMerge.kept == ident, col(RecordMerge.undone).is_(None)).order_by(
            col(RecordMerge.at).desc()))
    return {"people": [row for row in found if row["kind"] == "contact"],
            "business": [row for row in found if row["kind"] != "contact"],
            "merges": [{"id": m.id, "title": title(session, kind, m.gone), "at": m.at, "by": m.by} for m in merges]}


def named(session: Session, who: Who, kind: str, ident: str) -> str:
    """What a record is called, "" for one that is not there or not within sight."""
    try:
        crm_work.seen(session, who, kind, ident)
    except (NotAllowed, NotFound):
        return ""
    return title(session, kind, ident) if kind != "document" else session.scalars(
        columns(col(Document.name)).where(col(Document.id) == ident)).one()


# --------------------------------------------------------------------------------------------------- activities

def activity(session: Session, who: Who, ident: str) -> dict[str, Any]:
    """One activity. `open` says whether its content is for this person; without that `body`, the addresses of its
    parties and its files are left out. `records` are those it is linked to, as far as within sight; `mine` the
    mailboxes of this person that track it, `again` whether they untracked it and may take that back. Audited. Raises
    `NotFound`."""
    must(who, Action.RECORD_LIST)
    audit.lock(session)
    row = _activity(session, ident)
    shown = is_open(session, who, row)
    audit.append(session, "crm:record:read", actor=who.actor, subject=row.id, body={"kind": "activity"})
    links = session.scalars(select(ActivityLink).where(
        ActivityLink.activity_id == row.id, col(ActivityLink.removed).is_(None)).order_by(
            col(ActivityLink.record), col(ActivityLink.record_id)))
    records = [{"kind": link.record, "id": link.record_id, "role": link.role, "how": link.how, "title": name}
               for link in links if (name := named(session, who, link.record, link.record_id))]
    files = session.execute(columns(col(Attachment.number), col(Attachment.name), col(Attachment.size)).where(
        col(Attachment.activity_id) == row.id).order_by(col(Attachment.number))) if shown else ()
    trackers = trackers_of(session, row.id)
    return {"id": row.id, "type": row.type, "subject": row.subject, "division": row.division, "staff": row.staff,
            "sent": row.sent, "starts": row.starts, "ends": row.ends, "due": row.due, "done": row.done,
            "outcome": row.outcome, "stub": row.stub, "typed": is_typed(row), "open": shown,
            "body": row.body if shown else "", "trackers": trackers,
            "mine": [one for one in trackers if one in who.mailboxes], "again": _was_tracked(session, who, row.id),
            "people": [{"role": p.get("role", ""), "name": p.get("name", ""),
                        "email": p.get("email", "") if shown else None} for p in row.participants],
            "records": records, "files": [{"number": n, "name": name, "size": size} for n, name, size in files]}


def is_open(session: Session, who: Who, row: Activity) -> bool:
    """Whether the content of an activity is for somebody: of their division or nobody's, written or tracked by them.
    The operator of the machine belongs to no division."""
    if who.person is None:
        return not row.division
    return who.sight.may_see(row.division) or (bool(row.staff) and row.staff == _id(who)) or bool(
        who.mailboxes.intersection(trackers_of(session, row.id)))


def is_typed(row: Activity) -> bool:
    """Whether somebody typed an activity in; others came from Outlook."""
    return crm_records.is_typed(row)


def activity_thing(session: Session, who: Who, ident: str) -> Thing:
    """An activity as `may` is asked about it: their own when they track it, or typed it in. Raises `NotFound`."""
    row = _activity(session, ident)
    return Thing(division=row.division, owner=row.staff) if is_typed(row) else thing_of(session, who, row)


def mailbox_of(session: Session, who: Who, ident: str) -> str:
    """The mailbox of somebody that tracks an activity or tracked it; "" when none does. Raises `NotFound`."""
    row = _activity(session, ident)
    if not who.mailboxes:
        return ""
    mine = sorted(who.mailboxes)
    tracked = session.scalars(columns(col(ActivityTracker.tracker)).where(
        col(ActivityTracker.activity_id) == row.id, col(ActivityTracker.tracker).in_(mine))).first()
    return tracked or session.scalars(columns(col(Capture.mailbox)).where(
        col(Capture.activity) == row.id, col(Capture.mailbox).in_(mine))).first() or ""


def attachment(session: Session, who: Who, ident: str, number: int) -> Attachment:
    """A file of an activity, with its bytes. Audited. Raises `NotFound`, `NotAllowed` for one that is not theirs."""
    audit.lock(session)
    row = _activity(session, ident)
    if not is_open(session, who, row):
        raise NotAllowed("other-division")
    found = session.scalars(select(Attachment).where(
        Attachment.activity_id == ident, Attachment.number == number)).one_or_none()
    if found is None:
        raise NotFound("file")
    audit.append(session, "crm:attachment:read", actor=who.actor, subject=ident, body={"number": number})
    return found


def document(session: Session, who: Who, ident: str) -> Document:
    """A document, with its bytes. Audited. Raises `NotFound`, `NotAllowed`, `BadState` once a rescan took it out."""
    audit.lock(session)
    found: Document = crm_work.seen(session, who, "document", ident)
    if found.stub:
        raise BadState("it was taken out for privacy review")
    audit.append(session, "crm:record:read", actor=who.actor, subject=ident, body={"kind": "document"})
    return found


def tasks(session: Session, who: Who, limit: int = 100) -> list[dict[str, Any]]:
    """What somebody has to do: open tasks they typed in, and those about records they own, questions of colleagues
    among them: `{"id", "subject", "staff", "due", "overdue", "at"}`, the most urgent first. Audited."""
    must(who, Action.RECORD_LIST)
    audit.lock(session)
    me = _id(who)
    about = []
    for kind, table in TABLES.items():
        link: Any = aliased(ActivityLink)
        about.append(exists().where(link.activity_id == Activity.id, link.record == kind, link.removed.is_(None),
                                    link.record_id == table.id, table.owner == me))
    rows = session.scalars(select(Activity).where(
        Activity.type == "task", col(Activity.done).is_(None),
        col(Activity.item_key).startswith("typed:", autoescape=True), or_(col(Activity.staff) == me, *about)).order_by(
            func.coalesce(col(Activity.due), col(Activity.created)), col(Activity.id)).limit(limit)).all()
    reads.listed(session, actor=who.actor, kind="activities", ids=[row.id for row in rows])
    return [{"id": row.id, "subject": row.subject, "staff": row.staff, "due": row.due, "at": row.created,
             "overdue": row.due is not None and row.due < now()} for row in rows]


def categories(session: Session) -> dict[str, list[tuple[str, bool]]]:
    """Kind of record -> (title, whether it is offered) of its categories, those offered first."""
    found: dict[str, list[tuple[str, bool]]] = {kind: [] for kind in CATEGORISED}
    for row in session.scalars(select(RecordCategory).order_by(
            col(RecordCategory.closed).is_not(None), col(RecordCategory.title))):
        found.setdefault(row.kind, []).append((row.title, row.closed is None))
    return found


def may_do(who: Who, action: Action, thing: Thing) -> bool:
    """Whether a page offers it: no promise, the store asks again."""
    return who.person is None or bool(may(who.person, action, thing))


def _was_tracked(session: Session, who: Who, ident: str) -> bool:
    """Whether somebody untracked an activity with a mailbox of theirs, and it stands."""
    return bool(who.mailboxes) and session.scalars(columns(col(UntrackRequest.capture_id)).join(
        Capture, col(Capture.id) == col(UntrackRequest.capture_id)).where(
            col(Capture.activity) == ident, col(Capture.mailbox).in_(sorted(who.mailboxes)),
            col(UntrackRequest.outcome) == "untracked").limit(1)).first() is not None


def _activity(session: Session, ident: str) -> Activity:
    row = session.get(Activity, ident)
    if row is None:
        raise NotFound("activity")
    return row


def _id(who: Who) -> str:
    return who.person.id if who.person is not None else ""
