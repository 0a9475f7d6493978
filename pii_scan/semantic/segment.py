"""Cut what was extracted into sentence units, each with its place and offsets.

Hard-wrapped lines are joined, quote marks dropped, a unit has at most `MAX_WORDS` words. A unit is
always one stretch of one block, so its offsets lead a reviewer to the sentence in the original text.
Time grows linearly with the text: every pattern here is anchored to one line or one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pii_scan.text import Extraction, Label, Table

MAX_WORDS = 45
MAX_LINE = 4_000
"""A longer line is cut into pieces of this many characters (base64 left-overs, minified text)."""
PLAIN_ROWS = 40
"""So many leading rows of a table become units even when they hold no prose."""

SKIPPED = frozenset({Label.ADDRESSES, Label.DISCLAIMER, Label.PROPERTY, Label.LINK})
"""Labels that are not sentences. The rules read them; the sentence model does not."""

_WRAP = 50          # a line this long that ends without a stop goes on in the next one
_GREETING = 30      # a line shorter than this that ends with a comma greets somebody
_QUOTE = re.compile(r"[ \t]*(?:[>|][ \t]?)+")
_HEADER = re.compile(r"[ \t*]*(?:from|to|cc|bcc|sent|date|de|à|envoyé|x-[a-z]{1,12})[ \t]*:", re.IGNORECASE)
_SUBJECT = re.compile(r"[ \t*]*(?:subject|objet|re|fw|fwd)[ \t]*:[ \t]*", re.IGNORECASE)
_RULE = re.compile(r"[ \t]*(?:[-_=*~#+.]{3,}[ \t]*){1,3}$")
_FORWARD = re.compile(r"[ \t]*-{2,}.{0,60}(?:original message|forwarded|message d'origine)", re.IGNORECASE)
_ITEM = re.compile(r"[ \t]*(?:[-*•·o][ \t]|\(?\d{1,2}[.)][ \t]|[A-Za-zÀ-ÿ'/ ]{2,24}:)")
_STOP = re.compile(r"[.!?…][\"'”’)\]]{0,3}(?=\s)|[;](?=\s)|\t|[ ]{4,}")
_SHORT = re.compile(r"(?:\b(?:mr|mrs|ms|dr|st|ave|jr|sr|no|inc|ltd|co|vs|prof|sgt|cst|cpl|lt|capt|dept|approx|ext|"
                    r"e\.g|i\.e|a\.m|p\.m|mme|mlle|m|art|tel|tél|janv|févr|sept|oct|nov|dec|déc|jan|feb|mar|apr|"
                    r"jun|jul|aug|u\.s)|\b[A-Za-z])\.$", re.IGNORECASE)
_LONG = 7           # longer than any of these
_DISCLAIMER = re.compile(
    r"intended (?:only |solely )?(?:for|recipient)|confidential(?:ity)? (?:notice|and)|privileged (?:and|material)|"
    r"received (?:this|it) (?:e-?mail |message |transmission )?in error|if you are not the|"
    r"unauthori[sz]ed (?:use|review)|"
    r"avis de confidentialité|destinataire (?:prévu|visé)|reçu (?:ce|le présent) (?:courriel|message) par erreur",
    re.IGNORECASE)
_DISCLAIMER_HINTS = ("intended", "confidenti", "privileged", "in error", "if you are not", "unauthori", "destinataire",
                     "par erreur")
_RULED, _QUOTED, _ITEMS = "-_=*~#+.", " \t>|", "-*•·o(0123456789"
"""Characters the patterns above begin with: most lines begin with none of them and are not tried."""
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True, repr=False)
class Unit:
    """One sentence-like piece: `text` on one line; `part`, `block`, `start`, `end` as in a Finding.

    In a Table `start` is the row (from 0) and `end` the column 0. `kind` is "text", "subject",
    "signature", "name" or "row"; `quoted` as in the block; `first` marks units of the item's body
    (against attachments).
    """

    text: str
    part: int
    block: int
    start: int
    end: int
    kind: str
    quoted: bool
    first: bool

    def __repr__(self) -> str:
        return f"Unit(part {self.part}, block {self.block}, {self.start}-{self.end}, {self.kind})"


def units(extraction: Extraction) -> list[Unit]:
    """Every unit worth judging, in reading order, without repetitions, headers and disclaimers."""
    seen: set[str] = set()
    found: list[Unit] = []
    for unit in _all(extraction):
        key = unit.text.casefold()
        if key not in seen:
            seen.add(key)
            found.append(unit)
    return found


_KINDS = {Label.SUBJECT: "subject", Label.SIGNATURE: "signature", Label.NAME: "name"}


def _all(extraction: Extraction) -> Iterator[Unit]:
    for p, part in enumerate(extraction.parts):
        body = "attachment" not in part.place
        for b, block in enumerate(part.blocks):
            if isinstance(block, Table):
                for row, text in rows(block):
                    yield Unit(text, p, b, row, 0, "row", block.quoted, body)
            elif block.label not in SKIPPED:
                kind = _KINDS.get(block.label, "text")
                for start, end, text in sentences(block.text):
                    yield Unit(text, p, b, start, end, kind, block.quoted, body)


def rows(table: Table) -> Iterator[tuple[int, str]]:
    """Rows as lines of text: the first rows, then every row with a cell of prose (four words or more)."""
    for i, row in enumerate(table.rows):
        if i < PLAIN_ROWS or any(cell.count(" ") >= 3 for cell in row):
            text = " | ".join(" ".join(cell.split()) for cell in row if cell and not cell.isspace())
            if text:
                yield i, text[:MAX_LINE]


def sentences(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, text on one line) of every sentence of `text`, reading order."""
    lower = text.lower()
    disclaimed = any(hint in lower for hint in _DISCLAIMER_HINTS)
    for lines in _paragraphs(text):
        if disclaimed and _DISCLAIMER.search(text, lines[0][0], min(lines[-1][1], lines[0][0] + MAX_LINE)):
            continue
        yield from _split(text, lines)


def _paragraphs(text: str) -> Iterator[list[tuple[int, int]]]:
    """Runs of lines, as (start, end) without quote marks, that read as one stretch of prose."""
    run: list[tuple[int, int]] = []
    in_header = False
    for start, end in _lines(text):
        line = text[start:end]
        bare = line.strip()
        if not bare or (bare[0] in _RULED and (_RULE.match(line) or _FORWARD.match(line))):
            in_header = False
            if run:
                yield run
                run = []
            continue
        colon = ":" in line
        header = colon and _HEADER.match(line)
        if header or (in_header and (line[0] in " \t" or bare.count("@") > 1 or bare[-1] in ",;")):
            in_header = True
            if run:
                yield run
                run = []
            continue
        in_header = False
        if run and not _goes_on(text[run[-1][0]:run[-1][1]].strip(), bare, line):
            yield run
            run = []
        subject = colon and _SUBJECT.match(line)
        if subject:
            start += subject.end()
        if start < end:
            run.append((start, end))
    if run:
        yield run


def _lines(text: str) -> Iterator[tuple[int, int]]:
    start, size = 0, len(text)
    while start < size:
        end = text.find("\n", start)
        if end < 0:
            end = size
        stop = min(end, start + MAX_LINE)
        quote = _QUOTE.match(text, start, stop) if start < stop and text[start] in _QUOTED else None
        yield (quote.end() if quote else start), stop
        start = stop + 1 if stop == end else stop


def _goes_on(before: str, bare: str, line: str) -> bool:
    """True when the line `bare` continues the line `before`."""
    if (bare[0] in _ITEMS or ":" in line) and _ITEM.match(line):
        return False
    if bare[0].islower():
        greeting = before[-1] == "," and len(before) < _GREETING
        return before[-1] not in ".!?:" and not greeting
    return len(before) >= _WRAP and before[-1] not in ":"


def _split(text: str, lines: list[tuple[int, int]]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    pieces: list[str] = []
    start = lines[0][0]
    for a, b in lines:
        at = a
        for stop in _STOP.finditer(text, a, b):
            mark, after = stop.span()
            if text[mark] == "." and _is_short(text, a, mark):
                continue
            pieces.append(text[at:after])
            found += _cut(text, start, after, pieces)
            pieces, start, at = [], after, after
        if at < b:
            if not pieces:
                start = at
            piece = text[at:b]
            pieces.append(piece)
            tail = piece.rstrip()
            if tail and tail[-1] in ".!?" and not (tail[-1] == "." and _is_short(tail, 0, len(tail) - 1)):
                found += _cut(text, start, b, pieces)
                pieces = []
    if pieces:
        found += _cut(text, start, lines[-1][1], pieces)
    return found


def _is_short(text: str, start: int, dot: int) -> bool:
    """Whether the full stop at `dot` ends an abbreviation and no sentence."""
    if dot - start >= _LONG and text[dot - _LONG:dot].isalpha():
        return False  # most words are too long for one
    return _SHORT.search(text, max(start, dot - 8), dot + 1) is not None


def _cut(text: str, start: int, end: int, pieces: list[str]) -> list[tuple[int, int, str]]:
    joined = " ".join((pieces[0] if len(pieces) == 1 else " ".join(pieces)).split())
    if not joined:
        return []
    if joined.count(" ") < MAX_WORDS:
        while start < end and text[start].isspace():
            start += 1
        while end > start and text[end - 1].isspace():
            end -= 1
        return [(start, end, joined)]
    found = []
    words = list(_WORD.finditer(text, start, end))
    for i in range(0, len(words), MAX_WORDS):
        chunk = words[i:i + MAX_WORDS]
        found.append((chunk[0].start(), chunk[-1].end(), " ".join(w.group() for w in chunk)))
    return found
