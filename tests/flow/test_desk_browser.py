"""The reviewer's desk in a real browser, on a real `mailweir serve` with held items of invented people.

With MAILWEIR_SCREENSHOTS set to a folder, every page is kept as a picture at 320, 390 and 1280 px, light and dark.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES, CANARY_SIN
from desk_world import make_desk_world
from world import World

from addin.routes import DESK
from capture.demo.cast import CAST
from capture.wiring import opened
from store import audit, people, rules, sessions
from store.access import Role
from store.database import Database

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("MAILWEIR_SCREENSHOTS", "")
WIDTHS = (320, 390, 1280)

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:playwright"),
              pytest.mark.slow]


@dataclass
class Served:
    """A service, its home, and a browser."""

    address: str
    world: World
    database: Database
    browser: Any

    @contextmanager
    def as_person(self, name: str, *, width: int = 1280, scheme: str = "light", scripts: bool = True,
                  fresh: bool = True) -> Iterator[Any]:
        """A page of somebody signed in, who affirmed the rules. What the browser says is in `page.said`."""
        with self.database.session() as session:
            row = people.by_address(session, f"{name}@example.org")
            assert row is not None
            rules.sign(session, row.id, rules.in_force(session).number)
            token = sessions.begin(session, row.id, hours=1)
            begun = sessions.find(session, token)
            assert begun is not None
            sessions.affirm(session, begun)
            if not fresh:
                begun.authenticated = begun.authenticated.replace(year=2020)
        context = self.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme,
                                           java_script_enabled=scripts, bypass_csp=True)  # axe is put in as a script
        context.add_cookies([{"name": "mailweir", "value": token, "url": self.address}])
        page = context.new_page()
        page.set_default_timeout(30_000)  # the first case loads the language model
        page.said = []
        page.asked = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        try:
            yield page
        finally:
            context.close()

    def case(self, sql: str) -> str:
        """The number of the one case that fits, of those still open."""
        found = self.world.rows(  # noqa: S608 - our own words
            "SELECT c.number FROM quarantine_case c JOIN desk_case d ON d.case_id = c.id JOIN capture p "
            f"ON p.case_id = c.id WHERE d.tab <> '' AND {sql} ORDER BY c.number LIMIT 1")
        assert found, sql
        return str(found[0][0])

    def state(self, number: str) -> str:
        """How a case stands in the database."""
        return str(self.world.rows("SELECT state FROM quarantine_case WHERE number = ?", number)[0][0])

    def events(self, action: str, subject: str = "") -> list[dict[str, Any]]:
        """Bodies of audit rows."""
        with self.database.reading() as session:
            return [dict(row.body) for row in audit.show(session, last=1000, action=action, subject=subject)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    world = make_desk_world(tmp_path_factory.mktemp("desk") / "home")
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--no-worker", "--port", "0", "--home", str(world.home)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        database, _ = stack.enter_context(opened(world.settings))
        log = world.home.parent / "serve.log"
        try:
            with log.open("w") as kept:
                copier = subprocess.Popen(["cat"], stdin=process.stderr, stdout=kept)
                yield Served(line.split()[-1].replace("127.0.0.1", "localhost"), world, database, browser)
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()
            process.stderr.close()
            copier.wait(timeout=10)
        assert not any(canary in log.read_text() for canary in CANARIES), "a canary is in the log"


def violations(page: Any) -> list[str]:
    """What axe finds against WCAG 2 A and AA."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": [
        "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}})
    return [f"{v['id']}: {n['html'][:150]}" for v in found.response["violations"] for n in v["nodes"]]


def clean(page: Any, *, said: bool = True) -> None:
    """Nothing personal stands anywhere on the page, and no script of a mail ran."""
    places = {"html": page.content(), "title": page.title(), "url": page.url, "asked": " ".join(page.asked),
              "said": " ".join(page.said) if said else ""}
    assert [(where, canary) for where, text in places.items() for canary in CANARIES if canary in text] == []
    for text in places.values():
        assert "Marchbanks" not in text
        assert "onerror" not in text


ROSTER = "c.summary LIKE '%roster%'"
SMALL = "c.summary LIKE '%ca_sin%' AND c.summary NOT LIKE '%roster%' AND d.division = 'north'"


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
        for expected in ("Critical", "Government ID", "Date of birth", "attachment 1 of 1 (csv)", "Passes the check digit"):
            assert expected.casefold() in text.casefold(), expected
        assert page.locator(".part table").count() >= 1
        page.keyboard.press("j")
        assert "counts" in page.evaluate("document.activeElement.className")
        page.keyboard.press("3")
        assert page.evaluate("document.activeElement.id") == "reason-delete"
        page.keyboard.press("c")  # "Confirmed ..." in the list, not a key of the page
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
        mask = page.locator("button.mask.counts", has_text="SIN").first
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
        mask = page.locator("button.mask.counts", has_text=label).first
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
        page.wait_for_url("**/sign-in?next=*")
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
        page.wait_for_selector("text=needs a second person, text=Nobody has this case, #outcome-1")
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
    mine = [number for (number,) in served.world.rows("SELECT number FROM quarantine_case ORDER BY number")]
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


# --------------------------------------------------------------------------------------------- how it looks

@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_in_order_at_every_width(served: Served, width: int, scheme: str) -> None:
    north = [number for (number,) in served.world.rows(
        "SELECT c.number FROM quarantine_case c JOIN desk_case d ON d.case_id = c.id WHERE d.tab <> '' ORDER BY d.rank")]
    closed = [number for (number,) in served.world.rows(
        "SELECT c.number FROM quarantine_case c JOIN desk_case d ON d.case_id = c.id WHERE d.tab = ''")]
    with served.as_person("ines.bauer", width=width, scheme=scheme) as page:
        pages = {"queue": "/desk", "queue-unreadable": "/desk?tab=unreadable", "queue-filtered": "/desk?division=south",
                 "queue-empty": "/desk?tab=mine", "case": f"/desk/case/{north[0]}", "redact": f"/desk/case/{north[0]}/redact",
                 "family": f"/desk/case/{served.case(SMALL)}/family",
                 "case-unreadable": f"/desk/case/{served.case('c.reason = ' + repr('unreadable'))}",
                 **({"case-closed": f"/desk/case/{closed[0]}"} if closed else {})}
        for name, path in pages.items():
            page.goto(served.address + path)
            clean(page)
            assert page.title() not in ("", "mailweir")
            assert violations(page) == [], name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            shot(page, name, width, scheme)
        page.goto(f"{served.address}/desk/case/{north[0]}")
        page.select_option("#reveal-reason", "decide")
        page.fill("#reveal-remark", "to see")
        page.locator("button.mask.counts").first.click()
        page.wait_for_selector("button.mask.open")
        page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        assert violations(page) == []
        shot(page, "case-revealed", width, scheme)
        page.goto(f"{served.address}/desk/case/{north[0]}/reveal")
        assert page.said == [] or all("405" in text for text in page.said)


def shot(page: Any, name: str, width: int, scheme: str) -> None:
    """Keep a picture, when a folder for them is named."""
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SHOTS) / f"desk-{name}-{width}-{scheme}.png", full_page=True)
