"""Documents are destroyed by whoever owns them, or keeps the records of their division; what stays is the receipt.

(Activities: `store.crm_choices.purge`; contacts: `store.crm_suppression.purge_contact`.)
"""

from __future__ import annotations

from sqlalchemy import and_, delete, func, or_
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col

from store import audit, crm_texts
from store.access import Action, Thing
from store.crm_access import Who, load, must
from store.crm_tables import PurgeReceipt
from store.crm_work_tables import Document, RecordChange, RecordWord, Relation
from store.errors import BadState

KIND = "document"


def purge_document(session: Session, who: Who, ident: str, *, reason: str) -> PurgeReceipt:
    """Destroy a document with its file, its history, what it had to do with other records, and its words in the index.

    Raises `NotFound`, `NotAllowed`, and `BadState` while an open incident needs it as evidence.
    """
    row: Document = load(session, KIND, ident, lock=True)
    must(who, Action.RECORD_DELETE, Thing(division=row.division, owner=row.owner))
    if crm_texts.is_evidence(session, KIND, row.id):
        raise BadState("an incident needs it as evidence")
    theirs = or_(and_(col(Relation.from_kind) == KIND, col(Relation.from_id) == row.id),
                 and_(col(Relation.to_kind) == KIND, col(Relation.to_id) == row.id))
    counts = {"bytes": row.size, "relations": session.execute(
        columns(func.count()).select_from(Relation).where(theirs)).scalar_one()}
    session.execute(delete(Relation).where(theirs))
    session.execute(delete(RecordChange).where(col(RecordChange.record) == KIND, col(RecordChange.record_id) == row.id))
    session.execute(delete(RecordWord).where(col(RecordWord.kind) == KIND, col(RecordWord.record_id) == row.id))
    session.execute(delete(Document).where(col(Document.id) == row.id))
    receipt = PurgeReceipt(record=KIND, record_id=row.id, by=who.actor, reason=reason, counts=counts)
    session.add(receipt)
    session.flush()
    audit.append(session, "crm:record:purged", actor=who.actor, subject=receipt.record_id, body={
        "receipt": receipt.id, "kind": KIND, "reason": reason, **counts})
    return receipt
