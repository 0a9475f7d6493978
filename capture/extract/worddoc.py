"""Text of old Word files (Word 6 to 2003), by their piece table, so that nothing is guessed.

Source: MS-DOC 2.4.1 (retrieving text), 2.5 (Fib), 2.8.25 (PlcBtePapx).
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from capture.extract.officeflow import BLOCK_CHARS
from capture.extract.reader import CannotRead, Sink
from capture.extract.xmlparts import has_ink
from pii_scan.text import Label

_MAGIC_97, _MAGIC_95 = 0xA5EC, 0xA5DC
_STORIES = ((Label.TEXT, ""), (Label.NOTE, "footnotes"), (Label.MARGIN, "headers and footers"),
            (Label.HIDDEN, "macros"), (Label.NOTE, "comments"), (Label.NOTE, "endnotes"),
            (Label.TEXT, "text boxes"), (Label.MARGIN, "text boxes of headers"))
"""The parts of the text in the order in which they follow each other."""
_ROW_END, _IN_TABLE = 0x2417, 0x2416
_SPRM_SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_LANGUAGE_PAGES = {0x01: "cp1256", 0x04: "cp936", 0x05: "cp1250", 0x08: "cp1253", 0x0D: "cp1255", 0x0E: "cp1250",
                   0x11: "cp932", 0x12: "cp949", 0x15: "cp1250", 0x19: "cp1251", 0x1A: "cp1250", 0x1B: "cp1250",
                   0x1E: "cp874", 0x1F: "cp1254", 0x22: "cp1251", 0x23: "cp1251", 0x24: "cp1250", 0x02: "cp1251"}
_PLACES = {"\x0b": "\n", "\x0c": "\n", "\x0e": "\n", "\x1e": "\u2011", "\x1f": "\u00ad"}
_MARKS = frozenset("\x01\x02\x03\x04\x05\x06\x08")


@dataclass
class _Text:
    """The characters of all stories and, beside them, where each row of a table ends."""

    characters: str
    row_ends: set[int] = field(default_factory=set)


def read_word(document: bytes, table: dict[str, bytes], sink: Sink) -> None:
    """Read a WordDocument stream; `table` holds the streams 0Table and 1Table as far as they exist.

    Raises `CannotRead`: `encrypted`, `corrupt`, `unsupported` (older than Word 6).
    """
    if len(document) < 0x200:
        raise CannotRead("corrupt")
    magic, version, language, _, flags = struct.unpack_from("<HHHHH", document, 0)[:5]
    language = struct.unpack_from("<H", document, 6)[0]
    flags = struct.unpack_from("<H", document, 10)[0]
    if magic not in (_MAGIC_97, _MAGIC_95) or version < 101:
        raise CannotRead("unsupported")
    if flags & 0x0100:
        raise CannotRead("encrypted")
    if version >= 0xC1:
        stream = table.get("1Table" if flags & 0x0200 else "0Table", b"")
        counts = struct.unpack_from("<8i", document, 0x4C)
        clx_at, clx_size = struct.unpack_from("<II", document, 0x1A2)
        papx_at, papx_size = struct.unpack_from("<II", document, 0x102)
        codec = ""
    else:
        stream = document
        counts = struct.unpack_from("<8i", document, 0x34)
        clx_at, clx_size = struct.unpack_from("<II", document, 0x160) if flags & 4 else (0, 0)
        papx_at = papx_size = 0
        codec = _LANGUAGE_PAGES.get(language & 0x3FF, "cp1252")
    if any(count < 0 for count in counts):
        raise CannotRead("corrupt")
    pieces = _pieces(stream[clx_at:clx_at + clx_size]) if clx_size else [
        (sum(counts), struct.unpack_from("<I", document, 0x18)[0], True)]
    row_ends = _row_ends(document, stream[papx_at:papx_at + papx_size])
    text = _characters(document, pieces, row_ends, codec, sink)
    at = 0
    for count, (label, where) in zip(counts, _STORIES, strict=True):
        story = _Story(sink, label, where)
        story.read(text, at, at + count)
        at += count
    if len(text.characters) < counts[0]:
        sink.partial("corrupt")


def _pieces(clx: bytes) -> list[tuple[int, int, bool]]:
    """(characters, offset in the document stream, one byte each) of every piece."""
    at = 0
    while at + 3 <= len(clx) and clx[at] == 1:
        at += 3 + struct.unpack_from("<H", clx, at + 1)[0]
    if at + 5 > len(clx) or clx[at] != 2:
        raise CannotRead("corrupt")
    size = struct.unpack_from("<I", clx, at + 1)[0]
    plc = clx[at + 5:at + 5 + size]
    count = (len(plc) - 4) // 12
    if count < 1:
        raise CannotRead("corrupt")
    places = struct.unpack_from(f"<{count + 1}I", plc)
    pieces = []
    for index in range(count):
        offset = struct.unpack_from("<I", plc, 4 * (count + 1) + 8 * index + 2)[0]
        narrow = bool(offset & 0x40000000)
        offset &= 0x3FFFFFFF
        if places[index + 1] < places[index]:
            raise CannotRead("corrupt")
        pieces.append((places[index + 1] - places[index], offset // 2 if narrow else offset, narrow))
    return pieces


def _characters(document: bytes, pieces: list[tuple[int, int, bool]], row_ends: list[tuple[int, int]], codec: str,
                sink: Sink) -> _Text:
    out: list[str] = []
    ends: set[int] = set()
    starts = [start for start, _ in row_ends]
    total = 0
    for count, offset, narrow in pieces:
        if codec:  # Word 6 and 95: bytes in the code page of the language, offsets as they stand
            offset, narrow = (offset * 2 if narrow and offset * 2 < len(document) and len(pieces) > 1 else offset), True
        width = 1 if narrow else 2
        raw = document[offset:offset + count * width]
        sink.spend(len(raw), min(len(raw), len(document)))
        if narrow:
            text = raw.decode(codec or "cp1252", "replace") if not codec.startswith("cp9") else _double_byte(raw, codec)
        else:
            text = raw.decode("utf-16-le", "replace")
            if len(text) != len(raw) // 2:  # characters beyond the basic plane count as two
                text = "".join(chr(unit) for unit in struct.unpack(f"<{len(raw) // 2}H", raw[:len(raw) & ~1]))
        mark = text.find("\x07") if starts else -1
        while mark >= 0:
            place = offset + mark * width
            index = bisect_right(starts, place) - 1
            if index >= 0 and place < row_ends[index][1]:
                ends.add(total + mark)
            mark = text.find("\x07", mark + 1)
        out.append(text)
        total += len(text)
    return _Text("".join(out), ends)


def _double_byte(raw: bytes, codec: str) -> str:
    return raw.decode(codec, "replace")


def _row_ends(document: bytes, plc: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the paragraphs that end a table row, sorted."""
    count = (len(plc) - 4) // 8
    found: list[tuple[int, int]] = []
    for index in range(max(count, 0)):
        page = struct.unpack_from("<I", plc, 4 * (count + 1) + 4 * index)[0] & 0x3FFFFF
        sector = document[512 * page:512 * page + 512]
        if len(sector) == 512:
            found += _row_ends_of_page(sector)
    return sorted(found)


def _row_ends_of_page(sector: bytes) -> Iterator[tuple[int, int]]:
    runs = sector[511]
    if 4 * (runs + 1) + 13 * runs > 511:
        return
    bounds = struct.unpack_from(f"<{runs + 1}I", sector)
    for index in range(runs):
        at = sector[4 * (runs + 1) + 13 * index] * 2
        if not at:
            continue
        size = sector[at]
        start, length = (at + 1, 2 * size - 1) if size else (at + 2, 2 * sector[at + 1])
        if _is_row_end(sector[start + 2:start + length]):
            yield bounds[index], bounds[index + 1]


def _is_row_end(properties: bytes) -> bool:
    at = 0
    while at + 3 <= len(properties):
        code = struct.unpack_from("<H", properties, at)[0]
        if code == _ROW_END:
            return properties[at + 2] == 1
        if code in (0xD608, 0xD606) and at + 4 <= len(properties):
            at += 2 + struct.unpack_from("<H", properties, at + 2)[0] + 1
        elif code >> 13 == 6:
            at += 3 + properties[at + 2]
        else:
            at += 2 + _SPRM_SIZES[code >> 13]
    return False


class _Story:
    """One story of the text: its paragraphs and tables."""

    def __init__(self, sink: Sink, label: Label, where: str) -> None:
        self._sink = sink
        self._label = label
        self._where = where
        self._lines: list[str] = []
        self._size = 0
        self._links: list[str] = []
        self._row: list[str] = []
        self._rows: list[list[str]] = []
        self._cell: list[str] = []
        self._tables = 0

    def read(self, text: _Text, start: int, end: int) -> None:
        """Read the characters from `start` to `end`."""
        paragraph: list[str] = []
        fields: list[list[str] | None] = []  # the instruction being read, or None once its result has begun
        known = bool(text.row_ends)
        for place in range(start, min(end, len(text.characters))):
            character = text.characters[place]
            if character == "\x13":
                fields.append([])
            elif character == "\x14" and fields:
                self._field(fields[-1])
                fields[-1] = None
            elif character == "\x15" and fields:
                self._field(fields.pop())
            elif character == "\x07":
                row_end = place in text.row_ends if known else not paragraph and text.characters[place - 1] == "\x07"
                self._cell_end("".join(paragraph), row_end=row_end)
                paragraph = []
            elif character == "\r":
                self._paragraph("".join(paragraph))
                paragraph = []
            elif character not in _MARKS:
                target = next((inner for inner in reversed(fields) if inner is not None), None)
                (paragraph if target is None else target).append(_PLACES.get(character, character))
        for instruction in fields:
            self._field(instruction)
        self._paragraph("".join(paragraph))
        self._end_table()
        self._flush()
        if self._links:
            self._sink.text("\n".join(dict.fromkeys(self._links)), Label.LINK, f"{self._where} fields".strip())

    def _field(self, instruction: list[str] | None) -> None:
        text = "".join(instruction or ()).strip()
        if text:
            self._links.append(text)

    def _cell_end(self, text: str, *, row_end: bool) -> None:
        if row_end:
            if has_ink(text):
                self._row.append(text)
            self._rows.append(self._row)
            self._row = []
            return
        if has_ink(text):
            self._cell.append(text)
        self._row.append("\n".join(self._cell))
        self._cell = []

    def _paragraph(self, text: str) -> None:
        if self._row:  # a paragraph inside a cell that is not its first
            self._cell.append(text)
            return
        if self._rows:
            self._end_table()
        if not has_ink(text):
            return
        self._lines.append(_well_formed(text))
        self._size += len(text)
        if self._size > BLOCK_CHARS:
            self._flush()

    def _end_table(self) -> None:
        if self._cell:
            self._row.append("\n".join(self._cell))
            self._cell = []
        if self._row:
            self._rows.append(self._row)
            self._row = []
        rows, self._rows = self._rows, []
        if any(cell for row in rows for cell in row):
            self._flush()
            self._tables += 1
            rows = [[_well_formed(cell) for cell in row] for row in rows]
            self._sink.table(rows, f"{self._where}, table {self._tables}".lstrip(", "), label=self._label)

    def _flush(self) -> None:
        if self._lines:
            text = "\n".join(self._lines)
            self._lines, self._size = [], 0
            self._sink.text(text, self._label, self._where)


def _well_formed(text: str) -> str:
    """Surrogate halves joined; lone ones replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
