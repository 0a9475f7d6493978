"""One case: its masked text place by place, why each finding fired, what was exempted, its history, and the acts of a
reviewer. Who may was asked at the door, about this very case.

An act answers with the way back to the case, so that a page loaded anew does nothing twice.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from addin import casework, words
from addin.casework import REVEAL_SECONDS, Shown, at_desk
from addin.frame import page_for
from addin.pages import SENTENCES
from capture.masked import BlockView, CaseView, Masked, PartView, TableView, Why
from pii_scan.text import Label
from store.access import Action, Scope, may, reach
from store.desk import BULK_MOST, Event
from store.tables import OPEN_CASE

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NUMBER: Final = re.compile(r"MW-\d{4}-\d{6,9}")
MOST_REMARK: Final = 500
MOST_OFFSET: Final = 10_000_000
Offset = Annotated[int, Query(ge=0, le=MOST_OFFSET)]


@dataclass(frozen=True, slots=True)
class PartShown:
    """A part with the reasons gathered: those that count and those that do not, each once, with the labels of what it
    is about in the text ("" for the part as a whole). `blocks` are those to show: a file name in which nothing was
    found stands in the head of the part already."""

    view: PartView
    blocks: tuple[BlockView, ...]
    counted: tuple[tuple[tuple[str, ...], Why], ...]
    exempted: tuple[tuple[tuple[str, ...], Why], ...]


def look(request: Request, offset: Offset = 0) -> HTMLResponse:
    """The case."""
    return _page(request, casework.look(at_desk(request), number_of(request), offset=offset))


async def reveal(request: Request) -> Response:
    """Show one hidden thing on a page of its own, for a browser without scripts."""
    return await _with_form(request, _reveal)


def _reveal(request: Request, form: FormData) -> Response:
    number, ref = number_of(request), _text(form, "ref")
    reason, remark = reason_of(form, "reveal"), _text(form, "remark").strip()
    if not _REF.fullmatch(ref) or not 0 < len(remark) <= MOST_REMARK:
        raise HTTPException(422, "bad-request")
    value = casework.reveal(at_desk(request), number, ref, reason=reason, remark=remark)
    return page_for(request, "desk/revealed.html", number=number, value=value, seconds=REVEAL_SECONDS)


async def claim(request: Request) -> Response:
    """Take the case on, or give it back."""
    return await _with_form(request, _claim)


def _claim(request: Request, form: FormData) -> Response:
    casework.claim(at_desk(request), number_of(request), give_back=_text(form, "give_back") == "1")
    return RedirectResponse("/desk" if _text(form, "back") == "queue" else here(request), 303)


def ruled(outcome: str) -> Callable[[Request], Awaitable[Response]]:
    """The answer to a form that rules so: "release", "delete", "escalate"."""
    def act(request: Request, form: FormData) -> Response:
        casework.rule(at_desk(request), number_of(request), outcome, reason_of(form, outcome),
                      suspend=outcome == "escalate" and _text(form, "suspend") == "1")
        return RedirectResponse(here(request), 303)

    async def answer(request: Request) -> Response:
        return await _with_form(request, act)

    return answer


async def undo(request: Request) -> Response:
    """Take the ruling back that is not in effect yet."""
    await run_in_threadpool(lambda: casework.undo(at_desk(request), number_of(request)))
    return RedirectResponse(here(request), 303)


async def second(request: Request) -> Response:
    """The second person's answer."""
    return await _with_form(request, _second)


def _second(request: Request, form: FormData) -> Response:
    reason = _text(form, "reason")
    if reason not in words.REASONS["agree"] and reason not in words.REASONS["refuse"]:
        raise HTTPException(422, "bad-request")
    casework.second(at_desk(request), number_of(request), reason in words.REASONS["agree"], reason,
                    batch=_text(form, "batch") == "1")
    return RedirectResponse(here(request), 303)


# ------------------------------------------------------------------------------------------------- family

def family(request: Request) -> HTMLResponse:
    """The cases that may be decided together with this one."""
    return _family(request, None)


def ruled_all(outcome: str) -> Callable[[Request], Awaitable[Response]]:
    """The answer to the form that rules so on several cases."""
    def act(request: Request, form: FormData) -> Response:
        numbers = [n for n in form.getlist("case") if isinstance(n, str) and _NUMBER.fullmatch(n)]
        if not 0 < len(numbers) <= BULK_MOST:
            raise HTTPException(422, "bad-request")
        return _family(request, casework.rule_all(at_desk(request), numbers, outcome, reason_of(form, outcome)))

    async def answer(request: Request) -> Response:
        return await _with_form(request, act)

    return answer


def _family(request: Request, made: object) -> HTMLResponse:
    at = at_desk(request)
    found, names = casework.family(at, number_of(request))
    return page_for(request, "desk/family.html", lead=found.lead, members=found.members, more=found.more, names=names,
                    me=at.visitor.person.id, most=BULK_MOST, second_bulk=at.rules.second_bulk, made=made,
                    sentences=SENTENCES)


# ------------------------------------------------------------------------------------------------ helpers

def _page(request: Request, shown: Shown) -> HTMLResponse:
    person = request.state.visitor.person
    closed = shown.case.state not in OPEN_CASE
    may_rule = not closed and shown.ruling is None and shown.row.state != "escalated" and shown.row.claimed_by in (
        "", person.id) and bool(may(person, Action.CASE_RELEASE, request.state.thing))
    return page_for(
        request, "desk/case.html", **{
            "row": shown.row, "case": shown.case, "ruling": shown.ruling, "view": shown.view, "closed": closed,
            "parts": gathered(shown.view), "history": _together(shown.history), "remarks": shown.remarks,
            "names": shown.names, "me": person.id, "fresh": person.fresh, "may_rule": may_rule,
            "may_free": reach(person, Action.CASE_CLAIM) is Scope.ALL, "reveal_seconds": REVEAL_SECONDS,
            "undo_seconds": int(request.app.state.settings.review.undo_seconds)})


def _together(history: Sequence[Event]) -> list[tuple[Event, int]]:
    """The history with the same thing done again at once as one line: its last time, and how often."""
    lines: list[tuple[Event, int]] = []
    for one in history:
        if lines and (lines[-1][0].actor, lines[-1][0].what, lines[-1][0].code) == (one.actor, one.what, one.code):
            lines[-1] = (one, lines[-1][1] + 1)
        else:
            lines.append((one, 1))
    return lines


def gathered(view: CaseView | None) -> list[PartShown]:
    """The parts of a page with their findings gathered from the text."""
    shown: list[PartShown] = []
    for part in view.parts if view else ():
        found: dict[Why, list[str]] = {why: [""] for why in part.whys}
        for one in masked_of(part):
            for why in one.why:
                if why.category is not None:
                    found.setdefault(why, []).append(one.label)
        told = [(tuple(labels), why) for why, labels in found.items()]
        shown.append(PartShown(part, _blocks(part), tuple(one for one in told if one[1].counts),
                               tuple(one for one in told if one[1].exempt)))
    return shown


def _blocks(part: PartView) -> tuple[BlockView, ...]:
    return tuple(b for b in part.blocks if part.name is None or b.label is not Label.NAME or words.counts(b))


def masked_of(part: PartView) -> Iterator[Masked]:
    """Everything hidden in a part, in its order."""
    if part.name is not None:
        yield part.name
    for block in part.blocks:
        cells = (cell for line in block.rows for cell in line.cells) if isinstance(block, TableView) else (block.runs,)
        for runs in cells:
            yield from (one for one in runs if isinstance(one, Masked))


async def _with_form(request: Request, act: Callable[[Request, FormData], Response]) -> Response:
    """Read the form, which the door has read already, and act in a thread."""
    return await run_in_threadpool(act, request, await request.form())


def _text(form: FormData, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


def reason_of(form: FormData, act: str) -> str:
    """The chosen reason. Raises 422 for one that is not on the list."""
    reason = _text(form, "reason")
    if reason not in words.REASONS[act]:
        raise HTTPException(422, "reason-missing")
    return reason


def number_of(request: Request) -> str:
    """The case number of the path, in capitals; the door found the case already."""
    return str(request.path_params["number"]).strip().upper()


def here(request: Request) -> str:
    return f"/desk/case/{number_of(request)}"
