"""BC personal health numbers."""

from __future__ import annotations

import re

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, digits_of, group


class PhnRecognizer(LabelledNumber):
    """Find BC personal health numbers (care card, BC Services Card).

    Ten digits, the first always 9, written together, 4-3-3 or 3-3-4. Digits 2 to 9 are weighted 2, 4, 8,
    5, 10, 9, 7, 3; eleven minus the sum modulo 11 is the last digit. One such number in eleven passes by
    chance, so a label is required. A wrong check digit drops the match.

    Source: BC Ministry of Health, Compliance Standards, Appendix D.
    """

    kind = "bc_phn"
    category = Category.GOVERNMENT_ID
    citation = "identifier.phn"
    labels = Phrases("phn", "personal health number", "personal health no", "personal health", "health number",
                     "health no", "health card", "care card", "carecard", "msp number", "msp no", "msp",
                         "bc services card",
                     "services card", "medical services plan", "medical number", "healthcare number",
                     "numero d'assurance maladie", "assurance maladie", "carte sante", "carte d'assurance maladie",
                     "numero de sante", "carte soleil", "nsp")
    value = re.compile(f"(?:{group(4, 3, 3)}|{group(3, 3, 4)})")

    def valid(self, value: str) -> bool:
        return checkdigits.phn(digits_of(value))
