"""The door of every route: who comes in, and may they.

`guard(route)` stands before each route of `addin.routes.ROUTES`. It finds the session of the cookie, refuses what
another site sent, asks `store.access.may`, audits a refusal, and leaves the `Visitor` at `request.state.visitor`.
A route about one thing names how it is found (`about`), and the door asks about that very thing, so no handler can
forget to. A handler that learns more of it asks again: `visitor.must(Action.CASE_READ, thing)`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.concurrency import run_in_threadpool

from addin.edge import Caller
from addin.limits import Buckets
from capture.settings import Settings
from store import audit, people, sessions
from store.access import ALLOWED, Action, Answer, Person, Thing, may, reach
from store.database import Database
from store.errors import NotFound

FORM_FIELD: Final = "form_token"
FORM_HEADER: Final = "x-form-token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Need(StrEnum):
    """What a route needs when it is no action of `store.access`."""

    NOTHING = "nothing"
    """anybody: health, sign-in, the stylesheet"""
    MACHINE = "machine"
    """a program on this machine or with the token: metrics"""


@dataclass(frozen=True, slots=True)
class Route:
    """One route: what it is, who answers, and what it needs."""

    method: str
    path: str
    name: str
    answer: Callable[..., Any]
    needs: Action | Need
    page: bool = True
    """answers HTML; without a session it leads to the sign-in"""
    from_elsewhere: bool = False
    """a form of another site is expected; the route has its own proof of where it comes from"""
    about: Callable[[Request, Visitor], Thing] | None = None
    """finds the one thing the path names; without it the route is about nothing in particular"""
    fields: int = 50
    """most fields its form may have"""
    files: int = 0
    """most files its form may have"""
    bearer: bool = False
    """of the pane in Outlook: a bearer in the header lets in, cookies count for nothing, bodies are JSON"""


@dataclass(frozen=True, slots=True, repr=False)
class Visitor:
    """Who is signed in, for one request."""

    person: Person
    session_id: str
    token: str
    database: Database
    route: str

    @property
    def form_token(self) -> str:
        """What every form of this session carries."""
        return sessions.form_token(self.token)

    def must(self, action: Action, thing: Thing | None = None) -> None:
        """Go on only when it is allowed; else audit the refusal and answer 403."""
        self._allowed(action, may(self.person, action, thing))

    def must_somewhere(self, action: Action) -> None:
        """Go on only when it is allowed for some thing. Asked before one is looked for, so that nobody else learns
        which there are."""
        answer = may(self.person, action)
        self._allowed(action, ALLOWED if answer.code == "nothing-named" else answer)

    def can(self, action: Action) -> bool:
        """Whether a page offers it: no promise, the door asks again."""
        return self.person.bound and reach(self.person, action) is not None

    def _allowed(self, action: Action, answer: Answer) -> None:
        if not answer:
            with self.database.session() as session:
                audit.append(session, "web:access:refused", actor=self.person.id, subject=action,
                             body={"code": answer.code, "route": _plain(self.route)})
            raise HTTPException(403, answer.code)


def guard(route: Route) -> Callable[[Request], Any]:
    """The dependency that stands before a route. Where files are sent, nothing of the body is read before it is known
    who sends it, and only so many are read at a time."""

    async def enter(request: Request) -> None:
        state = request.app.state
        slow: Buckets = state.slow if route.path.startswith("/sign-in") else state.quick
        caller: Caller = request.scope["state"]["caller"]
        _in_turn(slow, caller.address)
        if route.bearer:
            await _by_bearer(request, route)
            return
        form = None
        if request.method not in _SAFE:
            form = await request.form(max_files=route.files, max_fields=route.fields)
        if isinstance(route.needs, Need):
            if form is not None and route.page and not route.from_elsewhere:
                _same_site(request)
            return
        visitor = await _signed_in(request, route)
        if form is not None:
            _same_site(request)
            given = request.headers.get(FORM_HEADER) or form.get(FORM_FIELD)
            if not isinstance(given, str) or not sessions.form_token_fits(visitor.token, given):
                raise HTTPException(403, "form-not-ours")
        await run_in_threadpool(_admit, request, visitor, route.needs, route.about)

    async def enter_in_turn(request: Request) -> AsyncIterator[None]:
        await _signed_in(request, route)
        async with request.app.state.uploads:
            try:
                await enter(request)
                yield
            finally:
                await request.close()  # what was sent goes with the request, refused or not

    return enter_in_turn if route.files else enter


async def _signed_in(request: Request, route: Route) -> Visitor:
    """The one whose session the cookie names. Raises 401 for none."""
    state, token = request.app.state, request.cookies.get(cookie_name(request), "")
    visitor = None if token.startswith(sessions.PANE) else await run_in_threadpool(
        visit, state.database, state.settings, token, route.path)
    if visitor is None:
        raise HTTPException(401, "sign-in-needed")
    return visitor


async def _by_bearer(request: Request, route: Route) -> None:
    """Let the pane in: from itself or a page of Outlook's, with a bearer where one is needed."""
    state = request.app.state
    _from_outlook(request, state.settings)
    if isinstance(route.needs, Need):
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and token.startswith(sessions.PANE)
    visitor = await run_in_threadpool(visit, state.database, state.settings, token, route.path) if known else None
    if visitor is None:
        raise HTTPException(401, "token-refused", headers={"WWW-Authenticate": "Bearer"})
    request.state.body = await _json(request) if route.about is not None and request.method not in _SAFE else None
    await run_in_threadpool(_admit, request, visitor, route.needs, route.about)


async def _json(request: Request) -> Any:
    """What was sent, for who it is about; the route's own model checks it. None when it is no JSON."""
    try:
        return json.loads(await request.body() or b"null")
    except (ValueError, RecursionError):
        return None


def _admit(request: Request, visitor: Visitor, action: Action,
           about: Callable[[Request, Visitor], Thing] | None) -> None:
    """Ask about the thing of the path, or about nothing in particular, and leave both for the handler."""
    if about is None:
        visitor.must(action)
    else:
        visitor.must_somewhere(action)
        try:
            request.state.thing = about(request, visitor)
        except NotFound:
            raise HTTPException(404, "not-found") from None
        visitor.must(action, request.state.thing)
    request.state.visitor = visitor


def visit(database: Database, settings: Settings, token: str, route: str = "") -> Visitor | None:
    """The one who has this token, or None. Writes only when the session is over, or its use is to be noted."""
    if not token:
        return None
    chosen = settings.sign_in
    with database.reading() as session:
        row = sessions.find(session, token)
        if row is None:
            return None
        look_again = sessions.over(row, idle_minutes=chosen.idle_minutes) or sessions.due(row)
        if not look_again:
            return _visitor(session, row, database, settings, token, route)
    with database.session() as session:
        row = sessions.resume(session, token, idle_minutes=chosen.idle_minutes)
        return _visitor(session, row, database, settings, token, route) if row is not None else None


def cookie_name(request: Request) -> str:
    """`__Host-` ties the cookie to this very host over https; plain http exists on loopback only."""
    return "__Host-mailweir" if request.url.scheme == "https" else "mailweir"


def _visitor(session: Any, row: Any, database: Database, settings: Settings, token: str, route: str) -> Visitor:
    person = people.load(session, row.person_id, affirmed=row.affirmed,
                         fresh=sessions.fresh(row, minutes=settings.sign_in.fresh_minutes))
    return Visitor(person, row.id, token, database, route)


def _in_turn(buckets: Buckets, key: str) -> None:
    wait = buckets.take(key)
    if wait:
        raise HTTPException(429, "too-often", headers={"Retry-After": str(int(wait) + 1)})


def _same_site(request: Request) -> None:
    """Refuse a form that another site made the browser send."""
    site, origin = request.headers.get("sec-fetch-site", ""), request.headers.get("origin", "")
    here = (request.url.scheme, request.headers.get("host", "").lower())
    if (site and site != "same-origin") or (origin and (urlsplit(origin).scheme, urlsplit(origin).netloc) != here):
        raise HTTPException(403, "another-site")


def _from_outlook(request: Request, settings: Settings) -> None:
    """Refuse what a page of neither ours nor Outlook's made the browser send."""
    origin = request.headers.get("origin", "")
    here = (request.url.scheme, request.headers.get("host", "").lower())
    parts = urlsplit(origin)
    if origin and (parts.scheme, parts.netloc.lower()) != here and not outlooks(origin, settings):
        raise HTTPException(403, "another-site")


def outlooks(origin: str, settings: Settings) -> bool:
    """Whether this is the origin of a page of Outlook's (`pane.outlook_hosts`)."""
    parts = urlsplit(origin)
    host = parts.netloc.lower()
    return parts.scheme == "https" and any(
        host == known or (known.startswith("*.") and host.endswith(known[1:])) for known in
        settings.pane.outlook_hosts)


def _plain(route: str) -> str:
    return route.replace("{", "(").replace("}", ")")
