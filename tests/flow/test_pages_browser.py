"""The pages in a real browser, on a real `mailweir serve` with invented people: keyboard, narrow screen, WCAG."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import SETTINGS, make_world

from capture.demo.cast import CAST, enter_people

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
SHOTS = os.environ.get("MAILWEIR_SCREENSHOTS", "")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:playwright")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the service listens."""
    world = make_world(tmp_path_factory.mktemp("pages") / "home", SETTINGS + '[sign_in]\nkind = "demo"\n')
    enter_people(world.settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--no-worker", "--port", "0", "--home", str(world.home)], cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield line.split()[-1].replace("127.0.0.1", "localhost")
    finally:
        process.terminate()
        process.wait(timeout=180)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium")
        pytest.skip("no chromium")
    from playwright.sync_api import sync_playwright

    with contextlib.ExitStack() as stack:
        driver = stack.enter_context(sync_playwright())
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        stack.callback(browser.close)
        yield browser


def violations(page: object) -> list[str]:
    """What axe finds against WCAG 2 A and AA."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa",
                                                                            "wcag22aa"]}})
    return [f"{v['id']}: {n['html'][:100]}" for v in found.response["violations"] for n in v["nodes"]]


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_a_person_signs_in_with_the_keyboard_and_every_page_is_in_order(
        address: str, chromium: object, width: int, scheme: str) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme,  # type: ignore[attr-defined]
                                   bypass_csp=True)  # axe is put into the page as a script
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))

    def in_order(name: str) -> None:
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{scheme}.png", full_page=True)

    page.goto(address)
    assert page.url.endswith("/sign-in")
    in_order("sign-in")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.focus("input[name=person]")
    for _ in range(sorted(name for name, _, _ in CAST).index("vera.stone")):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")
    assert "reviewer" in page.inner_text("main")
    in_order("account")
    page.click("text=read them")
    in_order("rules")
    page.focus("main button")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/")
    assert "affirmed at this sign-in" in page.inner_text("main")
    page.goto(f"{address}/nothing-here")
    in_order("not-possible")
    said = [text for text in said if "404" not in text]
    page.goto(address)
    page.click("text=Sign out")
    page.wait_for_url(f"{address}/sign-in")
    page.goto(address)
    assert page.url.endswith("/sign-in")
    assert said == []
    context.close()


@pytest.mark.slow
def test_the_browser_itself_keeps_scripts_and_frames_out(address: str, chromium: object) -> None:
    context = chromium.new_context()  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto(f"{address}/sign-in")
    blocked: list[str] = []
    page.on("console", lambda message: blocked.append(message.text))
    page.evaluate("""() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1';
                             document.body.append(s); document.body.insertAdjacentHTML('beforeend',
                             '<img src=x onerror="window.hit = 2">'); }""")
    page.wait_for_timeout(300)
    assert page.evaluate("window.hit") is None
    assert any("Content Security Policy" in text for text in blocked)
    other = context.new_page()
    other.set_content(f'<iframe src="{address}/sign-in"></iframe>')
    other.wait_for_timeout(500)
    assert "Sign in" not in "".join(frame.content() for frame in other.frames[1:])
    cookies = context.cookies()
    assert all(cookie["httpOnly"] for cookie in cookies)
    context.close()
