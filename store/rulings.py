"""Rulings: made, undone, agreed to by a second person, put into effect. Every act is audited in the same transaction.

    second  --agree-->  waiting  --take (its window is over)-->  taken  --finish-->  done
       |                   |
       refuse, undo        undo

`may` is asked again here, with the case locked; the database refuses a party and self-approval by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session
from sqlmodel import col, select

from store import audit, cases, filing, pulls, quarantine
from store.access import Action, Person, Scope, may, reach
from store.columns import now
from store.crypto import Keys
from store.database import begin_write
from store.desk_queue import party, row, same_family, thing_of
from store.desk_tables import DeskCase, IncidentRow, RulingRow
from store.desk_types import (
    BULK_MOST,
    CONFIRMED_BEFORE,
    RULE_ENDED,
    RULES,
    Bulk,
    Outcome,
    QueueRow,
    Redaction,
    Rules,
    Ruling,
    RulingState,
    Tab,
)
from store.errors import BadState, NotAllowed, NotFound
from store.leases import db_now
from store.tables import Capture, Case, CaseState, new_id

_REASON: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST_SECONDS: Final = 3600.0
_TAKE_SECONDS: Final = 120.0
ACTIONS: Final = {Outcome.RELEASE: Action.CASE_RELEASE, Outcome.REDACT: Action.CASE_REDACT,
                  Outcome.DELETE: Action.CASE_DELETE, Outcome.ESCALATE: Action.CASE_ESCALATE}
"""What somebody must be allowed to do for each outcome."""
S = RulingState


@dataclass(frozen=True, slots=True)
class Taken:
    """A ruling in effect: its captures are to be linked, shown, told; the keys of `destroyed` blobs are gone."""

    ruling: Ruling
    captures: tuple[Capture, ...]
    destroyed: int = 0


# ------------------------------------------------------------------------------------------------- claims

def claim(session: Session, keys: Keys, number: str, person: Person, *, rules: Rules = RULES) -> QueueRow:
    """The person takes the case on. A claim older than `rules.claim_hours` may be taken over. Call
    `capture.deciding.show` after the commit. Raises `NotFound`, `NotAllowed`, `BadState` when somebody else has it."""
    case, desk = _locked(session, number)
    _must(session, keys, desk, person, Action.CASE_CLAIM)
    _free_for(session, case, desk, person, rules)
    if desk.claimed_by != person.id:
        _claim(desk, person)
        audit.append(session, "quarantine:case:claimed", actor=person.id, subject=case.number)
    return row(session, case.number)


def unclaim(session: Session, number: str, person: Person) -> QueueRow:
    """Give the case back; somebody else's claim only with a reach over everything. Call `capture.deciding.show` after
    the commit. Raises `NotFound`, `NotAllowed`, `BadState`."""
    case, desk = _locked(session, number)
    if not person.active:
        raise NotAllowed("account-inactive")
    if desk.claimed_by != person.id and reach(person, Action.CASE_CLAIM) is not Scope.ALL:
        raise NotAllowed("not-yours")
    if pending(session, case.number) is not None:
        raise BadState(f"case {case.number}: a ruling waits")
    if desk.claimed_by:
        desk.claimed_by, desk.claimed = "", None
        session.flush()
        audit.append(session, "quarantine:case:unclaimed", actor=person.id, subject=case.number)
    return row(session, case.number)


# ------------------------------------------------------------------------------------------------- rulings

def propose(session: Session, keys: Keys, number: str, person: Person, outcome: str, reason: str, *,
            redaction: Redaction | None = None, suspend: bool = False, seconds: float = 10.0,
            rules: Rules = RULES) -> Ruling:
    """Rule on a case: "release", "redact" (with the `redaction`), "delete" or "escalate"; `reason` is a code, for an
    escalation the kind of incident. It takes effect in `seconds`, or after a second person agreed. `suspend`: until the
    incident is closed, what those track who tracked this item is held whatever is found (`store.suspended`).

    Claims the case when nobody has. Raises `NotFound`, `NotAllowed`, `BadState` when the case is not open, somebody
    else has it, a ruling waits already, or the outcome and the redaction do not fit.
    """
    wanted = _outcome(outcome, reason, seconds)
    if (wanted is Outcome.REDACT) != (redaction is not None):
        raise BadState("a redacted copy goes with the outcome redact, and with no other")
    if suspend and wanted is not Outcome.ESCALATE:
        raise BadState("tracking is suspended by an incident only")
    case, desk = _locked(session, number)
    _must(session, keys, desk, person, ACTIONS[wanted])
    _free_for(session, case, desk, person, rules)
    if redaction is not None and any(p.record.startswith(pulls.RECORDS) for p in pulls.of_case(session, desk.case_id)):
        raise BadState("what was typed into a record is released or deleted; its owner writes it anew")
    if redaction is not None:
        quarantine.keep_redacted(session, keys, desk.case_id, redaction.mail, redaction.extraction)
    made = _make(session, keys, case, desk, person, wanted, reason, seconds, _why_second(case, desk, wanted, rules),
                 suspend=suspend)
    return _value(made, case.number)


def propose_all(session: Session, keys: Keys, numbers: Sequence[str], person: Person, outcome: str, reason: str, *,
                seconds: float = 10.0, rules: Rules = RULES) -> Bulk:
    """Rule on several cases of one family at once, at most `BULK_MOST`; never a redaction.

    Cases that are not for this person, or that somebody else has, are left out and named. Raises `BadState` when they
    are no family, too many, or none is left.
    """
    wanted = _outcome(outcome, reason, seconds)
    distinct = list(dict.fromkeys(number.strip().upper() for number in numbers))
    if wanted is Outcome.REDACT or not 1 <= len(distinct) <= BULK_MOST:
        raise BadState(f"together go 1 to {BULK_MOST} cases, and no redaction")
    begin_write(session)
    theirs: dict[str, tuple[Case, DeskCase]] = {}
    refused: dict[str, str] = {}
    for number in sorted(distinct):
        case, desk = _locked(session, number)
        try:
            _must(session, keys, desk, person, ACTIONS[wanted])  # first: of other cases nothing is told, no kinship
            theirs[number] = case, desk
        except NotAllowed as no:
            refused[number] = no.why
    lead = next((theirs[number][1] for number in distinct if number in theirs), None)
    fit: list[tuple[Case, DeskCase]] = []
    for number, (case, desk) in theirs.items():
        if lead is None or (desk.case_id != lead.case_id and not same_family(lead, desk)):
            raise BadState(f"case {case.number} is of another family")
        try:
            _free_for(session, case, desk, person, rules)
        except BadState:
            refused[number] = BadState.code
        else:
            fit.append((case, desk))
    if not fit:
        raise BadState("none of these cases is left to rule on")
    batch, many = new_id(), len(fit) > rules.second_bulk
    whys = [_why_second(case, desk, wanted, rules) or ("bulk" if many else "") for case, desk in fit]
    both = next((why for why in whys if why), "")  # one that needs a second person makes all of them wait
    made = [_value(_make(session, keys, case, desk, person, wanted, reason, seconds, why or both, batch), case.number)
            for (case, desk), why in zip(fit, whys, strict=True)]
    return Bulk(batch, tuple(made), refused)


def undo(session: Session, ruling_id: str, person: Person) -> Ruling:
    """Take a ruling back before it takes effect, with all of its batch: the one who made it, or who agreed to it.

    Raises `NotFound`, `NotAllowed`, `BadState` when it is too late.
    """
    begin_write(session)
    asked = session.get(RulingRow, ruling_id)
    if asked is None:
        raise NotFound("ruling")
    if not person.active or person.id not in (asked.made_by, asked.second_by):
        raise NotAllowed("not-yours" if person.active else "account-inactive")
    undone: list[Ruling] = []
    together = _batch(session, asked)
    for ident in together:  # every lock before the first audit row
        _ruling(session, ident)
    for ident in together:
        case, ruling = _ruling(session, ident)
        if ruling.state not in (S.SECOND, S.WAITING):
            continue
        _end(session, case, ruling, S.UNDONE)
        audit.append(session, "quarantine:case:undone", actor=person.id, subject=case.number,
                     body={"ruling": ruling.id})
        undone.append(_value(ruling, case.number))
    if ruling_id not in {ruling.id for ruling in undone}:
        raise BadState("the ruling is in effect")
    return next(ruling for ruling in undone if ruling.id == ruling_id)


def second(session: Session, keys: Keys, number: str, person: Person, agree: bool, reason: str, *,
           seconds: float = 10.0) -> Ruling:
    """The second person's answer: agreed, it takes effect in `seconds`; else the case is back in the queue.

    Raises `NotFound`, `NotAllowed`, `BadState` when nothing waits for a second person.
    """
    _outcome(Outcome.RELEASE, reason, seconds)
    case, desk = _locked(session, number)
    _must(session, keys, desk, person, Action.CASE_SECOND)
    ruling = session.scalars(select(RulingRow).where(RulingRow.open_key == str(desk.case_id)).with_for_update(
        key_share=True).execution_options(populate_existing=True)).one_or_none()
    if ruling is None or ruling.state != S.SECOND:
        raise BadState(f"case {case.number}: nothing waits for a second person")
    ruling.second_by, ruling.second_key = person.id, _key(keys, person)
    ruling.second, ruling.second_reason = db_now(session), reason
    body: dict[str, audit.Fact] = {"ruling": ruling.id, "reason": reason}
    if agree:
        ruling.state, ruling.effective = S.WAITING, db_now(session) + timedelta(seconds=seconds)
        filing.to_queue(session, case)
        audit.append(session, "quarantine:case:agreed", actor=person.id, subject=case.number, body=body)
    else:
        _end(session, case, ruling, S.REFUSED)
        desk.claimed_by, desk.claimed = "", None
        session.flush()
        audit.append(session, "quarantine:case:disagreed", actor=person.id, subject=case.number, body=body)
    return _value(ruling, case.number)


def second_all(session: Session, keys: Keys, batch: str, person: Person, agree: bool, reason: str, *,
               seconds: float = 10.0) -> tuple[Ruling, ...]:
    """As `second`, for all rulings of a batch that wait; one that is not allowed stops them all."""
    begin_write(session)
    numbers = session.scalars(select(Case.number).join(RulingRow, col(RulingRow.case_id) == col(Case.id)).where(
        RulingRow.batch == batch, RulingRow.state == S.SECOND).order_by(Case.number)).all() if batch else []
    if not numbers:
        raise BadState("nothing of this batch waits for a second person")
    for number in numbers:  # every lock before the first audit row
        cases.locked(session, number)
    return tuple(second(session, keys, number, person, agree, reason, seconds=seconds) for number in numbers)


def pending(session: Session, number: str) -> Ruling | None:
    """The ruling of a case that is not in effect yet, or None."""
    case = cases.get(session, number)
    found = session.scalars(select(RulingRow).where(RulingRow.open_key == str(case.id))).one_or_none()
    return _value(found, case.number) if found is not None else None


# ------------------------------------------------------------------------------------------------- effect

def due(session: Session, limit: int = 20) -> tuple[str, ...]:
    """Ids of the rulings whose undo window is over and that are not in effect, the longest waiting first."""
    return tuple(session.scalars(select(RulingRow.id).where(
        RulingRow.state == S.WAITING, col(RulingRow.effective) <= db_now(session))
        .order_by(col(RulingRow.effective)).limit(limit)))


def take(session: Session, ruling_id: str) -> Taken | None:
    """Put a ruling into effect; None when that was done, or it was undone meanwhile.

    Whoever became a party since they ruled (they tracked a copy themselves) has not ruled: the case is back.
    """
    case, ruling = _ruling(session, ruling_id)
    if ruling.state != S.WAITING or ruling.effective is None or ruling.effective > db_now(session):
        return None
    if filing.parties_of(session, ruling.case_id, {ruling.made_key, ruling.second_key} - {""}):
        _end(session, case, ruling, S.UNDONE, result="own-mail")
        audit.append(session, "quarantine:case:undone", actor="mailweir", subject=case.number,
                     body={"ruling": ruling.id, "code": "own-mail"})
        return None
    if case.state != CaseState.HELD:  # the operator decided it at the terminal
        _end(session, case, ruling, S.UNDONE, result="closed")
        return None
    captures, destroyed = _effect(session, case, ruling)
    ruling.state, ruling.open_key, ruling.taken = S.TAKEN, None, db_now(session)
    ruling.taken_until, ruling.result = ruling.taken, f"captures:{len(captures)}"
    session.flush()
    return Taken(_value(ruling, case.number), captures, destroyed)


def waits(session: Session) -> bool:
    """Whether something is left to be done of a ruling in effect. Cheap."""
    return session.scalars(select(RulingRow.id).where(
        RulingRow.state == S.TAKEN, col(RulingRow.taken_until) <= db_now(session)).limit(1)).first() is not None


def left_over(session: Session, limit: int = 20) -> tuple[Taken, ...]:
    """Rulings in effect whose rest nobody is doing: their process was killed. They are ours for two minutes."""
    begin_write(session)
    moment = db_now(session)
    found = session.scalars(select(RulingRow).where(
        RulingRow.state == S.TAKEN, col(RulingRow.taken_until) <= moment).order_by(col(RulingRow.effective))
        .limit(limit).with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)).all()
    for ruling in found:
        ruling.attempts += 1
        ruling.taken_until = moment + timedelta(seconds=_TAKE_SECONDS)
    session.flush()
    return tuple(Taken(_value(ruling, case.number), cases.trackers(session, case))
                 for ruling in found for case in [session.get_one(Case, ruling.case_id)])


def later(session: Session, ruling_id: str, seconds: float) -> None:
    """What follows a ruling does not work now: it is tried again after so long."""
    _, ruling = _ruling(session, ruling_id)
    if ruling.state == S.TAKEN:
        ruling.taken_until = db_now(session) + timedelta(seconds=seconds)


def finish(session: Session, ruling_id: str, result: str) -> Ruling:
    """Everything that follows a ruling is done; `result` is a code."""
    case, ruling = _ruling(session, ruling_id)
    if ruling.state == S.TAKEN:
        ruling.state, ruling.result, ruling.finished = S.DONE, result, db_now(session)
        session.flush()
    return _value(ruling, case.number)


def expected(ruling: Ruling) -> int:
    """How many captures a ruling in effect let pass."""
    return int(ruling.result.removeprefix("captures:")) if ruling.result.startswith("captures:") else 0


# ------------------------------------------------------------------------------------------------- inside

def _effect(session: Session, case: Case, ruling: RulingRow) -> tuple[tuple[Capture, ...], int]:
    who, why = ruling.made_by, ruling.reason
    if ruling.outcome == Outcome.RELEASE:
        quarantine.destroy_all(session, case_id=case.id, kinds=quarantine.REDACTED)
        return cases.release(session, case.number, actor=who, reason=why).captures, 0
    if ruling.outcome == Outcome.REDACT:
        return cases.release(session, case.number, actor=who, reason=why, redacted=True).captures, 0
    if ruling.outcome == Outcome.DELETE:
        waiting = cases.trackers(session, case)
        return waiting, cases.delete(session, case.number, actor=who, reason=why, keep_places=True)
    desk = filing.of(session, case)
    incident = IncidentRow(
        number=cases.next_number(session, "incident", "IN"), case_id=desk.case_id, kind=why, persons=desk.persons,
        elements=desk.elements, exposure=desk.exposure, division=desk.division, opened_by=who,
        suspends=ruling.suspends)
    session.add(incident)
    session.flush()
    cases.escalate(session, case.number, actor=who, reason=why, incident=incident.number)
    return cases.trackers(session, case), 0


def _make(session: Session, keys: Keys, case: Case, desk: DeskCase, person: Person, outcome: Outcome, reason: str,
          seconds: float, why: str, batch: str = "", *, suspend: bool = False) -> RulingRow:
    moment = db_now(session)
    made = RulingRow(
        case_id=desk.case_id, open_key=str(desk.case_id), outcome=outcome, reason=reason,
        state=S.SECOND if why else S.WAITING, batch=batch, tagger=desk.tagger, made_by=person.id,
        made_key=_key(keys, person), made=moment, seconds=seconds, suspends=suspend,
        needs_second=bool(why), why_second=why, effective=None if why else moment + timedelta(seconds=seconds))
    session.add(made)
    if desk.claimed_by != person.id:
        _claim(desk, person)
    if why:
        desk.tab = Tab.SECOND
    session.flush()
    audit.append(session, "quarantine:case:ruled", actor=person.id, subject=case.number, body={
        "ruling": made.id, "outcome": outcome, "reason": reason, "second": why, "batch": batch, "suspends": suspend})
    return made


def _why_second(case: Case, desk: DeskCase, outcome: Outcome, rules: Rules) -> str:
    """Why a second person is needed, "" when none is."""
    if outcome is not Outcome.RELEASE:
        return ""
    if desk.band in rules.second_bands:
        return desk.band
    if desk.persons >= rules.second_persons:
        return "persons"
    if case.reason in (CONFIRMED_BEFORE, RULE_ENDED):
        return case.reason
    return "unread" if rules.second_unread and case.summary.get("unread") else ""


def _end(session: Session, case: Case, ruling: RulingRow, state: RulingState, result: str = "") -> None:
    """The ruling never takes effect."""
    ruling.state, ruling.open_key, ruling.result, ruling.finished = state, None, result, db_now(session)
    quarantine.destroy_all(session, case_id=case.id, kinds=quarantine.REDACTED)
    session.flush()
    if case.state == CaseState.HELD:
        filing.to_queue(session, case)


def _locked(session: Session, number: str) -> tuple[Case, DeskCase]:
    """A case for a change. Its captures and its item are locked before it, as everywhere."""
    case = cases.locked(session, number)
    return case, filing.of(session, case)


def _ruling(session: Session, ruling_id: str) -> tuple[Case, RulingRow]:
    number = session.scalars(select(Case.number).join(RulingRow, col(RulingRow.case_id) == col(Case.id)).where(
        RulingRow.id == ruling_id)).one_or_none()
    if number is None:
        raise NotFound("ruling")
    case = cases.locked(session, number)
    return case, session.scalars(select(RulingRow).where(RulingRow.id == ruling_id).with_for_update(
        key_share=True).execution_options(populate_existing=True)).one()


def _batch(session: Session, asked: RulingRow) -> list[str]:
    if not asked.batch:
        return [asked.id]
    return [*session.scalars(select(RulingRow.id).where(RulingRow.batch == asked.batch).order_by(
        col(RulingRow.case_id)))]


def _must(session: Session, keys: Keys, desk: DeskCase, person: Person, action: Action) -> None:
    answer = may(person, action, thing_of(session, keys, desk, person))
    if not answer:
        raise NotAllowed(answer.code)


def _free_for(session: Session, case: Case, desk: DeskCase, person: Person, rules: Rules) -> None:
    if case.state != CaseState.HELD:
        raise BadState(f"case {case.number} is {case.state}")
    if pending(session, case.number) is not None:
        raise BadState(f"case {case.number}: a ruling waits")
    old: datetime | None = desk.claimed
    stale = old is None or old < db_now(session) - timedelta(hours=rules.claim_hours)
    if desk.claimed_by not in ("", person.id) and not stale:
        raise BadState(f"case {case.number}: somebody else has it")


def _claim(desk: DeskCase, person: Person) -> None:
    desk.claimed_by, desk.claimed = person.id, now()


def _key(keys: Keys, person: Person) -> str:
    return party(keys, min(person.addresses)) if person.addresses else ""


def _outcome(outcome: str, reason: str, seconds: float) -> Outcome:
    if outcome not in tuple(Outcome):
        raise BadState("there is no such outcome")
    if not _REASON.fullmatch(reason):
        raise BadState("a reason is a short code of small letters, digits and hyphens")
    if not 0 <= seconds <= _MOST_SECONDS:
        raise BadState("an undo window is no longer than an hour")
    return Outcome(outcome)


def _value(ruling: RulingRow, number: str) -> Ruling:
    return Ruling(
        id=ruling.id, case=number, outcome=Outcome(ruling.outcome), reason=ruling.reason,
        state=RulingState(ruling.state), by=ruling.made_by, made=ruling.made, effective_at=ruling.effective,
        needs_second=ruling.needs_second, why_second=ruling.why_second, second_by=ruling.second_by,
        second_reason=ruling.second_reason, batch=ruling.batch, result=ruling.result)
