"""`build_app(settings)`: the web service as one ASGI application.

Routes: /health/live, /health/ready and /metrics. What is true of every request stands in `addin/edge.py`.
The database is opened when the service starts and closed when it ends.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteError
from starlette.types import ASGIApp

from addin import metrics
from addin.edge import Caller, Edge
from capture.settings import Settings
from capture.wiring import opened
from pii_scan.errors import MailweirError
from store import vault
from store.crypto import Keys
from store.database import Database

_CODE = re.compile(r"[a-z][a-z-]{2,40}")
Working = Callable[[], bool]
"""Tells whether the worker that was started beside the service runs."""


class Live(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """What the service needs, each "ok", "off" (not meant to run here) or the code of what is wrong."""

    status: Literal["ok", "not-ready"]
    database: str
    worker: str


class Problem(BaseModel):
    """What an error answers: a stable code and the id of the request, as in the log."""

    code: str
    request: str


def build_app(settings: Settings, *, worker: Working | None = None) -> ASGIApp:
    """The application for one home. `worker` tells whether the worker beside it runs, None when there is none.

    At its start it raises the store's errors (`key-wrong`, `database-missing`, ...) when the home cannot be used.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with opened(settings) as (database, keys):
            app.state.database, app.state.keys = database, keys
            app.state.registry = metrics.registry_of(database, settings.home)
            yield

    app = FastAPI(title="mailweir", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan,
                  redirect_slashes=False)
    app.state.settings, app.state.worker = settings, worker
    app.add_exception_handler(StarletteError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_api_route("/health/live", live, methods=["GET"], response_model=Live)
    app.add_api_route("/health/ready", ready, methods=["GET"], response_model=Ready,
                      responses={503: {"model": Ready}})
    app.add_api_route("/metrics", numbers, methods=["GET"], response_class=Response,
                      responses={403: {"model": Problem}})
    return Edge(app, settings.web)


async def live() -> Live:
    """Answers while the process does."""
    return Live()


def ready(request: Request, response: Response) -> Ready:
    """Whether the service can do its work: the database answers with the right schema and key, and the worker that
    was started with it runs. 503 otherwise."""
    database: Database = request.app.state.database
    keys: Keys = request.app.state.keys
    worker: Working | None = request.app.state.worker
    try:
        vault.check(database, keys)
        store = "ok"
    except MailweirError as error:
        store = error.code
    working = "off" if worker is None else "ok" if worker() else "down"
    fine = store == "ok" and working != "down"
    response.status_code = 200 if fine else 503
    return Ready(status="ok" if fine else "not-ready", database=store, worker=working)


def may_measure(request: Request) -> None:
    """/metrics is for this machine, or for whoever has the token. Raises 403 for others."""
    caller: Caller = request.scope["state"]["caller"]
    settings: Settings = request.app.state.settings
    token = settings.metrics_token.get_secret_value()
    given = request.headers.get("authorization", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return
    if not caller.local:
        raise HTTPException(403, "metrics-not-for-you")


def numbers(request: Request, _: Annotated[None, Depends(may_measure)]) -> Response:
    """The figures, for Prometheus."""
    registry: CollectorRegistry = request.app.state.registry
    return Response(metrics.exposition(registry), media_type=metrics.CONTENT_TYPE)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteError)  # noqa: S101 - registered for it
    said = str(error.detail)
    code = said if _CODE.fullmatch(said) else HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return _problem(request, error.status_code, code, error.headers)


def _malformed(request: Request, _: Exception) -> JSONResponse:
    """The framework would repeat what was sent; we do not."""
    return _problem(request, 422, "bad-request", None)


def _problem(request: Request, status: int, code: str, headers: object) -> JSONResponse:
    kept = dict(headers) if isinstance(headers, dict) else None
    body = Problem(code=code, request=request.scope["state"]["request"])
    return JSONResponse(body.model_dump(), status_code=status, headers=kept)
