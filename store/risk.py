"""How bad a held case is, and until when somebody must have decided it. Pure functions of counts and codes.

    risk = of_summary(case.summary)          Risk(score=31.7, band="critical", weight=6.0, persons=31, ...)
    due(case.opened, risk.band, LEVELS)      the moment its service level ends

    score = class weight x log2(1 + persons) x (1 + 0.5 x (elements per person - 1)) x exposure

Class weight: that of the highest class among the findings. Exposure: 1 never linked, 2 was in the CRM, 3 was exported
or sent. The numbers are settings (`[review]`); what is here is their default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any, Final

BANDS: Final = ("critical", "high", "medium", "low")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What counts how much. `classes`: weight of a class of information. `bands`: the least score of a band; what is
    below all of them is low. `unread_band`: the band of a case of which nothing could be read."""

    classes: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"L5": 10.0, "L4": 6.0, "L3": 3.0, "L2": 1.0}))
    bands: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"critical": 10.0, "high": 6.0, "medium": 3.0}))
    unread_band: str = "medium"


@dataclass(frozen=True, slots=True)
class Levels:
    """Service levels: band -> hours around the clock, or whole working days. A band in neither is never overdue.

    `work_days` counts from Monday = 0; `holidays` are days off besides; `zone` is where the days begin and end.
    """

    hours: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({"critical": 4.0}))
    days: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({"high": 1, "medium": 3, "low": 5}))
    work_days: frozenset[int] = frozenset({0, 1, 2, 3, 4})
    holidays: frozenset[date] = frozenset()
    zone: tzinfo = UTC


WEIGHTS: Final = Weights()
LEVELS: Final = Levels()
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""When a case is due whose band has no service level."""


@dataclass(frozen=True, slots=True)
class Risk:
    """The risk of a case with its parts. `score` has no unit; `persons` and `elements` count what was found, at least
    one person when anything was; `exposure` is 1, 2 or 3."""

    score: float
    band: str
    weight: float
    persons: int
    elements: int
    exposure: int

    @property
    def per_person(self) -> float:
        """Elements of one person, on average; at least 1."""
        return max(1.0, self.elements / max(1, self.persons))


def of_summary(summary: Mapping[str, Any], weights: Weights = WEIGHTS) -> Risk:
    """The risk of what `store.summary` keeps of a decision; a shape it does not know counts as nothing found."""
    elements = sum(int(line.get("count", 0)) for line in summary.get("findings", ()))
    persons = max(int(summary.get("persons", 0)), 1 if elements else 0)
    exposure = min(3, max(1, int(summary.get("exposure", 1))))
    weight = float(weights.classes.get(str(summary.get("sensitivity", "")), 0.0))
    if not weight and not unreadable(summary):
        weight = min(weights.classes.values(), default=1.0)  # held for its wording as a whole: not nothing
    per_person = max(1.0, elements / max(1, persons))
    score = round(weight * math.log2(1 + max(1, persons)) * (1 + 0.5 * (per_person - 1)) * exposure, 2)
    if unreadable(summary):
        return Risk(score, weights.unread_band, weight, persons, elements, exposure)
    return Risk(score, band_of(score, weights), weight, persons, elements, exposure)


def band_of(score: float, weights: Weights = WEIGHTS) -> str:
    """The band of a score."""
    return next((band for band in BANDS if band in weights.bands and score >= weights.bands[band]), BANDS[-1])


def unreadable(summary: Mapping[str, Any]) -> bool:
    """Whether nothing was found because something could not be read: held for that alone."""
    return bool(summary.get("unread")) and not summary.get("findings")


def due(opened: datetime, band: str, levels: Levels = LEVELS) -> datetime:
    """When a case of this band, opened then (with a zone), must be decided; UTC. `NEVER` without a service level.

    Hours run around the clock. Days are working days: the same time of day, so many working days later.
    """
    if band in levels.hours:
        return opened.astimezone(UTC) + timedelta(hours=levels.hours[band])
    if band not in levels.days or not levels.work_days:
        return NEVER
    there = opened.astimezone(levels.zone)
    day, left = there.date(), levels.days[band]
    for _ in range(3660):  # holidays may not keep a case for ever
        if not left:
            break
        day += timedelta(days=1)
        left -= day.weekday() in levels.work_days and day not in levels.holidays
    return datetime.combine(day, there.timetz()).astimezone(UTC)
