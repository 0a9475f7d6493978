"""Payment card numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers.base import Hit, IndexedText, Phrases, Recognizer
from pii_scan.recognizers.numbers import BUSINESS, digits_of

_APART = r"(?:[ -]|[ ]{0,3}\r?\n[ \t>|]{0,6})"
_VALUE = re.compile(
    rf"(?:\d{{4}}(?:{_APART}\d{{4}}){{3}}|\d{{4}}{_APART}\d{{6}}{_APART}\d{{4,5}}|\d{{13,19}})(?![\w-]|[ "
    rf"]\d{{3,4}}(?!\d))")
_JOINED = re.compile(r"[\w#./-]\Z|\d[ ]\Z")
_EXPIRY = re.compile(
    r"\b(?:exp|expir\w{0,6}|valid thru|valid to|cvv2?|cvc|security code|ccv)\b|\b(?:0[1-9]|1[0-2]) ?/ "
    r"?(?:20)?[23]\d\b")
_TICKET = frozenset({"ccvi", "ccca", "ccax", "ccmc", "ccds"})
"""How airline tickets write the card that paid."""


class PaymentCardRecognizer(Recognizer):
    """Find payment card numbers.

    13 to 19 digits with a known issuer prefix and length, together or in groups, Luhn. With a card word
    or an expiry date within 60 characters it scores 1; grouped without context 0.6 (review); a bare run
    of digits without context is left alone, because one 16-digit reference in fifty looks like a card.
    A wrong check digit beside a card word is doubt (0.6), a mistyped card; elsewhere it drops the match.

    Source: ISO/IEC 7812-1; issuers' published ranges.
    """

    kind = "payment_card"
    category = Category.FINANCIAL_ACCOUNT
    citation = "identifier.payment_card"
    needs_word = False
    cards = Phrases("visa", "mastercard", "master card", "mc", "amex", "american express", "discover", "card",
                      "credit card", "cc", "debit card", "cardholder", "card number", "carte", "carte de credit",
                          "cvv", "ax",
                      "charged to", "p card", "pcard", "diners")

    def words(self) -> frozenset[str]:
        return self.cards.words

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        labels: list[tuple[int, int, str]] | None = None
        done = -1
        for start, _ in doc.runs:
            m = _VALUE.match(doc.low, start) if start > done else None
            ticket = doc.low[max(0, start - 4):start] in _TICKET
            if m is None or (start and not ticket and _JOINED.search(doc.low, max(0, start - 2), start)):
                continue
            done = m.end()
            digits = digits_of(m.group())
            right = checkdigits.card(digits)
            if not right and not checkdigits.card_form(digits):
                continue
            if labels is None:
                labels = list(self.cards.find(doc))
            lo, hi = doc.around(m.start(), m.end())
            near = next((n for s, e, n in labels if lo <= s and e <= hi), "")
            if ticket:
                near = "ticket-payment"
            elif not near and _EXPIRY.search(doc.low, m.end(), hi):
                near = "expiry"
            if right and near:
                yield Hit(m.start(), m.end(), 1.0, (f"context:{near}", "check-digit"))
            elif right and m.end() - m.start() > len(digits) and not BUSINESS.search(doc.low, lo, m.start()):
                yield Hit(m.start(), m.end(), 0.6, ("grouped", "check-digit"))
            elif near and len(digits) >= 15 and not BUSINESS.search(doc.low, max(lo, m.start() - 20), m.start()):
                yield Hit(m.start(), m.end(), 0.6, (f"context:{near}", "wrong-check-digit"))
