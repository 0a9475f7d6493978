"""The queue as a person may see it, and one case as `may` and the pages want it. Reads only; nothing is audited here.

A page comes out of an index that begins with the tab, which closed cases are not in, so it takes as long with a
million of them as with none. With several divisions each is asked by itself and the answers are merged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import cases
from store.access import Action, Person, Role, Scope, Thing, reach
from store.columns import UtcDateTime, now
from store.crypto import Keys
from store.desk_tables import DeskCase, RulingRow
from store.desk_types import BULK_MOST, Family, Member, Outcome, QueuePage, QueueRow, RulingState, Tab
from store.errors import BadState
from store.filing import parties_of
from store.people_tables import RoleGrant
from store.risk import Risk, unreadable
from store.tables import Case, CaseState

_PLACES = (Tab.QUEUE, Tab.UNREADABLE, Tab.SECOND, Tab.ESCALATED)
_TO_DECIDE = (Tab.QUEUE, Tab.UNREADABLE, Tab.SECOND)
_ORDER = (col(DeskCase.rank), col(DeskCase.due), col(DeskCase.opened), col(DeskCase.case_id))
_AFTER = re.compile(r"(-?\d{1,9})\.(\d{1,17})\.(\d{1,17})\.(\d{1,10})")
_CODE = re.compile(r"[a-z_]{1,40}")
_AT_ONCE = 500
"""Keys in one question; databases take so many values only."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOUND = tuple[DeskCase, Case]


def party(keys: Keys, address: str) -> str:
    """The keyed hash by which a party to a case is known."""
    return keys.digest("party", address.strip().casefold().encode())


def queue(session: Session, person: Person, *, tab: str = "queue", division: str = "", kind: str = "",
          reason: str = "", policy: str = "", tagger: str = "", overdue: bool = False, after: str = "",
          limit: int = 50) -> QueuePage:
    """One page of open cases within the person's reach; a person without any gets an empty page.

    Filters: `division`, `kind` (a category), `reason`, `policy` ("name@version"), `tagger` (id of a person),
    `overdue`. `after` is the `next` of the page before. Raises `BadState` for a tab or an `after` there is not.
    """
    if tab not in tuple(Tab):
        raise BadState("there is no such tab")
    begins, moment = _begins(after), now()
    scopes = _scopes(person)
    if scopes is None or (kind and not _CODE.fullmatch(kind)):
        return QueuePage((), "", dict.fromkeys(map(str, Tab), 0))
    wanted = _in_tab(tab, person)
    if kind:
        wanted.append((sa.literal(",") + col(DeskCase.kinds) + sa.literal(",")).contains(f",{kind},", autoescape=True))
    for column, value in ((col(Case.reason), reason), (col(Case.policy), policy), (col(DeskCase.tagger), tagger)):
        if value:
            wanted.append(column == value)
    if overdue:
        wanted.append(col(DeskCase.due) < moment)
    if begins is not None:
        rank, due, opened, ident = begins
        wanted.append(sa.tuple_(*_ORDER) > sa.tuple_(sa.literal(rank), sa.literal(due, UtcDateTime()),
                                                     sa.literal(opened, UtcDateTime()), sa.literal(ident)))
    within = [*scopes] if not division else [d for d in (division,) if "*" in scopes or d in scopes]
    found = _some(session, wanted, within, limit + 1)
    shown = found[:limit]
    counts, late = _counts(session, person, scopes, moment)
    return QueuePage(_rows(session, shown, moment), _cursor(shown[-1][0]) if len(found) > limit else "", counts, late)


def ranked(session: Session, *, closed: bool = False) -> tuple[tuple[QueueRow, Case], ...]:
    """Every held case in the queue's order, for a list at the terminal; with `closed` every other after them."""
    query = sa.select(DeskCase, Case).join(Case, col(Case.id) == col(DeskCase.case_id)).order_by(
        col(DeskCase.tab) == "", *_ORDER)
    found = [(desk, case) for desk, case in session.execute(
        query if closed else query.where(col(Case.state) == CaseState.HELD))]
    return tuple(zip(_rows(session, found, now()), (case for _, case in found), strict=True))


def row(session: Session, number: str) -> QueueRow:
    """One case as the queue shows it, open or closed. Raises `NotFound`."""
    case = cases.get(session, number)
    [shown] = _rows(session, [(desk_row(session, case), case)], now())
    return shown


def within(session: Session, person: Person, case: Case) -> bool:
    """Whether a case is within the person's reach, as a list is cut to it."""
    scopes = _scopes(person)
    return scopes is not None and ("*" in scopes or desk_row(session, case).division in scopes)


def somebody_reviews(session: Session) -> bool:
    """Whether there is a reviewer or privacy officer: from then on cases are theirs to decide."""
    return session.scalars(select(RoleGrant.id).where(
        col(RoleGrant.role).in_((Role.REVIEWER, Role.PRIVACY_OFFICER)), col(RoleGrant.granted).is_not(None),
        col(RoleGrant.ended).is_(None)).limit(1)).first() is not None


def thing(session: Session, keys: Keys, number: str, person: Person) -> Thing:
    """The case as `may` wants it: the tagger's division, the tagger, the parties, who decided first.

    Parties are kept as keyed hashes only: the result holds those of the person's own addresses that are among them.
    Are they not known yet, all of them are. Raises `NotFound`.
    """
    case = cases.get(session, number)
    return thing_of(session, keys, desk_row(session, case), person)


def thing_of(session: Session, keys: Keys, desk: DeskCase, person: Person) -> Thing:
    """As `thing`, for the queue's row of a case."""
    mine = {party(keys, address): address for address in person.addresses}
    theirs = parties_of(session, desk.case_id, mine) if desk.parties else frozenset(mine)
    first = session.scalars(select(RulingRow.made_by).where(RulingRow.open_key == str(desk.case_id))).all()
    return Thing(division=desk.division, owner=desk.tagger, parties=frozenset(mine[digest] for digest in theirs),
                 before=frozenset(first))


def desk_row(session: Session, case: Case) -> DeskCase:
    """The queue's row of a case."""
    return session.get_one(DeskCase, case.id)


def family(session: Session, number: str, person: Person) -> Family:
    """The open cases that may be ruled on together with this one, itself included, within the person's reach, and
    what differs. Raises `NotFound`."""
    case = cases.get(session, number)
    lead, scopes, moment = desk_row(session, case), _scopes(person), now()
    found: dict[int, _FOUND] = {}
    if scopes is not None:
        for same in _kinships(lead):
            for place in (Tab.QUEUE, Tab.UNREADABLE):
                wanted = [col(DeskCase.tab) == place, *same]
                found |= {desk.case_id: (desk, other) for desk, other in _some(
                    session, wanted, scopes, BULK_MOST + 1)}
    found.pop(lead.case_id, None)
    rows = _rows(session, [(lead, case), *islice(found.values(), BULK_MOST - 1)], moment)
    members = tuple(Member(other, desk.content_hash == lead.content_hash, _differs(rows[0], other))
                    for other, desk in zip(rows, [lead, *(desk for desk, _ in found.values())], strict=False))
    return Family(case.number, members, more=len(found) >= BULK_MOST)


def same_family(first: DeskCase, other: DeskCase) -> bool:
    """Whether two cases may be ruled on together: the same content, or the same sender and rules."""
    return bool((first.content_hash and first.content_hash == other.content_hash) or (
        first.sender and (first.sender, first.rule) == (other.sender, other.rule)))


def _kinships(lead: DeskCase) -> list[list[sa.ColumnElement[bool]]]:
    found: list[list[sa.ColumnElement[bool]]] = []
    if lead.content_hash:
        found.append([col(DeskCase.content_hash) == lead.content_hash])
    if lead.sender:
        found.append([col(DeskCase.sender) == lead.sender, col(DeskCase.rule) == lead.rule])
    return found


def _differs(lead: QueueRow, other: QueueRow) -> tuple[str, ...]:
    pairs: Mapping[str, tuple[Any, Any]] = {
        "risk": (lead.risk.band, other.risk.band), "persons": (lead.persons, other.persons),
        "elements": (lead.elements, other.elements), "kinds": (set(lead.kinds), set(other.kinds)),
        "places": (lead.places, other.places), "division": (lead.division, other.division),
        "reason": (lead.reason, other.reason), "policy": (lead.policy, other.policy),
        "tagger": (lead.tagger, other.tagger), "unreadable": (lead.unreadable, other.unreadable)}
    return tuple(name for name, (one, two) in pairs.items() if one != two)


def _scopes(person: Person) -> Sequence[str] | None:
    """The divisions to look into, ["*"] for all, None for none."""
    scope = reach(person, Action.QUEUE_LIST) if person.active and person.bound else None
    if scope is Scope.ALL:
        return ["*"]
    return sorted(person.divisions) or None if scope is Scope.DIVISION else None


def _in_tab(tab: str, person: Person) -> list[sa.ColumnElement[bool]]:
    if tab == Tab.MINE:
        return [col(DeskCase.claimed_by) == person.id, col(DeskCase.tab).in_(_PLACES)]
    return [col(DeskCase.tab) == tab]


def _some(session: Session, wanted: Iterable[sa.ColumnElement[bool]], divisions: Iterable[str],
          limit: int) -> list[_FOUND]:
    """The first cases in the queue's order, of these divisions."""
    base = sa.select(DeskCase, Case).join(Case, col(Case.id) == col(DeskCase.case_id)).where(*wanted).order_by(
        *_ORDER).limit(limit)
    runs: list[list[_FOUND]] = []
    for division in divisions:
        query = base if division == "*" else base.where(col(DeskCase.division) == division)
        runs.append([(desk, case) for desk, case in session.execute(query)])
    return list(islice(merge(*runs, key=lambda pair: _key(pair[0])), limit))


def _counts(session: Session, person: Person, scopes: Sequence[str], moment: datetime) -> tuple[dict[str, int], int]:
    late = sa.func.coalesce(sa.func.sum(sa.case((col(DeskCase.due) < moment, 1), else_=0)), 0)
    query = sa.select(col(DeskCase.tab), sa.func.count(), late).where(col(DeskCase.tab).in_(_PLACES)).group_by(
        col(DeskCase.tab))
    mine = sa.select(sa.func.count()).select_from(DeskCase).where(*_in_tab(Tab.MINE, person))
    if "*" not in scopes:
        theirs = col(DeskCase.division).in_(scopes)
        query, mine = query.where(theirs), mine.where(theirs)
    counts, overdue = dict.fromkeys(map(str, Tab), 0), 0
    for tab, number, beyond in session.execute(query):
        counts[tab] = int(number)
        overdue += int(beyond) if tab in _TO_DECIDE else 0
    counts[Tab.MINE] = int(session.execute(mine).scalar_one())
    return counts, overdue


def _rows(session: Session, found: Sequence[_FOUND], moment: datetime) -> tuple[QueueRow, ...]:
    open_keys = [str(desk.case_id) for desk, _ in found]
    waiting = {ruling.case_id: ruling for start in range(0, len(open_keys), _AT_ONCE) for ruling in session.scalars(
        select(RulingRow).where(col(RulingRow.open_key).in_(open_keys[start:start + _AT_ONCE])))}
    return tuple(_row(desk, case, waiting.get(desk.case_id), moment) for desk, case in found)


def _row(desk: DeskCase, case: Case, ruling: RulingRow | None, moment: datetime) -> QueueRow:
    lines = [*case.summary.get("findings", ()), *case.summary.get("unread", ())]
    late = moment - desk.due if desk.tab in _TO_DECIDE else timedelta(0)
    return QueueRow(
        number=case.number, state=_state(desk, case, ruling),
        risk=Risk(-desk.rank / 100, desk.band, desk.weight, desk.persons, desk.elements, desk.exposure),
        kinds=tuple(kind for kind in desk.kinds.split(",") if kind), persons=desk.persons, elements=desk.elements,
        minors=desk.minors, places=tuple(dict.fromkeys(str(line["place"]) for line in lines)),
        division=desk.division, opened=desk.opened, due=desk.due, overdue=late > timedelta(0),
        trackers=case.trackers, claimed_by=desk.claimed_by, unreadable=unreadable(case.summary),
        awaiting_second=desk.tab == Tab.SECOND, reason=case.reason, policy=case.policy,
        tab=Tab(desk.tab) if desk.tab else Tab.QUEUE, tagger=desk.tagger, told=desk.told,
        ruling=ruling.id if ruling else "", ruled_by=ruling.made_by if ruling else "",
        outcome=Outcome(ruling.outcome) if ruling else "", effective_at=ruling.effective if ruling else None,
        late=max(late, timedelta(0)))


def _state(desk: DeskCase, case: Case, ruling: RulingRow | None) -> str:
    if case.state != CaseState.HELD:
        return case.state
    if ruling is not None:
        return "awaiting-second" if ruling.state == RulingState.SECOND else "deciding"
    return "claimed" if desk.claimed_by else "held"


def _key(desk: DeskCase) -> tuple[int, datetime, datetime, int]:
    return desk.rank, desk.due, desk.opened, desk.case_id


def _cursor(desk: DeskCase) -> str:
    return f"{desk.rank}.{_micros(desk.due)}.{_micros(desk.opened)}.{desk.case_id}"


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _begins(after: str) -> tuple[int, datetime, datetime, int] | None:
    if not after:
        return None
    found = _AFTER.fullmatch(after)
    if found is None:
        raise BadState("there is no such page")
    rank, due, opened, ident = map(int, found.groups())
    try:
        return (rank, _EPOCH + timedelta(microseconds=due), _EPOCH + timedelta(microseconds=opened), ident)
    except OverflowError:
        raise BadState("there is no such page") from None
