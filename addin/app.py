"""`build_app(settings)`: the web service as one ASGI application.

Which routes there are stands in `addin/routes.py`, who may pass in `addin/door.py`, what is true of every request in
`addin/edge.py`. The database is opened when the service starts and closed when it ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.telemetry import TelemetryConfig
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteError
from starlette.formparsers import MultiPartParser
from starlette.types import ASGIApp

from addin import metrics
from addin.auth import EntraSignIn
from addin.casework import Reports
from addin.door import Need, Route, guard
from addin.edge import Edge, is_loopback
from addin.errors import DemoRefused, SignInRefused, SignInUnavailable, TokenRefused
from addin.health import Working, may_measure
from addin.limits import Buckets
from addin.outlook.headers import Pane
from addin.outlook.signing import PaneSignIn
from addin.pages import refusal_page, safe_path
from addin.routes import HOOKS, routes_for
from addin.tools import DeskTools
from capture.errors import CaptureError
from capture.settings import Settings
from capture.wiring import opened
from pii_scan.errors import ScanError
from store.database import Database
from store.errors import NotAllowed, StoreError
from store.people import is_demo

_DOCUMENTED = ("/api/", "/pane/api/")
UPLOADS: Final = 4
"""Uploads under way at a time, each whole in memory: what was not scanned yet never lies on a disk."""
_CODE = re.compile(r"[a-z][a-z-]{2,40}")


NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""The framework would send addresses with their query wherever OTEL_... variables of the environment say."""


class Problem(BaseModel):
    """What an error answers to a program: a stable code, the id of the request as in the log, and where to go."""

    code: str
    request: str
    link: str = ""


STATUS: Final[Mapping[str, int]] = {
    "item-gone": 404, "item-private": 409, "item-unreadable": 409, "mailbox-parked": 503, "mailbox-unreachable": 503,
    "server-refused": 503, "not-found": 404, "bad-ref": 404, "bad-state": 409, "not-clean": 409,
    "content-destroyed": 410, "cursor-stale": 409, "allow-refused": 409, "bad-input": 422, "not-allowed": 403,
    "database-locked": 503, "database-away": 503, "database-conflict": 503, "model-missing": 503,
    "scan-failed": 503, "try-later": 503}
"""Code of an error of ours -> status of the answer. Any other is a fault of the service: 500."""
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 408, 409, 410, 413, 422, 429, 503)}


def build_app(settings: Settings, *, worker: Working | None = None) -> ASGIApp:
    """The application for one home. `worker` tells whether the worker beside it runs, None when there is none.

    Raises `BadSettings` for sign-in settings that cannot work. At its start it raises the store's errors
    (`key-wrong`, `database-missing`, ...) when the home cannot be used, and `DemoRefused`.
    """
    kind = settings.sign_in.kind
    provider = EntraSignIn(settings) if kind == "entra" else None
    pane = PaneSignIn(settings) if settings.pane.enabled else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opened(settings) as (database, keys):
            require_demo_home(settings, database)
            app.state.database, app.state.keys = database, keys
            app.state.registry = metrics.registry_of(
                database, settings.home, settings.engine.lease_seconds)
            app.state.tools = DeskTools(settings, database, keys)
            try:
                yield
            finally:
                app.state.tools.close()
        for one in (provider, pane):
            if one is not None:
                one.close()

    app = FastAPI(title="mailweir", summary="The reviewer's desk of mailweir.", version="1",
                  docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan,
                  redirect_slashes=False, telemetry=NO_TELEMETRY)
    app.state.settings, app.state.worker, app.state.provider = settings, worker, provider
    app.state.pane = pane
    app.state.reports = Reports()
    app.state.quick, app.state.slow = Buckets(600, 3000), Buckets(20, 20)
    app.add_exception_handler(StarletteError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(SignInRefused, _not_let_in)
    app.add_exception_handler(TokenRefused, _not_believed)
    app.add_exception_handler(SignInUnavailable, _unavailable)
    app.add_exception_handler(StoreError, _not_possible)
    app.add_exception_handler(ScanError, _not_possible)
    app.add_exception_handler(CaptureError, _not_possible)
    app.add_exception_handler(Exception, _unforeseen)
    app.state.uploads = asyncio.Semaphore(UPLOADS)
    MultiPartParser.spool_max_size = max(settings.web.upload_bytes, MultiPartParser.spool_max_size)
    routes = (*routes_for(kind, pane=settings.pane.enabled), *(HOOKS if settings.graph.webhook_url else ()))
    for route in routes:
        _add(app, route)
    return Edge(Pane(app, settings) if settings.pane.enabled else app, settings.web,
                [route.path for route in routes if route.files])


def require_demo_home(settings: Settings, database: Database) -> None:
    """Raise `DemoRefused` when the demo sign-in is set for another home than a demo's, or beyond this machine."""
    if settings.sign_in.kind != "demo":
        return
    with database.reading() as session:
        invented = is_demo(session)
    if not invented or not is_loopback(settings.web.host) or settings.web.trusted_proxy or settings.web.names:
        raise DemoRefused


def _add(app: FastAPI, route: Route) -> None:
    doors = [Depends(guard(route))] + ([Depends(may_measure)] if route.needs is Need.MACHINE else [])
    app.add_api_route(route.path, route.answer, methods=[route.method], name=route.name, dependencies=doors,
                      include_in_schema=route.path.startswith(_DOCUMENTED) and route.method != "OPTIONS",
                      responses=PROBLEMS)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteError)  # noqa: S101 - registered for it
    said = str(error.detail)
    code = said if _CODE.fullmatch(said) else HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem(request, error.status_code, code, error.headers)


def _malformed(request: Request, _: Exception) -> Response:
    """The framework would repeat what was sent; we do not."""
    return problem(request, 422, "bad-request", None)


def _not_let_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInRefused)  # noqa: S101 - registered for it
    return problem(request, 403, error.why, None)


def _not_believed(request: Request, _: Exception) -> Response:
    """Why is for the audit: whoever sent it learns nothing."""
    return problem(request, 401, "token-refused", {"WWW-Authenticate": "Bearer"})


def _not_possible(request: Request, error: Exception) -> Response:
    """What the store or the scanner refused, by its code; what nobody foresaw is an error of the service."""
    assert isinstance(error, (StoreError, ScanError, CaptureError))  # noqa: S101 - registered for them
    if isinstance(error, NotAllowed) and error.why:
        return problem(request, 403, error.why, None)
    status = STATUS.get(error.code)
    if status is None:
        raise error
    return problem(request, status, error.code, {"Retry-After": "2"} if status == 503 else None)


def _unavailable(request: Request, _: Exception) -> Response:
    return problem(request, 503, "sign-in-unavailable", None)


def _unforeseen(request: Request, _: Exception) -> Response:
    """The answer to what nobody foresaw; the edge notes where it happened."""
    return problem(request, 500, "internal", None)


def _case_page(request: Request) -> str:
    """The page of the case a request was about; "" when it was about none."""
    found = re.match(r"/(?:desk/case|api/cases)/([A-Za-z0-9-]{1,30})(?:/|$)", request.url.path)
    return f"/desk/case/{found[1]}" if found else ""


def problem(request: Request, status: int, code: str, headers: object) -> Response:
    """The answer to what is not possible: for a browser a page, or the page that helps; for a program JSON."""
    identity = str(request.scope["state"]["request"])
    kept = dict(headers) if isinstance(headers, dict) else None
    back = _case_page(request)
    link = {"sign-in-needed": "/sign-in", "rules-unsigned": "/rules",
            "sign-in-again": f"/sign-in/again?next={back or safe_path(request.url.path)}"}.get(code, "")
    if "text/html" in request.headers.get("accept", ""):
        if link and request.method == "GET" and code != "sign-in-again":
            return RedirectResponse(link, 303)
        answer: Response = refusal_page(status, code, identity, link, back)
        answer.headers.update(kept or {})
        return answer
    body = Problem(code=code, request=identity, link=link).model_dump(exclude_defaults=True)
    return JSONResponse(body, status_code=status, headers=kept)
