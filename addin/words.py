"""What the pages say for codes, moments and numbers. Codes stay the interface; these are the words beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

KINDS: Final[Mapping[str, str]] = {
    "government_id": "Government ID", "date_of_birth": "Date of birth", "health": "Health",
    "criminal_record": "Criminal record", "financial_account": "Financial account", "home_contact": "Home contact",
    "family_private_life": "Family, private life", "employment_hr": "Employment",
    "education_record": "Education record",
    "race_religion_politics": "Race, religion, politics", "immigration": "Immigration", "credentials": "Credentials",
    "minor": "Minor",
}
"""Classes of personal information, as a reviewer reads them."""


def kind(code: str) -> str:
    """The name of a class of personal information."""
    return KINDS.get(code, plain(code))


def plain(code: str) -> str:
    """A code as words: "needs_ocr" -> "needs ocr"."""
    return str(code).replace("_", " ").replace("-", " ")


def moment(at: datetime | None) -> str:
    """A moment for the eye, in UTC, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def iso(at: datetime | None) -> str:
    """A moment for a machine: the `datetime` attribute of a `time` element."""
    return at.astimezone(UTC).isoformat(timespec="seconds") if at else ""


def span(length: timedelta | float) -> str:
    """A length of time in its two largest units: "3 h 20 min", "12 d 4 h". Never negative."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    minutes = max(0, int(seconds // 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours and days < 10 else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min"


def count(number: float, one: str, many: str = "") -> str:
    """A number with its noun: "1 person", "31 persons"."""
    return f"{number:g} {one if number == 1 else many or one + 's'}"


def number(value: float) -> str:
    """A number with at most one decimal: 7, 2.5."""
    return f"{round(float(value), 1):g}"


def listed(words: Iterable[str]) -> str:
    """Words with commas between."""
    return ", ".join(words)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "kind": kind, "plain": plain, "moment": moment, "iso": iso, "span": span, "count": count, "number": number,
    "listed": listed,
}
"""Filters of the templates."""
