"""Who is it? Sign-in with Entra ID by OpenID Connect: authorization code with PKCE.

    started = provider.start(again=False)             # where the browser goes, and what to remember meanwhile
    identity = provider.finish(started.flow, query)   # what the directory says about who came back

msal makes state, nonce and PKCE and compares state and nonce. It no longer checks the ID token itself, so that is done
here: signature by the tenant's published keys, issuer, audience, expiry, tenant, nonce. What is remembered between the
two steps lies sealed in a cookie of that browser, so that nobody can finish a sign-in somebody else began.

The directory answers by a form (response_mode=form_post), so that the code stands in no address, history or log.
Nothing of a token is kept: an identity is the directory's id, an address and app roles.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt
import msal
from msal.exceptions import MsalError

from addin.errors import SignInRefused, SignInUnavailable
from capture.errors import BadSettings
from capture.mailbox.tokens import HttpClient, certificate_credential
from capture.settings import Settings
from store.crypto import Keys
from store.errors import StoreError

BACK: Final = "/sign-in/back"
FLOW_SECONDS: Final = 600
_LEEWAY: Final = 120
_FOREIGN: Final = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, MsalError, jwt.PyJWKClientError)
_KEPT: Final = ("state", "nonce", "code_verifier", "redirect_uri", "scope", "claims_challenge", "max_age")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is to the directory. `subject` is "tenant/object id"; `address` casefolded; `roles` app roles."""

    subject: str
    address: str
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class Started:
    """Where the browser goes, and what is needed when it comes back."""

    url: str
    flow: Mapping[str, Any]


class EntraSignIn:
    """One app registration in one tenant. Safe to share between threads; asks the directory on first use.

    Raises `BadSettings` when a setting is missing or not https.
    """

    def __init__(self, settings: Settings) -> None:
        chosen = settings.sign_in
        for name in ("tenant", "client_id", "public_url"):
            if not getattr(chosen, name):
                raise BadSettings(f"sign_in.{name} is not set")
        _require_https("sign_in.login_url", chosen.login_url, loopback=False)
        _require_https("sign_in.public_url", chosen.public_url, loopback=True)
        self._tenant, self._client_id = chosen.tenant, chosen.client_id
        self._authority = f"{chosen.login_url.rstrip('/')}/{chosen.tenant}"
        self.redirect = chosen.public_url.rstrip("/") + BACK
        self._credential = _credential(settings)
        self._known = not chosen.ca_file and "microsoftonline" in chosen.login_url
        self._http = HttpClient(chosen.ca_file, 30.0)
        self._keys: dict[str, Any] = {}
        self._keys_at = float("-inf")

    def __repr__(self) -> str:
        return "EntraSignIn(...)"

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def start(self, *, again: bool = False) -> Started:
        """Begin a sign-in; with `again` the directory asks for the proof anew. Raises `SignInUnavailable`."""
        try:
            flow = self._client().initiate_auth_code_flow(
                scopes=["email"], redirect_uri=self.redirect, response_mode="form_post",
                prompt="login" if again else "select_account")
        except (*_FOREIGN, ValueError, RuntimeError) as exc:
            raise SignInUnavailable(type(exc).__name__) from None
        kept = {name: flow[name] for name in _KEPT if flow.get(name) is not None}
        return Started(str(flow["auth_uri"]), kept | {"again": again, "began": int(time.time())})

    def finish(self, flow: Mapping[str, Any], answer: Mapping[str, str]) -> Identity:
        """Redeem the code and check the ID token. Raises `SignInRefused` with a code, or `SignInUnavailable`."""
        if "error" in answer:
            raise SignInRefused("directory-refused")
        if not 0 <= time.time() - int(flow["began"]) < FLOW_SECONDS:
            raise SignInRefused("sign-in-too-old")
        try:
            result = self._client().acquire_token_by_auth_code_flow(
                {name: flow[name] for name in _KEPT if name in flow}, dict(answer))
        except _FOREIGN as exc:
            raise SignInUnavailable(type(exc).__name__) from None
        except (ValueError, RuntimeError):  # msal's words for another state or nonce; they quote it
            raise SignInRefused("not-this-sign-in") from None
        if "id_token" not in result:
            raise SignInRefused("directory-refused")
        claims = self._checked(str(result["id_token"]))
        if flow.get("again") and "auth_time" in claims and time.time() - claims["auth_time"] > FLOW_SECONDS:
            raise SignInRefused("not-signed-in-again")
        return _identity(claims)

    def _client(self) -> msal.ConfidentialClientApplication:
        # a new one each time: its token cache must not outlive the sign-in, nor be shared between people
        return msal.ConfidentialClientApplication(
            self._client_id, client_credential=self._credential, authority=self._authority, http_client=self._http,
            instance_discovery=None if self._known else False)

    def _checked(self, token: str) -> dict[str, Any]:
        try:
            kid = str(jwt.get_unverified_header(token).get("kid", ""))
            claims: dict[str, Any] = jwt.decode(
                token, self._key(kid), algorithms=["RS256"], audience=self._client_id,
                issuer=f"{self._authority}/v2.0", leeway=_LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]})
        except jwt.PyJWTError:
            raise SignInRefused("bad-token") from None
        if claims.get("tid") != self._tenant or not claims.get("oid"):
            raise SignInRefused("another-tenant")
        return claims

    def _key(self, kid: str) -> Any:
        """The tenant's key of this id; the published keys are asked for again when it is new to us."""
        if kid not in self._keys and time.monotonic() - self._keys_at > 10:
            self._keys_at = time.monotonic()
            try:
                answer = self._http.get(f"{self._authority}/discovery/v2.0/keys")
                answer.raise_for_status()
                found = jwt.PyJWKSet.from_dict(answer.json())
            except (*_FOREIGN, ValueError, jwt.PyJWTError) as exc:
                raise SignInUnavailable(type(exc).__name__) from None
            self._keys = {str(key.key_id): key.key for key in found.keys}
        if kid not in self._keys:
            raise SignInRefused("bad-token")
        return self._keys[kid]


def seal_flow(keys: Keys, flow: Mapping[str, Any]) -> str:
    """What is remembered between the two steps, for a cookie: encrypted and bound to its purpose."""
    return keys.seal("sign-in-flow", "cookie", json.dumps(dict(flow)).encode()).hex()


def open_flow(keys: Keys, sealed: str) -> dict[str, Any]:
    """What `seal_flow` gave. Raises `SignInRefused` for anything else."""
    try:
        flow: dict[str, Any] = json.loads(keys.unseal("sign-in-flow", "cookie", bytes.fromhex(sealed)))
    except (StoreError, ValueError, IndexError):
        raise SignInRefused("not-this-sign-in") from None
    return flow


def _identity(claims: Mapping[str, Any]) -> Identity:
    address = str(claims.get("preferred_username") or claims.get("email") or "").strip().casefold()
    roles = claims.get("roles") or []
    return Identity(f"{claims['tid']}/{claims['oid']}", address,
                    frozenset(str(role) for role in roles) if isinstance(roles, list) else frozenset())


def _credential(settings: Settings) -> Any:
    certificate = settings.sign_in_certificate.get_secret_value()
    secret = settings.sign_in_secret.get_secret_value()
    if not certificate and not secret:
        raise BadSettings("neither MAILWEIR_SIGN_IN_CERTIFICATE nor MAILWEIR_SIGN_IN_SECRET is set")
    if not certificate:
        return secret
    try:
        return certificate_credential(certificate)
    except BadSettings:
        raise BadSettings("MAILWEIR_SIGN_IN_CERTIFICATE: needs an unencrypted private key and its certificate, "
                          "in PEM, or the path of such a file") from None


def _require_https(name: str, url: str, *, loopback: bool) -> None:
    parts = urlsplit(url)
    local = loopback and parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or local):
        raise BadSettings(f"{name}: must be an https address")
