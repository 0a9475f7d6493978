"""Dates as people write them, English and French, and whether one can be a birth date."""

from __future__ import annotations

import datetime as dt
import re

_MONTHS = ("jan", "fev|feb", "mar", "avr|apr", "mai|may", "juin|jun", "juil|jul", "aou|aug", "sep", "oct", "nov",
    "dec")
_MONTH = (r"(?:jan(?:uary|vier)?|feb(?:ruary)?|fev(?:rier)?|mar(?:ch|s)?|apr(?:il)?|avr(?:il)?|may|mai|june?|juin"
          r"|july?|juil(?:let)?|aug(?:ust)?|aout|sept?(?:ember|embre)?|oct(?:ober|obre)?|nov(?:ember|embre)?|"
          r"dec(?:ember|embre)?)")
_YEAR = r"(?:19|20)\d\d"
DATE = re.compile(
    rf"(?<![\w/.-])(?:"
    rf"(?P<y1>{_YEAR})[-/. ](?P<m1>\d{{1,2}})[-/. ](?P<d1>\d{{1,2}})"
    rf"|(?P<a2>\d{{1,2}})[-/.](?P<b2>\d{{1,2}})[-/.](?P<y2>{_YEAR}|\d\d)"
    rf"|(?P<d3>\d{{1,2}})(?:st|nd|rd|th|er)?[-. ]{{1,2}}(?:of |de )?(?P<m3>{_MONTH})\.?,?[-. "
    rf"]{{1,2}}(?P<y3>{_YEAR}|'?\d\d)"
    rf"|(?P<m4>{_MONTH})\.? (?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y4>{_YEAR})"
    rf"|(?P<y5>{_YEAR})[-/ ](?P<m5>{_MONTH})[-/ ](?P<d5>\d{{1,2}})"
    rf"|(?P<y6>(?:19[2-9]|20[0-2])\d)(?P<m6>0[1-9]|1[0-2])(?P<d6>[0-2]\d|3[01])"
    rf")(?![\w/-])")
"""A full date in folded text. Groups: y/m/d by numbered form; form 2 is day-month or month-day."""

MONTH_DAY = re.compile(
    rf"(?:{_MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?|\d{{1,2}}(?:st|nd|rd|th|er)? (?:of |de )?{_MONTH})(?![\w])")
"""A day of a year without the year."""


def birth_year(m: re.Match[str], today: dt.date | None = None) -> int | None:
    """The year of a DATE match if it is a real date on which somebody alive may have been born, else None.

    A two-digit year is read as the latest year not in the future.
    """
    today = today or dt.datetime.now(dt.UTC).date()
    g = {k: v for k, v in m.groupdict().items() if v is not None}
    year = int(next(v for k, v in g.items() if k[0] == "y").lstrip("'"))
    if year < 100:
        year += 2000 if 2000 + year <= today.year else 1900
    if "a2" in g:
        days = [(int(g["a2"]), int(g["b2"])), (int(g["b2"]), int(g["a2"]))]
    else:
        month = next(v for k, v in g.items() if k[0] == "m")
        number = int(month) if month.isdigit() else next(
            i for i, name in enumerate(_MONTHS, 1) if month.startswith(tuple(name.split("|"))))
        days = [(number, int(next(v for k, v in g.items() if k[0] == "d")))]
    for month_no, day in days:
        try:
            born = dt.date(year, month_no, day)
        except ValueError:
            continue
        if today.year - 115 <= born.year and born <= today:
            return year
    return None
