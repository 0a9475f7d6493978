"""A redacted copy of a held item: built anew out of the text that was read, scanned again, clean or refused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from capture.errors import CaptureError
from capture.ports import Extractor, Scanner
from pii_scan.findings import Category, Report
from pii_scan.text import Extraction


@dataclass(frozen=True, slots=True, repr=False)
class Redacted:
    """The copy that may be linked: `mail` is RFC 822, with what was read of it and what the scanner says.

    `removed` counts what was taken out by kind of ref ("value", "paragraph", "row", "column", "part"), `left_out`
    the parts that cannot be produced anew, as (place, code). Never printed."""

    mail: bytes
    extraction: Extraction
    report: Report
    removed: dict[str, int]
    left_out: tuple[tuple[str, str], ...] = ()


class NotClean(CaptureError):
    """The redacted copy still holds personal information, so it may not be linked."""

    code = "not-clean"
    hint = "Remove what is named there as well, or choose another outcome."

    def __init__(self, kinds: tuple[tuple[Category | str, str], ...]) -> None:
        super().__init__("; ".join(f"{kind}: {place}" for kind, place in kinds[:20]))
        self.kinds = kinds
        """(kind, place in the copy) of everything that stands in the way; no content."""


def redact(raw: bytes, extraction: Extraction, report: Report, remove: Collection[str], *, secret: bytes,
           extractor: Extractor, scanner: Scanner) -> Redacted:
    """Return the item without what `remove` names (refs of `capture.masked.view`: values, paragraphs, rows, columns,
    tables, parts).

    The same value is taken out everywhere else too. Raises `BadRef` for a ref of another item, `NotClean` when the
    copy, read and scanned anew, would not pass.
    """
    raise NotImplementedError


def suggested(extraction: Extraction, report: Report, *, secret: bytes) -> tuple[str, ...]:
    """Refs of everything a finding that counts is about, and of every part that was not fully read: what a reviewer
    will most often remove."""
    raise NotImplementedError
