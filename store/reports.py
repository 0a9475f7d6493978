"""A user thinks that a hold is wrong, a reviewer answers: codes and words that passed the scanner, sealed.

    report = reports.make(session, keys, number, person_id, "business-contact", "table in attachment 2")
    reports.answer(session, keys, report.id, "released", "thank you", actor=reviewer)

Nothing is released by a report. Whether the person may report on the case (they tracked it) and whether the reviewer
may answer is for `store.access.may`, which the caller asks first; whether the words may be kept is for the caller to
have scanned.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, cases, outbox
from store.account_tables import CaseReport
from store.columns import now
from store.crypto import Keys
from store.database import begin_write
from store.errors import BadState, NotFound
from store.people_tables import PersonRow
from store.tables import OPEN_CASE, Capture, CaptureState, Case

CODES: Final = {
    "business-contact": "It is business contact information",
    "not-a-person": "It is a number or name of a thing, not of a person",
    "public": "It is public information about an office",
    "invented": "It is an invented example",
    "withdrawn": "I do not need it in the CRM any more",
    "other": "Something else",
}
"""Why a user thinks that a hold is wrong, or need not be decided."""
WITHDRAWN: Final = "withdrawn"
ANSWERS: Final = ("released", "stays-held", "redact", "resend", "explained")
"""What a reviewer answers; the words are in `capture.notices`."""
MOST: Final = 3
"""Reports of one person on one case."""


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """A report with its words."""

    id: str
    number: str
    person: str
    code: str
    text: str
    made: datetime
    answer_code: str = ""
    answer: str = ""
    answered_by: str = ""
    answered: datetime | None = None


def make(session: Session, keys: Keys, number: str, person_id: str, code: str, text: str = "") -> Report:
    """A report on an open case. Raises `BadState` for a closed one, an unknown code, or while one waits."""
    case = cases.get(session, number, lock=True)
    if case.state not in OPEN_CASE or code not in CODES:
        raise BadState(f"case {case.number} is {case.state}")
    before = session.scalars(select(CaseReport).where(
        CaseReport.case_id == case.id, CaseReport.person_id == person_id)).all()
    if len(before) >= MOST or any(row.answered is None for row in before):
        raise BadState(f"there is a report on case {case.number} already")
    row = CaseReport(case_id=case.id or 0, person_id=person_id, turn=len(before) + 1, code=code)
    row.text = _seal(keys, row.id, "text", text)
    session.add(row)
    session.flush()
    audit.append(session, "case:report:made", actor=person_id, subject=case.number,
                 body={"report": row.id, "code": code})
    return _plain(keys, row, case.number)


def answer(session: Session, keys: Keys, report_id: str, code: str, text: str = "", *, actor: str) -> Report:
    """Answer a report; its user is told the code by mail. Raises `BadState` when it was answered, or is one's own."""
    begin_write(session)
    row = session.scalars(select(CaseReport).where(CaseReport.id == report_id).with_for_update(key_share=True)
                          .execution_options(populate_existing=True)).one_or_none()
    if row is None:
        raise NotFound("no such report")
    if row.answered is not None or code not in ANSWERS or actor == row.person_id:
        raise BadState("the report was answered already, or is one's own")
    row.answer_code, row.answered_by, row.answered = code, actor, now()
    row.answer = _seal(keys, row.id, "answer", text)
    session.flush()
    case = session.get_one(Case, row.case_id)
    audit.append(session, "case:report:answered", actor=actor, subject=case.number,
                 body={"report": row.id, "code": code})
    person = session.get_one(PersonRow, row.person_id)
    outbox.add(session, key=f"report/{row.id}", recipient=person.address, template="report-answered",
               data={"case": case.number, "answer": code})
    return _plain(keys, row, case.number)


def of_case(session: Session, keys: Keys, number: str) -> tuple[Report, ...]:
    """The reports on a case, oldest first; the caller audits the reading."""
    case = cases.get(session, number)
    rows = session.scalars(select(CaseReport).where(CaseReport.case_id == case.id)
                           .order_by(col(CaseReport.made), col(CaseReport.id))).all()
    return tuple(_plain(keys, row, case.number) for row in rows)


def of_person(session: Session, keys: Keys, person_id: str) -> tuple[Report, ...]:
    """The reports of a person, newest first."""
    rows = session.execute(select(CaseReport, Case.number).join(Case, col(Case.id) == col(CaseReport.case_id))
                           .where(CaseReport.person_id == person_id).order_by(col(CaseReport.made).desc())).all()
    return tuple(_plain(keys, row, number) for row, number in rows)


def waiting(session: Session) -> int:
    """How many reports wait for an answer."""
    return session.scalars(select(func.count()).select_from(CaseReport).where(
        col(CaseReport.answered).is_(None))).one()


def tracked_by(session: Session, number: str, mailboxes: Collection[str]) -> bool:
    """Whether one of these mailboxes tracked the item of a case."""
    case = cases.get(session, number)
    return session.scalars(select(Capture.id).where(
        Capture.case_id == case.id, func.lower(col(Capture.mailbox)).in_(mailboxes)).limit(1)).first() is not None


def mine(session: Session, mailboxes: Collection[str], *, last: int = 50) -> list[dict[str, Any]]:
    """What these mailboxes tracked, newest first: state, kinds, places, case. No subject line."""
    rows = session.execute(
        select(Capture, Case).outerjoin(Case, col(Case.id) == col(Capture.case_id))
        .where(func.lower(col(Capture.mailbox)).in_(mailboxes), Capture.state != CaptureState.CANCELLED)
        .order_by(col(Capture.created).desc(), col(Capture.id)).limit(last)).all()
    return [{"id": capture.id, "kind": capture.kind, "created": capture.created, "state": _state(capture, case),
             "number": case.number if case else "", "open": case is not None and case.state in OPEN_CASE,
             "lines": _lines(case.summary) if case else []} for capture, case in rows]


def _state(capture: Capture, case: Case | None) -> str:
    """One of the four states a user sees: checking, tracked, held, not-tracked."""
    if case is not None and case.state in OPEN_CASE:
        return "held"
    if capture.outcome == "link":
        return "tracked" if capture.activity else "checking"
    if capture.outcome in ("hold", "gone", "refuse"):
        return "not-tracked"
    return "checking"


def _lines(summary: dict[str, Any]) -> list[dict[str, Any]]:
    found: dict[tuple[str, str], int] = {}
    for line in summary.get("findings", ()):
        key = (line["place"], line["kind"])
        found[key] = found.get(key, 0) + int(line["count"])
    return [{"place": place, "kind": kind, "count": count} for (place, kind), count in found.items()] + [
        {"place": line["place"], "kind": "", "count": 0, "unread": line["code"]}
        for line in summary.get("unread", ())]


def _seal(keys: Keys, ident: str, part: str, text: str) -> bytes | None:
    return keys.seal("case-report", f"{ident}/{part}", text.encode("utf-8", "replace")) if text else None


def _plain(keys: Keys, row: CaseReport, number: str) -> Report:
    def words(part: str, sealed: bytes | None) -> str:
        return keys.unseal("case-report", f"{row.id}/{part}", sealed).decode() if sealed else ""

    return Report(row.id, number, row.person_id, row.code, words("text", row.text), row.made, row.answer_code,
                  words("answer", row.answer), row.answered_by, row.answered)
