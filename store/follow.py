"""Training follow-up: the first hold brings a tip, the third in some weeks a course. The manager sees counts only.

    step = follow.held(session, person_id, case_number, ladder)      # "", "tip" or "training"
    follow.counts(session, divisions)                                # per division: numbers, no names
    follow.effect(session)                                           # held again after the course, or not

Only holds for personal information count: not what could not be read, and not what a reviewer released. A course is
done when a training record says so; nobody is asked for a second one before that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit
from store.account_tables import FollowUp
from store.columns import now
from store.database import begin_write, get_or_create
from store.people_tables import PersonDivision, TrainingRecord
from store.tables import Capture, Case

TIP, TRAINING = "tip", "training"
PERSONAL: Final = "personal-information"
"""The reason of a case that counts."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """When a course is asked for: at the `holds`-th hold within `days`; which `course`."""

    holds: int = 3
    days: int = 90
    course: str = "handling-personal-information"


@dataclass(frozen=True, slots=True)
class Step:
    """What a hold led to ("", "tip", "training"), and how many holds there were."""

    step: str
    holds: int


def held(session: Session, person_id: str, mailboxes: Collection[str], number: str, ladder: Ladder) -> Step:
    """An item of this person was held under this case. In the transaction of the hold; twice is once."""
    begin_write(session)
    since = max(now() - timedelta(days=ladder.days), _last_course(session, person_id, ladder.course))
    holds = _holds(session, mailboxes, since)
    step = ""
    if not _had(session, person_id, TIP):
        step = TIP
    elif holds >= ladder.holds and not _asked(session, person_id, ladder.course):
        step = TRAINING
    if not step:
        return Step("", holds)
    _, made = get_or_create(
        session, lambda: session.scalars(select(FollowUp).where(
            FollowUp.person_id == person_id, FollowUp.step == step, FollowUp.number == number)).one_or_none(),
        lambda: FollowUp(person_id=person_id, step=step, number=number,
                         course=ladder.course if step == TRAINING else ""))
    if made:
        audit.append(session, "people:follow-up:opened", actor="mailweir", subject=person_id,
                     body={"step": step, "case": number, "course": ladder.course if step == TRAINING else ""})
    return Step(step, holds)


def of_person(session: Session, person_id: str) -> tuple[tuple[FollowUp, bool], ...]:
    """The courses asked of a person, newest first, and whether each is done."""
    rows = session.scalars(select(FollowUp).where(FollowUp.person_id == person_id, FollowUp.step == TRAINING)
                           .order_by(col(FollowUp.opened).desc())).all()
    return tuple((row, _done(session, row) is not None) for row in rows)


def counts(session: Session, divisions: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Per division (all of them with None): how many tips, courses asked for, courses done. No names."""
    query = select(PersonDivision.division, FollowUp).join(
        PersonDivision, col(PersonDivision.person_id) == col(FollowUp.person_id)).where(
        col(PersonDivision.ended).is_(None))
    if divisions is not None:
        query = query.where(col(PersonDivision.division).in_(divisions))
    totals: dict[str, dict[str, Any]] = {}
    for division, row in session.execute(query):
        line = totals.setdefault(division, {"division": division, "tips": 0, "asked": 0, "done": 0})
        if row.step == TIP:
            line["tips"] += 1
        else:
            line["asked"] += 1
            line["done"] += _done(session, row) is not None
    return [totals[division] for division in sorted(totals)]


def effect(session: Session, mailboxes_of: Mapping[str, Collection[str]], ladder: Ladder) -> dict[str, Any]:
    """What the courses did: of those who took one at least `days` ago, how many were held again within `days`, and how
    often all of them were held in the `days` before the course was asked for and after it was taken.

    `mailboxes_of` maps people to their mailboxes.
    """
    span = timedelta(days=ladder.days)
    people = again = before = after = 0
    for row in session.scalars(select(FollowUp).where(FollowUp.step == TRAINING)):
        done = _done(session, row)
        if done is None or done > now() - span:
            continue
        boxes = mailboxes_of.get(row.person_id, ())
        later = _holds(session, boxes, done, done + span)
        people, again = people + 1, again + bool(later)
        before, after = before + _holds(session, boxes, row.opened - span, row.opened), after + later
    return {"days": ladder.days, "people": people, "held_again": again, "holds_before": before, "holds_after": after}


def _holds(session: Session, mailboxes: Collection[str], since: datetime, until: datetime | None = None) -> int:
    query = select(func.count(func.distinct(col(Case.id)))).join(Capture, col(Capture.case_id) == col(Case.id)).where(
        func.lower(col(Capture.mailbox)).in_(mailboxes), Case.reason == PERSONAL, Case.state != "released",
        Capture.created >= since)
    return session.scalars(query if until is None else query.where(Capture.created < until)).one()


def _had(session: Session, person_id: str, step: str) -> bool:
    return session.scalars(select(FollowUp.id).where(
        FollowUp.person_id == person_id, FollowUp.step == step).limit(1)).first() is not None


def _asked(session: Session, person_id: str, course: str) -> bool:
    """Whether a course waits to be taken."""
    rows = session.scalars(select(FollowUp).where(
        FollowUp.person_id == person_id, FollowUp.step == TRAINING, FollowUp.course == course)).all()
    return any(_done(session, row) is None for row in rows)


def _done(session: Session, row: FollowUp) -> datetime | None:
    """When the course was taken after it was asked for; records name the day only."""
    return session.scalars(select(func.min(col(TrainingRecord.completed))).where(
        TrainingRecord.person_id == row.person_id, TrainingRecord.course == row.course,
        TrainingRecord.completed > row.opened - timedelta(days=1))).one()


def _last_course(session: Session, person_id: str, course: str) -> datetime:
    """When the person last took the course; long ago when never."""
    last = session.scalars(select(func.max(col(TrainingRecord.completed))).where(
        TrainingRecord.person_id == person_id, TrainingRecord.course == course)).one()
    return last or now() - timedelta(days=36500)
