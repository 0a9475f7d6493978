"""A stand-in for Microsoft Entra: real https on loopback, a tenant path, real signed tokens.

    with serving_entra() as entra:
        client = entra.register(secret="...")            # or certificate=PEM
        entra.url, entra.tenant, entra.ca_file           # for settings
        entra.claims(token, audience="https://graph...")  # what a service makes of a token; raises when it is bad

Discovery, JWKS, client credentials (secret, or certificate by a signed assertion that is really checked), and
authorization code with PKCE: `entra.person` is who signs in. Knobs: `fail_next` (an error answer), `lifetime`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Client:
    """An app registration."""

    id: str
    secret: str = ""
    certificate: str = ""
    roles: list[str] = field(default_factory=list)
    redirects: list[str] = field(default_factory=list)


@dataclass
class Entra:
    """The issuer and what tests may turn."""

    url: str
    ca_file: str
    tenant: str = field(default_factory=lambda: str(secrets.token_hex(16)))
    clients: dict[str, Client] = field(default_factory=dict)
    person: dict[str, Any] = field(default_factory=lambda: {"oid": secrets.token_hex(16), "name": "Dana Reid",
                                                            "preferred_username": "dana.reid@example.org"})
    lifetime: int = 3600
    fail_next: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    issued: int = 0
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    kid: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def authority(self) -> str:
        return f"{self.url}/{self.tenant}"

    @property
    def issuer(self) -> str:
        return f"{self.authority}/v2.0"

    def register(self, **fields: Any) -> Client:
        """A new app registration with a random id."""
        client = Client(secrets.token_hex(16), **fields)
        self.clients[client.id] = client
        return client

    def sign(self, claims: dict[str, Any]) -> str:
        """A token of this issuer."""
        moment = int(time.time())
        self.issued += 1
        return jwt.encode({"iss": self.issuer, "tid": self.tenant, "iat": moment, "nbf": moment,
                           "exp": moment + self.lifetime, "jti": secrets.token_hex(8)} | claims,
                          self.key, algorithm="RS256", headers={"kid": self.kid})

    def claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token that is good for `audience`; raises `jwt.PyJWTError` when it is not."""
        found: dict[str, Any] = jwt.decode(token, self.key.public_key(), algorithms=["RS256"], audience=audience,
                                           issuer=self.issuer)
        return found

    # ---------------------------------------------------------------------------------------- endpoints

    def discovery(self) -> dict[str, Any]:
        base = f"{self.authority}/oauth2/v2.0"
        return {"issuer": self.issuer, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
                "jwks_uri": f"{self.authority}/discovery/v2.0/keys", "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"], "id_token_signing_alg_values_supported": ["RS256"]}

    def jwks(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [public | {"kid": self.kid, "use": "sig", "alg": "RS256"}]}

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.fail_next:
            return self.fail_next.pop(0)
        client = self.clients.get(form.get("client_id", ""))
        if client is None:
            return refused("unauthorized_client", 700016)
        if not self._proved(client, form):
            return refused("invalid_client", 7000215)
        if form.get("grant_type") == "client_credentials":
            audience, _, rest = form.get("scope", "").partition("/.default")
            if rest or not audience.startswith(("https:", "http:", "api:")):
                return refused("invalid_scope", 70011)
            token = self.sign({"aud": audience, "appid": client.id, "roles": client.roles, "sub": client.id})
            return 200, {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token}
        if form.get("grant_type") == "authorization_code":
            return self._redeem(client, form)
        return refused("unsupported_grant_type", 70003)

    def _proved(self, client: Client, form: dict[str, str]) -> bool:
        if client.certificate:
            return form.get("client_assertion_type") == ASSERTION and self._asserted(client, form["client_assertion"])
        if client.secret:
            return secrets.compare_digest(form.get("client_secret", "").encode(), client.secret.encode())
        return "code_verifier" in form  # a public client proves itself by PKCE only

    def _asserted(self, client: Client, assertion: str) -> bool:
        """A JWT signed with the registered certificate's key, for this token endpoint, naming the certificate."""
        certificate = load_pem_x509_certificate(client.certificate.encode())
        thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(SHA256())).rstrip(b"=").decode()
        try:
            header = jwt.get_unverified_header(assertion)
            claims = jwt.decode(assertion, certificate.public_key(), algorithms=["RS256", "PS256"],  # type: ignore[arg-type]
                                audience=self.discovery()["token_endpoint"], options={"require": ["exp", "jti"]})
        except jwt.PyJWTError:
            return False
        return header.get("x5t#S256", "").rstrip("=") == thumbprint and claims["iss"] == claims["sub"] == client.id

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent after sign-in; the person is `person`, who says yes."""
        client = self.clients[query["client_id"]]
        assert query["redirect_uri"] in client.redirects
        assert query.get("code_challenge_method") == "S256"
        code = secrets.token_urlsafe(24)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query.get('state', '')})}"

    def _redeem(self, client: Client, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        query = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (query is None or query["client_id"] != client.id or query["redirect_uri"] != form.get("redirect_uri")
                or query["code_challenge"] != challenge.rstrip(b"=").decode()):
            return refused("invalid_grant", 70000)
        known = {"aud": client.id, "sub": self.person["oid"], "nonce": query.get("nonce", ""), "ver": "2.0"}
        return 200, {"token_type": "Bearer", "expires_in": self.lifetime, "scope": query.get("scope", ""),
                     "access_token": self.sign(self.person | {"aud": client.id, "scp": query.get("scope", "")}),
                     "id_token": self.sign(self.person | known)}


def refused(error: str, number: int) -> tuple[int, dict[str, Any]]:
    """An error as Entra words it; the description carries what must never be shown."""
    return 400 if error != "invalid_client" else 401, {
        "error": error, "error_codes": [number], "error_description": f"AADSTS{number}: for dana.reid@example.org"}


class _Handler(BaseHTTPRequestHandler):
    entra: Entra
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, query = self._asked()
        if path == f"/{self.entra.tenant}/v2.0/.well-known/openid-configuration":
            self._say(200, self.entra.discovery())
        elif path == f"/{self.entra.tenant}/discovery/v2.0/keys":
            self._say(200, self.entra.jwks())
        elif path == f"/{self.entra.tenant}/oauth2/v2.0/authorize":
            self._say(302, {}, location=self.entra.authorize(query))
        else:
            self._say(404, {"error": "not_found"})

    def do_POST(self) -> None:
        path, _ = self._asked()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = {name: found[0] for name, found in parse_qs(body).items()}
        if path == f"/{self.entra.tenant}/oauth2/v2.0/token":
            self._say(*self.entra.token(form))
        else:
            self._say(404, {"error": "not_found"})

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        return parts.path, {name: found[0] for name, found in parse_qs(parts.query).items()}

    def _say(self, status: int, body: dict[str, Any], location: str = "") -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def serving_entra() -> Iterator[Entra]:
    """An issuer on a free port of 127.0.0.1, with a certificate of an authority made for it."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        entra = Entra(f"https://127.0.0.1:{server.server_address[1]}", str(ca_file))
        server.RequestHandlerClass = type("Handler", (_Handler,), {"entra": entra})  # type: ignore[assignment]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield entra
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)
