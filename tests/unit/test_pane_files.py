"""The pane's files: what the manifests name is served, who may frame it, and that what ships is what was built."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pane_build
import pane_types
import pytest
from pane_place import HOST, PanePlace, demo_world, pane_place, pane_settings
from world import World, mail

from addin.outlook.demo import untag
from capture.demo.items import build_mailboxes
from capture.mailbox.filemarks import categories
from capture.mailbox.states import TRIGGER
from capture.settings import PaneSettings, load_settings
from manifests.build import build
from manifests.check import addresses
from manifests.source import load


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = demo_world(tmp_path_factory.mktemp("template") / "home")
    world.put("dana.reid", "one", mail("Room", "Hello.\n", message_id="one@example.com"), folder="Inbox")
    return world.home


@pytest.fixture
def world(template: Path, tmp_path: Path) -> World:
    home = Path(shutil.copytree(template, tmp_path / "home"))
    return World(home, load_settings(home))


@pytest.fixture
def served(world: World) -> Iterator[PanePlace]:
    with pane_place(world, pane_settings(world.settings, sign_in={"kind": "off", "public_url": HOST})) as place:
        yield place


def test_every_address_in_a_manifest_is_served(served: PanePlace) -> None:
    source = replace(load(), client_id="11111111-2222-3333-4444-555555555555")
    found = {url for raw in build(source).values() for url in addresses(raw)}
    assert {source.pane, source.commands} <= found
    assert len(found) > 8
    for url in sorted(found):
        answer = served.pane(url=HOST).get(urlsplit(url).path)
        kind = "image/png" if "/icons/" in url else "text/html; charset=utf-8"
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), url


def test_the_page_may_be_framed_by_outlook_only_and_loads_scripts_of_ours_and_of_office(served: PanePlace) -> None:
    for path in ("/pane/", "/pane/commands"):
        answer = served.pane(url=HOST).get(path)
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert policy["frame-ancestors"].split() == [f"https://{host}" for host in PaneSettings().outlook_hosts]
        assert policy["script-src"] == "'self' https://appsforoffice.microsoft.com https://ajax.aspnetcdn.com"
        assert policy["connect-src"] == "'self' https://login.microsoftonline.com"
        assert (policy["default-src"], policy["form-action"]) == ("'none'", "'none'")
        assert "x-frame-options" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
        assert "set-cookie" not in answer.headers
        assert "{{" not in answer.text
        assert 'content="https://appsforoffice.microsoft.com/lib/1/hosted/office.js"' in answer.text
        for name in [part.split('"')[0] for part in answer.text.split("/pane/static/")[1:]]:
            script = served.pane(url=HOST).get(f"/pane/static/{name}")
            assert script.status_code == 200
            assert "immutable" in script.headers["cache-control"]


@pytest.mark.parametrize("path", [
    "/pane/static/nothing.js", "/pane/static/pane.html", "/pane/static/sources.sha256", "/pane/static/..%2fapp.py",
    "/pane/icons/icon-17.png", "/pane/icons/..%2f__init__.py", "/pane", "/pane/static/", "/pane/demo",
    "/pane/demo/items"])
def test_nothing_else_is_served(served: PanePlace, path: str) -> None:
    assert served.pane(url=HOST).get(path).status_code == 404


def test_the_simulator_is_there_in_a_demo_home_only_and_shows_its_mailboxes(world: World) -> None:
    with pane_place(world, pane_settings(world.settings, sign_in={"kind": "demo"})) as place:
        page = place.pane().get("/pane/demo")
        assert page.status_code == 200
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        [box] = place.pane().get("/pane/demo/items").json()
        assert box["address"] == "dana.reid@example.org"
        assert [(one["id"], one["message"], one["state"]) for one in box["items"]] == [
            ("Inbox/one.eml", "<one@example.com>", "")]
        pane = place.pane().get("/pane/")
        assert 'content="/pane/static/simulator.office.js"' in pane.text
        assert "frame-ancestors 'self' https://outlook.office.com" in pane.headers["content-security-policy"]


def test_the_demo_for_the_pane_has_nothing_tagged(tmp_path: Path) -> None:
    build_mailboxes(tmp_path)
    before = len(list(tmp_path.rglob("*.eml")))
    untag(tmp_path)
    found = list(tmp_path.rglob("*.eml"))
    assert len(found) == before
    assert not any(TRIGGER in categories(path.read_bytes()) for path in found)
    assert not any(TRIGGER in path.parts for path in found)


def test_what_ships_was_built_from_these_sources() -> None:
    built = (pane_build.FOLDER / "built" / "sources.sha256").read_text("utf-8").strip()
    assert built == pane_build.digest(), "run tests/support/pane_build.py"


def test_the_types_of_the_pane_are_those_of_the_api() -> None:
    assert pane_types.FILE.read_text("utf-8") == pane_types.render(), "run tests/support/pane_types.py"


@pytest.mark.parametrize("wrong", [
    {"outlook_hosts": ("https://outlook.office.com",)}, {"outlook_hosts": ("a b",)}, {"script_hosts": ("x; y",)},
    {"exchange_hosts": ("mail.example.org/owa",)}, {"office_js": "http://x.example/office.js"},
    {"notice_url": "javascript:alert(1)"}, {"bearer_minutes": 0}, {"bearer_minutes": 61}, {"scope": "a b"}])
def test_settings_that_would_open_the_pane_to_others_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        PaneSettings.model_validate(wrong)
