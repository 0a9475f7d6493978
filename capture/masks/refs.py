"""Refs: opaque names for places in an item. Without the secret they say nothing and none can be made up.

A ref holds the place itself, encrypted and authenticated in the synthetic-IV manner with HMAC-SHA256: the tag over
the place is the nonce of its own key stream. So a ref is found again without looking for it, and is the same
whenever the same place is shown.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass
from enum import IntEnum

from capture.errors import CaptureError
from pii_scan.text import Block, Extraction, Table

_PACK = struct.Struct(">BHIIIIIII")
_TAG = 9
LEAST_SECRET = 16
"""Bytes a secret must have."""


class BadRef(CaptureError):
    """What was asked for is not a place of this item."""

    code = "bad-ref"
    hint = "Open the case again: it may have been shown under another sign-in, or decided meanwhile."


class What(IntEnum):
    """What a ref names."""

    SPAN = 1    # characters start to end of a text block
    CELLS = 2   # rows start to end, columns left to right of a table
    BLOCK = 3
    PART = 4
    NAME = 5    # the file name of a part


@dataclass(frozen=True, slots=True)
class Spot:
    """A place: `part` and `block` as in a Finding; `start` and `end` are characters or rows, `left` and `right`
    columns, `first` and `last` characters within one cell (0 and 0: the whole cell); ends are exclusive."""

    what: What
    part: int
    block: int = 0
    start: int = 0
    end: int = 0
    left: int = 0
    right: int = 0
    first: int = 0
    last: int = 0


class Refs:
    """Makes and opens the refs of one case."""

    def __init__(self, secret: bytes) -> None:
        """Raises ValueError for a secret shorter than LEAST_SECRET bytes."""
        if len(secret) < LEAST_SECRET:
            raise ValueError("the secret is too short")
        self._tag_key = hmac.digest(secret, b"mailweir masked ref: tag", "sha256")
        self._text_key = hmac.digest(secret, b"mailweir masked ref: text", "sha256")

    def seal(self, spot: Spot) -> str:
        """The ref of a place: 54 characters of the URL-safe alphabet."""
        plain = _PACK.pack(spot.what, spot.part, spot.block, spot.start, spot.end, spot.left, spot.right,
                           spot.first, spot.last)
        tag = hmac.digest(self._tag_key, plain, "sha256")[:_TAG]
        stream = hmac.digest(self._text_key, tag, "sha256")
        return base64.urlsafe_b64encode(tag + _xor(plain, stream)).decode().rstrip("=")

    def open(self, ref: str) -> Spot:
        """The place a ref names. Raises `BadRef`."""
        try:
            raw = base64.b64decode(ref + "=" * (-len(ref) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as exc:
            raise BadRef from exc
        if len(raw) != _TAG + _PACK.size:
            raise BadRef
        tag = raw[:_TAG]
        plain = _xor(raw[_TAG:], hmac.digest(self._text_key, tag, "sha256"))
        if not hmac.compare_digest(tag, hmac.digest(self._tag_key, plain, "sha256")[:_TAG]):
            raise BadRef
        what, *numbers = _PACK.unpack(plain)
        return Spot(What(what), *numbers)


def _xor(data: bytes, stream: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(data, stream[:len(data)], strict=True))


def at(extraction: Extraction, spot: Spot) -> str:
    """The content of a place. Raises `BadRef` when the item has no such place."""
    try:
        part = extraction.parts[spot.part]
        if spot.what is What.PART:
            return part.text()
        if spot.what is What.NAME:
            return part.path.rpartition(" > ")[2]
        block = part.blocks[spot.block]
    except IndexError as exc:
        raise BadRef from exc
    if spot.what is What.BLOCK:
        return block.text if isinstance(block, Block) else "\n".join(block.lines())
    if spot.what is What.SPAN and isinstance(block, Block) and spot.end <= len(block.text):
        return block.text[spot.start:spot.end]
    if spot.what is What.CELLS and isinstance(block, Table) and spot.end <= len(block.rows):
        text = "\n".join("\t".join(row[spot.left:spot.right]) for row in block.rows[spot.start:spot.end])
        return text[spot.first:spot.last] if spot.last else text
    raise BadRef
