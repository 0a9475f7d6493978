"""US social security numbers."""

from __future__ import annotations

import re

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, digits_of, group


class SsnRecognizer(LabelledNumber):
    """Find US social security numbers.

    Nine digits, written together or 3-2-4. No check digit: area 000, 666 and 900 to 999, group 00 and
    serial 0000 are never issued. A label is required.

    Source: US Social Security Administration, SSN randomization.
    """

    kind = "us_ssn"
    category = Category.GOVERNMENT_ID
    citation = "identifier.ssn"
    checked = False
    labels = Phrases("ssn", "ss", "ss no", "ss number", "social security number", "social security no",
        "social security",
                     "soc", "soc sec", "social sec", "soc security", "social", "ssa", "tax payer id", "taxpayer id",
                         "securite sociale")
    value = re.compile(group(3, 2, 4))

    def valid(self, value: str) -> bool:
        return checkdigits.ssn(digits_of(value))
