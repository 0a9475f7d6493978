"""What people typed into records of the embedded CRM, and documents, as a rescan asks for it: page through, load, pull
out, put back. (Activities: `store/crm_stored.py`.)

    page(session, Filter(), after="record:contact:4f1c...")   names in their order, with division
    load(session, "record:contact:4f1c...")                   one record's text
    pull(session, name, version, case, stub); restore(session, name, case, content)

The text of a record is every field that is scanned before it is kept (`store.crm_fields`), with what its history says
of those fields, and the file of a document. It is pulled out together: the fields are emptied, a needed one and the
first long one say so, the rows of the history go, and `stub` of the record names the case. Names of people, addresses
and numbers stay: they are business, and no scan asks about them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, true
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import crm_find, pulls
from store.columns import now
from store.crm_fields import FIELDS, TABLES, WORDS
from store.crm_records import version
from store.crm_stored import ContentChanged, Filter
from store.crm_tables import ActivityLink
from store.crm_work_tables import RecordChange, Relation
from store.database import begin_write
from store.errors import NotFound
from store.tables import Case, CaseState, Item

PREFIX: Final = pulls.RECORDS
"""Before the kind and the id of a record, among the names of stored items. No id of an activity begins so."""
KINDS: Final = tuple(sorted(TABLES))
TYPED: Final = {kind: tuple(name for name, field in fields.items() if field.typed) for kind, fields in FIELDS.items()}
"""The fields of a record that hold free text."""


@dataclass(frozen=True, slots=True, repr=False)
class StoredText:
    """A record's text: by field, what its history says beside, a document's file; `content` is what `restore` takes.
    `shown_with` are the records and activities that show its title."""

    kind: str
    id: str
    division: str
    owner: str
    created: datetime
    stub: str
    fields: tuple[tuple[str, str], ...]
    former: tuple[str, ...]
    file: tuple[str, str, bytes] | None
    content: bytes
    shown_with: tuple[str, ...]

    def __repr__(self) -> str:
        return f"StoredText({self.kind})"

    @property
    def version(self) -> str:
        """Changes with the content, and for nothing else."""
        return version(self.content)


def name_of(kind: str, ident: str) -> str:
    """The name of a record among stored items."""
    return f"{PREFIX}{kind}:{ident}"


def page(session: Session, wanted: Filter, after: str = "", limit: int = 200) -> list[tuple[str, str, str]]:
    """(name, kind, division) of the records with a text, after a name, in the order of kinds and ids. `wanted.types`
    are kinds; a file is had by documents only."""
    kind_after, _, id_after = after.removeprefix(PREFIX).partition(":")
    found: list[tuple[str, str, str]] = []
    for kind in _kinds(wanted):
        if kind < kind_after or len(found) >= limit:
            continue
        table = TABLES[kind]
        query = columns(table.id, table.division).where(_wanted(kind, wanted)).order_by(table.id)
        if kind == kind_after:
            query = query.where(table.id > id_after)
        found += [(name_of(kind, ident), kind, division)
                  for ident, division in session.execute(query.limit(limit - len(found)))]
    return found


def count(session: Session, wanted: Filter) -> int:
    """How many there are."""
    return sum(int(session.execute(columns(func.count()).select_from(TABLES[kind]).where(
        _wanted(kind, wanted))).scalar_one()) for kind in _kinds(wanted))


def load(session: Session, name: str) -> StoredText:
    """One record's text. Raises `NotFound`."""
    kind, ident = _split(name)
    row = session.get(TABLES[kind], ident, populate_existing=True)
    if row is None:
        raise NotFound("record")
    tree = _tree(session, kind, row)
    file = None
    if kind == "document" and not row.stub:
        file = (row.name, row.content_type, row.content)
    fields = tuple((field, text) for field, text in tree["fields"].items() if text)
    texts = {text for _, text in fields}
    former = dict.fromkeys(text for change in tree["history"] for text in change[1:3] if text and text not in texts)
    return StoredText(kind, row.id, row.division, row.owner, row.created, row.stub, fields, tuple(former), file,
                      _bytes(tree), _shown_with(session, kind, row))


def pull(session: Session, name: str, expected: str, case: str, stub: tuple[str, str]) -> None:
    """Take the text out and put a stub (title, text) in, marked with the case.

    Does nothing when it is the stub of this case already. Raises `NotFound`, or `ContentChanged` for another version,
    and when the case was released meanwhile: its copy goes with the release.
    """
    kind, ident = _split(name)
    row = _locked(session, kind, ident)
    if row.stub == case:
        return
    if row.stub or version(_bytes(_tree(session, kind, row))) != expected:
        raise ContentChanged
    # read under the record's lock: a release commits before it puts the text back, which needs that lock
    if session.scalars(select(Case.id).where(Case.number == case, col(Case.state).in_(
            (CaseState.RELEASED, CaseState.REDACTED)))).first():
        raise ContentChanged
    said = False
    for field in TYPED[kind]:
        needed, long = FIELDS[kind][field].needed, FIELDS[kind][field].holds == "text" and not said
        setattr(row, field, stub[0] if needed else stub[1][:FIELDS[kind][field].most] if long else "")
        said = said or long
    if kind == "document":
        row.content, row.size, row.digest = b"", 0, ""
    row.stub, row.updated = case, later(row.updated)
    session.execute(delete(RecordChange).where(_history(kind, ident)))
    session.flush()
    crm_find.index(session, kind, ident, [str(getattr(row, word)) for word in WORDS[kind] if word not in TYPED[kind]]
                   if not getattr(row, "merged_into", "") else ())


def restore(session: Session, name: str, case: str, content: bytes) -> Literal["restored", "already", "gone"]:
    """Put the text back in the place of the stub of this case, with its history."""
    kind, ident = _split(name)
    try:
        row = _locked(session, kind, ident)
    except NotFound:
        return "gone"
    if row.stub != case:
        return "already"
    tree: dict[str, Any] = json.loads(content)
    for field, text in tree["fields"].items():
        setattr(row, field, text)
    if kind == "document":
        row.content = base64.b64decode(tree["file"])
        row.size, row.digest = len(row.content), hashlib.sha256(row.content).hexdigest()
    for field, before, after, by, at in tree["history"]:
        session.add(RecordChange(record=kind, record_id=ident, field=field, before=before, after=after, by=by,
                                 at=datetime.fromisoformat(at)))
    row.stub, row.updated = "", later(row.updated)
    session.flush()
    crm_find.index_record(session, kind, row)
    return "restored"


def later(moment: datetime) -> datetime:
    """Now, and in any case after a moment: what somebody saw before is told from what there is."""
    return max(now(), moment + timedelta(microseconds=1))


def is_held(session: Session, row: Any) -> bool:
    """Whether a record's text waits in a case, or is on its way back: nobody may write another one meanwhile. Once the
    case was deleted, anybody may."""
    if not row.stub:
        return False
    state = session.scalars(select(Case.state).where(Case.number == row.stub)).first()
    return state is not None and state != CaseState.DELETED


def is_evidence(session: Session, kind: str, ident: str) -> bool:
    """Whether an open incident is about what was pulled out of this record."""
    return session.scalars(select(Case.id).join(Item, col(Item.id) == col(Case.item_id)).where(
        Item.item_key == name_of(kind, ident), Case.state == CaseState.ESCALATED)).first() is not None


# ------------------------------------------------------------------------------------------------------ inside

def _split(name: str) -> tuple[str, str]:
    kind, _, ident = name.removeprefix(PREFIX).partition(":")
    if not name.startswith(PREFIX) or kind not in TABLES:
        raise NotFound("record")
    return kind, ident


def _kinds(wanted: Filter) -> tuple[str, ...]:
    return tuple(kind for kind in KINDS if (not wanted.types or kind in wanted.types)
                 and (not wanted.attached or kind == "document"))


def _wanted(kind: str, wanted: Filter) -> ColumnElement[bool]:
    """The records of a kind that have a text, were made in this time, and belong to this division."""
    table = TABLES[kind]
    rules: list[ColumnElement[bool]] = [true()]
    if kind != "document":
        rules.append(or_(table.stub != "", *(getattr(table, field) != "" for field in TYPED[kind]), exists().where(
            _history(kind, table.id))))
    if wanted.since is not None:
        rules.append(table.created >= wanted.since)
    if wanted.until is not None:
        rules.append(table.created < wanted.until)
    if wanted.division:
        rules.append(table.division == wanted.division)
    return and_(*rules)


def _history(kind: str, ident: Any) -> ColumnElement[bool]:
    """The rows of the history that hold what was typed."""
    return and_(col(RecordChange.record) == kind, col(RecordChange.record_id) == ident,
                col(RecordChange.field).in_(TYPED[kind]))


def _tree(session: Session, kind: str, row: Any) -> dict[str, Any]:
    changes = session.scalars(select(RecordChange).where(_history(kind, row.id)).order_by(col(RecordChange.id)))
    tree: dict[str, Any] = {
        "fields": {field: getattr(row, field) for field in TYPED[kind]},
        "history": [[c.field, c.before, c.after, c.by, c.at.isoformat()] for c in changes]}
    if kind == "document":
        tree["file"] = base64.b64encode(row.content).decode("ascii")
    return tree


def _bytes(tree: dict[str, Any]) -> bytes:
    return json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def _locked(session: Session, kind: str, ident: str) -> Any:
    begin_write(session)
    table = TABLES[kind]
    row = session.scalars(select(table).where(table.id == ident).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("record")
    return row


def _shown_with(session: Session, kind: str, row: Any) -> tuple[str, ...]:
    """What shows the title of a record: records it has to do with, activities it is linked to."""
    ident = row.id
    found = set(session.scalars(columns(col(Relation.to_id)).where(
        col(Relation.from_kind) == kind, col(Relation.from_id) == ident)))
    found |= set(session.scalars(columns(col(Relation.from_id)).where(
        col(Relation.to_kind) == kind, col(Relation.to_id) == ident)))
    found |= set(session.scalars(columns(col(ActivityLink.activity_id)).where(
        col(ActivityLink.record) == kind, col(ActivityLink.record_id) == ident,
        col(ActivityLink.removed).is_(None))))
    for pointer in ("organisation_id", "contact_id"):
        if getattr(row, pointer, None):
            found.add(getattr(row, pointer))
    return tuple(sorted(found))
