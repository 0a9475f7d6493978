"""The frame around every page of somebody signed in: where they can go, who they are, the token of their forms.

    return frame.page_for(request, "week.html", weeks=weeks)

`NAVIGATION` has a line for every section. A person sees those their roles open; the door asks again at each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from addin import words
from addin.door import Visitor
from capture.weekly import rules_of
from store import week
from store.access import Action


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the pages: what it is called, its address, and what one must be allowed to see it."""

    title: str
    path: str
    needs: Action


NAVIGATION: Final = (
    Section("Queue", "/desk", Action.QUEUE_LIST),
    Section("My items", "/mine", Action.ITEM_STATUS),
    Section("Allow rules", "/allow", Action.POLICY_READ),
    Section("Weeks", "/week", Action.AUDIT_READ),
    Section("Training", "/training", Action.REPORT_READ),
    Section("Exports", "/export", Action.AUDIT_EXPORT),
    Section("Account", "/", Action.SELF_READ),
)
"""In the order they are shown."""


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template, without a frame; every value is escaped."""
    text = _templates().get_template(name).render({"form_token": "", "nav": (), "here": "", "unsigned": (), **values})
    return HTMLResponse(text, status_code=status)


def page_for(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the one who asks, with their navigation and the token of their forms."""
    visitor: Visitor = request.state.visitor
    shown = tuple(section for section in NAVIGATION if visitor.can(section.needs)) if visitor.person.bound else ()
    return page(name, status, **{"form_token": visitor.form_token, "nav": shown, "here": _section(request),
                                "unsigned": _unsigned(request, visitor), **values})


def _unsigned(request: Request, visitor: Visitor) -> tuple[str, ...]:
    """The weeks nobody signed in time, for the banner an auditor sees on every page."""
    if not visitor.can(Action.AUDIT_SIGN):
        return ()
    with visitor.database.reading() as session:
        return tuple(pack.week for pack in week.overdue(session, rules_of(request.app.state.settings)))


def _section(request: Request) -> str:
    """The path of the section a page belongs to: the longest that begins its address."""
    path = request.url.path
    found = [s.path for s in NAVIGATION if path == s.path or path.startswith(s.path.rstrip("/") + "/")]
    return max(found, key=len, default="")


@cache
def _templates() -> Environment:
    made = Environment(loader=PackageLoader("addin"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    made.filters.update(words.FILTERS)
    made.globals.update(words.GLOBALS)
    return made
