"""BC personal education numbers."""

from __future__ import annotations

import re

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, digits_of, group


class PenRecognizer(LabelledNumber):
    """Find BC personal education numbers.

    Nine digits, the last a check digit with the same result as Luhn, so only the label tells it from a
    SIN. "pen" is an ordinary word too: a number must follow it. A wrong check digit drops the match.

    Source: BC Ministry of Education, PEN (bcgov PenUtil).
    """

    kind = "bc_pen"
    category = Category.GOVERNMENT_ID
    citation = "identifier.pen"
    labels = Phrases("pen", "personal education number", "personal education no", "personal education",
                     "education number", "numero scolaire personnel", "nsp scolaire")
    value = re.compile(group(3, 3, 3))

    def valid(self, value: str) -> bool:
        return checkdigits.pen(digits_of(value))
