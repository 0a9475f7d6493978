"""Binary workbooks: xls and xlsb. Cells come from calamine, the rest from the records themselves.

calamine allocates the whole rectangle between the first and the last cell, and aborts the process when that
fails; so the true extent is taken from the records first.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

import python_calamine as calamine
import xlrd

from capture.extract import biff, numfmt, officeart, oleobjects
from capture.extract.cfb import MAGIC, Compound
from capture.extract.macros import strings_in
from capture.extract.office import RelationMap, embed_members, place_of, read_part
from capture.extract.reader import CannotRead, Sink
from capture.extract.sheetgrid import CellBudget, Grid
from capture.extract.xmlparts import Package
from pii_scan.text import Label

_CELL_RECORDS = range(1, 12)
_ROW_RECORD = 0
_SKIPPED_PARTS = re.compile(r"(sharedStrings|styles|calcChain|workbook)\.bin$|/worksheets/[^/]*\.bin$|printerSettings")
_FORMAT_WORDS = re.compile(r"^[A-Za-z0-9_ ]{0,3}$")


def read_xls(data: bytes, sink: Sink) -> None:
    """Read an .xls workbook. Raises `CannotRead`: `encrypted`, `corrupt`, `too_large`."""
    book = biff.BiffBook()
    compound: Compound | None = None
    if data.startswith(MAGIC):
        compound = Compound(data, sink)
        oleobjects.check_protection(compound)
        name = next((name for name in ("Workbook", "Book") if (name,) in compound), "")
        if not name:
            raise CannotRead("corrupt")
        book = biff.scan(compound.read(name))
    if any(sheet.rows * sheet.columns > sink.limits.sheet_cells for sheet in book.sheets):
        raise CannotRead("too_large")
    _cells(data, sink, book)
    _beside(book, sink)
    if compound is not None:
        _pivots(compound, sink)
        oleobjects.give_properties(compound, sink)
        officeart.give_drawings(book.drawings, sink, oleobjects.embed_objects(compound, sink))


def read_xlsb(data: bytes, package: Package, sink: Sink) -> None:
    """Read an .xlsb workbook. Raises `CannotRead`: `corrupt`, `too_large`."""
    for name in package.names:
        if re.search(r"/worksheets/[^/]*\.bin$", name):
            rows, columns = _extent(package.read(name))
            if rows * columns > sink.limits.sheet_cells:
                raise CannotRead("too_large")
    _cells(data, sink, biff.BiffBook())
    seen: set[str] = set()
    relations = RelationMap(package, sink)
    for name in package.names:
        if name.endswith(".bin"):
            if name.startswith("xl/") and not _SKIPPED_PARTS.search(name) and "vbaProject" not in name:
                _binary_part(package.read(name), name, sink)
        else:
            read_part(package, name, sink, place_of(name), seen)
    for name in package.names:
        if re.search(r"/worksheets/[^/]*\.bin$", name):
            _margins(package.read(name), sink)
    relations.give_links(sink)
    embed_members(package, sink, [name for name in package.names if not re.search(
        r"\.bin$", name) or "vbaProject" in name or "embeddings/" in name])


def _cells(data: bytes, sink: Sink, book: biff.BiffBook) -> None:
    """Every sheet through calamine; what it cannot open goes to xlrd, which knows the oldest versions."""
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError as error:
        raise CannotRead("encrypted") from error
    except (calamine.CalamineError, OSError, ValueError):
        _old_cells(data, sink)
        return
    budget = CellBudget(sink.limits.sheet_cells)
    for number, meta in enumerate(workbook.sheets_metadata):
        where = f"sheet {number + 1}"
        sink.text(meta.name or where, Label.PROPERTY, f"{where} name")
        visible = meta.visible == calamine.SheetVisibleEnum.Visible
        grid = Grid(sink, where, Label.TEXT if visible else Label.HIDDEN, budget)
        shown = book.sheets[number].numbers if number < len(book.sheets) else {}
        try:
            sheet = workbook.get_sheet_by_index(number)
            for row, cells in enumerate(sheet.to_python(skip_empty_area=False)):
                grid.row(row + 1, dict(_row_texts(cells, row, shown, grid, from_1904=book.from_1904)))
        except (calamine.CalamineError, calamine.WorksheetNotFound, ValueError):
            if meta.typ == calamine.SheetTypeEnum.WorkSheet:
                sink.partial("corrupt")
        finally:
            grid.finish()


def _row_texts(cells: Sequence[object], row: int, shown: dict[tuple[int, int], tuple[float, str]], grid: Grid, *,
               from_1904: bool) -> Iterator[tuple[int, str]]:
    for column, value in enumerate(cells):
        if value == "" or value is None:
            continue
        formatted = shown.get((row, column))
        if formatted and not isinstance(value, (str, bool)):
            text, other = numfmt.cell_text(*formatted, from_1904=from_1904)
            grid.shown(other)
        else:
            text = _text(value)
        if text:
            yield column, text


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return numfmt.plain(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def _old_cells(data: bytes, sink: Sink) -> None:
    try:
        workbook = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), on_demand=True)
    except xlrd.XLRDError as error:
        raise CannotRead("encrypted" if "ncrypt" in str(error) else "corrupt") from error
    budget = CellBudget(sink.limits.sheet_cells)
    for number in range(workbook.nsheets):
        sheet = workbook.sheet_by_index(number)
        grid = Grid(sink, f"sheet {number + 1}", Label.HIDDEN if sheet.visibility else Label.TEXT, budget)
        for row in range(sheet.nrows):
            grid.row(row + 1, dict(_xlrd_row(sheet, row, workbook.datemode)))
        grid.finish()


def _xlrd_row(sheet: xlrd.sheet.Sheet, row: int, datemode: int) -> Iterator[tuple[int, str]]:
    for column, cell in enumerate(sheet.row(row)):
        if cell.ctype == xlrd.XL_CELL_DATE:
            yield column, numfmt.iso(cell.value, "yyyy-mm-dd", from_1904=bool(datemode))
        elif cell.ctype == xlrd.XL_CELL_NUMBER:
            yield column, numfmt.plain(cell.value)
        elif cell.ctype == xlrd.XL_CELL_TEXT and cell.value:
            yield column, cell.value


def _beside(book: biff.BiffBook, sink: Sink) -> None:
    for number, sheet in enumerate(book.sheets, 1):
        for lines, label, place in (
                (sheet.margins, Label.MARGIN, "margins"), (sheet.shapes, Label.NOTE, "notes and shapes"),
                (sheet.notes, Label.NOTE, "note authors"), (sheet.charts, Label.TEXT, "chart"),
                (sheet.links, Label.LINK, "links")):
            _give(lines, label, f"sheet {number}, {place}", sink)
    _give(book.links, Label.LINK, "external targets", sink)


def _give(lines: list[str], label: Label, where: str, sink: Sink) -> None:
    text = "\n".join(dict.fromkeys(line for line in lines if line.strip()))
    if text:
        sink.text(text, label, where)


def _pivots(compound: Compound, sink: Sink) -> None:
    """Pivot caches keep copies of their source rows."""
    for number, path in enumerate((path for path in compound.streams if path[0] == "_SX_DB_CUR"), 1):
        _give(biff.pivot_strings(compound.read(*path)), Label.HIDDEN, f"pivot data {number}", sink)


def _records12(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of the records of an xlsb part (MS-XLSB 2.1.4)."""
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


def _extent(stream: bytes) -> tuple[int, int]:
    rows = columns = 0
    for kind, data in _records12(stream):
        if kind == _ROW_RECORD:
            rows = max(rows, int.from_bytes(data[:4], "little") + 1)
        elif kind in _CELL_RECORDS:
            columns = max(columns, int.from_bytes(data[:4], "little") + 1)
    return rows, columns


def _margins(stream: bytes, sink: Sink) -> None:
    """Page headers and footers (record 479) of a sheet part."""
    for kind, data in _records12(stream):
        if kind == 479:
            _give(strings_in(data), Label.MARGIN, "page margins", sink)


def _binary_part(stream: bytes, name: str, sink: Sink) -> None:
    """Comments, tables, pivot data, external links: the strings in their records."""
    label = Label.NOTE if "comment" in name.casefold() else Label.HIDDEN
    found = [text for _, data in _records12(stream) for text in _wide_strings(data)]
    _give(found, label, place_of(name) or "binary part", sink)


def _wide_strings(data: bytes) -> list[str]:
    """Counted 16-bit strings of 2 or more characters anywhere in a record."""
    found, at = [], 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at:at + 4], "little")
        if 2 <= length <= (len(data) - at - 4) // 2:
            text = data[at + 4:at + 4 + 2 * length].decode("utf-16-le", "replace")
            if text.isprintable() or "\n" in text:
                found.append(text)
                at += 4 + 2 * length
                continue
        at += 1
    return found
