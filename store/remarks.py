"""What a person wrote besides the reason from the list when they asked to see held content.

It is their own text about somebody's mail, so it counts as content: encrypted with a key of its own, kept with the
case, and destroyed with the case's content. The audit row of the reading names the remark by its id.

    remark = remarks.keep(session, keys, case, "...")        # "" for no text
    remarks.of_case(session, keys, case)                     # {id: text}
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import quarantine
from store.crypto import Keys
from store.database import begin_write
from store.errors import BadState, ContentDestroyed
from store.tables import OPEN_CASE, Blob, BlobRole, Capture, Case

KIND: Final = "remark"


def keep(session: Session, keys: Keys, case: Case, text: str) -> str:
    """Encrypt a remark and return its id; "" for an empty one. Raises `BadState` when the case is closed."""
    words = text.strip()
    if not words:
        return ""
    begin_write(session)
    capture = session.scalars(select(Capture.id).where(Capture.case_id == case.id).order_by(
        col(Capture.created)).limit(1)).first()
    if case.state not in OPEN_CASE or capture is None:
        raise BadState(f"case {case.number} is {case.state}")
    blob = quarantine.stage(session, keys, capture, KIND, words.encode("utf-8", "replace"))
    session.execute(update(Blob).where(col(Blob.id) == blob).values(role=BlobRole.HELD, case_id=case.id))
    return blob


def of_case(session: Session, keys: Keys, case: Case) -> dict[str, str]:
    """The remarks on a case that are still there, oldest first; the caller audits the reading."""
    found: dict[str, str] = {}
    for blob in quarantine.blobs(session, case_id=case.id, kind=KIND):
        try:
            found[blob.id] = quarantine.read(session, keys, blob.id).decode()
        except ContentDestroyed:  # between the two looks
            continue
    return found
