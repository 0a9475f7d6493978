"""Stored items of the CRM as text to be scanned, quickly.

A child process for every item is right for what comes from outside, and costs far more than the scan. Most of what
the CRM keeps is plain text that a child has read before: that is read here, by the same reader. Anything else, a
file, an attached mail, text in which something is encoded, goes through the child as always.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from capture.crm.asmail import text_of
from capture.extract.assemble import Book
from capture.extract.collect import Item, read_item
from capture.extract.limits import Limits
from capture.extract.reader import CannotRead
from capture.ports import Extractor, StoredItem
from pii_scan.text import Block, Extraction, Part, Unread

MOST_BYTES: Final = 200_000
_KINDS: Final = frozenset({"eml", "headers", "text", "empty", "unknown"})
_ENCODED: Final = re.compile(r"[A-Za-z0-9+/]{40}|=[0-9A-Fa-f]{2}|^[>| \t]*(?:begin |=ybegin |-----BEGIN )", re.M)


def read_stored(item: StoredItem, extractor: Extractor, limits: Limits) -> Extraction:
    """The text of a stored item, with what the CRM did not hand over among what is unread. Never raises for bad input.

    `limits` are the extractor's.
    """
    if item.fields:
        return Extraction(tuple(Part(name, "text", (Block(text),)) for name, text in item.fields))
    read = _directly(item, limits) if plain(item) else None
    if read is None:
        read = extractor.extract(item.raw)
    if not item.unread:
        return read
    return replace(read, parts=(*read.parts, *(_missing(unread) for unread in item.unread)))


def together(item: StoredItem) -> Extraction | None:
    """What was typed into several fields of a record as one text: a name in one and a birth date in another are two
    halves of one finding. None when there is no more than one."""
    if len(item.fields) < 2:
        return None
    return Extraction((Part("all together", "text", (Block("\n".join(text for _, text in item.fields)),)),))


def plain(item: StoredItem) -> bool:
    """Whether the item is nothing but text in which nothing is encoded."""
    if item.attachments or len(item.raw) > MOST_BYTES:
        return False
    text = text_of(item.raw)
    return text is not None and not _ENCODED.search(text)


class _Hands:
    """Gives events to the book, and stops when a part turns up that is more than a section of the mail."""

    def __init__(self, book: Book) -> None:
        self.book, self.more = book, False

    def send(self, event: dict[str, Any]) -> None:
        if event["e"] == "open" and event["id"] != "0" and not event["section"]:
            self.more = True
            raise CannotRead("unsupported")
        self.book.event(event)

    def send_picture(self, data: bytes) -> None:  # noqa: ARG002 - the protocol asks for it
        self.more = True


def _directly(item: StoredItem, limits: Limits) -> Extraction | None:
    """The text, read in this process; None when there is more to it than text."""
    book = Book(limits, _KINDS)
    hands = _Hands(book)
    read_item(Item(hands, limits, ocr=False, guard_cpu=False), item.raw)
    return None if hands.more or not book.done else book.extraction()


def _missing(unread: Unread) -> Part:
    return Part(unread.place, "unknown", status="unreadable", code=unread.code)
