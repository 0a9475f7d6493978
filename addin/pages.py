"""The pages every user has: sign in, sign out, their own account, the rules of behaviour."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Final

from fastapi import HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from addin import frame, signing
from addin.auth import EntraSignIn, open_flow, seal_flow
from addin.door import Visitor, cookie_name
from addin.errors import SignInRefused, SignInUnavailable
from capture.settings import Settings
from store import people, rules, sessions
from store.access import REFUSALS
from store.crypto import Keys
from store.database import Database
from store.people_tables import PersonRow, WebSession

_OWN_PATH: Final = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9-]*)+")
_FLOW_COOKIE: Final = "__Secure-mailweir-flow"
SENTENCES: Final[Mapping[str, str]] = {
    **REFUSALS, **signing.REFUSALS,
    "role": "None of your roles opens this page. An administrator can tell you who has the role it needs.",
    "sign-in-needed": "Please sign in.",
    "sign-in-unavailable": "The directory that signs people in does not answer. Try again in a minute.",
    "form-not-ours": "The form was not of this session. Go back, reload the page and try again.",
    "another-site": "The request came from another site.",
    "not-found": "There is no such page.",
    "too-large": "The request is too large.",
    "bad-request": "The request is not one this page makes. Go back, reload the page and try again.",
    "reason-missing": "Choose a reason from the list.",
    "bad-state": "It is not possible now: somebody was quicker, or it is too late. Go back and look at it again.",
    "too-late": "It took effect already.",
    "bad-ref": "There is no such place in this item.",
    "not-clean": "The redacted copy still holds personal information, so it may not be linked.",
    "content-destroyed": "The content was destroyed; what remains is the record of the case.",
    "database-locked": "The database is busy. Try again.",
    "database-away": "The database does not answer. Try again in a minute.",
    "database-conflict": "Somebody changed the same thing at the same moment. Try again.",
    "model-missing": "The language model is not installed, so nothing can be shown. Tell the operator.",
    "scan-failed": "The item could not be scanned just now, so it is not shown. Tell the operator.",
    "try-later": "Something this needs does not answer. Try again in a minute.",
    "internal": "Something unforeseen went wrong; it was noted.",
}
"""What a page says for a code."""
_TITLES: Final[Mapping[int, str]] = {401: "Not signed in", 403: "Not allowed", 404: "Not found", 429: "Too fast"}


def refusal_page(status: int, code: str, request: str, link: str = "", back: str = "") -> HTMLResponse:
    """The page that says why something is not possible. `link` leads to where it becomes possible, `back` to the case
    it was about."""
    return frame.page("refused.html", status, code=code, request_id=request, sign_in=code in signing.REFUSALS,
                      again=link if code == "sign-in-again" else "", back=back if status != 404 else "",
                      title=_TITLES.get(status, "Not possible"), sentence=SENTENCES.get(code, "This is not possible."))


def stylesheet() -> Response:
    """The stylesheet, the same for everybody."""
    return _static("desk.css", "text/css")


def script() -> Response:
    """The script of the desk, the same for everybody. Every page works without it."""
    return _static("desk.js", "text/javascript")


def icon() -> Response:
    """The picture in the browser's tab."""
    return _static("icon.svg", "image/svg+xml")


def _static(name: str, kind: str) -> Response:
    return Response((files("addin") / "static" / name).read_text(encoding="utf-8"), media_type=kind,
                    headers={"Cache-Control": "max-age=3600"})


# -------------------------------------------------------------------------------------------- own account

def home(request: Request) -> Response:
    """Who you are here: roles, divisions, rules, training, session."""
    visitor: Visitor = request.state.visitor
    database, settings = _database(request), _settings(request)
    with database.reading() as session:
        row = people.get(session, visitor.person.id)
        until = people.trained_until(session, row.id)
        begun = session.get(WebSession, visitor.session_id)
        ends = begun.ends if begun is not None else datetime.now(UTC)
        number = rules.current_number(session)
    return frame.page_for(request, "home.html", address=row.address, roles=sorted(visitor.person.roles),
                divisions=sorted(visitor.person.divisions), bound=visitor.person.bound, rules=number,
                trained_until=f"{until:%Y-%m-%d}" if until and visitor.person.trained else "",
                ends=f"{ends:%H:%M}", idle=f"{settings.sign_in.idle_minutes:g}")


def read_rules(request: Request) -> Response:
    """The rules in force, to be read, signed, affirmed."""
    visitor: Visitor = request.state.visitor
    with _database(request).session() as session:
        version = rules.in_force(session)
        signed = rules.signed(session, visitor.person.id, version.number)
    return frame.page_for(request, "rules.html", number=version.number, text=version.text,
                since=f"{version.published:%Y-%m-%d}", signed=signed, bound=visitor.person.bound)


async def sign_rules(request: Request) -> Response:
    """Sign the version that was shown, and affirm it for this sign-in."""
    shown = (await request.form()).get("number")
    number = int(shown) if isinstance(shown, str) and re.fullmatch(r"[0-9]{1,6}", shown) else 0
    return await run_in_threadpool(_sign_rules, request, number)


def _sign_rules(request: Request, number: int) -> Response:
    visitor: Visitor = request.state.visitor
    with _database(request).session() as session:
        if rules.in_force(session).number != number:  # a newer one was published meanwhile: show that
            return RedirectResponse("/rules", 303)
        rules.sign(session, visitor.person.id, number)
        row = session.get(WebSession, visitor.session_id)
        if row is None:
            raise HTTPException(401, "sign-in-needed")
        sessions.affirm(session, row)
    return RedirectResponse("/", 303)


def sign_out(request: Request) -> Response:
    """End this session."""
    visitor: Visitor = request.state.visitor
    with _database(request).session() as session:
        row = session.get(WebSession, visitor.session_id)
        if row is not None:
            sessions.end(session, row, why="signed-out")
    answer = RedirectResponse("/sign-in", 303)
    _forget(answer, request, cookie_name(request), "/")
    return answer


# ------------------------------------------------------------------------------------------------ sign-in

def sign_in(request: Request) -> Response:
    """Where a sign-in begins."""
    if _settings(request).sign_in.kind != "demo":
        return frame.page("sign_in.html", demo=None, onward="/", me="")
    token = request.cookies.get(cookie_name(request), "")
    with _database(request).reading() as session:
        begun = sessions.find(session, token) if token else None
        return frame.page("sign_in.html", demo=[row for row in people.register(session) if row["state"] == "active"],
                          onward=safe_path(request.query_params.get("next", "/")),
                          me=begun.person_id if begun is not None else "")


def start(request: Request) -> Response:
    """On to the directory."""
    return _start(request, again="")


def start_again(request: Request) -> Response:
    """On to the directory, to prove anew who one is: before a reveal or an export."""
    visitor: Visitor = request.state.visitor
    onward = safe_path(request.query_params.get("next", "/"))
    if _settings(request).sign_in.kind == "demo":
        return RedirectResponse(f"/sign-in?next={onward}", 303)
    return _start(request, again=visitor.session_id, onward=onward)


async def back(request: Request) -> Response:
    """Back from the directory, by a form: let in, or say why not. The sealed cookie and the state in it prove that
    this browser began the sign-in."""
    form = await request.form()
    return await run_in_threadpool(_back, request, {n: v for n, v in form.items() if isinstance(v, str)})


def _back(request: Request, told: Mapping[str, str]) -> Response:
    sealed = request.cookies.get(_FLOW_COOKIE, "")
    try:
        flow = open_flow(_keys(request), sealed)
        identity = _provider(request).finish(flow, told)
    except SignInRefused as refused:
        signing.note_refusal(_database(request), refused.why)
        answer: Response = refusal_page(403, refused.why, _request_id(request))
        _forget(answer, request, _FLOW_COOKIE, "/sign-in")
        return answer
    if flow.get("session"):
        token = signing.let_in_again(_database(request), identity, str(flow["session"]))
    else:
        token = signing.let_in(_database(request), _settings(request).sign_in, identity,
                               former=request.cookies.get(cookie_name(request), ""))
    answer = _signed_in(request, token, safe_path(str(flow.get("onward", "/"))))
    _forget(answer, request, _FLOW_COOKIE, "/sign-in")
    return answer


async def demo(request: Request) -> Response:
    """The demo's sign-in: be one of its invented people. `addin.app` lets this route be only where that is safe."""
    form = await request.form()
    chosen, onward = form.get("person"), form.get("next")
    return await run_in_threadpool(_demo, request, chosen if isinstance(chosen, str) else "",
                                   safe_path(onward if isinstance(onward, str) else "/"))


def _demo(request: Request, person: str, onward: str) -> Response:
    with _database(request).session() as session:
        row = session.get(PersonRow, person)
        if row is None or row.state != "active":
            raise SignInRefused("unknown-person")
        old = sessions.find(session, request.cookies.get(cookie_name(request), ""))
        if old is not None and old.person_id == row.id:
            token = sessions.again(session, old)
        else:
            if old is not None:
                sessions.end(session, old, why="signed-in-anew")
            token = sessions.begin(session, row.id, hours=_settings(request).sign_in.hours)
    return _signed_in(request, token, onward)


def _start(request: Request, again: str, onward: str = "/") -> Response:
    started = _provider(request).start(again=bool(again))
    answer = RedirectResponse(started.url, 303)
    # the directory's form comes from another site: only a cookie with samesite=none is sent along; it proves, by the
    # state sealed in it, that this browser began the sign-in, and opens nothing
    answer.set_cookie(_FLOW_COOKIE, seal_flow(_keys(request), {**started.flow, "session": again, "onward": onward}),
                      max_age=600, path="/sign-in", secure=True, httponly=True, samesite="none")
    return answer


def safe_path(path: str) -> str:
    """A page of ours to go on to after a sign-in: "/" for anything that could lead elsewhere."""
    return path if len(path) <= 100 and _OWN_PATH.fullmatch(path) else "/"


def _signed_in(request: Request, token: str, onward: str) -> Response:
    """A page that leads on by itself: after a redirect from another site a strict cookie would not be sent."""
    answer = frame.page("onward.html", onward=onward)
    answer.set_cookie(cookie_name(request), token, path="/", secure=request.url.scheme == "https", httponly=True,
                      samesite="strict")
    return answer


def _forget(answer: Response, request: Request, name: str, path: str) -> None:
    answer.delete_cookie(name, path=path, secure=request.url.scheme == "https", httponly=True)


def _provider(request: Request) -> EntraSignIn:
    provider = request.app.state.provider
    if not isinstance(provider, EntraSignIn):
        raise SignInUnavailable
    return provider


def _database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


def _settings(request: Request) -> Settings:
    found: Settings = request.app.state.settings
    return found


def _keys(request: Request) -> Keys:
    found: Keys = request.app.state.keys
    return found


def _request_id(request: Request) -> str:
    return str(request.scope["state"]["request"])
