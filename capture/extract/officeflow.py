"""The text of one XML part of an Office file: paragraphs, tables, text boxes, comments, charts.

Word, DrawingML, charts, diagrams and comments use the same few local names (p, r, t, tbl, tr, tc), so one
walker reads them all. Deleted and hidden runs are left out of the visible paragraph and given again, in
the whole paragraph with its context, as hidden text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from capture.extract.reader import Sink
from capture.extract.xmlparts import Walker, attribute, has_ink, local
from pii_scan.text import Label

BLOCK_CHARS = 8_000
"""Paragraphs are handed over in runs of about this length, so that a number keeps the words before it."""

LABELS = {
    "hdr": Label.MARGIN, "ftr": Label.MARGIN, "sldMaster": Label.MARGIN, "sldLayout": Label.MARGIN,
    "notesMaster": Label.MARGIN, "handoutMaster": Label.MARGIN,
    "footnotes": Label.NOTE, "endnotes": Label.NOTE, "comments": Label.NOTE, "notes": Label.NOTE,
    "cmLst": Label.NOTE, "ThreadedComments": Label.NOTE, "personList": Label.PROPERTY,
    "cmAuthorLst": Label.PROPERTY, "authorLst": Label.PROPERTY, "people": Label.PROPERTY,
    "settings": Label.PROPERTY, "tagLst": Label.PROPERTY,
}
"""Root element of a part -> role of its text; anything else is running text."""

_LEAVES = frozenset({"t", "delText", "v", "pt", "text", "author", "oddHeader", "oddFooter", "evenHeader",
                     "evenFooter", "firstHeader", "firstFooter", "div", "font", "span", "b", "i", "u", "ph"})
_PARAGRAPHS = frozenset({"p", "si", "is", "text", "author", "div", "threadedComment"})
_SERIES = frozenset({"strCache", "numCache", "strLit", "numLit", "lvl", "multiLvlStrCache"})
_NOTES = {"footnote": "footnote", "endnote": "endnote", "comment": "comment", "cm": "comment",
          "threadedComment": "comment"}
_ALTERNATIVE = frozenset({"docPr", "cNvPr", "cNvPicPr"})
_BREAKS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "\u2011",
           "softHyphen": "\u00ad"}
_VALUES = frozenset({"docVar", "listEntry", "listItem", "default", "helpText", "statusText", "alias",
                     "query", "connectString", "tag"})


class _Scope:
    """Where text is collected: one for the part and one for each text box inside a paragraph."""

    def __init__(self) -> None:
        self.visible: list[str] = []
        self.full: list[str] = []
        self.field: list[str] = []
        self.hidden = False
        self.boxes: list[str] = []
        self.tables: list[_TableBuilder] = []

    def cell(self) -> list[str] | None:
        """The cell being filled, or None outside tables."""
        return self.tables[-1].cell if self.tables else None


class _TableBuilder:
    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.row: list[str] = []
        self.cell: list[str] | None = None
        self.span = 1


class TextFlow(Walker):
    """Collects the text of a part into the sink. `where` is the place of the part ("slide 3").

    Lines in `seen` are not given again, and new ones are added: layouts repeat their master word by word.
    """

    def __init__(self, sink: Sink, where: str = "", label: Label | None = None,
                 seen: set[str] | None = None) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._seen = seen
        self._base = where
        self._where = where
        self._given = label
        self._label = label or Label.TEXT
        self._root = ""
        self._path: list[str] = []
        self._scopes = [_Scope()]
        self._deleted = 0
        self._run_hidden = False
        self._alternates: list[set[str]] = []
        self._branches: list[str] = []
        self._aside: dict[str, Label] = {}
        self._lines: list[str] = []
        self._size = 0
        self._paragraph = 0
        self._first = 1
        self._notes = 0
        self._tables = 0

    # events

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if not self._path:
            self._begin_part(name, attributes)
        self._path.append(name)
        scope = self._scopes[-1]
        if name == "r":
            self._run_hidden = False
        elif name in ("vanish", "specVanish"):
            self._run_hidden = attribute(attributes, "val") not in ("0", "false", "off")
        elif name in ("del", "moveFrom"):
            self._deleted += 1
        elif name in _BREAKS and self._path[-2:-1] != ["tabs"]:
            self._add(_BREAKS[name])
        elif name == "tbl":
            scope.tables.append(_TableBuilder())
        elif name == "tc" and scope.tables:
            scope.tables[-1].cell = []
            scope.tables[-1].span = 1
        elif name == "gridSpan" and scope.tables:
            scope.tables[-1].span = _small_int(attribute(attributes, "val"))
        elif name in ("txbxContent", "textbox") and name not in self._path[:-1]:
            self._scopes.append(_Scope())
        elif name == "AlternateContent":
            self._alternates.append(set())
        elif name in ("Choice", "Fallback"):
            self._branches.append(name)
        elif name == "sym":
            self._add(_symbol(attribute(attributes, "char")))
        elif name in _NOTES:
            self._begin_note(name, attributes)
        self._attributes(name, attributes)

    def closed(self, name: str) -> None:
        self._path.pop()
        scope = self._scopes[-1]
        if name in _PARAGRAPHS:
            self._end_paragraph()
        elif name in ("del", "moveFrom"):
            self._deleted -= 1
        elif name == "v" or (name == "pt" and scope.full and scope.full[-1] != "\t"):
            self._add("\t")
        elif name in _SERIES:
            self._end_paragraph()
        elif name in _NOTES:
            self._end_paragraph()
            self._flush()
        elif name == "tc" and scope.tables:
            self._end_cell(scope.tables[-1])
        elif name == "tr" and scope.tables:
            table = scope.tables[-1]
            table.rows.append(table.row)
            table.row = []
        elif name == "tbl" and scope.tables:
            self._end_table(scope.tables.pop())
        elif name in ("txbxContent", "textbox") and name not in self._path:
            self._end_box()
        elif name == "AlternateContent" and self._alternates:
            self._alternates.pop()
        elif name in ("Choice", "Fallback") and self._branches:
            self._branches.pop()
        elif name in ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"):
            self._end_paragraph()

    def characters(self, text: str) -> None:
        name = self._path[-1] if self._path else ""
        if name == "t" or name == "delText":
            if len(self._path) > 1 and self._path[-2] == "pt" and not has_ink(text):
                return
            self._add(text)
        elif name in ("instrText", "delInstrText", "attrName"):
            self._scopes[-1].field.append(text)
        elif name in _LEAVES and has_ink(text):
            self._add(text)
        else:
            self.overhear(text)

    def finish(self) -> None:
        while len(self._scopes) > 1:
            self._end_box()
        scope = self._scopes[0]
        self._end_paragraph()
        while scope.tables:
            table = scope.tables.pop()
            if table.cell is not None:
                self._end_cell(table)
            if table.row:
                table.rows.append(table.row)
            self._end_table(table)
        self._flush()
        for text, label in self._aside.items():
            self._sink.text(text, label, self._base)
        self._aside.clear()

    # pieces

    def _begin_part(self, name: str, attributes: Mapping[str, str]) -> None:
        self._root = name
        if self._given is None:
            self._label = LABELS.get(name, Label.TEXT)
        if name == "sld" and attribute(attributes, "show") in ("0", "false"):
            self._label = Label.HIDDEN

    def _begin_note(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._root in ("document", "glossaryDocument", "hdr", "ftr"):
            return
        self._flush()
        self._notes += 1
        self._where = f"{self._base}, {_NOTES[name]} {self._notes}".lstrip(", ")
        author = attribute(attributes, "author")
        if author:
            self._add(f"{author}: ")

    def _attributes(self, name: str, attributes: Mapping[str, str]) -> None:
        """Text that is kept in attributes."""
        if name in _ALTERNATIVE:
            for key in ("descr", "title"):
                self._beside(attribute(attributes, key), Label.LINK)
        elif name == "fldSimple":
            self._beside(attribute(attributes, "instr"), Label.LINK)
        elif name == "textpath":
            self._add(attribute(attributes, "string"))
        elif name in _VALUES:
            parts = [attribute(attributes, key) for key in ("name", "displayText", "val", "value")]
            self._beside(": ".join(dict.fromkeys(part for part in parts if len(part) > 1)), Label.PROPERTY)
        elif name in ("person", "cmAuthor", "ins", "del", "moveFrom", "moveTo"):
            keys = ("displayName", "name", "author", "userId")
            self._beside(" ".join(filter(None, (attribute(attributes, key) for key in keys))), Label.PROPERTY)
        elif name in ("hyperlink", "hlinkClick", "hlinkHover"):
            self._beside(attribute(attributes, "tooltip"), Label.LINK)
        elif name in ("shape", "rect", "oval", "imagedata"):
            self._beside(attribute(attributes, "alt"), Label.LINK)
            self._beside(attribute(attributes, "href"), Label.LINK)

    def _beside(self, text: str, label: Label) -> None:
        if has_ink(text):
            self._aside.setdefault(text, label)

    def _add(self, text: str) -> None:
        scope = self._scopes[-1]
        scope.full.append(text)
        if self._deleted or self._run_hidden or (self._path and self._path[-1] == "delText"):
            scope.hidden = True
        else:
            scope.visible.append(text)

    def _end_paragraph(self) -> None:
        scope = self._scopes[-1]
        self._run_hidden = False
        if scope.field:
            self._beside("".join(scope.field).strip(), Label.LINK)
            scope.field = []
        visible, full = "".join(scope.visible).rstrip(), "".join(scope.full).rstrip()
        hidden, boxes = scope.hidden, scope.boxes
        scope.visible, scope.full, scope.hidden, scope.boxes = [], [], False, []
        if hidden and has_ink(full):
            self._sink.text(full, Label.HIDDEN, self._where)
        for line in (visible, *boxes):
            self._line(scope, line)

    def _line(self, scope: _Scope, line: str) -> None:
        """One finished paragraph: into the cell, the text box or the running text."""
        if self._alternates and has_ink(line):
            if self._branches and self._branches[-1] == "Fallback" and line in self._alternates[-1]:
                return
            self._alternates[-1].add(line)
        cell = scope.cell()
        if cell is not None:
            if has_ink(line):
                cell.append(line)
            return
        if len(self._scopes) > 1:
            if has_ink(line):
                self._scopes[-2].boxes.append(line)
            return
        self._paragraph += 1
        if not has_ink(line) or (self._seen is not None and line in self._seen):
            return
        if self._seen is not None:
            self._seen.add(line)
        if not self._lines:
            self._first = self._paragraph
        self._lines.append(line)
        self._size += len(line)
        if self._size > BLOCK_CHARS:
            self._flush()

    def _end_cell(self, table: _TableBuilder) -> None:
        self._end_paragraph()
        table.row.append("\n".join(table.cell or ()))
        table.row.extend([""] * (table.span - 1))
        table.cell = None
        table.span = 1

    def _end_table(self, table: _TableBuilder) -> None:
        if not any(cell for row in table.rows for cell in row):
            return
        self._flush()
        self._tables += 1
        where = f"{self._where}, table {self._tables}".lstrip(", ")
        self._sink.table(table.rows, where, label=self._label)

    def _end_box(self) -> None:
        self._end_paragraph()
        box = self._scopes.pop()
        while box.tables:
            self._end_table(box.tables.pop())

    def _flush(self) -> None:
        if not self._lines:
            return
        where = self._where
        if self._where == self._base and self._root == "document":
            where = f"paragraphs {self._first}-{self._paragraph}"
        text = "\n".join(self._lines)
        self._lines, self._size = [], 0
        self._sink.text(text, self._label, where)


_IDENTIFIER = re.compile(
    r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?|r?[Ii]d\d+|"
    r"true|false|preserve|[\d.]{1,6}|#?\w*:?[A-Za-z]+")
"""Attribute values that say nothing of their own: identifiers, switches, short numbers, single names."""


class Properties(Walker):
    """Every element's own text as "name: value": document properties, custom XML, anything unknown."""

    _COUNTS = frozenset({"Pages", "Words", "Characters", "Lines", "Paragraphs", "CharactersWithSpaces",
                         "TotalTime", "DocSecurity", "ScaleCrop", "LinksUpToDate", "SharedDoc", "AppVersion",
                         "HyperlinksChanged", "i4", "bool", "revision", "Slides", "Notes", "HiddenSlides",
                         "MMClips", "Application"})
    _PLAIN = frozenset({"lpstr", "lpwstr"})

    def __init__(self, sink: Sink, where: str = "properties") -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self._sink = sink
        self._place = where
        self._path: list[str] = []
        self._own: list[list[str]] = []
        self._named = ""
        self._lines: list[str] = []

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        self._path.append(name)
        self._own.append([])
        if name == "property":
            self._named = attribute(attributes, "name")
        for key, value in attributes.items():
            said = value.strip()
            if len(said) > 1 and "://" not in said and not _IDENTIFIER.fullmatch(said):
                self._lines.append(f"{local(key)}: {said}")

    def characters(self, text: str) -> None:
        if self._own:
            self._own[-1].append(text)

    def closed(self, name: str) -> None:
        self._path.pop()
        text = "".join(self._own.pop()).strip()
        key = self._named or ("" if name in self._PLAIN else name)
        if name == "property":
            self._named = ""
        if text and (key != name or name not in self._COUNTS):
            self._lines.append(f"{key}: {text}" if key else text)

    def finish(self) -> None:
        if self._lines:
            self._sink.text("\n".join(self._lines), Label.PROPERTY, self._place)
        self._lines = []


class Relationships(Walker):
    """Collects the relationships of a part: (id, last part of the type, target, external)."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(sink.limits.xml_depth, sink)
        self.found: list[tuple[str, str, str, bool]] = []

    def opened(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Relationship":
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found.append((attributes.get("Id", ""), kind, attributes.get("Target", ""),
                               attributes.get("TargetMode", "").casefold() == "external"))


def _small_int(text: str) -> int:
    return min(int(text), 64) if text.isascii() and text.isdigit() else 1


def _symbol(code: str) -> str:
    """The character of a w:sym; symbol fonts put their letters in the private area."""
    try:
        point = int(code, 16)
    except ValueError:
        return ""
    if 0xF020 < point < 0xF07F:  # the letters of a symbol font
        return chr(point - 0xF000)
    return chr(point) if 0 < point < 0xD800 or 0xE000 <= point < 0x110000 else ""
