"""Health and metrics: what programs ask that watch this one."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal

from fastapi import HTTPException, Request, Response
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from addin import metrics
from addin.edge import Caller
from capture.settings import Settings
from pii_scan.errors import MailweirError
from store import vault
from store.crypto import Keys
from store.database import Database

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


def numbers(request: Request) -> Response:
    """The figures, for Prometheus."""
    registry: CollectorRegistry = request.app.state.registry
    return Response(metrics.exposition(registry), media_type=metrics.CONTENT_TYPE)
