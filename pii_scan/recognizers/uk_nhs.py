"""NHS numbers."""

from __future__ import annotations

import re

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, digits_of, group


class NhsNumberRecognizer(LabelledNumber):
    """Find NHS numbers. For UK packs only: one BC telephone number in eleven passes this check.

    Ten digits, usually 3-3-4, modulo 11 with weights 10 to 2. A label is required; a wrong check digit
    drops the match.

    Source: NHS Data Dictionary, NHS NUMBER.
    """

    kind = "uk_nhs"
    category = Category.GOVERNMENT_ID
    citation = "identifier.nhs"
    labels = Phrases("nhs number", "nhs no", "nhs", "nhs #")
    value = re.compile(group(3, 3, 4))

    def valid(self, value: str) -> bool:
        return checkdigits.nhs(digits_of(value))
