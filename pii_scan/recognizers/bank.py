"""Bank accounts of people: IBAN and the Canadian bank triple share the question whose account it is."""

from __future__ import annotations

import re

from pii_scan.recognizers.base import IndexedText

_PERSONAL = re.compile(
    r"\b(?:my|his|her|their|mon|ma|son|sa|ses|employee|payroll|pay ?che(?:que|ck)|direct deposit|depot direct|"
    r"personal|personnel|che?quing|checking|savings|epargne|void(?:ed)? che(?:que|ck)|specimen de cheque|"
    r"refund|rembours\w{0,8}|student loan|reimburs\w{0,8}|e-?transfer|bursary|bourse|garnish\w{0,6}|mortgage|rrsp|"
    r"tfsa|paie|salaire|salary|wages?)\b")
_COMPANY = re.compile(
    r"\b(?:ltd|inc|llc|corp|corporation|gmbh|plc|limited|ltee|company|society|university|institute|institut|"
    r"college|invoices?|facture|remit\w{0,6}|vendor|supplier|fournisseur|wire instructions|beneficiary bank|our "
    r"(?:bank|account)|"
    r"notre (?:banque|compte)|swift|eft (?:form|details)|payable to|accounts payable|accounts receivable)\b")


def owner(doc: IndexedText, start: int, end: int) -> tuple[float, str]:
    """Score and code for an account number: a person's (0.95), a company's (0), or unclear (0.55).

    Looks 200 characters before and 120 after the number, up to the walls of its block.
    """
    lo = doc.around(start, end, 200)[0]
    hi = doc.around(start, end, 120)[1]
    personal = _PERSONAL.search(doc.low, lo, hi)
    if _COMPANY.search(doc.low, lo, hi):
        return (0.6, "owner-unclear") if personal else (0.0, "company-account")
    return (0.95, "context:personal-account") if personal else (0.55, "owner-unclear")
