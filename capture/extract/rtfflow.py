"""One run of RTF text with its paragraphs and tables: the body, a header, a footnote, a field."""

from __future__ import annotations

import re

from capture.extract.officeflow import BLOCK_CHARS
from capture.extract.reader import Sink
from capture.extract.xmlparts import has_ink
from pii_scan.text import Label

_HEX = re.compile(r"^[0-9a-fA-F\s]{16,}$")
_LETTERS = re.compile(r"[^\W\d_]{2}")


class Flow:
    """Collects text and structure, and hands lines and tables to the sink.

    `drop_hex`: the destination is unknown, and what is nothing but hexadecimal digits is no text.
    `need_letters`: most values are numbers of the layout; only words count.
    """

    def __init__(self, sink: Sink, label: Label, where: str, *, drop_hex: bool = False,
                 need_letters: bool = False) -> None:
        self._sink = sink
        self._label = label
        self._where = where
        self._drop_hex = drop_hex
        self._need_letters = need_letters
        self._visible: list[str] = []
        self._full: list[str] = []
        self._hidden = False
        self._in_table = False
        self._cell: list[str] = []
        self._row: list[str] = []
        self._rows: list[list[str]] = []
        self._lines: list[str] = []
        self._size = 0
        self._tables = 0

    def add(self, text: str, *, hidden: bool = False) -> None:
        """Add text to the open paragraph."""
        self._full.append(text)
        if hidden:
            self._hidden = True
        else:
            self._visible.append(text)

    def structure(self, word: str) -> None:
        """A paragraph, cell or row ends, or the kind of paragraph is set."""
        if word == "pard":
            self._in_table = False
        elif word in ("intbl", "trowd"):
            self._in_table = True
        elif word == "nestcell":
            self.add("\t")
        elif word == "nestrow":
            self.add("\n")
        elif word == "cell":
            self._end_paragraph(to_cell=True)
            self._row.append("\n".join(self._cell))
            self._cell = []
        elif word == "row":
            self._end_row()
        else:
            self._end_paragraph(to_cell=self._in_table)

    def finish(self) -> None:
        """The flow ends: hand over what is left."""
        self._end_paragraph(to_cell=self._in_table and bool(self._row))
        self._end_row()
        self._end_table()
        self._flush()

    def _end_paragraph(self, *, to_cell: bool) -> None:
        visible, full, hidden = _joined(self._visible), _joined(self._full), self._hidden
        self._visible, self._full, self._hidden = [], [], False
        if hidden and has_ink(full):
            self._sink.text(full, Label.HIDDEN, self._where)
        if not has_ink(visible) or (self._drop_hex and _HEX.match(visible)) or (
                self._need_letters and not _LETTERS.search(visible)):
            return
        if to_cell:
            self._cell.append(visible.strip("\n"))
            return
        if self._row:
            self._end_row()
        self._end_table()
        self._lines.append(visible)
        self._size += len(visible)
        if self._size > BLOCK_CHARS:
            self._flush()

    def _end_row(self) -> None:
        if self._cell:
            self._row.append("\n".join(self._cell))
            self._cell = []
        if self._row:
            self._rows.append(self._row)
            self._row = []

    def _end_table(self) -> None:
        rows, self._rows = self._rows, []
        if any(cell for row in rows for cell in row):
            self._flush()
            self._tables += 1
            self._sink.table(rows, f"{self._where}, table {self._tables}".lstrip(", "), label=self._label)

    def _flush(self) -> None:
        if self._lines:
            text = "\n".join(self._lines)
            self._lines, self._size = [], 0
            self._sink.text(text, self._label, self._where)


def _joined(pieces: list[str]) -> str:
    """The pieces as one text; surrogate halves that came as two pieces are joined, lone ones replaced."""
    text = "".join(pieces)
    if any("\ud800" <= c <= "\udfff" for c in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
