"""Plain twins of a text, of the same length, so that offsets agree: accents, odd blanks, dashes and quotes
made plain, and small letters."""

from __future__ import annotations

import unicodedata


def _folding() -> dict[int, str]:
    table: dict[int, str] = {0xA0: " ", 0x2007: " ", 0x2009: " ", 0x202F: " ", 0x2010: "-", 0x2011: "-", 0x2012: "-",
             0x2013: "-", 0x2014: "-", 0x2212: "-", 0x2018: "'", 0x2019: "'", 0x02BC: "'", 0x201C: '"',
             0x201D: '"', 0xAB: '"', 0xBB: '"', 0xFF1A: ":", 0x3000: " ", 0x131: "i"}
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)):
        base = unicodedata.normalize("NFD", chr(code))[0]
        if base.isascii():
            table[code] = base
    table |= {0xFF10 + i: str(i) for i in range(10)}
    return table


_FOLD = _folding()


def plain(text: str) -> str:
    """Return `text` with accents, odd blanks, dashes and quotes made plain, case kept; same length."""
    return text if text.isascii() else text.translate(_FOLD)


def small(text: str) -> str:
    """Return plain text in lower case; same length, also where a capital's small form has two characters."""
    low = text.lower()
    if len(low) != len(text):
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low


def small_plain(text: str) -> str:
    """Return `text` plain and in small letters; same length."""
    return small(plain(text))


def word_set(listing: str) -> frozenset[str]:
    """The words of a blank-separated listing; long lists read better as text."""
    return frozenset(listing.split())
