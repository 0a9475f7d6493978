"""Drawings as lists of commands: EMF, WMF and StarView metafiles. The text they draw is read.

A drawing whose letters are given as glyph numbers, and pictures inside it, cannot be read as text.
Sources: MS-EMF 2.3.5, MS-WMF 2.3.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from capture.extract.macros import strings_in
from capture.extract.reader import CannotRead, Sink
from pii_scan.text import Label

_EMF_TEXT_A, _EMF_TEXT_W, _EMF_SMALL, _EMF_COMMENT, _EMF_END = 83, 84, 108, 70, 14
_EMF_PICTURES = {76: 84, 77: 84, 80: 48, 81: 48, 114: 84}
"""Records with a bitmap -> where offset and size of its header and bits stand."""
_GLYPHS = 0x10
_PLUS_DRAW_STRING = 0x401C
_PLACEABLE = b"\xd7\xcd\xc6\x9a"
_SVM = b"VCLMTF"
_PICTURE_SIDE = 100


def read_metafile(data: bytes, sink: Sink) -> None:
    """Read the text of a drawing. Glyph numbers instead of letters make it partial, `needs_ocr`.

    Raises `CannotRead("corrupt")` when it is no metafile. A drawing without any text is empty, unless it
    holds a picture, which is handed over.
    """
    if not give_drawing(data, sink, "drawing"):
        sink.empty()


def with_header(data: bytes) -> bytes:
    """A bare WMF with the header that files of their own carry, by which it is known."""
    return _PLACEABLE + bytes(18) + data


def give_drawing(data: bytes, sink: Sink, where: str, *, preview: bool = False) -> bool:
    """Hand over the text of a drawing and the pictures in it; returns whether there was any text.

    `preview`: the drawing stands for an object that is read itself; its pictures and glyph numbers are left out.
    """
    if data[40:44] == b" EMF":
        found = _Emf(data, sink, where, preview=preview).lines
    elif data.startswith(_SVM):
        found = strings_in(data[16:])
    else:
        found = _wmf(data[22:] if data.startswith(_PLACEABLE) else data)
    text = "\n".join(line for line in found if line.strip())
    if text:
        sink.text(text, Label.TEXT, where)
    return bool(text)


class _Emf:
    def __init__(self, data: bytes, sink: Sink, where: str, *, preview: bool) -> None:
        self.lines: list[str] = []
        self._sink = sink
        self._where = where
        self._preview = preview
        self._pictures = 0
        self._last = (-1, 0, 0)
        for kind, record in _emf_records(data):
            try:
                self._record(kind, record)
            except struct.error as error:
                raise CannotRead("corrupt") from error

    def _record(self, kind: int, record: bytes) -> None:
        if kind in (_EMF_TEXT_A, _EMF_TEXT_W):
            x, y, count, offset, options = struct.unpack_from("<iiIII", record, 36)
            widths_at = struct.unpack_from("<I", record, 72)[0]
            width = 0
            if widths_at and widths_at + 4 * count <= len(record):
                width = sum(struct.unpack_from(f"<{count}i", record, widths_at))
            self._add(self._decode(record[offset:], count, kind == _EMF_TEXT_W, options), y, x, width)
        elif kind == _EMF_SMALL:
            x, y, count, options = struct.unpack_from("<iiII", record, 8)
            start = 36 if options & 0x100 else 52
            self._add(self._decode(record[start:], count, not options & 0x200, options), y, x, 0)
        elif kind == _EMF_COMMENT and record[12:16] == b"EMF+":
            self._plus_records(record[16:])
        elif kind in _EMF_PICTURES and not self._preview and len(record) > _EMF_PICTURES[kind] + 16:
            self._picture(record, _EMF_PICTURES[kind])

    def _decode(self, raw: bytes, count: int, wide: bool, options: int) -> str:
        if options & _GLYPHS:
            if not self._preview:
                self._sink.partial("needs_ocr")
            return ""
        count = min(count, len(raw))
        return raw[:2 * count].decode("utf-16-le", "replace") if wide else raw[:count].decode("cp1252", "replace")

    def _add(self, text: str, y: int, x: int, width: int) -> None:
        """Pieces drawn on one line, one after the other, are one line of text."""
        if not text:
            return
        row, end, letter = self._last
        if self.lines and y == row and width and letter and x >= end - letter:
            gap = x - end
            self.lines[-1] += ("\t" if gap > 4 * letter else " " if gap > 0.3 * letter else "") + text
        else:
            self.lines.append(text)
        self._last = (y, x + width, width // len(text))

    def _plus_records(self, data: bytes) -> None:
        at = 0
        while at + 12 <= len(data):
            kind, _, size, _ = struct.unpack_from("<HHII", data, at)
            if kind == _PLUS_DRAW_STRING:
                count = struct.unpack_from("<I", data, at + 20)[0]
                text = data[at + 40:at + 40 + 2 * count].decode("utf-16-le", "replace")
                if text not in self.lines:
                    self.lines.append(text)
            at += max(size, 12)

    def _picture(self, record: bytes, at: int) -> None:
        header_at, header_size, bits_at, bits_size = struct.unpack_from("<IIII", record, at)
        header, bits = record[header_at:header_at + header_size], record[bits_at:bits_at + bits_size]
        if len(header) < 40 or not bits:
            return
        width, height = struct.unpack_from("<ii", header, 4)
        if min(width, abs(height)) <= _PICTURE_SIDE:
            return
        self._pictures += 1
        size = 14 + len(header) + len(bits)
        bitmap = b"BM" + struct.pack("<IHHI", size, 0, 0, 14 + len(header)) + header + bits
        self._sink.embed(bitmap, what=f"{self._where}, picture {self._pictures}")


def _emf_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if size < 8 or at + size > len(data):
            raise CannotRead("corrupt")
        yield kind, data[at:at + size]
        if kind == _EMF_END:
            return
        at += size
    raise CannotRead("corrupt")


def _wmf(data: bytes) -> list[str]:
    """The strings of a WMF's text commands, those on one line joined."""
    if len(data) < 18 or struct.unpack_from("<HH", data) not in ((1, 9), (2, 9)):
        raise CannotRead("corrupt")
    found: list[str] = []
    at = 18
    while at + 6 <= len(data):
        words, kind = struct.unpack_from("<IH", data, at)
        if words < 3 or kind == 0:
            break
        record = data[at + 6:at + 2 * words]
        if kind == 0x0521 and len(record) > 2:
            size = struct.unpack_from("<H", record)[0]
            found.append(record[2:2 + size].decode("cp1252", "replace"))
        elif kind == 0x0A32 and len(record) > 8:
            _, _, size, options = struct.unpack_from("<hhHH", record)
            start = 16 if options & 6 else 8
            found.append(record[start:start + size].decode("cp1252", "replace"))
        at += 2 * words
    return found
