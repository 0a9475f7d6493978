"""What the desk's pages and its API do, said once: each function asks the store, audits a reading, and returns plain
values. Whether the person may was asked at the door, about the very case (`addin.door`); the store asks again.

A reading is in the audit, and committed, before anything of it is returned.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import HTTPException, Request
from sqlalchemy.orm import Session
from sqlmodel import col, select

from addin.door import Visitor
from addin.tools import DeskTools
from capture import allowing, deciding, masked, wire
from capture.masked import CaseView
from pii_scan.findings import Report
from pii_scan.text import Extraction
from store import audit, cases, desk, quarantine, remarks
from store.access import Thing
from store.crypto import Keys
from store.database import Database
from store.desk import Bulk, Event, Family, QueuePage, QueueRow, Redaction, Rules, Ruling
from store.errors import BadState, ContentDestroyed
from store.people_tables import PersonRow
from store.tables import OPEN_CASE, Case

REVEAL_SECONDS: Final = 60
"""What is revealed is hidden again after this long."""
REMARKS: Final = "remarks"
"""The ref of what people wrote when they asked to see something."""


class Reports:
    """What the scanner said of held items: findings without text, for the items looked at last. Scans one at a time,
    so that a busy desk leaves the machine to the worker."""

    def __init__(self, most: int = 128) -> None:
        self._most, self._lock = most, threading.Lock()
        self._kept: OrderedDict[tuple[str, tuple[str, ...]], Report] = OrderedDict()

    def of(self, blob: str, extraction: Extraction, tools: DeskTools, division: str) -> Report:
        """The report of this extraction, which lies in this blob, with the allow rules of a division now."""
        scanner = allowing.with_rules(tools.get(), division)
        key = (blob, scanner.ids if isinstance(scanner, allowing.AllowingScanner) else ())
        with self._lock:
            report = self._kept.pop(key, None) or scanner.scan(extraction)
            self._kept[key] = report
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
            return report


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """One person at the desk, for one request."""

    visitor: Visitor
    database: Database
    keys: Keys
    tools: DeskTools
    reports: Reports
    rules: Rules
    undo_seconds: float
    """How long a ruling may be taken back."""


@dataclass(frozen=True, slots=True, repr=False)
class Queue:
    """A page of the queue and the names of the people in it."""

    page: QueuePage
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True, repr=False)
class Shown:
    """A case for its page. `view` is None when there is nothing to show; `remarks` counts what people wrote when they
    asked to see something (`REMARKS` reveals it); `names` are those of the people in it."""

    row: QueueRow
    case: Case
    ruling: Ruling | None
    view: CaseView | None
    history: Sequence[Event]
    remarks: int
    names: Mapping[str, str]


def at_desk(request: Request) -> Desk:
    """The desk of a request that came through the door."""
    state = request.app.state
    return Desk(request.state.visitor, state.database, state.keys, state.tools, state.reports,
                deciding.rules_of(state.settings), state.settings.review.undo_seconds)


def case_thing(request: Request, visitor: Visitor) -> Thing:
    """The case the path names, for the door. Raises `NotFound`."""
    with visitor.database.reading() as session:
        return desk.thing(session, request.app.state.keys, request.path_params["number"], visitor.person)


# ------------------------------------------------------------------------------------------------- reading

def queue(at: Desk, **filters: str | bool | int) -> Queue:
    """One page of the queue, as `store.desk.queue` takes it. Raises `BadState` for a filter there is not."""
    at.tools.warm()
    _settle(at)
    with at.database.session() as session:
        page = desk.queue(session, at.visitor.person, **filters)  # type: ignore[arg-type]
        audit.append(session, "quarantine:queue:listed", actor=at.visitor.person.id,
                     body={"cases": len(page.rows), "tab": str(filters.get("tab", ""))})
        people = {p for row in page.rows for p in (row.claimed_by, row.ruled_by, row.tagger)}
        return Queue(page, names(session, people))


def look(at: Desk, number: str, *, offset: int = 0) -> Shown:
    """A case and, while it is held, its content masked. Raises `NotFound`."""
    _settle(at)
    with at.database.session() as session:
        case = cases.get(session, number)
        audit.append(session, "quarantine:case:read", actor=at.visitor.person.id, subject=case.number,
                     body={"from": offset})
        row, ruling, events = desk.row(session, number), desk.pending(session, number), desk.history(session, number)
        known = names(session, {row.claimed_by, row.tagger, row.ruled_by, ruling.second_by if ruling else "",
                                case.closed_by, *(event.actor for event in events)})
        found = _content(session, at, case) if case.state in OPEN_CASE else None
        written = len(quarantine.blobs(session, case_id=case.id, kind=remarks.KIND))
    view = None
    if found is not None:
        blob, extraction = found
        report = at.reports.of(blob, extraction, at.tools, row.division)
        view = masked.view(extraction, report, secret=deciding.secret_of(at.keys, case.number), offset=offset)
    return Shown(row, case, ruling, view, events, written, known)


def reveal(at: Desk, number: str, ref: str, *, reason: str, remark: str = "") -> str:
    """One hidden thing, or the `REMARKS`, for a person and a reason; a remark is kept encrypted with the case.

    Raises `NotFound`, `BadRef`, `ContentDestroyed`, `BadState` for a case that is closed.
    """
    value = ""
    if ref != REMARKS:
        report, extraction = _scanned(at, number)  # outside of the writing, which others wait for: it takes time
        value = masked.reveal(extraction, report, ref, deciding.secret_of(at.keys, number))
    with at.database.session() as session:
        case = cases.get(session, number)
        if case.state not in OPEN_CASE:
            raise BadState(f"case {case.number} is {case.state}")
        if ref == REMARKS:
            value = "\n".join(remarks.of_case(session, at.keys, case).values())
        kept = remarks.keep(session, at.keys, case, remark)
        audit.append(session, "quarantine:content:read", actor=at.visitor.person.id, subject=case.number,
                     body={"kind": REMARKS if ref == REMARKS else "masked", "reason": reason, "ref": ref,
                           **({"remark": kept} if kept else {})})
    return value


def suggested(at: Desk, number: str, *, offset: int = 0) -> tuple[Shown, frozenset[str]]:
    """The case for the picker of a redaction, and what is picked unless the reviewer says otherwise."""
    shown = look(at, number, offset=offset)
    report, extraction = _scanned(at, number)
    return shown, _found(at, number, report, extraction)


def picks(at: Desk, number: str, *, offset: int = 0) -> tuple[frozenset[str], CaseView]:
    """What is picked unless the reviewer says otherwise, and a page of the case for the refs on it. No reading is
    recorded, so nothing of the page may be shown."""
    report, extraction = _scanned(at, number)
    return _found(at, number, report, extraction), masked.view(
        extraction, report, secret=deciding.secret_of(at.keys, number), offset=offset)


def _found(at: Desk, number: str, report: Report, extraction: Extraction) -> frozenset[str]:
    from capture.redaction import suggested as found

    return frozenset(found(extraction, report, secret=deciding.secret_of(at.keys, number)))


# -------------------------------------------------------------------------------------------------- acting

def claim(at: Desk, number: str, *, give_back: bool = False) -> QueueRow:
    """Take a case on, or give it back; the item shows it at the worker's next look."""
    with at.database.session() as session:
        if give_back:
            row = desk.unclaim(session, number, at.visitor.person)
        else:
            row = desk.claim(session, at.keys, number, at.visitor.person, rules=at.rules)
    deciding.owe_show(at.database, row.number)
    return row


def rule(at: Desk, number: str, outcome: str, reason: str, *, remove: Collection[str] = (),
         suspend: bool = False) -> Ruling:
    """Rule on a case. For "redact" the copy without `remove` is made first: raises `NotClean` when it is not clean.
    `suspend` as for `store.rulings.propose`."""
    redaction: Redaction | None = None
    if outcome == "redact":
        redaction = deciding.redacted(at.tools.get(), number, remove)
    with at.database.session() as session:
        made = desk.propose(session, at.keys, number, at.visitor.person, outcome, reason, redaction=redaction,
                            suspend=suspend, seconds=at.undo_seconds, rules=at.rules)
    deciding.owe_show(at.database, number)
    return made


def undo(at: Desk, number: str) -> Ruling:
    """Take the ruling that waits on this case back. Raises `BadState` when it is too late."""
    with at.database.session() as session:
        waiting = desk.pending(session, number)
        if waiting is None:
            raise HTTPException(409, "too-late")
        return desk.undo(session, waiting.id, at.visitor.person)


def second(at: Desk, number: str, agree: bool, reason: str, *, batch: bool = False) -> Ruling:
    """The second person's answer, for this case or for all that were ruled on together with it."""
    with at.database.session() as session:
        waiting = desk.pending(session, number)
        if batch and waiting is not None and waiting.batch:
            made = desk.second_all(session, at.keys, waiting.batch, at.visitor.person, agree, reason,
                                   seconds=at.undo_seconds)
            return next(ruling for ruling in made if ruling.case == waiting.case)
        return desk.second(session, at.keys, number, at.visitor.person, agree, reason, seconds=at.undo_seconds)


def family(at: Desk, number: str) -> tuple[Family, Mapping[str, str]]:
    """The cases that may be ruled on together with this one, and the names of those who have them."""
    with at.database.session() as session:
        found = desk.family(session, number, at.visitor.person)
        audit.append(session, "quarantine:queue:listed", actor=at.visitor.person.id,
                     body={"cases": len(found.members), "tab": "family"})
        return found, names(session, {member.row.claimed_by for member in found.members})


def rule_all(at: Desk, numbers: Sequence[str], outcome: str, reason: str) -> Bulk:
    """Rule on several cases of one family at once."""
    with at.database.session() as session:
        made = desk.propose_all(session, at.keys, numbers, at.visitor.person, outcome, reason, seconds=at.undo_seconds,
                                rules=at.rules)
    for ruling in made.rulings:
        deciding.owe_show(at.database, ruling.case)
    return made


# ------------------------------------------------------------------------------------------------- helpers

def names(session: Session, ids: Iterable[str]) -> dict[str, str]:
    """Ids of persons -> how colleagues know them: the local part of their address. Others are left out."""
    wanted = {one for one in ids if one}
    if not wanted:
        return {}
    rows = session.execute(select(PersonRow.id, PersonRow.address).where(col(PersonRow.id).in_(wanted)))
    return {ident: address.partition("@")[0] for ident, address in rows}


def _scanned(at: Desk, number: str) -> tuple[Report, Extraction]:
    """What was read of a held item and what the scanner says of it. Raises `ContentDestroyed` when there is nothing."""
    with at.database.reading() as session:
        found, division = _content(session, at, cases.get(session, number)), desk.row(session, number).division
    if found is None:
        raise ContentDestroyed(f"case {number}")
    blob, extraction = found
    return at.reports.of(blob, extraction, at.tools, division), extraction


def _content(session: Session, at: Desk, case: Case) -> tuple[str, Extraction] | None:
    """What was read of a held item, with the id of the blob it lies in; None when nothing was."""
    kept = quarantine.blobs(session, case_id=case.id, kind="extraction")
    return (kept[-1].id, wire.from_bytes(quarantine.read(session, at.keys, kept[-1].id))) if kept else None


def _settle(at: Desk) -> None:
    """Let what is due take effect, so that a page never shows a ruling as open whose time is over."""
    if deciding.due(at.database):
        deciding.take_effect(at.database)
