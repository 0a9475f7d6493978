"""Exports, for administrators: what, why, for whom; and what was exported before."""

from __future__ import annotations

from typing import Final

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from addin.casework import at_desk, names
from addin.door import Route
from addin.forms import fields
from addin.frame import page_for
from capture import exporting
from store import audit
from store.access import Action

REASONS: Final = ("audit-office", "court-order", "freedom-of-information", "migration", "backup-check", "management")
RECIPIENTS: Final = ("internal", "auditor-general", "court", "commissioner", "supplier")


def form(request: Request) -> HTMLResponse:
    """The form, and the register of disclosures."""
    at = at_desk(request)
    with at.database.session() as session:
        rows = exporting.disclosures(session)
        audit.append(session, "audit:log:read", actor=at.visitor.person.id, body={"rows": len(rows)})
        known = names(session, {str(row["person"]) for row in rows})
    return page_for(request, "exports/exports.html", rows=rows, names=known, what=list(exporting.WHAT),
                    forms=exporting.FORMS, reasons=REASONS, recipients=RECIPIENTS,
                    most=request.app.state.settings.accountability.export_rows)


async def records(request: Request) -> Response:
    """Export CRM records."""
    return await _export(request, Action.RECORD_EXPORT)


async def accounts(request: Request) -> Response:
    """Export cases or the audit."""
    return await _export(request, Action.AUDIT_EXPORT)


async def _export(request: Request, needs: Action) -> Response:
    given = await fields(request, "what", "form", "reason", "recipient")
    kind = exporting.WHAT.get(given["what"])
    known = kind is not None and kind.needs is needs and given["form"] in exporting.FORMS
    if not known or given["reason"] not in REASONS or given["recipient"] not in RECIPIENTS:
        raise HTTPException(422, "bad-request")
    return await run_in_threadpool(_send, request, exporting.Wanted(
        given["what"], given["form"], given["reason"], given["recipient"]))


def _send(request: Request, wanted: exporting.Wanted) -> Response:
    at = at_desk(request)
    made = exporting.export(at.database, at.visitor.person, wanted,
                            most=request.app.state.settings.accountability.export_rows)
    return Response(made.data, media_type=made.media, headers={
        "Content-Disposition": f'attachment; filename="{made.name}"', "Cache-Control": "no-store"})


ROUTES: Final = (
    Route("GET", "/export", "exports", form, Action.AUDIT_EXPORT),
    Route("POST", "/export/records", "export_records", records, Action.RECORD_EXPORT),
    Route("POST", "/export/accounts", "export_accounts", accounts, Action.AUDIT_EXPORT),
)
"""The routes of exports."""
