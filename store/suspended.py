"""Whose tracking is suspended: an incident was opened about an item they had tracked, and its reviewer chose so.

What they track meanwhile is fetched, read and scanned as ever, and held whatever the scan says ("tracking-suspended"):
nothing is lost, nothing is linked unseen. It ends with the incident. The account itself is not touched; that is for
those who keep the register (`people.change_state`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import pulls
from store.desk_tables import IncidentRow
from store.tables import Capture

SUSPENDED: Final = "tracking-suspended"
"""Why such an item is held."""


def is_suspended(session: Session, mailbox: str) -> bool:
    """Whether what this mailbox tracks is held until an incident is closed. Cheap while none suspends anybody."""
    about = session.scalars(select(IncidentRow.case_id).where(
        IncidentRow.state == "open", col(IncidentRow.suspends).is_(True))).all()
    if not about:
        return False
    tracked = session.scalars(select(Capture.id).where(
        col(Capture.case_id).in_(about), Capture.mailbox == mailbox, Capture.mailbox != pulls.CRM).limit(1)).first()
    return tracked is not None or any(mailbox in pulls.case_trackers(session, case_id) for case_id in about)
