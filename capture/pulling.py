"""A stored item that must leave the CRM, and one that may come back: every step may be killed and repeated.

    take_out   the copy is encrypted and its case open  ->  the CRM holds a stub  ->  readers are listed, trackers told
    put_back   the CRM holds the content again          ->  the copy is destroyed by the ledger
"""

from __future__ import annotations

from sqlmodel import Session

from capture import notices, wire
from capture.errors import RecordChanged, RecordGone, StepFailed
from capture.levels import rules_of
from capture.parties import filing_of
from capture.ports import StoredItem
from capture.wiring import Tools
from pii_scan.findings import Decision, Verdict
from pii_scan.text import Extraction
from store import outbox, pulls, quarantine, rescan
from store.errors import NotFound
from store.pulls import RECORD, Found
from store.rescan import Result
from store.rescan_tables import CrmPull, Outcome, PullState
from store.summary import summary
from store.tables import Capture


class Paused(StepFailed):
    """The run is not running any more, or would pull out more than it may."""

    code = "rescan-paused"
    hint = "Resume it with `mailweir rescan --resume RUN`."


def item_hash(tools: Tools, session: Session, item: StoredItem) -> str:
    """By which hash the item's content is known to cases."""
    return pulls.content_hash(session, tools.keys, item.ref.id, item.version, edited=item.edited)


def take_out(tools: Tools, run: str, item: StoredItem, extraction: Extraction, decision: Decision) -> Result:
    """Keep a copy, open the case, replace the content in the CRM, write down who had seen it.

    Raises `Paused` before anything was done when the run may hold no more, `RecordChanged` when the record is
    another one meanwhile: the case of what was there stays, and the record must be looked at again.
    """
    with tools.database.session() as session:
        found = _found(tools, session, run, item, extraction, decision)
        pull = None
        if rescan.may_hold(session, run, again=pulls.begun(session, found)):
            pull = pulls.begin(session, tools.keys, found)
            if pull.made:
                rescan.count_hold(session, run)
    if pull is None:
        raise Paused
    state = PullState.PULLED
    try:
        tools.crm.pull(item.ref.id, item.version, pull.case)
    except RecordGone:
        state = PullState.GONE
    except RecordChanged:
        with tools.database.session() as session:
            pulls.finish(session, pull.id, PullState.CHANGED, item.shown_with)
        raise
    result = result_of(item, Outcome.HOLD, decision, case=pull.case)
    with tools.database.session() as session:
        rescan.get(session, run, lock=True)  # before the audit, as everywhere: two workers then take turns
        seen = pulls.finish(session, pull.id, state, item.shown_with, rules=rules_of(tools.settings))
        if seen is not None and state is PullState.PULLED:
            _tell(tools, session, pull.id)
        rescan.note(session, run, [result])
    return result


def finish_stub(tools: Tools, run: str, item: StoredItem) -> Result:
    """The record is a stub. When its run was killed before the end, that is made up for."""
    with tools.database.session() as session:
        pull = pulls.open_of_stub(session, item.ref.id, item.stub)
        if pull is None:
            return result_of(item, Outcome.STUB, case=item.stub)
        kept = pulls.case_of(session, pull).summary
        result = Result(
            item.ref.id, Outcome.HOLD, item.ref.kind.value, item.ref.division, kept["verdict"],
            tuple(kept["categories"]), tuple(sorted({u["code"] for u in kept["unread"]})), pull.files, item.stub,
        ) if pull.run_id == run else result_of(item, Outcome.STUB, case=item.stub)
        rescan.get(session, run, lock=True)  # before the audit, as everywhere
        if pulls.finish(session, pull.id, PullState.PULLED, item.shown_with,
                        rules=rules_of(tools.settings)) is not None:
            _tell(tools, session, pull.id)
        rescan.note(session, run, [result])  # with it: who looks again finds a finished stub and could not tell
    return result


def put_back(tools: Tools, capture: str) -> str:
    """Give the CRM the content of a released pull again; returns what the CRM said. Its record stays the record."""
    with tools.database.reading() as session:
        pull, case = pulls.of_capture(session, capture)
        kept = quarantine.blobs(session, capture_id=capture, kind=RECORD)
        content = quarantine.read(session, tools.keys, kept[-1].id)
    said = tools.crm.restore(pull.record, case, content)
    with tools.database.session() as session:
        pulls.restored(session, pull.id, said)
    return said


def tracker_of(session: Session, capture: Capture) -> str:
    """In whose name a redacted copy takes the place of a record that was pulled out. Raises `NotFound` when nobody had
    tracked it."""
    pull, _ = pulls.of_capture(session, capture.id)
    if not pull.trackers:
        raise NotFound(f"tracker of record {pull.record}")
    return str(pull.trackers[0])


def replaced(session: Session, capture: str) -> None:
    """The redacted copy stands in the CRM now, where the stub was."""
    pull, _ = pulls.of_capture(session, capture)
    pulls.restored(session, pull.id, "redacted")


def result_of(item: StoredItem, outcome: Outcome, decision: Decision | None = None, case: str = "") -> Result:
    """What the run keeps of an item: codes and counts."""
    held = decision is not None and not decision.link
    return Result(
        item.ref.id, outcome, item.ref.kind.value, item.ref.division,
        verdict=decision.verdict.value if decision else "",
        kinds=tuple(str(c) for c in decision.categories) if decision and held else (),
        unread=tuple(sorted({u.code for u in decision.unread})) if decision and held else (),
        attachments=item.attachments, case=case)


def reason_of(decision: Decision) -> str:
    """The reason code of a case; the same codes as for what never reached the CRM."""
    if decision.verdict is Verdict.BLOCK:
        return "personal-information"
    return "unreadable" if decision.unread else "unclear"


def _found(tools: Tools, session: Session, run: str, item: StoredItem, extraction: Extraction,
           decision: Decision) -> Found:
    kept = summary(decision) | {"record": item.ref.kind.value, "division": item.ref.division}
    if tools.settings.rescan.hit_is_incident:
        kept["incident"] = "candidate"
    return Found(
        run=run, record=item.ref.id, item_key=item.item_key, content_hash=item_hash(tools, session, item),
        summary=kept, reason=reason_of(decision), stored=item.stored, trackers=item.trackers, files=item.attachments,
        filed=filing_of(tools.settings, tools.keys, rules_of(tools.settings), extraction.envelope, item.raw,
                        item.trackers),
        blobs={"mail": item.raw, "extraction": wire.to_bytes(extraction), RECORD: item.content})


def _tell(tools: Tools, session: Session, pull_id: str) -> None:
    """Tell everybody who had asked for the record, once."""
    pull = session.get_one(CrmPull, pull_id)
    case = pulls.case_of(session, pull)
    data = notices.held_data(case.summary, case=case.number, sent="", joined=False)
    if pull.record.startswith(pulls.RECORDS):
        data["record"] = pulls.kind_of(pull.record)
    for place, tracker in enumerate(pull.trackers, 1):
        outbox.add(session, key=f"{pull.id}/pulled/{place}", template="pulled", data=data, capture_id=pull.capture_id,
                   recipient=notices.address(tracker, tools.settings.mailbox.domain))
