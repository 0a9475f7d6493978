"""Workbooks of the .xlsb kind, record by record. Source: MS-XLSB 2.1.4 and 2.4."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from capture.extract import numfmt
from capture.extract.office import RelationMap, embed_members, place_of, read_part, tolerate
from capture.extract.reader import Sink
from capture.extract.sheetgrid import CellBudget, Grid
from capture.extract.sheetxml import margin_text
from capture.extract.xmlparts import Package, has_ink
from pii_scan.text import Label

_ROW, _RK, _ERROR, _BOOL, _REAL, _TEXT, _SHARED = 0, 2, 3, 4, 5, 6, 7
_F_TEXT, _F_NUMBER, _F_BOOL, _F_ERROR, _RICH = 8, 9, 10, 11, 62
_SHARED_ITEM, _FORMAT, _XF, _CELL_XFS, _CELL_XFS_END = 19, 44, 47, 617, 618
_SHEET, _BOOK, _MARGINS, _LINK = 156, 153, 479, 494
_SHEET_PART = re.compile(r"/worksheets/(?!binaryIndex)[^/]*\.bin$")
_OTHER_PARTS = re.compile(
    r"^xl/(?:.*/)?(?:comments|table|pivot|externalLink|connections|queryTable|person|threaded)[^/]*\.bin$",
    re.IGNORECASE)
_CARRIERS = re.compile(r"/(?:embeddings|activeX|ctrlProps|customProperty)|vbaProject\.bin$", re.IGNORECASE)
"""Binary members that are files of their own rather than records of the workbook."""
_MAX_ROW, _MAX_COLUMN = 1_048_576, 16_384


def read_xlsb(package: Package, sink: Sink) -> None:
    """Read an .xlsb workbook. A damaged part makes it partial, `corrupt`."""
    relations = RelationMap(package, sink)
    main = relations.main_part() or "xl/workbook.bin"
    strings, codes = _shared(package, relations, main, sink), _styles(package, relations, main, sink)
    targets = dict(relations.of(main))
    budget = CellBudget(sink.limits.sheet_cells)
    done: set[str] = set()
    from_1904 = False
    with tolerate(sink):
        sheets = []
        for kind, data in _records(package.read(main)):
            if kind == _BOOK:
                from_1904 = bool(data[:1] and data[0] & 1)
            elif kind == _SHEET and len(data) >= 12:
                key, at = _wide(data, 8)
                sheets.append((_wide(data, at)[0], targets.get(key, ""), data[0] != 0))
        for number, (name, member, hidden) in enumerate(sheets, 1):
            sink.text(name or f"sheet {number}", Label.PROPERTY, f"sheet {number} name")
            if member in package and _SHEET_PART.search("/" + member):
                done.add(member)
                grid = Grid(sink, f"sheet {number}", Label.HIDDEN if hidden else Label.TEXT, budget)
                _sheet(package, member, grid, strings, codes, f"sheet {number}", sink, from_1904=from_1904)
    for number, member in enumerate((name for name in package.names if _SHEET_PART.search("/" + name)), 1):
        if member not in done:
            grid = Grid(sink, f"unlisted sheet {number}", Label.HIDDEN, budget)
            _sheet(package, member, grid, strings, codes, f"unlisted sheet {number}", sink, from_1904=from_1904)
    _other_parts(package, sink)
    relations.give_links(sink)


def _other_parts(package: Package, sink: Sink) -> None:
    seen: set[str] = set()
    rest = []
    for name in package.names:
        if _OTHER_PARTS.match(name):
            with tolerate(sink):
                texts = [text for _, data in _records(package.read(name)) for text in _strings(data)]
                label = Label.NOTE if re.search("comment|thread", name, re.IGNORECASE) else Label.HIDDEN
                sink.text("\n".join(dict.fromkeys(texts)), label, place_of(name) or "binary part")
        elif not name.endswith(".bin"):
            read_part(package, name, sink, place_of(name), seen)
            rest.append(name)
        elif _CARRIERS.search(name):
            rest.append(name)
    embed_members(package, sink, rest)


def _shared(package: Package, relations: RelationMap, main: str, sink: Sink) -> list[str]:
    strings: list[str] = []
    for _, member in relations.of(main, "sharedStrings"):
        with tolerate(sink):
            strings += [_wide(data, 1)[0] for kind, data in _records(package.read(member)) if kind == _SHARED_ITEM]
    return strings


def _styles(package: Package, relations: RelationMap, main: str, sink: Sink) -> list[str]:
    """The number format code of every cell style."""
    formats = dict(numfmt.BUILT_IN)
    codes: list[str] = []
    inside = False
    for _, member in relations.of(main, "styles"):
        with tolerate(sink):
            for kind, data in _records(package.read(member)):
                if kind == _FORMAT and len(data) > 6:
                    formats[struct.unpack_from("<H", data)[0]] = _wide(data, 2)[0]
                elif kind in (_CELL_XFS, _CELL_XFS_END):
                    inside = kind == _CELL_XFS
                elif kind == _XF and inside and len(data) >= 4:
                    codes.append(formats.get(struct.unpack_from("<H", data, 2)[0], ""))
    return codes


def _sheet(package: Package, member: str, grid: Grid, strings: list[str], codes: list[str], where: str, sink: Sink, *,
           from_1904: bool) -> None:
    row, cells = 0, dict[int, str]()
    with tolerate(sink):
        try:
            for kind, data in _records(package.read(member)):
                if kind == _ROW and len(data) >= 4:
                    grid.row(row + 1, cells)
                    row, cells = struct.unpack_from("<I", data)[0], {}
                    if row >= _MAX_ROW:
                        sink.partial("corrupt")
                        break
                elif (1 <= kind <= _F_ERROR or kind == _RICH) and len(data) > 8:
                    column, style = struct.unpack_from("<II", data)
                    if kind == _SHARED and struct.unpack_from("<I", data, 8)[0] >= len(strings):
                        sink.partial("corrupt")
                        continue
                    text = _cell(kind, data, style & 0xFFFFFF, strings, codes, grid, from_1904=from_1904)
                    if text and column < _MAX_COLUMN:
                        cells[column] = text
                elif kind == _MARGINS:
                    _margins(data, where, sink)
                elif kind == _LINK:
                    sink.text("\n".join(_strings(data[16:])), Label.LINK, where)
        except struct.error:
            sink.partial("corrupt")
        finally:
            grid.row(row + 1, cells)
            grid.finish()


def _cell(kind: int, data: bytes, style: int, strings: list[str], codes: list[str], grid: Grid, *,
          from_1904: bool) -> str:
    if kind in (_TEXT, _F_TEXT):
        return _wide(data, 8)[0]
    if kind == _RICH:
        return _wide(data, 9)[0]
    if kind == _SHARED:
        index: int = struct.unpack_from("<I", data, 8)[0]
        return strings[index]
    if kind in (_BOOL, _F_BOOL):
        return "TRUE" if data[8] else "FALSE"
    if kind in (_RK, _REAL, _F_NUMBER):
        value: float = numfmt.unpack_rk(data, 8) if kind == _RK else struct.unpack_from("<d", data, 8)[0]
        code = codes[style] if style < len(codes) else ""
        text, shown = numfmt.cell_text(value, code, from_1904=from_1904, shown_too=grid.wants_shown)
        grid.shown(shown)
        return text
    return ""


def _margins(data: bytes, where: str, sink: Sink) -> None:
    text = "\n".join(filter(has_ink, (margin_text(found) for found in _strings(data[2:]))))
    if text:
        sink.text(text, Label.MARGIN, f"{where}, margins")


def _records(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of a part, up to the first damage."""
    at, size = 0, len(stream)
    while at < size:
        kind = stream[at]
        at += 1
        if kind & 0x80 and at < size:
            kind = (kind & 0x7F) | (stream[at] & 0x7F) << 7
            at += 1
        length = 0
        for shift in range(0, 28, 7):
            if at >= size:
                return
            byte = stream[at]
            at += 1
            length |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
        yield kind, stream[at:at + length]
        at += length


def _wide(data: bytes, at: int) -> tuple[str, int]:
    """A counted 16-bit string, and the place behind it; empty when it does not fit."""
    if at + 4 > len(data):
        return "", len(data)
    length = struct.unpack_from("<I", data, at)[0]
    if length == 0xFFFFFFFF or at + 4 + 2 * length > len(data):
        return "", at + 4
    return data[at + 4:at + 4 + 2 * length].decode("utf-16-le", "replace"), at + 4 + 2 * length


def _strings(data: bytes) -> list[str]:
    """Counted 16-bit strings of 2 or more characters anywhere in a record."""
    found, at = [], 0
    while at + 8 <= len(data):
        length = struct.unpack_from("<I", data, at)[0]
        if 2 <= length <= (len(data) - at - 4) // 2:
            text = data[at + 4:at + 4 + 2 * length].decode("utf-16-le", "replace")
            if has_ink(text) and all(c.isprintable() or c in "\r\n\t" for c in text):
                found.append(text)
                at += 4 + 2 * length
                continue
        at += 1
    return found
