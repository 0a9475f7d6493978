"""Access tokens for Microsoft services: msal, client credentials, in memory only.

A certificate is preferred to a secret; both come from the environment, never from a file of settings. The
tokens live in msal's own cache in this process and nowhere else: not on disk, not in logs, not in a repr.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import httpx
import msal
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from msal.exceptions import MsalError
from pydantic import SecretStr

from capture.clouds import cloud_of
from capture.errors import BadSettings
from capture.mailbox.graph_errors import sign_in_error, translated
from capture.settings import Settings

FOREIGN = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, MsalError, ValueError, RuntimeError)
"""What msal raises for an issuer that cannot be reached or does not answer as it should."""


class TokenProvider(Protocol):
    """Hands out the bearer token of one service."""

    def token(self, *, refused: str = "") -> str:
        """A valid token; `refused` is one the service did not take: then the issuer is asked for another.

        Raises `Parked` when the sign-in needs a person, `TryLater` when a later call may work.
        """

    def close(self) -> None:
        """Let go of connections."""


class MsalTokens:
    """Client credentials of one app registration. Safe to share between threads.

    `authority` is `https://<host>/<tenant>`; `credential` what msal takes: a secret, or a dictionary with
    `private_key` and `public_certificate`. `known` clouds are discovered by msal; any other issuer is asked
    for its own discovery document.
    """

    def __init__(self, authority: str, client_id: str, credential: Any, *, scope: str, known: bool = True,
                 ca_file: str = "", timeout: float = 30.0) -> None:
        self._scope = scope
        self._lock = threading.Lock()
        self._http = HttpClient(ca_file, timeout)
        self._make: Callable[[], Any] = lambda: msal.ConfidentialClientApplication(
            client_id, client_credential=credential, authority=authority, http_client=self._http,
            instance_discovery=None if known else False)
        self._app: msal.ConfidentialClientApplication | None = None
        self._last = ""

    def __repr__(self) -> str:
        return "MsalTokens(...)"

    def token(self, *, refused: str = "") -> str:
        """A token from memory, or a new one. One request at a time reaches the issuer, and threads that were
        refused the same token share the next."""
        with self._lock:
            if self._app is None or (refused and refused == self._last):
                self._app = self._started()  # msal has no public way to drop one token: a new application has none
            try:
                answer = self._app.acquire_token_for_client(scopes=[self._scope])
            except FOREIGN as exc:
                raise translated(exc) from None
            if "access_token" not in answer:
                raise sign_in_error(answer)
            self._last = str(answer["access_token"])
            return self._last

    def _started(self) -> msal.ConfidentialClientApplication:
        try:
            return self._make()
        except FOREIGN as exc:
            raise translated(exc) from None

    def close(self) -> None:
        """Let go of the connections; the tokens go with the object."""
        self._http.close()


class HttpClient:
    """What msal wants of a session (`get`, `post`), on httpx: no proxy, CA bundle or netrc of the environment
    changes where a credential goes."""

    def __init__(self, ca_file: str, timeout: float) -> None:
        self._client = httpx.Client(verify=tls(ca_file), timeout=timeout, trust_env=False, follow_redirects=False)

    def get(self, url: str, *, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """GET, as msal calls it; its further options (verify, proxies) are ours to decide."""
        return self._client.get(url, params=params, headers=headers)

    def post(self, url: str, *, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        """POST of a form. A signed assertion comes as bytes, which httpx would write as their `repr`."""
        form = {name: value.decode("ascii") if isinstance(value, bytes) else value
                for name, value in (data or {}).items()}
        return self._client.post(url, params=params, data=form, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@cache
def tls(ca_file: str = "") -> ssl.SSLContext:
    """How server certificates are verified: by the usual authorities, or by those of one PEM file. Never not."""
    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=False)


def graph_tokens(settings: Settings) -> MsalTokens:
    """The tokens for Graph. Raises `BadSettings` when a setting or the credential is missing or wrong."""
    chosen = settings.graph
    cloud = cloud_of(chosen)
    return service_tokens("graph", chosen, cloud.login, cloud.graph, settings.graph_certificate, settings.graph_secret)


class AppSettings(Protocol):
    """What the section of a service says about signing in to it."""

    @property
    def tenant(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def login_url(self) -> str: ...
    @property
    def ca_file(self) -> str: ...
    @property
    def timeout_seconds(self) -> float: ...


def service_tokens(section: str, chosen: AppSettings, login: str, resource: str, certificate: SecretStr,
                   secret: SecretStr) -> MsalTokens:
    """The tokens of one app registration for the service at `resource`; `login` is where Entra is.

    Raises `BadSettings` naming the setting of `section`, or the variable, that is missing or wrong.
    """
    for name in ("tenant", "client_id"):
        if not getattr(chosen, name):
            raise BadSettings(f"{section}.{name} is not set")
    variable = f"MAILWEIR_{section.upper()}_CERTIFICATE"
    pem, word = certificate.get_secret_value(), secret.get_secret_value()
    if not pem and not word:
        raise BadSettings(f"neither {variable} nor MAILWEIR_{section.upper()}_SECRET is set")
    return MsalTokens(
        f"{login}/{chosen.tenant}", chosen.client_id, certificate_credential(pem, variable) if pem else word,
        scope=f"{resource}/.default", known=not chosen.login_url, ca_file=chosen.ca_file,
        timeout=chosen.timeout_seconds)


def certificate_credential(text: str, variable: str = "MAILWEIR_GRAPH_CERTIFICATE") -> dict[str, str]:
    """msal's credential from PEM text holding the private key and its certificate, or from the path of such a file.

    Raises `BadSettings` (naming the variable, never its value) when either part is missing or unreadable.
    """
    if "-----BEGIN" not in text:
        try:
            text = Path(text).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError) as exc:
            raise BadSettings(f"{variable}: the file cannot be read, {type(exc).__name__}") from None
    try:
        pem = text.encode("ascii")
        key = load_pem_private_key(pem, password=None)
        certificate = load_pem_x509_certificate(pem)
    except (ValueError, TypeError) as exc:
        raise BadSettings(f"{variable}: needs an unencrypted private key and its certificate, in PEM; "
                          f"{type(exc).__name__}") from None
    if key.public_key() != certificate.public_key():
        raise BadSettings(f"{variable}: the private key is not the certificate's")
    return {"private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii"),
            "public_certificate": certificate.public_bytes(Encoding.PEM).decode("ascii")}


_: type[TokenProvider] = MsalTokens
