"""What follows a reviewer's act outside the store's tables: rulings take effect, the item shows its state.

    deciding.show(tools, number)          after a claim: the item shows `CRM: in review`, now or when that is possible
    deciding.redacted(tools, number, remove)          the redacted copy, scanned and clean -> `desk.propose`
    deciding.settle(tools)                called by the worker's loop
    deciding.take_effect(database)        called by a page that finds a ruling due

A ruling takes effect in one transaction (`store.rulings.take`); what follows in the CRM, the mailbox and the outbox is
repeated until it is done, so that a process may be killed at any moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import timedelta
from functools import partial

from sqlmodel import Session

from capture import allowing, coordinating, marking, parties, pipeline, reminding, wire
from capture.errors import StepFailed
from capture.levels import rules_of as rules_of
from capture.mailbox import states
from capture.redaction import redact
from capture.settings import Settings
from capture.steps import directly
from capture.wiring import Tools
from store import cases, filing, ledger, outbox, pulls, quarantine, rulings, watch
from store.columns import now
from store.crypto import Keys
from store.database import Database
from store.desk import Outcome, Redaction
from store.errors import ContentDestroyed
from store.rulings import Taken
from store.tables import Capture, CaptureState, Case

log = logging.getLogger("mailweir.deciding")

AGAIN_SECONDS = 60.0
"""When what follows a ruling is tried again that does not work now."""
LINKED, HELD_ANEW, DELETED, ESCALATED = "linked", "held-anew", "deleted", "escalated"
"""What a ruling came to."""


class Settling:
    """The worker's part: rulings every second, chores every half minute."""

    RULINGS_SECONDS, CHORES_SECONDS = 1.0, 30.0

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._settled = self._tended = float("-inf")

    def look(self) -> int:
        """Do what is due; returns how many rulings came further."""
        moment = time.monotonic()
        if moment - self._tended >= self.CHORES_SECONDS:
            self._tended = moment
            try:
                directly("tend", partial(tend, self._tools))
            except StepFailed as failure:
                log.warning("the chores of the desk wait: %s", failure.reason)
        if moment - self._settled < self.RULINGS_SECONDS:
            return 0
        self._settled = moment
        return settle(self._tools)


def settle(tools: Tools, limit: int = 20) -> int:
    """Put rulings into effect whose undo window is over, and do what follows; returns how many came further.

    Safe to call at any time and from several processes. What cannot be finished now is tried again in a minute.
    """
    came = take_effect(tools.database, limit)
    with tools.database.reading() as session:
        if not rulings.waits(session):
            return came
    with tools.database.session() as session:
        ours = rulings.left_over(session, limit)
    for taken in ours:
        try:
            result = directly("settle", partial(_follow, tools, taken))
        except StepFailed as failure:
            log.warning("a ruling is in effect, and what follows waits: %s", failure.reason)
            with tools.database.session() as session:
                rulings.later(session, taken.ruling.id, AGAIN_SECONDS)
            continue
        with tools.database.session() as session:
            rulings.finish(session, taken.ruling.id, result)
        came += 1
    return came


def due(database: Database) -> bool:
    """Whether a ruling waits to take effect whose undo window is over."""
    with database.reading() as session:
        return bool(rulings.due(session, 1))


def take_effect(database: Database, limit: int = 20) -> int:
    """The part of `settle` that needs the database only: due rulings are in effect afterwards, so that pages show
    them; links, marks and notices follow by the worker."""
    with database.reading() as session:
        waiting = rulings.due(session, limit)
    taken = 0
    for ident in waiting:
        with database.session() as session:
            done = rulings.take(session, ident)
        taken += done is not None
        if done is not None and done.destroyed:
            database.scrub()
    return taken


def tend(tools: Tools) -> None:
    """The chores: parties of cases from older versions, originals whose days are over, people to be told of what is
    overdue."""
    complete(tools)
    with tools.database.reading() as session:
        over = filing.originals_over(session)
    for case_id in over:
        with tools.database.session() as session:
            quarantine.destroy_all(session, case_id=case_id)
            filing.original_gone(session, case_id)
        tools.database.scrub()
    if reminding.remind(tools.database, tools.settings) + coordinating.remind(tools.database, tools.settings):
        pipeline.deliver(tools)


def complete(tools: Tools) -> int:
    """Fill in the parties of open cases that were held before there was a desk; returns how many. Until then nobody
    can open them."""
    with tools.database.reading() as session:
        numbers = filing.incomplete(session)
    done = 0
    for number in numbers:
        with tools.database.session() as session:
            case = cases.locked(session, number)
            first = next(iter(cases.trackers(session, case)), None)
            if first is None:
                continue
            filed = parties.filing_of_capture(tools.settings, tools.keys, rules_of(tools.settings), session, first)
            filing.completed(session, case, filed, mailbox=first.mailbox)
            done += filed.parties is not None
    return done


# ---------------------------------------------------------------------------------------- what an item shows

def show(tools: Tools, number: str) -> int:
    """Let every tagged item of a case show how it stands: held, or in review when it is claimed.

    Returns how many show it now; what cannot be shown is owed and tried again.
    """
    owe_show(tools.database, number)
    with tools.database.reading() as session:
        captures = [c.id for c in _shown_ones(session, cases.get(session, number))]
    shown = 0
    for capture in captures:
        try:
            there = directly("mark", partial(marking.show, tools, capture, states.IN_REVIEW))
        except StepFailed as failure:
            log.info("the state of an item is owed: %s", failure.reason)
            continue
        with tools.database.session() as session:
            watch.paid(session, capture)
            ledger.shown_late(session, capture, shown=there)
        shown += there
    return shown


def owe_show(database: Database, number: str) -> int:
    """As `show`, without the mailboxes: the worker shows it at its next look. For a process that has no mailboxes."""
    with database.session() as session:
        return _owe(session, cases.get(session, number))


def _owe(session: Session, case: Case) -> int:
    wanted = _shown_ones(session, case)
    for capture in wanted:
        watch.owe(session, capture.id, marking.standing(session, capture), "desk", soon=True)
    return len(wanted)


def _shown_ones(session: Session, case: Case) -> list[Capture]:
    """The captures of a case whose items are in a mailbox and show how the case stands."""
    return [capture for capture in cases.trackers(session, case)
            if capture.outcome == "hold" and capture.mailbox != pulls.CRM and capture.locator is not None
            and capture.state in (CaptureState.MARKED, CaptureState.NOTIFIED)]


# ---------------------------------------------------------------------------------------------- redaction

def secret_of(keys: Keys, number: str) -> bytes:
    """What the refs of the masked view of one case are made with."""
    return bytes.fromhex(keys.digest("desk-refs", number.strip().upper().encode()))


def redacted(tools: Tools, number: str, remove: Collection[str]) -> Redaction:
    """The held item without what was chosen (`ref`s of `capture.masked`, made with `secret_of`).

    Raises `NotClean` when what is left is not clean, with kinds and places; `BadRef`, `NotFound`, `ContentDestroyed`.
    """
    with tools.database.reading() as session:
        case = cases.get(session, number)
        division = filing.division_of(session, case)
        mail = quarantine.blobs(session, case_id=case.id, kind=quarantine.MAIL)
        text = quarantine.blobs(session, case_id=case.id, kind=quarantine.EXTRACTION)
        if not mail or not text:
            raise ContentDestroyed(f"case {case.number}")
        raw = quarantine.read(session, tools.keys, mail[-1].id)
        extraction = wire.from_bytes(quarantine.read(session, tools.keys, text[-1].id))
    scanner = allowing.with_rules(tools, division)
    made = redact(raw, extraction, tools.scanner.scan(extraction), remove, secret=secret_of(tools.keys, case.number),
                  extractor=tools.extractor, scanner=scanner)
    return Redaction(made.mail, wire.to_bytes(made.extraction), sum(made.removed.values()))


# ------------------------------------------------------------------------------------------ what follows

def _follow(tools: Tools, taken: Taken) -> str:
    """Do what follows a ruling; safe to repeat. Returns what it came to."""
    follow = {Outcome.RELEASE: _link, Outcome.REDACT: _link, Outcome.DELETE: _tell_deleted,
              Outcome.ESCALATE: _tell_incident}[taken.ruling.outcome]
    return follow(tools, taken)


def _link(tools: Tools, taken: Taken) -> str:
    """Link what was let pass, for everybody who tracked it."""
    days = tools.settings.review.keep_original_days
    with tools.database.session() as session:
        case = cases.get(session, taken.ruling.case)
        if taken.ruling.outcome is Outcome.REDACT and days and case.id is not None:
            filing.keep_original(session, case.id, now() + timedelta(days=days))
    began = taken.ruling.effective_at or now()
    patient = (now() - began).total_seconds() < tools.settings.engine.patience_seconds
    for capture in passing(taken.captures):
        pipeline.capture_item(capture, tools, patient=patient)
    tools.database.scrub()
    with tools.database.reading() as session:
        linked = sum(capture.outcome == pipeline.LINK for capture in cases.trackers(session, case))
    return LINKED if linked >= rulings.expected(taken.ruling) else HELD_ANEW


def passing(captures: Collection[Capture]) -> list[str]:
    """Those of a released case's captures that are not through yet."""
    return [capture.id for capture in captures
            if capture.outcome == pipeline.LINK and capture.state not in ledger.ENDED]


def _tell_deleted(tools: Tools, taken: Taken) -> str:
    tools.database.scrub()
    tell_deleted(tools.database, tools.settings, taken.ruling.case)
    pipeline.deliver(tools)
    return DELETED


def tell_deleted(database: Database, settings: Settings, number: str) -> None:
    """Let the items of a destroyed case show that they are not tracked, and tell everybody who had tracked them."""
    with database.session() as session:
        case = cases.get(session, number)
        _owe(session, case)
        told = [capture.mailbox for capture in cases.trackers(session, case) if capture.mailbox != pulls.CRM]
        data = {"case": case.number}
        if kinds := {pulls.kind_of(p.record) for p in pulls.of_case(session, case.id)} - {"activity"}:
            data["record"] = min(kinds)
        for place, mailbox in enumerate(sorted({*told, *pulls.case_trackers(session, case.id)}), 1):
            outbox.add(session, key=f"{case.number}/deleted/{place}", template="deleted", data=data,
                       recipient=pipeline.address_in(settings, mailbox))


def _tell_incident(tools: Tools, taken: Taken) -> str:
    owe_show(tools.database, taken.ruling.case)
    reminding.tell_incident(tools.database, tools.settings, taken.ruling.case)
    pipeline.deliver(tools)
    return ESCALATED
