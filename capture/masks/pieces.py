"""Long items in pieces: a piece of text ends at a line where it can, a piece of a table holds some rows."""

from __future__ import annotations

from pii_scan.text import Block, Table

TEXT = 4_000
"""Characters of a piece of text, about."""
ROWS = 50
"""Rows of a piece of a table."""
ROW = 160
"""A row of a table takes as much room as so many characters of text."""


def count(block: Block | Table) -> int:
    """How many pieces a block has."""
    if isinstance(block, Table):
        return max(1, -(-len(block.rows) // ROWS))
    return max(1, -(-len(block.text) // TEXT))


def weight(block: Block | Table, n: int) -> int:
    """How much room piece `n` (from 0) takes, in characters of running text."""
    if isinstance(block, Table):
        return ROW * max(1, min(ROWS, len(block.rows) - n * ROWS))
    lo, hi = cut(block.text, n)
    return hi - lo


def cut(text: str, n: int) -> tuple[int, int]:
    """The characters of piece `n` (from 0) of a text."""
    return _edge(text, n), _edge(text, n + 1)


def _edge(text: str, n: int) -> int:
    """Where piece `n` begins: after a line break or a blank at most an eighth of a piece before its even place."""
    at = n * TEXT
    if n == 0 or at >= len(text):
        return min(at, len(text))
    for mark in ("\n", " "):
        if (found := text.rfind(mark, at - TEXT // 8, at)) >= 0:
            return found + 1
    return at
