"""The kinds of table columns: the header words that name them and what their values look like."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pii_scan.checkdigits import card, nhs, pen, phn, sin, ssn
from pii_scan.dates import DATE, birth_year
from pii_scan.findings import Category
from pii_scan.folding import small_plain

BLANK = re.compile(r"[-–—_.\s/]*|n/?a|none|nil|no|aucune?|non|x|tba|tbd|unknown|null|false|0")
"""Cells that say nothing (small letters)."""

ADULT = 19
"""Age of majority in British Columbia (Age of Majority Act); younger people count as minors."""

_NAME = re.compile(r"(?:[A-ZÀ-Ý][\w'’.-]*,? ?){2,4}(?:\([\w ]{1,20}\))?|[A-ZÀ-Ý][\w'’-]+, ?[A-ZÀ-Ý][\w'’. -]*")
_NOT_NAME = re.compile(
    r"\d|\b(?:ltd|inc|corp|llc|department|dept|college|university|school|institute|street|avenue|road|service|"
    r"total|course|unit|"
                       r"program|canada|room|building|north|south|west|east|new|bank|city|energy|gas|power|company|"
                       r"date|group|report|module|block|week)\b")
_PHONE = re.compile(r"\+?[\d(][\d\s().+/x-]{6,20}")
_STREET = re.compile(r"\d+[a-z]?[ ,-].{3,}|(?:p\.?o\.? )?box \d+.*|[a-z]\d[a-z] ?\d[a-z]\d")
_MONEY = re.compile(r"[$€£]? ?\d[\d,. ]*(?:\.\d\d)?k? ?\$?(?:/ ?(?:h|hr|hour|yr|year))?")
_GRADE = re.compile(
    r"\d{1,3}(?:[.,]\d+)? ?%?|\d{1,3} ?/ ?\d{1,3}|[a-f][+-]?|(?:in)?complete|pass(?:ed)?|fail(?:ed)?|p|f|s|u|"
    r"reussi|echec|inc|satisfactory|unsatisfactory|dns|w")


def _digits(value: str) -> str:
    return re.sub(r"\D", "", value) if re.fullmatch(r"[\d\s.\-]+", value) else ""


def guess_name(value: str) -> bool:
    """Whether a cell looks like a person's name: two to four capitalised words, or "Last, First"."""
    return bool(_NAME.fullmatch(value)) and not _NOT_NAME.search(value.lower()) and len(value) <= 40


def _birth(value: str) -> bool:
    m = DATE.search(small_plain(value))
    year = birth_year(m) if m else None
    return year is not None and year <= dt.datetime.now(dt.UTC).year - 3


def _birth_alone(value: str) -> bool:
    m = DATE.search(small_plain(value))
    year = birth_year(m) if m else None
    return year is not None and 1925 <= year <= dt.datetime.now(dt.UTC).year - 12


def minor_birth(value: str) -> bool:
    """Whether a birth date makes its owner younger than the age of majority this year."""
    m = DATE.search(small_plain(value))
    year = birth_year(m) if m else None
    return year is not None and dt.datetime.now(dt.UTC).year - year < ADULT


def is_minor_age(value: str) -> bool:
    """Whether an age is below the age of majority."""
    return value.isdigit() and 0 < int(value) < ADULT


def _some_text(value: str) -> bool:
    return len(value) >= 2


def _any_phone(value: str) -> bool:
    return bool(_PHONE.fullmatch(value)) and 7 <= len(re.sub(r"\D", "", value)) <= 13


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column. `score` counts with names beside it (or a strong number), `alone_score` without;
    `strong` columns need no names. `alone` tells the kind by values when there is no header."""

    name: str
    category: Category | None
    header: re.Pattern[str]
    fits: Callable[[str], bool]
    score: float = 0.0
    alone_score: float = 0.0
    strong: bool = False
    alone: Callable[[str], bool] | None = None
    with_id: bool = False
    weak_with_company: bool = False


def _grouped_sin(value: str) -> bool:
    return any(c in value for c in " -") and sin(_digits(value))


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern, re.IGNORECASE)
    return lambda value: compiled.fullmatch(value) is not None


def _digit_count(least: int, most: int) -> Callable[[str], bool]:
    return lambda value: least <= len(re.sub(r"\D", "", value)) <= most


def _words(value: str) -> bool:
    return bool(re.search(r"[A-Za-zÀ-ÿ]{2}", value)) and not any(c.isdigit() for c in value)


def _kind(name: str, category: Category | None, words: str, fits: Callable[[str], bool] = _some_text,
          score: float = 0.0, alone_score: float = 0.0, **more: Any) -> Kind:
    return Kind(name, category, re.compile(rf"\b(?:{words})\b"), fits, score, alone_score, **more)


_C = Category

KINDS: tuple[Kind, ...] = (
    _kind("sin", _C.GOVERNMENT_ID, r"sin|s i n|social insurance(?: n\w*)?|nas|assurance sociale",
          lambda v: sin(_digits(v)), 0.97, 0.97, strong=True, alone=_grouped_sin),
    _kind("phn", _C.GOVERNMENT_ID, r"phn|personal health(?: n\w*)?|care ?card(?: n\w*)?|"
          r"health (?:no|number|card)(?: n\w*)?|msp(?: n\w*)?|assurance maladie",
          lambda v: phn(_digits(v)), 0.97, 0.97, strong=True, alone=lambda v: phn(_digits(v))),
    _kind("pen", _C.GOVERNMENT_ID, r"pen|personal education(?: n\w*)?",
          lambda v: pen(_digits(v)), 0.95, 0.95, strong=True),
    _kind("ssn", _C.GOVERNMENT_ID, r"ssn|social security(?: n\w*)?|soc sec(?: n\w*)?",
          lambda v: ssn(_digits(v)), 0.95, 0.95, strong=True,
          alone=lambda v: bool(re.fullmatch(r"\d{3}-\d{2}-\d{4}", v)) and ssn(_digits(v))),
    _kind("nhs", _C.GOVERNMENT_ID, r"nhs(?: n\w*)?", lambda v: nhs(_digits(v)), 0.97, 0.97, strong=True),
    _kind("nino", _C.GOVERNMENT_ID, r"nino|ni (?:no|num\w*)|national insurance(?: n\w*)?",
          _matches(r"[a-z]{2} ?(?:\d\d ?){3}[a-d]"), 0.95, 0.95, strong=True),
    _kind("licence", _C.GOVERNMENT_ID, r"(?:driver s|drivers?|driving) (?:licen[cs]e|lic)(?: n\w*)?|dl(?: n\w*)?|bcdl|"
          r"permis de conduire", _digit_count(6, 9), 0.95, 0.7),
    _kind("passport", _C.GOVERNMENT_ID, r"passports?(?: n\w*)?|passeport",
          _matches(r"[a-z]{0,2}\s?\d{6,9}[a-z]{0,2}"), 0.95, 0.7),
    _kind("payment_card", _C.FINANCIAL_ACCOUNT, r"(?:credit )?card (?:no|number)|visa|mastercard|cc (?:no|number)",
          lambda v: card(_digits(v)), 0.97, 0.97, strong=True, alone=lambda v: card(_digits(v))),
    _kind("student_number", _C.EDUCATION_RECORD, r"(?:student|learner|recruit|stud|etudiant) (?:id|no|nr|num\w*)|"
          r"student no|sid|matricule|numero d etudiant|banner id", _matches(r"[a-z]?\d{5,10}"), 0.95, 0.6),
    _kind("date_of_birth", _C.DATE_OF_BIRTH, r"dob|d o b|date of birth|birth ?dates?|birthdays?|bdate|born|ddn|"
          r"date de naissance|naissance|nee? le", _birth, 0.95, 0.6, alone=_birth_alone, with_id=True),
    _kind("home_phone", _C.HOME_CONTACT, r"home (?:tel\w*|ph\w*|no|number|contact)|home(?! \w)|residence|"
          r"res (?:tel\w*|ph\w*)|(?:personal|private) (?:cell|phone|mobile|tel\w*|no|number)|domicile|tel domicile",
          _any_phone, 0.9, 0.6, with_id=True),
    _kind("private_mail", _C.HOME_CONTACT,
          r"(?:personal|private|home) (?:e ?mail|courriel)|courriel (?:personnel|prive)", lambda v: "@" in v, 0.9, 0.6),
    _kind("home_address", _C.HOME_CONTACT, r"home (?:mailing )?address(?: \w+)?|residential address|"
          r"(?:permanent|current) address|adresse (?:du )?domicile|adresse personnelle", score=0.9, alone_score=0.6,
          with_id=True),
    _kind("emergency_contact", _C.HOME_CONTACT, r"emergency (?:contact|phone|tel|no|number)|^emergency$|next of kin|"
          r"contact d urgence|in case of emergency", score=0.9, alone_score=0.5),
    _kind("guardian", _C.MINOR, r"(?:parents?|guardians?|mother|father)(?: s)?(?: guardian)?"
          r"(?: name| phone| email| signature| contact)?|tuteur|parent tuteur", score=0.9, alone_score=0.5),
    _kind("age", _C.DATE_OF_BIRTH, r"age|age of \w+", lambda v: v.isdigit() and 0 < int(v) < 115, 0.85),
    _kind("health", _C.HEALTH, r"diagnos[ie]s|diagnostic medical|medical(?: \w+)?|allerg(?:y|ies)|medications?|meds|"
          r"health (?:condition|issues?|notes?|concerns?)|disabilit\w+|injur(?:y|ies)|"
          r"accommodations?(?! (?:cost|rate|booking|hotel|type|\w* ?nights?))|restrictions?(?: medical)?|"
          r"sick (?:days?|leave)|illness|blood type|pregnan\w+|symptoms?|treatment|conditions? medicales?|"
          r"wcb(?: claim)?|immuni[sz]ations?|vaccin\w+", score=0.9, with_id=True),
    _kind("grade", _C.EDUCATION_RECORD, r"grades?|marks?|final (?:mark|grade|score)?|gpa|exam(?: \w+)?|"
          r"test score|scores?|"
          r"results?|midterm|pass fail|note finale|average|moyenne|quiz \w*|assignment \w+|percent|standing",
          lambda v: bool(_GRADE.fullmatch(v.lower())), 0.9, with_id=True),
    _kind("salary", _C.EMPLOYMENT_HR, r"salary|salaries|wages?|hourly(?: rate)?|base pay|annual pay|pay rate|"
          r"compensation|"
          r"bonus(?:es)?|severance|salaire|remuneration|merit increase|total comp",
          lambda v: bool(_MONEY.fullmatch(v.lower())), 0.9),
    _kind("hr_note", _C.EMPLOYMENT_HR, r"disciplin\w+|performance (?:rating|review|notes?)|"
          r"reason for (?:leaving|leave|absence|termination)|termination reason|evaluation|appraisal|"
          r"rating", score=0.85),
    _kind("record_check", _C.CRIMINAL_RECORD, r"crc(?: \w+)?|criminal record(?: check)?(?: \w+)?|record check(?: \w+)?|"
          r"police check(?: \w+)?|convictions?|charges? laid|offences?|casier judiciaire|"
          r"probation(?: officer)?", score=0.9),
    _kind("ethnicity", _C.RACE_RELIGION_POLITICS, r"race|ethnic\w*|ethnic origin|religions?|indigenous(?: status)?|"
          r"first nation|visible minority|aboriginal|metis|status card|sexual orientation|orientation sexuelle|"
          r"origine ethnique", score=0.9),
    _kind("immigration", _C.IMMIGRATION, r"immigration(?: status)?|visa (?:status|type|expiry|no|number)|citizenship|"
          r"study permit(?: \w+)?|work permit(?: \w+)?|nationality|permis d etudes", score=0.85),
    _kind("bank", _C.FINANCIAL_ACCOUNT, r"bank(?: account)?(?: no| number)?|account (?:no|number)|transit(?: \w+)?|"
          r"direct deposit|iban|compte bancaire", _digit_count(5, 24), 0.85, weak_with_company=True),
    _kind("marital", _C.FAMILY_PRIVATE_LIFE, r"marital(?: status)?|spouse(?: name)?|dependents?|dependants?|children|"
          r"etat civil|conjoint", score=0.85),
    _kind("password", _C.CREDENTIALS, r"passwords?|passwd|pwd|mot de passe|mdp|passphrase",
          lambda v: len(v) >= 4 and " " not in v, 0.9, 0.85, strong=True),
    _kind("company", None, r"company|organi[sz]ation|agency|employer|department|business(?: name)?|vendor|supplier|"
          r"customer|client|account name|firm|counterparty|entreprise|organisme|fournisseur|detachment|school|"
          r"district"),
    _kind("name", None, r"(?:full|first|last|given|family|student|employee|participant|patient|child|recruit|applicant|"
          r"candidate|preferred|legal|contact)? ?names?|surname|nom|prenom|nom de famille|students?|employees?|"
          r"participants?|patients?|recruits?|cadets?|registrants?|attendees?|candidates?|applicants?|members?|child|"
          r"staff|person|learners?|etudiante?s?|employee?s?|recrues?", _words),
    _kind("address", _C.HOME_CONTACT, r"(?:mailing |street )?address(?: \w+)?|adresse",
          lambda v: bool(_STREET.fullmatch(v.lower())), 0.6, with_id=True, weak_with_company=True),
)
"""In order: the first kind whose words a header holds is taken."""

ANY_HEADER = re.compile("|".join(k.header.pattern for k in KINDS))
"""Tells quickly that a cell names no kind at all."""
