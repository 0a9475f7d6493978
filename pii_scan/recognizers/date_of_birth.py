"""Birth dates by their context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from pii_scan.dates import DATE, MONTH_DAY, birth_year
from pii_scan.findings import Category
from pii_scan.recognizers.base import WALL, Hit, IndexedText, Phrases, Recognizer

_PERSON = re.compile(
    r"\b(?:my|his|her|your|their|mom|dad|wife|husband|son|daughter|[a-z]+'s)\s+(?:\d{1,3}(?:st|nd|rd|th)\s+)?\Z")


class DateOfBirthRecognizer(Recognizer):
    """Find a date with a birth word beside it, and a birthday with its day or age.

    Strong words ("date of birth", "DOB", "born", "né(e) le") reach 60 characters forward over text and line
    breaks, the date must be real and no older than 115 years: score 0.95. The form of a blank field, a date
    without a birth word, and "born" with a year only are left alone.

    Source: gov.bc.ca, "Personal Information" (age, date of birth); the words are ours.
    """

    kind = "date_of_birth"
    category = Category.DATE_OF_BIRTH
    citation = "category.date_of_birth"
    needs_word = False  # names with dates need none
    strong = Phrases("date of birth", "birth date", "birthdate", "dob", "born", "born on", "birthday", "bday", "b-day",
        "d/b",
                     "date de naissance", "naissance", "ddn", "nee le", "ne le", "birthdays", "bdate",
                     "birth", "anniversaire", "birthdays")

    def words(self) -> frozenset[str]:
        return self.strong.words

    def hits(self, doc: IndexedText) -> Iterator[Hit]:
        seen: set[int] = set()
        for start, end, name in self.strong.find(doc):
            if doc.low.startswith("_", end) or _NOT_BORN.search(doc.low, max(0, start - 48), start):
                continue  # the name of a field; a company's birth
            reach = 60 if name in _LABELS else 28
            hi = doc.around(start, end, reach)[1]
            m = DATE.search(doc.low, end, min(len(doc.low), hi + 18))
            if m and m.start() <= hi and m.start() not in seen and birth_year(m) is not None:
                between = doc.low[end:m.start()].lstrip(".")
                if not re.search(
                    r"\b(?:form|format|issued?|effective|expir\w*|by|before|until|deadline|due)\b|[.!?]\s", between):
                    seen.add(m.start())
                    yield Hit(m.start(), m.end(), 0.95, (f"context:{name}",))
                    continue
            if name in ("birthday", "bday") and _PERSON.search(doc.low, max(0, start - 40), start):
                near = MONTH_DAY.search(doc.low, end, doc.around(start, end, 30)[1])
                if near and near.start() not in seen:
                    seen.add(near.start())
                    yield Hit(start, near.end(), 0.6, (f"context:{name}", "day-without-year"))
        for start, end, name in self.strong.find(doc):
            if name not in _LABELS:
                continue
            lo = doc.around(start, end, 24)[0]
            dates = list(DATE.finditer(doc.low, lo, start))
            if dates and dates[-1].start() not in seen and birth_year(dates[-1]) is not None:
                between = doc.low[dates[-1].end():start]
                if len(between) <= 6 and "\n" not in between:
                    seen.add(dates[-1].start())
                    yield Hit(dates[-1].start(), dates[-1].end(), 0.9, (f"context:{name}",))

        yield from self._beside_names(doc, seen)

    @staticmethod
    def _beside_names(doc: IndexedText, seen: set[int]) -> Iterator[Hit]:
        """Two and more names each with an old date of its own, years apart, within 200 characters."""
        if len(doc.runs) + doc.low.count("/") + doc.low.count(".") < 2:
            return
        pairs = []
        for m in _old_dates(doc.low):
            year = birth_year(m)
            if year is None or not 1930 <= year <= 2006 or m.start() in seen:
                continue
            if name := _NAME_BEFORE.search(doc.plain, max(0, m.start() - 48), m.start()):
                pairs.append((m.start(), m.end(), year, name.group().strip(" ,(-")))
        for one, other in pairwise(pairs):
            near = other[0] - one[1] <= 200 and WALL not in doc.low[one[1]:other[0]]
            if near and abs(one[2] - other[2]) >= 2 and one[3] != other[3]:
                for start, end, *_ in (one, other):
                    if start not in seen:
                        seen.add(start)
                        yield Hit(start, end, 0.85, ("names-with-dates",))


_OLD_YEAR = re.compile(  # the first digit stands outside the choice: places without one are passed over quickly
    r"\d(?<!\d\d)(?:(?:(?<=1)9[3-9]\d|(?<=2)00[0-6])(?:[01]\d[0-3]\d)?(?!\d)|\d?[-/.]\d{1,2}[-/.]\d\d(?!\d))")


def _old_dates(low: str) -> Iterator[re.Match[str]]:
    """Dates around anything that looks like a year between 1930 and 2006 or like dd/mm/yy."""
    done = 0
    for year in _OLD_YEAR.finditer(low):
        if year.start() < done:
            continue
        m = DATE.search(low, max(done, year.start() - 18), year.end() + 10)
        if m:
            done = m.end()
            yield m


_NOT_BORN = re.compile(
    r"\b(?:centre|center|company|program(?:me)?|academy|institute|society|project|idea|department|unit|service|team|"
    r"course|"
    r"club|league|agency|firm|partnership|college|school|tradition|dogs?|pup|puppy|k-?9|horse|litter) (?:was |is |"
    r"were |and "
    r"was )?\Z")
_NAME_BEFORE = re.compile(
    r"(?:\b(?!(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Date|Sent|Version|Effective|Expir|Issue|Start|End|Begin|"
    r"Dated|Since|From|Until|Rev|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:[A-Z][a-z]{1,15}(?:[ "
    r"-][A-Z][a-z'-]{0,15}\.?){1,2}|[A-Z][a-z]{1,15}, [A-Z][a-z]{1,15}|[A-Z][a-z]{2,15} [A-Z](?:\.[A-Z])?\.?|"
    r"[A-Z][a-z]{2,15}))[ ]?[,(-]?[ ]{0,2}\Z")
_LABELS = frozenset({"date-of-birth", "birth-date", "birthdate", "dob", "d/b", "bdate", "date-de-naissance", "ddn",
    "naissance"})
