"""The pane in a real browser on a real `mailweir serve`, with the mailboxes and the sign-in of each kind of Exchange.

Exchange Online: the stand-ins for Graph and Entra, and MSAL with a stand-in for the bridge Outlook gives it. On
premises: the stand-ins for EWS and for the document that identity tokens are checked by. office.js is the simulator's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import pytest
from canaries import CANARY_BIRTH, CANARY_NAME, CANARY_SIN
from desk_served import violations
from entra_server import Entra, serving_entra
from ews_server import PASSWORD, USER, serving
from exchange_identity import Exchange, serving_identity
from graph_server import Graph, serving_graph
from pane_place import AUDIENCE, HOST
from pane_served import BUILT, DANA, Service, chromium, press, shown, switch
from world import mail, make_world

from capture.demo.cast import enter_people

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning:playwright"),
              pytest.mark.slow]

SECRET = "an invented secret"
COMMON = """
[scan]
own_domains = ["example.org"]
[engine]
polling_seconds = 0.05
retry_seconds = 0.05
"""
PLAIN = "Hello,\n\nthe room is booked for Monday at nine.\n"
PERSONAL = f"The social insurance number of {CANARY_NAME} is {CANARY_SIN}, born {CANARY_BIRTH}.\n"


@dataclass
class Client:
    """A service, and an Outlook beside one of its items. `categories` tells what the mail server has."""

    service: Service
    office: str
    items: dict[str, dict[str, Any]]
    categories: Callable[[str], list[str]]
    outlook: dict[str, Any]
    scripts: tuple[str, ...] = ()

    @contextmanager
    def pane(self, name: str, *scripts: str, office: str = "", width: int = 320) -> Iterator[Any]:
        """A pane beside an item, before it is opened; `open_pane` opens it."""
        with self.service.pane("", outlook=self.beside(name), open_it=False, width=width) as page:
            page.route("https://appsforoffice.microsoft.com/**", lambda route: route.fulfill(
                body=office or self.office, content_type="text/javascript"))
            for script in (*self.scripts, *scripts):
                page.add_init_script(script)
            yield page

    def beside(self, name: str) -> dict[str, Any]:
        """What Outlook says of an item."""
        return self.outlook | {"item": self.items[name]}

    def open_pane(self, page: Any) -> None:
        """Open it."""
        page.goto(f"{self.service.address}/pane/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def shows(page: Any, client: Client, name: str, category: str) -> None:
    """Wait until the mail server has the item under this category."""
    for _ in range(600):
        if client.categories(name) == [category]:
            return
        page.wait_for_timeout(100)
    raise AssertionError(client.categories(name))


def tracked_held_and_untracked(client: Client, page: Any) -> None:
    """The way of one item into the CRM and out again, and of another into review: each as the server has it."""
    shown(page, "Not tracked")
    page.wait_for_selector("#search")
    assert violations(page) == []
    press(page, "track")
    shown(page, "Tracked")
    assert DANA in page.inner_text("main")
    shows(page, client, "plain", "CRM: linked")
    press(page, "untrack")
    press(page, "untrack-yes")
    shown(page, "Untracked")
    shows(page, client, "plain", "CRM: not tracked")
    switch(page, client.beside("personal"))
    shown(page, "Not tracked")
    press(page, "track")
    shown(page, "Held for privacy review")
    assert "government or health number" in page.inner_text("main")
    shows(page, client, "personal", "CRM: held")
    assert violations(page) == []


# ---------------------------------------------------------------------------------------- Exchange Online

BRIDGE = """
window.weirAsked = [];
window.nestedAppAuthBridge = {
  listeners: [],
  addEventListener(_, f) { this.listeners.push(f); },
  removeEventListener() {},
  postMessage(text) {
    const asked = JSON.parse(text);
    window.weirAsked.push(asked.method);
    const answer = {messageType: 'NestedAppAuthResponse', requestId: asked.requestId, success: true};
    const silent = asked.method === 'GetToken';
    if (asked.method === 'GetInitContext') answer.initContext = {capabilities: {queryAccount: false}, sdkName: 'test'};
    else if (silent && window.weirInteraction) {
      answer.success = false;
      answer.error = {status: 'USER_INTERACTION_REQUIRED', code: 'interaction_required'};
    } else {
      answer.token = {access_token: window.weirToken, id_token: window.weirToken, expires_in: 3600,
                      scope: asked.tokenParams.scope};
      answer.account = {homeAccountId: 'h.t', environment: '127.0.0.1', tenantId: window.weirTenant,
                        localAccountId: 'oid-dana', username: 'dana.reid@example.org', name: 'x'};
    }
    setTimeout(() => this.listeners.forEach((f) => f({data: JSON.stringify(answer)})), 0);
  }
};
"""


@dataclass
class Cloud(Client):
    """On Exchange Online."""

    entra: Entra | None = None
    application: str = ""

    def token(self, **claims: Any) -> str:
        """A script by which the bridge has this token."""
        assert self.entra is not None
        made = self.entra.sign({"aud": self.application, "azp": self.application, "scp": "Capture.Track",
                                "oid": "oid-dana", "preferred_username": DANA} | claims)
        return f"window.weirToken = {json.dumps(made)}; window.weirTenant = {json.dumps(self.entra.tenant)};"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Cloud]:
    with serving_entra() as entra, serving_graph() as graph, pytest.MonkeyPatch.context() as patch:
        reader, pane = entra.register(secret=SECRET), entra.register(redirects=[])
        graph.verify = lambda token: good(entra, graph, reader.id, token)
        box = graph.mailbox(DANA)
        items = {name: box.put_mail(mail("Room", text, message_id=f"{name}@client.example.com"))
                 for name, text in (("plain", PLAIN), ("personal", PERSONAL))}
        patch.setenv("MAILWEIR_GRAPH_SECRET", SECRET)
        world = make_world(tmp_path_factory.mktemp("cloud") / "home", f"""
[mailbox]
kind = "graph"
domain = "example.org"
poll_seconds = 0.5
[graph]
tenant = "{entra.tenant}"
client_id = "{reader.id}"
login_url = "{entra.url}"
graph_url = "{graph.url}"
hosts = ["127.0.0.1"]
ca_file = "{entra.ca_file}"
mailboxes = ["{DANA}"]
timeout_seconds = 10
[sign_in]
public_url = "{HOST}"
[pane]
enabled = true
tenant = "{entra.tenant}"
client_id = "{pane.id}"
login_url = "{entra.url}"
ca_file = "{entra.ca_file}"
{COMMON}""")
        enter_people(world.settings)
        service = Service(world, browser)
        service.affirm()
        service.start()
        office = (BUILT / "simulator.office.js").read_text("utf-8").replace("===`Mailbox`&&", "===`NestedAppAuth`||")
        beside = {name: {"itemId": one.regular.replace("-", "/").replace("_", "+"), "itemType": "message",
                         "internetMessageId": f"<{name}@client.example.com>"} for name, one in items.items()}
        try:
            yield Cloud(service, office, beside, lambda name: list(items[name].shape["categories"]),
                        {"address": DANA, "account": "office365", "set": 16}, (BRIDGE,), entra, pane.id)
        finally:
            service.stop()


def good(entra: Entra, graph: Graph, client: str, token: str) -> bool:
    """Whether the service may read mailboxes with this."""
    try:
        return bool(entra.claims(token, graph.url)["appid"] == client)
    except jwt.PyJWTError:
        return False


def test_on_exchange_online_an_item_goes_its_way_by_entra_and_graph(cloud: Cloud) -> None:
    with cloud.pane("plain", cloud.token()) as page:
        cloud.open_pane(page)
        tracked_held_and_untracked(cloud, page)
        assert any("nested-" in url for url in page.asked)


def test_without_nested_sign_in_the_pane_says_so_and_loads_no_msal(cloud: Cloud) -> None:
    plain = (BUILT / "simulator.office.js").read_text("utf-8")
    with cloud.pane("plain", office=plain) as page:
        cloud.open_pane(page)
        shown(page, "This Outlook cannot sign in here")
        assert "category" in page.inner_text("#status")
        assert not any("nested-" in url for url in page.asked)
        assert violations(page) == []


def test_a_window_is_opened_after_a_press_only_and_a_refusal_says_what_to_do(cloud: Cloud) -> None:
    with cloud.pane("plain", cloud.token(aud="another-api"), "window.weirInteraction = true;") as page:
        cloud.open_pane(page)
        shown(page, "Sign in")
        assert "GetTokenPopup" not in page.evaluate("window.weirAsked")
        assert page.locator("[role=alert]").count() == 0
        press(page, "in")
        page.wait_for_selector("[role=alert]")
        told = page.inner_text("[role=alert]")
        assert "was not accepted" in told
        assert "Request " in told
        assert violations(page) == []
        page.evaluate(cloud.token())
        press(page, "in")
        page.wait_for_selector("#out")
        assert page.evaluate("window.weirAsked").count("GetTokenPopup") == 2


def test_a_token_that_ran_out_is_renewed_without_a_word_and_a_lost_account_asks_to_sign_in(cloud: Cloud) -> None:
    with cloud.pane("plain", cloud.token()) as page:
        cloud.open_pane(page)
        page.wait_for_selector("#preview")
        over = [1]

        def ended(route: Any) -> None:
            over[0] -= 1
            if over[0] < 0:
                route.continue_()
            else:
                route.fulfill(status=401, body='{"code":"token-refused","request":"r"}',
                              content_type="application/json")

        page.route("**/pane/api/preview", ended)
        press(page, "preview")
        page.wait_for_selector("#stored")
        page.unroute("**/pane/api/preview")
        page.route("**/pane/api/check", lambda route: route.fulfill(
            status=401, body='{"code":"token-refused","request":"r"}', content_type="application/json"))
        press(page, "check")
        shown(page, "Sign in")


# -------------------------------------------------------------------------------------------- on premises

@dataclass
class OnPremises(Client):
    """On an Exchange server."""

    exchange: Exchange | None = None
    mailbox: str = ""

    def token(self, **changed: Any) -> str:
        """A script by which Outlook has this identity token."""
        assert self.exchange is not None
        made = self.exchange.token(**({"audience": AUDIENCE, "mailbox": self.mailbox} | changed))
        return f"window.weirIdentity = {json.dumps(made)};"


IDENTITY = """
;Office.context.mailbox.getUserIdentityTokenAsync = (done) => done({status: 'succeeded', value: window.weirIdentity});
"""


@pytest.fixture(scope="module")
def onprem(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[OnPremises]:
    with serving_identity() as exchange, serving() as ews, pytest.MonkeyPatch.context() as patch:
        box = ews.store.add_mailbox(DANA)
        items = {name: ews.store.put(DANA, "inbox", mime=mail("Room", text, message_id=f"{name}@client.example.com"))
                 for name, text in (("plain", PLAIN), ("personal", PERSONAL), ("later", PLAIN + "Later.\n"))}
        patch.setenv("MAILWEIR_EWS_PASSWORD", PASSWORD)
        world = make_world(tmp_path_factory.mktemp("onprem") / "home", f"""
[mailbox]
kind = "ews"
domain = "example.org"
poll_seconds = 0.5
[ews]
endpoint = "{ews.url}"
auth = "basic"
user = "{USER}"
mailboxes = ["{DANA}"]
streaming = false
timeout_seconds = 10
[sign_in]
public_url = "{HOST}"
[pane]
enabled = true
exchange_hosts = ["{exchange.host}"]
ca_file = "{exchange.ca_file}"
{COMMON}""")
        enter_people(world.settings)
        service = Service(world, browser)
        service.affirm()
        service.start()
        office = (BUILT / "simulator.office.js").read_text("utf-8") + IDENTITY
        beside = {name: {"itemId": one.key, "itemType": "message",
                         "internetMessageId": f"<{name}@client.example.com>"} for name, one in items.items()}
        try:
            yield OnPremises(service, office, beside, lambda name: list(items[name].categories),
                             {"address": DANA, "account": "enterprise", "set": 5}, (), exchange, box.guid)
        finally:
            service.stop()
        assert ews.problems == []


def test_on_premises_an_item_goes_its_way_by_the_identity_token_and_ews(onprem: OnPremises) -> None:
    with onprem.pane("plain", onprem.token()) as page:
        onprem.open_pane(page)
        tracked_held_and_untracked(onprem, page)


@pytest.mark.parametrize(("changed", "title"), [
    pytest.param({"audience": "https://other.example.org/pane/"}, "Sign in", id="for another add-in"),
    pytest.param({"exp": 1}, "Sign in", id="ran out"),
    pytest.param({"context": {"amurl": "https://exchange.example.net/autodiscover/metadata/json/1"}}, "Sign in",
                 id="of another server"),
    pytest.param({"mailbox": "00000000-0000-0000-0000-000000000000"}, "Not your mailbox", id="of another mailbox"),
])
def test_an_identity_token_that_is_not_believed_opens_nothing(
        onprem: OnPremises, changed: dict[str, Any], title: str) -> None:
    with onprem.pane("later", onprem.token(**changed)) as page:
        onprem.open_pane(page)
        shown(page, title)
        assert page.locator("#track").count() == 0
        assert violations(page) == []


def test_an_outlook_that_gives_no_identity_token_is_told_so_after_a_press(onprem: OnPremises) -> None:
    silent = (BUILT / "simulator.office.js").read_text("utf-8")
    with onprem.pane("later", office=silent) as page:
        onprem.open_pane(page)
        shown(page, "Sign in")
        press(page, "in")
        page.wait_for_selector("[role=alert]")
        assert "gave no proof" in page.inner_text("[role=alert]")


def test_after_signing_out_the_same_token_does_not_sign_in_again(onprem: OnPremises) -> None:
    with onprem.pane("later", onprem.token()) as page:
        onprem.open_pane(page)
        shown(page, "Not tracked")
        press(page, "out")
        shown(page, "Sign in")
        press(page, "in")
        page.wait_for_selector("[role=alert]")
        assert "was not accepted" in page.inner_text("[role=alert]")
