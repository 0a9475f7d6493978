"""Who may call the pane's API: tokens of Entra and of Exchange, real signatures over real https; bearers; hosts."""

from __future__ import annotations

import base64
import hmac
import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from entra_server import Entra, serving_entra
from ews_server import PASSWORD, USER, EwsServer, serving
from exchange_identity import Exchange, Signer, serving_identity
from pane_place import AUDIENCE, HOST, PanePlace, demo_world, pane_place, pane_settings
from pydantic import SecretStr
from world import World

from addin.app import build_app
from addin.edge import SECURITY_HEADERS
from addin.errors import SignInUnavailable, TokenRefused
from addin.outlook.tokens import EntraTokens, ExchangeTokens, mailbox_of
from capture.errors import BadSettings
from capture.settings import EwsSettings, load_settings
from store import people, sessions

DANA, PRIYA = "dana.reid@example.org", "priya.nair@example.org"
OID = "oid-dana"
SCOPE = {"scp": "Capture.Track profile", "oid": OID, "preferred_username": "Dana.Reid@example.org"}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return demo_world(tmp_path_factory.mktemp("template") / "home").home


@pytest.fixture
def world(template: Path, tmp_path: Path) -> World:
    home = Path(shutil.copytree(template, tmp_path / "home"))
    return World(home, load_settings(home))


@pytest.fixture(scope="module")
def entra() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture(scope="module")
def exchange() -> Iterator[Exchange]:
    with serving_identity() as made:
        yield made


@pytest.fixture(scope="module")
def ews() -> Iterator[EwsServer]:
    with serving() as made:
        for user in (DANA, PRIYA):
            made.store.add_mailbox(user)
        yield made


@pytest.fixture
def cloud(world: World, entra: Entra) -> Iterator[PanePlace]:
    client = entra.register(redirects=[])
    settings = pane_settings(world.settings, tenant=entra.tenant, client_id=client.id, login_url=entra.url,
                             ca_file=entra.ca_file, sign_in={"kind": "off", "public_url": HOST})
    with pane_place(world, settings) as place:
        yield place


@pytest.fixture
def onprem(world: World, exchange: Exchange, ews: EwsServer) -> Iterator[PanePlace]:
    settings = pane_settings(world.settings, exchange_hosts=(exchange.host,), ca_file=exchange.ca_file,
                             sign_in={"kind": "off", "public_url": HOST})
    settings = settings.model_copy(update={
        "mailbox": settings.mailbox.model_copy(update={"kind": "ews"}),
        "ews": EwsSettings(endpoint=ews.url, auth="basic", user=USER, mailboxes=(DANA, PRIYA), streaming=False,
                           timeout_seconds=10),
        "ews_password": SecretStr(PASSWORD)})
    with pane_place(world, settings) as place:
        yield place


def good(place: PanePlace, entra: Entra, **claims: Any) -> str:
    return entra.sign({"aud": place.settings.pane.client_id, "azp": place.settings.pane.client_id} | SCOPE | claims)


def refusals(place: PanePlace) -> list[str]:
    return [body["code"] for _, body in place.events("web:session:refused")]


def with_public_key(public: bytes, head: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token signed by the known public key as if it were a secret."""
    body = ".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    return f"{body}.{encoded(hmac.digest(public, body.encode(), 'sha256'))}"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


# --------------------------------------------------------------------------------------- Exchange Online

def test_a_token_for_our_own_api_opens_the_pane(cloud: PanePlace, entra: Entra) -> None:
    pane = cloud.pane(url=HOST)
    answer = pane.sign_in("entra", good(cloud, entra), mailbox="")
    assert answer.status_code == 200
    assert 0 < answer.json()["seconds"] <= 600
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers
    me = pane.get("/pane/api/me")
    assert me.json() == {"address": DANA, "rules": 1, "trained": True, "staff": True}
    assert [name for name, _ in cloud.events("people:person:bound")] == ["people:person:bound"]


OTHER_KEY = rsa.generate_private_key(65537, 2048)


def test_every_other_token_of_a_directory_is_refused_alike(cloud: PanePlace, entra: Entra) -> None:
    moment = int(time.time())
    public = entra.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    plain = {"iss": entra.issuer, "tid": entra.tenant, "iat": moment, "nbf": moment, "exp": moment + 600,
             "aud": cloud.settings.pane.client_id} | SCOPE
    kid = {"kid": entra.kid}
    hs256 = with_public_key(public, {"alg": "HS256", "kid": entra.kid}, plain)
    tokens = {
        "audience": good(cloud, entra, aud="another-api"),
        "graph": good(cloud, entra, aud="https://graph.microsoft.com"),
        "tenant": good(cloud, entra, tid="another-tenant"),
        "issuer": good(cloud, entra, iss=f"{entra.url}/another/v2.0"),
        "version 1": good(cloud, entra, iss=f"https://sts.windows.net/{entra.tenant}/"),
        "scope": good(cloud, entra, scp="User.Read"),
        "no scope": good(cloud, entra, scp=None),
        "scope by prefix": good(cloud, entra, scp="Capture.TrackAll"),
        "application": good(cloud, entra, idtyp="app"),
        "other client": good(cloud, entra, azp="another-client"),
        "no person": good(cloud, entra, oid=""),
        "person that is no text": good(cloud, entra, oid=["x"]),
        "expired": good(cloud, entra, iat=moment - 900, nbf=moment - 900, exp=moment - 300),
        "not yet valid": good(cloud, entra, nbf=moment + 600),
        "alg none": jwt.encode(plain, "", algorithm="none", headers=kid),
        "HS256 with the public key": hs256,
        "another key": jwt.encode(plain, OTHER_KEY, algorithm="RS256", headers=kid),
        "unknown key": jwt.encode(plain, entra.key, algorithm="RS256", headers={"kid": "unknown"}),
        "RS512": jwt.encode(plain, entra.key, algorithm="RS512", headers=kid),
        "cut": good(cloud, entra)[:-10],
        "empty": "", "words": "not a token", "dots": "a.b.c", "long": "x" * 19_000,
    }
    answers = {}
    for name, token in tokens.items():
        answer = cloud.pane(url=HOST).sign_in("entra", token, mailbox="")
        assert answer.status_code == 401, name
        answers[name] = {k: v for k, v in answer.json().items() if k != "request"}
        assert answer.headers["www-authenticate"] == "Bearer"
        assert DANA not in answer.text
        assert "people:session:begun" not in answer.text
    assert {str(answer) for answer in answers.values()} == {"{'code': 'token-refused'}"}
    assert len(refusals(cloud)) == len(tokens)
    assert cloud.events("web:session:begun") == []


def test_a_token_of_entra_is_no_bearer_and_an_unknown_or_suspended_person_is_told_so(
        cloud: PanePlace, entra: Entra) -> None:
    assert cloud.pane(url=HOST, bearer=good(cloud, entra)).get("/pane/api/me").status_code == 401
    stranger = cloud.pane(url=HOST).sign_in("entra", good(cloud, entra, oid="x", preferred_username="x@example.org"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "unknown-person")
    with cloud.database.session() as session:
        row = people.by_address(session, DANA)
        assert row is not None
        people.change_state(session, row.id, "suspended", actor="root")
    refused = cloud.pane(url=HOST).sign_in("entra", good(cloud, entra))
    assert (refused.status_code, refused.json()["code"]) == (403, "account-inactive")


def test_after_signing_out_neither_the_bearer_nor_the_token_opens_it_again(cloud: PanePlace, entra: Entra) -> None:
    pane, token = cloud.pane(url=HOST), good(cloud, entra)
    assert pane.sign_in("entra", token).status_code == 200
    assert pane.sign_in("entra", token).status_code == 200  # it renews itself
    assert pane.post("/pane/api/sign-out").status_code == 200
    assert pane.get("/pane/api/me").status_code == 401
    again = cloud.pane(url=HOST).sign_in("entra", token)
    assert (again.status_code, again.json()["code"]) == (401, "token-refused")
    assert refusals(cloud) == ["signed-out"]
    later = good(cloud, entra, iat=int(time.time()) + 3)  # one the directory makes from now on
    assert cloud.pane(url=HOST).sign_in("entra", later).status_code == 200


def test_a_directory_that_does_not_answer_is_no_refusal(world: World, entra: Entra) -> None:
    client = entra.register(redirects=[])
    settings = pane_settings(world.settings, tenant=entra.tenant, client_id=client.id, login_url="https://127.0.0.1:9",
                             ca_file=entra.ca_file, sign_in={"kind": "off", "public_url": HOST})
    with pane_place(world, settings) as place:
        answer = place.pane(url=HOST).sign_in("entra", good(place, entra, iss=f"https://127.0.0.1:9/{entra.tenant}/v2.0"))
        assert (answer.status_code, answer.json()["code"]) == (503, "sign-in-unavailable")


def test_panes_that_come_back_all_at_once_are_all_let_in(cloud: PanePlace, entra: Entra) -> None:
    tokens = EntraTokens(cloud.settings)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(tokens.proof, [good(cloud, entra)] * 24))
    tokens.close()
    assert {proof.address for proof in found} == {DANA}


# ------------------------------------------------------------------------------------------- on premises

def test_an_identity_token_of_our_exchange_opens_the_pane_of_its_own_mailbox(
        onprem: PanePlace, exchange: Exchange, ews: EwsServer) -> None:
    token = exchange.token(audience=AUDIENCE, mailbox=ews.store.box(DANA).guid)
    pane = onprem.pane(url=HOST)
    assert pane.sign_in("exchange", token, DANA).status_code == 200
    assert pane.get("/pane/api/me").json()["address"] == DANA
    asked = exchange.asked
    assert onprem.pane(url=HOST).sign_in("exchange", token, DANA).status_code == 200
    assert exchange.asked == asked  # the certificate is kept
    for other in (PRIYA, "x@example.org", "", "../etc"):
        wrong = onprem.pane(url=HOST).sign_in("exchange", token, other)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "mailbox-not-proved")
    assert pane.post("/pane/api/sign-out").status_code == 200
    assert onprem.pane(url=HOST).sign_in("exchange", token, DANA).status_code == 401


def test_every_other_identity_token_is_refused_alike(onprem: PanePlace, exchange: Exchange, ews: EwsServer) -> None:
    moment, guid, foreign = int(time.time()), ews.store.box(DANA).guid, Signer()
    public = exchange.signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    host = exchange.host

    def token(**changed: Any) -> str:
        return exchange.token(**({"audience": AUDIENCE, "mailbox": guid} | changed))

    with serving_identity() as other:
        before = other.asked
        tokens = {
            "audience": token(audience="https://other.example.org/pane/"),
            "foreign amurl": other.token(audience=AUDIENCE, mailbox=guid),
            "amurl over http": token(context={"amurl": exchange.amurl.replace("https", "http")}),
            "amurl with a user": token(context={"amurl": f"https://{host}@{other.host}/autodiscover/metadata/json/1"}),
            "amurl of a like name": token(context={"amurl": f"https://{host}.example/autodiscover/metadata/json/1"}),
            "amurl elsewhere on it": token(context={"amurl": f"https://{host}/owa/x"}),
            "amurl with a query": token(context={"amurl": exchange.amurl + "?x=1"}),
            "amurl that is none": token(context={"amurl": "https://["}),
            "no amurl": token(context={"amurl": ""}),
            "no context": token(appctx=None),
            "context that is no JSON": token(appctx="{"),
            "context that is a list": token(appctx="[]"),
            "version": token(context={"version": "ExIdTok.V2"}),
            "no mailbox": token(context={"msexchuid": ""}),
            "issuer": token(iss="00000003-0000-0000-c000-000000000000@example.org"),
            "x5t of nothing": token(header={"x5t": "AAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
            "no x5t": token(header={"x5t": ""}),
            "x5t of ours, signed by another": token(key=foreign.key),
            "expired": token(nbf=moment - 9000, exp=moment - 400),
            "not yet valid": token(nbf=moment + 600),
            "no end": token(exp=None),
            "alg none": token(algorithm="none", key=""),
            "alg PS256": token(algorithm="PS256"),
        }
        claims = jwt.decode(token(), options={"verify_signature": False})
        tokens["HS256 with the public key"] = with_public_key(
            public, {"alg": "HS256", "x5t": exchange.signer.x5t}, claims)
        for name, made in tokens.items():
            answer = onprem.pane(url=HOST).sign_in("exchange", made, DANA)
            assert answer.status_code == 401, name
            assert {k: v for k, v in answer.json().items() if k != "request"} == {"code": "token-refused"}, name
        assert other.asked == before  # nobody else's document was asked for
    assert len(refusals(onprem)) == len(tokens)
    assert onprem.events("web:session:begun") == []


def test_a_document_that_names_a_certificate_by_another_thumbprint_is_not_believed(
        world: World, ews: EwsServer) -> None:
    with serving_identity() as exchange:
        settings = pane_settings(world.settings, exchange_hosts=(exchange.host,), ca_file=exchange.ca_file,
                                 sign_in={"kind": "off", "public_url": HOST})
        foreign = Signer()
        exchange.published = {exchange.signer.x5t: foreign.der}
        with pane_place(world, settings) as place:
            token = exchange.token(audience=AUDIENCE, mailbox="x", key=foreign.key)
            assert place.pane(url=HOST).sign_in("exchange", token, DANA).status_code == 401
            assert refusals(place) == ["x5t"]


@pytest.mark.parametrize("document", [7, [], {"keys": 7}, {"keys": [7]}, "x" * 300_000])
def test_a_document_that_is_none_refuses_nobody_and_what_is_kept_will_do(
        world: World, monkeypatch: pytest.MonkeyPatch, document: Any) -> None:
    with serving_identity() as exchange:
        real = exchange.document
        tokens = ExchangeTokens(pane_settings(
            world.settings, exchange_hosts=(exchange.host,), ca_file=exchange.ca_file), AUDIENCE)
        token = exchange.token(audience=AUDIENCE, mailbox="x")
        monkeypatch.setattr(exchange, "document", lambda: document)
        for _ in range(2):
            with pytest.raises((SignInUnavailable, TokenRefused)) as refused:
                tokens.proof(token)
            assert isinstance(refused.value, SignInUnavailable) == (document != {"keys": [7]})  # a list without ours
        monkeypatch.setattr(exchange, "document", real)
        monkeypatch.setattr("addin.outlook.tokens._AWAY_SECONDS", 0.0)
        monkeypatch.setattr("addin.outlook.tokens._AGAIN_SECONDS", 0.0)
        assert tokens.proof(token).mailbox == "x"  # as soon as there is one again
        monkeypatch.setattr("addin.outlook.tokens._KEEP_SECONDS", 0.0)
        monkeypatch.setattr(exchange, "document", lambda: 7)
        assert tokens.proof(token).mailbox == "x"
        tokens.close()


@pytest.mark.parametrize(("keys", "found"), [
    pytest.param([], "", id="no folder"),
    pytest.param(["AAMk", "%%%", "AAECAwQ="], "", id="ids of another kind"),
    pytest.param(["AAMkADAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMQAAAA=="],
                 "00000000-0000-0000-0000-000000000001", id="one mailbox"),
    pytest.param(["AAMkADAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMQAAAA==",
                  "AAMkADAwMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMgAAAA=="], "", id="two mailboxes"),
])
def test_the_mailbox_is_named_by_the_ids_of_its_folders(keys: list[str], found: str) -> None:
    assert mailbox_of(keys) == found


def test_identity_tokens_need_the_address_they_are_made_for(world: World) -> None:
    with pytest.raises(BadSettings, match="public_url"):
        build_app(pane_settings(world.settings, exchange_hosts=("mail.example.org",), sign_in={"kind": "off"}))


# ------------------------------------------------------------------------------------- bearers and hosts

@pytest.fixture
def demo(world: World) -> Iterator[PanePlace]:
    with pane_place(world, pane_settings(world.settings, sign_in={"kind": "demo"})) as place:
        yield place


def test_a_bearer_is_no_cookie_and_a_cookie_is_no_bearer(demo: PanePlace) -> None:
    pane = demo.pane()
    assert pane.sign_in("demo").status_code == 200
    page = demo.pane()
    page.browser.client.cookies.set("mailweir", pane.bearer)
    assert page.get("/", headers={"accept": "application/json"}).status_code == 401
    with demo.database.session() as session:
        row = people.by_address(session, DANA)
        assert row is not None
        cookie = sessions.begin(session, row.id, hours=1)
    assert demo.pane(bearer=cookie).get("/pane/api/me").status_code == 401
    page.browser.client.cookies.set("mailweir", cookie)
    assert page.get("/pane/api/me").status_code == 401  # no cookie opens the API
    for bearer in ("", "pane.", pane.bearer + "x", pane.bearer[:-1], "pane.é"):
        answer = demo.pane().get("/pane/api/me", headers={"authorization": f"Bearer {bearer}".encode()})
        assert (answer.status_code, answer.json()["code"]) == (401, "token-refused")


def test_a_bearer_ends_after_its_minutes_and_with_the_account(demo: PanePlace) -> None:
    over = demo.pane(bearer=demo.bearer_of("dana.reid", hours=-0.1))
    assert over.get("/pane/api/me").status_code == 401
    pane = demo.signed_in("dana.reid")
    assert pane.get("/pane/api/me").status_code == 200
    with demo.database.session() as session:
        row = people.by_address(session, DANA)
        assert row is not None
        people.change_state(session, row.id, "suspended", actor="root")
    assert pane.get("/pane/api/me").status_code == 401


def test_ways_that_are_not_set_up_open_nothing(cloud: PanePlace, demo: PanePlace) -> None:
    for kind in ("exchange", "demo"):
        assert cloud.pane(url=HOST).sign_in(kind, "x").status_code == 401
    for kind in ("entra", "exchange"):
        assert demo.pane().sign_in(kind, "x").status_code == 401
    assert demo.pane().post("/pane/api/sign-in", {"kind": "none"}).status_code == 422
    assert demo.pane().get("/pane/api/config").json()["ways"] == ["demo"]
    assert cloud.pane(url=HOST).get("/pane/api/config").json()["ways"] == ["entra"]


def test_only_pages_of_outlook_may_call_from_elsewhere(demo: PanePlace) -> None:
    pane = demo.signed_in("dana.reid")
    for origin in ("https://evil.example", "http://outlook.office.com", "https://outlook.office.com.evil.example",
                   "https://evil-outlook.office.com", "null", "https://localhost"):
        answer = pane.get("/pane/api/me", headers={"origin": origin})
        assert (answer.status_code, answer.json()["code"]) == (403, "another-site"), origin
        assert "access-control-allow-origin" not in answer.headers
        asked = pane.request("OPTIONS", "/pane/api/track", headers={"origin": origin})
        assert asked.status_code == 403
    for origin in ("https://outlook.office.com", "https://eur.outlook.office.com", "https://outlook.office365.com"):
        asked = demo.pane().request("OPTIONS", "/pane/api/track", headers={"origin": origin})
        assert asked.status_code == 204
        assert asked.headers["access-control-allow-origin"] == origin
        assert "access-control-allow-credentials" not in asked.headers
        answer = pane.get("/pane/api/me", headers={"origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        refused = demo.pane().get("/pane/api/me", headers={"origin": origin})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, origin)
    assert pane.get("/pane/api/me", headers={"origin": "http://localhost"}).status_code == 200
    desk = pane.get("/api/me", headers={"origin": "https://outlook.office.com"})
    assert "access-control-allow-origin" not in desk.headers


def test_everything_but_the_pane_keeps_its_headers(demo: PanePlace) -> None:
    for path in ("/", "/sign-in", "/api/me", "/pane/api/me", "/pane/static/nothing.js"):
        answer = demo.pane().get(path)
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value, (path, name)


def test_without_the_setting_there_is_no_pane(world: World) -> None:
    settings = world.settings.model_copy(update={"sign_in": world.settings.sign_in.model_copy(
        update={"kind": "demo"})})
    with pane_place(world, settings) as place:
        for path in ("/pane/", "/pane/api/config", "/pane/api/me"):
            assert place.pane().get(path).status_code == 404


def test_the_rules_are_affirmed_once_a_day_though_the_pane_signs_in_every_few_minutes(demo: PanePlace) -> None:
    pane = demo.pane()
    pane.sign_in("demo")
    assert pane.get("/pane/api/me").json()["rules"] == 1
    refused = pane.post("/pane/api/status", {"mailbox": DANA, "item_id": "x.eml"})
    assert (refused.status_code, refused.json()["code"]) == (403, "rules-unsigned")
    text = pane.get("/pane/api/rules").json()
    assert text["number"] == 1
    assert len(text["text"]) > 100
    assert not text["signed"]
    assert pane.post("/pane/api/rules", {"number": 2}).status_code == 409
    assert pane.post("/pane/api/rules", {"number": 1}).json()["rules"] == 0
    pane.sign_in("demo")
    assert pane.get("/pane/api/me").json()["rules"] == 0
    with demo.database.session() as session:
        row = people.by_address(session, DANA)
        assert row is not None
        begun = sessions.find(session, sessions.begin(session, row.id, hours=1, kind=sessions.PANE))
        assert begun is not None
        sessions.carry_on(session, begun, hours=0)  # nobody affirmed anything within no time
        assert begun.affirmed == 0
