"""A held item as a reviewer sees it: masked text and tables, the reason for every mask, one value at a time.

What is shown is decided word by word: an ordinary word of English or French stays, everything else is hidden until
it is revealed. Hidden besides: what the scanner found, the whole sentence around a finding of wording, names of
people, e-mail addresses, numbers of five and more digits, dates that may be birth dates, street addresses, links,
file names. A reviewer reveals one ref, one section or one part; nothing here writes an audit row, so the caller
writes it first.
"""

from __future__ import annotations

from capture.masks.reasons import explain
from capture.masks.refs import BadRef, Refs, at
from capture.masks.views import (
    BlockView,
    CaseView,
    Masked,
    PartView,
    Plain,
    RowView,
    Run,
    TableView,
    TextView,
    Why,
)
from pii_scan.findings import Report
from pii_scan.text import Extraction

PAGE = 60
"""Most pieces of text (about 4,000 characters) or of tables (50 rows) shown at once; fewer when they are long."""
HEAVY = 24_000
"""Characters, about, after which a page takes no further piece; see `capture.masks.pieces.weight`."""


def view(extraction: Extraction, report: Report, *, secret: bytes, offset: int = 0, limit: int | None = None,
         part: int | None = None) -> CaseView:
    """Return a page of the item, masked.

    `secret` (16 bytes and more, one for each case) makes the refs; give the same to `reveal` and `redact`. `offset`
    and `limit` count pieces over the whole item, or over one part when `part` (an index of `extraction.parts`) is
    given; without a limit a page ends after about 24,000 characters or `PAGE` pieces. Parts without a piece on the
    page are listed all the same. `report` is what the scanner says of this very
    extraction. Raises `ModelMissing` when the language model is not installed.
    """
    from capture.masks.masker import Masker  # loads the scanner's patterns; whoever only imports us need not wait

    return Masker(extraction, report, secret).view(
        max(0, offset), PAGE if limit is None else max(1, limit), part, None if limit is not None else HEAVY)


def reveal(extraction: Extraction, report: Report, ref: str, secret: bytes) -> str:  # noqa: ARG001 - refs of a report
    """Return the content behind a ref of `view`: a value, sentence, paragraph, table row or column (cells separated
    by tabs, rows by newlines), a file name or a whole part. Raises `BadRef` when the ref is not of this item."""
    return at(extraction, Refs(secret).open(ref))


__all__ = ["PAGE", "BadRef", "BlockView", "CaseView", "Masked", "PartView", "Plain", "RowView", "Run", "TableView",
           "TextView", "Why", "explain", "reveal", "view"]
