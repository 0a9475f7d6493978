"""`mailweir crm check`: what the CRM of a home lets mailweir do, and what is missing."""

from __future__ import annotations

from typing import Any

from capture.ports import Check
from capture.settings import Settings
from capture.wiring import build_crm, opened
from store.database import Database


def looked(settings: Settings, database: Database) -> list[Check]:
    """Everything the backend looks at. Raises `BadSettings` when it cannot even be set up: an address outside the
    allowed regions, a credential that is not there."""
    crm = build_crm(settings, database)
    try:
        return list(crm.check())
    finally:
        crm.close()


def checked(settings: Settings) -> list[dict[str, Any]]:
    """The same as rows for the terminal: `{"check", "result", "detail", "hint"}`."""
    with opened(settings) as (database, _):
        return [{"check": one.code, "result": "ok" if one.fine else "fail", "detail": one.detail, "hint": one.hint}
                for one in looked(settings, database)]
