"""What operators and reviewers do at the terminal: the queue, the CRM records, the audit.

Every look and every act writes its audit row in the same transaction. Results are plain values for a table
or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sqlmodel import Session

from capture import auditing, pipeline, typed_text
from capture.acting import UnknownActor, acting, person_of, required
from capture.auditing import actor_name as actor_name
from capture.choosing import who_is
from capture.deciding import owe_show, tell_deleted
from capture.errors import BadInput
from capture.levels import rules_of
from capture.matching import may_identify
from capture.settings import Settings
from capture.wiring import assembled, build_scanner, opened
from store import audit, cases, crm_import, crm_pages, crm_records, crm_suppression, firewall, pulls, reads
from store import desk as queue
from store.access import Action, Thing
from store.crm_tables import Activity
from store.crypto import Keys
from store.errors import BadState, ImportRefused, NotFound
from store.people_tables import Division
from store.tables import Case

_REASON = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class BadReason(BadInput):
    """A reason is a short code of small letters, digits and hyphens, because it stands in the audit."""

    code = "bad-reason"
    hint = "For example: --reason false-positive, --reason confirmed, --reason business-contact."


def list_cases(settings: Settings, *, all_cases: bool = False, actor: str = "") -> list[dict[str, Any]]:
    """Held items, the worst first: kinds, counts and places only. A registered person sees those within their
    reach."""
    with opened(settings) as (database, _), database.session() as session:
        found = queue.ranked(session, closed=all_cases)
        person = person_of(session, actor)
        who = acting(session, actor, Action.QUEUE_LIST)
        if person is not None:
            found = tuple((row, case) for row, case in found if queue.within(session, person, case))
        audit.append(session, "quarantine:queue:listed", actor=who, body={"cases": len(found)})
        return [_case_row(case) | _standing(row) for row, case in found]


def show_case(settings: Settings, number: str, *, actor: str = "") -> dict[str, Any]:
    """Why one item is held, finding by finding, how it stands and what happened to it."""
    with opened(settings) as (database, keys), database.session() as session:
        case = cases.get(session, number)
        person = person_of(session, actor)
        who = acting(session, actor, Action.CASE_READ,
                     queue.thing(session, keys, number, person) if person is not None else None)
        audit.append(session, "quarantine:case:read", actor=who, subject=case.number)
        summary, row, ruling = case.summary, queue.row(session, number), queue.pending(session, number)
        return _case_row(case) | {
            "rule": summary.get("rule", ""), "policy": case.policy, "sensitivity": summary.get("sensitivity", ""),
            "persons": summary.get("persons", 0), "minors": summary.get("minors", 0),
            "doubt": summary.get("doubt", 0.0), "closed_by": case.closed_by, "closed_reason": case.closed_reason,
            "findings": summary.get("findings", []), "exempt": summary.get("exempt", []),
            "unread": summary.get("unread", []),
            "trackers": sorted({*pulls.case_trackers(session, case.id), *(
                capture.mailbox for capture in cases.trackers(session, case) if capture.mailbox != pulls.CRM)}),
            "origin": summary.get("origin", "capture"), "exposure": summary.get("exposure", 1),
            "readers": pulls.exposures(session, case.id),
            **_standing(row),
            "ruling": {"outcome": ruling.outcome.value, "reason": ruling.reason, "second": ruling.why_second,
                       "effective": ruling.effective_at.isoformat(timespec="seconds") if ruling.effective_at else "",
                       } if ruling else {},
            "history": [{"at": event.at.isoformat(timespec="seconds"), "actor": event.actor, "what": event.what,
                         "code": event.code} for event in queue.history(session, number)]}


def release_case(settings: Settings, number: str, *, reason: str, actor: str = "") -> str:
    """Let an item pass and link it for everybody who tracked it. A registered person rules like at the desk."""
    return _rule(settings, number, "release", reason, actor) or release_now(settings, number, reason=reason,
                                                                            actor=actor)


def delete_case(settings: Settings, number: str, *, reason: str, actor: str = "") -> str:
    """Destroy the content of a held item. What remains is the receipt: case, kinds, who, when, why."""
    return _rule(settings, number, "delete", reason, actor) or delete_now(settings, number, reason=reason, actor=actor)


def escalate_case(settings: Settings, number: str, *, reason: str, actor: str, suspend: bool = False) -> str:
    """Make a held item an incident of the kind `reason`; `suspend` as for `store.rulings.propose`. Raises
    `UnknownActor` for somebody not registered."""
    return _rule(settings, number, "escalate", reason, actor, person_only=True, suspend=suspend)


def close_incident(settings: Settings, number: str, *, reason: str, actor: str) -> str:
    """The incident is dealt with: its case is back in the queue, and tracking is not suspended any more. Raises
    `UnknownActor` for somebody not registered, `NotAllowed` for all but the privacy officer."""
    _check_reason(reason)
    with opened(settings) as (database, _), database.session() as session:
        person = person_of(session, actor)
        if person is None:
            raise UnknownActor
        closed = queue.close_incident(session, number, person, reason, rules=rules_of(settings))
    return f"{closed.number} closed; {closed.case} waits for a decision again"


def claim_case(settings: Settings, number: str, *, actor: str) -> str:
    """Take a case on, and let its item show it. Raises `UnknownActor` for somebody not registered."""
    with opened(settings) as (database, keys):
        with database.session() as session:
            person = required(session, actor, Action.CASE_CLAIM, _thing(session, keys, number, actor))
            row = queue.claim(session, keys, number, person, rules=rules_of(settings))
        owe_show(database, number)
    return f"{row.number} claimed; its item shows it at the worker's next look"


def undo_ruling(settings: Settings, number: str, *, actor: str) -> str:
    """Take a ruling back before it is in effect. Raises `UnknownActor` for somebody not registered."""
    with opened(settings) as (database, _), database.session() as session:
        ruling, person = queue.pending(session, number), person_of(session, actor)
        if person is None:
            raise UnknownActor
        if ruling is None:
            raise BadState(f"case {number}: no ruling waits")
        queue.undo(session, ruling.id, person)
        return f"{ruling.case}: {ruling.outcome} taken back"


def release_now(settings: Settings, number: str, *, reason: str, actor: str = "") -> str:
    """Release a case here and now, as the operator of a home that has no reviewers; asks nobody."""
    _check_reason(reason)
    with assembled(settings) as tools:
        with tools.database.session() as session:
            released = cases.release(session, number, actor=actor_name(actor), reason=reason)
            captures = [capture.id for capture in released.captures]
            records = sum(capture.mailbox == pulls.CRM for capture in released.captures)
        outcomes = [pipeline.capture_item(capture, tools) for capture in captures]
        tools.database.scrub()
    linked = outcomes.count(pipeline.LINK)
    if linked < len(outcomes):
        return (f"{number} released, but {len(outcomes) - linked} of {len(outcomes)} could not be linked "
                "and are held anew")
    if records:
        return f"{number} released; the CRM has its content again"
    return f"{number} released and linked for {linked} tracker{'' if linked == 1 else 's'}"


def delete_now(settings: Settings, number: str, *, reason: str, actor: str = "") -> str:
    """Destroy the content of a case here and now, as `release_now`."""
    _check_reason(reason)
    with opened(settings) as (database, _):
        with database.session() as session:
            destroyed = cases.delete(session, number, actor=actor_name(actor), reason=reason, keep_places=True)
        database.scrub()
        tell_deleted(database, settings, number)
    return f"{number} deleted: the key of {destroyed} stored content{'' if destroyed == 1 else 's'} is destroyed"


def _rule(settings: Settings, number: str, outcome: str, reason: str, actor: str, *, person_only: bool = False,
          suspend: bool = False) -> str:
    """What a registered person ruled, in a sentence; "" when the operator of the machine is to act.

    Raises `NotAllowed`, and `UnknownActor` for anybody else as soon as somebody reviews.
    """
    _check_reason(reason)
    with opened(settings) as (database, keys), database.session() as session:
        person = person_of(session, actor)
        if person is None:
            if person_only or queue.somebody_reviews(session):
                raise UnknownActor
            return ""
        made = queue.propose(session, keys, number, person, outcome, reason, suspend=suspend,
                             seconds=settings.review.undo_seconds, rules=rules_of(settings))
    what = {"delete": "destruction", "escalate": "escalation"}.get(outcome, outcome)
    if made.effective_at is None:
        return f"{made.case}: the {what} waits for a second person, who agrees at the desk ({made.why_second})"
    moment = made.effective_at.isoformat(timespec="seconds")
    return f"{made.case}: a worker carries out the {what} at {moment}; until then `mailweir queue undo` takes it back"


def _thing(session: Session, keys: Keys, number: str, actor: str) -> Thing:
    person = person_of(session, actor)
    return queue.thing(session, keys, number, person) if person is not None else Thing()


def import_crm(settings: Settings, file: Path, *, dry_run: bool = False, actor: str = "",
               division: str = "") -> dict[str, int]:
    """Import organisations and contacts from a CSV file (UTF-8, or the Windows code page); `division` is whose the
    contacts are."""
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise BadInput(f"{file}: {type(exc).__name__}") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    with opened(settings) as (database, keys):
        with database.session() as session:
            if division and session.get(Division, division) is None:
                raise NotFound("no such division")
            who, person = acting(session, actor, Action.RECORD_IMPORT, Thing(division)), person_of(session, actor)
        lines = crm_import.read_lines(text)
        _typed_lines(settings, lines)
        digest = crm_suppression.digest_with(keys)
        with database.session() as session:
            return crm_import.import_lines(
                session, lines, actor=who, dry_run=dry_run, division=division, owner=person.id if person else "",
                may_identify=partial(may_identify, own_domains=settings.scan.own_domains),
                suppressed=lambda open_session, address: crm_suppression.suppressed(open_session, digest, address))


def _typed_lines(settings: Settings, lines: Sequence[crm_import.Line]) -> None:
    """Scan the free text of a file. Raises `ImportRefused` naming lines, columns and kinds, never words."""
    typed = [(number, name, text) for number, line in enumerate(lines, 1) for name in crm_import.TYPED
             if (text := getattr(line, name))]
    if not typed:
        return
    scanner, wrong = build_scanner(settings), []
    known: dict[tuple[str, bool], tuple[str, ...]] = {}
    for number, name, text in typed:
        key = text, name in typed_text.SHORT
        if key not in known:
            known[key] = typed_text.personal(scanner, text, short=key[1])
        if known[key]:
            wrong.append(f"record {number}, {name}: {', '.join(known[key])}")
    if wrong:
        more = f"; and {len(wrong) - crm_import.MAX_NAMED} more" if len(wrong) > crm_import.MAX_NAMED else ""
        raise ImportRefused("; ".join(wrong[:crm_import.MAX_NAMED]) + more)


def list_crm(settings: Settings, kind: str, *, actor: str = "") -> list[dict[str, Any]]:
    """Records of the embedded CRM: activities, organisations, contacts or unmatched; how to reach people of other
    divisions is hidden."""
    with opened(settings) as (database, _), database.session() as session:
        audit.lock(session)  # before the reading: a rescan that pulls one of them out now names this reader
        who = acting(session, actor, Action.RECORD_LIST)
        rows = firewall.listed(kind, crm_records.listed(session, kind), person_of(session, actor))
        reads.listed(session, actor=who, kind=kind, ids=[row["id"] for row in rows])
        return rows


def show_crm(settings: Settings, record: str, *, actor: str = "") -> dict[str, Any]:
    """One record with its links and trackers; how to reach people of other divisions is hidden, and so is what an
    activity of another division says, unless one tracks it."""
    with opened(settings) as (database, _), database.session() as session:
        audit.lock(session)  # before the reading: a rescan that pulls it out now names this reader
        who = acting(session, actor, Action.RECORD_LIST)
        shown = firewall.shown(crm_records.shown(session, record), person_of(session, actor))
        if shown["kind"] == "activity" and not crm_pages.is_open(
                session, who_is(session, settings, actor), session.get_one(Activity, shown["id"])):
            shown |= dict.fromkeys(("body", "attachments", "message_id"))
        audit.append(session, "crm:record:read", actor=who, subject=shown["id"],
                     body={"kind": shown["kind"]})
        return shown


def verify_audit(settings: Settings, anchor: str = "") -> dict[str, Any]:
    """Walk the chain of audit rows and its checkpoints; see `auditing.verify`."""
    return auditing.verify(settings, anchor=anchor)


def _case_row(case: Case) -> dict[str, Any]:
    summary = case.summary
    return {"case": case.number, "state": case.state, "verdict": case.verdict, "reason": case.reason,
            "kinds": summary.get("categories", []),
            "unread": sorted({u["code"] for u in summary.get("unread", [])}),
            "trackers": case.trackers, "opened": case.opened.isoformat(timespec="seconds"),
            "closed": case.closed.isoformat(timespec="seconds") if case.closed else ""}


def _standing(row: queue.QueueRow) -> dict[str, Any]:
    return {"risk": row.risk.score, "band": row.risk.band, "due": row.due.isoformat(timespec="seconds"),
            "overdue": row.overdue, "division": row.division, "stands": row.state}


def _check_reason(reason: str) -> None:
    if not _REASON.fullmatch(reason):
        raise BadReason
