"""Canadian passports."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber


class PassportRecognizer(LabelledNumber):
    """Find passport numbers beside the word.

    Canada: two letters and six digits, newer books one letter, six digits, two letters; no check digit.
    Nine digits (US and UK books) and a letter with seven or eight digits count too. The label may stand
    100 characters off.

    Source: Microsoft Purview, "Canada passport number".
    """

    kind = "passport"
    category = Category.GOVERNMENT_ID
    citation = "identifier.passport"
    checked = False
    near = 0.85
    reach = 100
    labels = Phrases("passport", "passport number", "passport no", "passeport", "numero de passeport", "ppt no")
    value = re.compile(
        r"(?<![\w\-])(?:[a-z]{2}[ ]?\d{3}[ ]?\d{3}|[a-z][ ]?\d{7,8}|[a-z]\d{6}[a-z]{2}|\d{9})(?![\w\-])")

    def valid(self, value: str) -> bool:
        return len(set(value)) > 2
