"""A redacted copy of a held item: built anew out of the text that was read, scanned again, clean or refused.

Nothing of the original goes over but text and tables: no properties, comments, tracked changes, hidden sheets or
columns, page margins, links, pictures, no file name. What cannot be built anew is left out and named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from capture.errors import CaptureError
from capture.masks.refs import BadRef, Refs, Spot, What
from capture.ports import Extractor, Scanner
from capture.redacting.compose import compose
from capture.redacting.cutting import Cuts
from pii_scan.findings import Decision, Finding, Report, Verdict
from pii_scan.text import Block, Extraction, Label

_MAILBOX = re.compile(r"[^\s<>]+@[^\s<>]+")


@dataclass(frozen=True, slots=True, repr=False)
class Redacted:
    """The copy that may be linked: `mail` is RFC 822, with what was read of it and what the scanner says.

    `removed` counts what was taken out by kind of ref ("value", "paragraph", "cell", "row", "column", "part"),
    `left_out` the parts that are not in the copy, as (place, code): "removed", "type" (cannot be built anew), "twin"
    (the other form of the body), or why the part was not read. Never printed."""

    mail: bytes
    extraction: Extraction
    report: Report
    removed: dict[str, int]
    left_out: tuple[tuple[str, str], ...] = ()


class NotClean(CaptureError):
    """The redacted copy still holds personal information, so it may not be linked."""

    code = "not-clean"
    hint = "Remove what is named there as well, or choose another outcome."

    def __init__(self, kinds: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{kind}: {place}" for kind, place in kinds[:20]))
        self.kinds = kinds
        """(kind, place in the copy) of everything that stands in the way; no content. Kinds are categories,
        "removed-value" for a value that stands there still, "doubt" for the sentence model alone, and the codes of
        what could not be read."""


def redact(raw: bytes, extraction: Extraction, report: Report, remove: Collection[str], *, secret: bytes,  # noqa: ARG001
           extractor: Extractor, scanner: Scanner) -> Redacted:
    """Return the item without what `remove` names (refs of `capture.masked.view`: values, paragraphs, cells, rows,
    columns, tables, parts).

    The same value is taken out everywhere else too. `raw` and `report` are those the view was made of; the copy takes
    nothing from the bytes. Raises `BadRef` for a ref of another item, `NotClean` when the copy, read and scanned
    anew, would not pass.
    """
    cuts = Cuts.of(extraction, remove, Refs(secret))
    copy = compose(extraction, cuts)
    read = extractor.extract(copy.mail)
    found = scanner.scan(read)
    standing = tuple(dict.fromkeys((*_standing(read, cuts), *_against(scanner.decide(found, read)))))
    if standing:
        raise NotClean(standing)
    return Redacted(copy.mail, read, found, dict(cuts.counted), copy.left_out)


def suggested(extraction: Extraction, report: Report, *, secret: bytes) -> tuple[str, ...]:
    """Refs of everything a finding that counts is about, as the view has them, and of every part that was not fully
    read: what a reviewer will most often remove. Raises `ModelMissing` as the view does."""
    from capture.masks.masker import Masker  # loads the scanner's patterns

    masker = Masker(extraction, report, secret)
    parts = [masker.refs.seal(Spot(What.PART, p)) for p, part in enumerate(extraction.parts)
             if part.status != "read" or p in masker.found.filled]
    return (*parts, *masker.counted())


def _standing(read: Extraction, cuts: Cuts) -> Iterator[tuple[str, str]]:
    """Where a value that was taken out stands in the copy all the same."""
    for part in read.parts:
        for block in part.blocks:
            if isinstance(block, Block):
                if block.label is Label.PROPERTY:
                    continue
                text = _MAILBOX.sub(" ", block.text) if block.label is Label.ADDRESSES else block.text
                if cuts.left_in(text):
                    yield "removed-value", part.place
            elif any(cuts.left_in(cell) for row in block.rows for cell in row):
                yield "removed-value", part.place


def _against(decision: Decision) -> Iterator[tuple[str, str]]:
    """What keeps the copy from passing."""
    if decision.verdict is Verdict.PASS:
        return
    counting: list[Finding] = [f for f in decision.findings if not f.exempt]
    for f in counting:
        yield f.category.value, f.place
    for unread in decision.unread:
        yield unread.code, unread.place
    if not counting and not decision.unread:
        yield "doubt", "item"


__all__ = ["BadRef", "NotClean", "Redacted", "redact", "suggested"]
