"""A stand-in for the identity tokens of an Exchange server: its metadata document over real https, and real tokens.

    with serving_identity() as exchange:
        exchange.token(audience="https://weir.example.org/pane/", mailbox=GUID)     # as getUserIdentityTokenAsync gives
        exchange.host, exchange.ca_file                                             # for settings
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
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

import jwt
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

EXCHANGE = "00000002-0000-0ff1-ce00-000000000000"


class Signer:
    """A certificate of the server and its key."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Microsoft Exchange Server Auth Certificate")])
        moment = datetime.datetime.now(datetime.UTC)
        certificate = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
                       .serial_number(x509.random_serial_number()).not_valid_before(moment - datetime.timedelta(days=1))
                       .not_valid_after(moment + datetime.timedelta(days=365)).sign(self.key, SHA256()))
        self.der = certificate.public_bytes(Encoding.DER)
        self.pem = certificate.public_bytes(Encoding.PEM)
        digest = hashlib.sha1(self.der, usedforsecurity=False).digest()
        self.x5t = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Exchange:
    """The server and what tests may turn. `published` are the certificates of its document, by thumbprint."""

    host: str
    ca_file: str
    signer: Signer = field(default_factory=Signer)
    asked: int = 0
    published: dict[str, bytes] = field(default_factory=dict)

    @property
    def amurl(self) -> str:
        return f"https://{self.host}/autodiscover/metadata/json/1"

    def document(self) -> dict[str, Any]:
        found = self.published or {self.signer.x5t: self.signer.der}
        return {"id": "_70b34511", "version": "1.0", "name": "Exchange", "realm": "*", "serviceName": EXCHANGE,
                "issuer": f"{EXCHANGE}@*", "allowedAudiences": [f"{EXCHANGE}@*"], "endpoints": [],
                "keys": [{"usage": "signing", "keyinfo": {"x5t": x5t}, "keyvalue": {
                    "type": "x509Certificate", "value": base64.b64encode(der).decode()}}
                    for x5t, der in found.items()]}

    def token(self, *, audience: str, mailbox: str, key: Any = None, algorithm: str = "RS256",
              header: dict[str, Any] | None = None, context: dict[str, Any] | None = None, **claims: Any) -> str:
        """An identity token; everything in it can be turned. A claim that is None is left out."""
        moment = int(time.time())
        appctx = {"msexchuid": f"{mailbox}@mailbox", "version": "ExIdTok.V1", "amurl": self.amurl} | (context or {})
        made = {"nbf": moment - 5, "exp": moment + 28800, "iss": f"{EXCHANGE}@example.org", "aud": audience,
                "isbrowserhostedapp": "true", "appctx": json.dumps(appctx)} | claims
        return jwt.encode({name: value for name, value in made.items() if value is not None},
                          key if key is not None else self.signer.key, algorithm=algorithm,
                          headers={"x5t": self.signer.x5t, **(header or {})})


class _Handler(BaseHTTPRequestHandler):
    exchange: Exchange

    def do_GET(self) -> None:
        self.exchange.asked += 1
        fits = self.path == "/autodiscover/metadata/json/1"
        raw = json.dumps(self.exchange.document() if fits else {}).encode()
        self.send_response(200 if fits else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def serving_identity() -> Iterator[Exchange]:
    """The document on a free port of 127.0.0.1."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        ca_file = Path(folder) / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        exchange = Exchange(f"127.0.0.1:{server.server_address[1]}", str(ca_file))
        server.RequestHandlerClass = type("Handler", (_Handler,), {"exchange": exchange})  # type: ignore[assignment]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield exchange
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)
