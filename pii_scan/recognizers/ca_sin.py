"""Canadian social insurance numbers."""

from __future__ import annotations

import re

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, digits_of, group


class SinRecognizer(LabelledNumber):
    """Find Canadian social insurance numbers (NAS in French).

    Nine digits, written together or 3-3-3; the first is 1 to 7 or 9; the last is a Luhn check digit.
    One nine-digit number in twelve passes, so a label is required. A wrong check digit drops the match.

    Source: Government of Canada, Social Insurance Number code of practice.
    """

    kind = "ca_sin"
    category = Category.GOVERNMENT_ID
    citation = "identifier.sin"
    labels = Phrases("sin", "social insurance number", "social insurance no", "social insurance",
                     "social ins", "soc ins", "my social", "her social", "his social", "sin card", "nas",
                     "numero d'assurance sociale", "assurance sociale", "no d'assurance sociale")
    value = re.compile(group(3, 3, 3))

    def valid(self, value: str) -> bool:
        return checkdigits.sin(digits_of(value))
