"""The wire between child and parent: length-prefixed frames of JSON, or of picture bytes.

The child is not trusted, so nothing is ever unpickled, and the parent caps the length of what it reads.
A frame is five bytes (kind, length as big-endian integer) and the payload.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from typing import Any, Final

JSON: Final = b"J"
PICTURE: Final = b"P"
_HEAD = struct.Struct(">cI")

FRAME_BYTES = 64_000_000
"""The longest frame the parent accepts: a page at 200 dpi, or a run of `TEXT_CHARS`."""

TEXT_CHARS = 4_000_000
"""Longer runs of text are sent in pieces."""

TABLE_CHARS = 250_000
"""Larger tables are sent in pieces, so that those before a crash are kept."""


class BadFrame(Exception):
    """The child sent something that is no frame: it is broken or hostile."""


def pack(kind: bytes, payload: bytes) -> bytes:
    """Return one frame."""
    return _HEAD.pack(kind, len(payload)) + payload


def pack_json(event: dict[str, Any]) -> bytes:
    """Return one frame holding `event`; lone surrogates become question marks."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return pack(JSON, text.encode("utf-8", "replace"))


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however many calls it takes."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view):]


def read_all(descriptor: int) -> bytes:
    """Read to the end of the pipe."""
    chunks = []
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


class Unpacker:
    """Cuts a stream of bytes into frames. `feed` what arrived, then iterate over `frames()`."""

    def __init__(self, frame_bytes: int = FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._frame_bytes = frame_bytes

    def feed(self, data: bytes) -> None:
        """Add bytes as they arrived."""
        self._buffer += data

    def rest(self) -> bytes:
        """Take what is not a frame any more."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield (kind, payload) of every complete frame. Raises `BadFrame`."""
        while len(self._buffer) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer)
            if kind not in (JSON, PICTURE) or length > self._frame_bytes:
                raise BadFrame
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size:end])
            del self._buffer[:end]  # cheap: a bytearray forgets its head without moving the rest
            yield kind, payload


def unpack_json(payload: bytes) -> dict[str, Any]:
    """Return the event of a JSON frame. Raises `BadFrame`."""
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadFrame from error
    if not isinstance(event, dict):
        raise BadFrame
    return event
