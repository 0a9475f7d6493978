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
from capture.redaction import NotClean
from store.access import Action, Scope, may, reach
from store.desk import BULK_MOST, Event
from store.tables import OPEN_CASE

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_NUMBER: Final = re.compile(r"MW-\d{4}-\d{6,9}")
MOST_REMARK: Final = 500
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class PartShown:
    """A part with the reasons gathered: those that count and those that do not, each once, with the labels of what it
    is about in the text ("" for the part as a whole)."""

    view: PartView
    counted: tuple[tuple[tuple[str, ...], Why], ...]
    exempted: tuple[tuple[tuple[str, ...], Why], ...]


def look(request: Request, offset: Offset = 0) -> HTMLResponse:
    """The case."""
    return _page(request, casework.look(at_desk(request), _number(request), offset=offset))


async def reveal(request: Request) -> Response:
    """Show one hidden thing on a page of its own, for a browser without scripts."""
    return await _with_form(request, _reveal)


def _reveal(request: Request, form: FormData) -> Response:
    number, ref = _number(request), _text(form, "ref")
    reason, remark = _reason(form, "reveal"), _text(form, "remark").strip()
    if not _REF.fullmatch(ref) or not 0 < len(remark) <= MOST_REMARK:
        raise HTTPException(422, "bad-request")
    value = casework.reveal(at_desk(request), number, ref, reason=reason, remark=remark)
    return page_for(request, "desk/revealed.html", number=number, value=value, seconds=REVEAL_SECONDS)


async def claim(request: Request) -> Response:
    """Take the case on, or give it back."""
    return await _with_form(request, _claim)


def _claim(request: Request, form: FormData) -> Response:
    casework.claim(at_desk(request), _number(request), give_back=_text(form, "give_back") == "1")
    return RedirectResponse("/desk" if _text(form, "back") == "queue" else _here(request), 303)


def ruled(outcome: str) -> Callable[[Request], Awaitable[Response]]:
    """The answer to a form that rules so: "release", "delete", "escalate"."""
    def act(request: Request, form: FormData) -> Response:
        casework.rule(at_desk(request), _number(request), outcome, _reason(form, outcome))
        return RedirectResponse(_here(request), 303)

    async def answer(request: Request) -> Response:
        return await _with_form(request, act)

    return answer


async def undo(request: Request) -> Response:
    """Take the ruling back that is not in effect yet."""
    await run_in_threadpool(lambda: casework.undo(at_desk(request), _number(request)))
    return RedirectResponse(_here(request), 303)


async def second(request: Request) -> Response:
    """The second person's answer."""
    return await _with_form(request, _second)


def _second(request: Request, form: FormData) -> Response:
    reason = _text(form, "reason")
    if reason not in words.REASONS["agree"] and reason not in words.REASONS["refuse"]:
        raise HTTPException(422, "bad-request")
    casework.second(at_desk(request), _number(request), reason in words.REASONS["agree"], reason,
                    batch=_text(form, "batch") == "1")
    return RedirectResponse(_here(request), 303)


# ---------------------------------------------------------------------------------------------- redaction

def picker(request: Request, offset: Offset = 0) -> HTMLResponse:
    """What to remove: everything that was found is picked already."""
    shown, picked = casework.suggested(at_desk(request), _number(request), offset=offset)
    return page_for(request, "desk/redact.html", row=shown.row, view=shown.view, parts=_parts(shown.view),
                    picked=picked)


async def redact(request: Request) -> Response:
    """Rule on it with what was picked on the page that was shown; elsewhere what was found is removed."""
    return await _with_form(request, _redact)


def _redact(request: Request, form: FormData) -> Response:
    at, number, reason = at_desk(request), _number(request), _reason(form, "redact")
    chosen = {ref for ref in form.getlist("remove") if isinstance(ref, str) and _REF.fullmatch(ref)}
    offset = _text(form, "offset")
    shown, picked = casework.suggested(at, number, offset=int(offset) if re.fullmatch(r"\d{1,8}", offset) else 0)
    here = set(_refs(shown.view))
    try:
        casework.rule(at, number, "redact", reason, remove=chosen | (picked - here))
    except NotClean as refused:
        return _page(request, casework.look(at, number), status=409, not_clean=refused.kinds)
    return RedirectResponse(_here(request), 303)


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
        return _family(request, casework.rule_all(at_desk(request), numbers, outcome, _reason(form, outcome)))

    async def answer(request: Request) -> Response:
        return await _with_form(request, act)

    return answer


def _family(request: Request, made: object) -> HTMLResponse:
    at = at_desk(request)
    found, names = casework.family(at, _number(request))
    return page_for(request, "desk/family.html", lead=found.lead, members=found.members, more=found.more, names=names,
                    me=at.visitor.person.id, most=BULK_MOST, second_bulk=at.rules.second_bulk, made=made,
                    sentences=SENTENCES)


# ------------------------------------------------------------------------------------------------ helpers

def _page(request: Request, shown: Shown, status: int = 200, **more: object) -> HTMLResponse:
    person = request.state.visitor.person
    closed = shown.case.state not in OPEN_CASE
    may_rule = not closed and shown.ruling is None and shown.row.state != "escalated" and shown.row.claimed_by in (
        "", person.id) and bool(may(person, Action.CASE_RELEASE, request.state.thing))
    return page_for(
        request, "desk/case.html", status, **{
            "row": shown.row, "case": shown.case, "ruling": shown.ruling, "view": shown.view, "closed": closed,
            "parts": _parts(shown.view), "history": _together(shown.history), "remarks": shown.remarks,
            "names": shown.names, "me": person.id, "fresh": person.fresh, "may_rule": may_rule,
            "may_free": reach(person, Action.CASE_CLAIM) is Scope.ALL, "reveal_seconds": REVEAL_SECONDS,
            "undo_seconds": int(request.app.state.settings.review.undo_seconds), "not_clean": (), **more})


def _together(history: Sequence[Event]) -> list[tuple[Event, int]]:
    """The history with the same thing done again at once as one line: its last time, and how often."""
    lines: list[tuple[Event, int]] = []
    for one in history:
        if lines and (lines[-1][0].actor, lines[-1][0].what, lines[-1][0].code) == (one.actor, one.what, one.code):
            lines[-1] = (one, lines[-1][1] + 1)
        else:
            lines.append((one, 1))
    return lines


def _parts(view: CaseView | None) -> list[PartShown]:
    """The parts of a page with their findings gathered from the text."""
    shown: list[PartShown] = []
    for part in view.parts if view else ():
        found: dict[Why, list[str]] = {why: [""] for why in part.whys}
        for one in _masked(part):
            for why in one.why:
                if why.category is not None:
                    found.setdefault(why, []).append(one.label)
        shown.append(PartShown(part, tuple((tuple(labels), why) for why, labels in found.items() if why.counts),
                               tuple((tuple(labels), why) for why, labels in found.items() if why.exempt)))
    return shown


def _masked(part: PartView) -> Iterator[Masked]:
    """Everything hidden in a part, in its order."""
    if part.name is not None:
        yield part.name
    for block in part.blocks:
        cells = (cell for line in block.rows for cell in line.cells) if isinstance(block, TableView) else (block.runs,)
        for runs in cells:
            yield from (one for one in runs if isinstance(one, Masked))


def _refs(view: CaseView | None) -> Iterator[str]:
    """Every ref that stands on a page of the picker, to be ticked or not."""
    for part in view.parts if view else ():
        yield part.ref
        yield from (one.ref for one in _masked(part))
        for block in part.blocks:
            yield from _block_refs(block)


def _block_refs(block: BlockView) -> Iterator[str]:
    if isinstance(block, TableView):
        yield from block.columns
        yield from (line.ref for line in block.rows)
    else:
        yield block.ref


async def _with_form(request: Request, act: Callable[[Request, FormData], Response]) -> Response:
    """Read the form, which the door has read already, and act in a thread."""
    return await run_in_threadpool(act, request, await request.form())


def _text(form: FormData, name: str) -> str:
    found = form.get(name)
    return found if isinstance(found, str) else ""


def _reason(form: FormData, act: str) -> str:
    """The chosen reason. Raises 422 for one that is not on the list."""
    reason = _text(form, "reason")
    if reason not in words.REASONS[act]:
        raise HTTPException(422, "reason-missing")
    return reason


def _number(request: Request) -> str:
    """The case number of the path, in capitals; the door found the case already."""
    return str(request.path_params["number"]).strip().upper()


def _here(request: Request) -> str:
    return f"/desk/case/{_number(request)}"
