"""The pane's API: JSON, a bearer in the header, no cookie. Ids of items stand in bodies, never in addresses.

Whose mailbox it is decides the door (`named_thing`, `capture_thing`); what becomes of an item decides the flow.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import HTTPException, Request, Response

from addin.casework import at_desk
from addin.door import Visitor
from addin.outlook import models
from addin.outlook.signing import PaneSignIn
from capture import mine as work
from capture import pane, panerecords, requests, trimming
from capture.engine import CAPTURE, LIVE, Jobs, workflow_id
from capture.errors import AttachmentStays
from capture.matching import REASONS
from capture.notices import REPORT_ANSWERS, address
from capture.ports import ItemKind, Record
from capture.wording import WordsRefused
from store import audit, ledger, people, reports, rules, sessions
from store import pane as records
from store.access import Action, Role, Thing, may
from store.crm_access import Who
from store.crm_matching import sight_of
from store.errors import NotFound
from store.pane import STEPS, Standing
from store.people_tables import WebSession
from store.tables import Capture, CaptureState, CaseState

OUTLOOK: Final[dict[str, Literal["Checking", "Tracked", "Held for privacy review", "Not tracked"]]] = {
    "queued": "Checking", "scanning": "Checking", "linked": "Tracked", "released": "Tracked",
    "untrack-asked": "Tracked", "blocked": "Held for privacy review", "unreadable": "Held for privacy review",
    "pending-review": "Held for privacy review"}
"""State of the pane -> what Outlook shows; every other is "Not tracked"."""
_AGAIN: Final = ("ready", "gone", "private", "refused", "untracked", "blocked", "unreadable")


# ------------------------------------------------------------------------------------------ whose is it?

def named_thing(request: Request, visitor: Visitor) -> Thing:
    """The item or mailbox a body names, as the visitor's own or somebody else's."""
    body = request.state.body
    box = body.get("mailbox") if isinstance(body, dict) else None
    mine = isinstance(box, str) and pane.owners(request.app.state.settings, box, visitor.person.addresses)
    return Thing(owner=visitor.person.id if mine else "")


def capture_thing(request: Request, visitor: Visitor) -> Thing:
    """A capture, as the visitor's own or somebody else's. Raises `NotFound`."""
    settings = request.app.state.settings
    with visitor.database.reading() as session:
        row = records.capture_of(session, request.path_params["capture"])
    box = address(row.mailbox, settings.mailbox.domain)
    mine = pane.owners(settings, box, visitor.person.addresses)
    return Thing(owner=visitor.person.id if mine else "")


# ------------------------------------------------------------------------------------------------ sign-in

def config(request: Request) -> models.Config:
    """How to sign in here: nothing secret."""
    signing, settings = _signing(request), request.app.state.settings
    ways: list[Literal["entra", "exchange", "demo"]] = []
    ways += ["entra"] if signing.entra else []
    ways += ["exchange"] if signing.exchange else []
    ways += ["demo"] if signing.demo else []
    entra = signing.entra
    return models.Config(
        ways=ways, client_id=entra.client_id if entra else "", authority=entra.authority if entra else "",
        scope=entra.scope if entra else "", contact=settings.notify.contact, notice_url=settings.pane.notice_url)


def sign_in(request: Request, body: models.SignIn) -> models.Bearer:
    """Exchange a token of the directory or of Exchange for a bearer. 401 for one that is not believed."""
    state = request.app.state
    tools = state.tools

    def folders(mailbox: str) -> list[str]:
        made = tools.get()
        try:
            name = pane.mailbox_for(made, mailbox)
        except NotFound:
            return []
        return [folder.key for folder in made.mailbox.folders(name)]

    token = _signing(request).let_in(state.database, body.kind, body.token, body.mailbox, folders)
    tools.warm()
    return models.Bearer(bearer=token, seconds=round(state.settings.pane.bearer_minutes * 60))


def sign_out(request: Request) -> dict[str, str]:
    """End this session. What the directory issued before opens none either."""
    at = at_desk(request)
    with at.database.session() as session:
        row = session.get(WebSession, at.visitor.session_id)
        if row is not None:
            sessions.end(session, row, why=sessions.LEFT_PANE)
    return {"state": "signed-out"}


def me(request: Request) -> models.Me:
    """Who is signed in, and what is missing before they can track."""
    at = at_desk(request)
    person = at.visitor.person
    with at.database.session() as session:
        row = people.get(session, person.id)
        number = 0 if person.bound else rules.in_force(session).number
        return models.Me(address=row.address, rules=number, trained=person.trained, staff=Role.STAFF in person.roles)


def read_rules(request: Request) -> models.Rules:
    """The rules of behaviour in force."""
    at = at_desk(request)
    with at.database.session() as session:
        version = rules.in_force(session)
        return models.Rules(number=version.number, text=version.text, since=version.published,
                            signed=rules.signed(session, at.visitor.person.id, version.number))


def affirm(request: Request, body: models.Affirm) -> models.Me:
    """Sign the version that was shown, and affirm it. 409 when a newer one is in force."""
    at = at_desk(request)
    with at.database.session() as session:
        if rules.in_force(session).number != body.number:
            raise HTTPException(409, "bad-state")
        rules.sign(session, at.visitor.person.id, body.number)
        row = session.get(WebSession, at.visitor.session_id)
        if row is None:
            raise HTTPException(401, "token-refused")
        sessions.affirm(session, row)
        return models.Me(address=people.get(session, row.person_id).address, rules=0,
                         trained=at.visitor.person.trained, staff=Role.STAFF in at.visitor.person.roles)


# -------------------------------------------------------------------------------------------------- items

def status(request: Request, body: models.Item) -> models.Status:
    """How an item stands, by our own records; the item is not fetched."""
    at = at_desk(request)
    item = _item(request, body)
    with at.database.session() as session:
        found = pane.standing(at.tools.get(), session, item)
        audit.append(session, "pane:item:asked", actor=at.visitor.person.id,
                     subject=found.capture.id if found.capture else "", body={"state": found.state})
        return _status(request, session, found)


def follow(request: Request, capture: str) -> models.Status:
    """How a capture stands: what is asked again and again while it is worked on."""
    at = at_desk(request)
    with at.database.reading() as session:
        return _status(request, session, records.standing(session, ledger.get(session, capture)))


def track(request: Request, body: models.Track) -> models.Status:
    """Ask for an item to be tracked. Twice is once while it is worked on."""
    at = at_desk(request)
    item, tools, jobs = _item(request, body), at.tools.get(), _jobs(request)
    if not (item.item_id or item.message_id):
        raise HTTPException(422, "bad-request")
    made = requests.request(
        tools, lambda session, capture: jobs.enqueue(session, CAPTURE, LIVE, workflow_id(capture), [capture, 0]),
        item.mailbox, item.item_id, internet_message_id=item.message_id, requested_by=at.visitor.person.id,
        kind=item.kind, noted=lambda session, capture: panerecords.note(
            tools, session, capture, body.records, body.leave_out, at.visitor.person))
    with at.database.reading() as session:
        return _status(request, session, records.standing(session, ledger.get(session, made)))


def check(request: Request, body: models.Trimmed) -> models.Checked:
    """Scan what would be sent of an item, and keep nothing."""
    at = at_desk(request)
    verdict, lines = pane.check(at.tools.get(), _item(request, body), at.visitor.person.id, body.leave_out)
    return models.Checked(verdict=verdict.value, lines=[models.Line(**line) for line in lines])


def preview(request: Request, body: models.Trimmed) -> models.Preview:
    """What would be stored, by kind and amount. 409 `attachment-stays` when one cannot be left out."""
    at = at_desk(request)
    try:
        things = pane.preview(at.tools.get(), _item(request, body), at.visitor.person.id, body.leave_out)
    except AttachmentStays as stays:
        raise HTTPException(409, stays.code) from None
    return models.Preview(things=[models.StoredThing(what=t.what, amount=t.amount, unit=t.unit) for t in things])


def suggestions(request: Request, body: models.Item) -> models.Suggestions:
    """Records the item could belong to, and its attachments."""
    at = at_desk(request)
    offers, attached = panerecords.suggestions(at.tools.get(), _item(request, body), at.visitor.person)
    asked: dict[str, list[models.CrmRecord]] = {}
    for one in offers.found:
        if one.question:
            asked.setdefault(one.question, []).append(_record(one.record, one.reason))
    return models.Suggestions(
        sure=[_record(one.record, one.reason) for one in offers.found if one.sure], words=REASONS[offers.reason],
        records=[_record(one.record, one.reason) for one in offers.found if not one.sure and not one.question],
        questions=list(asked.values()), beyond=offers.beyond, attachments=[
            models.Attachment(number=a.number, what=a.stored.what, bytes=a.stored.amount) for a in attached])


def search(request: Request, body: models.Search) -> models.Found:
    """Records by name or address, as far as one may see them."""
    at = at_desk(request)
    found, beyond = panerecords.search(at.tools.get(), body.text, at.visitor.person)
    return models.Found(records=[_record(one, "") for one in found], beyond=beyond)


def questions(request: Request, capture: str) -> models.Questions:
    """What is still asked and suggested about an item that is in the CRM: each either-or in the order of names."""
    at, who = at_desk(request), _who(request)
    with at.database.session() as session:
        row = ledger.get(session, capture)
        elsewhere = panerecords.asks_elsewhere(at.tools.get(), who, row)
        asked, offered = panerecords.questions(session, who, _activity(session, row)) if not elsewhere else ([], [])
    if elsewhere:
        asked, offered = panerecords.questions_elsewhere(at.tools.get(), who, row)
    return models.Questions(questions=[[_line(line) for line in sorted(one, key=_by_name)] for one in asked],
                            records=[_line(line) for line in offered])


def decide(request: Request, capture: str, body: models.Decide) -> models.Status:
    """Link an item that is in the CRM to a record by hand, dismiss a suggestion, or take a link off."""
    at, who = at_desk(request), _who(request)
    with at.database.session() as session:
        row = ledger.get(session, capture)
        if not panerecords.asks_elsewhere(at.tools.get(), who, row):
            panerecords.decide(session, who, _activity(session, row), body.act, body.record)
            return _status(request, session, records.standing(session, row))
    panerecords.decide_elsewhere(at.tools.get(), who, row, body.act, body.record)
    return follow(request, capture)


def report(request: Request, capture: str, body: models.Report) -> models.Status:
    """Say that a hold is wrong. The words are scanned first: 409 `words-refused` when they hold personal
    information, and nothing of them is kept."""
    at = at_desk(request)
    if body.code not in reports.CODES:
        raise HTTPException(422, "reason-missing")
    with at.database.reading() as session:
        number = records.standing(session, ledger.get(session, capture)).number
    if not number:
        raise HTTPException(409, "bad-state")
    try:
        work.report(at.database, at.keys, at.tools.get().scanner, number, at.visitor.person, body.code, body.text)
    except WordsRefused:
        raise HTTPException(409, "words-refused") from None
    return follow(request, capture)


def untrack(request: Request, capture: str) -> models.Status:
    """Take the mailbox off those that track the item. In a CRM that is not ours an operator does it: `mailweir mailbox
    untrack`."""
    at = at_desk(request)
    with at.database.session() as session:
        row = ledger.get(session, capture, lock=True)
        if records.standing(session, row).state not in ("linked", "released"):
            raise HTTPException(409, "bad-state")
        panerecords.untrack(session, _who(request), row)
        return _status(request, session, records.standing(session, row))


def codes() -> models.ReportCodes:
    """Why a hold may be wrong."""
    return models.ReportCodes(codes=dict(reports.CODES))


def preflight() -> Response:
    """What a browser asks before it lets a page of Outlook's host call us; the door answered already."""
    return Response(status_code=204)


# ------------------------------------------------------------------------------------------------ helpers

def _item(request: Request, body: models.Item) -> pane.Named:
    tools = at_desk(request).tools.get()
    mailbox = pane.mailbox_for(tools, body.mailbox)
    item_id = pane.item_id_for(tools, mailbox, body.item_id.strip())
    return pane.Named(mailbox, item_id, body.internet_message_id.strip(), ItemKind(body.kind))


def _status(request: Request, session: Any, found: Standing) -> models.Status:
    at = at_desk(request)
    person, row = at.visitor.person, found.capture
    known = row if row is not None and found.state != "ready" else None
    lines = pane.lines(found.case.summary) if found.case and found.state in (
        "blocked", "unreadable", "pending-review") else []
    waits, answer, withdrawn = _reported(at, session, found.number)
    there = known is not None and found.state in ("linked", "released") and panerecords.is_ours(session, known.activity)
    linked = records.records(session, known.activity, sight_of(person)) if known and known.activity else ()
    domain = request.app.state.settings.mailbox.domain
    shown = known is not None and known.state != CaptureState.CLAIMED  # before that nobody knows which message it is
    trackers = records.trackers(session, known, domain, person.divisions) if known and shown else ()
    return models.Status(
        id=known.id if known else "", state=found.state, outlook=OUTLOOK.get(found.state, "Not tracked"),
        step=found.step, steps=list(STEPS), lines=[models.Line(**line) for line in lines], case=found.number,
        opened=found.case.opened if found.case else None, joined=bool(known and known.summary.get("joined")),
        redacted=bool(found.case and found.case.state == CaseState.REDACTED), reported=waits, answer=answer,
        withdrawn=withdrawn, without=_without(found), others=panerecords.left_to_others(
            session, known) if there and known is not None else 0,
        records=[_shown(one) for one in linked],
        trackers=[models.Tracker(who=t.who, at=t.at, route=t.route) for t in trackers],
        can=_can(request, found, known, waits, there=there))


def _can(request: Request, found: Standing, row: Capture | None, reported: str, *, there: bool) -> list[str]:
    """What is possible now; the door asks again."""
    person = at_desk(request).visitor.person
    own = Thing(owner=person.id)
    can: list[str] = []
    if found.state in _AGAIN and may(person, Action.ITEM_TRACK, own):
        can += ["track", "check"]
    held = found.state in ("blocked", "unreadable", "pending-review")
    if held and row is not None and reported != "waiting" and may(person, Action.CASE_REPORT, own):
        can.append("report")
    if found.state in ("linked", "released") and row is not None and may(person, Action.ITEM_WITHDRAW, own):
        if not there:
            can.append("untrack-ask")
        elif row.mailbox in _who(request).mailboxes:  # a delegate tracks for others, and takes nothing back for them
            can.append("untrack")
    asks = there or (found.state in ("linked", "released") and row is not None and panerecords.asks_elsewhere(
        at_desk(request).tools.get(), _who(request), row))
    if asks and may(person, Action.RECORD_CHANGE, own):
        can.append("records")
    return can


def _reported(at: Any, session: Any, number: str) -> tuple[Literal["", "waiting", "answered"], str, bool]:
    """How one's own report on a case stands, the answer, and whether it says that one does not need the item."""
    if not number:
        return "", "", False
    said = [one for one in reports.of_person(session, at.keys, at.visitor.person.id) if one.number == number]
    if not said:
        return "", "", False
    withdrawn = said[0].code == reports.WITHDRAWN
    if said[0].answered is None:
        return "waiting", "", withdrawn
    return "answered", REPORT_ANSWERS.get(said[0].answer_code, ""), withdrawn


def _without(found: Standing) -> list[int]:
    """The attachments that alone are why an item is held, [] when something else is, too."""
    if found.case is None or found.state not in ("blocked", "unreadable"):
        return []
    numbers = [trimming.number_of(line["place"]) for line in pane.lines(found.case.summary)]
    return sorted(set(numbers)) if all(numbers) else []


def _activity(session: Any, row: Capture) -> str:
    """The activity a capture became. Raises `NotFound` when it is not in our own tables."""
    if row.outcome != "link" or not panerecords.is_ours(session, row.activity):
        raise NotFound("activity")
    return row.activity


def _who(request: Request) -> Who:
    at = at_desk(request)
    return panerecords.who_is(at.tools.get(), at.visitor.person)


def _record(one: Record, why: str) -> models.CrmRecord:
    return models.CrmRecord(record=one.kind, id=one.id, name=one.name, detail=one.detail, why=why,
                            words=REASONS.get(why, ""))


def _shown(one: records.Record) -> models.CrmRecord:
    return models.CrmRecord(record=one.record, id=one.id, name=one.name, detail=one.detail, why=one.why,
                            words=REASONS.get(one.why, ""))


def _by_name(line: dict[str, Any]) -> tuple[str, str]:
    return line["title"].casefold(), line["id"]


def _line(line: dict[str, Any]) -> models.CrmRecord:
    return models.CrmRecord(record=line["record"], id=line["id"], name=line["title"], detail="", why=line["reason"],
                            words=REASONS.get(line["reason"], ""))


def _signing(request: Request) -> PaneSignIn:
    made: PaneSignIn = request.app.state.pane
    return made


def _jobs(request: Request) -> Jobs:
    made: Jobs = request.app.state.tools.jobs()
    return made
