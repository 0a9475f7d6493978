"""Records of an old .xls stream (BIFF5, BIFF8): what the cell reader does not give.

Page headers and footers, notes, text in shapes and charts, link targets, stored pivot strings, and the
number formats that show leading zeros. Source: MS-XLS 2.4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from capture.extract import numfmt
from capture.extract.codepages import codec_of
from capture.extract.macros import strings_in
from capture.extract.reader import CannotRead
from capture.extract.sheetxml import margin_text

_BOF, _EOF, _CONTINUE, _FILEPASS, _BOUNDSHEET = 0x0809, 0x000A, 0x003C, 0x002F, 0x0085
_HEADER, _FOOTER, _NOTE, _TXO, _HLINK, _SUPBOOK = 0x0014, 0x0015, 0x001C, 0x01B6, 0x01B8, 0x01AE
_SERIES_TEXT, _LABEL, _FORMAT, _XF, _DATE_1904, _SX_STRING = 0x100D, 0x0204, 0x041E, 0x00E0, 0x0022, 0x00CD
_NUMBER, _RK, _MULRK, _FORMULA, _CODEPAGE, _DRAWING_GROUP = 0x0203, 0x027E, 0x00BD, 0x0006, 0x0042, 0x00EB
_TEXT_CELLS = frozenset({0x00FD, 0x0204, 0x0205, 0x00D6})
_CHART = 0x20


@dataclass
class BiffSheet:
    """What a sheet holds beside its cells, and how its numbers are shown."""

    rows: int = 0
    columns: int = 0
    margins: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shapes: list[str] = field(default_factory=list)
    charts: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    numbers: dict[tuple[int, int], tuple[float, str]] = field(default_factory=dict)
    """(row, column) from 0 -> (value, format code), for cells with a format of their own."""


@dataclass
class BiffBook:
    """A workbook stream: its sheets in file order, and text of the whole book."""

    sheets: list[BiffSheet] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    drawings: bytes = b""
    from_1904: bool = False


def records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of every record up to the first damage."""
    at, size = 0, len(stream)
    while at + 4 <= size:
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4:at + 4 + length]
        at += 4 + length


def scan(stream: bytes) -> BiffBook:
    """Scan a Workbook or Book stream. Raises `CannotRead("encrypted")` at a password record."""
    reader = _Scan()
    for kind, data in records(stream):
        try:
            reader.record(kind, data)
        except (struct.error, IndexError):
            continue  # a damaged record; the cell reader judges the cells
    reader.close()
    return reader.book


def pivot_strings(stream: bytes) -> list[str]:
    """The strings stored in a pivot cache stream, each once."""
    found = (_string(data, 0, 2, wide_flag=True) for kind, data in records(stream) if kind == _SX_STRING)
    return list(dict.fromkeys(text for text in found if text))


class _Scan:
    def __init__(self) -> None:
        self.book = BiffBook()
        self._sheet: BiffSheet | None = None
        self._open: list[int] = []
        self._formats = dict(numfmt.BUILT_IN)
        self._styles: list[int] = []
        self._new = True
        self._codepage = "cp1252"
        self._txo = 0
        self._text: list[str] = []
        self._previous = 0
        self._drawings: list[bytes] = []

    def record(self, kind: int, data: bytes) -> None:
        if kind == _CONTINUE:
            self._continued(data)
            return
        self._end_text()
        self._previous = kind
        if kind == _BOF:
            self._begin(data)
        elif kind == _EOF:
            if self._open:
                self._open.pop()
        elif kind == _FILEPASS:
            raise CannotRead("encrypted")
        elif self._sheet is None:
            self._global(kind, data)
        else:
            self._local(self._sheet, kind, data)

    def close(self) -> None:
        self._end_text()
        self.book.drawings = b"".join(self._drawings)

    def _begin(self, data: bytes) -> None:
        version, kind = struct.unpack_from("<HH", data)
        self._new = version >= 0x0600
        self._open.append(kind)
        if kind != 0x05 and len(self._open) == 1:
            self._sheet = BiffSheet()
            self.book.sheets.append(self._sheet)

    def _global(self, kind: int, data: bytes) -> None:
        if kind == _FORMAT:
            code = self._text_at(data, 2, 2 if self._new else 1)
            self._formats[struct.unpack_from("<H", data)[0]] = code
        elif kind == _XF:
            self._styles.append(struct.unpack_from("<H", data, 2)[0])
        elif kind == _DATE_1904:
            self.book.from_1904 = data[:1] == b"\x01"
        elif kind == _CODEPAGE:
            self._codepage = codec_of(struct.unpack_from("<H", data)[0])
        elif kind == _SUPBOOK and len(data) > 4:
            self.book.links += strings_in(data[2:])
        elif kind == _DRAWING_GROUP:
            self._drawings.append(data)

    def _local(self, sheet: BiffSheet, kind: int, data: bytes) -> None:
        if kind in (_HEADER, _FOOTER) and len(data) > 2:
            text = margin_text(self._text_at(data, 0, 2 if self._new else 1))
            if text:
                sheet.margins.append(text)
        elif kind == _TXO:
            self._txo = struct.unpack_from("<H", data, 10)[0]
        elif kind == _NOTE:
            self._note(sheet, data)
        elif kind == _SERIES_TEXT:
            sheet.charts.append(self._text_at(data, 2, 1))
        elif kind == _HLINK:
            sheet.links += strings_in(data[32:])
        elif _CHART in self._open[1:] or self._open[:1] == [_CHART]:
            if kind == _LABEL:
                sheet.charts.append(self._text_at(data, 6, 2))
        elif kind in _TEXT_CELLS:
            self._extend(sheet, *struct.unpack_from("<HH", data))
        elif kind in (_NUMBER, _RK, _FORMULA):
            row, column, style = struct.unpack_from("<HHH", data)
            value = numfmt.unpack_rk(data, 6) if kind == _RK else struct.unpack_from("<d", data, 6)[0]
            self._cell(sheet, row, column, style, value)
        elif kind == _MULRK:
            row, first = struct.unpack_from("<HH", data)
            for index in range((len(data) - 6) // 6):
                self._cell(sheet, row, first + index, struct.unpack_from("<H", data, 4 + 6 * index)[0],
                           numfmt.unpack_rk(data, 6 + 6 * index))

    def _note(self, sheet: BiffSheet, data: bytes) -> None:
        if self._new:
            author = _string(data, 8, 2, wide_flag=True)
            if author:
                sheet.notes.append(author)
        else:
            sheet.notes.append(data[6:].decode(self._codepage, "replace"))

    def _continued(self, data: bytes) -> None:
        if self._previous == _TXO and self._txo > 0 and data:
            wide = data[0] & 1
            text = data[1:].decode("utf-16-le" if wide else "latin-1", "replace")[:self._txo]
            self._txo -= len(text)
            self._text.append(text)
        elif self._previous == _DRAWING_GROUP:
            self._drawings.append(data)

    def _end_text(self) -> None:
        if self._text and self._sheet is not None:
            self._sheet.shapes.append("".join(self._text).replace("\r", "\n"))
        self._text, self._txo = [], 0

    def _cell(self, sheet: BiffSheet, row: int, column: int, style: int, value: float) -> None:
        self._extend(sheet, row, column)
        code = self._formats.get(self._styles[style], "") if style < len(self._styles) else ""
        if code and code != "General" and value == value:
            sheet.numbers[row, column] = (value, code)

    def _extend(self, sheet: BiffSheet, row: int, column: int) -> None:
        sheet.rows, sheet.columns = max(sheet.rows, row + 1), max(sheet.columns, column + 1)

    def _text_at(self, data: bytes, at: int, width: int) -> str:
        if self._new:
            return _string(data, at, width, wide_flag=True)
        return _string(data, at, width, wide_flag=False, codec=self._codepage)


def _string(data: bytes, at: int, width: int, *, wide_flag: bool, codec: str = "cp1252") -> str:
    """A counted string: length in 1 or 2 bytes; in BIFF8 then a flag whether characters have 2 bytes."""
    if len(data) < at + width:
        return ""
    length = int.from_bytes(data[at:at + width], "little")
    at += width
    if not wide_flag:
        return data[at:at + length].decode(codec, "replace")
    if len(data) <= at:
        return ""
    wide, rich, phonetic = data[at] & 1, data[at] & 8, data[at] & 4
    at += 1 + (2 if rich else 0) + (4 if phonetic else 0)
    return data[at:at + (length * 2 if wide else length)].decode("utf-16-le" if wide else "latin-1", "replace")
