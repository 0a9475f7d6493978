"""Whose account a number is: a person's or a company's. IBAN and bank triple share the question."""

from __future__ import annotations

import re

from pii_scan.recognizers.base import IndexedText

_PERSONAL = re.compile(
    r"\b(?:my|his|her|their|mon|ma|son|sa|ses|employee|payroll|pay ?che(?:que|ck)|direct deposit|depot direct|"
    r"personal|personnel|che?quing|checking|savings|epargne|void(?:ed)? che(?:que|ck)|specimen de cheque|"
    r"refund|rembours\w{0,8}|student loan|reimburs\w{0,8}|e-?transfer|bursary|bourse|garnish\w{0,6}|mortgage|rrsp|"
    r"tfsa|paie|salaire|salary|wages?|straight to me|pay me|into mine|hypotheque|for me|to me|mine)\b")
_SURE = re.compile(
    r"\b(?:my|his|her|mon|ma|sa) (?:[a-z]{2,12} )?(?:account|acct|bank|che?quing|checking|savings|pay|paie|compte|"
    r"cheque|"
    r"depot|deposit|credit union|caisse|branch)|(?:straight )?to me\b|pay me\b|into mine\b|payroll|direct deposit|"
    r"depot direct|void(?:ed)? che(?:que|ck)|specimen de cheque|garnish|paie\b|salaire|wages?\b|bursary|bourse|"
    r"student loan")
_COMPANY = re.compile(
    r"\b(?:ltd|inc|llc|corp|corporation|gmbh|plc|limited|ltee|gst|invoices?|factures?|aba|remit\w{0,6}|vendor|supplier|"
    r"fournisseur|wire instructions|beneficiary bank|our (?:bank|account)|notre (?:banque|compte)|swift|"
    r"eft (?:form|details)|payable to|accounts payable|accounts receivable|change of bank(?:ing)?)\b")
_BODY = re.compile(r"\b(?:company|society|university|institute|institut|college|business|entreprise)\b")
"""Words of any letterhead, weaker than the company's own."""


def surely_personal(doc: IndexedText, start: int, end: int) -> bool:
    """Whether words around a number say outright that it is a person's ("my account", "payroll", "to me")."""
    return _SURE.search(doc.low, doc.around(start, end, 200)[0], doc.around(start, end, 120)[1]) is not None


def owner(doc: IndexedText, start: int, end: int) -> tuple[float, str]:
    """Score and code for an account number: a person's (0.95), a company's (0), or unclear (0.55, 0.6).

    Looks 200 characters before and 120 after the number, up to the walls of its block.
    """
    lo = doc.around(start, end, 200)[0]
    hi = doc.around(start, end, 120)[1]
    sure = _SURE.search(doc.low, lo, hi)
    if _COMPANY.search(doc.low, lo, hi):
        return (0.6, "owner-unclear") if sure else (0.0, "company-account")
    if sure or _PERSONAL.search(doc.low, lo, hi):
        return 0.95, "context:personal-account"
    return (0.0, "company-account") if _BODY.search(doc.low, lo, hi) else (0.55, "owner-unclear")
