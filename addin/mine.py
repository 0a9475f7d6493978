"""The page of a user's own items: states, why something is held, "I think this is wrong", courses; and counts for
managers."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from addin.casework import at_desk, case_thing, names
from addin.door import Route, Visitor
from addin.forms import fields
from addin.frame import page_for
from capture import mine as work
from capture.notices import KIND_WORDS, REPORT_ANSWERS, SYSTEM_WORDS, UNREAD_WORDS
from capture.wording import WordsRefused
from store import audit, follow, reports
from store.access import Action, Scope, Thing, reach
from store.errors import BadState

STATES: Final = {"checking": "Checking", "tracked": "Tracked", "held": "Held for privacy review",
                 "not-tracked": "Not tracked"}


def mine_thing(request: Request, visitor: Visitor) -> Thing:
    """The case the path names, as the visitor's own or not. Raises `NotFound`."""
    with visitor.database.reading() as session:
        return work.thing_of(session, request.app.state.settings, request.path_params["number"], visitor.person)


def listing(request: Request) -> HTMLResponse:
    """One's own items. The look is audited."""
    return _listing(request, "", "")


def _listing(request: Request, number: str, wrong: str, status: int = 200) -> HTMLResponse:
    at, settings = at_desk(request), request.app.state.settings
    person = at.visitor.person
    with at.database.session() as session:
        items = reports.mine(session, work.mailboxes_of(person.addresses, settings))
        audit.append(session, "case:mine:listed", actor=person.id, body={"items": len(items)})
        said: dict[str, list[reports.Report]] = {}
        for one in reports.of_person(session, at.keys, person.id):
            said.setdefault(one.number, []).append(one)
        courses = follow.of_person(session, person.id)
    waiting = {n for n, found in said.items() if any(r.answered is None for r in found) or len(found) >= reports.MOST}
    return page_for(request, "mine/mine.html", status, items=items, said=said, waiting=waiting, states=STATES,
                    codes=reports.CODES, answers=REPORT_ANSWERS, kind_words=KIND_WORDS, unread_words=UNREAD_WORDS,
                    system_words=SYSTEM_WORDS, wrong=wrong, wrong_number=number, courses=courses)


async def report(request: Request) -> Response:
    """A user says that a hold is wrong."""
    given = await fields(request, "code", "text")
    if given["code"] not in reports.CODES:
        raise HTTPException(422, "bad-request")
    return await run_in_threadpool(_report, request, given["code"], given["text"])


def _report(request: Request, code: str, text: str) -> Response:
    at, number = at_desk(request), request.path_params["number"].upper()
    try:
        work.report(at.database, at.keys, at.tools.get().scanner, number, at.visitor.person, code, text)
    except WordsRefused as refused:
        return _listing(request, number, f"Not kept: your text holds personal information ({refused.facts}). "
                        "Say it by kind and place only.", 409)
    except BadState:
        return _listing(request, number, "The case is closed, or you reported on it already.", 409)
    return RedirectResponse("/mine", 303)


def on_case(request: Request) -> HTMLResponse:
    """The reports on a case, for its reviewer. The reading is audited."""
    return _on_case(request, "")


def _on_case(request: Request, wrong: str, status: int = 200) -> HTMLResponse:
    at, number = at_desk(request), request.path_params["number"].upper()
    with at.database.session() as session:
        found = reports.of_case(session, at.keys, number)
        audit.append(session, "case:report:read", actor=at.visitor.person.id, subject=number,
                     body={"reports": len(found)})
        known = names(session, {p for r in found for p in (r.person, r.answered_by)})
    return page_for(request, "mine/reports.html", status, number=number, reports=found, names=known, wrong=wrong,
                    codes=reports.CODES, answers=REPORT_ANSWERS)


async def answer(request: Request) -> Response:
    """A reviewer answers a report."""
    given = await fields(request, "report", "code", "text")
    if given["code"] not in REPORT_ANSWERS:
        raise HTTPException(422, "bad-request")
    return await run_in_threadpool(_answer, request, given)


def _answer(request: Request, given: dict[str, str]) -> Response:
    at, number = at_desk(request), request.path_params["number"].upper()
    try:
        work.answer(at.database, at.keys, at.tools.get().scanner, number, given["report"], given["code"],
                    given["text"], actor=at.visitor.person.id)
    except WordsRefused as refused:
        return _on_case(request, f"Not kept: the text holds personal information ({refused.facts}).", 409)
    except BadState:
        return _on_case(request, "It was answered already, or it is your own.", 409)
    return RedirectResponse(f"/desk/case/{number}/reports", 303)


def training(request: Request) -> HTMLResponse:
    """How many tips and courses, per division; and what the courses did. No names."""
    at, person = at_desk(request), at_desk(request).visitor.person
    everywhere = reach(person, Action.REPORT_READ) is Scope.ALL
    with at.database.session() as session:
        rows = follow.counts(session, None if everywhere else person.divisions)
        effect = work.effect(session, request.app.state.settings) if everywhere else None
        audit.append(session, "people:follow-up:counted", actor=person.id, body={"divisions": len(rows)})
    return page_for(request, "mine/training.html", rows=rows, effect=effect)


ROUTES: Final = (
    Route("GET", "/mine", "mine", listing, Action.ITEM_STATUS),
    Route("POST", "/mine/{number}/report", "mine_report", report, Action.CASE_REPORT, about=mine_thing),
    Route("GET", "/desk/case/{number}/reports", "case_reports", on_case, Action.CASE_READ, about=case_thing),
    Route("POST", "/desk/case/{number}/reports", "case_answer", answer, Action.CASE_CLAIM, about=case_thing),
    Route("GET", "/training", "training", training, Action.REPORT_READ),
)
"""The routes of users and their reports."""
