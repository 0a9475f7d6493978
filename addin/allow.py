"""The page of allow rules: every rule in force, what waits for approval, and a proposal out of a released case."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from addin.casework import at_desk, case_thing, names
from addin.door import Route, Visitor
from addin.forms import fields, number_of
from addin.frame import page_for
from capture import allowing
from store import allow, audit
from store.access import Action, Thing, may
from store.errors import AllowRefused, ContentDestroyed

REASONS: Final = ("false-positive", "business-identifier", "staff-directory", "form-or-template")
ENDINGS: Final = ("not-needed", "too-wide", "wrong", "replaced")


def rule_thing(request: Request, visitor: Visitor) -> Thing:
    """The rule the path names, for the door. Raises `NotFound`."""
    with visitor.database.reading() as session:
        return allowing.rule_thing(allow.get(session, request.path_params["rule"]))


def listing(request: Request, ended: bool = False) -> HTMLResponse:
    """Every rule in force or proposed; with `ended` all there ever were. The look is audited."""
    at = at_desk(request)
    with at.database.session() as session:
        rows = allow.listed(session, everything=ended)
        audit.append(session, "policy:allow:listed", actor=at.visitor.person.id, body={"rules": len(rows)})
        known = names(session, {p for r in rows for p in (r.proposed_by, r.approved_by, r.ended_by)})
    person = at.visitor.person
    shown = [allow.as_row(r) | {
        "propose": bool(may(person, Action.RULE_PROPOSE, Thing(r.division))),
        "approve": bool(may(person, Action.RULE_APPROVE, allowing.rule_thing(r)))} for r in rows]
    return page_for(request, "allow/rules.html", rules=shown, ended=ended, names=known, endings=ENDINGS)


def choose(request: Request) -> HTMLResponse:
    """What of a released case a rule could be about, without values."""
    return _choose(request, "")


def _choose(request: Request, wrong: str, status: int = 200) -> HTMLResponse:
    at, number = at_desk(request), request.path_params["number"]
    gone = False
    found: tuple[allowing.Candidate, ...] = ()
    with at.database.session() as session:
        audit.append(session, "quarantine:case:read", actor=at.visitor.person.id, subject=number.upper())
    try:
        found = allowing.candidates(at.tools.get(), number)
    except ContentDestroyed:
        gone = True
    everywhere = may(at.visitor.person, Action.RULE_PROPOSE)
    return page_for(request, "allow/propose.html", status, number=number, candidates=found, gone=gone, wrong=wrong,
                    reasons=REASONS, organisation=bool(everywhere), division=request.state.thing.division,
                    days=request.app.state.settings.accountability.allow_days, most=allow.MOST_DAYS)


async def propose(request: Request) -> Response:
    """Propose a rule for one finding."""
    given = await fields(request, "finding", "kind", "pattern", "scope", "reason", "days")
    return await run_in_threadpool(_propose, request, given)


def _propose(request: Request, given: dict[str, str]) -> Response:
    at, number = at_desk(request), request.path_params["number"].upper()
    finding, _, kind = given["finding"].partition("/")
    try:
        scope = allowing.scope_of(at.visitor.person, given["scope"], request.state.thing)
        wish = allowing.wish_for(
            at.tools.get(), number, number_of(finding), given["kind"] or kind, pattern=given["pattern"],
            division=scope, reason=given["reason"], days=number_of(given["days"]))
        with at.database.session() as session:
            allowing.propose_for(session, wish, actor=at.visitor.person.id)
    except AllowRefused as refused:
        return _choose(request, refused.facts, 409)
    return RedirectResponse("/allow", 303)


def test(request: Request) -> Response:
    """Look up what a rule would have let pass; the result stands with the rule."""
    at = at_desk(request)
    allowing.tried(at.tools.get(), request.path_params["rule"], actor=at.visitor.person.id)
    return RedirectResponse("/allow", 303)


def approve(request: Request) -> Response:
    """Put a rule in force."""
    at = at_desk(request)
    with at.database.session() as session:
        allow.approve(session, request.path_params["rule"], actor=at.visitor.person.id)
    return RedirectResponse("/allow", 303)


async def withdraw(request: Request) -> Response:
    """End a rule, or turn a proposal down."""
    given = await fields(request, "reason")
    if given["reason"] not in ENDINGS:
        raise HTTPException(422, "bad-request")
    return await run_in_threadpool(_withdraw, request, given["reason"])


def _withdraw(request: Request, reason: str) -> Response:
    at = at_desk(request)
    with at.database.session() as session:
        allow.withdraw(session, request.path_params["rule"], actor=at.visitor.person.id, reason=reason)
    return RedirectResponse("/allow", 303)


_RULE: Final = "/allow/{rule}"
ROUTES: Final = (
    Route("GET", "/allow", "allow_rules", listing, Action.POLICY_READ),
    Route("GET", "/desk/case/{number}/allow", "allow_choose", choose, Action.RULE_PROPOSE, about=case_thing),
    Route("POST", "/desk/case/{number}/allow", "allow_propose", propose, Action.RULE_PROPOSE, about=case_thing),
    Route("POST", f"{_RULE}/test", "allow_test", test, Action.RULE_PROPOSE, about=rule_thing),
    Route("POST", f"{_RULE}/approve", "allow_approve", approve, Action.RULE_APPROVE, about=rule_thing),
    Route("POST", f"{_RULE}/withdraw", "allow_withdraw", withdraw, Action.RULE_PROPOSE, about=rule_thing),
)
"""The routes of allow rules."""
