"""What the desk gives and takes: plain values without content. `store/desk.py` is where they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from store.risk import LEVELS, WEIGHTS, Levels, Risk, Weights


class Outcome(StrEnum):
    """How a case can end; `ESCALATE` ends the review and begins an incident."""

    RELEASE = "release"
    REDACT = "redact"
    DELETE = "delete"
    ESCALATE = "escalate"


class Tab(StrEnum):
    """Where a case stands. `MINE` is not a place of its own: what the person has claimed."""

    QUEUE = "queue"
    UNREADABLE = "unreadable"
    SECOND = "second"
    ESCALATED = "escalated"
    MINE = "mine"


class RulingState(StrEnum):
    """How far a ruling has come; see `store.desk_tables.RulingRow`."""

    SECOND = "second"
    WAITING = "waiting"
    TAKEN = "taken"
    DONE = "done"
    UNDONE = "undone"
    REFUSED = "refused"


CONFIRMED_BEFORE: Final = "confirmed-before"
RULE_ENDED: Final = "rule-ended"
"""Why an item is held in which nothing was found that counts: a reviewer confirmed its content before, or the allow
rule it passed by ended before it was linked. Its risk says little, so a release needs a second person."""
BULK_MOST: Final = 50
"""Cases ruled on in one act, at most."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings of the desk, as the store needs them (`[review]`).

    `second_bands`, `second_persons`, `second_bulk`, `second_unread`: a release needs a second person in these bands,
    from so many persons on, in a bulk of more than so many, and when something of the item could not be read.
    """

    weights: Weights = WEIGHTS
    levels: Levels = LEVELS
    second_bands: frozenset[str] = frozenset({"critical", "high"})
    second_persons: int = 10
    second_bulk: int = 10
    second_unread: bool = True
    claim_hours: float = 8.0
    keep_original_days: int = 0


RULES: Final = Rules()


@dataclass(frozen=True, slots=True, repr=False)
class Filing:
    """What is known of an item when it is held, beside its summary.

    `parties`: keyed hashes (`desk.party`) of sender, recipients and the one who tracked it, None when nobody could
    tell; `sender` that of the sender; `taggers`: addresses the one who tracked it may have, the likeliest first.
    """

    parties: frozenset[str] | None = None
    sender: str = ""
    taggers: tuple[str, ...] = ()
    rules: Rules = RULES


@dataclass(frozen=True, slots=True, repr=False)
class Redaction:
    """The redacted copy of an item, produced and scanned clean (`capture.deciding.redacted`): the mail, and its
    extraction as `capture.wire` writes it. `left_out` counts what was taken out."""

    mail: bytes
    extraction: bytes
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One case in the queue: codes, counts, places; no subject line, no value, no file name.

    `state`: held, claimed, deciding (ruled, may still be undone), awaiting-second, escalated. `kinds` are categories,
    the weightiest first; `places` as in the summary ("body", "attachment 2 of 3 (xlsx)"). `claimed_by` and `tagger` are
    ids of persons, "" for nobody. `told`: who was told that it is overdue (0 nobody, 1 deputy, 2 and 3 privacy
    officer). `ruling` is the id of the ruling that waits, `ruled_by` whose, `effective_at` when it takes effect.
    `late` is by how much the service level was overrun, zero when it was not.
    """

    number: str
    state: str
    risk: Risk
    kinds: tuple[str, ...]
    persons: int
    elements: int
    minors: int
    places: tuple[str, ...]
    division: str
    opened: datetime
    due: datetime
    overdue: bool
    trackers: int
    claimed_by: str
    unreadable: bool
    awaiting_second: bool
    reason: str
    policy: str
    tab: Tab = Tab.QUEUE
    tagger: str = ""
    told: int = 0
    ruling: str = ""
    ruled_by: str = ""
    outcome: str = ""
    effective_at: datetime | None = None
    late: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue. `next` goes into `after` for the next page, "" at the end; `counts`: tab -> open cases
    within the person's reach, whatever the filters."""

    rows: tuple[QueueRow, ...]
    next: str
    counts: Mapping[str, int]
    overdue: int = 0


@dataclass(frozen=True, slots=True)
class Ruling:
    """A ruling on a case. `effective_at` is None while a second person is needed; `why_second` says why one is (a
    code: critical, high, persons, bulk, unread, confirmed-before, rule-ended). `by` and `second_by` are ids of
    persons. `result` tells, when it is done, what became of it: linked, held-anew, deleted, escalated, restored."""

    id: str
    case: str
    outcome: Outcome
    reason: str
    state: RulingState
    by: str
    made: datetime
    effective_at: datetime | None
    needs_second: bool
    why_second: str = ""
    second_by: str = ""
    second_reason: str = ""
    batch: str = ""
    result: str = ""


@dataclass(frozen=True, slots=True)
class Bulk:
    """What a ruling on several cases came to: the rulings, and the cases it was not allowed for, with the code."""

    batch: str
    rulings: tuple[Ruling, ...]
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """One case of a family. `differs` names what is not as in the case the family was asked for."""

    row: QueueRow
    same_content: bool
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """Open cases of the same content, or of the same sender in which the same rules fired. `more` when there are
    further ones beyond the `BULK_MOST` that are listed."""

    lead: str
    members: tuple[Member, ...]
    more: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a case's history. `actor` is the id of a person, the name of an operator, or "mailweir"; `what` the
    event of `store.audit`; `code` the reason, outcome or kind that goes with it, "" for none."""

    at: datetime
    actor: str
    what: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """A possible breach. `case` is its case number; the content is kept while `evidence_hold` is set; what
    its trackers track is held while it is open and `suspends`."""

    number: str
    case: str
    kind: str
    state: str
    evidence_hold: bool
    suspends: bool
    persons: int
    elements: int
    exposure: int
    division: str
    opened: datetime
    opened_by: str
