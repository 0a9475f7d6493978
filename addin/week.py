"""The auditor's pages: weeks, one week flag by flag with comments and the signature, and readings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from addin.casework import at_desk, names
from addin.door import Route
from addin.forms import fields
from addin.frame import page_for
from capture import weekly
from capture.wording import WordsRefused, checked
from store import audit, people, readings, week
from store.access import Action
from store.errors import BadState, NotFound
from store.week_rules import FLAGS, WeekRules, week_before, week_of

Text = Annotated[str, Query(max_length=128)]


def weeks(request: Request) -> HTMLResponse:
    """The weeks, newest first, and which wait for a signature."""
    at, rules = at_desk(request), _rules(request)
    weekly.build_missing(at.database, rules)
    with at.database.reading() as session:
        rows, late = week.listed(session), week.overdue(session, rules)
        known = names(session, {row.signed_by for row in rows})
    return page_for(request, "week/weeks.html", weeks=rows, late=[row.week for row in late], names=known,
                    running=week_of(datetime.now(UTC), rules.zone))


def one(request: Request) -> HTMLResponse:
    """One week, flag by flag. The look is audited."""
    return _one(request, "", "")


def _one(request: Request, wrong: str, flag: str, status: int = 200) -> HTMLResponse:
    at, rules = at_desk(request), _rules(request)
    name = request.path_params["week"]
    try:
        found = weekly.look(at.database, at.keys, rules, name, actor=at.visitor.person.id)
    except (NotFound, BadState):
        raise HTTPException(404, "not-found") from None
    said: dict[str, list[dict[str, str]]] = {}
    for comment in found["comments"]:
        said.setdefault(comment["flag"], []).append(comment)
    return page_for(request, "week/week.html", status, found=found, titles=FLAGS, said=said, wrong=wrong,
                    wrong_flag=flag, before=week_before(name, rules.zone),
                    names={ident: address.partition("@")[0] for ident, address in found["names"].items()},
                    open=[f["id"] for f in found["flags"] if f["id"] not in said])


async def comment(request: Request) -> Response:
    """Say something about a flag."""
    given = await fields(request, "flag", "text")
    return await run_in_threadpool(_comment, request, given["flag"], given["text"])


def _comment(request: Request, flag: str, text: str) -> Response:
    at, name = at_desk(request), request.path_params["week"]
    try:
        plain = checked(at.tools.get().scanner, text)
        with at.database.session() as session:
            week.comment(session, at.keys, name, flag, plain, actor=at.visitor.person.id)
    except WordsRefused as refused:
        return _one(request, f"Not kept: the text holds personal information ({refused.facts}).", flag, 409)
    except BadState as refused:
        return _one(request, refused.facts, flag, 409)
    return RedirectResponse(f"/week/{name}#{flag}", 303)


async def sign(request: Request) -> Response:
    """Sign the week as it was shown."""
    given = await fields(request, "digest")
    return await run_in_threadpool(_sign, request, given["digest"])


def _sign(request: Request, digest: str) -> Response:
    at, name = at_desk(request), request.path_params["week"]
    try:
        with at.database.session() as session:
            week.sign(session, name, actor=at.visitor.person.id, digest=digest or "-")
    except BadState as refused:
        return _one(request, refused.facts, "", 409)
    return RedirectResponse(f"/week/{name}", 303)


def reading(request: Request, person: Text = "", subject: Text = "", since: Text = "", until: Text = "") -> Response:
    """Every reading that fits, the newest first. The look is audited."""
    at = at_desk(request)
    begin, end = _day(since), _day(until)
    with at.database.session() as session:
        rows = readings.found(session, person=_person(session, person), subject=subject.strip(), since=begin,
                              until=end)
        audit.append(session, "audit:readings:read", actor=at.visitor.person.id, body={"rows": len(rows)})
        known = names(session, {row.actor for row in rows})
    return page_for(request, "week/readings.html", rows=rows[::-1], names=known,
                    asked={"person": person, "subject": subject, "since": since, "until": until})


def _person(session: Session, named: str) -> str:
    row = people.by_address(session, named) if "@" in named else None
    return row.id if row is not None else named.strip()


def _rules(request: Request) -> WeekRules:
    return weekly.rules_of(request.app.state.settings)


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise HTTPException(422, "bad-request") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


ROUTES: Final = (
    Route("GET", "/week", "weeks", weeks, Action.AUDIT_READ),
    Route("GET", "/week/{week}", "week", one, Action.AUDIT_READ),
    Route("POST", "/week/{week}/comment", "week_comment", comment, Action.AUDIT_SIGN),
    Route("POST", "/week/{week}/sign", "week_sign", sign, Action.AUDIT_SIGN),
    Route("GET", "/readings", "readings", reading, Action.AUDIT_READ),
)
"""The routes of the auditor."""
