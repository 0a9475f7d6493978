"""What the pages say for codes, moments and numbers. Codes stay the interface; these are the words beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from capture.masked import BlockView, Masked, PartView, TableView, TextView
from capture.masks.reasons import RULES
from capture.notices import REPORT_ANSWERS, SYSTEM_WORDS, UNREAD_WORDS
from store.reports import CODES
from store.risk import Risk

KINDS: Final[Mapping[str, str]] = {
    "government_id": "Government ID", "date_of_birth": "Date of birth", "health": "Health",
    "criminal_record": "Criminal record", "financial_account": "Financial account", "home_contact": "Home contact",
    "family_private_life": "Family, private life", "employment_hr": "Employment",
    "education_record": "Education record",
    "race_religion_politics": "Race, religion, politics", "immigration": "Immigration", "credentials": "Credentials",
    "minor": "Minor",
}
"""Classes of personal information, as a reviewer reads them."""

BANDS: Final[Mapping[str, str]] = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"}
EXPOSURE: Final[Mapping[int, str]] = {
    1: "was never linked", 2: "was in the CRM", 3: "was exported or sent on"}
STATES: Final[Mapping[str, str]] = {
    "held": "Held", "claimed": "In review", "deciding": "Decided, may be undone",
    "awaiting-second": "Waiting for a second person", "escalated": "Escalated"}
TABS: Final[Mapping[str, str]] = {
    "queue": "By risk", "unreadable": "Unreadable", "second": "Second person", "mine": "Mine",
    "escalated": "Escalated"}
OUTCOMES: Final[Mapping[str, str]] = {
    "release": "Release as it is", "redact": "Release redacted", "delete": "Confirm and delete",
    "escalate": "Escalate"}
"""In the order of their keys 1 to 4."""
REASONS: Final[Mapping[str, Mapping[str, str]]] = {
    "release": {
        "false-positive": "The scanner is wrong: this is no personal information",
        "business-contact": "Only contact information of somebody at work",
        "nobody-real": "An example or a template: nobody real is in it",
    },
    "redact": {
        "personal-part-removed": "The rest belongs in the CRM",
        "attachment-removed": "The mail belongs in the CRM, an attachment does not",
    },
    "delete": {
        "confirmed": "Personal information that may not be in the CRM",
        "student-record": "Belongs in the student system",
        "private-mail": "Private mail, tracked by mistake",
    },
    "escalate": {
        "disclosure": "Somebody saw or got it who should not have",
        "collection": "It was collected without authority",
        "loss": "It was lost or stolen",
        "other": "Something else the privacy officer has to see",
    },
    "agree": {"checked": "I looked at the case myself and agree"},
    "refuse": {
        "not-convinced": "I looked at the case and do not agree",
        "facts-missing": "Facts are missing to decide it",
    },
    "reveal": {
        "decide": "I cannot decide from the masked text",
        "check-finding": "I think this finding is wrong",
        "second-look": "I am the second person",
        "incident": "Facts for an incident",
        "request": "The person concerned asked",
    },
}
"""Act -> the reasons to choose from: a code for the audit, and its words. For an escalation, the kind of incident."""
WHY_SECOND: Final[Mapping[str, str]] = {
    "critical": "the risk is critical", "high": "the risk is high", "persons": "many people are in it",
    "bulk": "many cases are decided at once", "unread": "a part of it could not be read",
    "confirmed-before": "a reviewer confirmed this content before", "rule-ended": "the rule it passed by has ended"}
HELD: Final[Mapping[str, str]] = {
    "personal-information": "personal information was found", "unreadable": "a part of it could not be read",
    "unclear": "the wording leaves doubt", "other-copy-held": "another copy of it is held",
    "fetch-failed": "it could not be fetched", "extract-failed": "it could not be read",
    "scan-failed": "it could not be scanned"}
"""Why an item is held; of other codes the code itself is shown, in words."""
UNCLEAN: Final[Mapping[str, str]] = {
    "removed-value": "a value that you removed stands there too", "doubt": "the wording as a whole"}
"""What keeps a redacted copy from passing, besides the classes of personal information."""
LABELS: Final[Mapping[str, str]] = {
    "text": "", "name": "file name", "margin": "header or footer", "hidden": "hidden content",
    "property": "other properties", "link": "link target"}
"""Roles of a piece of text; of others their own name is shown."""
ROLES: Final[Mapping[str, str]] = {
    "owner": "record owner", "division-admin": "administrator of the division", "head": "Head",
    "operator": "operator of the machine"}
"""Roles of people; of others their own name is shown."""
DIFFERS: Final[Mapping[str, str]] = {"tagger": "who tracked it", "elements": "number of elements"}
"""What tells the cases of a family apart; others are shown by their name."""
EVENTS: Final[Mapping[str, str]] = {
    "capture:item:held": "held for review", "capture:item:joined": "tracked by somebody else as well",
    "quarantine:case:read": "looked at it, masked", "quarantine:content:read": "had something revealed",
    "quarantine:case:released": "let it pass", "quarantine:case:deleted": "had its content destroyed",
    "quarantine:content:destroyed": "content destroyed", "capture:item:marked": "its state was shown in the mailbox",
    "quarantine:case:redacted": "let a redacted copy pass", "quarantine:case:escalated": "made it an incident",
    "quarantine:case:claimed": "took it on", "quarantine:case:unclaimed": "gave it back",
    "quarantine:case:ruled": "decided", "quarantine:case:undone": "took the decision back",
    "quarantine:case:agreed": "agreed as the second person", "quarantine:case:disagreed": "did not agree",
    "quarantine:case:overdue": "those in charge were told that it is overdue",
    "incident:case:closed": "closed the incident", "case:report:made": "said that the hold is wrong",
    "case:report:read": "read what the user says", "case:report:answered": "answered the user",
    "quarantine:queue:listed": "looked at the queue", "policy:allow:listed": "looked at the allow rules",
    "case:mine:listed": "looked at their own items", "week:pack:read": "looked at the week",
    "audit:readings:read": "looked at the readings", "audit:log:read": "looked at the register of exports",
    "people:follow-up:counted": "looked at the training counts", "export:file:made": "exported a file",
    "crm:records:exported": "exported CRM records",
}
"""What the history of a case says for the audit's events; others are shown by their name."""


def kind(code: str) -> str:
    """The name of a class of personal information."""
    return KINDS.get(code, plain(code))


def event(what: str) -> str:
    """An event of the audit as a reviewer reads it."""
    return EVENTS.get(what) or plain(what.partition(":")[2].replace(":", " "))


def said(code: str) -> str:
    """A code of a case or of its history as a reviewer reads it: why it is held, an outcome, a reason."""
    for table in (HELD, OUTCOMES, *REASONS.values(), CODES, REPORT_ANSWERS, UNREAD_WORDS):
        if code in table:
            return table[code]
    return plain(code)


def unclean(code: str) -> str:
    """What keeps a redacted copy from passing."""
    return UNCLEAN.get(code) or KINDS.get(code) or UNREAD_WORDS.get(code, SYSTEM_WORDS)


def unread(part: PartView) -> str:
    """Why a part was not read as a whole: "not read: is password-protected or encrypted"."""
    how = "partly read" if part.status == "partial" else "not read"
    return f"{how}: {UNREAD_WORDS.get(part.code, SYSTEM_WORDS)}" if part.code else how


def rule(code: str) -> str:
    """What a rule of the scanner looks for: "A Social Insurance Number.", or its code."""
    return RULES[code][1].rstrip(".") if code in RULES else plain(code)


def label(code: str) -> str:
    """What role a piece of text plays, "" for the text itself."""
    return LABELS.get(code, plain(code))


def role(code: str) -> str:
    """A role of a person."""
    return ROLES.get(code, plain(code))


def differs(code: str) -> str:
    """What tells one case of a family from another."""
    return DIFFERS.get(code, plain(code))


def place(where: str) -> str:
    """A place in an item, with a capital."""
    return where[:1].upper() + where[1:]


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


def clock(at: datetime) -> str:
    """The time of day of a moment, in UTC, to the second."""
    return f"{at.astimezone(UTC):%H:%M:%S}"


def most(value: int, least: int) -> int:
    """A number, or `least` when it is less."""
    return max(value, least)


def endless(at: datetime) -> bool:
    """Whether a service level never ends (`store.risk.NEVER`)."""
    return at.year > 9000


def size(length: int) -> str:
    """A number of bytes for the eye."""
    for unit, step in (("MB", 1_000_000), ("kB", 1_000)):
        if length >= step:
            return f"{length / step:.1f} {unit}" if length < 10 * step else f"{length // step} {unit}"
    return f"{length} bytes"


def people(persons: int) -> str:
    """What so many persons multiply the risk by."""
    return number(math.log2(1 + max(1, persons)))


def joined(risk: Risk) -> str:
    """What so many elements about each person multiply the risk by."""
    return number(1 + 0.5 * (risk.per_person - 1))


def counts(block: BlockView) -> bool:
    """Whether a finding that counts is behind anything masked in a block."""
    runs = block.runs if isinstance(block, TextView) else [r for n in block.rows for cell in n.cells for r in cell]
    return any(isinstance(one, Masked) and one.counts for one in runs)


def hides(block: TextView | TableView) -> bool:
    """Whether anything of a block is masked."""
    if isinstance(block, TextView):
        return any(isinstance(run, Masked) for run in block.runs)
    return any(isinstance(run, Masked) for line in block.rows for cell in line.cells for run in cell)


def listed(words: Iterable[str]) -> str:
    """Words with commas between."""
    return ", ".join(words)


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "kind": kind, "plain": plain, "event": event, "place": place,
    "moment": moment, "iso": iso, "span": span, "count": count, "number": number,
    "listed": listed, "clock": clock, "endless": endless, "bytes": size, "people": people, "joined": joined,
    "hides": hides, "said": said, "unclean": unclean, "unread": unread, "label": label, "role": role, "rule": rule,
    "differs": differs, "most": most,
}
"""Filters of the templates."""
GLOBALS: Final[Mapping[str, Any]] = {
    "bands": BANDS, "outcomes": OUTCOMES, "all_reasons": REASONS, "states": STATES, "why_second": WHY_SECOND,
    "exposure": EXPOSURE}
"""Tables the templates look things up in."""
