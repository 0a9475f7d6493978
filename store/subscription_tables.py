"""The table of change notifications: what we subscribed to."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from store.columns import UtcDateTime, now
from store.tables import Row


class Subscription(Row, table=True):
    """One subscription to the changes of one mailbox, or the wish for one.

    Made when a mailbox is watched with notifications on, and lives as long as that lasts. `remote` is the server's
    id of it, "" while there is none; `secret` the SHA-256 of what a notification must carry, never the thing itself.
    `claimed` runs out: who holds it makes or renews the subscription. Holds the mailbox's address, and nothing of
    any item.
    """

    __tablename__ = "subscription"
    mailbox: str = Field(primary_key=True, max_length=320)
    resource: str = Field(primary_key=True, max_length=32)
    remote: str = Field(default="", index=True, max_length=128)
    secret: str = Field(default="", max_length=64)
    expires: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due: datetime = Field(default_factory=now, sa_type=UtcDateTime, index=True)
    claimed: datetime | None = Field(default=None, sa_type=UtcDateTime)
