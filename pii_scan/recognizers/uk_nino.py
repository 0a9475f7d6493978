"""UK national insurance numbers."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber

_PREFIXES_NOT_ISSUED = frozenset({"bg", "gb", "kn", "nk", "nt", "tn", "zz"})


class NinoRecognizer(LabelledNumber):
    """Find UK national insurance numbers. For UK packs.

    Two letters (not D, F, I, Q, U or V; second not O; some pairs are not issued), six digits in pairs,
    one letter A to D. No check digit, so a label is required.

    Source: HMRC National Insurance Manual, NIM39110.
    """

    kind = "uk_nino"
    category = Category.GOVERNMENT_ID
    citation = "identifier.nino"
    checked = False
    labels = Phrases("national insurance number", "national insurance", "ni number", "ni no", "nino", "ni", "nat ins")
    value = re.compile(r"(?<![\w\-])[a-ceghj-prstw-z][a-ceghj-nprstw-z][ ]?\d\d[ ]?\d\d[ ]?\d\d[ ]?[a-d](?![\w\-])")

    def valid(self, value: str) -> bool:
        return value[:2] not in _PREFIXES_NOT_ISSUED
