"""What the store needs from outside, as protocols."""

from __future__ import annotations

from typing import Protocol


class KeyProvider(Protocol):
    """Where the master key comes from. A provider only fetches; `store.crypto.Keys` does the work."""

    def load(self) -> bytes:
        """Return the 32 bytes of the master key.

        Raises `KeyMissing` when there is none, `KeyUnsafe` when others may read it, `KeyWrong` when
        what is there is not a whole key.
        """
