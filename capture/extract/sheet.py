"""Workbooks: xlsx, xlsm, xltx, xlsb and xls."""

from __future__ import annotations

import re

from capture.extract import sheetbiff12, sheetbin
from capture.extract.office import RelationMap, embed_members, place_of, read_part, tolerate
from capture.extract.reader import CannotRead, Sink
from capture.extract.sheetgrid import CellBudget, Grid
from capture.extract.sheetxml import Names, PivotData, SharedStrings, SheetCells, Styles, Workbook
from capture.extract.xmlparts import Package, Walker, walk
from pii_scan.text import Label

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_PIVOT = re.compile(r"/pivot(?:Cache|Tables)/[^/]*\.xml$")
_NAMED = re.compile(r"/(?:connections\.xml|(?:tables|queryTables|slicers|slicerCaches|timelines)/[^/]*\.xml)$")


def read_sheet(data: bytes, sink: Sink) -> None:
    """Read a workbook of any kind. Sheets come as tables at "sheet N", hidden ones labelled so.

    Dates are ISO, numbers in full; other forms shown on screen follow at "sheet N, as displayed".
    """
    if data.startswith(_OLE) or not data.startswith(b"PK"):
        sheetbin.read_xls(data, sink)
        return
    package = Package(data, sink)
    if "xl/workbook.bin" in package:
        sheetbiff12.read_xlsb(package, sink)
        return
    _Xlsx(package, sink).read()


class _Xlsx:
    """One reading of an Office XML workbook."""

    def __init__(self, package: Package, sink: Sink) -> None:
        self._package = package
        self._sink = sink
        self._relations = RelationMap(package, sink)
        self._main = self._relations.main_part()
        if self._main not in package:
            self._main = "xl/workbook.xml"
        self._budget = CellBudget(sink.limits.sheet_cells)

    def read(self) -> None:
        if self._main not in self._package:
            raise CannotRead("corrupt")
        book = Workbook(self._sink)
        with tolerate(self._sink):
            walk(self._package.chunks(self._main), book)
        strings = SharedStrings(self._sink)
        self._walk_related("sharedStrings", strings)
        styles = Styles(self._sink)
        self._walk_related("styles", styles)
        targets = dict(self._relations.of(self._main))
        places: dict[str, str] = {}
        read: set[str] = set()
        for number, (name, key, hidden) in enumerate(book.sheets, 1):
            where = f"sheet {number}"
            member = targets.get(key, "")
            places[member] = where
            if name:
                self._sink.text(name, Label.PROPERTY, f"{where} name")
            if member in self._package and "worksheets" in member:
                self._sheet(member, where, Label.HIDDEN if hidden else Label.TEXT, strings.strings, styles.codes,
                            book)
                read.add(member)
        self._orphans(read, len(book.sheets), strings.strings, styles.codes, book)
        if book.names:
            self._sink.text("\n".join(book.names), Label.PROPERTY, "defined names")
        self._other_parts(places)
        self._relations.give_links(self._sink)
        embed_members(self._package, self._sink, self._package.names)

    def _walk_related(self, kind: str, walker: Walker) -> None:
        for _, member in self._relations.of(self._main, kind):
            if member in self._package:
                with tolerate(self._sink):
                    walk(self._package.chunks(member), walker)

    def _sheet(self, member: str, where: str, label: Label, strings: list[str], codes: list[str],
               book: Workbook) -> None:
        grid = Grid(self._sink, where, label, self._budget)
        cells = SheetCells(self._sink, grid, strings, codes, where, from_1904=book.from_1904)
        with tolerate(self._sink):
            walk(self._package.chunks(member), cells)
        if cells.lost:
            self._sink.partial("corrupt")

    def _orphans(self, read: set[str], count: int, strings: list[str], codes: list[str], book: Workbook) -> None:
        """Worksheets the workbook does not list are read all the same."""
        for member in self._package.names:
            if re.search(r"/worksheets/[^/]*\.xml$", member) and member not in read:
                count += 1
                self._sheet(member, f"sheet {count}", Label.HIDDEN, strings, codes, book)

    def _other_parts(self, places: dict[str, str]) -> None:
        """Comments, drawings, charts, pivot data, links to other books, properties."""
        for sheet, where in list(places.items()):
            self._spread(sheet, where, places, depth=3)
        seen: set[str] = set()
        for member in self._package.names:
            where = ", ".join(filter(None, (places.get(member, ""), place_of(member))))
            if _PIVOT.search(member):
                with tolerate(self._sink):
                    walk(self._package.chunks(member), PivotData(self._sink, where or "pivot data"))
            elif _NAMED.search(member):
                with tolerate(self._sink):
                    walk(self._package.chunks(member), Names(self._sink, where or "names"))
            else:
                read_part(self._package, member, self._sink, where, seen)

    def _spread(self, source: str, where: str, places: dict[str, str], depth: int) -> None:
        """Parts that belong to a sheet (its comments, its drawings and their charts) get its place."""
        if depth == 0:
            return
        for _, member in self._relations.of(source):
            if member not in places:
                places[member] = where
                self._spread(member, where, places, depth - 1)
