"""What a reviewer takes out of an item, and what then remains of a text or table.

A value taken out in one place is taken out wherever the same words stand: in the HTML twin of a body, in a quotation,
in another attachment, in the name of a sender.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from capture.masks.refs import BadRef, Refs, Spot, What, at
from capture.masks.words import MONTH_NAMES, is_ordinary, may_be_name
from pii_scan.text import Block, Extraction, Label, Table

REMOVED = "[removed]"
"""What stands where something was taken out."""

KEPT = frozenset((Label.TEXT, Label.SUBJECT, Label.ADDRESSES, Label.SIGNATURE, Label.DISCLAIMER))
"""Labels of what is produced anew. Comments, notes, hidden text, page margins, properties, links and names are not."""

_WORDS = re.compile(r"\w+")
_TOO_COMMON = MONTH_NAMES | {"will", "may", "mark", "can", "art", "bill", "grant", "young", "page"}
_LONGEST = 60
"""Words of a value looked for elsewhere."""


@dataclass(slots=True)
class Cuts:
    """Everything to take out of one item. Never printed: it holds values."""

    spans: dict[tuple[int, int], list[tuple[int, int]]] = field(default_factory=dict)
    boxes: dict[tuple[int, int], list[Spot]] = field(default_factory=dict)
    blocks: set[tuple[int, int]] = field(default_factory=set)
    parts: set[int] = field(default_factory=set)
    counted: Counter[str] = field(default_factory=Counter)
    _first: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Cuts({dict(self.counted)})"

    @classmethod
    def of(cls, extraction: Extraction, remove: Collection[str], refs: Refs) -> Cuts:
        """The places of refs, and the values to look for elsewhere. Raises `BadRef`."""
        cuts = cls()
        known: set[tuple[str, ...]] = set()
        for ref in dict.fromkeys(remove):
            spot = refs.open(ref)
            for value in cuts._take(extraction, spot):
                words = tuple(_WORDS.findall(value.casefold()))
                if words not in known and _is_telling(words, sentence=spot.what is What.SPAN):
                    known.add(words)
                    cuts._first.setdefault(words[0], []).append(words)
        for options in cuts._first.values():
            options.sort(key=len, reverse=True)
        return cuts

    def _take(self, extraction: Extraction, spot: Spot) -> Iterable[str]:
        key = (spot.part, spot.block)
        text = at(extraction, spot)  # raises BadRef for a place the item has not
        match spot.what:
            case What.PART:
                self.parts.add(spot.part)
                self.counted["part"] += 1
                return ()
            case What.NAME:
                self.counted["file name"] += 1
                return ()
            case What.BLOCK:
                self.blocks.add(key)
                self.counted["paragraph"] += 1
                return ()
            case What.SPAN:
                self.spans.setdefault(key, []).append((spot.start, spot.end))
                self.counted["value"] += 1
                return (text,) if len(_WORDS.findall(text)) <= _LONGEST else ()
            case What.CELLS:
                self.boxes.setdefault(key, []).append(spot)
                return self._cells(extraction, spot, text)
        raise BadRef

    def _cells(self, extraction: Extraction, spot: Spot, text: str) -> Iterable[str]:
        table = extraction.parts[spot.part].blocks[spot.block]
        if not isinstance(table, Table):
            raise BadRef
        if spot.end - spot.start == 1 and spot.right - spot.left == 1:
            self.counted["cell"] += 1
            return (text,)
        whole_column = spot.end - spot.start == len(table.rows)
        self.counted["column" if whole_column else "row"] += 1
        return [cell for row in table.rows[spot.start:spot.end] for cell in row[spot.left:spot.right]]

    def clean(self, text: str) -> str:
        """A text without the values that were taken out elsewhere."""
        return _without(text, self._again(text))

    def left_in(self, text: str) -> bool:
        """Whether a value that was taken out stands in a text."""
        return bool(self._again(text))

    def takes(self, value: str) -> bool:
        """Whether this very value was taken out: the address of a party stays when only their name was."""
        words = tuple(_WORDS.findall(value.casefold()))
        return bool(words) and words in self._first.get(words[0], ())

    def text(self, extraction: Extraction, p: int, b: int) -> str:
        """What remains of a text block; "" when it is taken out or not produced anew."""
        block = extraction.parts[p].blocks[b]
        if not isinstance(block, Block) or block.label not in KEPT or (p, b) in self.blocks or p in self.parts:
            return ""
        return _without(block.text, [*self.spans.get((p, b), ()), *self._again(block.text)])

    def table(self, extraction: Extraction, p: int, b: int) -> list[list[str]]:
        """What remains of a table: rows and columns taken out are gone, single cells say REMOVED."""
        table = extraction.parts[p].blocks[b]
        if not isinstance(table, Table) or table.label not in KEPT or (p, b) in self.blocks or p in self.parts:
            return []
        rows, columns = set[int](), set[int]()
        cells: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for box in self.boxes.get((p, b), ()):
            if box.end - box.start == 1 and box.right - box.left == 1:
                cells.setdefault((box.start, box.left), []).append((box.first, box.last))
            elif box.end - box.start == len(table.rows):
                columns.update(range(box.left, box.right))
            else:
                rows.update(range(box.start, box.end))
        kept = []
        for r, row in enumerate(table.rows):
            if r not in rows:
                kept.append([self._cell(cell, cells.get((r, c), ())) for c, cell in enumerate(row) if c not in columns])
        return kept

    def _cell(self, cell: str, taken: Iterable[tuple[int, int]]) -> str:
        spans = list(taken)
        if any(last == 0 for _, last in spans):
            return REMOVED
        return _without(cell, [*spans, *self._again(cell)]) if cell else cell

    def _again(self, text: str) -> list[tuple[int, int]]:
        if not self._first or not text:
            return []
        places = [(m.start(), m.end(), m.group().casefold()) for m in _WORDS.finditer(text)]
        found = []
        for i, (start, _, word) in enumerate(places):
            for words in self._first.get(word, ()):
                n = len(words)
                if i + n <= len(places) and all(places[i + k][2] == words[k] for k in range(1, n)):
                    found.append((start, places[i + n - 1][1]))
                    break
        return found


def _is_telling(words: tuple[str, ...], *, sentence: bool) -> bool:
    """Whether words say enough to be looked for elsewhere: a name, a number of four digits and more, any word that is
    not ordinary; of a `sentence` three ordinary words as well."""
    if not words or len(words) > _LONGEST or sum(map(len, words)) < 3:
        return False
    if sentence and len(words) >= 3:
        return True
    return any(len(w) >= 4 if w.isdecimal() else not is_ordinary(w) or (may_be_name(w) and w not in _TOO_COMMON)
               for w in words)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """A text with REMOVED in place of some stretches; what overlaps or touches is one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(s for s in spans if s[0] < s[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    out, at_ = [], 0
    for start, end in merged:
        out += [text[at_:start], REMOVED]
        at_ = end
    return "".join((*out, text[at_:]))
