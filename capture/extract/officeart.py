"""Drawings inside old Office files (Escher records): alternative texts, word art, pictures, metafiles.

Source: MS-ODRAW.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from capture.extract.carve import embed_pictures
from capture.extract.metafile import give_drawing
from capture.extract.reader import CannotRead, Sink

_OPTIONS = frozenset({0xF00B, 0xF121, 0xF122})
_TEXTS = frozenset({0x00C0, 0x0380, 0x0381, 0x0105, 0x038D, 0x038F, 0x0392, 0x0395})
"""Word art text, shape name, description, picture name, tooltip, script, link target, alternative text."""
_PICT = 0xF01C
_METAFILES = {0xF01A: (0x3D5,), 0xF01B: (0x217,), _PICT: (0x543,)}
"""EMF, WMF and PICT -> record instances with two identifiers."""


def option_texts(count: int, data: bytes) -> list[str]:
    """The texts among the properties of a shape."""
    found = []
    at = 6 * count
    for index in range(min(count, len(data) // 6)):
        key, value = struct.unpack_from("<HI", data, 6 * index)
        if not key & 0x8000:
            continue
        if key & 0x3FFF in _TEXTS:
            text = data[at:at + value].decode("utf-16-le", "replace").split("\0")[0].replace("\r\n", "\n").strip()
            if len(text) > 1 and all(c.isprintable() or c.isspace() for c in text):
                found.append(text)
        at += value
    return found


def drawing_texts(data: bytes) -> list[str]:
    """Alternative texts and word art of all shapes whose records stand anywhere in a stream, each once."""
    found: dict[str, None] = {}
    for kind in _OPTIONS:
        mark = struct.pack("<H", kind)
        at = data.find(mark, 2)
        while 2 <= at <= len(data) - 6:
            flags, _, length = struct.unpack_from("<HHI", data, at - 2)
            if flags & 0xF == 3 and length <= len(data) - at - 6 and length >= 6 * (flags >> 4):
                found.update(dict.fromkeys(option_texts(flags >> 4, data[at + 6:at + 6 + length])))
            at = data.find(mark, at + 2)
    return list(found)


def give_drawings(data: bytes, sink: Sink, previews: int = 0) -> int:
    """Hand over the legible pictures in a picture store and the text of its metafiles; returns how many.

    The first `previews` metafiles stand for embedded objects, which are read themselves.
    """
    count = embed_pictures(data, sink, "picture")
    for kind, instance, content in _blips(data):
        drawing = _metafile(content, 32 if instance in _METAFILES[kind] else 16, sink)
        if not drawing:
            continue
        count += 1
        if kind == _PICT:
            at = drawing.find(b"%PDF-")
            if at >= 0:
                sink.embed(drawing[at:], what=f"picture {count}")
            continue
        try:
            give_drawing(drawing, sink, f"drawing {count}", preview=previews > 0)
        except CannotRead as error:
            if error.code != "corrupt":
                raise
            if previews <= 0:
                sink.partial("corrupt")
        previews -= 1
    return count


def _blips(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Metafile records wherever they stand: stores of different hosts frame them differently."""
    for kind in _METAFILES:
        mark = struct.pack("<H", kind)
        at = data.find(mark, 2)
        while at >= 2:
            flags, _, length = struct.unpack_from("<HHI", data.ljust(at + 6, b"\0"), at - 2)
            if flags & 0xF == 0 and 50 < length <= len(data) - at - 6:
                yield kind, flags >> 4, data[at + 6:at + 6 + length]
            at = data.find(mark, at + 2)


def _metafile(content: bytes, skip: int, sink: Sink) -> bytes:
    """The drawing in a metafile record, decompressed when it is compressed; empty for a damaged one."""
    body = content[skip + 34:]
    if len(content) < skip + 34:
        return b""
    size = struct.unpack_from("<I", content, skip)[0]
    if content[skip + 32] == 0xFE:
        return body
    try:
        out = zlib.decompressobj().decompress(body, min(size, sink.limits.file_bytes) or 1)
    except zlib.error:
        return b""
    sink.spend(len(out), len(body))
    return out


def inflate(data: bytes, size: int, sink: Sink) -> tuple[bytes, bool]:
    """Decompress as far as it goes: (content, whether it is whole, that is `size` bytes or to its end)."""
    stream = zlib.decompressobj()
    out = bytearray()
    rest = data
    sink.spend(0, len(data))
    try:
        while rest and not stream.eof:
            piece = stream.decompress(rest, 4_096)
            sink.spend(len(piece))
            out += piece
            rest = stream.unconsumed_tail
            if not piece and not rest:
                break
    except zlib.error:
        return bytes(out), len(out) == size
    return bytes(out), stream.eof or len(out) == size
