"""The address Microsoft Graph sends change notifications to: POST /hooks/graph and /hooks/graph/lifecycle.

What a request means is `capture.mailbox.graph_hooks.received`; here is only HTTP. Open to anybody by nature: a
notification is believed only with the secret of its subscription, and then it only wakes the watching. Answers 202
once the wake-ups are on disk; an error of the database is a 503, so that Microsoft sends it again.
"""

from __future__ import annotations

import logging

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from sqlalchemy.exc import SQLAlchemyError

from capture.mailbox.graph_hooks import LIFECYCLE_PATH, MAX_BODY, PATH, Answer, received
from store.database import Database
from store.errors import StoreError

log = logging.getLogger("mailweir.hooks")

TOO_LONG = Answer(413)
NOT_JSON = Answer(415)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def router() -> APIRouter:
    """The two addresses by themselves, for an application that has `state.database`; the web service lists them
    with its other routes (`addin/routes.py`)."""
    made = APIRouter()
    for path in (PATH, LIFECYCLE_PATH):
        made.add_api_route(path, notified, methods=["POST"], response_class=PlainTextResponse, status_code=202,
                           responses={200: {"description": "the validation token"}, 400: {"description": "no JSON"},
                                      413: {"description": "too long"}, 503: {"description": "send it again"}})
    return made


async def notified(request: Request) -> PlainTextResponse:
    """Take in a validation request or notifications."""
    token = request.query_params.get("validationToken")
    if request.headers.get("content-type", "").lower().startswith(_FORMS):
        return _plain(NOT_JSON)
    body = b"" if token is not None else await _body(request)
    if body is None:
        return _plain(TOO_LONG)
    database: Database = request.app.state.database
    try:
        answer = await run_in_threadpool(received, database, body, validation_token=token)
    except (StoreError, SQLAlchemyError) as error:
        log.warning("notifications could not be noted (%s); they are sent again", type(error).__name__)
        answer = Answer(503)
    return _plain(answer)


async def _body(request: Request) -> bytes | None:
    """The body, or None when it is longer than any notification."""
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MAX_BODY:
            return None
    return bytes(found)


def _plain(answer: Answer) -> PlainTextResponse:
    return PlainTextResponse(answer.text, status_code=answer.status, headers={
        "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"})
