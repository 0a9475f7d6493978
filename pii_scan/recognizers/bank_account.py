"""Canadian bank accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.bank import owner
from pii_scan.recognizers.base import Hit, IndexedText, Phrases, Recognizer

_TRIPLE = re.compile(r"(?<![\w-])\d{5}\s?[-/ ]\s?0?\d{3}\s?[-/ ]\s?\d{6,12}(?![\w-])")
_ACCOUNT = re.compile(r"(?<![\w-])\d{3,7}(?:[ -]\d{2,7}){0,2}(?![\w-])")
_WORD = re.compile(r"\b(?:account|acct|compte|no|inst(?:itution)?|a/c)\b")


class BankAccountRecognizer(Recognizer):
    """Find Canadian bank accounts: transit (5 digits), institution (3 digits), account (5 to 12 digits).

    Either the three together near a bank word, or the word "transit" followed by its number and, within
    80 characters, an account number. No check digit. Whose account it is decides: a company's passes.

    Source: Payments Canada, Standard 006 (cheque layout); Microsoft Purview, "Canada bank account number".
    """

    kind = "ca_bank_account"
    category = Category.FINANCIAL_ACCOUNT
    citation = "identifier.bank_account"
    banks = Phrases("transit", "bank", "banque", "account", "acct", "compte", "deposit", "depot", "chequing",
                    "institution", "td", "rbc", "bmo", "cibc", "scotiabank", "desjardins", "vancity", "payroll",
                        "paie",
                    "void cheque", "direct deposit")

    def words(self) -> frozenset[str]:
        return self.banks.words

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        done = -1
        for start, end, name in self.banks.find(doc):
            lo, hi = doc.around(start, end, 80)
            for m in _TRIPLE.finditer(doc.low, max(lo, done), hi):
                score, code = owner(doc, m.start(), m.end())
                done = m.end()
                if score:
                    yield Hit(m.start(), m.end(), score, (f"context:{name}", code))
            if name != "transit" or start < done:
                continue
            number = re.compile(r"\D{0,16}\d{4,5}(?!\d)").match(doc.low, end)
            if not number:
                continue
            for m in _ACCOUNT.finditer(doc.low, number.end(), hi):
                if len(m.group()) >= 6 and _WORD.search(doc.low, number.end(), m.start()):
                    score, code = owner(doc, start, m.end())
                    done = m.end()
                    if score:
                        yield Hit(start, m.end(), score, ("context:transit", code))
                    break
