"""Findings in plain words: what was found, how sure, by what, and why something does not count.

Codes come from the recognizers (`Finding.why`); what is not known here is shown as its code, so nothing is lost.
"""

from __future__ import annotations

from typing import Final

from capture.masks.views import Why
from pii_scan.findings import Finding

RULES: Final[dict[str, tuple[str, str]]] = {
    # rule: (word on the mask, sentence)
    "ca_sin": ("SIN", "A Social Insurance Number."),
    "bc_phn": ("PHN", "A BC Personal Health Number."),
    "bc_pen": ("PEN", "A BC Personal Education Number."),
    "us_ssn": ("SSN", "A United States Social Security Number."),
    "uk_nhs": ("NHS number", "A number of the British National Health Service."),
    "uk_nino": ("NI number", "A British National Insurance number."),
    "bc_driver_licence": ("driver's licence", "A driver's licence number."),
    "passport": ("passport", "A passport number."),
    "mistyped_id": ("identity number", "A number called an identity number whose check digit is wrong: it may be "
                                       "mistyped."),
    "id_in_context": ("identity number", "An identity number, told by the words around it."),
    "student_number": ("student number", "A student number."),
    "payment_card": ("card number", "A payment card number."),
    "iban": ("IBAN", "An international bank account number."),
    "ca_bank_account": ("bank account", "A bank account with its transit and institution numbers."),
    "date_of_birth": ("date of birth", "A date of birth."),
    "home_phone": ("phone", "A telephone number given as somebody's home or private number."),
    "home_address": ("address", "An address given as somebody's home."),
    "private_mail": ("e-mail", "An e-mail address given as private."),
    "credentials": ("password", "A password or other way in."),
    "access_code": ("access code", "A code that opens a door, a lock or an account."),
    "health": ("sentence", "A sentence about somebody's health."),
    "criminal_record": ("sentence", "A sentence about a criminal record, a charge or an investigation."),
    "immigration": ("sentence", "A sentence about somebody's immigration status."),
    "minor": ("sentence", "A sentence about a child."),
    "family": ("sentence", "A sentence about somebody's family or private life."),
    "education": ("sentence", "A sentence about somebody's marks or studies."),
    "employment": ("sentence", "A sentence about somebody's employment, pay or conduct at work."),
    "belief": ("sentence", "A sentence about somebody's origin, belief, politics or orientation."),
    "finance": ("sentence", "A sentence about somebody's money."),
    "sentence": ("sentence", "Taken as a whole the wording is personal, says the sentence model."),
    "exact_list": ("listed value", "A value of a list of known personal values."),
    "filled_form": ("form", "A form that somebody filled in."),
}

COLUMNS: Final[dict[str, str]] = {
    "sin": "Social Insurance Numbers", "phn": "Personal Health Numbers", "pen": "Personal Education Numbers",
    "ssn": "Social Security Numbers", "nhs": "NHS numbers", "nino": "National Insurance numbers",
    "licence": "driver's licence numbers", "passport": "passport numbers", "payment_card": "card numbers",
    "student_number": "student numbers", "date_of_birth": "dates of birth", "home_phone": "home telephone numbers",
    "private_mail": "private e-mail addresses", "home_address": "home addresses", "address": "addresses",
    "emergency_contact": "emergency contacts", "guardian": "parents or guardians", "age": "ages", "health": "health",
    "grade": "marks", "salary": "pay", "hr_note": "notes on conduct or performance", "record_check": "record checks",
    "ethnicity": "origin, belief or orientation", "immigration": "immigration status", "bank": "bank accounts",
    "marital": "family", "password": "passwords", "name": "names",
}

_CELLS: Final[dict[str, str]] = {
    "sin": "SIN", "phn": "PHN", "pen": "PEN", "ssn": "SSN", "nhs": "NHS number", "nino": "NI number",
    "licence": "driver's licence", "passport": "passport", "payment_card": "card number",
    "student_number": "student number", "date_of_birth": "date of birth", "home_phone": "phone",
    "private_mail": "e-mail", "home_address": "address", "address": "address", "emergency_contact": "emergency contact",
    "guardian": "guardian", "bank": "bank account", "password": "password",
}
"""Word on the mask of a cell; of other columns it is "text"."""

EXEMPTIONS: Final[dict[str, str]] = {
    "signature": "It stands in a signature, so it is business contact.",
    "address-lines": "It stands in the address lines of a mail, so it is business contact.",
    "party-domain": "Its domain belongs to the organisation or to a party of this mail, so it is business contact.",
    "known-contact": "It is on the operator's list of business contacts.",
    "work-label": "It is called a work number or address.",
    "fiction": "The text says that these people are invented.",
}

CUES: Final[dict[str, str]] = {
    "self": "the writer", "you": "the reader", "third": "a person", "we": "a group", "kin": "relatives",
    "role": "somebody's role", "health": "health", "family": "family and private life", "work": "employment",
    "education": "studies", "money": "money", "credentials": "passwords", "crime": "crime",
    "immigration": "immigration", "belief": "origin, belief or politics", "home": "a home", "birth": "a birth",
    "id": "identity papers",
}
"""What the words are about that the sentence model went by."""

MASKS: Final[dict[str, str]] = {
    "unknown-word": "Not an ordinary word: it may name somebody.",
    "name": "A name that stands elsewhere in this item too.",
    "name-too": "An ordinary word that is a name too.",
    "beside-name": "It stands beside a name.",
    "after-title": "It follows a title.",
    "language-model": "The language model takes it for a person.",
    "greeting": "Somebody is greeted.",
    "vocative": "Somebody is spoken to.",
    "signed": "Somebody signs.",
    "party": "Sender or recipient.",
    "table-name": "A column of names.",
    "table-column": "The column holds something personal.",
    "table-row": "The row holds something personal.",
    "email-form": "It has the form of an e-mail address.",
    "link-form": "A link may name somebody.",
    "file-form": "A file name may name somebody.",
    "postal-code": "A postal code.",
    "box": "Part of an address.",
    "street-form": "It has the form of a street address.",
    "age-form": "An age.",
    "spoken": "A number spelled out.",
    "old-date": "A date that may be a date of birth.",
    "long-number": "A number of five digits or more.",
    "file-name": "The name of a file.",
    "property": "A property of a document or message.",
    "again": "The same words are hidden elsewhere in this item.",
    "more-of-it": "The same rule fired here too often to list every place.",
    "pasted-row": "A row of a table in the text that holds something personal.",
    "form-field": "A field of a form that somebody filled in.",
}

_WORDINGS: Final = "The wording speaks of a person ({})."
_CODES: Final[dict[str, str]] = {
    "check-digit": "The check digit is right.",
    "wrong-check-digit": "The check digit is wrong.",
    "person": "It is about a person.",
    "person:name": "It is about somebody named.",
    "name-model": "The language model confirms the name.",
    "name-unconfirmed": "The language model does not know the name, so it is doubt.",
    "name-not-asked": "The name was not looked at: other findings decide already.",
    "forwarded-often": "It was passed on several times, so it is doubt.",
    "in-signature": "It stands in a signature, so it is doubt.",
    "with-names": "Names stand beside it.",
    "without-names": "No names stand beside it.",
    "with-number": "A number of a person stands beside it.",
    "values-do-not-fit": "The values do not look like what the heading says.",
    "business-directory": "It looks like a business directory.",
    "pasted": "The table was pasted into the text.",
    "day-without-year": "A day without its year.",
    "names-with-dates": "Several names, each with an old date.",
    "grouped": "Written in groups as on a card.",
    "abroad": "A number abroad.",
    "spelled": "Spelled out.",
    "value": "A value stands where one is expected.",
}


def kind_of(rule: str) -> str:
    """The word on the mask for a rule."""
    if rule.startswith("roster_"):
        return _CELLS.get(rule.removeprefix("roster_"), "text")
    return RULES.get(rule, ("value", ""))[0]


def is_value(rule: str) -> bool:
    """Whether a finding of a rule is a value standing for itself, not a sentence about somebody."""
    return RULES.get(rule, ("sentence", ""))[0] not in ("sentence", "form") and not rule.startswith("roster_")


def explain(finding: Finding) -> Why:
    """Return a finding in plain words."""
    if finding.rule.startswith("roster_"):
        first = f"A column of {COLUMNS.get(finding.rule.removeprefix('roster_'), 'personal values')}."
    else:
        first = RULES.get(finding.rule, ("", f"Found by the rule {finding.rule}."))[1]
    told = [first, *(s for code in finding.why if (s := _sentence(code)))]
    if finding.count > 1:
        told.append(f"{finding.count} values.")
    told.append(f"Score {finding.score:.2f} of 1.")
    return Why(finding.category, finding.rule, " ".join(dict.fromkeys(told)),
               tuple(code.partition("@")[0] for code in finding.why), finding.score, finding.count, finding.exempt,
               _exemption(finding.exempt))


def _exemption(code: str) -> str:
    """Why a finding does not count; "" when it does."""
    if code.startswith("allow:"):
        return f"The allow rule {code.removeprefix('allow:')} covers it."
    return EXEMPTIONS.get(code, f"It does not count: {code}.") if code else ""


def because(code: str) -> Why:
    """Return a reason of the masking itself in plain words."""
    return Why(None, code, MASKS.get(code, code))


def _sentence(code: str) -> str:
    if code in _CODES:
        return _CODES[code]
    head, _, rest = code.partition(":")
    words = rest.replace("-", " ")
    match head:
        case "context":
            return f"The words around it say \u201c{words}\u201d."
        case "header":
            return f"The heading of the column says {COLUMNS.get(rest, words)}."
        case "values":
            return f"The values look like {COLUMNS.get(rest, words)}."
        case "wording":
            return _WORDINGS.format(words)
        case "sentence":
            return ""  # the score of the finding says it
        case "cue":
            about = CUES.get(rest.removesuffix("?"), words.removesuffix("?"))
            return f"It has words that {'may speak' if rest.endswith('?') else 'speak'} of {about}."
        case "list":
            return "It stands on the list named here." if not rest else f"List: {words}."
        case "form":
            return f"Form: {words}."
        case "fields":
            return f"{rest} fields are filled in."
        case _:
            return ""
