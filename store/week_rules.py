"""What the auditor's week looks for, as values: hours, norms, and which weeks there are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from store.errors import NotFound

FLAGS: Final[dict[str, str]] = {
    "sign-in-out-of-hours": "Signed in outside office hours",
    "reads-above-norm": "Read far more than in their own usual week",
    "reads-across-divisions": "Read what belongs to another division",
    "reads-unregistered": "Read at a terminal under a name that is not in the register",
    "reveals": "Revealed held content, by reason",
    "release-own": "Released an item they tracked themselves",
    "release-colleague": "Released an item of somebody of their own division",
    "allow-rules": "Allow rules proposed, put in force or ended",
    "exports": "Exports",
    "failed-access": "Was refused something",
    "failed-sign-in": "Sign-ins that were refused",
    "configuration": "Changed roles, rules, mailboxes or the database",
    "chain-broken": "The audit chain does not verify",
    "chain-unverified": "Nobody verified the chain during the week",
    "overdue": "Cases past their service level",
}
"""Every flag there is, and what it says."""
_WEEK: Final = re.compile(r"(2[0-9]{3})-W([0-9]{2})")


@dataclass(frozen=True, slots=True)
class WeekRules:
    """What counts as special. Hours are of the day in `zone`, `days` of the week from 1 = Monday."""

    zone: tzinfo = UTC
    begins: int = 7
    ends: int = 19
    days: frozenset[int] = frozenset({1, 2, 3, 4, 5})
    norm: float = 3.0
    least: int = 30
    sign_days: int = 7

    def out_of_hours(self, at: datetime) -> bool:
        """Whether a moment lies outside office hours."""
        local = at.astimezone(self.zone)
        return local.isoweekday() not in self.days or not self.begins <= local.hour < self.ends


def bounds(week: str, zone: tzinfo = UTC) -> tuple[datetime, datetime]:
    """When a week ("2026-W47") begins and ends: Monday to Monday, midnight in `zone`. Raises `NotFound`."""
    parts = _WEEK.fullmatch(week)
    try:
        day = datetime.fromisocalendar(int(parts[1]), int(parts[2]), 1) if parts else None
    except ValueError:
        day = None
    if day is None:
        raise NotFound("a week is written as 2026-W47")
    begin, end = day.replace(tzinfo=zone), (day + timedelta(days=7)).replace(tzinfo=zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def week_of(at: datetime, zone: tzinfo = UTC) -> str:
    """The week a moment lies in."""
    year, number, _ = at.astimezone(zone).isocalendar()
    return f"{year}-W{number:02d}"


def week_before(week: str, zone: tzinfo = UTC) -> str:
    """The week before another."""
    return week_of(bounds(week, zone)[0] - timedelta(days=3), zone)
