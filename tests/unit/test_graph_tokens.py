"""Signing in to Entra: certificate and secret over real https, and what is refused before anything is sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from entra_server import Client, Entra, serving_entra
from graph_server import serving_graph
from graph_world import DANA

from capture.clouds import CLOUDS, cloud_of
from capture.errors import BadSettings, Parked, TryLater
from capture.mailbox.graph import GraphMailbox
from capture.mailbox.tokens import MsalTokens, certificate_credential, graph_tokens
from capture.settings import GraphSettings, Settings

SECRET = "an invented secret"
AUDIENCE = "https://graph.microsoft.com"


def pem_pair(password: bytes = b"") -> tuple[str, str]:
    """An invented certificate: the private key in PEM, and the certificate."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailweir test")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(datetime.now(UTC) - timedelta(hours=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=1)).sign(key, hashes.SHA256()))
    sealed = BestAvailableEncryption(password) if password else NoEncryption()
    return (key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed).decode(),
            made.public_bytes(Encoding.PEM).decode())


PAIR = pem_pair()


@pytest.fixture(scope="module")
def issuer() -> Iterator[Entra]:
    with serving_entra() as made:
        yield made


@pytest.fixture
def entra(issuer: Entra) -> Entra:
    issuer.fail_next.clear()
    issuer.lifetime = 3600
    return issuer


OPEN: list[MsalTokens] = []


@pytest.fixture(autouse=True)
def closing() -> Iterator[None]:
    """Every connection made in a test is closed after it."""
    yield
    while OPEN:
        OPEN.pop().close()


def at(authority: str, client: str, credential: Any = SECRET, *, ca_file: str = "", timeout: float = 10) -> MsalTokens:
    OPEN.append(MsalTokens(authority, client, credential, scope=f"{AUDIENCE}/.default", known=False, ca_file=ca_file,
                           timeout=timeout))
    return OPEN[-1]


def tokens(entra: Entra, client: Client, credential: Any = SECRET) -> MsalTokens:
    return at(entra.authority, client.id, credential, ca_file=entra.ca_file)


@pytest.mark.parametrize("credential", [
    pytest.param({"certificate": PAIR[1]}, id="certificate"), pytest.param({"secret": SECRET}, id="secret")])
def test_a_token_for_graph_and_for_nothing_else(entra: Entra, credential: dict[str, str]) -> None:
    client = entra.register(**credential)
    made = tokens(entra, client, certificate_credential("\n".join(PAIR)) if "certificate" in credential else SECRET)
    token = made.token()
    assert entra.claims(token, AUDIENCE)["appid"] == client.id
    with pytest.raises(jwt.InvalidAudienceError):
        entra.claims(token, "https://other.example")
    issued = entra.issued
    assert made.token() == token
    assert entra.issued == issued
    assert made.token(refused=token) != token
    assert made.token(refused=token) == made.token()
    assert entra.issued == issued + 1


def test_a_token_near_its_end_is_renewed(entra: Entra) -> None:
    entra.lifetime = 1
    made = tokens(entra, entra.register(secret=SECRET))
    assert made.token() != made.token()


@pytest.mark.parametrize(("client", "credential"), [
    pytest.param({"secret": "another"}, SECRET, id="wrong secret"),
    pytest.param({"certificate": pem_pair()[1]}, certificate_credential("\n".join(PAIR)), id="another certificate")])
def test_a_wrong_credential_parks(entra: Entra, client: dict[str, str], credential: Any) -> None:
    with pytest.raises(Parked) as error:
        tokens(entra, entra.register(**client), credential).token()
    assert "AADSTS7000215" in str(error.value)
    assert "dana.reid" not in str(error.value)


@pytest.mark.parametrize("answer", [
    pytest.param((503, {"error": "temporarily_unavailable"}), id="busy"),
    pytest.param((500, {"error": "server_error"}), id="broken")])
def test_an_issuer_in_trouble_is_tried_later(entra: Entra, answer: tuple[int, dict[str, Any]]) -> None:
    entra.fail_next.append(answer)
    with pytest.raises(TryLater):
        tokens(entra, entra.register(secret=SECRET)).token()


def test_an_issuer_that_is_away_is_tried_later(entra: Entra) -> None:
    made = at("https://127.0.0.1:9/tenant", "c", timeout=1)
    with pytest.raises(TryLater):
        made.token()


def test_a_certificate_of_nobody_we_trust_is_refused(entra: Entra) -> None:
    client = entra.register(secret=SECRET)
    made = at(entra.authority, client.id)
    with pytest.raises(TryLater):
        made.token()


def test_a_tenant_that_is_not_there_parks_or_waits_but_says_nothing(entra: Entra) -> None:
    made = at(f"{entra.url}/surname", "c", ca_file=entra.ca_file)
    with pytest.raises((Parked, TryLater)) as error:
        made.token()
    assert "surname" not in str(error.value)


def test_plain_http_is_refused_for_signing_in() -> None:
    with pytest.raises(Parked):
        at("http://127.0.0.1:9/tenant", "c").token()
    with pytest.raises(BadSettings):
        cloud_of(GraphSettings(login_url="http://127.0.0.1", hosts=("127.0.0.1", "graph.microsoft.com")))


def test_no_token_or_secret_in_logs_and_reprs(entra: Entra, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    made = tokens(entra, entra.register(secret=SECRET))
    token = made.token()
    for secret in (token, token.split(".")[2], SECRET):
        assert secret not in caplog.text + repr(made)


# -------------------------------------------------------------------------------------------------- settings

@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_every_cloud_is_https_and_its_hosts_must_be_listed(cloud: str) -> None:
    with pytest.raises(BadSettings) if cloud != "public" else pytest.MonkeyPatch.context():
        cloud_of(GraphSettings.model_validate({"cloud": cloud}))
    hosts = [url.split("/")[2] for url in (CLOUDS[cloud].login, CLOUDS[cloud].graph)]
    assert cloud_of(GraphSettings.model_validate({"cloud": cloud, "hosts": hosts})) == CLOUDS[cloud]


@pytest.mark.parametrize("fields", [
    pytest.param({"graph_url": "http://graph.example.org", "hosts": ["graph.example.org", "login.microsoftonline.com"]},
                 id="http outside this machine"),
    pytest.param({"graph_url": "ftp://127.0.0.1", "hosts": ["127.0.0.1", "login.microsoftonline.com"]}, id="ftp"),
    pytest.param({"graph_url": "https://graph.example.org"}, id="a host that is not listed"),
    pytest.param({"hosts": ["graph.microsoft.com"]}, id="sign-in is not listed")])
def test_addresses_that_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        cloud_of(GraphSettings.model_validate(fields))


def made(tmp_path: Path, graph: dict[str, Any], **secrets: str) -> Settings:
    return Settings.model_validate({"home": tmp_path, "graph": {"tenant": "t", "client_id": "c"} | graph} | secrets)


@pytest.mark.parametrize(("graph", "secrets", "named"), [
    ({"tenant": ""}, {"graph_secret": SECRET}, "graph.tenant"),
    ({"client_id": ""}, {"graph_secret": SECRET}, "graph.client_id"),
    ({}, {}, "MAILWEIR_GRAPH_CERTIFICATE"), ({}, {"graph_certificate": PAIR[1]}, "private key"),
    ({}, {"graph_certificate": PAIR[0]}, "certificate"),
    ({}, {"graph_certificate": PAIR[0] + pem_pair()[1]}, "not the"),
    ({}, {"graph_certificate": "/nowhere/key.pem"}, "cannot be read"),
    ({}, {"graph_certificate": "".join(pem_pair(b"x"))}, "unencrypted")],
    ids=["tenant", "client", "neither", "no key", "no certificate", "another's key", "no file", "encrypted"])
def test_what_is_missing_is_named_and_never_shown(tmp_path: Path, graph: dict[str, Any], secrets: dict[str, str],
                                                  named: str) -> None:
    with pytest.raises(BadSettings) as error:
        graph_tokens(made(tmp_path, graph, **secrets))
    assert named in str(error.value)
    assert "BEGIN" not in str(error.value)


def test_the_certificate_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("\n".join(PAIR), encoding="ascii")
    assert certificate_credential(str(path)) == certificate_credential("\n".join(PAIR))
    OPEN.append(graph_tokens(made(tmp_path, {}, graph_certificate=str(path))))
    assert "BEGIN" not in repr(OPEN[-1])


def test_from_settings_to_a_mailbox_with_real_tokens(entra: Entra, tmp_path: Path) -> None:
    client = entra.register(certificate=PAIR[1], roles=["Mail.ReadWrite"])
    with serving_graph() as graph:
        def good(token: str) -> bool:
            try:
                return entra.claims(token, graph.url)["appid"] == client.id
            except jwt.PyJWTError:
                return False

        graph.verify = good
        graph.mailbox(DANA)
        settings = made(tmp_path, {
            "tenant": entra.tenant, "client_id": client.id, "login_url": entra.url, "graph_url": graph.url,
            "ca_file": entra.ca_file, "hosts": ["127.0.0.1"], "mailboxes": [DANA, DANA.upper()]},
            graph_certificate="\n".join(PAIR))
        mailbox = GraphMailbox(settings.graph, graph_tokens(settings))
        assert mailbox.mailboxes() == [DANA]
        assert mailbox.folders(DANA)
        graph.verify = lambda _: False
        with pytest.raises(Parked):
            mailbox.folders(DANA)
        mailbox.close()
