"""The text of one OpenDocument part: paragraphs, tables and sheets, notes, margins, slides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capture.extract import numfmt
from capture.extract.officeflow import BLOCK_CHARS
from capture.extract.reader import Sink
from capture.extract.sheetgrid import CellBudget, Grid
from capture.extract.xmlparts import Walker, attribute, has_ink
from pii_scan.text import Label

_PARAGRAPHS = frozenset({"p", "h"})
_LABELLED = {
    "annotation": Label.NOTE, "note": Label.NOTE, "notes": Label.NOTE, "help-message": Label.NOTE,
    "error-message": Label.NOTE, "deletion": Label.HIDDEN, "cell-content-deletion": Label.HIDDEN,
    "header": Label.MARGIN, "footer": Label.MARGIN, "header-left": Label.MARGIN, "footer-left": Label.MARGIN,
    "header-first": Label.MARGIN, "footer-first": Label.MARGIN, "master-page": Label.MARGIN,
    "change-info": Label.PROPERTY, "hidden-paragraph": Label.HIDDEN,
}
_APART = frozenset({"annotation", "note", "text-box", "change-info", "title", "desc", "binary-data", "event-listeners"})
"""Elements inside a paragraph whose text is not part of its line."""
_LEAVES = frozenset({"creator", "title", "desc", "script", "initials", "sender-initials"})
_FORM_KEYS = ("label", "current-value", "value", "title", "help-message")
_STRING_KEYS = ("string-value", "string-value-if-true", "string-value-if-false")
_MAX_REPEAT = 64
_NUMBERS = frozenset({"float", "percentage", "currency"})


@dataclass
class _Table:
    grid: Grid
    row: int = 0
    repeat_row: int = 1
    column: int = 0
    cells: dict[int, str] = field(default_factory=dict)
    cell: list[str] | None = None
    repeat: int = 1
    kind: str = ""
    value: str = ""


class OdfFlow(Walker):
    """Collects the text of content.xml or styles.xml. Sheets are at "sheet N", slides at "slide N"."""

    def __init__(self, sink: Sink, where: str = "") -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._base = where
        self._budget = CellBudget(sink.limits.sheet_cells)
        self._path: list[str] = []
        self._buffers: list[list[str] | None] = [None]
        self._labels: list[Label] = [Label.TEXT]
        self._tables: list[_Table] = []
        self._lines: list[str] = []
        self._size = 0
        self._style = ""
        self._hidden_styles: set[str] = set()
        self._aside: dict[str, Label] = {}
        self._sheets = self._slides = self._table_count = self._notes = 0
        self._book = False
        self._math = False

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._path and name == "math":
            self._math = True
            self._buffers.append([])
        self._path.append(name)
        if name in _LABELLED:
            self._flush()
            self._labels.append(_LABELLED[name])
            self._notes += name in ("annotation", "note")
        if name in _APART or name in _PARAGRAPHS or name in _LEAVES:
            self._buffers.append(None if name in _APART and name not in _LEAVES else [])
        elif name in ("s", "tab", "line-break"):
            self._space(name, attributes)
        elif name == "spreadsheet":
            self._book = True
        elif name == "page":
            self._flush()
            self._slides += 1
        elif name.startswith(("table", "covered-table")):
            self._open_table(name, attributes)
        elif name == "style":
            self._style = attribute(attributes, "name")
        self._attributes(name, attributes)

    def closed(self, name: str) -> None:
        self._path.pop()
        if name in _APART or name in _PARAGRAPHS or name in _LEAVES:
            parts = self._buffers.pop()
            if parts:
                self._line("".join(parts).strip("\n"), aside=name in ("title", "desc"))
        elif name in ("table-cell", "covered-table-cell"):
            self._close_cell()
        elif name == "table-row" and self._tables:
            table = self._tables[-1]
            table.grid.row(table.row, table.cells)
            table.cells = {}
            table.row += table.repeat_row - 1
        elif name == "table" and self._tables:
            self._tables.pop().grid.finish()
        if name in _LABELLED:
            self._flush()
            self._labels.pop()
        if self._math and name in ("mi", "mn", "mo", "mtext", "annotation"):
            self._buffers[-1].append(" ") if self._buffers[-1] is not None else None

    def characters(self, text: str) -> None:
        buffer = self._buffers[-1]
        if buffer is not None:
            buffer.append(text)
        else:
            self.overhear(text)

    def finish(self) -> None:
        for buffer in self._buffers[1:]:
            if buffer:
                self._line("".join(buffer).strip(), aside=False)
        self._buffers = [None]
        while self._tables:
            table = self._tables.pop()
            if table.cells:
                table.grid.row(table.row, table.cells)
            table.grid.finish()
        self._flush()
        for text, label in self._aside.items():
            self._sink.text(text, label, self._base)
        self._aside = {}

    def _attributes(self, name: str, attributes: Mapping[str, str]) -> None:
        for key, value in attributes.items():
            namespace, _, short = key.rpartition("}")
            if (short == "href" and "://" in value) or (short == "href" and value.startswith(("mailto:", "../", "/"))):
                self._beside(value, Label.LINK)
            elif short in _STRING_KEYS and not name.startswith("table-cell"):
                self._beside(value, Label.HIDDEN)
            elif short in _FORM_KEYS and namespace.endswith(":form:1.0"):
                self._beside(value, Label.TEXT)
            elif name == "bibliography-mark":
                self._beside(value, Label.PROPERTY)
            elif name == "table-properties" and short == "display" and value == "false":
                self._hidden_styles.add(self._style)

    def _beside(self, text: str, label: Label) -> None:
        if has_ink(text):
            self._aside.setdefault(text, label)

    def _space(self, name: str, attributes: Mapping[str, str]) -> None:
        buffer = self._buffers[-1]
        if buffer is None:
            return
        count = attribute(attributes, "c")
        many = min(int(count), 200) if count.isdecimal() and len(count) < 6 else 1
        buffer.append({"s": " " * many, "tab": "\t", "line-break": "\n"}[name])

    def _where(self) -> str:
        place = f"slide {self._slides}" if self._slides else ""
        if self._labels[-1] is Label.NOTE:
            place = f"{place}, note {self._notes}" if self._notes else f"{place}, notes"
        return ", ".join(filter(None, (self._base, place.lstrip(", "))))

    def _line(self, text: str, *, aside: bool) -> None:
        """One finished paragraph: to the cell it stands in, or to the running text of its role."""
        if not has_ink(text):
            return
        if aside:
            self._beside(text, Label.LINK)
            return
        if self._tables and self._tables[-1].cell is not None and self._labels[-1] in (Label.TEXT, Label.MARGIN):
            self._tables[-1].cell.append(text)
            return
        self._lines.append(text)
        self._size += len(text)
        if self._size > BLOCK_CHARS:
            self._flush()

    def _flush(self) -> None:
        if self._lines:
            text = "\n".join(self._lines)
            self._lines, self._size = [], 0
            self._sink.text(text, self._labels[-1], self._where())

    def _open_table(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            self._flush()
            self._tables.append(_Table(self._new_grid(attributes)))
        elif not self._tables:
            return
        table = self._tables[-1]
        if name == "table-row":
            table.row += 1
            table.repeat_row = _repeat(attributes, "number-rows-repeated")
            table.column = 0
        elif name in ("table-cell", "covered-table-cell"):
            table.cell = []
            table.repeat = _repeat(attributes, "number-columns-repeated")
            table.kind = attribute(attributes, "value-type")
            table.value = next((attribute(attributes, key) for key in ("date-value", "value", "string-value")
                                if attribute(attributes, key)), "")

    def _new_grid(self, attributes: Mapping[str, str]) -> Grid:
        label = self._labels[-1]
        if self._book and not self._tables:
            self._sheets += 1
            where = f"sheet {self._sheets}"
            name = attribute(attributes, "name")
            if name:
                self._sink.text(name, Label.PROPERTY, f"{where} name")
            if attribute(attributes, "style-name") in self._hidden_styles:
                label = Label.HIDDEN
        else:
            self._table_count += 1
            where = f"table {self._table_count}"
        place = ", ".join(filter(None, (self._where(), where)))
        return Grid(self._sink, place, label, self._budget)

    def _close_cell(self) -> None:
        if not self._tables or self._tables[-1].cell is None:
            return
        table = self._tables[-1]
        lines, table.cell = table.cell or [], None
        text, shown = _cell_text("\n".join(lines), table.kind, table.value)
        table.grid.shown(shown)
        if has_ink(text):
            for offset in range(min(table.repeat, _MAX_REPEAT)):
                table.cells[table.column + offset] = text
        table.column += table.repeat


def _repeat(attributes: Mapping[str, str], name: str) -> int:
    count = attribute(attributes, name)
    return min(int(count), 2_000_000) if count.isdecimal() and 0 < len(count) < 9 else 1


def _cell_text(shown: str, kind: str, value: str) -> tuple[str, str]:
    """(text of the cell, other form on screen): dates as ISO, numbers in full unless shown digit by digit."""
    if kind == "date" and value:
        text = value.removesuffix("T00:00:00").replace("T", " ")
        return text, shown if shown != text else ""
    if kind in _NUMBERS and value:
        text = numfmt.plain(value)
        if numfmt.spells_out(shown, text):
            return shown, ""
        return text, shown if shown != text else ""
    return shown or value, ""
