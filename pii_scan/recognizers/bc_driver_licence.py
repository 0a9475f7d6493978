"""BC driver licences."""

from __future__ import annotations

import re

from pii_scan.findings import Category
from pii_scan.recognizers.base import Phrases
from pii_scan.recognizers.numbers import LabelledNumber, group


class BcDriverLicenceRecognizer(LabelledNumber):
    """Find BC driver licence and BC identification card numbers.

    Seven digits (older cards: eight), no check digit, so only the label decides. The forms of Ontario and Quebec
    (letter, four, five or six and two to five digits) and Alberta (six and three) count beside the label too.

    Source: Microsoft Purview, sensitive information type "Canada driver's license number" (BC: 7 digits).
    """

    kind = "bc_driver_licence"
    category = Category.GOVERNMENT_ID
    citation = "identifier.driver_licence"
    checked = False
    close = 0.95
    near = 0.7
    reach = 40
    labels = Phrases("driver's licence", "driver's license", "drivers licence", "drivers license", "driver licence",
                     "driver license", "driving licence", "driving license", "driver's lic", "drivers lic", "bcdl",
                         "bc dl", "dl",
                     "dl no", "dl number", "bcid", "bc id", "icbc licence", "permis de conduire", "licence no",
                         "licence number")
    value = re.compile(f"(?:{group(7)}|{group(8)}|(?<![\\w-])[a-z]\\d{{4}}-\\d{{5,6}}-\\d{{2,5}}(?![\\w-])|"
                       f"(?<![\\w-])\\d{{6}}-\\d{{3}}(?![\\w-]))")

    def valid(self, value: str) -> bool:
        return len(set(value)) > 1
