"""The parts only xlsx has: cells, shared strings, styles, the list of sheets, stored pivot data."""

from __future__ import annotations

import re
from collections.abc import Mapping

from capture.extract import numfmt
from capture.extract.reader import Sink
from capture.extract.sheetgrid import Grid
from capture.extract.xmlparts import Walker, attribute, has_ink, local
from pii_scan.text import Label

_MARGINS = frozenset({"oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"})
_PROMPTS = ("promptTitle", "prompt", "errorTitle", "error")
_CODES = re.compile(r'&(?:"[^"]*"|[\d.]+|K[0-9A-Fa-f+-]{6}|[LCRBIUESXYOH])')
MAX_COLUMN = 16_384
MAX_ROW = 1_048_576


def margin_text(code: str) -> str:
    """A page header or footer without its layout codes."""
    return _CODES.sub(" ", code.replace("&&", "\0")).replace("\0", "&").strip()


class Workbook(Walker):
    """The sheets in order as (name, relationship id, hidden), defined names, and the date system."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self.sheets: list[tuple[str, str, bool]] = []
        self.names: list[str] = []
        self.from_1904 = False
        self._name: list[str] | None = None

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            self.sheets.append((attributes.get("name", ""), attribute(attributes, "id"),
                                attributes.get("state", "visible") != "visible"))
        elif name == "workbookPr":
            self.from_1904 = attributes.get("date1904") in ("1", "true")
        elif name == "definedName":
            self._name = [attributes.get("name", ""), " ", attributes.get("comment", ""), " "]

    def characters(self, text: str) -> None:
        if self._name is not None:
            self._name.append(text)

    def closed(self, name: str) -> None:
        if name == "definedName" and self._name is not None:
            self.names.append(" ".join("".join(self._name).split()))
            self._name = None


class SharedStrings(Walker):
    """The shared strings in order, phonetic guides left out."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self.strings: list[str] = []
        self._parts: list[str] = []
        self._phonetic = False
        self._inside = False

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        if name == "t":
            self._inside = not self._phonetic
        elif name == "rPh":
            self._phonetic = True

    def characters(self, text: str) -> None:
        if self._inside:
            self._parts.append(text)

    def closed(self, name: str) -> None:
        if name == "t":
            self._inside = False
        elif name == "rPh":
            self._phonetic = False
        elif name == "si":
            self.strings.append("".join(self._parts))
            self._parts = []


class Styles(Walker):
    """The number format code of every cell style, by style index."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self.codes: list[str] = []
        self._formats = dict(numfmt.BUILT_IN)
        self._in_cells = False

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt" and attributes.get("numFmtId", "").isdecimal():
            self._formats[int(attributes["numFmtId"])] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            number = attributes.get("numFmtId", "0")
            self.codes.append(self._formats.get(int(number), "") if number.isdecimal() else "")

    def closed(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False


class SheetCells(Walker):
    """Streams the cells of a worksheet into a `Grid`; other text of the sheet goes to the sink.

    `lost` tells that a cell names a shared string which does not exist.
    """

    def __init__(self, sink: Sink, grid: Grid, strings: list[str], codes: list[str], where: str, *,
                 from_1904: bool) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._grid = grid
        self._strings = strings
        self._codes = codes
        self._where = where
        self._from_1904 = from_1904
        self._row = 0
        self._column = -1
        self._cells: dict[int, str] = {}
        self._kind = ""
        self._style = ""
        self._value: list[str] = []
        self._keep = False
        self._beside: dict[str, Label] = {}
        self.lost = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Cells and values, which come by the million, without the common path; the parser limits their depth."""
        name = self._names.get(tag)
        if name is None:
            name = self._names[tag] = local(tag)
        if name == "c":
            get = attributes.get
            self._kind = get("t", "n")
            self._style = get("s", "")
            reference = get("r", "")
            self._column = _column(reference) if reference else self._column + 1
        elif name == "v":
            self._keep = True
        else:
            super().start(tag, attributes)

    def end(self, tag: str) -> None:
        """The other half of `start`."""
        name = self._names[tag]
        if name == "c":
            if self._value:
                self._cell("".join(self._value))
                self._value = []
        elif name == "v":
            self._keep = False
        else:
            super().end(tag)

    def data(self, text: str) -> None:
        """Text of the open cell or margin."""
        if self._keep and self._kind != "phonetic":
            self._value.append(text)
        elif " " in text:
            self.overhear(text)

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "t":
            self._keep = True
        elif name == "row":
            number = attributes.get("r", "")
            self._row = int(number) if number.isdecimal() else self._row + 1
            self._column = -1
        elif name in _MARGINS:
            self._keep = True
            self._value = []
        elif name == "rPh":
            self._kind = "phonetic"
        elif name == "hyperlink":
            for key in ("tooltip", "display", "location"):
                self._aside(attributes.get(key, ""), Label.LINK)
        elif name == "dataValidation":
            for key in _PROMPTS:
                self._aside(attributes.get(key, ""), Label.NOTE)

    def closed(self, name: str) -> None:
        if name == "t":
            self._keep = False
        elif name == "row":
            cells, self._cells = self._cells, {}
            if 0 < self._row <= MAX_ROW:
                self._grid.row(self._row, cells)
            else:
                for text in cells.values():
                    self._aside(text, Label.HIDDEN)
        elif name in _MARGINS:
            self._keep = False
            text = margin_text("".join(self._value))
            self._value = []
            if has_ink(text):
                self._sink.text(text, Label.MARGIN, f"{self._where}, {name[-6:].lower()}")

    def finish(self) -> None:
        if self._cells:
            cells, self._cells = self._cells, {}
            self._grid.row(max(self._row, 1), cells)
        self._grid.finish()
        for text, label in self._beside.items():
            self._sink.text(text, label, self._where)
        self._beside = {}

    def _aside(self, text: str, label: Label) -> None:
        if has_ink(text):
            self._beside.setdefault(text, label)

    def _cell(self, value: str) -> None:
        kind = self._kind
        if kind == "s":
            index = int(value) if value.strip().isdecimal() else -1
            if not 0 <= index < len(self._strings):
                self.lost = True
                return
            text = self._strings[index]
        elif kind == "n":
            text = self._number(value.strip())
        elif kind == "b":
            text = "TRUE" if value.strip() == "1" else "FALSE"
        elif kind == "d":
            text = value.removesuffix("T00:00:00").replace("T", " ")
        else:
            text = value
        if text and 0 <= self._column < MAX_COLUMN and self._cells.get(self._column, text) == text:
            self._cells[self._column] = text
        elif text:  # a cell outside the sheet, or a second one at its place: programs show one or the other
            self._aside(text, Label.HIDDEN)

    def _number(self, value: str) -> str:
        style = int(self._style) if self._style.isdecimal() else -1
        code = self._codes[style] if 0 <= style < len(self._codes) else ""
        try:
            if not code:
                return value if value.lstrip("-").isdecimal() else numfmt.plain(value)
            text, shown = numfmt.cell_text(value, code, from_1904=self._from_1904,
                                            shown_too=self._grid.wants_shown)
        except ValueError:
            return value
        self._grid.shown(shown)
        return text


class PivotData(Walker):
    """Stored values of a pivot table: they stay in the file when their source sheet is deleted."""

    def __init__(self, sink: Sink, where: str) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._where = where
        self._values: dict[str, None] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("s", "d", "n") and "v" in attributes:
            value = attributes["v"]
            self._values[numfmt.plain(value) if name == "n" else value.removesuffix("T00:00:00")] = None
        elif name in ("cacheField", "pivotField", "dataField", "cacheSource", "pivotTableDefinition"):
            for key in ("name", "caption", "dataCaption"):
                if attributes.get(key):
                    self._values[attributes[key]] = None
        if name == "pivotCacheDefinition":
            self._values[attributes.get("refreshedBy", "")] = None

    def finish(self) -> None:
        text = "\n".join(value for value in self._values if has_ink(value))
        self._values = {}
        if text:
            self._sink.text(text, Label.HIDDEN, self._where)


class Names(Walker):
    """Names, captions and commands kept in attributes: connections, tables, slicers, scenarios."""

    KEYS = ("name", "displayName", "caption", "connection", "command", "description", "comment", "user",
            "sourceFile", "url", "val", "altText", "altTextSummary")

    def __init__(self, sink: Sink, where: str) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._where = where
        self._found: dict[str, None] = {}

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:  # noqa: ARG002
        for key in self.KEYS:
            value = attribute(attributes, key)
            if len(value) > 1 and not value.isdecimal():
                self._found[value] = None

    def finish(self) -> None:
        if self._found:
            self._sink.text("\n".join(self._found), Label.PROPERTY, self._where)
        self._found = {}


def _column(reference: str) -> int:
    """The column of a cell reference, from 0; -1 when there is none."""
    column = 0
    for character in reference.upper():
        if not "A" <= character <= "Z":
            break
        column = column * 26 + ord(character) - 64
    return column - 1
