"""Sign-in with a stand-in for the directory over real https; sessions, cookies, forms, rules; every route x role."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from entra_server import Entra, serving_entra
from fastapi import HTTPException
from pydantic import SecretStr
from starlette.types import ASGIApp
from stores import BLOCK, finish, sight
from webclient import Browser, running
from world import make_world

from addin.app import build_app
from addin.auth import EntraSignIn, open_flow, seal_flow
from addin.door import Need, visit
from addin.edge import SECURITY_HEADERS
from addin.errors import DemoRefused, SignInRefused
from addin.pages import SENTENCES
from addin.routes import routes_for
from addin.signing import REFUSALS as SIGN_IN_REFUSALS
from capture.demo.cast import CAST, enter_people
from capture.errors import BadSettings
from capture.settings import Settings, load_settings
from capture.wiring import opened
from store import allow, audit, crm_merge, people, rules, sessions
from store.access import REFUSALS, Action, Role, Thing
from store.allow import Wish
from store.columns import now
from store.crm_access import Who
from store.crm_tables import Activity, ActivityTracker, Attachment, Contact
from store.crypto import Keys
from store.database import Database
from store.desk_tables import DeskCase
from store.week_rules import week_before, week_of

PUBLIC = "https://weir.example.org"
HTML = {"accept": "text/html,application/xhtml+xml"}


@dataclass
class Place:
    """A running service and what stands around it."""

    app: ASGIApp
    loop: Any
    settings: Settings
    database: Database
    keys: Keys
    entra: Entra | None = None
    case: str = ""
    capture: str = ""
    crm: dict[str, str] = field(default_factory=dict)

    def browser(self, url: str = PUBLIC, peer: str = "127.0.0.1") -> Browser:
        return Browser(self.app, self.loop, peer, url)

    def person(self, name: str, *roles: Role, state: str = "active") -> str:
        with self.database.session() as s:
            people.add_division(s, "north", actor="root")
            who = people.add(s, f"{name}@example.org", actor="root", divisions=("north",)).id
            for role in roles:
                grant = people.ask_role(s, who, role, actor="root")
                people.approve_role(s, grant.id, actor="owner-1")
                people.apply_role(s, grant.id, actor="admin-1")
            if state != "active":
                people.change_state(s, who, state, actor="root")
        return who

    def events(self, beginning: str = "web:") -> list[tuple[str, Any]]:
        with self.database.reading() as s:
            return [(row.action, row.body) for row in audit.show(s, last=1000, action=beginning)]


@pytest.fixture(scope="module")
def entra() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_world(tmp_path_factory.mktemp("template") / "home").home


@pytest.fixture
def home(empty_home: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(empty_home, tmp_path / "home"))


def entra_settings(home: Path, entra: Entra, **changed: object) -> Settings:
    base = load_settings(home)
    client = entra.register(secret="s3cret", redirects=[f"{PUBLIC}/sign-in/back"])
    chosen = base.sign_in.model_copy(update={
        "kind": "entra", "tenant": entra.tenant, "client_id": client.id, "login_url": entra.url,
        "ca_file": entra.ca_file, "public_url": PUBLIC, **changed})
    web = base.web.model_copy(update={"names": ("weir.example.org",)})
    return base.model_copy(update={"sign_in": chosen, "web": web, "sign_in_secret": SecretStr("s3cret")})


@contextmanager
def serving(settings: Settings, entra: Entra | None = None) -> Iterator[Place]:
    app = build_app(settings)
    with running(app) as loop, opened(settings) as (database, keys):
        yield Place(app, loop, settings, database, keys, entra)


@pytest.fixture
def place(home: Path, entra: Entra) -> Iterator[Place]:
    entra.person = {"oid": "oid-dana", "name": "Dana Reid", "preferred_username": "Dana@example.org"}
    with serving(entra_settings(home, entra), entra) as made:
        yield made


def at_directory(place: Place, url: str) -> dict[str, str]:
    """The person signs in at the directory; what it sends back with the browser."""
    assert place.entra is not None
    answer = httpx.get(url, verify=_trust(place.entra), trust_env=False)
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{PUBLIC}/sign-in/back"
    return {name: found[0] for name, found in parse_qs(back.query).items()}


def returned(browser: Browser, fields: dict[str, str], **headers: str) -> httpx.Response:
    """The directory's page makes the browser post this form to us, from another site."""
    return browser.post("/sign-in/back", data=fields, headers=HTML | {
        "origin": "https://login.example", "sec-fetch-site": "cross-site", **headers})


def _trust(entra: Entra) -> Any:
    import ssl

    return ssl.create_default_context(cafile=entra.ca_file)


def signed_in(place: Place, start: str = "/sign-in/start",
              browser: Browser | None = None) -> tuple[Browser, httpx.Response]:
    browser = browser or place.browser()
    away = browser.get(start, headers=HTML)
    assert away.status_code == 303, away.text
    query = at_directory(place, away.headers["location"])
    return browser, returned(browser, query)


def form_token(answer: httpx.Response) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', answer.text)
    assert found, answer.text
    return found[1]


def with_rules(browser: Browser) -> None:
    shown = browser.get("/rules", headers=HTML)
    done = browser.post("/rules", data={"form_token": form_token(shown), "number": "1"}, headers=HTML)
    assert (done.status_code, done.headers["location"]) == (303, "/")


# ------------------------------------------------------------------------------------------ the good way

def test_somebody_signs_in_signs_the_rules_and_out_again(place: Place) -> None:
    who = place.person("dana", Role.REVIEWER)
    browser = place.browser()
    for path in ("/", "/rules", "/sign-in/again"):
        assert browser.get(path, headers=HTML).headers["location"] == "/sign-in"
        assert browser.get(path).json()["code"] == "sign-in-needed"
    assert "/sign-in/start" in browser.get("/sign-in", headers=HTML).text
    browser, answer = signed_in(place, browser=browser)
    assert answer.status_code == 200
    assert 'content="0; url=/"' in answer.text

    own = browser.get("/", headers=HTML)
    assert own.status_code == 200
    assert "dana@example.org" in own.text
    assert "reviewer" in own.text
    assert "to be signed or affirmed" in own.text
    with_rules(browser)
    own = browser.get("/", headers=HTML)
    assert "affirmed at this sign-in" in own.text

    gone = browser.post("/sign-out", data={"form_token": form_token(own)}, headers=HTML)
    assert (gone.status_code, gone.headers["location"]) == (303, "/sign-in")
    assert browser.get("/", headers=HTML).headers["location"] == "/sign-in"
    names = [name for name, _ in place.events()]
    assert names == ["web:session:begun", "web:session:ended"]
    assert [name for name, _ in place.events("people:rules:")] == [
        "people:rules:published", "people:rules:signed", "people:rules:affirmed"]
    with place.database.reading() as s:
        assert people.get(s, who).subject == f"{place.settings.sign_in.tenant}/oid-dana"


def test_the_request_to_the_directory_has_state_nonce_and_pkce(place: Place) -> None:
    away = urlsplit(place.browser().get("/sign-in/start", headers=HTML).headers["location"])
    query = {name: found[0] for name, found in parse_qs(away.query).items()}
    assert query["code_challenge_method"] == "S256"
    assert len(query["code_challenge"]) == 43
    assert min(len(query["state"]), len(query["nonce"])) >= 16
    assert query["redirect_uri"] == f"{PUBLIC}/sign-in/back"
    assert (query["response_type"], query["response_mode"]) == ("code", "form_post")


def test_the_cookies_are_strict_and_hold_nothing_readable(place: Place) -> None:
    place.person("dana")
    browser = place.browser()
    away = browser.get("/sign-in/start", headers=HTML)
    flow = away.headers["set-cookie"]
    for part in ("__Secure-mailweir-flow=", "HttpOnly", "Secure", "SameSite=none", "Path=/sign-in", "Max-Age=600"):
        assert part in flow
    query = at_directory(place, away.headers["location"])
    assert query["state"] not in flow
    answer = returned(browser, query)
    session, forgotten = answer.headers.get_list("set-cookie")
    for part in ("__Host-mailweir=", "HttpOnly", "Secure", "SameSite=strict", "Path=/"):
        assert part in session
    assert "Domain" not in session
    assert "Max-Age=0" in forgotten
    token = browser.cookies["__Host-mailweir"]
    assert len(token) == 43
    assert token not in browser.get("/", headers=HTML).text


def test_roles_follow_the_directory_when_the_settings_say_so(home: Path, entra: Entra) -> None:
    entra.person = {"oid": "oid-eve", "preferred_username": "eve@example.org", "roles": ["Weir.Review", "Other.App"]}
    settings = entra_settings(home, entra, app_roles={"Weir.Review": Role.REVIEWER, "Weir.Audit": Role.AUDITOR})
    with serving(settings, entra) as place:
        who = place.person("eve")
        assert signed_in(place)[1].status_code == 200
        with place.database.reading() as s:
            assert people.load(s, who).roles == {Role.REVIEWER}
        entra.person["roles"] = []
        signed_in(place)
        with place.database.reading() as s:
            assert people.load(s, who).roles == frozenset()
        entra.person["roles"] = ["Weir.Review", "Weir.Audit"]
        browser, answer = signed_in(place)
        assert answer.status_code == 403
        assert SIGN_IN_REFUSALS["roles-clash"] in answer.text
        assert browser.get("/", headers=HTML).status_code == 303


# ---------------------------------------------------------------------------------------- the wrong ways

def refused_with(place: Place, answer: httpx.Response, code: str) -> None:
    assert answer.status_code == 403, answer.text
    assert f"<code>{code}</code>" in answer.text
    assert "__Host-mailweir=" not in str(answer.headers.get_list("set-cookie"))
    assert place.events()[-1] == ("web:session:refused", {"code": code})


@pytest.mark.parametrize("change", [
    pytest.param({"state": "other"}, id="another state"),
    pytest.param({"code": "made-up"}, id="a made-up code"),
    pytest.param({"error": "access_denied", "error_description": "dana.reid@example.org"}, id="the directory says no"),
])
def test_an_answer_that_is_not_of_this_sign_in_is_refused(place: Place, change: dict[str, str]) -> None:
    place.person("dana")
    browser = place.browser()
    away = browser.get("/sign-in/start", headers=HTML)
    query = at_directory(place, away.headers["location"]) | change
    answer = returned(browser, query)
    refused_with(place, answer, "not-this-sign-in" if "state" in change else "directory-refused")
    assert "dana" not in answer.text


def test_another_browser_cannot_finish_the_sign_in(place: Place) -> None:
    place.person("dana")
    away = place.browser().get("/sign-in/start", headers=HTML)
    query = at_directory(place, away.headers["location"])
    refused_with(place, returned(place.browser(), query), "not-this-sign-in")
    other = place.browser()
    other.get("/sign-in/start", headers=HTML)  # login CSRF: a sign-in of its own is under way there
    refused_with(place, returned(other, query), "not-this-sign-in")


def test_a_sign_in_is_finished_once(place: Place) -> None:
    place.person("dana")
    browser = place.browser()
    away = browser.get("/sign-in/start", headers=HTML)
    flow = browser.cookies["__Secure-mailweir-flow"]
    query = at_directory(place, away.headers["location"])
    assert returned(browser, query).status_code == 200
    again = returned(browser, query, cookie=f"__Secure-mailweir-flow={flow}")
    refused_with(place, again, "directory-refused")


@pytest.mark.parametrize(("claims", "code"), [
    pytest.param({"aud": "another-app"}, "bad-token", id="for another application"),
    pytest.param({"iss": "https://evil.example/v2.0"}, "bad-token", id="of another issuer"),
    pytest.param({"exp": int(time.time()) - 3600}, "bad-token", id="expired"),
    pytest.param({"nbf": int(time.time()) + 3600}, "bad-token", id="not valid yet"),
    pytest.param({"nonce": "other"}, "not-this-sign-in", id="another nonce"),
    pytest.param({"tid": "another-tenant"}, "another-tenant", id="another tenant"),
    pytest.param({"oid": ""}, "another-tenant", id="nobody"),
])
def test_a_token_that_does_not_fit_is_refused(
        place: Place, monkeypatch: pytest.MonkeyPatch, claims: dict[str, Any], code: str) -> None:
    place.person("dana")
    assert place.entra is not None
    plain = place.entra.sign
    monkeypatch.setattr(place.entra, "sign", lambda given: plain(given | claims))
    refused_with(place, signed_in(place)[1], code)


def test_a_token_signed_by_somebody_else_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    place.person("dana")
    assert place.entra is not None
    public = place.entra.jwks()
    monkeypatch.setattr(place.entra, "jwks", lambda: public)
    monkeypatch.setattr(place.entra, "key", rsa.generate_private_key(65537, 2048))
    refused_with(place, signed_in(place)[1], "bad-token")
    monkeypatch.setattr(place.entra, "kid", "unheard-of")
    refused_with(place, signed_in(place)[1], "bad-token")


@pytest.mark.parametrize(("state", "code"), [
    ("", "unknown-person"), ("suspended", "account-inactive"), ("ended", "account-inactive")])
def test_who_is_not_known_or_not_active_is_not_let_in(place: Place, state: str, code: str) -> None:
    if state:
        place.person("dana", Role.STAFF, state=state)
    refused_with(place, signed_in(place)[1], code)


def test_another_account_with_the_same_address_is_not_the_same_person(place: Place) -> None:
    place.person("dana", Role.STAFF)
    assert signed_in(place)[1].status_code == 200
    assert place.entra is not None
    place.entra.person["oid"] = "oid-impostor"
    refused_with(place, signed_in(place)[1], "unknown-person")


def test_the_directory_not_answering_is_said_so(home: Path, entra: Entra) -> None:
    settings = entra_settings(home, entra, login_url="https://127.0.0.1:1")
    with serving(settings, entra) as place:
        answer = place.browser().get("/sign-in/start", headers=HTML)
    assert answer.status_code == 503
    assert "does not answer" in answer.text


@pytest.mark.parametrize("changed", [
    {"tenant": ""}, {"client_id": ""}, {"public_url": ""}, {"public_url": "http://weir.example.org"},
    {"login_url": "http://login.example.org"}])
def test_settings_that_cannot_be_safe_are_refused(home: Path, entra: Entra, changed: dict[str, str]) -> None:
    with pytest.raises(BadSettings):
        EntraSignIn(entra_settings(home, entra, **changed))


def test_what_is_remembered_meanwhile_is_sealed() -> None:
    keys = Keys(bytes(range(32)))
    sealed = seal_flow(keys, {"state": "secret-state"})
    assert open_flow(keys, sealed) == {"state": "secret-state"}
    assert b"secret-state" not in bytes.fromhex(sealed)
    changed = f"{sealed[:-2]}{int(sealed[-2:], 16) ^ 1:02x}"
    for wrong in ("", "zz", "00", changed, seal_flow(Keys(bytes(32)), {"state": "x"})):
        with pytest.raises(SignInRefused):
            open_flow(keys, wrong)


# ----------------------------------------------------------------------------------- sessions and forms

def test_signing_in_again_renews_the_session_of_the_same_person_only(place: Place) -> None:
    place.person("dana", Role.REVIEWER)
    place.person("eve")
    browser, _ = signed_in(place)
    before = browser.cookies["__Host-mailweir"]
    _, answer = signed_in(place, "/sign-in/again", browser)
    assert answer.status_code == 200
    assert browser.cookies["__Host-mailweir"] != before
    assert place.events()[-1][0] == "web:session:renewed"
    assert place.entra is not None
    place.entra.person = {"oid": "oid-eve", "preferred_username": "eve@example.org"}
    _, answer = signed_in(place, "/sign-in/again", browser)
    refused_with(place, answer, "another-person")


def test_again_asks_the_directory_for_the_proof_and_believes_its_time(place: Place) -> None:
    place.person("dana")
    browser, _ = signed_in(place)
    away = browser.get("/sign-in/again", headers=HTML).headers["location"]
    assert parse_qs(urlsplit(away).query)["prompt"] == ["login"]
    assert place.entra is not None
    place.entra.person["auth_time"] = int(time.time()) - 7200
    _, answer = signed_in(place, "/sign-in/again", browser)
    refused_with(place, answer, "not-signed-in-again")


def test_a_token_planted_before_sign_in_is_worth_nothing_after(place: Place) -> None:
    place.person("dana")
    browser = place.browser()
    browser.client.cookies.set("__Host-mailweir", "planted", domain="weir.example.org")
    browser, _ = signed_in(place, browser=browser)
    assert browser.cookies.get("__Host-mailweir", domain="weir.example.org", path="/") != "planted"
    fixed = place.browser()
    assert fixed.get("/", headers=HTML | {"cookie": "__Host-mailweir=planted"}).headers["location"] == "/sign-in"


def test_a_suspended_person_is_out_at_the_next_click(place: Place) -> None:
    who = place.person("dana", Role.REVIEWER)
    browser, _ = signed_in(place)
    with place.database.session() as s:
        people.change_state(s, who, "suspended", actor="root")
    assert browser.get("/", headers=HTML).headers["location"] == "/sign-in"


@pytest.mark.parametrize(("headers", "token", "code"), [
    pytest.param({}, "", "form-not-ours", id="no token"),
    pytest.param({}, "0" * 64, "form-not-ours", id="a made-up token"),
    pytest.param({"origin": "https://evil.example"}, "right", "another-site", id="another origin"),
    pytest.param({"origin": "http://weir.example.org"}, "right", "another-site", id="the same host without https"),
    pytest.param({"origin": "null"}, "right", "another-site", id="a hidden origin"),
    pytest.param({"sec-fetch-site": "cross-site"}, "right", "another-site", id="cross-site"),
    pytest.param({"sec-fetch-site": "same-site"}, "right", "another-site", id="a sibling domain"),
])
def test_a_form_of_another_site_changes_nothing(
        place: Place, headers: dict[str, str], token: str, code: str) -> None:
    place.person("dana")
    browser, _ = signed_in(place)
    right = form_token(browser.get("/", headers=HTML))
    data = {"form_token": right if token == "right" else token}
    for path in ("/sign-out", "/rules"):
        answer = browser.post(path, data=data | {"number": "1"}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
    assert browser.get("/").status_code == 200
    good = browser.post("/sign-out", headers={"origin": PUBLIC, "sec-fetch-site": "same-origin",
                                              "x-form-token": right})
    assert good.status_code == 303


def test_rules_that_changed_meanwhile_are_shown_not_signed(place: Place) -> None:
    who = place.person("dana")
    browser, _ = signed_in(place)
    shown = browser.get("/rules", headers=HTML)
    with place.database.session() as s:
        rules.publish(s, "Newer <b>rules</b>.", actor="root")
    answer = browser.post("/rules", data={"form_token": form_token(shown), "number": "1"}, headers=HTML)
    assert answer.headers["location"] == "/rules"
    with place.database.reading() as s:
        assert not rules.signed(s, who, 1)
        assert not rules.signed(s, who, 2)
    assert "Newer &lt;b&gt;rules&lt;/b&gt;." in browser.get("/rules", headers=HTML).text


def test_attempts_are_counted(place: Place) -> None:
    codes = [place.browser(peer="127.0.0.9").get("/sign-in", headers=HTML).status_code for _ in range(25)]
    assert codes[:20] == [200] * 20
    assert codes[-1] == 429
    answer = place.browser(peer="127.0.0.9").get("/sign-in")
    assert int(answer.headers["retry-after"]) >= 1
    assert place.browser(peer="127.0.0.8").get("/sign-in", headers=HTML).status_code == 200


def test_a_body_without_end_is_refused(place: Place) -> None:
    place.person("dana")
    browser, _ = signed_in(place)
    token = form_token(browser.get("/", headers=HTML))

    async def chunks() -> Any:
        for _ in range(50):
            yield b"x=" + b"y" * 100_000 + b"&"

    kind = {"content-type": "application/x-www-form-urlencoded", "x-form-token": token}
    for body in (b"x=" + b"y" * 2_000_000, chunks()):
        answer = browser.request("POST", "/rules", content=body, headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert browser.get("/").status_code == 200


# --------------------------------------------------------------------------------------------------- demo

@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    base = make_world(tmp_path_factory.mktemp("demo") / "home").settings
    enter_people(base)
    settings = base.model_copy(update={"sign_in": base.sign_in.model_copy(update={"kind": "demo"}),
                                       "pane": base.pane.model_copy(update={"enabled": True})})
    (settings.mailbox_root / "dana.reid@example.org").mkdir(parents=True)
    with serving(settings) as made:
        capture, ruling = sight(made.database, made.keys, "dana.reid@example.org", "m1@example.com", BLOCK)
        held = finish(made.database, capture, ruling)
        assert held is not None
        made.case, made.capture = held.number, capture
        with made.database.session() as s:
            s.get_one(DeskCase, held.case_id).parties = True  # known, and none of ours
            allow.propose(s, Wish("value", "ca_sin", "government_id", digest="0" * 64, division="north"), actor="vera")
            made.crm = records_of_dana(s)
        yield made


def records_of_dana(s: Any) -> dict[str, str]:
    """A contact of the division north with an owner, an activity she tracks, and a merge that can be undone."""
    dana = people.by_address(s, "dana.reid@example.org")
    assert dana is not None
    row = Activity(item_key="walk", subject="Walk", division="north", matched="unmatched")
    s.add_all([row, *(Contact(id=ident, last_name="Walker", division="north", owner=dana.id)
                      for ident in ("c-kept", "c-gone"))])
    s.flush()
    s.add_all([ActivityTracker(activity_id=row.id, tracker=dana.address),
               Attachment(activity_id=row.id, number=1, name="a.txt", content=b"a")])
    merge = crm_merge.merge(s, Who("root"), "contact", "c-kept", "c-gone")
    return {"kind": "contact", "record": "c-kept", "activity": row.id, "file": "1", "merge": merge}


LOCAL = "http://localhost:8025"


def as_person(demo: Place, name: str, *, peer: str) -> Browser:
    browser = demo.browser(LOCAL, peer)
    with demo.database.reading() as s:
        row = people.by_address(s, f"{name}@example.org")
    assert row is not None
    assert browser.post("/sign-in/demo", data={"person": row.id}, headers=HTML).status_code == 200
    return browser


def test_in_the_demo_one_chooses_who_one_is(demo: Place) -> None:
    shown = demo.browser(LOCAL).get("/sign-in", headers=HTML)
    assert all(name in shown.text for name, _, _ in CAST)
    browser = as_person(demo, "vera.stone", peer="127.0.0.2")
    assert "vera.stone@example.org" in browser.get("/", headers=HTML).text
    before = browser.cookies["mailweir"]
    as_who = re.search(r'value="([0-9a-f]{32})"[^>]*> vera', shown.text)
    assert as_who
    browser.post("/sign-in/demo", data={"person": as_who[1]}, headers=HTML)
    assert browser.cookies["mailweir"] != before
    assert demo.events()[-1][0] == "web:session:renewed"
    for wrong in ("", "x" * 32, "../etc"):
        assert browser.post("/sign-in/demo", data={"person": wrong}).status_code == 403
    assert browser.post("/sign-in/demo", data={"person": as_who[1]},
                        headers={"origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("change", [{"host": "10.0.0.1"}, {"trusted_proxy": ("10.0.0.2",)}, {"names": ("x.org",)}])
def test_the_demo_sign_in_works_on_loopback_only(home: Path, change: dict[str, Any]) -> None:
    base = load_settings(home)
    enter_people(base)
    settings = base.model_copy(update={"sign_in": base.sign_in.model_copy(update={"kind": "demo"}),
                                       "web": base.web.model_copy(update=change)})
    with pytest.raises(DemoRefused), running(build_app(settings)):
        pass


def test_the_demo_sign_in_needs_a_demo_home(home: Path) -> None:
    base = load_settings(home)
    settings = base.model_copy(update={"sign_in": base.sign_in.model_copy(update={"kind": "demo"})})
    with pytest.raises(DemoRefused), running(build_app(settings)):
        pass


# ------------------------------------------------------------------------------------------ route x role

OPEN = {"/health/live", "/health/ready", "/metrics", "/static/desk.css", "/static/desk.js", "/static/icon.svg",
        "/sign-in", "/sign-in/start", "/sign-in/back", "/sign-in/demo",
        "/pane/", "/pane/commands", "/pane/static/{name}", "/pane/icons/{name}", "/pane/api/{rest:path}",
        "/pane/api/config", "/pane/api/sign-in", "/pane/demo", "/pane/demo/items"}
SIGNED_IN = {"/", "/rules", "/sign-in/again", "/sign-out"}
SELF = {"/api/openapi.json", "/api/me", "/api/reasons", "/pane/api/me", "/pane/api/sign-out", "/pane/api/rules",
        "/pane/api/codes"}
REVIEWERS = {Role.REVIEWER, Role.PRIVACY_OFFICER}
ON_CASES = {"", "/claim", "/reveal", "/release", "/delete", "/escalate", "/redact", "/undo", "/second", "/release-all",
            "/delete-all"}
CRM_READERS, CRM_WRITERS = {Role.STAFF, Role.OWNER, Role.DIVISION_ADMIN}, {Role.STAFF, Role.DIVISION_ADMIN}
CRM_OWN = {"crm_new", "crm_create", "crm_choose_file", "crm_upload", "crm_ask", "crm_log", "crm_categories",
           "crm_categorise"}
"""Routes that are about what one makes oneself, or one's own division: never another's."""
ONLY_DANA = {"mine_report", "crm_track", "crm_untrack"}
OF_LINKED_ITEMS = {"pane_questions", "pane_decide"}
"""Routes about an item that is linked; the one here is held, so whoever may is told that there is none."""
AUDITORS, ADMINISTRATORS, OFFICERS = {Role.AUDITOR}, {Role.ADMINISTRATOR}, {Role.PRIVACY_OFFICER}
HEADS = {Role.HEAD, Role.DELEGATE}
EXPECTED: dict[str, set[Role]] = {
    "/mine": {Role.STAFF}, "/mine/{number}/report": {Role.STAFF},
    **{f"/pane/api/{act}": {Role.STAFF} for act in ("status", "track", "check", "preview", "suggestions")},
    **{f"/pane/api/items/{{capture}}{act}": {Role.STAFF} for act in ("", "/report", "/untrack", "/records")},
    "/pane/api/search": {Role.STAFF, Role.OWNER, Role.DIVISION_ADMIN},
    "/training": {Role.OWNER, Role.DIVISION_ADMIN} | OFFICERS | HEADS | AUDITORS,
    "/allow": {Role.OWNER} | REVIEWERS | HEADS | AUDITORS, "/allow/{rule}/approve": OFFICERS,
    **dict.fromkeys(("/allow/{rule}/test", "/allow/{rule}/withdraw", "/desk/case/{number}/allow",
                     "/desk/case/{number}/reports"), REVIEWERS),
    **dict.fromkeys(("/week", "/week/{week}", "/week/{week}/comment", "/week/{week}/sign", "/readings"), AUDITORS),
    **dict.fromkeys(("/export", "/export/records", "/export/accounts"), ADMINISTRATORS),
    **{path: set(Role) for path in SIGNED_IN | SELF},
    **dict.fromkeys(("/crm", "/crm/waiting", "/crm/list/{kind}", "/crm/activity/{activity}",
                     "/crm/activity/{activity}/file/{file}"), CRM_READERS),
    **{f"/crm/record/{{kind}}/{{record}}{act}": CRM_READERS for act in ("", "/history", "/file", "/forget")},
    **dict.fromkeys(("/crm/new/{kind}", "/crm/upload", "/crm/merge/{merge}/undo"), CRM_WRITERS),
    **{f"/crm/record/{{kind}}/{{record}}/{act}": CRM_WRITERS for act in (
        "edit", "relate", "merge", "ask", "log", "purge", "win")},
    **{f"/crm/activity/{{activity}}/{act}": CRM_WRITERS for act in ("confirm", "dismiss", "unlink", "done", "purge")},
    **{f"/crm/activity/{{activity}}/{act}": {Role.STAFF} for act in ("track", "untrack")},
    "/crm/categories": {Role.DIVISION_ADMIN, Role.ADMINISTRATOR},
    **dict.fromkeys(("/desk", "/api/queue", "/desk/case/{number}/family"), REVIEWERS),
    **{f"/desk/case/{{number}}{act}": REVIEWERS for act in ON_CASES},
    **{f"/api/cases/{{number}}{act}": REVIEWERS for act in ON_CASES},
}
"""Path -> roles that may; a new route fails the tests until it stands here."""


@pytest.mark.parametrize("kind", ["off", "entra", "demo"])
def test_every_route_is_listed_and_nothing_else_is_served(home: Path, entra: Entra, kind: str) -> None:
    settings = entra_settings(home, entra, kind=kind)
    app = build_app(settings)
    served = {(method, route.path) for route in app._app.routes  # type: ignore[attr-defined]
              for method in route.methods}
    listed = {(route.method, route.path) for route in routes_for(kind)}
    assert served == listed
    with_pane = build_app(settings.model_copy(update={"pane": settings.pane.model_copy(update={"enabled": True})}))
    assert {(method, route.path) for route in with_pane._app._app.routes  # type: ignore[attr-defined]
            for method in route.methods} == {(route.method, route.path) for route in routes_for(kind, pane=True)}
    for route in routes_for(kind, pane=True):
        assert (route.path in OPEN) == isinstance(route.needs, Need), route.path
        assert (route.path in EXPECTED) == isinstance(route.needs, Action), route.path
    if kind == "off":
        assert {path for _, path in listed} == {"/health/live", "/health/ready", "/metrics"}


@pytest.mark.parametrize("name", [name for name, _, _ in CAST])
def test_every_route_with_every_role(demo: Place, name: str) -> None:
    """On a case of the division north: whoever may is let through the door, everybody else gets 403."""
    peer = f"127.0.1.{[n for n, _, _ in CAST].index(name)}"
    division, roles = next((division, roles) for n, division, roles in CAST if n == name)
    with demo.database.session() as s:
        row = people.by_address(s, f"{name}@example.org")
        assert row is not None
        rules.sign(s, row.id, rules.in_force(s).number)
    stranger = demo.browser(LOCAL, f"127.0.2.{peer.rsplit('.', 1)[1]}")
    for route in routes_for("demo", pane=True):
        if isinstance(route.needs, Need):
            continue
        path = route.path.format(number=demo.case, rule="AL-00001", week=week_before(week_of(now())),
                                 capture=demo.capture, **demo.crm)
        assert stranger.request(route.method, path).status_code == 401
        with demo.database.session() as s:
            token = sessions.begin(s, row.id, hours=1, kind=sessions.PANE if route.bearer else "")
            begun = sessions.find(s, token)
            assert begun is not None
            sessions.affirm(s, begun)
        browser = demo.browser(LOCAL, peer)
        if route.bearer:  # a body that no handler takes, but the door knows whose mailbox it is about
            answer = browser.request(route.method, path, headers={"authorization": f"Bearer {token}"}, **(
                {"json": {"mailbox": "Dana.Reid@example.org", "kind": "none"}} if route.method == "POST" else {}))
        else:
            browser.client.cookies.set("mailweir", token)
            answer = browser.request(route.method, path, headers={"x-form-token": sessions.form_token(token)},
                                     data={"number": "1"} if route.method == "POST" else None)
        near = name == "dana.reid" if route.name in ONLY_DANA or (route.bearer and route.about) else (
            route.about is None or route.name in CRM_OWN or division == "north" or Role.PRIVACY_OFFICER in roles)
        if route.needs is Action.RECORD_DELETE:  # the owner, and whoever keeps the records of the division
            near = name == "dana.reid" or Role.DIVISION_ADMIN in roles
        allowed = bool(EXPECTED[route.path] & set(roles)) and near
        assert (answer.status_code != 403) == allowed, (route.path, answer.status_code, answer.text)
        gone = answer.status_code == 404 and route.name not in OF_LINKED_ITEMS
        assert not gone, (route.path, answer.text)
        assert answer.status_code not in (401, 405, 500), (route.path, answer.text)
        browser.close()
    stranger.close()


def test_a_refusal_inside_a_handler_is_audited_and_answers_403(demo: Place) -> None:
    with demo.database.session() as s:
        row = people.by_address(s, "dana.reid@example.org")
        assert row is not None
        token = sessions.begin(s, row.id, hours=1)
    visitor = visit(demo.database, demo.settings, token, "/case/{number}")
    assert visitor is not None
    assert token not in repr(visitor)
    with pytest.raises(HTTPException) as refused:
        visitor.must(Action.CASE_REVEAL, Thing(division="north"))
    assert (refused.value.status_code, refused.value.detail) == (403, "role")
    assert demo.events()[-1] == ("web:access:refused", {"code": "role", "route": "/case/(number)"})


def test_pages_carry_the_headers_and_no_script(demo: Place) -> None:
    browser = as_person(demo, "vera.stone", peer="127.0.0.3")
    for path in ("/", "/rules", "/sign-in", "/nothing"):
        answer = browser.get(path, headers=HTML)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert re.search(r"<title>[^<@]+</title>", answer.text)
    assert browser.get("/static/desk.css").headers["cache-control"] == "max-age=3600"


def test_every_refusal_has_a_sentence() -> None:
    assert [code for code in (*REFUSALS, *SIGN_IN_REFUSALS) if not SENTENCES.get(code, "").endswith(".")] == []
