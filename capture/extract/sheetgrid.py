"""Rows of a sheet on their way into the sink: far-apart cells never allocate the rectangle between them."""

from __future__ import annotations

from collections.abc import Mapping

from capture.extract.reader import CannotRead, Sink
from pii_scan.text import Label

MAX_GAP = 100
"""Empty rows up to which a table goes on; a larger gap begins a new one."""
TABLE_CELLS = 1_000_000
"""Cells of one table; a longer sheet comes as several, each saying its first row."""
SHOWN_MAX = 5_000
"""Different displayed forms that are kept per sheet."""


class Grid:
    """Takes the rows of one sheet in order and hands them over as tables.

    Raises `CannotRead("too_large")` when the workbook has more cells than `limits.sheet_cells`; what came
    before is handed over by `finish`.
    """

    def __init__(self, sink: Sink, where: str, label: Label, budget: CellBudget) -> None:
        self._sink = sink
        self._where = where
        self._label = label
        self._budget = budget
        self._rows: list[list[str]] = []
        self._first = 1
        self._cells = 0
        self._shown: dict[str, None] = {}

    def row(self, number: int, cells: Mapping[int, str]) -> None:
        """Row `number` (from 1) with its cells by column (from 0); empty cells may be left out."""
        if not cells:
            return
        width = max(cells) + 1
        self._budget.take(len(cells))
        if width > 256 and width > 4 * len(cells):
            self._flush()
            for column, text in sorted(cells.items()):
                self._sink.text(text, self._label, f"{self._where}, row {number}, column {column + 1}")
            return
        following = self._first + len(self._rows)
        if self._rows and (not 0 <= number - following <= MAX_GAP or self._cells > TABLE_CELLS):
            self._flush()
        if not self._rows:
            self._first = following = number
        self._rows.extend([] for _ in range(number - following))
        row = [""] * width
        for column, text in cells.items():
            row[column] = text
        self._rows.append(row)
        self._cells += width

    @property
    def wants_shown(self) -> bool:
        """Whether further displayed forms are kept."""
        return len(self._shown) < SHOWN_MAX

    def shown(self, text: str) -> None:
        """The form a number has on screen, where it differs from the cell's text."""
        if text and len(self._shown) < SHOWN_MAX:
            self._shown[text] = None

    def finish(self) -> None:
        """Hand over the last table and the displayed forms."""
        self._flush()
        if self._shown:
            self._sink.text("\n".join(self._shown), self._label, f"{self._where}, as displayed")
        self._shown = {}

    def _flush(self) -> None:
        if self._rows:
            self._sink.table(self._rows, self._where, first_row=self._first, label=self._label)
        self._rows, self._cells = [], 0


class CellBudget:
    """The cells a workbook may still give, all sheets together."""

    def __init__(self, cells: int) -> None:
        self._left = cells

    def take(self, cells: int) -> None:
        """Count cells. Raises `CannotRead("too_large")` when there are none left."""
        self._left -= cells
        if self._left < 0:
            raise CannotRead("too_large")
