"""Reading masked views: what a person sees, and where the masks are."""

from __future__ import annotations

from collections.abc import Iterator

from capture.masked import CaseView, Masked, Plain, TableView, TextView, view
from pii_scan.findings import Report
from pii_scan.text import Extraction

SECRET = b"a secret of sixteen bytes at least"


def whole(extraction: Extraction, report: Report | None = None, secret: bytes = SECRET) -> CaseView:
    """The whole item on one page."""
    return view(extraction, report or Report(), secret=secret, limit=1_000_000)


def texts(shown: CaseView, gap: str = " … ") -> Iterator[str]:
    """Every piece of text and every cell as it is seen, `gap` for a mask."""
    for part in shown.parts:
        for block in part.blocks:
            pieces = [block.runs] if isinstance(block, TextView) else [c for r in block.rows for c in r.cells]
            for runs in pieces:
                yield "".join(run.text if isinstance(run, Plain) else gap for run in runs)


def visible(shown: CaseView) -> str:
    """Everything that is seen of an item."""
    return "\n".join(texts(shown))


def masks(shown: CaseView) -> list[Masked]:
    """Every mask, in reading order, the file names first."""
    found = [part.name for part in shown.parts if part.name]
    for part in shown.parts:
        for block in part.blocks:
            if isinstance(block, TableView):
                found += [run for row in block.rows for cell in row.cells for run in cell if isinstance(run, Masked)]
            else:
                found += [run for run in block.runs if isinstance(run, Masked)]
    return found
