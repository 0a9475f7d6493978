"""Canadian bank accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan.findings import Category
from pii_scan.recognizers.bank import owner, surely_personal
from pii_scan.recognizers.base import Hit, IndexedText, Phrases, Recognizer

_TRIPLE = re.compile(r"(?<![\w-])\d{5}\s?[-/ ]\s?0?\d{3}\s?[-/ ]\s?\d{6,12}(?![\w-])")
_ACCOUNT = re.compile(r"(?<![\w-])\d{3,7}(?:[ -]\d{2,7}){0,2}(?![\w-])")
_ACCOUNT_WORDS = frozenset({"account", "acct", "chequing", "checking", "savings", "folio", "compte", "epargne", "acc"})
_IN_PROSE = re.compile(
    r"(?:account|acct|acc|chequing|checking|savings|folio|compte|epargne)\b(?:[^\n\d]{0,24})(?:\n[ \t>|]*)?"
    r"(?P<n>\d[\d -]{4,16}\d)(?![\w-])")
_BANK = re.compile(
    r"\b(?:transit|branch|institution|bank|banque|credit union|caisse|direct deposit|deposit|depot|chequing|savings|"
    r"epargne|td|rbc|bmo|cibc|scotia(?:bank)?|desjardins|vancity|coast capital|tangerine|succursale|inst)\b"
    r"|(?<![\d-])\d{3}[- ]\d{5}(?![\d-])|(?<![\d-])\d{5}[- ]\d{3}(?![\d-])")
_PRIVATE_KIND = re.compile(
    r"(?:chequing|checking|savings|folio|epargne)(?: (?:account|acct|no|number|is))*[ :#.]{0,6}\d")
"""Kinds of account that people have, right before the number."""
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
        return self.banks.words | _ACCOUNT_WORDS

    @staticmethod
    def _worded(doc: IndexedText) -> Iterator[Hit]:
        """An account number in prose beside an account word and bank words; only a person's counts."""
        done = -1
        for place in doc.spots(_ACCOUNT_WORDS):
            m = _IN_PROSE.match(doc.low, place)
            if m is None or m.start("n") < done or sum(map(str.isdigit, m.group("n"))) not in range(6, 13):
                continue
            lo, hi = doc.around(place, m.end(), 120)
            bank = _BANK.search(doc.low, lo, place) or _BANK.search(doc.low, place, hi)
            score, code = owner(doc, m.start("n"), m.end("n"))
            told = surely_personal(doc, m.start("n"), m.end("n")) or _PRIVATE_KIND.match(doc.low, place)
            if bank and told and score >= 0.9:
                done = m.end()
                yield Hit(m.start("n"), m.end("n"), min(score, 0.9), ("context:account", code))

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        yield from self._worded(doc)
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
