"""Merkle trees as in RFC 6962 section 2.1, built leaf by leaf with a handful of hashes in memory.

    leaf = SHA-256(0x00 | data)            node = SHA-256(0x01 | left | right)

The tree over n leaves splits at the largest power of two below n. `Tree` keeps the roots of the full subtrees from
left to right ("peaks"; as many as n has binary ones), which is all that is needed to go on or to give the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


class Tree:
    """A growing tree. `peaks` (32 bytes each) and `count` of an earlier one continue it."""

    def __init__(self, count: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if len(peaks) != count.bit_count():
            raise ValueError(f"{len(peaks)} peaks do not make a tree of {count} leaves")
        self.count, self._peaks = count, list(peaks)

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the full subtrees, the largest first."""
        return tuple(self._peaks)

    def add(self, data: bytes) -> None:
        """Add one leaf."""
        node = sha256(b"\x00" + data).digest()
        full = self.count
        while full & 1:  # as when one is added to a binary number: every carry joins two subtrees
            node = sha256(b"\x01" + self._peaks.pop() + node).digest()
            full >>= 1
        self._peaks.append(node)
        self.count += 1

    def root(self) -> bytes:
        """The root over all leaves; of no leaves, the hash of nothing."""
        if not self._peaks:
            return sha256(b"").digest()
        node = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            node = sha256(b"\x01" + peak + node).digest()
        return node
