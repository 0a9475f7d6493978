"""What a redaction removes: the picker, and what was picked on pages of a long case that are not shown now.

Everything that was found is picked to begin with. A form carries how the reviewer's choice differs from that: refs
that are removed besides (`more`) and found ones that stay (`less`), for the whole case; the page that is shown speaks
for its own refs. So a choice is kept from page to page, also without scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData

from addin import casework, words
from addin.case import MOST_OFFSET, gathered, here, masked_of, number_of, reason_of
from addin.casework import at_desk
from addin.frame import page_for
from capture.masked import BlockView, CaseView, TableView
from capture.redaction import NotClean

_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")
_OFFSET: Final = re.compile(r"[0-9]{1,8}")
Offset = Annotated[int, Query(ge=0, le=MOST_OFFSET)]


@dataclass(frozen=True, slots=True)
class Picks:
    """How the choice differs from what was found: refs removed besides, and found ones that stay."""

    more: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()

    @classmethod
    def of(cls, form: FormData, found: frozenset[str], shown: frozenset[str]) -> Picks:
        """Read a form: its ticks (`remove`) speak for the refs of the page that was shown, `more` and `less` for all
        others."""
        ticked = _refs(form, "remove")
        return cls((_refs(form, "more") - shown) | (ticked - found),
                   (_refs(form, "less") - shown - ticked) | ((found & shown) - ticked))

    def removed(self, found: frozenset[str]) -> frozenset[str]:
        """The refs of everything that is removed."""
        return (found | self.more) - self.less


def picker(request: Request, offset: Offset = 0) -> HTMLResponse:
    """What to remove: everything that was found is picked already. The look is audited."""
    return _picker(request, Picks(), offset)


async def redact(request: Request) -> Response:
    """Rule on the case with what was picked, or go on to another page of the picker (`go`) with it."""
    return await run_in_threadpool(_redact, request, await request.form())


def _redact(request: Request, form: FormData) -> Response:
    at, number = at_desk(request), number_of(request)
    offset, go, reason = _offset(form, "offset"), form.get("go"), form.get("reason")
    found, page = casework.picks(at, number, offset=offset)
    picks = Picks.of(form, found, frozenset(refs_of(page)))
    chosen = reason if isinstance(reason, str) and reason in words.REASONS["redact"] else ""
    if go is not None:
        return _picker(request, picks, _offset(form, "go"), reason=chosen)
    remove = picks.removed(found)
    if not remove:
        return _picker(request, picks, offset, 422, reason=chosen, nothing=True)
    try:
        casework.rule(at, number, "redact", reason_of(form, "redact"), remove=remove)
    except NotClean as refused:
        return _picker(request, picks, offset, 409, reason=chosen, not_clean=refused.kinds)
    return RedirectResponse(here(request), 303)


def _picker(request: Request, picks: Picks, offset: int, status: int = 200, *, reason: str = "",
            nothing: bool = False, not_clean: tuple[tuple[str, str], ...] = ()) -> HTMLResponse:
    shown, found = casework.suggested(at_desk(request), number_of(request), offset=offset)
    on_page = frozenset(refs_of(shown.view))
    picked = picks.removed(found)
    return page_for(request, "desk/redact.html", status, row=shown.row, view=shown.view, parts=gathered(shown.view),
                    picked=picked, elsewhere=len(picked - on_page), more=sorted(picks.more - on_page),
                    less=sorted(picks.less - on_page), reason=reason, nothing=nothing, not_clean=not_clean)


def refs_of(view: CaseView | None) -> Iterator[str]:
    """Every ref that stands on a page of the picker, to be ticked or not."""
    for part in view.parts if view else ():
        yield part.ref
        yield from (one.ref for one in masked_of(part))
        for block in part.blocks:
            yield from _block_refs(block)


def _block_refs(block: BlockView) -> Iterator[str]:
    if isinstance(block, TableView):
        yield from block.columns
        yield from (line.ref for line in block.rows)
    else:
        yield block.ref


def _refs(form: FormData, name: str) -> frozenset[str]:
    return frozenset(ref for ref in form.getlist(name) if isinstance(ref, str) and _REF.fullmatch(ref))


def _offset(form: FormData, name: str) -> int:
    given = form.get(name)
    return min(int(given), MOST_OFFSET) if isinstance(given, str) and _OFFSET.fullmatch(given) else 0
