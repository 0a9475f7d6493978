"""Finding records: by their words, by issue and region; what stands on a record's timeline; who talks to whom.

Every record and every subject line is indexed by its words (`record_word`). A search goes from its rarest word, so that
it stays quick when others are in half of everything. How to reach a person is not searchable across divisions.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, delete, exists, func, insert, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session, aliased, defer
from sqlmodel import col

from store import audit, reads
from store.access import Action
from store.crm_access import Who, must, seen
from store.crm_fields import NOT_SHARED, TABLES, WORDS
from store.crm_tables import Activity, ActivityLink, Contact, Organisation
from store.crm_work_tables import Document, RecordWord, Relation
from store.errors import BadState

MOST_FOUND: Final = 50
MOST_WORDS: Final = 6
_LONGEST: Final = 48
_RARE: Final = 500
_WORD: Final = re.compile(r"[^\W_]+")
_ORDER: Final = ("organisation", "contact", "opportunity", "project", "issue", "event", "document", "activity")


def words_of(*texts: str) -> frozenset[str]:
    """The words of texts as they are indexed: small letters without accents, at most 48 characters each."""
    found: set[str] = set()
    for text in texts:
        folded = unicodedata.normalize("NFKD", text[:2000].casefold())
        plain = "".join(c for c in folded if not unicodedata.combining(c))
        found |= {word[:_LONGEST] for word in _WORD.findall(plain)}
    return frozenset(found)


def index(session: Session, kind: str, ident: str, texts: Iterable[str]) -> None:
    """Index a record anew by the words of these texts; none takes it out."""
    session.execute(delete(RecordWord).where(col(RecordWord.record_id) == ident, col(RecordWord.kind) == kind))
    words = sorted(words_of(*texts))
    if words:
        session.execute(insert(RecordWord), [{"word": word, "kind": kind, "record_id": ident} for word in words])


def index_record(session: Session, kind: str, row: Any) -> None:
    """Index a record by the fields that may be searched."""
    standing = not getattr(row, "merged_into", "")
    index(session, kind, row.id, [str(getattr(row, name)) for name in WORDS[kind]] if standing else ())


def index_many(session: Session, rows: Iterable[Any]) -> None:
    """Index contacts and organisations anew, many at a time."""
    texts = {row.id: ("contact" if isinstance(row, Contact) else "organisation", row) for row in rows}
    for chunk in _chunks(list(texts)):
        session.execute(delete(RecordWord).where(col(RecordWord.record_id).in_(chunk)))
        words = [{"word": word, "kind": kind, "record_id": ident} for ident in chunk
                 for kind, row in (texts[ident],) for word in sorted(words_of(*(str(getattr(row, n))
                                                                                for n in WORDS[kind])))]
        if words:
            session.execute(insert(RecordWord), words)


def search(session: Session, who: Who, text: str, *, kinds: Sequence[str] = (), region: str = "", issue: str = "",
           limit: int = MOST_FOUND) -> list[dict[str, Any]]:
    """Records with all these words, or words that begin like them; of these kinds; contacts and organisations of a
    region, or about an issue. `{"kind", "id", "title", "division", "owner", "last_contact", "detail"}`, the latest
    contact first within a kind. Business of another division is not found. The search is audited with what it showed.

    Raises `NotAllowed`, and `BadState` for a search for nothing.
    """
    must(who, Action.RECORD_SEARCH)
    wanted = tuple(kinds) or _ORDER
    words = sorted(words_of(text), key=len, reverse=True)[:MOST_WORDS]
    if (not words and not region and not issue) or not set(wanted) <= set(_ORDER):
        raise BadState(f"say what to look for; kinds are {', '.join(_ORDER)}")
    audit.lock(session)  # before the reading: a rescan that pulls one of them out now names this reader
    found: list[tuple[str, str]] = []
    for kind in wanted:
        found += [(kind, ident) for ident in _candidates(session, who, kind, words, (region, issue), limit)]
    rows = [row for kind, ident in found if (row := line_of(session, kind, ident)) is not None]
    rows = sorted(rows, key=lambda r: r["last_contact"], reverse=True)
    rows = sorted(rows, key=lambda r: _ORDER.index(r["kind"]))[:limit]
    reads.listed(session, actor=who.actor, kind="all", ids=[r["id"] for r in rows], action="crm:records:searched")
    return rows


def _candidates(session: Session, who: Who, kind: str, words: Sequence[str], where: tuple[str, str],
                limit: int) -> list[str]:
    if any(where) and kind not in ("contact", "organisation"):
        return []
    if not words:
        return _by_place(session, kind, where, limit)
    rarest = min(words, key=lambda word: _how_many(session, kind, word))
    base = aliased(RecordWord)
    query = columns(col(base.record_id)).where(_begins(base, rarest), col(base.kind) == kind)
    for word in words:
        if word != rarest:
            other = aliased(RecordWord)
            query = query.where(exists().where(col(other.record_id) == col(base.record_id), _begins(other, word),
                                               col(other.kind) == kind))
    if kind in NOT_SHARED and not who.sight.everything:
        own: Any = aliased(TABLES[kind])
        query = query.where(exists().where(own.id == base.record_id, own.division.in_(["", *who.sight.divisions])))
    narrow = _narrowed(kind, col(base.record_id), *where)
    return list(dict.fromkeys(session.scalars(query.where(*narrow).limit(limit * 4))))[:limit]


def _by_place(session: Session, kind: str, where: tuple[str, str], limit: int) -> list[str]:
    table = TABLES[kind]
    return list(session.scalars(columns(col(table.id)).where(
        *_narrowed(kind, col(table.id), *where), col(table.merged_into) == "")
        .order_by(col(table.last_contact_at).desc()).limit(limit)))


def _narrowed(kind: str, ident: Any, region: str, issue: str) -> list[ColumnElement[bool]]:
    """Conditions of region and issue, which contacts and organisations have."""
    conditions: list[ColumnElement[bool]] = []
    if region:
        there: Any = aliased(Contact if kind == "contact" else Organisation)  # beside the table of the query itself
        conditions.append(exists().where(there.id == ident, func.lower(there.region) == region.casefold()))
    if issue:
        conditions.append(exists().where(
            col(Relation.from_kind) == kind, col(Relation.from_id) == ident, col(Relation.to_kind) == "issue",
            col(Relation.to_id) == issue))
    return conditions


def _how_many(session: Session, kind: str, word: str) -> int:
    """How many records of a kind have a word like this, counted no further than it matters."""
    some = columns(col(RecordWord.record_id)).where(_begins(RecordWord, word),
                                                    col(RecordWord.kind) == kind).limit(_RARE)
    return int(session.scalar(columns(func.count()).select_from(some.subquery())) or 0)


def _begins(table: Any, word: str) -> ColumnElement[bool]:
    """A range of the index: every word that begins like this."""
    return and_(col(table.word) >= word, col(table.word) < word + "\uffff")


def line_of(session: Session, kind: str, ident: str) -> dict[str, Any] | None:
    """One record or activity as a line of a list, see `search`; None when it is not there. The caller audits."""
    bare = (defer(Document.content),) if kind == "document" else ()  # type: ignore[arg-type]
    row = session.get(Activity if kind == "activity" else TABLES[kind], ident, options=bare)
    if row is None:
        return None
    if kind == "activity":
        moment, name, detail, owner = row.sent or row.created, row.subject, row.type, row.staff
    else:
        moment = getattr(row, "last_contact_at", None) or row.updated
        name = " ".join(filter(None, (row.first_name, row.last_name))) if kind == "contact" else getattr(
            row, "name", "") or getattr(row, "title", "")
        detail = row.title if kind == "contact" else getattr(row, "stage", getattr(row, "status", ""))
        owner = row.owner
    return {"kind": kind, "id": ident, "title": name, "detail": detail, "division": row.division, "owner": owner,
            "last_contact": moment.isoformat(timespec="seconds") if moment else ""}


def timeline(session: Session, who: Who, kind: str, ident: str, *, before: str = "",
             limit: int = MOST_FOUND) -> list[dict[str, Any]]:
    """What stands on a record's timeline, the latest first, those older than `before` (`at` of the last one
    of an earlier page, or `at/id`, so that none of the same moment is left out):
    `{"id", "type", "at", "subject", "division", "staff", "outcome", "role"}`. An organisation shows what its people
    did. The caller audits the reading of the record. Raises `NotFound`, `NotAllowed` for business of another division.
    """
    must(who, Action.RECORD_LIST)
    seen(session, who, kind, ident)
    records = [ident]
    if kind == "organisation":
        records += session.scalars(columns(col(Contact.id)).where(col(Contact.organisation_id) == ident))
    moment = func.coalesce(col(Activity.starts), col(Activity.sent), col(Activity.created))
    at_least, _, last = before.partition("/")
    try:
        until = datetime.fromisoformat(at_least).astimezone(UTC) if at_least else None
    except ValueError:
        raise BadState("a moment is written as in ISO 8601") from None
    found: dict[str, dict[str, Any]] = {}
    for chunk in _chunks(records):
        query = columns(Activity, col(ActivityLink.role), moment).join(
            ActivityLink, col(ActivityLink.activity_id) == col(Activity.id)).where(
            col(ActivityLink.record_id).in_(chunk), col(ActivityLink.removed).is_(None)).order_by(
            moment.desc(), col(Activity.id).desc()).limit(limit + 1)
        if until is not None:
            query = query.where(or_(moment < until, and_(moment == until, col(Activity.id) < last)) if last
                                else moment < until)
        for row, role, at in session.execute(query):
            stamp = at.isoformat(timespec="microseconds") if at else ""
            if stamp:
                found.setdefault(row.id, {
                    "id": row.id, "type": row.type, "at": stamp, "subject": row.subject, "division": row.division,
                    "staff": row.staff, "outcome": row.outcome, "role": role})
    return sorted(found.values(), key=lambda row: (row["at"], row["id"]), reverse=True)[:limit]


def who_talks(session: Session, who: Who, kind: str, ident: str) -> list[dict[str, Any]]:
    """Who already talks to them: `{"division", "staff", "times", "last"}`, the latest first; a task is no talk. No
    content. Raises as `timeline`."""
    must(who, Action.RECORD_LIST)
    seen(session, who, kind, ident)
    records = [ident]
    if kind == "organisation":
        records += session.scalars(columns(col(Contact.id)).where(col(Contact.organisation_id) == ident))
    found: dict[tuple[str, str], tuple[int, str]] = {}
    moment = func.max(func.coalesce(col(Activity.sent), col(Activity.created)))
    for chunk in _chunks(records):
        for division, staff, times, last in session.execute(
                columns(col(Activity.division), col(Activity.staff), func.count(col(Activity.id).distinct()), moment)
                .join(ActivityLink, col(ActivityLink.activity_id) == col(Activity.id))
                .where(col(ActivityLink.record_id).in_(chunk), col(ActivityLink.removed).is_(None),
                       col(Activity.variant_of) == "", col(Activity.type) != "task")
                .group_by(col(Activity.division), col(Activity.staff))):
            before, latest = found.get((division, staff), (0, ""))
            stamp = last.isoformat(timespec="seconds") if hasattr(last, "isoformat") else str(last)
            found[division, staff] = before + times, max(latest, stamp)
    return [{"division": division, "staff": staff, "times": times, "last": last}
            for (division, staff), (times, last) in sorted(found.items(), key=lambda pair: pair[1][1], reverse=True)]


def _chunks(values: Sequence[str], size: int = 400) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), size):
        yield values[start:start + size]
