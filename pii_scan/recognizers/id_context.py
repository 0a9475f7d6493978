"""Government numbers whose label stands further off, or that a person and an occasion give away."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pii_scan import checkdigits
from pii_scan.findings import Category
from pii_scan.recognizers import spelled
from pii_scan.recognizers.base import WALL, Hit, IndexedText, Phrases, Recognizer
from pii_scan.recognizers.bc_pen import PenRecognizer
from pii_scan.recognizers.bc_phn import PhnRecognizer
from pii_scan.recognizers.ca_sin import SinRecognizer
from pii_scan.recognizers.numbers import BUSINESS, digits_of

_FAR_BEFORE, _FAR_AFTER, _SHORT_BLOCK = 320, 180, 120

_NUMBER = re.compile(
    r"(?<![\w$#.,/-])(?<!\d[ ])\d(?:[ ]?[-./]?[ ]?\d){8,9}(?![\w]|[-/.]\d|,\d|[ ]\d|[ ]?r[tpcmz][ ]?\d{4})")
"""Nine or ten digits, however grouped."""
_SPLIT = re.compile(r"(?<![\w$#.,/-])(?<!\d[ ])\d{1,2}(?:[ .-]\d{1,2}){4,9}(?![\w]|[-./]\d|[ ]\d)")
_GROUPED = re.compile(r"\d{3}([ -])\d{3}\1\d{3}|\d{4}([ -])\d{3}\2\d{3}")
_ORDINARY = frozenset({"sin", "nas", "pen", "msp", "nsp", "social-insurance"})
"""Labels that are ordinary words too: from afar they count in capitals or after "my", "her" only."""
_MINE = re.compile(r"\b(?:my|his|her|their|your|mon|son|sa|votre|ton)\s\Z")
_BUSINESS = re.compile(
    BUSINESS.pattern + r"|\b(?:gst|bn|business (?:number|no)|registration|charity|claim|policy|permit|ref|reference|"
    r"order|tracking|invoice|inv|serial|case|ticket|booking|confirmation|account|acct|dial|call|voice|extension|ext|"
    r"part|sku|item|model|asset|plate|waybill|parcel|contract|chip|duns|swift|iban|bank|siren|siret|deposit no|"
    r"lot|job|work order|wo|requisition|req|meeting|zoom|webinar|quote|estimate|unit)\b[^\n]{0,12}\Z")
_OCCASION = re.compile(
    r"\b(?:payroll|pay ?stubs?|pay ?slips?|t4a?s?|t2202a?|t5|roe|record of employment|slips?|direct deposit|benefits?|"
    r"enrol\w{0,6}|onboard\w*|new hires?|tax(?:es)?|cra|service canada|pharma\w*|clinic|hospital|doctor|dentist|"
    r"worksafe\w*|wcb|pension|rrsp|resp|tfsa|student loan|health|medical|coverage|care ?card|"
    r"(?:her|his|my|the|off the|of the) cards?|paperwork|hr|ei|government|ottawa|passport|licence|"
    r"read it off|on the back|wallet|paie|releves?|feuillets?|avantages|embauche|impots?|"
    r"assurances?|pharmacie|medecin|clinique|carte|formulaire|forms?)\b")
_HEALTH = re.compile(
    r"\b(?:pharma\w*|clinic|hospital|doctor|dentist|nurse|health|medical|care ?card|msp|coverage|surgery|appointment|"
    r"patient|prescription|sante|medecin|clinique|ambulance|er|admitted)\b")
_PERSON = re.compile(
    r"\b(?:i|my|mine|me|he|his|him|she|her|hers|their|theirs|mon|ma|sa|son|elle|lui|il)\b")
_NAME = re.compile(r"\b[A-Z][a-z]{2,15}(?:,? [A-Z][a-z'-]{1,20}\.?){1,2}\b")


class IdInContextRecognizer(Recognizer):
    """Find social insurance, health and education numbers whose label is not right beside them.

    Nine or ten digits with their check digit, grouped in any way or said as words. With the label elsewhere in
    the sentence, in the one before or after, in the line above, or in a short block before (a subject): 0.9.
    Without any label, a person and an occasion (payroll, slip, form, benefits, clinic, "read it off the
    card") in the sentence, or a name beside a number in groups of three: doubt, 0.6. A label of a business
    number before it drops the match.

    Source: check digits as in `ca_sin`, `bc_phn` and `bc_pen`; reach and words are ours.
    """

    kind = "id_in_context"
    category = Category.GOVERNMENT_ID
    citation = "identifier.sin"
    needs_word = False
    labels = Phrases(*(p.replace("-", " ") for r in (SinRecognizer, PhnRecognizer, PenRecognizer)
                       for first, options in r.labels.first.items() if first not in ("my", "her", "his", "no")
                       for p, _ in options),
                     "social insurance card", "s.i.n", "p.h.n", "insurance number")

    def words(self) -> frozenset[str]:
        return self.labels.words | spelled.WORDS

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        labels: list[tuple[int, int, str]] | None = None
        for start, end, digits, form in self._candidates(doc):
            if _BUSINESS.search(doc.low, max(doc.low.rfind("\n", 0, start) + 1, start - 40), start):
                continue
            kind = _kind(digits)
            if labels is None:
                labels = [(s, e, n) for s, e, n in self.labels.find(doc) if self._means_it(doc, s, e, n)]
            label = _label(doc, labels, start, end)
            if kind and label:
                yield Hit(start, end, 0.9, (f"context:{label}", "check-digit", form))
            elif label and form == "spelled":
                yield Hit(start, end, 0.6, (f"context:{label}", "wrong-check-digit", form))
            elif kind and (why := _occasion(doc, start, end, kind, form)):
                yield Hit(start, end, 0.6, (why, "check-digit", form))

    @staticmethod
    def _candidates(doc: IndexedText) -> Iterator[tuple[int, int, str, str]]:
        done = -1
        for run, _ in doc.runs:
            if run < done:
                continue
            m = _NUMBER.match(doc.low, run) or (_NUMBER.search(doc.low, max(done, run - 12, 0), run + 4)
                                                if run and doc.low[run - 1] in " -." else None)
            if m is None:
                continue
            done = m.end()
            form = "grouped" if _GROUPED.fullmatch(m.group()) else "together" if m.group().isdigit() else "odd-groups"
            yield m.start(), done, digits_of(m.group()), form
        for start, end, digits in spelled.spelled(doc):
            if len(digits) in (9, 10):
                yield start, end, digits, "spelled"
        for start, end in _split_up(doc):
            yield start, end, digits_of(doc.low[start:end]), "odd-groups"

    @staticmethod
    def _means_it(doc: IndexedText, start: int, end: int, name: str) -> bool:
        return name not in _ORDINARY or doc.plain[start:end].strip(".").replace(".", "").isupper() \
            or bool(_MINE.search(doc.low, max(0, start - 8), start))


def _split_up(doc: IndexedText) -> Iterator[tuple[int, int]]:
    """Numbers in groups of one and two digits right beside a label: no run of digits tells their place."""
    done = -1
    for place, _, _ in IdInContextRecognizer.labels.find(doc):
        lo, hi = doc.around(place, place, 60)
        for m in _SPLIT.finditer(doc.low, max(lo, done), hi + 24):
            done = m.end()
            yield m.start(), done


def _kind(digits: str) -> str:
    if len(set(digits)) < 3:
        return ""
    if len(digits) == 9 and checkdigits.sin(digits):
        return "sin"
    return "phn" if len(digits) == 10 and checkdigits.phn(digits) else ""


def _label(doc: IndexedText, labels: list[tuple[int, int, str]], start: int, end: int) -> str:
    """The nearest label in reach, or one in a short block right before."""
    if not labels:
        return ""
    lo, hi = max(0, start - _FAR_BEFORE), end + _FAR_AFTER
    best, name = _FAR_BEFORE + 1, ""
    for s, e, n in labels:
        if s > hi:
            break
        if e < lo:
            continue
        distance = start - e if e <= start else s - end
        between = doc.low[e:start] if e <= start else doc.low[end:s]
        wall = between.find(WALL)
        if wall >= 0:
            before = doc.low.rfind(WALL, 0, e) + 1
            short = e <= start and between.count(WALL) == 1 and e + wall - before <= _SHORT_BLOCK
            if not short:
                continue
        if distance < best and not _BUSINESS.search(between[-40:]):
            best, name = distance, n
    return name


def _occasion(doc: IndexedText, start: int, end: int, kind: str, form: str) -> str:
    """Why a number without a label is doubtful all the same, or ""."""
    lo, hi = doc.around(start, end, 160)
    line = doc.low.rfind("\n", lo, start) + 1
    person = _PERSON.search(doc.low, lo, hi)
    if form == "spelled" and person:
        return "person"
    about = _HEALTH if kind == "phn" else _OCCASION
    near = max(lo, start - 80)
    if form == "together" and kind == "sin":
        told = about.search(doc.low, near, hi) and _PERSON.search(doc.low, near, hi)
    else:
        told = about.search(doc.low, lo, hi) and (person or _NAME.search(doc.plain, lo, hi))
    if told:
        return "occasion"
    if form == "grouped" and kind == "sin" and (_NAME.search(doc.plain, max(line, lo, start - 40), start)
                                               or _PERSON.search(doc.low, max(lo, start - 60), start)):
        return "name-beside"
    return ""
