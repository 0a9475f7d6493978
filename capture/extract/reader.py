"""What a reader of one format gets and gives.

A reader is a function `read(data: bytes, sink: Sink) -> None`. It puts text, tables and embedded files
into the sink, calls `sink.partial(code)` when it had to leave something out, and raises
`CannotRead(code)` when it can read nothing (more). Any other exception counts as `corrupt`. What was
put in before is kept and scanned. Readers run in the child process only (see pool.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from capture.extract.limits import Limits
from pii_scan.text import Label


class CannotRead(Exception):
    """Raised by a reader: nothing (more) can be read of this part. `code` is one of REASON_CODES."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Sink(Protocol):
    """Receives what a reader finds in one part."""

    limits: Limits
    kind: str
    """The sniffed type, for readers that serve several."""

    def text(self, text: str, label: Label = Label.TEXT, where: str = "", *, quoted: bool = False) -> None:
        """Add a run of text. `where` is a place by counting ("page 3", "comment 2"), never a name.

        Raises `CannotRead("too_large")` when the item's text budget is used up.
        """

    def table(self, rows: Iterable[Sequence[str]], where: str = "", *, first_row: int = 1,
              label: Label = Label.TEXT, quoted: bool = False) -> None:
        """Add rows of cells as they stand, header row included.

        Rows may be a generator: they leave the process while it runs. Calls with the same `where` whose
        rows follow each other (`first_row`) make one table.
        """

    def partial(self, code: str) -> None:
        """Something of this part could not be read; the item is held with this reason."""

    def embed(self, data: bytes, *, what: str, name: str = "", declared: str = "") -> None:
        """Read an embedded file as a part of its own: it is sniffed by content and read by its format's
        reader, with the item's shared depth, count and byte budget. `what` is its place inside this part
        ("attachment 2 of 3", "member 4", "embedded 1"); `name` its file name (content: scanned, never
        logged); `declared` the declared MIME type, used for a mismatch note only.
        """

    def spend(self, expanded: int, packed: int = 0) -> None:
        """Count bytes expanded (and the packed bytes they came from) against the item's budgets.

        Call it while expanding, chunk by chunk. Raises `CannotRead("too_large")` or `CannotRead("ratio")`.
        """

    def picture(self, render: Callable[[], bytes], where: str = "") -> None:
        """A page or drawing of this part whose text exists only as a picture (a scanned page).

        With OCR, `render` is called and must return PNG, JPEG or PNM bytes (pages at 200 dpi); their text
        becomes a block at `where`. Without OCR, `render` is not called and the part is partial,
        `needs_ocr`. Pictures that are files of their own go to `embed`, which knows logos from forms.
        """

    def empty(self) -> None:
        """The format itself says that there is nothing to read (a workbook without cells).

        Without this call a part of more than 0 bytes that gave neither text nor embedded files is partial,
        `no_text`.
        """


Reader = Callable[[bytes, Sink], None]
