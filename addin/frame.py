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
    about: str
    """what one does there, in a few words"""
    within: tuple[str, ...] = ()
    """where else its pages lie"""


NAVIGATION: Final = (
    Section("Queue", "/desk", Action.QUEUE_LIST, "what is held, the worst first; look at it and decide."),
    Section("CRM", "/crm", Action.RECORD_LIST, "organisations, people and business; what waits for you."),
    Section("My items", "/mine", Action.ITEM_STATUS, "what became of what you tracked, and why something is held."),
    Section("Allow rules", "/allow", Action.POLICY_READ, "what is not held again, until when, and who agreed."),
    Section("Weeks", "/week", Action.AUDIT_READ, "what was out of the ordinary, to comment and sign; who read what.",
            ("/readings",)),
    Section("Training", "/training", Action.REPORT_READ, "tips and courses after holds, as counts."),
    Section("Exports", "/export", Action.AUDIT_EXPORT, "take records, cases or the audit out, for a reason."),
    Section("Account", "/", Action.SELF_READ, "who you are here, and your rules and training.", ("/rules",)),
)
"""In the order they are shown."""


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template, without a frame; every value is escaped."""
    text = _templates().get_template(name).render({"form_token": "", "nav": (), "here": "", "unsigned": (), **values})
    return HTMLResponse(text, status_code=status)


def page_for(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the one who asks, with their navigation and the token of their forms."""
    visitor: Visitor = request.state.visitor
    ours = request.app.state.settings.crm.kind == "embedded"
    shown = tuple(section for section in NAVIGATION if visitor.can(section.needs) and (ours or section.path != "/crm")
                  ) if visitor.person.bound else ()
    return page(name, status, **{"form_token": visitor.form_token, "nav": shown, "here": _section(request),
                                "unsigned": _unsigned(request, visitor), **values})


def _unsigned(request: Request, visitor: Visitor) -> tuple[str, ...]:
    """The weeks nobody signed in time, for the banner an auditor sees on every page."""
    if not visitor.can(Action.AUDIT_SIGN):
        return ()
    with visitor.database.reading() as session:
        return tuple(pack.week for pack in week.overdue(session, rules_of(request.app.state.settings)))


def _section(request: Request) -> str:
    """The path of the section a page belongs to."""
    path = request.url.path
    for section in NAVIGATION:
        roots = (section.path, *section.within)
        if path in roots or any(path.startswith(f"{root}/") for root in roots if root != "/"):
            return section.path
    return ""


@cache
def _templates() -> Environment:
    made = Environment(loader=PackageLoader("addin"), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    made.filters.update(words.FILTERS)
    made.globals.update(words.GLOBALS)
    return made
