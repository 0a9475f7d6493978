"""What people write into mailweir themselves is scanned before it is kept: they paste the very data into it.

    kinds = personal(scanner, text)        # () when it may be kept
"""

from __future__ import annotations

from typing import Final

from capture.errors import BadInput
from capture.ports import Scanner
from pii_scan.text import Block, Envelope, Extraction, Part

MOST: Final = 1000
"""Longest text, in characters."""


class WordsRefused(BadInput):
    """The text holds personal information, so nothing of it was kept."""

    code = "words-refused"
    hint = "Say it without names, numbers, dates and addresses: kind and place will do: `table in attachment 2`."


def personal(scanner: Scanner, text: str) -> tuple[str, ...]:
    """The kinds of personal information in a text somebody wrote; () when it may be kept.

    A text the scanner is in doubt about is refused as well ("unclear"). Raises `ScanError` when no verdict is possible.
    """
    extraction = Extraction((Part("text", "text", (Block(text),)),), Envelope())
    decision = scanner.decide(scanner.scan(extraction), extraction)
    if decision.link:
        return ()
    return tuple(sorted(decision.categories)) or ("unclear",)


def checked(scanner: Scanner, text: str) -> str:
    """The text with single blanks, once it may be kept. Raises `WordsRefused` naming kinds only, `BadInput` when it is
    too long."""
    plain = " ".join(text.split())
    if len(plain) > MOST or not plain.isprintable():
        raise BadInput(f"a text has at most {MOST} printable characters")
    kinds = personal(scanner, plain) if plain else ()
    if kinds:
        raise WordsRefused(", ".join(kinds))
    return plain
