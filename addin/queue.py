"""The queue: what is held, the worst first, with the parts of its risk. No subject line, no value, no file name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from sqlmodel import col, select

from addin import casework, words
from addin.casework import at_desk
from addin.frame import page_for
from store.access import Action, Role, Scope, reach
from store.columns import now
from store.database import Database
from store.people_tables import Division, PersonDivision, PersonRow, RoleGrant

_CODE: Final = re.compile(r"[A-Za-z0-9_.:@=/+-]{0,128}")
MOST_NAMES: Final = 500
Code = Annotated[str, Query(max_length=600)]


def listing(request: Request, tab: Code = "queue", division: Code = "", kind: Code = "", reason: Code = "",
            policy: Code = "", tagger: Code = "", overdue: bool = False, after: Code = "") -> HTMLResponse:
    """A page of the queue within the reach of the one who asks."""
    at = at_desk(request)
    filters: dict[str, str | bool] = {
        "division": division, "kind": kind, "reason": reason, "policy": policy, "tagger": tagger, "overdue": overdue}
    if tab not in words.TABS or not all(_CODE.fullmatch(v) for v in (*filters.values(), after) if isinstance(v, str)):
        raise HTTPException(422, "bad-request")
    found = casework.queue(at, tab=tab, after=after, **filters)
    kept = {name: value for name, value in filters.items() if value}
    onward = {"tab": tab, **kept, "after": found.page.next}
    person = at.visitor.person
    mine = divisions(at.database) if reach(person, Action.QUEUE_LIST) is Scope.ALL else sorted(person.divisions)
    return page_for(
        request, "desk/queue.html", rows=found.page.rows, counts=found.page.counts, overdue=found.page.overdue,
        names=found.names, tab=tab, tabs=words.TABS, filters=filters, filtered=bool(kept), kinds=words.KINDS,
        divisions=mine, taggers=trackers(at.database, mine), me=person.id, now=now(),
        more="/desk?" + urlencode(onward) if found.page.next else "")


def divisions(database: Database) -> list[str]:
    """Every division, by name."""
    with database.reading() as session:
        return sorted(session.scalars(select(Division.key)))


def trackers(database: Database, divisions: Iterable[str]) -> dict[str, str]:
    """Who may track something in these divisions: ids and names, by name. Looked up among the people, never among the
    cases, so that it takes no longer with more of those."""
    with database.reading() as session:
        rows = session.execute(
            select(PersonRow.id, PersonRow.address)
            .join(RoleGrant, col(RoleGrant.person_id) == PersonRow.id)
            .join(PersonDivision, col(PersonDivision.person_id) == PersonRow.id)
            .where(RoleGrant.role == Role.STAFF, col(RoleGrant.ended).is_(None), col(PersonDivision.ended).is_(None),
                   col(PersonDivision.division).in_(list(divisions)))
            .order_by(col(PersonRow.address)).limit(MOST_NAMES))
        return {ident: address.partition("@")[0] for ident, address in rows}
