"""The pages of the CRM as a browser gets them, in two divisions; a small scanner reads what is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select
from webclient import running
from webdesk import HTML, Desk, Page, Reader
from world import make_world

from addin.app import build_app
from addin.crm_forms import SOURCE_WORDS, inputs
from capture import coordinating
from capture.demo.cast import enter_people
from capture.notices import render
from capture.wiring import opened
from store import people
from store.columns import now
from store.crm_fields import FIELDS, SOURCES
from store.crm_tables import Activity, ActivityLink, ActivitySuggestion, ActivityTracker, Attachment, Contact
from store.crm_work_tables import Document, Issue, OptOut
from store.readings import how_of
from store.tables import AuditEvent, Capture, Notice

RECORD = re.compile(r"/crm/record/[a-z]+/([0-9a-f]{32})$")
PRIVATE = ("wanda@hall.example.com", "Likes boats and mornings")


@pytest.fixture
def crm(tmp_path: Path, store_url: str) -> Iterator[Desk]:
    """The web service on each kind of database, with the limits of uploads small enough to try them."""
    base = make_world(tmp_path / "home", database="" if store_url.startswith("sqlite") else store_url).settings
    enter_people(base)
    settings = base.model_copy(update={
        "sign_in": base.sign_in.model_copy(update={"kind": "demo"}),
        "web": base.web.model_copy(update={"body_bytes": 20_000, "upload_bytes": 200_000})})
    app = build_app(settings)
    app._settings_of_test = settings  # type: ignore[attr-defined]
    with opened(settings) as (database, _), running(app) as loop:
        inner = app._app.state.tools  # type: ignore[attr-defined]
        inner._made = replace(inner.get(), scanner=Reader())
        yield Desk(app, loop, database, "")


@pytest.fixture(autouse=True)
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addin.tools.scanner_or_refusal", lambda _settings: Reader())


def make(page: Any, kind: str, **values: str) -> str:
    """A record made with the form; its id."""
    answer = page.send(f"/crm/new/{kind}", source="card", **values)
    assert answer.status_code == 303, answer.text
    found = RECORD.search(answer.headers["location"])
    assert found
    return found[1]


def wanda(page: Any, **more: str) -> str:
    return make(page, "contact", first_name="Wanda", last_name="Imaginary", email=PRIVATE[0], region="Coast",
                title="Vice-President", notes=PRIVATE[1], **more)


def mail_of(crm: Desk, contact: str, *, tracker: str = "dana.reid@example.org", division: str = "north") -> str:
    """A linked mail with a file."""
    with crm.database.session() as s:
        row = Activity(item_key=f"k-{contact}", subject="Harbour works", body="The text of the mail", matched="contact",
                       division=division, participants=[{"role": "from", "name": "Wanda", "email": PRIVATE[0]}])
        s.add(row)
        s.flush()
        s.add_all([ActivityTracker(activity_id=row.id, tracker=tracker),
                   ActivityLink(activity_id=row.id, record="contact", record_id=contact, how="address"),
                   Attachment(activity_id=row.id, number=1, name="plan.pdf", size=4, content=b"plan")])
        return row.id


def test_a_contact_is_made_found_changed_and_keeps_its_history(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    org = make(dana, "organisation", name="Fictional Hall", region="Coast")
    ident = wanda(dana, organisation_id="fictional hall")
    where = f"/crm/record/contact/{ident}"
    page = dana.see(where).text
    for expected in ("Wanda Imaginary", *PRIVATE, "Vice-President", "Business card", f"organisation/{org}"):
        assert expected in page
    assert "Imaginary" not in re.findall("<title>(.*)</title>", page)[0]
    answer = dana.send("/crm", text="imagin", kind="", region="", issue="")
    assert (answer.status_code, ident in answer.text, "Imaginary" in str(answer.url)) == (200, True, False)
    form = dict(re.findall(r'name="(seen)" value="([^"]+)"', dana.see(f"{where}/edit").text))
    assert dana.send(f"{where}/edit", seen=form["seen"], title="Captain", region="Coast").status_code == 303
    stale = dana.send(f"{where}/edit", seen=form["seen"], title="Somebody else")
    assert (stale.status_code, "changed it meanwhile" in stale.text, "Captain" in stale.text) == (409, True, True)
    history = dana.see(f"{where}/history").text
    assert "Vice-President" in history
    assert "Captain" in history
    assert ident in dana.see("/crm/list/contact").text
    assert f"record/contact/{ident}" in dana.see(f"/crm/record/organisation/{org}").text, "its people"


def test_d13_a_record_says_how_it_came_to_us_and_a_wrong_field_is_named(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    for values, said in (({"source": ""}, "a source is one of"), ({"source": "web"}, "address of its page"),
                         ({"source": "card", "email": "none"}, "E-mail: not an e-mail address"),
                         ({"source": "card", "organisation_id": "No Such Place"}, "Organisation: none is found")):
        answer = dana.send("/crm/new/contact", last_name="Imaginary", **values)
        assert (answer.status_code, said in answer.text) == (409, True), answer.text
        assert "Imaginary" in answer.text, "what was typed is not lost"
    assert set(SOURCE_WORDS) == set(SOURCES)
    assert all(one.label for kind in FIELDS for one in inputs(kind, {}))


def test_typed_text_is_scanned_at_save_and_a_refusal_does_not_repeat_it(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    ident = wanda(dana)
    where = f"/crm/record/contact/{ident}"
    seen = re.findall(r'name="seen" value="([^"]+)"', dana.see(f"{where}/edit").text)[0]
    answers = [
        dana.send("/crm/new/contact", source="card", last_name="Other", notes="number 130 692 544"),
        dana.send("/crm/new/contact", source="card", last_name="Other", notes="She is Muslim."),
        dana.send(f"{where}/edit", seen=seen, notes="number 130 692 544"),
        dana.send(f"{where}/log", type="note", subject="Call", body="number 130 692 544")]
    for answer in answers:
        assert answer.status_code == 409
        assert "Nothing was saved: " in answer.text
        assert "130 692" not in answer.text
        assert "Muslim" not in answer.text
    assert "Notes holds Government ID" in answers[0].text
    assert "Race, religion, politics" in answers[1].text
    assert PRIVATE[1] in dana.see(where).text
    assert len(crm.events("crm:text:refused")) == 4
    assert "Other" not in dana.see("/crm/list/contact").text


def test_d31_another_division_sees_who_it_is_and_neither_how_to_reach_them_nor_what_was_written(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")
    ident = wanda(dana)
    mail = mail_of(crm, ident)
    deal = make(dana, "opportunity", title="Harbour course", quoted_cents="1250.50")
    assert "1250.50" in dana.see(f"/crm/record/opportunity/{deal}").text
    pages = [marcus.see(path) for path in (
        f"/crm/record/contact/{ident}", f"/crm/record/contact/{ident}/history", f"/crm/activity/{mail}", "/crm",
        "/crm/list/contact", "/crm/list/opportunity")]
    pages.append(marcus.send("/crm", text="imaginary"))
    for page in pages:
        assert page.status_code == 200
        for hidden in (*PRIVATE, "The text of the mail", "plan.pdf", "Harbour course"):
            assert hidden not in page.text, page.url
    assert "another division&#39;s" in pages[0].text or "another division's" in pages[0].text
    assert "Imaginary" in pages[0].text
    assert "Harbour works" in pages[0].text, "that there was contact is shared"
    for path in (f"/crm/record/opportunity/{deal}", f"/crm/record/contact/{ident}/edit",
                 f"/crm/activity/{mail}/file/1"):
        assert marcus.see(path).status_code == 403
    assert "The text of the mail" in dana.see(f"/crm/activity/{mail}").text
    answer = dana.see(f"/crm/activity/{mail}/file/1")
    assert (answer.content, answer.headers["content-disposition"].partition(";")[0]) == (b"plan", "attachment")
    assert [row.body for row in crm.events("crm:attachment:read")] == [{"number": 1}]


def test_d17_every_page_that_shows_a_record_is_in_the_audit_first(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    ident = wanda(dana)
    mail = mail_of(crm, ident)
    where = f"/crm/record/contact/{ident}"
    for path, subject in (("/crm", ""), ("/crm/list/contact", ""), (where, ident), (f"{where}/history", ident),
                          (f"{where}/edit", ident), (f"/crm/activity/{mail}", mail),
                          (f"/crm/activity/{mail}/file/1", mail), ("/crm/waiting", "")):
        with crm.database.reading() as s:
            before = len(s.scalars(select(AuditEvent)).all())
        assert dana.see(path).status_code == 200, path
        with crm.database.reading() as s:
            rows = s.scalars(select(AuditEvent)).all()[before:]
        assert any(how_of(row.action) and row.subject == subject for row in rows), path


def test_y4_two_contacts_are_merged_and_taken_apart_again(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    kept, gone = wanda(dana), make(dana, "contact", first_name="W.", last_name="Imaginary")
    where = f"/crm/record/contact/{kept}"
    choice = dana.send(f"{where}/merge", text="imaginary").text
    assert f"contact:{gone}" in choice
    assert f"contact:{kept}" not in choice
    assert dana.send(f"{where}/merge", target=f"contact:{gone}").status_code == 303
    page = dana.see(where).text
    assert "W. Imaginary" in page
    assert "stands for it" in dana.see(f"/crm/record/contact/{gone}").text
    undo = re.findall(r'action="(/crm/merge/[0-9a-f]{32}/undo)"', page)[0]
    assert crm.browser("marcus.lee").send(undo).status_code == 403
    assert dana.send(undo).status_code == 303
    assert "stands for it" not in dana.see(f"/crm/record/contact/{gone}").text


def test_d10_records_are_connected_and_stakeholders_of_an_issue_are_found_with_the_gaps(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")
    ident, _ = wanda(dana), make(dana, "organisation", name="Prairie Works", region="Prairie")
    issue = make(dana, "issue", title="Harbour access", priority="1")
    where = f"/crm/record/contact/{ident}"
    assert f"issue:{issue}" in dana.send(f"{where}/relate", role="about", text="harbour").text
    assert dana.send(f"{where}/relate", role="about", target=f"issue:{issue}").status_code == 303
    answer = marcus.send("/crm", text="", region="coast", issue=issue)
    assert ident in answer.text
    assert re.search(r"Prairie.*nobody: a gap", answer.text, re.DOTALL)
    assert "Nothing fits" in marcus.send("/crm", region="Prairie", issue=issue).text
    assert marcus.send(f"{where}/relate", role="about", target=f"issue:{issue}", undo="1").status_code == 403
    assert dana.send(f"{where}/relate", role="about", target=f"issue:{issue}", undo="1").status_code == 303
    assert "Nothing fits" in marcus.send("/crm", region="coast", issue=issue).text
    assert dana.send(f"{where}/relate", role="about", target=f"contact:{ident}").status_code == 409


def test_d14_the_owner_is_asked_and_answers(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")
    ident = wanda(dana)
    where = f"/crm/record/contact/{ident}"
    assert marcus.send(f"{where}/ask", question="my number is 130 692 544").status_code == 409
    assert marcus.send(f"{where}/ask", question="May we call her?").status_code == 303
    assert dana.send(f"{where}/ask", question="Me?").status_code == 409, "her own"
    with crm.database.reading() as s:
        notices = s.scalars(select(Notice).where(Notice.template == "owner-asked")).all()
        assert [(n.recipient, n.data) for n in notices] == [
            ("dana.reid@example.org", {"by": "marcus.lee@example.org", "kind": "contact"})]
    task = re.findall(r'/crm/activity/([0-9a-f]{32})', dana.see("/crm/waiting").text)[0]
    assert "May we call her?" in dana.see(f"/crm/activity/{task}").text
    assert dana.send(f"/crm/activity/{task}/done", outcome="Yes, after Monday.").status_code == 303
    assert "Yes, after Monday." in marcus.see(where).text
    assert task not in dana.see("/crm/waiting").text


def test_d15_anybody_passes_on_the_wish_to_be_forgotten_and_the_owner_purges(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")
    ident = wanda(dana)
    where = f"/crm/record/contact/{ident}"
    assert marcus.send(f"{where}/forget", medium="smoke").status_code == 422
    assert "dana.reid has to purge" in marcus.send(f"{where}/forget", medium="call").text
    assert marcus.send(f"{where}/purge", sure="yes").status_code == 403
    assert ident in dana.see("/crm/waiting").text
    assert dana.send(f"{where}/purge").status_code == 422, "not sure"
    done = dana.send(f"{where}/purge", sure="yes")
    assert done.status_code == 200
    receipt = re.findall(r"<code>([0-9a-f]{32})</code>", done.text)[0]
    with crm.database.reading() as s:
        assert s.scalars(select(Contact)).all() == []
        assert [row.body["receipt"] for row in crm.events("crm:record:purged")] == [receipt]
        assert [n.recipient for n in s.scalars(select(Notice).where(Notice.template == "forget-asked"))] == [
            "dana.reid@example.org"]
    assert dana.see(where).status_code == 404
    again = dana.send("/crm/new/contact", source="mail", last_name="Imaginary", email=PRIVATE[0].upper())
    assert (again.status_code, "asked not to be in the CRM" in again.text) == (409, True)
    assert "No request is open" in dana.see("/crm/waiting").text


def test_a_question_waits_until_its_user_chooses(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    one, two = wanda(dana), make(dana, "contact", last_name="Otherwise")
    mail = mail_of(crm, one)
    with crm.database.session() as s:
        s.delete(s.get_one(ActivityLink, (mail, "contact", one)))
        s.add_all([ActivitySuggestion(activity_id=mail, tracker="dana.reid@example.org", record="contact", record_id=r,
                                      reason="ambiguous", question="q", confidence=50) for r in (one, two)])
    page = dana.see("/crm/waiting").text
    assert f"contact:{one}" in page
    assert f"contact:{two}" in page
    assert mail not in crm.browser("priya.nair").see("/crm/waiting").text
    where = f"/crm/activity/{mail}"
    assert dana.send(f"{where}/confirm", target=f"contact:{two}", back="waiting").headers["location"] == "/crm/waiting"
    assert mail not in dana.see("/crm/waiting").text
    assert f"/crm/record/contact/{two}" in dana.see(where).text
    assert dana.send(f"{where}/unlink", target=f"contact:{two}").status_code == 303
    assert "No record yet" in dana.see(where).text
    assert f"contact:{one}" in dana.send(f"{where}/confirm", text="imaginary").text
    assert dana.send(f"{where}/confirm", target="case:1").status_code == 422
    assert crm.browser("priya.nair").send(f"{where}/untrack").status_code == 403
    assert dana.send(f"{where}/purge", sure="yes", reason="not-business").status_code == 200
    assert dana.see(where).status_code == 404


def test_what_was_untracked_by_mistake_is_tracked_again(crm: Desk) -> None:
    dana, priya = crm.browser("dana.reid"), crm.browser("priya.nair")
    mail = mail_of(crm, wanda(dana))
    with crm.database.session() as s:
        s.add(Capture(mailbox="dana.reid@example.org", source_key="k", outcome="link", activity=mail))
    where, button = f"/crm/activity/{mail}", "Track it again"
    assert button not in dana.see(where).text
    assert dana.send(f"{where}/track").status_code == 409, "it is tracked"
    assert dana.send(f"{where}/untrack").status_code == 303
    page = dana.see(where).text
    assert (button in page, "Untrack mine" in page) == (True, False)
    assert button not in priya.see(where).text, "she never tracked it"
    assert priya.send(f"{where}/track").status_code == 403
    assert dana.send(f"{where}/track").status_code == 303
    page = dana.see(where).text
    assert (button in page, "yours among them" in page) == (False, True)
    assert len(crm.events("crm:tracker:restored")) == 1


def test_d36_an_overdue_request_to_be_forgotten_is_told_to_those_who_answer_and_then_to_the_officer(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")
    settings = crm.app._settings_of_test
    ident = wanda(dana)
    marcus.send(f"/crm/record/contact/{ident}/forget", medium="call")

    def overdue_by(hours: float) -> None:
        with crm.database.session() as s:
            s.scalars(select(OptOut)).one().due = now() - timedelta(hours=hours)

    def told() -> list[str]:
        with crm.database.reading() as s:
            return sorted(n.recipient.partition("@")[0] for n in s.scalars(select(Notice).where(
                Notice.template == "forget-overdue")))

    assert coordinating.remind(crm.database, settings) == 0, "there is time"
    overdue_by(1)
    for times in (2, 0):
        assert coordinating.remind(crm.database, settings) == times, "once"
    assert told() == ["dana.reid", "jules.amsel"]
    overdue_by(settings.review.overdue_hours + 1)
    assert coordinating.remind(crm.database, settings) == 1
    assert told() == ["dana.reid", "ines.bauer", "jules.amsel"]
    assert [row.body for row in crm.events("crm:opt-out:overdue")] == [{"told": "owner"}, {"told": "officer"}]
    with crm.database.reading() as s:
        words = [render(n.template, n.data, contact="x").text for n in s.scalars(select(Notice))]
    assert not [text for text in words if "Imaginary" in text or ident in text]
    dana.send(f"/crm/record/contact/{ident}/purge", sure="yes")
    assert coordinating.remind(crm.database, settings) == 0


def test_j8_categories_are_set_on_a_page_and_offered_in_the_form(crm: Desk) -> None:
    dana, admin = crm.browser("dana.reid"), crm.browser("jules.amsel")
    assert 'href="/crm/categories"' not in dana.see("/crm").text
    assert dana.see("/crm/categories").status_code == 403
    assert dana.send("/crm/categories", kind="contact", title="Payee").status_code == 403
    assert 'href="/crm/categories"' in admin.see("/crm").text
    for kind, title in (("contact", " Payee "), ("contact", "Instructor"), ("organisation", "Public")):
        assert admin.send("/crm/categories", kind=kind, title=title).status_code == 303
    assert {admin.send("/crm/categories", kind=kind, title=title).status_code
            for kind, title in (("event", "Fair"), ("contact", " "), ("contact", "x" * 65))} == {409}
    form = dana.see("/crm/new/contact").text
    assert re.findall(r'<option value="(Payee|Instructor|Public)"', form) == ["Instructor", "Payee"]
    kept = make(dana, "contact", last_name="Imaginary", category="Payee")
    assert admin.send("/crm/categories", kind="contact", title="Payee", close="1").status_code == 303
    assert "offered no more" in admin.see("/crm/categories").text
    assert "Payee" not in dana.see("/crm/new/contact").text
    assert "Payee" in dana.see(f"/crm/record/contact/{kept}").text, "records keep it"
    assert admin.send("/crm/categories", kind="contact", title="Payee").status_code == 303
    assert len(crm.events("crm:category:changed")) == 5


def test_only_an_upload_may_be_large_and_only_from_somebody_who_is_signed_in(crm: Desk) -> None:
    dana = crm.browser("dana.reid")

    def sent(page: Page, size: int, path: str = "/crm/upload") -> Any:
        return page.post(path, data={"form_token": page.token, "source": "mail"}, headers=HTML,
                         files={"file": ("prices.txt", b"a" * size, "text/plain")})

    assert sent(dana, 150_000).status_code == 303
    assert sent(dana, 200_000).status_code == 413
    assert sent(dana, 25_000, "/crm/new/contact").status_code == 413
    stranger = crm.browser("dana.reid")
    stranger.client.cookies.clear()
    answer = sent(stranger, 150_000)
    assert (answer.status_code, answer.headers.get("location", "")) in ((401, ""), (303, "/sign-in"))
    stranger.client.cookies.set("mailweir", "x" * 43)
    assert sent(stranger, 150_000).status_code in (401, 303)
    dana.token = "0" * 64
    assert sent(dana, 150_000).status_code == 403, "a form of another session"
    with crm.database.reading() as s:
        assert len(s.scalars(select(Document.id)).all()) == 1


def test_business_goes_from_a_lead_to_a_project_and_a_call_leaves_a_task(crm: Desk) -> None:
    dana = crm.browser("dana.reid")
    deal = make(dana, "opportunity", title="Harbour course", stage="quoted", internal_contacts="priya.nair",
                services="A week of harbour rules")
    where = f"/crm/record/opportunity/{deal}"
    assert "priya.nair@example.org" in dana.see(where).text
    assert dana.send(f"{where}/log", type="phonecall", subject="They want it", follow_up="Send the plan",
                     due="2026-03-01T10:00").status_code == 303
    page = dana.see(where).text
    assert "They want it" in page
    assert "Send the plan" in page
    assert "overdue" in dana.see("/crm/waiting").text
    project = dana.send(f"{where}/win").headers["location"]
    assert "A week of harbour rules" in dana.see(project).text
    event = make(dana, "event", name="Open day", starts="2026-05-01T09:30")
    assert "2026-05-01 09:30" in dana.see(f"/crm/record/event/{event}").text


def test_j13_a_document_is_read_and_scanned_before_it_is_kept(crm: Desk) -> None:
    dana, marcus = crm.browser("dana.reid"), crm.browser("marcus.lee")

    def upload(name: str, content: bytes) -> Any:
        return dana.post("/crm/upload", data={"form_token": dana.token, "source": "mail"},
                         files={"file": (name, content, "text/plain")}, headers=HTML)

    assert "multipart" in dana.see("/crm/upload").text
    assert dana.send("/crm/upload", source="mail").status_code == 422
    refused = upload("list.txt", b"number 130 692 544")
    assert (refused.status_code, "Government ID" in refused.text, "130 692" in refused.text) == (409, True, False)
    kept = upload("prices.txt", b"Prices are as agreed.").headers["location"]
    assert "prices.txt" in dana.see(kept).text
    answer = dana.see(f"{kept}/file")
    assert answer.content == b"Prices are as agreed."
    assert answer.headers["content-type"] == "application/octet-stream"
    assert {marcus.see(path).status_code for path in (kept, f"{kept}/file")} == {403}
    assert "prices.txt" in dana.see("/crm/list/document").text
    assert "prices.txt" not in marcus.see("/crm/list/document").text


def test_another_backend_has_no_pages_here(tmp_path: Path) -> None:
    base = make_world(tmp_path / "home").settings
    enter_people(base)
    settings = base.model_copy(update={"sign_in": base.sign_in.model_copy(update={"kind": "demo"}),
                                       "crm": base.crm.model_copy(update={"kind": "dataverse"})})
    app = build_app(settings)
    with opened(settings) as (database, _), running(app) as loop:
        dana = Desk(app, loop, database, "").browser("dana.reid")
        assert dana.see("/crm").status_code == 404
        assert dana.see("/crm/new/contact").status_code == 404
        assert 'href="/crm"' not in dana.see("/").text


def test_nobody_but_staff_owners_and_division_administrators_opens_it(crm: Desk) -> None:
    ident = wanda(crm.browser("dana.reid"))
    with crm.database.reading() as s:
        assert people.by_address(s, "vera.stone@example.org") is not None
        assert s.scalars(select(Issue)).all() == []
    for name in ("vera.stone", "ines.bauer", "nora.field", "leo.brandt", "aya.tamm"):
        assert crm.browser(name).see(f"/crm/record/contact/{ident}").status_code == 403
    petra = crm.browser("petra.lund")
    assert petra.see(f"/crm/record/contact/{ident}").status_code == 200
    assert petra.see(f"/crm/record/contact/{ident}/edit").status_code == 403
