"""What is hidden by its form alone: addresses of any kind, numbers, dates that may be birth dates, file names.

Time is bounded for every character: no pattern looks further than some hundred characters.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from pii_scan.dates import DATE, birth_year
from pii_scan.folding import small_plain
from pii_scan.recognizers.contact import STREET

RECENT = 4
"""A full date of the last years before the mail, or later, is shown; an older one may be a birth date."""
MOST_DIGITS = 4
"""Longer numbers are hidden."""


@dataclass(frozen=True, slots=True)
class Form:
    """A stretch of text hidden by its form: offsets, kind of mask, code of the reason."""

    start: int
    end: int
    kind: str
    code: str


_EMAIL = re.compile(r"[\w.+'&-]{1,64}@(?:[\w-]{1,63}\.){0,6}[\w-]{1,63}|(?<!\w)@\w{2,40}"
                    r"|[\w.+-]{1,64}[ ]?[\[(]at[\])][ ]?[\w.-]{1,80}", re.IGNORECASE)
_URL = re.compile(r"\b(?:https?|ftp|file|mailto|tel|sip|callto|onenote|ms-\w{1,12}):[^\s<>\"]{1,2000}|"
                  r"\bwww\.[^\s<>\"]{1,500}"
                  r"|\\\\[^\s<>\"]{1,300}|\b[A-Za-z]:\\[^\n<>\"]{1,300}"
                  r"|\b(?:[\w-]{1,63}\.){1,5}(?:com|ca|org|net|gov|edu|io|fr|uk|info|biz|gc|example|"
                  r"test)\b(?:/[^\s<>\"]{0,500})?",
                  re.IGNORECASE)
_FILE = re.compile(r"(?:[^\s/\\:*?\"<>|,;()]{1,80}|\"[^\"\n]{1,120}?)\.(?:docx?|docm|dotx?|xlsx?|xlsm|xlsb|csv|"
                   r"tsv|txt|rtf|pdf|"
                   r"pptx?|ppsx?|odt|ods|odp|zip|7z|rar|tar|gz|tgz|msg|eml|mbox|pst|ics|vcf|png|jpe?g|gif|tiff?|"
                   r"bmp|heic|webp|"
                   r"mp3|mp4|mov|wav|html?|xml|json|log|dat|bak|sql|mdb|accdb|one|pages|numbers|key|p7m|p7s|"
                   r"asc)\b", re.IGNORECASE)
_RUN = re.compile(r"[+#(]{0,2}\d+(?:[ \u00a0.\-\u2010-\u2015/()]{1,2}\d+|,\d{3}(?!\d))*", re.UNICODE)
_CENTS = re.compile(r"[.,]\d\d\Z")
_HOURS = re.compile(r"(?:0[5-9]|1\d|2[0-3])[0-5][05][ ]?[-\u2013\u2014][ ]?(?:[01]\d|2[0-3])[0-5][05]")
_YEARS = re.compile(r"(?:19|20)\d\d[ ]?[-\u2013/][ ]?(?:(?:19|20)\d\d|\d\d)")
_TIME = re.compile(r"(?<![\d:.-])(?:[01]?\d|2[0-3])[:h][0-5]\d(?::[0-5]\d)?(?![\d:])")
_FUNCTION = re.compile(r"\b(?:the|an?|of|on|at|in|to|this|that|by|your|our|my|his|her|their|no|any|la|le|les|un|"
                       r"une|du|des|one|each|"
                       r"every|long|half|all)[ ][a-z]+\Z")
_POSTAL = re.compile(r"(?<!\w)(?:[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d|"
                     r"[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})(?!\w)", re.IGNORECASE)
_BOX = re.compile(r"\b(?:p\.?[ ]?o\.?[ ]?box|box|c\.?p\.?|case postale|rr|r\.r\.|apt\.?)[ ]?#?[ ]?\d{1,6}\w?\b",
                  re.IGNORECASE)
_AGE = re.compile(r"\b(?:aged?|âgée?s?(?: de)?)[ :]{1,2}\d{1,3}\b|\b\d{1,3}[- ](?:years?|yrs?|months?)[- ](?:old|"
                  r"of age)\b"
                  r"|\b\d{1,2} ans\b|\b(?:turn(?:s|ed|ing)?|just turned) \d{1,3}\b", re.IGNORECASE)
_SPOKEN = re.compile(r"\b(?:(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|un|deux|trois|"
                     r"quatre|cinq|sept|huit|"
                     r"neuf|zéro)[ ,.-]{1,3}){3,40}(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|un|"
                     r"deux|trois|"
                     r"quatre|cinq|sept|huit|neuf|zéro)\b", re.IGNORECASE)
_BORN = re.compile(r"\b(?:born|birth\w*|b-?day|dob|d\.o\.b|naissance|née?|anniversaire|anniv|fête)\b", re.IGNORECASE)


def forms(text: str, year: int) -> Iterator[Form]:
    """Yield what is hidden by its form in a piece of text; `year` is that of the mail. Overlaps are possible."""
    for pattern, kind, code in ((_EMAIL, "e-mail", "email-form"), (_URL, "link", "link-form"),
                                (_FILE, "file name", "file-form"), (_POSTAL, "address", "postal-code"),
                                (_BOX, "address", "box"), (_AGE, "age", "age-form"), (_SPOKEN, "number", "spoken")):
        for m in pattern.finditer(text):
            yield Form(m.start(), m.end(), kind, code)
    low = small_plain(text)
    for m in STREET.finditer(low):
        if not _FUNCTION.search(m.group()):
            yield Form(m.start(), m.end(), "address", "street-form")
    rest = text
    for pattern in (DATE, _TIME):
        for m in pattern.finditer(low):
            if pattern is DATE and _may_be_birth(m, low, year):
                yield Form(m.start(), m.end(), "date", "old-date")
            rest = rest[:m.start()] + "x" * (m.end() - m.start()) + rest[m.end():]
    for m in _RUN.finditer(rest):
        if _is_long(m.group()):
            yield Form(m.start(), m.end(), "number", "long-number")


def without_links(text: str) -> str:
    """The text with e-mail addresses, links and file names blotted out, same length: what stands in them is hidden
    as a whole and names nobody by itself."""
    for pattern in (_EMAIL, _URL, _FILE):
        text = pattern.sub(lambda m: "\x01" * len(m.group()), text)
    return text


def _may_be_birth(m: re.Match[str], low: str, year: int) -> bool:
    born = birth_year(m)
    if born is None:
        return sum(map(str.isdigit, m.group())) > MOST_DIGITS
    return born < year - RECENT or bool(_BORN.search(low, max(0, m.start() - 60), m.end() + 20))


def _is_long(run: str) -> bool:
    if _HOURS.fullmatch(run) or _YEARS.fullmatch(run):
        return False
    whole = _CENTS.sub("", run) if run.count(".") + run.count(",") and not run.count("-") else run
    return sum(map(str.isdigit, whole)) > MOST_DIGITS


def year_of(sent: str) -> int:
    """The year of a mail (UTC ISO 8601 or ""), this year when it is not known."""
    return int(sent[:4]) if sent[:4].isdigit() else dt.datetime.now(dt.UTC).year
