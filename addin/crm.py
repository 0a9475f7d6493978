"""The pages of the CRM's records: search and lists, one record with its timeline and history, making and changing.

What one does with records and activities is in `addin/crm_acts.py`. What is looked for is sent as a form, so that no
address holds it. A reading is in the audit, and committed, before anything of it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from addin import crm_forms
from addin.casework import names
from addin.crm_forms import KINDS, MADE, SOURCE_WORDS, Several, sent
from addin.door import Route, Visitor
from addin.frame import page_for
from addin.tools import DeskTools
from capture import records
from capture.mine import mailboxes_of
from capture.ports import Scanner
from capture.settings import Settings
from capture.typed_text import TypedRefused
from store import crm_choices, crm_find, crm_gaps, crm_pages, crm_suppression, crm_work
from store.access import Action, Thing
from store.crm_access import Who
from store.crm_fields import FIELDS
from store.crm_tables import Contact
from store.crypto import Keys
from store.database import Database
from store.errors import BadState, ChangedMeanwhile, NotFound
from store.people_tables import PersonRow

EMBEDDED: Final = "embedded"
_LISTED: Final = tuple(kind for kind in KINDS if kind != "activity")


@dataclass(frozen=True, slots=True, repr=False)
class Crm:
    """One person at the CRM, for one request."""

    visitor: Visitor
    who: Who
    database: Database
    keys: Keys
    tools: DeskTools
    settings: Settings

    @property
    def scanner(self) -> Scanner:
        """Who reads what people type."""
        return self.tools.get().scanner


def at_crm(request: Request) -> Crm:
    """The CRM of a request that came through the door."""
    state = request.app.state
    return Crm(request.state.visitor, who_of(request, request.state.visitor), state.database, state.keys, state.tools,
               state.settings)


def who_of(request: Request, visitor: Visitor) -> Who:
    """The visitor as the store knows who acts. Raises `NotFound` where the CRM is another than ours."""
    settings: Settings = request.app.state.settings
    if settings.crm.kind != EMBEDDED:
        raise NotFound("page")
    person = visitor.person
    return Who(person.id, person, mailboxes_of(person.addresses, settings))


def own_thing(request: Request, visitor: Visitor) -> Thing:
    """What somebody is about to make: theirs."""
    who_of(request, visitor)
    return Thing(owner=visitor.person.id)


def record_thing(request: Request, visitor: Visitor) -> Thing:
    """The record the path names, for the door. Raises `NotFound`."""
    who_of(request, visitor)
    with visitor.database.reading() as session:
        row = crm_work.load(session, request.path_params["kind"], request.path_params["record"])
        return Thing(division=row.division, owner=row.owner)


# ------------------------------------------------------------------------------------------- search and lists

def start(request: Request) -> HTMLResponse:
    """The search, and what there is. The issues to choose from are a list, and audited as one."""
    return _searched(request, at_crm(request), {})


async def search(request: Request) -> Response:
    """What was looked for, by words, kind, region and issue."""
    return await run_in_threadpool(_search, request, await sent(request))


def _search(request: Request, form: dict[str, str]) -> HTMLResponse:
    at = at_crm(request)
    kind, issue = form.get("kind", ""), form.get("issue", "")
    if kind and kind not in KINDS:
        raise HTTPException(422, "bad-request")
    regions: list[dict[str, Any]] = []
    try:
        with at.database.session() as session:
            rows = crm_find.search(session, at.who, form.get("text", ""), kinds=[kind] if kind else (),
                                   region=form.get("region", "").strip(), issue=issue)
            if issue:
                regions = [row for row in crm_gaps.gaps(session, at.who, everything=True) if row["issue"] == issue]
    except BadState:
        return _searched(request, at, form, wrong="Write a word, or choose a region or an issue.", status=422)
    return _searched(request, at, form, rows=rows, regions=regions)


def _searched(request: Request, at: Crm, form: dict[str, str], *, rows: list[dict[str, Any]] | None = None,
              regions: list[dict[str, Any]] | None = None, wrong: str = "", status: int = 200) -> HTMLResponse:
    with at.database.session() as session:
        issues, _ = crm_pages.listing(session, at.who, "issue")
        known = names(session, {row["owner"] for row in rows or ()})
    return page_for(request, "crm/search.html", status, form=form, rows=rows, regions=regions or [], wrong=wrong,
                    issues=issues, names=known, kinds=KINDS, listed=_LISTED, made=MADE, me=at.who.actor,
                    change=at.visitor.can(Action.RECORD_CHANGE), sets=at.visitor.can(Action.RECORD_IMPORT))


def listing(request: Request, page: int = 1) -> HTMLResponse:
    """One page of the records of a kind."""
    at, kind = at_crm(request), request.path_params["kind"]
    if not 0 < page < 100_000:
        raise HTTPException(422, "bad-request")
    with at.database.session() as session:
        rows, more = crm_pages.listing(session, at.who, kind, page=page)
        known = names(session, {row["owner"] for row in rows})
    return page_for(request, "crm/list.html", kind=kind, rows=rows, names=known, kinds=KINDS, page=page,
                    me=at.who.actor, more=f"/crm/list/{kind}?page={page + 1}" if more else "",
                    change=at.visitor.can(Action.RECORD_CHANGE) and kind in (*MADE, "document"))


# ------------------------------------------------------------------------------------------------- one record

def look(request: Request) -> HTMLResponse:
    """One record: its fields, what it has to do with, its timeline, who already talks to them."""
    return shown(request, at_crm(request))


def shown(request: Request, at: Crm, *, wrong: str = "", status: int = 200) -> HTMLResponse:
    """The page of the record the path names, with what went wrong. Raises `NotFound`, `NotAllowed`."""
    kind, ident = request.path_params["kind"], request.path_params["record"]
    before = request.query_params.get("before", "")[:80]
    with at.database.session() as session:
        record = crm_work.read(session, at.who, kind, ident)
        titles = _titles(session, at, record)
        beside = crm_pages.beside(session, at.who, kind, ident)
        lines = crm_find.timeline(session, at.who, kind, ident, before=before) if kind != "document" else []
        talks = crm_find.who_talks(session, at.who, kind, ident) if kind in ("contact", "organisation") else []
        thing = Thing(division=record["division"], owner=record["owner"])
        contact = session.get(Contact, ident) if kind == "contact" else None
        purge = contact is not None and crm_suppression.may_purge(at.who, contact) and at.visitor.can(
            Action.RECORD_DELETE)
        known = names(session, {record["owner"], *(line["staff"] for line in (*lines, *talks)),
                                *(merge["by"] for merge in beside["merges"])})
    return page_for(request, "crm/record.html", status, record=record, kind=kind, kinds=KINDS, titles=titles,
                    fields=[(name, crm_forms.label(name), FIELDS[kind][name].holds) for name in FIELDS[kind]],
                    source=SOURCE_WORDS.get(record["source"], "not said"), timeline=lines, talks=talks, names=known,
                    wrong=wrong, roles=_roles(kind), media=crm_suppression.MEDIA, types=crm_work.TYPES, purge=purge,
                    me=at.who.actor, change=crm_pages.may_do(at.who, Action.RECORD_CHANGE, thing),
                    write=crm_pages.may_do(at.who, Action.RECORD_CHANGE, Thing(owner=at.who.actor)),
                    files=crm_pages.may_do(at.who, Action.RECORD_READ, thing),
                    older=f"{lines[-1]['at']}/{lines[-1]['id']}" if len(lines) == crm_find.MOST_FOUND else "", **beside)


def history(request: Request) -> HTMLResponse:
    """What changed in a record, by whom, when."""
    at, kind, ident = at_crm(request), request.path_params["kind"], request.path_params["record"]
    with at.database.session() as session:
        rows = crm_work.history(session, at.who, kind, ident)
        known = names(session, {row["by"] for row in rows})
    return page_for(request, "crm/history.html", kind=kind, ident=ident, kinds=KINDS, rows=[
        row | {"label": crm_forms.label(row["field"])} for row in rows], names=known)


def file(request: Request) -> Response:
    """A document, to be kept: nothing of it is shown by the browser here."""
    at, kind, ident = at_crm(request), request.path_params["kind"], request.path_params["record"]
    if kind != "document":
        raise BadState("only a document has a file")
    with at.database.session() as session:
        found = crm_pages.document(session, at.who, ident)
        return download(found.name, found.content)


def download(name: str, content: bytes) -> Response:
    """A file to be kept under its name."""
    return Response(content, media_type="application/octet-stream", headers={
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"})


# ------------------------------------------------------------------------------------------- making, changing

def new(request: Request) -> HTMLResponse:
    """An empty form. `organisation` in the address names what a contact is of, by its id."""
    at, kind = at_crm(request), _made(request)
    ident = request.query_params.get("organisation", "")
    with at.database.session() as session:
        title = crm_pages.named(session, at.who, "organisation", ident) if ident else ""
        form = {"organisation_id": title} if title else {}
        return _form(request, at, kind, form, categories=crm_work.categories(session, kind))


async def create(request: Request) -> Response:
    """Make a record."""
    return await run_in_threadpool(_create, request, await sent(request))


def _create(request: Request, form: dict[str, str]) -> Response:
    at, kind = at_crm(request), _made(request)
    with at.database.reading() as session:
        categories = crm_work.categories(session, kind)
    try:
        ident = records.create(
            at.database, at.keys, at.scanner, at.who, kind, _values(at, kind, form), source=form.get("source", ""),
            source_url=form.get("source_url", "").strip(), division=_division(at, form))
    except TypedRefused as refused:
        return _form(request, at, kind, crm_forms.shown_again(form, refused), categories=categories,
                     wrong=crm_forms.refused_words(refused), status=409)
    except BadState as refused:
        return _form(request, at, kind, form, categories=categories, wrong=crm_forms.state_words(refused),
                     several=refused if isinstance(refused, Several) else None, status=409)
    return RedirectResponse(f"/crm/record/{kind}/{ident}", 303)


def choose_file(request: Request) -> HTMLResponse:
    """The form for a document."""
    return _file_form(request, at_crm(request), {})


async def upload(request: Request) -> Response:
    """Keep a document once everything in it was read and scanned."""
    given = (await request.form()).get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        raise HTTPException(422, "bad-request")
    try:
        content = await given.read()
    finally:
        await given.close()
    return await run_in_threadpool(_upload, request, await sent(request), given.filename, content,
                                   given.content_type or "")


def _upload(request: Request, form: dict[str, str], name: str, content: bytes, content_type: str) -> Response:
    at = at_crm(request)
    try:
        ident = records.upload(at.database, at.scanner, at.tools.get().extractor, at.who,
                               name.replace("\\", "/").rpartition("/")[2][:200], content, content_type=content_type,
                               source=form.get("source", ""), division=_division(at, form))
    except TypedRefused as refused:
        return _file_form(request, at, form, crm_forms.refused_words(refused))
    except BadState as refused:
        return _file_form(request, at, form, crm_forms.state_words(refused))
    return RedirectResponse(f"/crm/record/document/{ident}", 303)


def _file_form(request: Request, at: Crm, form: dict[str, str], wrong: str = "") -> HTMLResponse:
    chosen = [one for one in crm_forms.source_inputs(form) if one.name == "source"]
    chosen = [replace(chosen[0], choices=tuple(pair for pair in chosen[0].choices if pair[0] != "web"))]
    return page_for(request, "crm/edit.html", 409 if wrong else 200, kind="document", kinds=KINDS, record=None,
                    wrong=wrong, inputs=[], source=chosen, divisions=sorted(at.visitor.person.divisions),
                    division=form.get("division", ""))


def edit(request: Request) -> HTMLResponse:
    """A form with what a record holds now. It is a reading of the record."""
    at = at_crm(request)
    record, before, categories = _before(request, at)
    return _form(request, at, record["kind"], before, record=record, categories=categories)


async def change(request: Request) -> Response:
    """Change a record."""
    return await run_in_threadpool(_change, request, await sent(request))


def _change(request: Request, form: dict[str, str]) -> Response:
    at = at_crm(request)
    record, before, categories = _before(request, at)
    kind, ident = record["kind"], record["id"]
    if form.get("seen") != record["updated"]:
        return _first(request, at, record, before, categories)
    try:
        records.change(at.database, at.keys, at.scanner, at.who, kind, ident, _values(at, kind, form, before),
                       as_of=record["updated"])
    except ChangedMeanwhile:
        return _first(request, at, *_before(request, at))
    except TypedRefused as refused:
        return _form(request, at, kind, crm_forms.shown_again(form, refused, before), record=record,
                     categories=categories, wrong=crm_forms.refused_words(refused), status=409)
    except BadState as refused:
        return _form(request, at, kind, before | form, record=record, categories=categories,
                     wrong=crm_forms.state_words(refused), several=refused if isinstance(refused, Several) else None,
                     status=409)
    return RedirectResponse(f"/crm/record/{kind}/{ident}", 303)


def _first(request: Request, at: Crm, record: dict[str, Any], before: dict[str, str],
           categories: tuple[str, ...]) -> HTMLResponse:
    """Somebody else changed the record first: how it stands now."""
    return _form(request, at, record["kind"], before, record=record, categories=categories, status=409,
                 wrong="Nothing was saved: somebody changed it meanwhile. This is how it stands now.")


def _division(at: Crm, form: dict[str, str]) -> str:
    """For which division a record is made; "" lets the store take the only one. Raises `BadState`."""
    theirs, chosen = at.visitor.person.divisions, form.get("division", "")
    if len(theirs) > 1 and chosen not in theirs:
        raise BadState("say which division it is for")
    return chosen if chosen in theirs else ""


def _values(at: Crm, kind: str, form: dict[str, str], before: dict[str, str] | None = None) -> dict[str, Any]:
    """What the form says. What was looked up for it is in the audit, also when it does not do. Raises `BadState`."""
    with at.database.session() as session:
        try:
            return crm_forms.values_of(session, at.who, kind, form, before, domain=at.settings.mailbox.domain)
        except BadState as refused:
            wrong = refused
    raise wrong


def _before(request: Request, at: Crm) -> tuple[dict[str, Any], dict[str, str], tuple[str, ...]]:
    """The record, what its form shows, the categories offered. A merged one is not changed."""
    kind, ident = request.path_params["kind"], request.path_params["record"]
    with at.database.session() as session:
        record = crm_work.read(session, at.who, kind, ident)
        titles = _titles(session, at, record)
        categories = crm_work.categories(session, kind)
    if record.get("merged_into"):
        raise BadState("it was merged into another")
    return record, crm_forms.as_text(record, titles), categories


def _form(request: Request, at: Crm, kind: str, form: dict[str, str], *, record: dict[str, Any] | None = None,
          categories: tuple[str, ...] = (), several: Several | None = None, wrong: str = "", status: int = 200,
          ) -> HTMLResponse:
    return page_for(request, "crm/edit.html", status, kind=kind, kinds=KINDS, record=record, wrong=wrong,
                    inputs=crm_forms.inputs(kind, form, categories=categories, several=several),
                    source=crm_forms.source_inputs(form) if record is None else [],
                    divisions=sorted(at.visitor.person.divisions), division=form.get("division", ""))


def _made(request: Request) -> str:
    kind = str(request.path_params["kind"])
    if kind not in MADE:
        raise NotFound("kind")
    return kind


def _roles(kind: str) -> list[tuple[str, tuple[str, ...]]]:
    """The roles in which a record of this kind has to do with others, and with which kinds."""
    return [(role, tos) for role, (froms, tos) in crm_work.ROLES.items() if kind in froms]


def _titles(session: Any, at: Crm, record: dict[str, Any]) -> dict[str, str]:
    """What the records and people a record points at are called, by field; of those within sight."""
    found: dict[str, str] = {}
    for name, field in FIELDS[record["kind"]].items():
        value = record[name]
        if field.holds == "record":
            found[name] = crm_pages.named(session, at.who, field.among[0], value) if value else ""
        elif field.holds == "people":
            rows = [row for ident in value or () if (row := session.get(PersonRow, ident)) is not None]
            found[name] = ", ".join(row.address for row in rows)
    for name, kind in (("merged_into", record["kind"]), ("opportunity_id", "opportunity")):
        if record.get(name):
            found[name] = crm_choices.title(session, kind, record[name]) if name == "merged_into" else crm_pages.named(
                session, at.who, kind, record[name])
    return found


_RECORD: Final = "/crm/record/{kind}/{record}"
ROUTES: Final = (
    Route("GET", "/crm", "crm", start, Action.RECORD_LIST),
    Route("POST", "/crm", "crm_search", search, Action.RECORD_SEARCH),
    Route("GET", "/crm/list/{kind}", "crm_list", listing, Action.RECORD_LIST),
    Route("GET", "/crm/new/{kind}", "crm_new", new, Action.RECORD_CHANGE, about=own_thing),
    Route("POST", "/crm/new/{kind}", "crm_create", create, Action.RECORD_CHANGE, about=own_thing),
    Route("GET", "/crm/upload", "crm_choose_file", choose_file, Action.RECORD_CHANGE, about=own_thing),
    Route("POST", "/crm/upload", "crm_upload", upload, Action.RECORD_CHANGE, about=own_thing, files=1),
    Route("GET", _RECORD, "crm_record", look, Action.RECORD_LIST),
    Route("GET", f"{_RECORD}/history", "crm_history", history, Action.RECORD_LIST),
    Route("GET", f"{_RECORD}/file", "crm_file", file, Action.RECORD_READ, about=record_thing),
    Route("GET", f"{_RECORD}/edit", "crm_edit", edit, Action.RECORD_CHANGE, about=record_thing),
    Route("POST", f"{_RECORD}/edit", "crm_change", change, Action.RECORD_CHANGE, about=record_thing),
)
"""The routes of records."""
