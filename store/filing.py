"""The queue's row of a case: made when the case is opened, kept true while it changes. In the transaction of the act.

The ledger, the rescan and the closing of a case call this; the desk reads it. Whose a case is (its division, its
tagger) is looked up once, when it is opened or when its parties become known.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import people
from store.columns import now
from store.database import begin_write
from store.desk_tables import CaseParty, DeskCase
from store.desk_types import RULES, Filing, Rules, Tab
from store.errors import BadState
from store.people_tables import PersonRow
from store.risk import due, of_summary, unreadable
from store.tables import Case, CaseState
from store.watch_tables import WatchedMailbox

CLOSED = ""
"""The tab of a case that is closed: of none."""
_KINDS, _RULE = 512, 600


def opened(session: Session, case: Case, filed: Filing | None, *, mailbox: str) -> DeskCase:
    """The case is new. `mailbox` is that of whoever tracked it; without `filed` the parties are not known yet."""
    row = DeskCase(case_id=_id(case), tab=_tab(case), band="", content_hash=case.content_hash, opened=case.opened,
                   due=case.opened)
    session.add(row)
    _rank(row, case, filed.rules if filed else RULES)
    _belongs(session, row, case, filed, mailbox)
    session.flush()
    return row


def joined(session: Session, case: Case, filed: Filing | None) -> None:
    """Another copy joined the case: whoever tracked that one is a party too."""
    if filed is not None and filed.parties:
        _add_parties(session, _id(case), filed.parties)


def completed(session: Session, case: Case, filed: Filing, *, mailbox: str) -> None:
    """The parties of a case that was filed without them are known now, and so is by which rules it is ranked."""
    row = of(session, case)
    _rank(row, case, filed.rules)
    _belongs(session, row, case, filed, mailbox)
    session.flush()


def ranked(session: Session, case: Case, rules: Rules = RULES) -> None:
    """The summary of the case changed, and with it its risk."""
    _rank(of(session, case), case, rules)
    session.flush()


def closed(session: Session, case: Case) -> None:
    """The case is closed."""
    row = of(session, case)
    row.tab, row.claimed_by, row.claimed = CLOSED, "", None
    session.flush()


def escalated(session: Session, case: Case) -> None:
    """The case is an incident now."""
    row = of(session, case)
    row.tab, row.claimed_by, row.claimed = Tab.ESCALATED, "", None
    session.flush()


def reopened(session: Session, case: Case, rules: Rules = RULES) -> None:
    """The case waits for a decision again; its service level begins anew."""
    row = of(session, case)
    row.tab, row.told = _tab(case), 0
    _rank(row, case, rules, since=now())
    session.flush()


def to_queue(session: Session, case: Case) -> None:
    """Nothing waits for a second person any more."""
    row = of(session, case)
    row.tab = _tab(case)
    session.flush()


def of(session: Session, case: Case) -> DeskCase:
    """The queue's row of a case, for a change: the case must be locked."""
    begin_write(session)
    row = session.get(DeskCase, _id(case), populate_existing=True)
    return row if row is not None else opened(session, case, None, mailbox="")


def original_stays(session: Session, case_id: int) -> bool:
    """Whether the original of a case of which a redacted copy passed is kept for some days."""
    until = session.scalars(select(DeskCase.original_until).where(DeskCase.case_id == case_id)).one_or_none()
    return until is not None and until > now()


def in_review(session: Session, case_id: int) -> bool:
    """Whether somebody has taken a held case on."""
    row = session.get(DeskCase, case_id)
    return row is not None and (bool(row.claimed_by) or row.tab == Tab.SECOND)


def keep_original(session: Session, case_id: int, until: datetime) -> None:
    """The original of a redacted case stays till then; only to be called before its copy is linked."""
    begin_write(session)
    row = session.get_one(DeskCase, case_id)
    row.original_until = row.original_until or until
    session.flush()


def originals_over(session: Session, limit: int = 50) -> tuple[int, ...]:
    """Cases whose original has stayed long enough."""
    return tuple(session.scalars(select(DeskCase.case_id).where(
        col(DeskCase.original_until).is_not(None), col(DeskCase.original_until) <= now()).limit(limit)))


def original_gone(session: Session, case_id: int) -> None:
    """The original was destroyed."""
    begin_write(session)
    session.get_one(DeskCase, case_id).original_until = None
    session.flush()


def incomplete(session: Session, limit: int = 50) -> tuple[str, ...]:
    """Numbers of open cases whose parties are not known yet."""
    return tuple(session.scalars(select(Case.number).join(DeskCase, col(DeskCase.case_id) == col(Case.id)).where(
        col(DeskCase.parties).is_(False), col(DeskCase.tab) != CLOSED).order_by(Case.number).limit(limit)))


def overdue(session: Session, told: int, before: datetime, *, by_age: bool = False, limit: int = 500,
            lock: bool = True) -> tuple[tuple[DeskCase, str], ...]:
    """Cases to be decided whose service level ended before a moment (`by_age`: that were opened before it) and of which
    `told` were told so far, with their numbers; the longest overdue first, locked unless `lock` is false."""
    since = col(DeskCase.opened) if by_age else col(DeskCase.due)
    query = columns(DeskCase, col(Case.number)).join(Case, col(Case.id) == col(DeskCase.case_id)).where(
        col(DeskCase.told) == told, col(DeskCase.tab).in_((Tab.QUEUE, Tab.UNREADABLE, Tab.SECOND)),
        since < before).order_by(since).limit(limit)
    if lock:
        begin_write(session)
        query = query.with_for_update(of=DeskCase, skip_locked=True, key_share=True).execution_options(
            populate_existing=True)
    return tuple((row, number) for row, number in session.execute(query))


def division_of(session: Session, case: Case) -> str:
    """Whose case it is: the division of whoever tracked it, "" for nobody's."""
    row = session.get(DeskCase, case.id)
    return row.division if row is not None else ""


def parties_of(session: Session, case_id: int, digests: Iterable[str]) -> frozenset[str]:
    """Those of these keyed hashes that belong to a party of the case."""
    return frozenset(session.scalars(select(CaseParty.digest).where(
        CaseParty.case_id == case_id, col(CaseParty.digest).in_(list(digests)))))


def _rank(row: DeskCase, case: Case, rules: Rules, since: datetime | None = None) -> None:
    risk = of_summary(case.summary, rules.weights)
    row.band, row.rank, row.weight = risk.band, -round(risk.score * 100), risk.weight
    row.persons, row.elements, row.exposure = risk.persons, risk.elements, risk.exposure
    row.minors = int(case.summary.get("minors", 0))
    row.kinds = ",".join(map(str, case.summary.get("categories", ())))[:_KINDS]
    row.due = due(since or case.opened, risk.band, rules.levels)


def _belongs(session: Session, row: DeskCase, case: Case, filed: Filing | None, mailbox: str) -> None:
    taggers = (filed.taggers if filed else ()) or ((mailbox,) if "@" in mailbox else ())
    person = _person(session, taggers)
    row.tagger = person.id if person else ""
    row.division = str(case.summary.get("division", "")) or _division(session, person, mailbox)
    if filed is None:
        return
    if filed.sender:
        kinds = ",".join(sorted(map(str, case.summary.get("categories", ()))))
        row.sender, row.rule = filed.sender, f"{case.summary.get('rule', '')}:{kinds}"[:_RULE]
    if filed.parties is not None:
        _add_parties(session, row.case_id, filed.parties)
        row.parties = True


def _add_parties(session: Session, case_id: int, digests: frozenset[str]) -> None:
    known = parties_of(session, case_id, digests)
    session.add_all(CaseParty(case_id=case_id, digest=digest) for digest in sorted(digests - known))
    session.flush()


def _person(session: Session, addresses: Iterable[str]) -> PersonRow | None:
    for address in addresses:
        found = people.by_address(session, address)
        if found is not None:
            return found
    return None


def _division(session: Session, person: PersonRow | None, mailbox: str) -> str:
    """The tagger's division. With several it is the one their mailbox is watched for; else nobody's, which leaves
    the case to those who see all."""
    theirs = people.divisions_of(session, person.id) if person else frozenset()
    if len(theirs) == 1:
        return next(iter(theirs))
    watched = session.execute(columns(col(WatchedMailbox.division)).where(
        col(WatchedMailbox.mailbox) == mailbox)).scalar_one_or_none() or ""
    return watched if not theirs or watched in theirs else ""


def _tab(case: Case) -> str:
    if case.state == CaseState.ESCALATED:
        return Tab.ESCALATED
    return Tab.UNREADABLE if unreadable(case.summary) else Tab.QUEUE


def _id(case: Case) -> int:
    if case.id is None:
        raise BadState("a case that was not written yet")
    return case.id
