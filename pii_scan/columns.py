"""The kinds of table columns: the header words that name them and what their values look like."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from pii_scan.checkdigits import card, nhs, pen, phn, sin, ssn
from pii_scan.dates import DATE, birth_year
from pii_scan.findings import Category
from pii_scan.folding import small_plain

BLANK = re.compile(r"[-–—_.\s/]*|n/?a|none|nil|no|aucune?|non|x|tba|tbd|unknown|null|false|0")
"""Cells that say nothing (small letters)."""

ADULT = 19
"""Age of majority in British Columbia (Age of Majority Act); younger people count as minors."""

_NAME = re.compile(r"(?:[A-ZÀ-Ý][\w'’.-]*,? ?){2,4}(?:\([\w ]{1,20}\))?|[A-ZÀ-Ý][\w'’-]+, ?[A-ZÀ-Ý][\w'’. -]*")
_NOT_NAME = re.compile(r"\d|\b(?:ltd|inc|corp|llc|department|dept|college|university|school|institute|street|avenue|road|service|total|course|unit|"
                       r"program|canada|room|building|north|south|west|east|new|bank|city|energy|gas|power|company|date|group|report|module|block|week)\b")
_PHONE = re.compile(r"\+?[\d(][\d\s().+/x-]{6,20}")
_STREET = re.compile(r"\d+[a-z]?[ ,-].{3,}|(?:p\.?o\.? )?box \d+.*|[a-z]\d[a-z] ?\d[a-z]\d")
_MONEY = re.compile(r"[$€£]? ?\d[\d,. ]*(?:\.\d\d)?k? ?\$?(?:/ ?(?:h|hr|hour|yr|year))?")
_GRADE = re.compile(r"\d{1,3}(?:[.,]\d+)? ?%?|\d{1,3} ?/ ?\d{1,3}|[a-f][+-]?|(?:in)?complete|pass(?:ed)?|fail(?:ed)?|p|f|s|u|reussi|echec|inc|satisfactory|unsatisfactory|dns|w")


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


def _h(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b")


KINDS: tuple[Kind, ...] = (
    Kind("sin", Category.GOVERNMENT_ID, _h(r"sin|s i n|social insurance(?: n\w*)?|nas|assurance sociale"),
         lambda v: sin(_digits(v)), 0.97, 0.97, strong=True, alone=lambda v: "-" in v.strip() + " " and sin(_digits(v)) or (" " in v and sin(_digits(v)))),
    Kind("phn", Category.GOVERNMENT_ID, _h(r"phn|personal health(?: n\w*)?|care ?card(?: n\w*)?|health (?:no|number|card)(?: n\w*)?|msp(?: n\w*)?|assurance maladie"),
         lambda v: phn(_digits(v)), 0.97, 0.97, strong=True, alone=lambda v: phn(_digits(v))),
    Kind("pen", Category.GOVERNMENT_ID, _h(r"pen|personal education(?: n\w*)?"), lambda v: pen(_digits(v)), 0.95, 0.95, strong=True),
    Kind("ssn", Category.GOVERNMENT_ID, _h(r"ssn|social security(?: n\w*)?|soc sec(?: n\w*)?"), lambda v: ssn(_digits(v)), 0.95, 0.95, strong=True,
         alone=lambda v: bool(re.fullmatch(r"\d{3}-\d{2}-\d{4}", v)) and ssn(_digits(v))),
    Kind("nhs", Category.GOVERNMENT_ID, _h(r"nhs(?: n\w*)?"), lambda v: nhs(_digits(v)), 0.97, 0.97, strong=True),
    Kind("nino", Category.GOVERNMENT_ID, _h(r"nino|ni n\w*|national insurance(?: n\w*)?"), lambda v: bool(re.fullmatch(r"[A-Za-z]{2} ?(?:\d\d ?){3}[A-Da-d]", v)), 0.95, 0.95, strong=True),
    Kind("licence", Category.GOVERNMENT_ID, _h(r"(?:driver s|drivers?|driving) (?:licen[cs]e|lic)(?: n\w*)?|dl(?: n\w*)?|bcdl|permis de conduire"), lambda v: 6 <= len(_digits(v)) <= 9, 0.95, 0.7),
    Kind("passport", Category.GOVERNMENT_ID, _h(r"passports?(?: n\w*)?|passeport"), lambda v: bool(re.fullmatch(r"[A-Za-z]{0,2}\s?\d{6,9}[A-Za-z]{0,2}", v)), 0.95, 0.7),
    Kind("payment_card", Category.FINANCIAL_ACCOUNT, _h(r"(?:credit )?card (?:no|number)|visa|mastercard|cc (?:no|number)"), lambda v: card(_digits(v)), 0.97, 0.97, strong=True, alone=lambda v: card(_digits(v))),
    Kind("student_number", Category.EDUCATION_RECORD, _h(r"(?:student|learner|recruit|stud|etudiant) (?:id|no|n\w{0,5}|number)|student no|sid|matricule|numero d etudiant|banner id"),
         lambda v: bool(re.fullmatch(r"[A-Za-z]?\d{5,10}", v)), 0.95, 0.6),
    Kind("date_of_birth", Category.DATE_OF_BIRTH, _h(r"dob|d o b|date of birth|birth ?dates?|birthdays?|bdate|born|ddn|date de naissance|naissance|nee? le"),
         _birth, 0.95, 0.6, alone=_birth_alone, with_id=True),
    Kind("home_phone", Category.HOME_CONTACT, _h(r"home (?:tel\w*|ph\w*|no|number|contact)|home|residence|res (?:tel\w*|ph\w*)|(?:personal|private) (?:cell|phone|mobile|tel\w*|no|number)|domicile|tel domicile"),
         lambda v: _any_phone(v), 0.9, 0.6, with_id=True),
    Kind("private_mail", Category.HOME_CONTACT, _h(r"(?:personal|private|home) (?:e ?mail|courriel)|courriel (?:personnel|prive)"), lambda v: "@" in v, 0.9, 0.6),
    Kind("home_address", Category.HOME_CONTACT, _h(r"home (?:mailing )?address(?: \w+)?|residential address|(?:permanent|current) address|adresse (?:du )?domicile|adresse personnelle"), _some_text, 0.9, 0.6, with_id=True),
    Kind("emergency_contact", Category.HOME_CONTACT, _h(r"emergency(?: contact| phone| no| number)?.*|next of kin|contact d urgence|in case of emergency"), _some_text, 0.9, 0.5),
    Kind("guardian", Category.MINOR, _h(r"(?:parents?|guardians?|mother|father)(?: s)?(?: guardian)?(?: name| phone| email| signature| contact)?|tuteur|parent tuteur"), _some_text, 0.9, 0.5),
    Kind("age", Category.DATE_OF_BIRTH, _h(r"age|age of \w+"), lambda v: v.isdigit() and 0 < int(v) < 115, 0.85, 0.0),
    Kind("health", Category.HEALTH, _h(r"diagnos[ie]s|diagnostic medical|medical(?: \w+)?|allerg(?:y|ies)|medications?|meds|health (?:condition|issues?|notes?|concerns?)|disabilit\w+|accommodations?(?! (?:cost|rate|booking|hotel|type|\w* ?nights?))|injur(?:y|ies)|"
                               r"restrictions?(?: medical)?|sick (?:days?|leave)|illness|blood type|pregnan\w+|symptoms?|treatment|conditions? medicales?|wcb(?: claim)?|immuni[sz]ations?|vaccin\w+"), _some_text, 0.9, 0.0, with_id=True),
    Kind("grade", Category.EDUCATION_RECORD, _h(r"grades?|marks?|final (?:mark|grade|score)?|gpa|exam(?: \w+)?|test score|scores?|results?|midterm|pass fail|note finale|notes?(?= finale)|average|moyenne|quiz \w*|assignment \w+|percent|standing"),
         lambda v: bool(_GRADE.fullmatch(v.lower())), 0.9, 0.0, with_id=True),
    Kind("salary", Category.EMPLOYMENT_HR, _h(r"salary|salaries|wages?|hourly(?: rate)?|base pay|annual pay|pay rate|compensation|bonus(?:es)?|severance|salaire|remuneration|merit increase|total comp"),
         lambda v: bool(_MONEY.fullmatch(v.lower())) and any(c.isdigit() for c in v), 0.9, 0.0),
    Kind("hr_note", Category.EMPLOYMENT_HR, _h(r"disciplin\w+|performance (?:rating|review|notes?)|reason for (?:leaving|leave|absence|termination)|termination reason|evaluation|appraisal|rating"), _some_text, 0.85, 0.0),
    Kind("record_check", Category.CRIMINAL_RECORD, _h(r"crc(?: \w+)?|criminal record(?: check)?(?: \w+)?|record check(?: \w+)?|police check(?: \w+)?|convictions?|charges? laid|offences?|casier judiciaire|probation(?: officer)?"), _some_text, 0.9, 0.0),
    Kind("ethnicity", Category.RACE_RELIGION_POLITICS, _h(r"race|ethnic\w*|ethnic origin|religions?|indigenous(?: status)?|first nation|visible minority|aboriginal|metis|status card|orientation sexuelle|sexual orientation|origine ethnique"), _some_text, 0.9, 0.0),
    Kind("immigration", Category.IMMIGRATION, _h(r"immigration(?: status)?|visa (?:status|type|expiry|no|number)|citizenship|study permit(?: \w+)?|work permit(?: \w+)?|statut|nationality|permis d etudes"), _some_text, 0.85, 0.0),
    Kind("bank", Category.FINANCIAL_ACCOUNT, _h(r"bank(?: account)?(?: no| number)?|account (?:no|number)|transit(?: \w+)?|direct deposit|iban|compte bancaire"), lambda v: 5 <= len(re.sub(r"\D", "", v)) <= 24, 0.85, 0.0, weak_with_company=True),
    Kind("marital", Category.FAMILY_PRIVATE_LIFE, _h(r"marital(?: status)?|spouse(?: name)?|dependents?|dependants?|children|etat civil|conjoint"), _some_text, 0.85, 0.0),
    Kind("password", Category.CREDENTIALS, _h(r"passwords?|passwd|pwd|mot de passe|mdp|passphrase"), lambda v: len(v) >= 4 and " " not in v, 0.9, 0.85, strong=True),
    Kind("company", None, _h(r"company|organi[sz]ation|agency|employer|department|business(?: name)?|vendor|supplier|customer|client|account name|firm|counterparty|entreprise|organisme|fournisseur|detachment|school|district"), _some_text),
    Kind("name", None, _h(r"(?:full|first|last|given|family|student|employee|participant|patient|child|recruit|applicant|candidate|preferred|legal|contact)? ?names?|surname|nom|prenom|nom de famille|"
                          r"students?|employees?|participants?|patients?|recruits?|cadets?|registrants?|attendees?|candidates?|applicants?|members?|child|staff|person|learners?|etudiante?s?|employee?s?|recrues?"),
         lambda v: bool(re.search(r"[A-Za-zÀ-ÿ]{2}", v)) and not any(c.isdigit() for c in v)),
    Kind("address", Category.HOME_CONTACT, _h(r"(?:mailing |street )?address(?: \w+)?|adresse"), lambda v: bool(_STREET.fullmatch(v.lower())), 0.6, 0.0, with_id=True, weak_with_company=True),
)
"""In order: the first kind whose words a header holds is taken."""

ANY_HEADER = re.compile("|".join(k.header.pattern for k in KINDS))
"""Tells quickly that a cell names no kind at all."""
