"""THE flow: track, fetch, extract, scan, decide, link or hold, mark, notify.

Read `capture_item` first. It is plain Python; `capture/engine.py` runs it durably by giving it a `step`
that checkpoints, tests run it with `directly`. A step returns ids, counts and codes; text stays inside one
step or lies in an encrypted blob. Every step may be repeated: the ledger knows what is done.
"""

from __future__ import annotations

import contextlib
from functools import partial

from sqlmodel import Session

from capture import allowing, fetching, marking, mine, notices, parties, pulling, trimming, wire
from capture.errors import ItemGone, ItemPrivate, ItemTwice, StepFailed
from capture.fetching import with_unread
from capture.levels import rules_of
from capture.mailbox import states
from capture.ports import ItemKind, ItemRef, MailItem, Step
from capture.settings import Settings
from capture.steps import directly
from capture.wiring import Tools
from pii_scan.text import Envelope, Extraction
from store import allow, audit, crm_choices, identity, ledger, outbox, pulls, quarantine, watch
from store.desk import Filing
from store.errors import BadState, NotFound
from store.tables import Capture, CaptureState

NOT_CLEAN = "not-clean"
"""Why a redacted copy is held anew."""
LINK, HOLD, GONE, REFUSE, CANCEL = "link", "hold", "gone", "refuse", "cancel"
STATES = {LINK: states.LINKED, HOLD: states.HELD, REFUSE: states.NOT_TRACKED}


def capture_item(capture: str, tools: Tools, step: Step = directly, *, patient: bool = False) -> str:
    """Work one tagged item through and return what became of it: "link", "hold", "gone", "refuse" or "cancel".

    What cannot be fetched, read, scanned or linked is held for review, never linked and never lost.
    Raises `StepFailed` when not even holding was possible, or, when `patient`, with `retry` when a later run
    may work: the capture then stays unfinished and is taken up again.
    """
    if not step("track", partial(track, tools, capture)):
        return CANCEL
    try:
        sent = step("examine", partial(examine, tools, capture))         # fetch, extract, scan
        outcome = step("decide", partial(decide, tools, capture, sent))  # ... or hold
        if outcome == LINK:
            step("link", partial(link, tools, capture))
    except StepFailed as failure:
        if failure.retry and patient:
            raise
        if failure.reason == ItemTwice.code:
            return CANCEL
        if failure.reason == ItemGone.code:
            outcome = step("gone", partial(gone, tools, capture))
        elif failure.reason == ItemPrivate.code:
            outcome = step("refuse", partial(refuse, tools, capture))
        else:
            outcome = step("hold", partial(hold, tools, capture, failure.reason))
    if outcome != GONE:
        try:
            step("mark", partial(mark, tools, capture, outcome))
        except StepFailed as failure:
            step("unmarked", partial(unmarked, tools, capture, outcome, failure.reason))
    step("notify", partial(notify, tools, capture))
    return outcome


def set_aside(capture: str, tools: Tools, reason: str, step: Step = directly) -> str:
    """Hold an item unread, because working on it ended its worker again and again; `reason` is the code. One that
    has an outcome already keeps it. Raises `StepFailed` as `capture_item` does."""
    outcome = step("hold", partial(hold, tools, capture, reason))
    with contextlib.suppress(StepFailed):  # showing it may be what goes wrong: the outcome stands without
        step("mark", partial(mark, tools, capture, outcome))
    step("unmarked", partial(unmarked, tools, capture, outcome))
    step("notify", partial(notify, tools, capture))
    return outcome


def track(tools: Tools, capture: str) -> int:
    """Count the attempt and show the user that the item was picked up; 0 when it was cancelled before that."""
    with tools.database.session() as session:
        row = ledger.get(session, capture, lock=True)
        if row.state == CaptureState.CANCELLED:
            return 0
        attempts = ledger.begin(session, capture).attempts
    if row.state == CaptureState.CLAIMED and row.trigger != "request":  # an id that was named is verified first
        marking.show_pending(tools, capture)
    return attempts


def examine(tools: Tools, capture: str) -> str:
    """Fetch, extract, scan. Keeps mail and text encrypted, and the decision as codes, counts and places.

    The mail is kept as soon as it is fetched: from then on the item cannot be lost, whatever happens.
    Returns the mail's date (UTC ISO 8601, or "") for the notice. Raises `ItemPrivate` before anything is kept.
    """
    with tools.database.reading() as session:
        row = ledger.get(session, capture)
        if row.state == CaptureState.REFUSED:
            raise ItemPrivate
        if row.state != CaptureState.CLAIMED:
            return ""
        left_out = crm_choices.left_out(session, capture)
    item = fetching.fetch(tools, row)
    with tools.database.session() as session:
        if ledger.get(session, capture, lock=True).state != CaptureState.CLAIMED:
            return ""  # another worker was quicker, having taken this one for dead
        twice, staged = not fetching.note_place(tools, session, row, item.ref), ""
        if not twice and not item.private:
            staged = quarantine.stage(session, tools.keys, capture, "mail", item.raw)
    if twice:
        raise ItemTwice
    if item.private:  # its place is known now, so that it is this item that shows it
        raise ItemPrivate
    if row.trigger == "request":
        marking.show_pending(tools, capture)

    raw = trimming.without(item.raw, left_out, tools.extractor) if left_out else item.raw
    extraction = with_unread(tools.extractor.extract(raw), item.unread)
    scanner = allowing.with_rules(tools, allowing.division_of(tools, row.mailbox))
    decision = scanner.decide(scanner.scan(extraction), extraction)

    content = identity.content_hash(tools.keys, raw)
    with tools.database.session() as session:
        if ledger.get(session, capture, lock=True).state != CaptureState.CLAIMED:
            return ""
        if staged not in {blob.id for blob in quarantine.blobs(session, capture_id=capture, kind="mail")}:
            raise StepFailed("overtaken", retry=True)  # no verdict may go with the mail another worker staged
        if left_out:  # until here the whole of it was kept
            quarantine.stage(session, tools.keys, capture, "mail", raw)
            audit.append(session, "capture:item:trimmed", actor=row.requested_by or ledger.SERVICE, subject=capture,
                         body={"attachments": len(left_out)})
        quarantine.stage(session, tools.keys, capture, "extraction", wire.to_bytes(extraction))
        ledger.scanned(session, capture, item_key=_item_key(tools, extraction.envelope, content),
                       content_hash=content, decision=decision)
        allow.note_use(session, allowing.used(decision))
    return extraction.envelope.sent


def decide(tools: Tools, capture: str, sent: str = "") -> str:
    """Rule on the item with all that is known of it, and hold it in the same transaction if so ruled."""
    with tools.database.session() as session:
        if ledger.decide(session, capture).link:
            return LINK
        held = ledger.hold(session, capture, filed=_filed(tools, session, capture))
        _tell_held(tools, session, capture, held, sent)
        return HOLD


def link(tools: Tools, capture: str) -> int:
    """Write the item to the CRM (an upsert by our key), then note it and destroy what was staged."""
    with tools.database.reading() as session:
        row = ledger.get(session, capture)
        if row.outcome != LINK:
            raise BadState(f"capture {capture}: ruled {row.outcome or 'nothing'}, asked to link")
        if row.state != CaptureState.DECIDED:
            return 0  # it is linked; what became of it since must not be undone
        objection = ledger.objection(session, capture)
    if objection:
        raise StepFailed(objection)
    redacted = row.summary.get("why") == "redacted"
    if row.mailbox == pulls.CRM and not redacted:
        return _put_back(tools, row)
    if row.summary.get("why") == "already-linked":
        with tools.database.session() as session:
            return ledger.already_linked(session, capture)
    with tools.database.reading() as session:
        item_key = ledger.item_key(session, capture)
        kinds = quarantine.REDACTED if redacted else (quarantine.MAIL, quarantine.EXTRACTION)
        mail = MailItem(_ref(row), quarantine.read(session, tools.keys, _blob(session, capture, kinds[0])),
                        record=" ".join(filter(None, (row.record, *(
                            f"hand/{kind}:{ident}" for kind, ident in crm_choices.chosen(session, capture))))))
        text = _blob(session, capture, kinds[1], optional=not redacted)
        extraction = wire.from_bytes(quarantine.read(session, tools.keys, text)) if text else None
        tracker = pulling.tracker_of(session, row) if row.mailbox == pulls.CRM else row.mailbox
    if extraction is None:  # released although it was never read: a fault held it before
        extraction = tools.extractor.extract(mail.raw)
    if redacted:  # the rules may be stricter than when it was made
        _still_clean(tools, tracker, extraction)
    done = tools.crm.link(item_key, tracker, mail, extraction.envelope, extraction)
    with tools.database.session() as session:
        ledger.linked(session, capture, activity=done.activity, matched=done.matched, records=done.records,
                      asked=done.asked, notes=done.notes)
        if row.mailbox == pulls.CRM:
            pulling.replaced(session, capture)
        elif done.asked and tools.settings.notify.asked:
            outbox.add(session, key=f"{capture}/asked", recipient=address_of(tools, row.mailbox), template="asked",
                       data={"sent": extraction.envelope.sent, "asked": done.asked}, capture_id=capture)
        elif tools.settings.notify.linked:
            outbox.add(session, key=f"{capture}/linked", recipient=address_of(tools, row.mailbox), template="linked",
                       data={"sent": extraction.envelope.sent, "records": done.records}, capture_id=capture)
    return done.records


def _put_back(tools: Tools, row: Capture) -> int:
    """Released, and pulled out of the CRM by a rescan before: the record gets its content again."""
    pulling.put_back(tools, row.id)
    with tools.database.session() as session:
        ledger.linked(session, row.id, activity=row.activity, matched="restored", records=1)
    return 1


def hold(tools: Tools, capture: str, reason: str) -> str:
    """Hold the item because a step gave up; `reason` is that step's error code."""
    with tools.database.session() as session:
        row = ledger.get(session, capture)
        if row.outcome == LINK and row.state in (CaptureState.LINKED, CaptureState.MARKED, CaptureState.NOTIFIED):
            return LINK  # it was linked before the fault; holding it now would contradict the CRM
        held = ledger.hold(session, capture, reason=reason, filed=_filed(tools, session, capture))
        _tell_held(tools, session, capture, held)
    return HOLD


def gone(tools: Tools, capture: str) -> str:
    """Note that the item left the mailbox before it could be fetched. Where it is now, its tag is found again; who
    asked for it in person is told. One that an earlier run fetched is held: what is kept of it is all there is."""
    with tools.database.reading() as session:
        fetched = quarantine.blobs(session, capture_id=capture, kind="mail")
    if fetched:
        return hold(tools, capture, ItemGone.code)
    with tools.database.session() as session:
        row = ledger.gone(session, capture)
        if row.requested_by:
            outbox.add(session, key=f"{capture}/gone", recipient=address_of(tools, row.mailbox), template="gone",
                       data={}, capture_id=capture)
    return GONE


def refuse(tools: Tools, capture: str) -> str:
    """Note that the item is private: nothing of it was kept, and its user is told."""
    with tools.database.session() as session:
        row = ledger.refuse(session, capture, reason="private")
        outbox.add(session, key=f"{capture}/refused", recipient=address_of(tools, row.mailbox), template="refused",
                   data={"reason": "private"}, capture_id=capture)
    return REFUSE


def mark(tools: Tools, capture: str, outcome: str) -> str:
    """Show the user the state as a category, and take the tag off."""
    shown = marking.show(tools, capture, STATES[outcome])
    with tools.database.session() as session:
        return ledger.marked(session, capture, shown=shown).state


def unmarked(tools: Tools, capture: str, outcome: str, code: str = "") -> str:
    """The mailbox could not be marked; the outcome stands, the state is owed and the audit says that it is not
    shown."""
    with tools.database.session() as session:
        row = ledger.get(session, capture, lock=True)
        if code and row.state != CaptureState.NOTIFIED:
            watch.owe(session, capture, STATES[outcome], code)
        return ledger.marked(session, capture, shown=False).state


def notify(tools: Tools, capture: str) -> str:
    """Deliver what lies in the outbox and finish the capture. A notice that does not go out stays there."""
    deliver(tools)
    with tools.database.session() as session:
        return ledger.finished(session, capture).state


def deliver(tools: Tools, limit: int = 20) -> int:
    """Send the notices that are due; returns how many went out. At least once each."""
    sent = 0
    for _ in range(limit):
        with tools.database.session() as session:
            taken = outbox.take(session, limit=1)  # one at a time: a slow server must not outlast the claims
        if not taken:
            break
        [notice] = taken
        text = notices.render(notice.template, notice.data, contact=tools.settings.notify.contact)
        try:
            directly("send", partial(tools.notifier.send, notice.id, notice.recipient, text.subject, text.text))
        except StepFailed as failure:
            with contextlib.suppress(BadState), tools.database.session() as session:  # another sender has it now
                outbox.mark_failed(session, notice.id, code=failure.reason, retry=failure.retry)
            continue
        with tools.database.session() as session:
            outbox.mark_sent(session, notice.id)
        sent += 1
    return sent


def address_of(tools: Tools, mailbox: str) -> str:
    """Where the notices of a mailbox's user go."""
    return address_in(tools.settings, mailbox)


def address_in(settings: Settings, mailbox: str) -> str:
    """As `address_of`, for the settings of a home."""
    return notices.address(mailbox, settings.mailbox.domain)


def _still_clean(tools: Tools, mailbox: str, extraction: Extraction) -> None:
    """Raise `StepFailed` when a redacted copy would not pass today: it is held anew."""
    scanner = allowing.with_rules(tools, allowing.division_of(tools, mailbox))
    if not scanner.decide(scanner.scan(extraction), extraction).link:
        raise StepFailed(NOT_CLEAN)


def _filed(tools: Tools, session: Session, capture: str) -> Filing:
    return parties.filing_of_capture(tools.settings, tools.keys, rules_of(tools.settings), session,
                                     ledger.get(session, capture))


def _tell_held(tools: Tools, session: Session, capture: str, held: ledger.Held, sent: str = "") -> None:
    row = ledger.get(session, capture)
    if row.mailbox == pulls.CRM:
        return  # its trackers were told when it was pulled out
    address = address_of(tools, row.mailbox)
    tip = mine.follow_up(session, tools.settings, capture, address, held.number)
    outbox.add(session, key=f"{capture}/held", recipient=address, template="held", capture_id=capture,
               data=notices.held_data(row.summary, case=held.number, sent=sent, joined=held.joined) | tip)


def _ref(row: Capture) -> ItemRef:
    """Which item it is, as far as the CRM cares: where it is now does not matter any more."""
    return ItemRef(row.mailbox, "", ItemKind(row.kind))


def _item_key(tools: Tools, envelope: Envelope, content: str) -> str:
    if envelope.message_id:
        return identity.message_key(tools.keys, envelope.message_id)
    return identity.fallback_key(tools.keys, sender=envelope.sender.email if envelope.sender else "",
                                 sent=envelope.sent, subject=envelope.subject, body=content.encode())


def _blob(session: Session, capture: str, kind: str, *, optional: bool = False) -> str:
    """The id of what is kept of a capture, or of another copy in the same case; "" when optional and absent."""
    found = (quarantine.blobs(session, capture_id=capture, kind=kind)
             or quarantine.blobs(session, sharing_case_with=capture, kind=kind))
    if not found and not optional:
        raise NotFound(f"{kind} of capture {capture}")
    return found[0].id if found else ""
