"""How far every item has come. Each step is one function, safe to call twice, in the caller's transaction.

    with db.session() as s: capture = ledger.register(s, mailbox, source_key, message_key)  # a tagged item
    with db.session() as s: ledger.begin(s, capture.id)                    # one more attempt
    ... fetch, extract, scan; in the same transaction quarantine.stage(...):
    ledger.scanned(s, capture.id, item_key=..., content_hash=..., decision=decision)
    ruling = ledger.decide(s, capture.id)         # "link" or "hold": the scan, plus what is known of the item
    ledger.linked(s, capture.id, activity=..., matched=..., records=...)   # after Crm.link; destroys the content
    held = ledger.hold(s, capture.id)             # opens a case or joins one; the content is kept for it
    held = ledger.hold(s, capture.id, reason="fetch-failed")  # an error, from any state before an outcome
    ledger.gone(s, capture.id)                    # the item has left the mailbox before it was fetched
    ledger.cancel(s, capture.id, why="tag-removed")   # before anybody picked it up
    ledger.refuse(s, capture.id, reason="private")    # nothing of it is kept
    ledger.marked(s, capture.id, shown=True)      # the mailbox shows the state, or cannot
    ledger.finished(s, capture.id)                # notices are in the outbox; nothing is left to do

What may follow what is `NEXT`. A step that was done already changes nothing and writes no second audit
row; a step that contradicts what happened raises `BadState`.

The state of a message over all its copies (design: "worst verdict wins") is decided in `decide`, by `store.verdict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import func
from sqlalchemy import select as columns
from sqlalchemy.orm import Session
from sqlmodel import col, select

from pii_scan.findings import Decision, Verdict
from store import audit, filing, quarantine
from store.cases import next_number
from store.columns import now
from store.database import begin_write, get_or_create
from store.desk_types import CONFIRMED_BEFORE, Filing
from store.errors import BadState, NotFound
from store.summary import counts as kind_counts
from store.summary import summary as summarise
from store.tables import OPEN_CASE, Capture, CaptureState, Case, CaseState, Item, ItemState
from store.verdict import Ruling, linked_before, rule
from store.watch_tables import OwedMark

SERVICE = "mailweir"
"""The actor of what nobody asked for in person."""

S = CaptureState
NEXT: dict[CaptureState, frozenset[CaptureState]] = {
    S.CLAIMED: frozenset({S.SCANNED, S.HELD, S.GONE, S.CANCELLED, S.REFUSED}),
    S.SCANNED: frozenset({S.DECIDED, S.HELD, S.GONE}),
    S.DECIDED: frozenset({S.LINKED, S.HELD, S.GONE}),
    S.LINKED: frozenset({S.MARKED}),
    S.HELD: frozenset({S.MARKED, S.DECIDED}),      # back to decided by a reviewer's release only
    S.GONE: frozenset({S.NOTIFIED}),
    S.CANCELLED: frozenset(),
    S.REFUSED: frozenset({S.MARKED}),
    S.MARKED: frozenset({S.NOTIFIED, S.DECIDED}),
    S.NOTIFIED: frozenset({S.DECIDED}),
}
"""What may follow a state."""

_RANK = {S.CLAIMED: 0, S.SCANNED: 1, S.DECIDED: 2, S.LINKED: 3, S.HELD: 3, S.GONE: 3, S.CANCELLED: 3,
         S.REFUSED: 3, S.MARKED: 4, S.NOTIFIED: 5}
_OUTCOME_OF = {S.LINKED: "link", S.HELD: "hold", S.GONE: "gone", S.CANCELLED: "cancel", S.REFUSED: "refuse"}
ENDED = (S.NOTIFIED, S.GONE, S.CANCELLED)
"""Nothing is left to do."""
DONE = (S.MARKED, *ENDED)
"""From here on, the same place tagged again is a new capture."""
_WORSE = {"": 0, Verdict.PASS: 1, Verdict.REVIEW: 2, Verdict.BLOCK: 3}


@dataclass(frozen=True, slots=True)
class Held:
    """The case an item went to. `joined` when it was open already; `trackers` people wait for it;
    `was_linked` when another copy is in the CRM already and has to be looked at."""

    case_id: int
    number: str
    joined: bool
    trackers: int
    was_linked: bool


def register(session: Session, mailbox: str, source_key: str, message_key: str | None = None, *,
             locator: bytes | None = None, kind: str = "mail", trigger: str = "category", requested_by: str = "",
             record: str = "") -> Capture:
    """Take on a tagged item, or find the unfinished capture of the same place.

    `source_key` and `message_key` come from `store.identity`, `locator` from `store.places`. When the last capture
    of this place is done, the item was tagged again: a new generation begins. Whether it was is the watching's to
    tell.
    """
    begin_write(session)

    def latest() -> Capture | None:
        return session.scalars(
            select(Capture).where(Capture.mailbox == mailbox, Capture.source_key == source_key)
            .order_by(col(Capture.generation).desc()).limit(1)).first()

    last = latest()
    if last is not None and last.state not in DONE:
        return last
    generation = last.generation + 1 if last else 1
    item_id = _item(session, message_key).id if message_key else None
    capture, made = get_or_create(
        session, lambda: _unfinished(latest()),
        lambda: Capture(mailbox=mailbox, source_key=source_key, generation=generation, item_id=item_id,
                        locator=locator, kind=kind, trigger=trigger, requested_by=requested_by, record=record))
    if made:
        audit.append(session, "capture:item:registered", actor=requested_by or SERVICE, subject=capture.id,
                     body={"generation": generation, "kind": kind, "trigger": trigger, "record": record})
    return capture


def begin(session: Session, capture_id: str) -> Capture:
    """Count one more attempt. The engine's own counter starts anew after a resume; this one does not."""
    capture = get(session, capture_id, lock=True)
    capture.attempts += 1
    capture.updated = now()
    session.flush()
    return capture


def cancel(session: Session, capture_id: str, *, why: str) -> bool:
    """End a capture that nobody has picked up yet; False when somebody has, and it takes its course."""
    capture = get(session, capture_id, lock=True)
    if capture.state != S.CLAIMED or (capture.attempts and why != "duplicate"):
        return False
    _advance(capture, S.CANCELLED)
    capture.outcome, capture.locator, capture.finished = "cancel", None, now()
    session.flush()
    quarantine.destroy_all(session, capture_id=capture.id)
    audit.append(session, "capture:item:cancelled", actor=SERVICE, subject=capture.id, body={"why": why})
    return True


def refuse(session: Session, capture_id: str, *, reason: str) -> Capture:
    """The item may not be tracked (its user marked it private): nothing of it is kept."""
    capture = get(session, capture_id, lock=True)
    if _advance(capture, S.REFUSED):
        capture.outcome, capture.summary = "refuse", {"reason": reason}
        session.flush()
        quarantine.destroy_all(session, capture_id=capture.id)
        audit.append(session, "capture:item:refused", actor=SERVICE, subject=capture.id, body={"reason": reason})
    return capture


def scanned(session: Session, capture_id: str, *, item_key: str, content_hash: str,
            decision: Decision) -> Capture:
    """Note what the scan said: codes, kinds, counts, places. Stage the content in the same transaction."""
    capture = get(session, capture_id, lock=True)
    if _advance(capture, S.SCANNED):
        capture.item_id = _item(session, item_key).id
        capture.content_hash = content_hash
        capture.summary = summarise(decision)
        session.flush()
    return capture


def decide(session: Session, capture_id: str) -> Ruling:
    """Decide with everything that is known of the message; see the table of `store.verdict`."""
    capture = get(session, capture_id, lock=True)
    item = _item_of(session, capture)
    if not _advance(capture, S.DECIDED):
        outcome: Literal["link", "hold"] = "link" if capture.outcome == "link" else "hold"
        return Ruling(outcome, capture.summary.get("why", "decision"), item.item_key)
    ruling = rule(session, capture, item)
    capture.outcome = ruling.outcome
    capture.summary = capture.summary | {"why": ruling.why}
    verdict = capture.summary.get("verdict", "")
    if _WORSE[verdict] >= _WORSE[item.verdict]:
        item.verdict, item.content_hash = verdict, capture.content_hash
        item.policy = capture.summary.get("policy", "")
    item.updated = now()
    audit.append(session, "capture:item:decided", actor=SERVICE, subject=capture.id, body={
        "item": item.id, "outcome": ruling.outcome, "why": ruling.why, "verdict": verdict,
        "policy": item.policy, "kinds": kind_counts(capture.summary),
        "unread": len(capture.summary.get("unread", ()))})
    return ruling


def objection(session: Session, capture_id: str) -> str:
    """Why a capture that was ruled "link" must be held all the same, "" when nothing speaks against it.

    Between the ruling and the link hours may pass (the CRM was away, the work was parked): another copy may be held,
    this content confirmed as personal, or the allow rule it passes by withdrawn, since then. What a reviewer released
    stays released.
    """
    capture = get(session, capture_id)
    if capture.summary.get("why") in ("released", "redacted"):
        return ""
    ruling = rule(session, capture, session.get_one(Item, capture.item_id))
    return "" if ruling.link else ruling.why if ruling.why != "decision" else CONFIRMED_BEFORE


def linked(session: Session, capture_id: str, *, activity: str, matched: str, records: int,
           asked: int = 0, notes: Sequence[str] = ()) -> Capture:
    """The CRM has the item. Content that only this capture needed is destroyed. `asked`: questions left for its user;
    `notes`: codes of what the CRM did not take as it was.

    Raises `BadState` when the ruling was to hold.
    """
    capture = get(session, capture_id, lock=True)
    if capture.state == S.DECIDED and capture.outcome != "link":
        raise BadState(f"capture {capture.id}: ruled {capture.outcome}, asked to link")
    if not _advance(capture, S.LINKED):
        return capture
    capture.activity = activity
    capture.summary = capture.summary | {"matched": matched, "records": records} | (
        {"asked": asked} if asked else {})
    item = _item_of(session, capture)
    if not _open_cases(session, item.id):
        item.state = ItemState.LINKED
    item.updated = now()
    session.flush()
    destroyed = quarantine.destroy_all(session, capture_id=capture.id) if capture.case_id is None else \
        _destroy_when_last(session, capture.case_id)
    left = {"notes": tuple(notes)} if notes else {}
    audit.append(session, "capture:item:linked", actor=SERVICE, subject=capture.id, body={
        "item": item.id, "activity": activity, "matched": matched, "records": records, "destroyed": destroyed, **left})
    return capture


def already_linked(session: Session, capture_id: str) -> int:
    """The earlier capture's activity is this one's too; returns the number of its records."""
    capture = get(session, capture_id, lock=True)
    earlier = linked_before(session, capture)
    if earlier is None:
        raise BadState(f"capture {capture.id}: nothing was linked before")
    records = int(earlier.summary.get("records", 0))
    linked(session, capture_id, activity=earlier.activity, matched=str(earlier.summary.get("matched", "")),
           records=records)
    return records


def hold(session: Session, capture_id: str, *, reason: str = "", actor: str = SERVICE,
         filed: Filing | None = None) -> Held:
    """Hold the item: open a case, or join the open case of the same message and content.

    `reason` is a code; empty means what the scan and the ruling say ("personal-information",
    "unreadable", "other-copy-held", ...). With a reason this is how errors hold, from any state before
    an outcome, whether or not anything was read. `filed`: who is a party to it, for the desk.
    """
    capture = get(session, capture_id, lock=True)
    if capture.state == S.DECIDED and capture.outcome == "link" and not reason:
        raise BadState(f"capture {capture.id}: ruled link, asked to hold without a reason")
    if capture.state in (S.CLAIMED, S.SCANNED) and not reason:
        raise BadState(f"capture {capture.id}: not decided yet, so a reason is needed")
    if not _advance(capture, S.HELD):
        case = _case_of(session, capture)
        return _held(capture, case)
    if capture.item_id is None:
        capture.item_id = _item(session, capture.source_key).id
    if not capture.summary:
        capture.summary = {"verdict": Verdict.REVIEW.value, "rule": "error", "categories": [], "findings": [],
                           "unread": [{"place": "item", "code": reason}]}
    item = _item_of(session, capture)
    was_linked = item.state == ItemState.LINKED
    case, made = _open_case(session, capture, item, reason or _reason(capture))
    former = capture.case_id  # released, but it could not be linked
    capture.case_id, capture.outcome = case.id, "hold"
    item.state, item.updated = ItemState.HELD, now()
    capture.summary = capture.summary | {"joined": not made, "was_linked": was_linked}
    session.flush()
    if made or not quarantine.blobs(session, case_id=case.id):
        quarantine.hold(session, capture.id, _id(case), former=former)
    else:
        quarantine.destroy_all(session, capture_id=capture.id)
    if not made and _new_tracker(session, capture, case):
        case.trackers += 1
    if made:
        filing.opened(session, case, filed, mailbox=capture.mailbox)
    else:
        filing.joined(session, case, filed)
    body: dict[str, audit.Fact] = {"case": case.number, "item": item.id, "reason": case.reason,
                                   "trackers": case.trackers}
    audit.append(session, "capture:item:held" if made else "capture:item:joined", actor=actor,
                 subject=capture.id, body=body)
    session.flush()
    return _held(capture, case)


def gone(session: Session, capture_id: str) -> Capture:
    """The item left the mailbox before it could be fetched; whatever was staged is destroyed."""
    capture = get(session, capture_id, lock=True)
    if _advance(capture, S.GONE):
        capture.outcome = "gone"
        session.flush()
        quarantine.destroy_all(session, capture_id=capture.id)
        audit.append(session, "capture:item:gone", actor=SERVICE, subject=capture.id)
    return capture


def marked(session: Session, capture_id: str, *, shown: bool = True) -> Capture:
    """The mailbox shows the state (`shown`), or the item is not there any more to show it."""
    capture = get(session, capture_id, lock=True)
    if _advance(capture, S.MARKED):
        audit.append(session, "capture:item:marked", actor=SERVICE, subject=capture.id, body={"shown": shown})
    return capture


def shown_late(session: Session, capture_id: str, *, shown: bool) -> Capture:
    """The state that could not be shown before is shown now, or the item is not there any more."""
    capture = get(session, capture_id, lock=True)
    audit.append(session, "capture:item:marked", actor=SERVICE, subject=capture.id, body={"shown": shown})
    forget_place(session, capture)
    session.flush()
    return capture


def finished(session: Session, capture_id: str) -> Capture:
    """Nothing is left to do. The locator is kept only while a case may still be released."""
    capture = get(session, capture_id, lock=True)
    if _advance(capture, S.NOTIFIED):
        capture.finished = now()
        session.flush()
        forget_place(session, capture)
        audit.append(session, "capture:item:finished", actor=SERVICE, subject=capture.id,
                     body={"outcome": capture.outcome, "attempts": capture.attempts})
    return capture


# ----------------------------------------------------------------------------------------------- queries

def get(session: Session, capture_id: str, *, lock: bool = False) -> Capture:
    """One capture; with `lock`, for a change. Raises `NotFound`."""
    query = select(Capture).where(Capture.id == capture_id)
    if lock:
        begin_write(session)
        query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    capture = session.scalars(query).one_or_none()
    if capture is None:
        raise NotFound(f"capture {capture_id}")
    return capture


def unfinished(session: Session, limit: int = 1000) -> tuple[Capture, ...]:
    """Captures with something left to do, oldest first."""
    return tuple(session.scalars(
        select(Capture).where(col(Capture.state).not_in(ENDED)).order_by(col(Capture.created)).limit(limit)))


def item_key(session: Session, capture_id: str) -> str:
    """The item key of a capture that was scanned or held. Raises `BadState` before that."""
    return _item_of(session, get(session, capture_id)).item_key


def outcomes(session: Session) -> dict[str, int]:
    """How the captures ended: `{"linked": n, "held": n, "gone": n, "refused": n, "cancelled": n, "unfinished": n}`."""
    ended = dict(session.execute(
        columns(col(Capture.outcome), func.count()).where(col(Capture.state).in_(ENDED))
        .group_by(col(Capture.outcome))).all())
    total = session.scalars(select(func.count()).select_from(Capture)).one()
    return {"linked": ended.get("link", 0), "held": ended.get("hold", 0), "gone": ended.get("gone", 0),
            "refused": ended.get("refuse", 0), "cancelled": ended.get("cancel", 0),
            "unfinished": total - sum(ended.values())}


def counts(session: Session) -> dict[str, dict[str, int]]:
    """How many there are by state: `{"captures": {...}, "items": {...}, "cases": {...}}`."""
    return {name: {str(state): number for state, number in session.execute(
                columns(state_of, func.count()).group_by(state_of).order_by(state_of))}
            for name, state_of in (("captures", col(Capture.state)), ("items", col(Item.state)),
                                   ("cases", col(Case.state)))}


# ----------------------------------------------------------------------------------------------- helpers

def _advance(capture: Capture, to: CaptureState) -> bool:
    """Move the capture on; False when it is there, or past it on the same way."""
    state = CaptureState(capture.state)
    same_way = _OUTCOME_OF.get(to, capture.outcome) == capture.outcome
    past = _RANK[state] > _RANK[to] and state not in (S.GONE, S.CANCELLED) and same_way
    if state is to or past:
        return False
    if to not in NEXT[state]:
        raise BadState(f"capture {capture.id} is {state}, asked to be {to}")
    capture.state, capture.updated = to, now()
    return True


def _unfinished(capture: Capture | None) -> Capture | None:
    return capture if capture is not None and capture.state not in DONE else None


def _item(session: Session, item_key: str) -> Item:
    def find() -> Item | None:
        return session.scalars(select(Item).where(Item.item_key == item_key)).one_or_none()
    return get_or_create(session, find, lambda: Item(item_key=item_key))[0]


def _item_of(session: Session, capture: Capture) -> Item:
    """The item, locked: two captures of one message take their turns."""
    item = session.scalars(select(Item).where(Item.id == capture.item_id).with_for_update(key_share=True)
                           .execution_options(populate_existing=True)).one_or_none()
    if item is None:
        raise BadState(f"capture {capture.id} has no item yet")
    return item


def forget_place(session: Session, capture: Capture) -> None:
    """The place is kept only while the state is still to be shown, or a case may still be released."""
    if capture.finished is None or session.get(OwedMark, capture.id) is not None:
        return
    case = session.get(Case, capture.case_id) if capture.outcome == "hold" and capture.case_id is not None else None
    if capture.outcome != "hold" or (case is not None and case.state == CaseState.DELETED):
        capture.locator = None


def _reason(capture: Capture) -> str:
    """The reason code of a case that was held by decision."""
    why = str(capture.summary.get("why", "decision"))
    if why != "decision":
        return why
    if capture.summary.get("verdict") == Verdict.BLOCK:
        return "personal-information"
    return "unreadable" if capture.summary.get("unread") else "unclear"


def _open_cases(session: Session, item_id: str) -> int:
    return session.scalars(select(func.count()).select_from(Case).where(
        Case.item_id == item_id, col(Case.state).in_(OPEN_CASE))).one()


def _open_case(session: Session, capture: Capture, item: Item, reason: str) -> tuple[Case, bool]:
    open_key = f"{item.id}/{capture.content_hash}"

    def find() -> Case | None:
        return session.scalars(
            select(Case).where(Case.open_key == open_key).with_for_update(key_share=True)).one_or_none()

    return get_or_create(session, find, lambda: Case(
        number=next_number(session), item_id=item.id, content_hash=capture.content_hash, open_key=open_key,
        reason=reason, verdict=capture.summary.get("verdict", Verdict.REVIEW.value),
        policy=capture.summary.get("policy", ""), summary=capture.summary))


def _case_of(session: Session, capture: Capture) -> Case:
    case = session.get(Case, capture.case_id)
    if case is None:
        raise BadState(f"capture {capture.id} has no case")
    return case


def _held(capture: Capture, case: Case) -> Held:
    return Held(_id(case), case.number, bool(capture.summary.get("joined")), case.trackers,
                bool(capture.summary.get("was_linked")))


def _id(case: Case) -> int:
    if case.id is None:
        raise BadState("a case that was not written yet")
    return case.id


def _new_tracker(session: Session, capture: Capture, case: Case) -> bool:
    others = session.scalars(select(func.count()).select_from(Capture).where(
        Capture.case_id == case.id, Capture.mailbox == capture.mailbox, Capture.id != capture.id)).one()
    return others == 0


def _destroy_when_last(session: Session, case_id: int) -> int:
    """Content of a released case goes when its last capture is linked; an original of which a redacted copy passed may
    stay for some days."""
    waiting = session.scalars(select(func.count()).select_from(Capture).where(
        Capture.case_id == case_id, Capture.state == S.DECIDED)).one()
    if waiting:
        return 0
    kinds = quarantine.REDACTED if filing.original_stays(session, case_id) else ()
    return quarantine.destroy_all(session, case_id=case_id, kinds=kinds)
