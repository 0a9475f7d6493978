"""Reads an item in the test's own process: for unit tests of readers, where a crash is wanted as a crash."""

from __future__ import annotations

from typing import Any

from capture.extract import READERS
from capture.extract.assemble import Book
from capture.extract.collect import Item, read_item
from capture.extract.limits import Limits
from pii_scan.text import Extraction

KINDS = frozenset(READERS) | {"empty", "headers", "unknown", "ole", "exe", "rar", "heic", "media"}


class BookWire:
    """Hands events straight to the book that a parent would keep."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def send(self, event: dict[str, Any]) -> None:
        """Take one event."""
        self.book.event(event)

    def send_picture(self, data: bytes) -> None:
        """Take picture bytes."""
        self.book.picture(data)


def read(raw: bytes, name: str = "", *, limits: Limits | None = None, ocr: bool = False) -> Extraction:
    """Return what the readers make of `raw`; pictures are not followed."""
    limits = limits or Limits()
    book = Book(limits, KINDS)
    read_item(Item(BookWire(book), limits, ocr=ocr, guard_cpu=False), raw, name)
    return book.extraction()


def text(extraction: Extraction) -> str:
    """Everything that was read."""
    return "\n".join(part.text() for part in extraction.parts)


def places(extraction: Extraction) -> list[str]:
    """The places of the parts, in order."""
    return [part.place for part in extraction.parts]


def unread(extraction: Extraction) -> list[tuple[str, str]]:
    """(place, code) of every part that was not fully read."""
    return [(part.place, part.code) for part in extraction.unread]
