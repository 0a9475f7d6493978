"""Workbooks of the .xls kind. Cells come from calamine, the rest from the records themselves.

calamine allocates the whole rectangle between the first and the last cell, and aborts the process when that
fails; so the true extent is taken from the records first. It also follows circular sector chains without end;
so it gets the workbook stream in a compound file written anew.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

import python_calamine as calamine
import xlrd

from capture.extract import biff, numfmt, officeart, oleobjects
from capture.extract.cfb import MAGIC, Compound, write_compound
from capture.extract.reader import CannotRead, Sink
from capture.extract.sheetgrid import CellBudget, Grid
from pii_scan.text import Label


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
        stream = compound.read(name)
        book = biff.scan(stream)
        data = write_compound([((name,), stream)])
    if any(sheet.rows * sheet.columns > sink.limits.sheet_cells for sheet in book.sheets):
        _sparse_cells(data, sink)
    else:
        _cells(data, sink, book)
    _beside(book, sink)
    if compound is not None:
        _pivots(compound, sink)
        oleobjects.give_properties(compound, sink)
        officeart.give_drawings(book.drawings, sink, oleobjects.embed_objects(compound, sink))


def _cells(data: bytes, sink: Sink, book: biff.BiffBook) -> None:
    """Every sheet through calamine; what it cannot open goes to xlrd, which knows the oldest versions."""
    try:
        workbook = calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    except calamine.PasswordError as error:
        raise CannotRead("encrypted") from error
    except (calamine.CalamineError, OSError, ValueError):
        workbook = None
    except BaseException as error:  # a panic of the Rust code is no Exception
        if type(error).__name__ != "PanicException":
            raise
        workbook = None
    if workbook is None:
        _sparse_cells(data, sink)
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
            text, other = numfmt.cell_text(*formatted, from_1904=from_1904, shown_too=grid.wants_shown)
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


def _sparse_cells(data: bytes, sink: Sink) -> None:
    """Every sheet through xlrd, which keeps rows as short as they are. Slower, so only where it must be."""
    try:
        workbook = xlrd.open_workbook(file_contents=data, logfile=io.StringIO(), ragged_rows=True)
    except xlrd.XLRDError as error:
        raise CannotRead("encrypted" if "ncrypt" in str(error) else "corrupt") from error
    except Exception as error:
        raise CannotRead("memory" if isinstance(error, MemoryError) else "corrupt") from error
    budget = CellBudget(sink.limits.sheet_cells)
    for number in range(workbook.nsheets):
        sheet = workbook.sheet_by_index(number)
        where = f"sheet {number + 1}"
        sink.text(sheet.name or where, Label.PROPERTY, f"{where} name")
        grid = Grid(sink, where, Label.HIDDEN if sheet.visibility else Label.TEXT, budget)
        try:
            for row in range(sheet.nrows):
                grid.row(row + 1, dict(_xlrd_row(sheet, row, workbook.datemode)))
        finally:
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
