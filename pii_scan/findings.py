"""What the scanner says: findings without text, and the decision made of them.

No class here holds a word of the mail: categories, rule names, places, offsets, counts, scores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from pii_scan.text import Unread


class Category(StrEnum):
    """Kinds of personal information; the names people script against."""

    GOVERNMENT_ID = "government_id"
    DATE_OF_BIRTH = "date_of_birth"
    HEALTH = "health"
    CRIMINAL_RECORD = "criminal_record"
    FINANCIAL_ACCOUNT = "financial_account"
    HOME_CONTACT = "home_contact"
    FAMILY_PRIVATE_LIFE = "family_private_life"
    EMPLOYMENT_HR = "employment_hr"
    EDUCATION_RECORD = "education_record"
    RACE_RELIGION_POLITICS = "race_religion_politics"
    IMMIGRATION = "immigration"
    CREDENTIALS = "credentials"
    MINOR = "minor"


class Verdict(StrEnum):
    """`pass` may be linked; `block` = personal information found; `review` = unreadable or unclear."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    BLOCK = "block"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence.

    `part` and `block` index into what was scanned; `start` and `end` are character offsets in a
    Block's text, or row and column (from 0) in a Table. `score` runs 0 to 1. `count` is how many
    values the finding stands for (a column of 214 student numbers is one finding). `why` holds
    codes: "check-digit", "context:sin", "header:dob", "sentence:0.93". `exempt` is empty, or the
    reason the finding does not count ("signature", "party-domain", ...): kept and shown, not counted.
    """

    category: Category
    rule: str
    place: str
    part: int
    block: int
    start: int
    end: int
    score: float
    count: int = 1
    why: tuple[str, ...] = ()
    exempt: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one scan found. `doubt` is the message-level probability (0 to 1) of the semantic
    stage that the item holds personal information, 0 when that stage did not run.
    `persons` and `minors` count distinct people in rosters."""

    findings: tuple[Finding, ...] = ()
    doubt: float = 0.0
    persons: int = 0
    minors: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict with the rule that fired. `policy` is "name@version"."""

    verdict: Verdict
    rule: str
    policy: str
    findings: tuple[Finding, ...] = ()
    unread: tuple[Unread, ...] = ()
    doubt: float = 0.0
    persons: int = 0
    minors: int = 0
    sensitivity: str = "L0"
    notes: tuple[str, ...] = field(default=())

    @property
    def link(self) -> bool:
        """True only when nothing personal was found and everything was read."""
        return self.verdict is Verdict.PASS

    @property
    def categories(self) -> tuple[str, ...]:
        """Distinct categories of the findings that count, strongest first."""
        best: dict[str, float] = {}
        for f in self.findings:
            if not f.exempt:
                best[f.category] = max(best.get(f.category, 0.0), f.score)
        return tuple(sorted(best, key=lambda c: (-best[c], c)))
