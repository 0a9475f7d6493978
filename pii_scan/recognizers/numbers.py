"""Numbers that mean something only beside their label: the base class and the labels of business numbers.

Every ninth nine-digit number passes a check digit by chance, so a label is always required. It stands at
most 60 characters before the value (line breaks allowed) or directly after it, and no label of a business
number ("invoice", "PO", "GST") stands in between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from pii_scan.recognizers.base import REACH, Hit, IndexedText, Phrases, Recognizer

BUSINESS = re.compile(
    r"\b(?:gst|hst|pst|qst|tps|tvq|vat|neq|po|p\.o\.|purchase order|bon de commande|facture|invoice|soumission"
    r"|waybill|serial|sku|isbn|issn|duns|conference|meeting id|tel|telephone|phone|ph|fax|mobile|telec|toll"
    r"|(?:bn|business|order|quote|quotation|contract|contrat|tracking|asset|part|ref|reference|ticket|case|file"
    r"|dossier|docket|confirmation|reservation|vendor|supplier|customer|client|deal|cheque|check|batch|version"
    r"|lot|model|route|flight|vol|cell|inv)(?: (?:no|number|num|numero|id)\b| ?#))(?! card)")
"""Words that claim the number after them for something other than a person."""

_LETTER_OR_DIGIT_BEFORE = r"(?<!\w)(?<!\d[-./ ])(?<!\d,)"


def group(*sizes: int) -> str:
    """A pattern for digits in groups of `sizes`, written together or apart, also over a line break."""
    apart = r"(?:[ \t]?[-. ][ \t]?|[ \t]{0,3}\r?\n[ \t>|]{0,6})?"
    return _LETTER_OR_DIGIT_BEFORE + apart.join(rf"\d{{{n}}}" for n in sizes) + \
        r"(?![\w]|[-./]\d|,\d\d\d(?!\d)|[ ]\d{1,3}(?![\d/\-.]))"


def digits_of(value: str) -> str:
    """The decimal digits of `value`."""
    return "".join(c for c in value if "0" <= c <= "9")


class LabelledNumber(Recognizer):
    """A number with a label beside it. Subclasses give `labels`, `value` and `valid`.

    A value directly beside its label scores `close`, one further off `near`. With `checked`, the code
    "check-digit" is added; a wrong check digit drops the match.
    """

    labels: ClassVar[Phrases]
    value: ClassVar[re.Pattern[str]]
    checked: ClassVar[bool] = True
    close: ClassVar[float] = 1.0
    near: ClassVar[float] = 0.9
    reach: ClassVar[int] = REACH

    def words(self) -> frozenset[str]:
        return self.labels.words

    def valid(self, value: str) -> bool:
        """Whether the folded text of a match can be such a number."""
        raise NotImplementedError

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        seen: set[int] = set()
        for start, end, name in self.labels.find(doc):
            lo, hi = doc.around(start, end, self.reach)
            hi = min(len(doc.low), hi + 24)
            for m in self.value.finditer(doc.low, end, hi):
                between = doc.low[end:m.start()]
                if m.start() in seen or m.start() > end + self.reach or "\x1e" in doc.low[end:m.end()]:
                    continue
                if BUSINESS.search(between) or not self.valid(m.group()):
                    continue
                seen.add(m.start())
                yield self._hit(m, name, plain=len(between) <= 24)
            for m in self.value.finditer(doc.low, max(lo, start - 40), start):
                between = doc.low[m.end():start]
                if m.start() in seen or any(c.isdigit() for c in between) or len(between) > 16:
                    continue
                before = doc.low[max(0, m.start() - 16):m.start()]
                if BUSINESS.search(before) or BUSINESS.search(between) or not self.valid(m.group()):
                    continue
                seen.add(m.start())
                yield self._hit(m, name, plain=True)

    def _hit(self, m: re.Match[str], name: str, *, plain: bool) -> Hit:
        why = (f"context:{name}", *(("check-digit",) if self.checked else ()))
        return Hit(m.start(), m.end(), self.close if plain else self.near, why)
