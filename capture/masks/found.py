"""Where the findings of a report lie: stretches of text to hide, columns and rows of tables.

A finding that stands for a value hides the value. A finding of wording hides its whole sentence, also where the same
sentence stands again (the HTML twin of a body, a quotation). What cannot be placed exactly hides more, not less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from capture.masks.reasons import because, explain, is_value, kind_of
from capture.masks.views import Why
from pii_scan.findings import Finding, Report
from pii_scan.semantic.segment import sentences
from pii_scan.text import Extraction, Table

AROUND = 700
"""How far a sentence is looked for around a finding, in characters."""
MOST_AGAIN = 400
"""Sentences and values looked for elsewhere in the item."""
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text block to hide: offsets, word on the mask, reasons; the higher rank names the mask when
    stretches overlap. `token` is a person's pseudonym."""

    start: int
    end: int
    kind: str
    why: tuple[Why, ...]
    rank: int = 0
    token: str = ""


SENTENCE, VALUE, FORM, WORD = 4, 3, 2, 1


@dataclass(slots=True)
class Grid:
    """What of a table is hidden whole: columns (index -> first hidden row, reasons) and rows."""

    columns: dict[int, tuple[int, str, list[Why]]] = field(default_factory=dict)
    rows: dict[int, list[Why]] = field(default_factory=dict)
    roster: bool = False


class Found:
    """The findings of a report, by block. Never printed: it knows offsets and texts of the item."""

    def __init__(self, extraction: Extraction, report: Report) -> None:
        self._extraction = extraction
        self.spans: dict[tuple[int, int], list[Span]] = {}
        self.grids: dict[tuple[int, int], Grid] = {}
        self.filled: dict[int, list[Why]] = {}
        again: dict[tuple[str, ...], tuple[str, Why]] = {}
        for f in report.findings:
            self._place(f, again)
        self._again = _Again(again)

    def __repr__(self) -> str:
        return f"Found({len(self.spans)} texts, {len(self.grids)} tables)"

    def of(self, part: int, block: int, start: int, end: int, text: str) -> Iterator[Span]:
        """Yield what is hidden in the characters `start` to `end` of a block; `text` is exactly those. Offsets of
        the spans are those of `text`."""
        for s in self.spans.get((part, block), ()):
            if s.start < end and s.end > start:
                yield replace(s, start=max(s.start, start) - start, end=min(s.end, end) - start)
        yield from self._again.spans(text)
        if part in self.filled:
            yield from _fields(text, tuple(self.filled[part]))

    def again(self, text: str) -> list[Span]:
        """What is hidden in a text because the same stands where something was found."""
        return list(self._again.spans(text))

    def _place(self, f: Finding, again: dict[tuple[str, ...], tuple[str, Why]]) -> None:
        block = self._extraction.parts[f.part].blocks[f.block] if self._extraction.parts[f.part].blocks else None
        why = explain(f)
        if f.rule == "filled_form" or block is None:
            self.filled.setdefault(f.part, []).append(why)
            return
        if isinstance(block, Table):
            self._in_table(f, block, why)
            return
        found = self.spans.setdefault((f.part, f.block), [])
        kind = kind_of(f.rule)
        if f.rule.startswith("roster_"):
            found += [Span(a, b, "row", (why, because("pasted-row")), SENTENCE)
                      for a, b in _lines(block.text, f.start, f.end)]
        elif is_value(f.rule):
            found.append(Span(f.start, f.end, kind, (why,), VALUE))
            _note(again, block.text[f.start:f.end], kind, why)
        else:
            for a, b in _sentences(block.text, f.start, f.end):
                found.append(Span(a, b, "sentence", (why,), SENTENCE))
                _note(again, block.text[a:b], "sentence", why)
        if f.count > 1 and not f.rule.startswith("roster_"):
            found += [Span(a, b, kind, (why, because("more-of-it")), SENTENCE)
                      for a, b in _lines(block.text, f.end, len(block.text))]

    def _in_table(self, f: Finding, table: Table, why: Why) -> None:
        grid = self.grids.setdefault((f.part, f.block), Grid())
        if f.rule == "sentence":
            grid.rows.setdefault(f.start, []).append(why)
            return
        roster = f.rule.startswith("roster_")
        grid.roster |= roster
        first, kind, whys = grid.columns.get(f.end, (f.start if roster else 1, kind_of(f.rule), []))
        grid.columns[f.end] = (min(first, f.start if roster else 1, len(table.rows)), kind, [*whys, why])


def _note(again: dict[tuple[str, ...], tuple[str, Why]], text: str, kind: str, why: Why) -> None:
    words = tuple(_WORDS.findall(text.casefold()))
    if len(again) < MOST_AGAIN and sum(map(len, words)) >= 4 and (kind != "sentence" or len(words) >= 3):
        again.setdefault(words, (kind, why))


class _Again:
    """Finds known sequences of words in a text, in time that grows with the text."""

    def __init__(self, known: dict[tuple[str, ...], tuple[str, Why]]) -> None:
        self._first: dict[str, list[tuple[tuple[str, ...], str, Why]]] = {}
        for words, (kind, why) in known.items():
            self._first.setdefault(words[0], []).append((words, kind, why))

    def spans(self, text: str) -> Iterator[Span]:
        """Yield where one of them stands."""
        if not self._first:
            return
        places = [(m.start(), m.end(), m.group().casefold()) for m in _WORDS.finditer(text)]
        for i, (start, _, word) in enumerate(places):
            for words, kind, why in self._first.get(word, ()):
                n = len(words)
                if i + n <= len(places) and all(places[i + k][2] == words[k] for k in range(1, n)):
                    rank = SENTENCE if kind == "sentence" else VALUE
                    yield Span(start, places[i + n - 1][1], kind, (why, because("again")), rank)


def _sentences(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The sentences a finding lies in, else its lines."""
    lo = text.rfind("\n\n", max(0, start - AROUND), start)
    lo = lo + 2 if lo >= 0 else max(0, start - AROUND)
    if lo and lo == start - AROUND:
        lo = text.rfind("\n", max(0, lo - 200), lo) + 1 or lo
    hi = min(len(text), end + AROUND)
    spans = [(lo + a, lo + b) for a, b, _ in sentences(text[lo:hi]) if lo + a < end and lo + b > start]
    if not spans:
        return list(_lines(text, start, end))
    spans[0] = (min(start, spans[0][0]), spans[0][1])
    spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
    return spans


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The lines between two offsets, whole at both ends, blank ones left out."""
    at = text.rfind("\n", 0, start) + 1
    while at < end or at == start:
        stop = text.find("\n", at)
        stop = len(text) if stop < 0 else stop
        if text[at:stop].strip():
            yield at, stop
        at = stop + 1
        if stop == len(text):
            break


def _fields(text: str, why: tuple[Why, ...]) -> Iterator[Span]:
    """What stands after the colon of every line."""
    for a, b in _lines(text, 0, len(text)):
        colon = text.find(":", a, b)
        if 0 <= colon < b - 1 and text[colon + 1:b].strip():
            yield Span(colon + 1, b, "form field", (*why, because("form-field")), SENTENCE)
