"""Pictures inside the binary streams of old formats (.doc, .ppt, .xls, .rtf), found by their signatures."""

from __future__ import annotations

from collections.abc import Iterator

from capture.extract.reader import Sink

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND"
_JPEG = b"\xff\xd8\xff"
_START_OF_FRAME = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})

LEGIBLE_SIDE = 500
"""Pictures with a side shorter than this (pixels) are taken for decoration.

Old formats do not tell an inline photograph from clip art. A page or form photographed at less than 500 pixels
cannot be read by OCR either.
"""


def embed_pictures(data: bytes, sink: Sink, what: str, first: int = 1) -> int:
    """Hand over the legible pictures in a stream; returns how many. Each is counted once per content."""
    seen: set[bytes] = set()
    for picture, width, height in pictures(data):
        if min(width, height) >= LEGIBLE_SIDE and picture not in seen:
            seen.add(picture)
            sink.embed(picture, what=f"{what} {first + len(seen) - 1}")
    return len(seen)


def pictures(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(content, width, height) of every PNG and JPEG in a stream, sizes in pixels."""
    at = 0
    while True:
        png, jpeg = data.find(_PNG, at), data.find(_JPEG, at)
        if png < 0 and jpeg < 0:
            return
        if jpeg < 0 or 0 <= png < jpeg:
            found, end = _png(data, png), png + len(_PNG)
        else:
            found, end = _jpeg(data, jpeg), jpeg + len(_JPEG)
        if found is not None:
            yield found
            end = max(png if found[0].startswith(_PNG) else jpeg, 0) + len(found[0])
        at = end


def _png(data: bytes, at: int) -> tuple[bytes, int, int] | None:
    end = data.find(_PNG_END, at)
    if end < 0 or data[at + 12:at + 16] != b"IHDR":
        return None
    return (data[at:end + 8], int.from_bytes(data[at + 16:at + 20], "big"),
            int.from_bytes(data[at + 20:at + 24], "big"))


def _jpeg(data: bytes, start: int) -> tuple[bytes, int, int] | None:
    """Follow the segments to the frame header, then search the end mark."""
    at = start + 2
    width = height = 0
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        size = int.from_bytes(data[at + 2:at + 4], "big")
        if marker in _START_OF_FRAME:
            height, width = int.from_bytes(data[at + 5:at + 7], "big"), int.from_bytes(data[at + 7:at + 9], "big")
        if size < 2:
            return None
        at += 2 + size
        if marker == 0xDA:
            end = data.find(b"\xff\xd9", at)
            return (data[start:end + 2], width, height) if end > 0 and width else None
    return None
