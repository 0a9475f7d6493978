"""International bank account numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.bank import owner
from pii_scan.recognizers.base import Hit, IndexedText, Recognizer

_VALUE = re.compile(r"(?<![\w-])[a-z]{2}\d\d[ ]?(?:[a-z0-9]{4}[ ]?){2,7}[a-z0-9]{0,4}(?![\w-])")


_HEAD = re.compile(r"(?<![\w-])[a-z]{2}\d\d")


def _candidates(doc: IndexedText) -> Iterator[re.Match[str]]:
    """Stretches of the form of an IBAN; there is a run of digits among their first groups."""
    done = 0
    for run, _ in doc.runs:
        head = _HEAD.search(doc.low, max(done, run - 16), run + 4) if run >= done else None
        m = _VALUE.match(doc.low, head.start()) if head else None
        if m:
            done = m.end()
            yield m


class IbanAccountRecognizer(Recognizer):
    """Find IBANs.

    Two letters, two check digits, up to 30 letters and digits in the length of the country; modulo 97.
    A company's account in payment details is business information and passes; a person's account blocks;
    an account of nobody in particular is doubt. A wrong check drops the match.

    Source: ISO 13616; SWIFT IBAN registry.
    """

    kind = "iban"
    category = Category.FINANCIAL_ACCOUNT
    citation = "identifier.bank_account"

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        for m in _candidates(doc):
            parts = m.group().split()
            for n in range(len(parts), 0, -1):  # a short word after it may look like a group
                if checkdigits.iban("".join(parts[:n])):
                    end = m.start() + len(" ".join(parts[:n]))
                    score, code = owner(doc, m.start(), end)
                    if score:
                        yield Hit(m.start(), end, score, (code, "check-digit"))
                    break
