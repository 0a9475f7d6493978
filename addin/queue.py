"""The queue: what is held, the worst first, with the parts of its risk. No subject line, no value, no file name."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse
from sqlmodel import col, select

from addin import casework, words
from addin.casework import at_desk
from addin.frame import page_for
from store.access import Action, Scope, reach
from store.columns import now
from store.database import Database
from store.people_tables import Division, PersonRow
from store.tables import Capture

_CODE: Final = re.compile(r"[A-Za-z0-9_.:@=/+-]{0,128}")
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
    everywhere = reach(person, Action.QUEUE_LIST) is Scope.ALL
    return page_for(
        request, "desk/queue.html", rows=found.page.rows, counts=found.page.counts, overdue=found.page.overdue,
        names=found.names, tab=tab, tabs=words.TABS, filters=filters, filtered=bool(kept), kinds=words.KINDS,
        divisions=divisions(at.database) if everywhere else sorted(person.divisions),
        taggers=trackers(at.database) if everywhere else {}, me=person.id, now=now(),
        more="/desk?" + urlencode(onward) if found.page.next else "")


def divisions(database: Database) -> list[str]:
    """Every division, by name."""
    with database.reading() as session:
        return sorted(session.scalars(select(Division.key)))


def trackers(database: Database) -> dict[str, str]:
    """Who may have tracked something: ids and names of the people of the register whose mailboxes are watched."""
    with database.reading() as session:
        boxes = {name.partition("@")[0].casefold() for name in session.scalars(select(Capture.mailbox).distinct())}
        rows = session.execute(select(PersonRow.id, PersonRow.address).order_by(col(PersonRow.address)))
        return {ident: name for ident, address in rows if (name := address.partition("@")[0]) in boxes}
