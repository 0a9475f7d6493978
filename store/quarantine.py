"""Encrypted content: staged between two steps of the flow, held while a reviewer decides, destroyed.

Envelope encryption: every blob has a data key of its own, which lies beside it wrapped by the master key.
Both are bound to "blob" and the row's id, so a swapped row does not open. Destroying overwrites the
wrapped key and the content and leaves the row as a tombstone: nobody can make the content again, not
even from a backup of the content with today's keys, once the backup of the wrapped key is gone too.

All functions run in the caller's transaction. After the commit of a destroy, `Database.scrub()` empties
the write-ahead log.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select as columns
from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.columns import now
from store.crypto import Keys
from store.database import begin_write
from store.errors import ContentDestroyed, NotFound
from store.tables import Blob, BlobRole, Capture, Case

MAIL, EXTRACTION = "mail", "extraction"
REDACTED_MAIL, REDACTED_EXTRACTION = "redacted-mail", "redacted-extraction"
REDACTED = (REDACTED_MAIL, REDACTED_EXTRACTION)
"""Kinds of blobs: the item as it came and its text, and a reviewer's copy without the personal part."""


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """A blob without its content. `size` is that of the plain content in bytes."""

    id: str
    capture_id: str
    case_id: int | None
    role: BlobRole
    kind: str
    size: int
    created: datetime
    destroyed: datetime | None


def stage(session: Session, keys: Keys, capture_id: str, kind: str, plain: bytes) -> str:
    """Encrypt content of a capture for the next step and return the blob's id.

    Staging the same kind for the same capture again (a repeated step) destroys the earlier blob.
    `kind` is a code: "mail", "extraction".
    """
    begin_write(session)
    for earlier in blobs(session, capture_id=capture_id, kind=kind):
        if earlier.role is BlobRole.STAGED:
            destroy(session, earlier.id)
    blob = Blob(capture_id=capture_id, kind=kind, size=len(plain), key_id=keys.id)
    key, blob.wrapped = keys.new_data_key(_bound(blob.id))
    blob.content = key.seal(_bound(blob.id), plain)
    session.add(blob)
    session.flush()
    session.expunge(blob)  # do not keep the ciphertext in memory with the session
    return blob.id


def read(session: Session, keys: Keys, blob_id: str) -> bytes:
    """Decrypt a blob for the flow itself. People go through `reveal`, which is audited.

    Raises `NotFound`, `ContentDestroyed`, `ContentUnreadable` or `KeyWrong`.
    """
    row = session.execute(select(Blob.wrapped, Blob.content).where(Blob.id == blob_id)).one_or_none()
    if row is None:
        raise NotFound(f"blob {blob_id}")
    wrapped, content = row
    if wrapped is None or content is None:
        raise ContentDestroyed(f"blob {blob_id}")
    return keys.data_key(_bound(blob_id), wrapped).unseal(_bound(blob_id), content)


def read_kind(session: Session, keys: Keys, capture_id: str, kind: str) -> bytes | None:
    """Decrypt the living blob of this kind of a capture, or of the case it joined; None if there is none.

    A capture that joined a case has no content of its own: the first tracker's is used.
    """
    found = blobs(session, capture_id=capture_id, kind=kind) or blobs(
        session, sharing_case_with=capture_id, kind=kind)
    return read(session, keys, found[-1].id) if found else None


def reveal(session: Session, keys: Keys, case: Case, kind: str, *, actor: str, reason: str) -> bytes:
    """Decrypt held content for a person. The audit row is written first; commit before showing.

    `reason` is a code. Raises as `read` does.
    """
    audit.append(session, "quarantine:content:read", actor=actor, subject=case.number,
                 body={"kind": kind, "reason": reason})
    found = blobs(session, case_id=case.id, kind=kind)
    if not found:
        raise ContentDestroyed(f"case {case.number}")
    return read(session, keys, found[-1].id)


def keep_redacted(session: Session, keys: Keys, case_id: int, mail: bytes, extraction: bytes) -> None:
    """Keep a redacted copy beside the original of a case, in the place of an earlier one. Raises `ContentDestroyed`
    when the case has no original any more."""
    destroy_all(session, case_id=case_id, kinds=REDACTED)
    original = blobs(session, case_id=case_id, kind=MAIL)
    if not original:
        raise ContentDestroyed(f"case {case_id}")
    holder = original[-1].capture_id
    for kind, content in ((REDACTED_MAIL, mail), (REDACTED_EXTRACTION, extraction)):
        stage(session, keys, holder, kind, content)
    hold(session, holder, case_id)


def blobs(session: Session, *, capture_id: str = "", case_id: int | None = None, sharing_case_with: str = "",
          kind: str = "", destroyed: bool = False) -> tuple[BlobInfo, ...]:
    """What there is for a capture or a case, oldest first, without content; tombstones on request."""
    query = columns(col(Blob.id), col(Blob.capture_id), col(Blob.case_id), col(Blob.role), col(Blob.kind),
                    col(Blob.size), col(Blob.created), col(Blob.destroyed)).order_by(col(Blob.created), col(Blob.id))
    if capture_id:
        query = query.where(col(Blob.capture_id) == capture_id)
    if case_id is not None:
        query = query.where(col(Blob.case_id) == case_id)
    if sharing_case_with:
        query = query.where(col(Blob.case_id).in_(
            select(Capture.case_id).where(Capture.id == sharing_case_with, col(Capture.case_id).is_not(None))))
    if kind:
        query = query.where(col(Blob.kind) == kind)
    if not destroyed:
        query = query.where(col(Blob.role) != BlobRole.DESTROYED)
    return tuple(BlobInfo(i, c, n, BlobRole(r), k, s, made, gone)
                 for i, c, n, r, k, s, made, gone in session.execute(query))


def hold(session: Session, capture_id: str, case_id: int, *, former: int | None = None) -> int:
    """Keep the staged blobs of a capture for its case, and what its `former` case still holds (it was released, and
    could not be linked); returns how many."""
    begin_write(session)
    staged = [b.id for b in blobs(session, capture_id=capture_id) if b.role is BlobRole.STAGED]
    if former is not None:
        staged += [b.id for b in blobs(session, case_id=former)]
    session.execute(update(Blob).where(col(Blob.id).in_(staged)).values(role=BlobRole.HELD, case_id=case_id))
    return len(staged)


def destroy(session: Session, blob_id: str) -> None:
    """Overwrite the wrapped key and the content; the row stays as a tombstone. Safe to call twice."""
    begin_write(session)
    session.execute(
        update(Blob).where(col(Blob.id) == blob_id, col(Blob.role) != BlobRole.DESTROYED)
        .values(role=BlobRole.DESTROYED, wrapped=None, content=None, destroyed=now())
        .execution_options(synchronize_session=False))


def destroy_all(session: Session, *, capture_id: str = "", case_id: int | None = None,
                kinds: Collection[str] = ()) -> int:
    """Destroy every living blob of a capture or a case, or those of some kinds; returns how many."""
    if not capture_id and case_id is None:
        raise ValueError("name a capture or a case")
    found = [blob for blob in blobs(session, capture_id=capture_id, case_id=case_id) if not kinds or blob.kind in kinds]
    for blob in found:
        destroy(session, blob.id)
    return len(found)


def _bound(blob_id: str) -> str:
    return f"blob/{blob_id}"
