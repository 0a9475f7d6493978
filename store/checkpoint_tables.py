"""The table of signed checkpoints of the audit (`store/checkpoints.py`)."""

from __future__ import annotations

from sqlmodel import Field

from store.tables import Row


class AuditCheckpoint(Row, table=True):
    """What the audit was at one moment, signed with a key that is not in the database.

    Rows are added, never changed, and live as long as the audit. `count` rows, their Merkle `root`, the `digest` of
    the last; `previous` is the hash of the checkpoint before. `peaks` is where the next one goes on building the
    tree; it is not signed, because it follows from the rows. All hashes in hex. Holds no id of anything but a key.
    """

    __tablename__ = "audit_checkpoint"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: str = Field(max_length=32)
    count: int
    root: str = Field(max_length=64)
    digest: str = Field(max_length=64)
    previous: str = Field(max_length=64)
    key_id: str = Field(max_length=16)
    signature: str = Field(max_length=128)
    peaks: str = Field(max_length=2200)
