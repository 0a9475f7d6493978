"""The stories D14 and D15 in a real browser, on a real `mailweir serve` with the real scanner; every page of the CRM
light and dark, wide and narrow, without a violation of WCAG A or AA.

With MAILWEIR_SCREENSHOTS set to a folder, every page is kept as a picture.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_served import Served, in_order
from sqlmodel import select
from world import SETTINGS, make_world

from capture.demo.cast import enter_people
from capture.wiring import opened
from store import audit
from store.crm_tables import Activity, ActivitySuggestion, ActivityTracker, Contact, PurgeReceipt
from store.crm_work_tables import OptOut, RecordWord, Suppression
from store.tables import Capture, Notice

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ADDRESS = "wanda.imaginary@hall.example.com"

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:playwright"),
              pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    world = make_world(tmp_path_factory.mktemp("crm") / "home", SETTINGS + '[sign_in]\nkind = "demo"\n')
    enter_people(world.settings)
    log = world.home.parent / "serve.log"
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--no-worker", "--port", "0", "--home", str(world.home)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=stack.enter_context(log.open("w")), text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        database, _ = stack.enter_context(opened(world.settings))
        try:
            yield Served(line.split()[-1].replace("127.0.0.1", "localhost"), world, database, browser)
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()
    assert "Imaginary" not in log.read_text()
    assert ADDRESS not in log.read_text()


def ident_of(page: Any) -> str:
    return str(page.url.rsplit("/", 1)[1].partition("?")[0])


def press(page: Any, name: str) -> None:
    """Press the button that is called exactly so."""
    page.get_by_role("button", name=name, exact=True).click()


def make(served: Served, page: Any, kind: str, **values: str) -> str:
    """Fill the form of a new record and save it."""
    page.goto(f"{served.address}/crm/new/{kind}")
    page.select_option("#f-source", "card")
    for name, value in values.items():
        page.fill(f"#f-{name}", value)
    page.click("main form button")
    page.wait_for_url(f"**/crm/record/{kind}/*")
    return ident_of(page)


def connect(page: Any, role: str, words: str) -> None:
    """Connect the record that is shown with the one that has these words."""
    page.click("text=Connect with another record")
    page.select_option("#role", role)
    page.fill("#other", words)
    page.click("text=Look for it >> nth=0")
    page.check("input[name=target] >> nth=0")
    page.click("main form button >> nth=0")
    page.wait_for_selector("text=Has to do with")


def no_person_in(page: Any) -> None:
    """Neither the address nor the title of a page names anybody, and the browser had nothing to say but refusals."""
    assert "Imaginary" not in page.title()
    assert [url for url in page.asked if "maginary" in url] == []
    assert [text for text in page.said if "409" not in text] == []


def test_d14_a_stakeholder_is_found_by_issue_and_region_and_the_owner_is_asked_first(served: Served) -> None:
    with served.as_person("dana.reid") as dana:  # one component comes back with a business card
        dana.goto(f"{served.address}/crm")
        assert "Nothing fits" not in dana.inner_text("main")
        in_order(dana, "crm-start")
        make(served, dana, "organisation", name="Fictional Fire Hall", region="Coast")
        make(served, dana, "organisation", name="Prairie Works", region="Prairie")
        make(served, dana, "issue", title="Harbour access")
        dana.goto(f"{served.address}/crm/new/contact")
        in_order(dana, "crm-new")
        contact = make(served, dana, "contact", first_name="Wanda", last_name="Imaginary", email=ADDRESS,
                       title="Harbour master", region="Coast", organisation_id="Fictional Fire Hall")
        connect(dana, "about", "harbour access")
        dana.click("text=Write down a call, meeting, note or task")
        dana.select_option("#l-type", "meeting")
        dana.fill("#l-subject", "First meeting about the pier")
        dana.fill("#l-body", "Her employee number is 4471 and her social insurance number is 130 692 544.")
        press(dana, "Save")
        dana.wait_for_selector("[role=alert]")
        assert "Body holds Government ID" in dana.inner_text("[role=alert]")
        assert "130 692 544" not in dana.content()
        in_order(dana, "crm-refused")
        dana.click("text=Write down a call, meeting, note or task")
        dana.select_option("#l-type", "meeting")
        dana.fill("#l-subject", "First meeting about the pier")
        dana.fill("#l-follow", "Send the timetable")
        press(dana, "Save")
        dana.wait_for_selector("text=Send the timetable")
        no_person_in(dana)

    with served.as_person("marcus.lee") as marcus:  # another office looks for who is known there
        marcus.goto(f"{served.address}/crm")
        marcus.select_option("#issue", label="Harbour access")
        marcus.fill("#region", "coast")
        marcus.keyboard.press("Enter")
        marcus.wait_for_selector("#found")
        text = marcus.inner_text("main")
        assert "Wanda Imaginary" in text
        assert "north" in text
        assert "nobody: a gap" in text, "the next region is empty"
        in_order(marcus, "crm-found")
        marcus.click("text=Wanda Imaginary")
        marcus.wait_for_url(f"**/crm/record/contact/{contact}")
        text = marcus.inner_text("main")
        assert "Who already talks to them" in text
        assert "dana.reid, north: 1 time" in text, "a promised task is no talk"
        assert "it is another division's" in text
        assert ADDRESS not in marcus.content()
        marcus.click("summary:has-text('Ask the owner')")
        marcus.fill("#question", "We want to invite the harbour master to our open day. May we?")
        in_order(marcus, "crm-record-other")
        press(marcus, "Ask")
        marcus.wait_for_selector("text=Question to the owner")
        no_person_in(marcus)

    with served.as_person("dana.reid") as dana:
        dana.goto(f"{served.address}/crm/waiting")
        assert "by marcus.lee" in dana.inner_text("main")
        in_order(dana, "crm-waiting")
        dana.click("text=Question to the owner")
        assert "open day" in dana.inner_text("main")
        in_order(dana, "crm-activity")
        dana.fill("#outcome", "Yes, after the meeting on the pier.")
        press(dana, "Done")
        dana.wait_for_selector("text=Yes, after the meeting on the pier.")
        dana.goto(f"{served.address}/crm/record/contact/{contact}")
        in_order(dana, "crm-record-own")
        dana.click("text=History")
        in_order(dana, "crm-history")
        dana.goto(f"{served.address}/crm/record/contact/{contact}/edit")
        dana.fill("#f-title", "Harbour captain")
        in_order(dana, "crm-edit")
        press(dana, "Save")
        dana.click("text=History")
        in_order(dana, "crm-history-changed")
        dana.goto(f"{served.address}/crm/upload")
        in_order(dana, "crm-upload")
        dana.goto(f"{served.address}/crm/list/contact")
        in_order(dana, "crm-list")
    with served.as_person("jules.amsel", scripts=False) as jules:
        jules.goto(f"{served.address}/crm")
        jules.click("main >> text=Categories")
        for title in ("Stakeholder", "Payee"):
            jules.fill("#n-contact", title)
            jules.click("#n-contact >> xpath=ancestor::form >> button")
        jules.click("button:has-text('Offer no more') >> nth=0")
        assert "Payee offered no more" in jules.inner_text("main")
        no_person_in(jules)
    with served.as_person("jules.amsel") as jules:
        jules.goto(f"{served.address}/crm/categories")
        in_order(jules, "crm-categories")
    with served.as_person("marcus.lee") as marcus:
        marcus.goto(f"{served.address}/crm/record/contact/{contact}")
        assert "Yes, after the meeting on the pier." in marcus.inner_text("main")
    with served.database.reading() as session:
        assert [n.recipient for n in session.scalars(select(Notice).where(Notice.template == "owner-asked"))] == [
            "dana.reid@example.org"]
        rows = [row for row in audit.show(session, last=1000, action="crm:record") if row.subject == contact]
    assert {row.actor for row in rows if row.action == "crm:record:read"} == {
        served.world.rows("SELECT id FROM person WHERE address = ?", f"{name}@example.org")[0][0]
        for name in ("dana.reid", "marcus.lee")}


def test_d15_told_to_another_officer_the_owner_forgets_the_person_for_good(served: Served) -> None:
    with served.as_person("dana.reid") as dana:
        contact = make(served, dana, "contact", first_name="Osgood", last_name="Imaginary",
                       email="osgood@hall.example.com", region="Island")
        twin = make(served, dana, "contact", first_name="O.", last_name="Imaginary", region="Island")
        dana.goto(f"{served.address}/crm/record/contact/{contact}")
        dana.click("text=Merge another contact into this")
        dana.fill("#same", "imaginary")
        dana.click("text=Look for it >> nth=-1")
        in_order(dana, "crm-choose")
        dana.check(f"input[value='contact:{twin}']")
        press(dana, "Merge")
        dana.wait_for_selector("text=Merged into this")
    with served.database.session() as session:
        mail = Activity(item_key="d15", subject="Osgood's mail", body="Good day", division="north", participants=[
            {"role": "from", "name": "Osgood", "email": "osgood@hall.example.com"}])
        session.add(mail)
        session.flush()
        session.add(ActivityTracker(activity_id=mail.id, tracker="dana.reid@example.org"))
        session.add(Capture(mailbox="dana.reid@example.org", source_key="d15", outcome="link", activity=mail.id))
        mail_id = mail.id
    with served.as_person("dana.reid") as dana:  # links it by hand: it is about nobody else
        dana.goto(f"{served.address}/crm/activity/{mail_id}")
        dana.fill("#to", "osgood")
        dana.click("text=Look for it")
        dana.check("input[name=target] >> nth=0")
        press(dana, "Link")
        dana.wait_for_url(f"**/crm/activity/{mail_id}")
        in_order(dana, "crm-activity-mail")
    with served.database.session() as session:
        for name in (contact, twin):
            session.add(ActivitySuggestion(activity_id=mail_id, tracker="dana.reid@example.org", record="contact",
                                           record_id=name, reason="ambiguous", question="q", confidence=50))
    with served.as_person("dana.reid") as dana:
        dana.goto(f"{served.address}/crm/waiting")
        in_order(dana, "crm-waiting-question")
        dana.goto(f"{served.address}/crm/activity/{mail_id}")
        press(dana, "Untrack mine")
        press(dana, "Track it again")
        dana.wait_for_selector("text=Untrack mine")

    with served.as_person("marcus.lee") as marcus:  # told by phone, to an officer who is not the owner
        marcus.goto(f"{served.address}/crm")
        marcus.fill("#text", "osgood imaginary")
        marcus.keyboard.press("Enter")
        marcus.click("text=Osgood Imaginary")
        assert "dana.reid" in marcus.inner_text("dl.inline")
        assert marcus.locator("text=Purge this contact").count() == 0
        marcus.click("text=This person asked to be forgotten")
        marcus.select_option("#medium", "call")
        marcus.click("text=Tell the owner")
        marcus.wait_for_selector("text=dana.reid has to purge")
        in_order(marcus, "crm-told")
        no_person_in(marcus)

    with served.as_person("dana.reid", scripts=False) as dana:  # everything works without scripts
        dana.goto(f"{served.address}/crm/waiting")
        assert "to be purged by" in dana.inner_text("main")
        dana.click("text=Look at the contact")
        dana.click("text=Purge this contact")
        dana.check("input[name=sure]")
        press(dana, "Purge")
        receipt = dana.inner_text("main code")
        no_person_in(dana)
    with served.as_person("dana.reid") as dana:
        dana.goto(f"{served.address}/crm")
        dana.fill("#text", "osgood")
        dana.keyboard.press("Enter")
        dana.wait_for_selector("#found")
        assert "Nothing fits" in dana.inner_text("main")
        dana.goto(f"{served.address}/crm/new/contact")
        dana.select_option("#f-source", "card")
        dana.fill("#f-last_name", "Imaginary")
        dana.fill("#f-email", "Osgood@Hall.example.com")
        dana.click("main form button")
        assert "asked not to be in the CRM" in dana.inner_text("[role=alert]")
    with served.database.reading() as session:
        kept = session.get_one(PurgeReceipt, receipt)
        assert (kept.record, kept.record_id) == ("contact", contact)
        assert session.get(Contact, contact) is None
        assert session.get(Contact, twin) is None, "what was merged with it goes too"
        assert session.get(Activity, mail_id) is None
        assert session.scalars(select(RecordWord).where(RecordWord.word == "osgood")).all() == []
        assert len(session.scalars(select(Suppression)).all()) == 1
        request = session.scalars(select(OptOut)).one()
        assert (request.state, request.receipt, request.medium) == ("purged", receipt, "call")
        assert [n.recipient for n in session.scalars(select(Notice).where(Notice.template == "forget-asked"))] == [
            "dana.reid@example.org"]
    assert b"osgood@hall" not in b"".join(served.world.stored_bytes().values()).lower()
