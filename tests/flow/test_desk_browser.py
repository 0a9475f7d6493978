"""The reviewer's desk in a real browser, on a real `mailweir serve` with held items of invented people.

With MAILWEIR_SCREENSHOTS set to a folder, every page is kept as a picture at 320, 390 and 1280 px.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from canaries import CANARIES, CANARY_SIN
from desk_served import Served, clean, shot, violations
from desk_world import make_desk_world

from addin.pages import safe_path
from addin.routes import API, DESK
from capture.demo.cast import CAST
from capture.wiring import opened
from store.access import Role

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:playwright"),
              pytest.mark.slow]


ROSTER = "c.summary LIKE '%roster%'"
SMALL = "c.summary LIKE '%ca_sin%' AND c.summary NOT LIKE '%roster%' AND d.division = 'north'"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    world = make_desk_world(tmp_path_factory.mktemp("desk") / "home")
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
            made = Served(line.split()[-1].replace("127.0.0.1", "localhost"), world, database, browser)
            with made.client("ines.bauer") as client:  # the first case waits for the language model
                assert client.get(f"/api/cases/{made.case(SMALL)}").status_code == 200
            yield made
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()
    assert not any(canary in log.read_text() for canary in CANARIES), "a canary is in the log"


def choose(page: Any, outcome: int, reason: str) -> None:
    """Open an outcome by its key, choose a reason, send it."""
    page.keyboard.press("Escape")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(str(outcome))
    page.select_option(f"#outcome-{outcome} select", reason)
    page.click(f"#outcome-{outcome} button")


# --------------------------------------------------------------------------------------------- the reviewer

def test_a_reviewer_takes_the_worst_case_first_and_decides_it_masked_with_the_keyboard(served: Served) -> None:
    with served.as_person("vera.stone") as page:
        page.goto(f"{served.address}/desk")
        clean(page)
        numbers = page.locator(".queue h2").all_inner_texts()
        scores = [float(text) for text in page.locator(".queue .score").all_inner_texts()]
        assert scores == sorted(scores, reverse=True)
        worst = served.case(ROSTER)
        assert numbers[0] == worst
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent") == worst
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/desk/case/{worst}")
        clean(page)
        text = page.inner_text("main")
        for expected in ("Critical", "Government ID", "Date of birth", "attachment 1 of 1 (csv)",
                         "check digit"):
            assert expected.casefold() in text.casefold(), expected
        assert page.locator(".part table").count() >= 1
        page.keyboard.press("j")
        assert "counts" in page.evaluate("document.activeElement.className")
        page.keyboard.press("3")
        assert page.evaluate("document.activeElement.id") == "reason-delete"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".undo")
        assert "takes effect" in page.inner_text(".undo")
        page.focus(".undo button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#outcome-3")
        assert served.state(worst) == "held"
        assert page.locator(".undo").count() == 0
        assert page.said == []


def test_a_value_is_revealed_for_a_reason_recorded_first_and_hidden_again(served: Served) -> None:
    with served.as_person("vera.stone") as page:
        number = served.case(SMALL)
        page.goto(f"{served.address}/desk/case/{number}")
        before = len(served.events("quarantine:content:read", number))
        mask = page.locator("button.mask.counts").first
        label = mask.inner_text()
        assert CANARY_SIN not in label
        mask.click()
        assert len(served.events("quarantine:content:read", number)) == before, "without a reason nothing is shown"
        page.select_option("#reveal-reason", "check-finding")
        page.fill("#reveal-remark", "The number looks like an invoice")
        mask.click()
        page.wait_for_selector("button.mask.open")
        assert CANARY_SIN.replace(" ", "") in page.locator("button.mask.open").inner_text().replace(" ", "")
        rows = served.events("quarantine:content:read", number)
        assert rows[-1]["reason"] == "check-finding"
        assert len(rows) == before + 1
        assert "invoice" not in str(rows)
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("m")
        assert page.locator("button.mask.open").count() == 0
        assert mask.inner_text() == label
        mask.click()
        page.wait_for_selector("button.mask.open")
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide'))")
        clean(page)
        mask.click()
        page.wait_for_selector("button.mask.open")
        page.clock.install()
        page.locator("button.mask.open").click()  # a second press hides it
        clean(page)
        assert page.said == []


def test_what_is_revealed_hides_itself_after_a_minute(served: Served) -> None:
    with served.as_person("vera.stone") as page:
        page.clock.install()
        page.goto(f"{served.address}/desk/case/{served.case(SMALL)}")
        page.select_option("#reveal-reason", "decide")
        page.fill("#reveal-remark", "to see")
        page.locator("button[data-block]").first.click()
        page.wait_for_selector("div.value")
        page.clock.run_for(59_000)
        assert page.locator("div.value").count() == 1
        page.clock.run_for(1_500)
        assert page.locator("div.value").count() == 0
        clean(page)


def test_an_old_sign_in_reveals_nothing(served: Served) -> None:
    number = served.case(SMALL)
    with served.as_person("vera.stone", fresh=False) as page:
        page.goto(f"{served.address}/desk/case/{number}")
        assert page.locator("button.mask").count() == 0
        page.click("text=Sign in again")
        page.wait_for_url(re.compile("/sign-in[?]next="))
        page.click("main button")
        page.wait_for_url(f"**/desk/case/{number}")
        assert page.locator("button.mask").count() > 0


def test_everything_works_without_scripts(served: Served) -> None:
    number = served.case(SMALL)
    with served.as_person("vera.stone", scripts=False) as page:
        page.goto(f"{served.address}/desk")
        page.click(f"text={number}")
        page.select_option("#reveal-reason", "decide")
        page.fill("#reveal-remark", "to see")
        page.locator("button.mask.counts").first.click()
        assert page.locator(".value").count() == 1
        page.click("text=Hide it")
        page.click("#outcome-4 summary")
        page.select_option("#reason-escalate", "other")
        page.click("#outcome-4 button")
        assert "takes effect" in page.inner_text(".undo")
        page.click(".undo button")
        assert served.state(number) == "held"


def test_a_release_of_a_critical_case_needs_a_second_person_who_is_another(served: Served) -> None:
    number = served.case(SMALL)
    with served.as_person("vera.stone") as page:
        page.goto(f"{served.address}/desk/case/{number}")
        choose(page, 1, "false-positive")
        page.wait_for_selector("text=needs a second person")
        assert page.locator("text=You are the second person").count() == 0
        token = page.get_attribute("input[name=form_token]", "value")
        answer = page.request.post(f"{served.address}/desk/case/{number}/second", form={
            "form_token": token, "reason": "checked"}, headers={"origin": served.address})
        assert answer.status == 403
        assert "same-person" in answer.text()
        page.goto(f"{served.address}/desk?tab=second")
        assert number in page.inner_text(".queue")
    with served.as_person("ines.bauer") as page:
        page.goto(f"{served.address}/desk?tab=second")
        page.click(f"text={number}")
        page.check("input[value=checked]")
        page.click("text=Answer")
        page.wait_for_selector(".undo")
        page.click(".undo button")
        page.wait_for_selector(".undo", state="detached")
        assert served.state(number) == "held"
        clean(page)
        assert page.said == []


def test_a_redacted_copy_is_made_and_takes_effect(served: Served) -> None:
    number = served.case(ROSTER)
    with served.as_person("vera.stone") as page:
        page.goto(f"{served.address}/desk/case/{number}")
        page.keyboard.press("2")
        page.keyboard.press("Enter")
        page.wait_for_url("**/redact")
        clean(page)
        assert page.locator("input[name=remove]:checked").count() > 0
        page.select_option("#reason-redact", "personal-part-removed")
        page.click("main form button")
        page.wait_for_url(f"**/desk/case/{number}")
        assert "Release redacted takes effect" in page.inner_text(".undo")
        page.wait_for_selector("text=What remains is this record", timeout=40_000)  # it reloads itself
        clean(page)
        assert served.state(number) == "redacted"
        page.goto(f"{served.address}/desk")
        assert number not in page.content()


def test_nobody_opens_a_case_about_their_own_mail(served: Served) -> None:
    mine = served.cases("1 = 1")
    with served.as_person("vera.stone") as page:
        codes = {number: page.request.get(f"{served.address}/desk/case/{number}").status for number in mine}
        refused = [number for number, status in codes.items() if status == 403]
        said = {re.findall(r"Code <code>([a-z-]+)", page.request.get(
            f"{served.address}/desk/case/{number}", headers={"accept": "text/html"}).text())[0] for number in refused}
    assert said == {"own-mail", "other-division"}
    assert len(refused) == 2
    with served.as_person("ines.bauer") as page:
        assert {page.request.get(f"{served.address}/desk/case/{number}").status for number in mine} == {200}


# ------------------------------------------------------------------------------------------------ everybody

@pytest.mark.parametrize("role", Role)
def test_each_role_signs_in_and_sees_the_sections_it_has(served: Served, role: Role) -> None:
    name = next((name for name, _, roles in CAST if role in roles), "")
    if not name:
        assert role is Role.DELEGATE  # a delegate is one for a time; nobody of the demo is
        return
    context = served.browser.new_context()
    page = context.new_page()
    page.goto(f"{served.address}/sign-in")
    page.check(f"label:has-text('{name}') input")
    page.click("main button")
    page.wait_for_url(f"{served.address}/")
    if page.locator("text=to be signed or affirmed").count():
        page.goto(f"{served.address}/rules")
        page.click("main button")
        page.wait_for_url(f"{served.address}/")
    links = page.locator("nav.sections a").all_inner_texts()
    reviews = role in (Role.REVIEWER, Role.PRIVACY_OFFICER)
    assert ("Queue" in links) == reviews
    assert "Account" in links
    page.goto(f"{served.address}/desk")
    assert (page.locator("nav.tabs").count() == 1) == reviews
    context.close()


def test_staff_get_403_on_every_route_of_the_desk(served: Served) -> None:
    number = served.case(SMALL)
    with served.as_person("dana.reid") as page:
        page.goto(served.address)
        token = page.get_attribute("input[name=form_token]", "value")
        for route in DESK:
            path = served.address + route.path.replace("{number}", number)
            answer = page.request.get(path) if route.method == "GET" else page.request.post(
                path, form={"form_token": token}, headers={"origin": served.address})
            assert answer.status == 403, route.path


# -------------------------------------------------------------------------------------------------- the API

def test_the_document_names_every_route_of_the_api_and_is_for_people_signed_in(served: Served) -> None:
    assert httpx.get(f"{served.address}/api/openapi.json").status_code == 401
    with served.client("dana.reid") as client:
        document = client.get("/api/openapi.json").json()
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in API}
    for method, path in listed:
        body = document["paths"][path][method.lower()].get("requestBody")
        if body:
            name = body["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            assert document["components"]["schemas"][name]["additionalProperties"] is False, name


def test_pages_and_api_refuse_alike_and_a_division_sees_its_own(served: Served) -> None:
    south, north = served.case("d.division = 'south'"), served.case(SMALL)
    for name in ("dana.reid", "vera.stone", "ines.bauer", "aya.tamm", "leo.brandt", "nora.field"):
        with served.client(name) as client:
            for page, api in (("/desk", "/api/queue"), *(
                    (f"/desk/case/{number}", f"/api/cases/{number}") for number in (south, north))):
                codes = {client.get(page).status_code, client.get(api).status_code}
                assert len(codes) == 1, (name, page, codes)
                assert codes <= {200, 403}
    with served.client("milan.faro") as client:
        assert [case["number"] for case in client.get("/api/queue").json()["cases"]] == [south]
        assert client.get("/api/queue?division=north").json()["cases"] == []
        assert client.get(f"/api/cases/{north}").json()["code"] == "other-division"
    with served.client("ines.bauer") as client:
        assert {case["division"] for case in client.get("/api/queue").json()["cases"]} == {"north", "south"}


def test_the_api_shows_masked_and_reveals_one_thing_at_a_time(served: Served) -> None:
    number = served.case(SMALL)
    with served.client("vera.stone") as client:
        answer = client.get(f"/api/cases/{number}")
        assert not any(canary in answer.text for canary in (*CANARIES, "Marchbanks"))
        masks = [run for part in answer.json()["parts"] for block in part["blocks"] for run in block["runs"]
                 if run["counts"]]
        assert masks
        asked = {"ref": masks[0]["ref"], "reason": "decide", "remark": "to see"}
        shown = client.post(f"/api/cases/{number}/reveal", json=asked)
        assert CANARY_SIN.replace(" ", "") in shown.json()["value"].replace(" ", "")
        assert shown.headers["cache-control"] == "no-store"
        written = client.post(f"/api/cases/{number}/reveal", json=asked | {"ref": "remarks"})
        assert "to see" in written.json()["value"].splitlines()
        assert served.events("quarantine:content:read", number)[-1]["kind"] == "remarks"
        for wrong, status in (({"ref": "0" * 32}, 404), ({"reason": "because"}, 422), ({"remark": ""}, 422),
                              ({"actor": "ines.bauer"}, 422), ({"ref": "../../etc"}, 422)):
            assert client.post(f"/api/cases/{number}/reveal", json=asked | wrong).status_code == status, wrong
        assert client.post(f"/api/cases/{number}/reveal", json=asked, headers={"x-form-token": ""}).status_code == 403
    with served.client("dana.reid") as client:
        assert client.post(f"/api/cases/{number}/reveal", json=asked).status_code == 403
    with served.client("vera.stone", fresh=False) as client:
        refused = client.post(f"/api/cases/{number}/reveal", json=asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "sign-in-again")
        assert refused.json()["link"] == f"/sign-in/again?next=/desk/case/{number}"


@pytest.mark.parametrize("number", ["MW-2026-999999", "MW-1-1", "../../etc/passwd", "%00", "1 OR 1=1",
                                    "MW-2026-00001'"])
def test_a_case_there_is_not_is_not_found(served: Served, number: str) -> None:
    path = quote(number, safe="%")
    with served.client("ines.bauer") as client:
        for start in ("/desk/case/", "/api/cases/"):
            assert client.get(start + path).status_code in (404, 422)


def test_after_a_new_sign_in_one_comes_back_to_pages_of_ours_only(served: Served) -> None:
    for wanted, back in (("/desk/case/MW-2026-000001", "/desk/case/MW-2026-000001"), ("//evil.example", "/"),
                         ("https://evil.example", "/"), ("/\\evil.example", "/"), ("/desk?x=%0d%0aSet-Cookie:a=b", "/"),
                         ("javascript:alert(1)", "/")):
        assert safe_path(wanted) == back
        with served.client("vera.stone") as client:
            answer = client.get("/sign-in/again", params={"next": wanted})
            assert answer.headers["location"] == f"/sign-in?next={back}"


# --------------------------------------------------------------------------------------------- how it looks

@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1280, "light")])
def test_every_page_is_in_order_at_every_width(served: Served, width: int, scheme: str) -> None:
    worst, closed = served.case("d.division = 'north'"), served.cases("d.tab = ''")
    with served.as_person("ines.bauer", width=width, scheme=scheme) as page:
        pages = {"queue": "/desk", "queue-unreadable": "/desk?tab=unreadable", "queue-filtered": "/desk?division=south",
                 "queue-empty": "/desk?tab=mine", "case": f"/desk/case/{worst}",
                 "redact": f"/desk/case/{worst}/redact",
                 "family": f"/desk/case/{served.case(SMALL)}/family",
                 "case-unreadable": f"/desk/case/{served.case('c.reason = ' + repr('unreadable'))}",
                 **({"case-closed": f"/desk/case/{closed[0]}"} if closed else {})}
        for name, path in pages.items():
            page.goto(served.address + path)
            clean(page)
            assert page.title() not in ("", "mailweir")
            assert width == 320 or violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            shot(page, name, width, scheme)
        page.goto(f"{served.address}/desk/case/{worst}")
        page.select_option("#reveal-reason", "decide")
        page.fill("#reveal-remark", "to see")
        page.locator("button.mask.counts").first.click()
        page.wait_for_selector("button.mask.open")
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert violations(page) == []
        shot(page, "case-revealed", width, scheme)
        page.goto(f"{served.address}/desk/case/{worst}/reveal")
        assert page.said == [] or all("405" in text for text in page.said)
