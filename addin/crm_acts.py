"""What one does with records and activities on the pages of the CRM: connect, merge, write down, ask the owner,
forget; choose which record an item belongs to; unlink, untrack, purge.

Each act asks the store, which asks `may` again and audits. Where another record has to be named, it is looked for by
its words: the page shows what fits, and the choice is sent with the act (`target`, "contact:ID").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from addin import crm_forms
from addin.casework import names
from addin.crm import Crm, at_crm, download, own_thing, record_thing, shown, who_of
from addin.crm_forms import KINDS, refused_words, sent, state_words
from addin.door import Route, Visitor
from addin.frame import page_for
from capture import coordinating, records
from capture.matching import REASONS
from capture.typed_text import TypedRefused
from store import audit, crm_choices, crm_find, crm_merge, crm_pages, crm_suppression, crm_work, reads
from store.access import Action, Thing
from store.columns import now
from store.crm_work import Entry
from store.crm_work_tables import RecordMerge
from store.errors import BadState, NotFound

Form = dict[str, str]
_TARGET: Final = re.compile(r"([a-z]{4,16}):([A-Za-z0-9-]{1,32})")
_LINKABLE: Final = ("contact", "organisation", "opportunity", "project", "event", "issue")
_WHY: Final = ("asked", "not-business", "asked-by-subject")


def merge_thing(request: Request, visitor: Visitor) -> Thing:
    """The record that stands for both since a merge. Raises `NotFound`."""
    who_of(request, visitor)
    with visitor.database.reading() as session:
        made = session.get(RecordMerge, request.path_params["merge"])
        if made is None:
            raise NotFound("merge")
        row = crm_work.load(session, made.record, made.kept)
        return Thing(division=row.division, owner=row.owner)


def activity_thing(request: Request, visitor: Visitor) -> Thing:
    """The activity the path names, as the visitor's own or not. Raises `NotFound`."""
    with visitor.database.reading() as session:
        return crm_pages.activity_thing(session, who_of(request, visitor), request.path_params["activity"])


def home_thing(request: Request, visitor: Visitor) -> Thing:
    """What concerns the visitor's division as a whole."""
    who_of(request, visitor)
    theirs = visitor.person.divisions
    return Thing(division=next(iter(theirs)) if len(theirs) == 1 else "", owner="")


def tracker_thing(request: Request, visitor: Visitor) -> Thing:
    """The visitor's own tracker of an activity, there or taken off. Raises `NotFound`."""
    with visitor.database.reading() as session:
        mine = crm_pages.mailbox_of(session, who_of(request, visitor), request.path_params["activity"])
    return Thing(owner=visitor.person.id if mine else "")


def posted(act: Callable[[Request, Crm, Form], Response]) -> Callable[[Request], Any]:
    """A handler that reads a form and acts on it."""

    async def answer(request: Request) -> Response:
        form = await sent(request)
        return await run_in_threadpool(lambda: act(request, at_crm(request), form))

    answer.__doc__ = act.__doc__
    return answer


# ----------------------------------------------------------------------------------------------- on a record

def relate(request: Request, at: Crm, form: Form) -> Response:
    """Say that two records have to do with one another, or no more (`undo`)."""
    kind, ident, role = *_here(request), form.get("role", "")
    tos = crm_work.ROLES.get(role, ((), ()))[1]
    if not tos:
        raise HTTPException(422, "bad-request")
    target = _target(form, (*tos, *crm_work.ROLES[role][0]))
    if target is None:
        return _choose(request, at, form, tos, title="Which record?", keep={"role": role},
                       note=f"This {KINDS[kind][0].casefold()} is to be connected with it: {role.replace('-', ' ')}.")
    source, to = ((kind, ident), target) if form.get("way") != "from" else (target, (kind, ident))
    try:
        with at.database.session() as session:
            crm_work.relate(session, at.who, role, source, to, undo=bool(form.get("undo")))
    except BadState as refused:
        return shown(request, at, wrong=state_words(refused), status=409)
    return _back(request)


def merge(request: Request, at: Crm, form: Form) -> Response:
    """Let this record stand for another one too."""
    kind, ident = _here(request)
    if kind not in crm_merge.KINDS:
        raise BadState("two contacts or two organisations are merged")
    target = _target(form, (kind,))
    if target is None:
        return _choose(request, at, form, (kind,), without=ident, title="Which one is the same?", act="Merge",
                       note="Its history, relations and business move here. It can be undone.")
    try:
        with at.database.session() as session:
            crm_merge.merge(session, at.who, kind, ident, target[1])
    except BadState as refused:
        return shown(request, at, wrong=state_words(refused), status=409)
    return _back(request)


def unmerge(request: Request, at: Crm, _form: Form) -> Response:
    """Take two records apart again."""
    with at.database.session() as session:
        made = session.get(RecordMerge, request.path_params["merge"])
        crm_merge.unmerge(session, at.who, request.path_params["merge"])
        assert made is not None  # noqa: S101 - the door found it
        where = f"/crm/record/{made.record}/{made.kept}"
    return RedirectResponse(where, 303)


def ask(request: Request, at: Crm, form: Form) -> Response:
    """Ask whoever answers for a record, before talking to the same people."""
    kind, ident = _here(request)
    if not form.get("question", "").strip():
        raise HTTPException(422, "bad-request")
    return _written(request, at, lambda: coordinating.ask_owner(
        at.database, at.scanner, at.who, kind, ident, form["question"]))


def log(request: Request, at: Crm, form: Form) -> Response:
    """Write down a call, meeting, note, task or training request about a record."""
    kind, ident = _here(request)

    def write() -> str:
        with at.database.reading() as session:
            row = crm_work.seen(session, at.who, kind, ident)
            mine = at.visitor.person.divisions
            division = row.division if row.division in mine else sorted(mine)[0] if mine else ""
        return records.log(at.database, at.scanner, at.who, Entry(
            form.get("type", ""), form.get("subject", ""), form.get("body", ""),
            when=crm_forms.moment(form.get("when", ""), "when"), about=[(kind, ident)],
            outcome=form.get("outcome", ""), follow_up=form.get("follow_up", "").strip()[:400],
            due=crm_forms.moment(form.get("due", ""), "due"), division=division))

    return _written(request, at, write)


def forget(request: Request, at: Crm, form: Form) -> Response:
    """Somebody asked to be forgotten: the owner is told, and has to purge."""
    kind, ident = _here(request)
    if kind != "contact" or form.get("medium") not in crm_suppression.MEDIA:
        raise HTTPException(422, "bad-request")
    request_made = coordinating.asked_to_be_forgotten(at.database, at.who, ident, form["medium"])
    with at.database.reading() as session:
        owner = names(session, {request_made.owner}).get(request_made.owner, "")
    return page_for(request, "crm/told.html", request_made=request_made, owner=owner, ident=ident)


def purge(request: Request, at: Crm, form: Form) -> Response:
    """Destroy a contact: what is left is the receipt, and an address that stays out."""
    kind, ident = _here(request)
    if kind != "contact" or form.get("sure") != "yes":
        raise HTTPException(422, "bad-request")
    with at.database.session() as session:
        receipt = crm_suppression.purge_contact(
            session, at.who, ident, crm_suppression.digest_with(at.keys), reason="asked")
        made = {"id": receipt.id, "record": "contact", "at": receipt.at, "counts": dict(receipt.counts)}
    at.database.scrub()
    return page_for(request, "crm/receipt.html", receipt=made)


def win(request: Request, at: Crm, _form: Form) -> Response:
    """Make the project of an opportunity that was won."""
    kind, ident = _here(request)
    if kind != "opportunity":
        raise BadState("an opportunity is won")
    with at.database.session() as session:
        project = crm_work.win(session, at.who, ident)
    return RedirectResponse(f"/crm/record/project/{project}", 303)


# --------------------------------------------------------------------------------------------- on an activity

def activity(request: Request) -> HTMLResponse:
    """One activity."""
    return _activity(request, at_crm(request))


def _activity(request: Request, at: Crm, *, wrong: str = "", status: int = 200) -> HTMLResponse:
    ident = request.path_params["activity"]
    with at.database.session() as session:
        found = crm_pages.activity(session, at.who, ident)
        thing = crm_pages.activity_thing(session, at.who, ident)
        known = names(session, {found["staff"]})
    return page_for(request, "crm/activity.html", status, a=found, names=known, kinds=KINDS, wrong=wrong,
                    change=crm_pages.may_do(at.who, Action.RECORD_CHANGE, thing),
                    purge=crm_pages.may_do(at.who, Action.RECORD_DELETE, thing))


def file(request: Request) -> Response:
    """A file of an activity, to be kept."""
    at, number = at_crm(request), request.path_params["file"]
    if not re.fullmatch(r"[0-9]{1,6}", number):
        raise NotFound("file")
    with at.database.session() as session:
        found = crm_pages.attachment(session, at.who, request.path_params["activity"], int(number))
        return download(found.name, found.content)


def confirm(request: Request, at: Crm, form: Form) -> Response:
    """Link an activity to a record by hand, suggested or not."""
    target = _target(form, _LINKABLE)
    if target is None:
        return _choose(request, at, form, _LINKABLE, title="Which record does this belong to?", act="Link")
    return _linked(request, at, form, lambda session, ident: crm_choices.confirm(session, at.who, ident, *target))


def dismiss(request: Request, at: Crm, form: Form) -> Response:
    """Say that an activity does not belong to a suggested record."""
    target = _target(form, _LINKABLE)
    if target is None:
        raise HTTPException(422, "bad-request")
    return _linked(request, at, form, lambda session, ident: crm_choices.dismiss(session, at.who, ident, *target))


def unlink(request: Request, at: Crm, form: Form) -> Response:
    """Take one link off; the activity stays."""
    target = _target(form, _LINKABLE)
    if target is None:
        raise HTTPException(422, "bad-request")
    return _linked(request, at, form, lambda session, ident: crm_choices.unlink(session, at.who, ident, *target))


def untrack(request: Request, at: Crm, _form: Form) -> Response:
    """Take one's own mailbox off those that track an activity."""
    return _tracked(request, at, crm_choices.untrack)


def track(request: Request, at: Crm, _form: Form) -> Response:
    """Undo `untrack`."""
    return _tracked(request, at, crm_choices.track_again)


def done(request: Request, at: Crm, form: Form) -> Response:
    """A task is done; what came of it can be said, and is scanned."""
    ident = request.path_params["activity"]
    with at.database.session() as session:
        if not crm_pages.activity(session, at.who, ident)["typed"]:
            raise BadState("it was not typed in here")
    values: dict[str, Any] = {"done": now()}
    if form.get("outcome", "").strip():
        values["outcome"] = form["outcome"].strip()
    try:
        records.edit(at.database, at.scanner, at.who, ident, values)
    except TypedRefused as refused:
        return _activity(request, at, wrong=refused_words(refused), status=409)
    return _onward(form, f"/crm/activity/{ident}")


def destroy(request: Request, at: Crm, form: Form) -> Response:
    """Purge an activity with everything of it."""
    if form.get("sure") != "yes" or form.get("reason") not in _WHY:
        raise HTTPException(422, "bad-request")
    try:
        with at.database.session() as session:
            receipt = crm_choices.purge(session, at.who, request.path_params["activity"], reason=form["reason"])
            made = {"id": receipt.id, "record": "activity", "at": receipt.at, "counts": dict(receipt.counts)}
    except BadState as refused:
        return _activity(request, at, wrong=f"Nothing was destroyed: {refused.facts}.", status=409)
    at.database.scrub()
    return page_for(request, "crm/receipt.html", receipt=made)


# ------------------------------------------------------------------------------------------------ what waits

def waiting(request: Request) -> HTMLResponse:
    """Questions only this person can answer, suggestions, tasks, requests to be forgotten. All audited."""
    at = at_crm(request)
    with at.database.session() as session:
        audit.lock(session)
        asked = crm_choices.waiting(session, at.who, limit=50)
        reads.listed(session, actor=at.who.actor, kind="activities", ids=[entry["activity"] for entry in asked])
        tasks = crm_pages.tasks(session, at.who)
        requests = crm_suppression.open_requests(session, at.who)
        known = names(session, {*(task["staff"] for task in tasks), *(one["owner"] for one in requests)})
    return page_for(request, "crm/waiting.html", asked=asked, tasks=tasks, requests=requests, names=known, kinds=KINDS,
                    why=REASONS, me=at.who.actor, change=at.visitor.can(Action.RECORD_CHANGE))


# ------------------------------------------------------------------------------------------------ categories

def categories(request: Request) -> HTMLResponse:
    """The categories that are offered, by kind of record; those that are offered no more."""
    return _categories(request, at_crm(request))


def _categories(request: Request, at: Crm, *, wrong: str = "", status: int = 200) -> HTMLResponse:
    with at.database.reading() as session:
        found = crm_pages.categories(session)
    return page_for(request, "crm/categories.html", status, found=found, kinds=KINDS, wrong=wrong)


def categorise(request: Request, at: Crm, form: Form) -> Response:
    """Offer a category, or (`close`) offer it no more; records keep it."""
    try:
        with at.database.session() as session:
            crm_work.category(session, at.who, form.get("kind", ""), form.get("title", ""),
                              close=bool(form.get("close")))
    except BadState as refused:
        return _categories(request, at, wrong=state_words(refused), status=409)
    return RedirectResponse("/crm/categories", 303)


# ------------------------------------------------------------------------------------------------------ inside

def _here(request: Request) -> tuple[str, str]:
    return request.path_params["kind"], request.path_params["record"]


def _back(request: Request) -> Response:
    kind, ident = _here(request)
    return RedirectResponse(f"/crm/record/{kind}/{ident}", 303)


def _onward(form: Form, where: str) -> Response:
    return RedirectResponse("/crm/waiting" if form.get("back") == "waiting" else where, 303)


def _target(form: Form, kinds: Sequence[str]) -> tuple[str, str] | None:
    """The record that was chosen, None when none was. 422 for one of another kind."""
    if not form.get("target"):
        return None
    found = _TARGET.fullmatch(form["target"])
    if found is None or found[1] not in kinds:
        raise HTTPException(422, "bad-request")
    return found[1], found[2]


def _choose(request: Request, at: Crm, form: Form, kinds: Sequence[str], *, title: str, act: str = "Connect",
            note: str = "", without: str = "", keep: Form | None = None) -> Response:
    """The records that fit what was written, to choose from; 422 when nothing was."""
    text = form.get("text", "")
    if not crm_find.words_of(text):
        raise HTTPException(422, "bad-request")
    with at.database.session() as session:
        rows = crm_find.search(session, at.who, text, kinds=tuple(dict.fromkeys(kinds)), limit=20)
        known = names(session, {row["owner"] for row in rows})
    return page_for(request, "crm/choose.html", rows=[row for row in rows if row["id"] != without], title=title,
                    act=act, note=note, keep=keep or {}, text=text, names=known, kinds=KINDS, path=request.url.path)


def _written(request: Request, at: Crm, write: Callable[[], str]) -> Response:
    """Write what was typed, or say on the record's page why not, without the text."""
    try:
        write()
    except TypedRefused as refused:
        return shown(request, at, wrong=refused_words(refused), status=409)
    except BadState as refused:
        return shown(request, at, wrong=state_words(refused), status=409)
    return _back(request)


def _linked(request: Request, at: Crm, form: Form, act: Callable[[Any, str], object]) -> Response:
    ident = request.path_params["activity"]
    with at.database.session() as session:
        act(session, ident)
    return _onward(form, f"/crm/activity/{ident}")


def _tracked(request: Request, at: Crm, act: Callable[..., object]) -> Response:
    ident = request.path_params["activity"]
    try:
        with at.database.session() as session:
            act(session, at.who, ident, crm_pages.mailbox_of(session, at.who, ident))
    except NotFound:
        raise BadState("it is so already") from None
    return RedirectResponse(f"/crm/activity/{ident}", 303)


_RECORD: Final = "/crm/record/{kind}/{record}"
_ACTIVITY: Final = "/crm/activity/{activity}"
ROUTES: Final = (
    Route("GET", "/crm/waiting", "crm_waiting", waiting, Action.RECORD_LIST),
    Route("GET", "/crm/categories", "crm_categories", categories, Action.RECORD_IMPORT, about=home_thing),
    Route("POST", "/crm/categories", "crm_categorise", posted(categorise), Action.RECORD_IMPORT, about=home_thing),
    Route("POST", f"{_RECORD}/relate", "crm_relate", posted(relate), Action.RECORD_CHANGE, about=record_thing),
    Route("POST", f"{_RECORD}/merge", "crm_merge", posted(merge), Action.RECORD_CHANGE, about=record_thing),
    Route("POST", "/crm/merge/{merge}/undo", "crm_unmerge", posted(unmerge), Action.RECORD_CHANGE, about=merge_thing),
    Route("POST", f"{_RECORD}/ask", "crm_ask", posted(ask), Action.RECORD_CHANGE, about=own_thing),
    Route("POST", f"{_RECORD}/log", "crm_log", posted(log), Action.RECORD_CHANGE, about=own_thing),
    Route("POST", f"{_RECORD}/forget", "crm_forget", posted(forget), Action.RECORD_LIST),
    Route("POST", f"{_RECORD}/purge", "crm_purge", posted(purge), Action.RECORD_DELETE, about=record_thing),
    Route("POST", f"{_RECORD}/win", "crm_win", posted(win), Action.RECORD_CHANGE, about=record_thing),
    Route("GET", _ACTIVITY, "crm_activity", activity, Action.RECORD_LIST),
    Route("GET", f"{_ACTIVITY}/file/{{file}}", "crm_activity_file", file, Action.RECORD_READ, about=activity_thing),
    Route("POST", f"{_ACTIVITY}/confirm", "crm_confirm", posted(confirm), Action.RECORD_CHANGE, about=activity_thing),
    Route("POST", f"{_ACTIVITY}/dismiss", "crm_dismiss", posted(dismiss), Action.RECORD_CHANGE, about=activity_thing),
    Route("POST", f"{_ACTIVITY}/unlink", "crm_unlink", posted(unlink), Action.RECORD_CHANGE, about=activity_thing),
    Route("POST", f"{_ACTIVITY}/done", "crm_done", posted(done), Action.RECORD_CHANGE, about=activity_thing),
    Route("POST", f"{_ACTIVITY}/purge", "crm_activity_purge", posted(destroy), Action.RECORD_DELETE,
          about=activity_thing),
    Route("POST", f"{_ACTIVITY}/track", "crm_track", posted(track), Action.ITEM_TRACK, about=tracker_thing),
    Route("POST", f"{_ACTIVITY}/untrack", "crm_untrack", posted(untrack), Action.ITEM_WITHDRAW, about=tracker_thing),
)
"""The routes of what one does with records and activities."""
