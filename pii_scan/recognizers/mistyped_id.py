"""Identifiers that carry their label but not the right check digit."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Phrases, Recognizer
from pii_scan.recognizers.bc_pen import PenRecognizer
from pii_scan.recognizers.bc_phn import PhnRecognizer
from pii_scan.recognizers.ca_sin import SinRecognizer
from pii_scan.recognizers.numbers import BUSINESS, digits_of

_MINE = re.compile(r"\b(?:my|his|her|their|your|mon|son|sa|votre|ton)\s+\S{0,12}\s?\Z")


class MistypedIdRecognizer(Recognizer):
    """Find a number of the right shape right after "SIN", "PHN" or "PEN" whose check digit is wrong.

    A mistyped SIN still tells eight digits of the right one, and one look at the original mends it; so it
    is doubt (score 0.6: review), never a block. Numbers more than 24 characters from the label are left.

    Source: ours; shapes and check digits as in the recognizers of these numbers.
    """

    kind = "mistyped_id"
    category = Category.GOVERNMENT_ID
    citation = "identifier.mistyped"
    labels = (SinRecognizer.labels, PhnRecognizer.labels, PenRecognizer.labels)

    def words(self) -> frozenset[str]:
        return frozenset().union(*(p.words for p in self.labels))

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        kinds: tuple[tuple[Phrases, re.Pattern[str], int], ...] = (
            (SinRecognizer.labels, SinRecognizer.value, 9),
            (PhnRecognizer.labels, PhnRecognizer.value, 10),
            (PenRecognizer.labels, PenRecognizer.value, 9))
        for labels, value, size in kinds:
            for start, end, name in labels.find(doc):
                if name in ("pen", "msp") and not doc.plain[start:end].isupper() \
                        and not _MINE.search(doc.low, max(0, start - 24), start):
                    continue  # ordinary words
                m = value.search(doc.low, end, doc.around(start, end)[1])
                if m is None or m.start() - end > 24 or BUSINESS.search(doc.low, end, m.start()):
                    continue
                digits = digits_of(m.group())
                right = checkdigits.phn(digits) if size == 10 else checkdigits.luhn(digits) and digits[0] not in "08"
                if not right and len(set(digits)) > 1:
                    yield Hit(m.start(), m.end(), 0.6, (f"context:{name}", "wrong-check-digit"))
