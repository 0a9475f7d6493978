"""What a pane proves itself with: an access token of Entra ID, or an identity token of an Exchange server.

    EntraTokens(settings).proof(token)        # Exchange Online: our own API's scope, by the tenant's published keys
    ExchangeTokens(settings).proof(token)     # on premises: by the certificate the server of `exchange_hosts` publishes

Both return a `Proof` or raise `TokenRefused`, whose `why` is for the audit and never for an answer. An Exchange token
names where its key is to be had (`amurl`); whoever made the token wrote that, so only configured hosts are asked.

Sources: Microsoft identity platform, access tokens v2.0; "Inside the Exchange identity token" and "Validate an
Exchange identity token" of the Office Add-ins documentation.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_der_x509_certificate

from addin.errors import SignInUnavailable, TokenRefused
from capture.errors import BadSettings
from capture.mailbox.tokens import tls
from capture.settings import Settings

MOST: Final = 16_000
"""Longest token, in characters."""
METADATA_PATH: Final = "/autodiscover/metadata/json/1"
VERSION: Final = "ExIdTok.V1"
EXCHANGE: Final = "00000002-0000-0ff1-ce00-000000000000"
"""Exchange's own application id: the issuer of identity tokens."""
_LEEWAY_ENTRA, _LEEWAY_EXCHANGE = 60, 300
_KEEP_SECONDS, _AGAIN_SECONDS, _LATER_SECONDS, _AWAY_SECONDS = 3600.0, 10.0, 60.0, 2.0
_LONGEST_DOCUMENT = 200_000


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """What a token says. `subject` is the directory's id of the person ("" from Exchange), `address` theirs (the same),
    `mailbox` the id of the Exchange mailbox ("" from Entra), `issued` when the token was made, UTC."""

    subject: str
    address: str
    mailbox: str
    issued: datetime


class EntraTokens:
    """Access tokens for our own API of one tenant. Safe to share between threads. Raises `BadSettings`."""

    def __init__(self, settings: Settings) -> None:
        pane, sign = settings.pane, settings.sign_in
        self._tenant, self._client_id = pane.tenant or sign.tenant, pane.client_id or sign.client_id
        login = (pane.login_url or sign.login_url).rstrip("/")
        if not (self._tenant and self._client_id):
            raise BadSettings("pane.tenant and pane.client_id are not set")
        self.authority, self.client_id = f"{login}/{self._tenant}", self._client_id
        self.scope = f"api://{self._client_id}/{pane.scope}"
        self._scope = pane.scope
        self._web = _Documents(pane.ca_file or sign.ca_file)
        self._keys: dict[str, Any] = {}

    def proof(self, token: str) -> Proof:
        """Who sent this. Raises `TokenRefused`, or `SignInUnavailable` when the keys cannot be had."""
        header = _header(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key(str(header.get("kid", ""))), algorithms=["RS256"], audience=self._client_id,
                issuer=f"{self.authority}/v2.0", leeway=_LEEWAY_ENTRA,
                options={"require": ["exp", "nbf", "iat", "iss", "aud", "oid", "tid"]})
        except (jwt.PyJWTError, ValueError, TypeError) as exc:
            raise TokenRefused(_why(exc)) from None
        if claims["tid"] != self._tenant:
            raise TokenRefused("another-tenant")
        if self._scope not in str(claims.get("scp", "")).split() or claims.get("idtyp") == "app":
            raise TokenRefused("scope")
        if str(claims.get("azp", self._client_id)) != self._client_id:
            raise TokenRefused("another-client")
        oid = claims["oid"]
        if not isinstance(oid, str) or not oid:
            raise TokenRefused("bad-claims")
        address = str(claims.get("preferred_username") or claims.get("upn") or claims.get("email") or "")
        return Proof(f"{self._tenant}/{oid}", address.strip().casefold(), "", _moment(claims["iat"]))

    def _key(self, kid: str) -> Any:
        def keep(found: dict[str, Any]) -> None:
            self._keys = {str(key.key_id): key.key for key in jwt.PyJWKSet.from_dict(found).keys}

        self._web.look(f"{self.authority}/discovery/v2.0/keys", lambda: kid in self._keys, keep)
        if kid not in self._keys:
            raise TokenRefused("unknown-key")
        return self._keys[kid]

    def close(self) -> None:
        """Let go of the connections."""
        self._web.close()


class ExchangeTokens:
    """Identity tokens of the Exchange servers of `pane.exchange_hosts`, for the pane at `audience` (its address in the
    manifest). Safe to share between threads."""

    def __init__(self, settings: Settings, audience: str) -> None:
        self._hosts, self._audience = frozenset(settings.pane.exchange_hosts), audience
        self._web = _Documents(settings.pane.ca_file)
        self._certificates: dict[tuple[str, str], RSAPublicKey] = {}

    def proof(self, token: str) -> Proof:
        """Whose mailbox this is. Raises `TokenRefused`, or `SignInUnavailable` when the server's document cannot be
        had."""
        header = _header(token)
        context = _context(token)
        host = self._pinned(str(context.get("amurl", "")))
        thumbprint = header.get("x5t")
        if not isinstance(thumbprint, str) or not thumbprint:
            raise TokenRefused("x5t")
        key = self._key(host, thumbprint)
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=["RS256"], audience=self._audience, leeway=_LEEWAY_EXCHANGE,
                options={"require": ["exp", "nbf", "iss", "aud"]})
        except (jwt.PyJWTError, ValueError, TypeError) as exc:
            raise TokenRefused(_why(exc)) from None
        if not str(claims["iss"]).startswith(f"{EXCHANGE}@"):
            raise TokenRefused("issuer")
        if context.get("version") != VERSION:
            raise TokenRefused("version")
        mailbox = context.get("msexchuid")
        if not isinstance(mailbox, str) or not mailbox:
            raise TokenRefused("bad-claims")
        return Proof("", "", mailbox.partition("@")[0].casefold(), _moment(claims.get("iat", claims["nbf"])))

    def _pinned(self, amurl: str) -> str:
        """The host of a key document, if it is one of ours. Nothing is fetched from any other."""
        try:
            parts = urlsplit(amurl)
            port = f":{parts.port}" if parts.port not in (None, 443) else ""
        except ValueError:
            raise TokenRefused("amurl") from None
        host = f"{(parts.hostname or '').lower()}{port}"
        fine = (parts.scheme == "https" and host in self._hosts and not parts.username and not parts.query
                and not parts.fragment and parts.path.rstrip("/").lower() == METADATA_PATH)
        if not fine:
            raise TokenRefused("amurl")
        return host

    def _key(self, host: str, thumbprint: str) -> RSAPublicKey:
        def keep(found: dict[str, Any]) -> None:
            self._certificates = {k: v for k, v in self._certificates.items() if k[0] != host} | {
                (host, x5t): key for x5t, key in _published(found)}

        self._web.look(f"https://{host}{METADATA_PATH}", lambda: (host, thumbprint) in self._certificates, keep)
        if (host, thumbprint) not in self._certificates:
            raise TokenRefused("x5t")
        return self._certificates[host, thumbprint]

    def close(self) -> None:
        """Let go of the connections."""
        self._web.close()


class _Documents:
    """Fetches JSON documents: kept for an hour, asked for again at once only when something new is needed, and then at
    most every ten seconds. Whoever waited for a server that did not answer is told so, instead of asking it again one
    after the other. No redirect is followed, no proxy of the environment used."""

    def __init__(self, ca_file: str) -> None:
        self._client = httpx.Client(verify=tls(ca_file), timeout=10, trust_env=False, follow_redirects=False)
        self._lock = threading.Lock()
        self._at: dict[str, float] = {}
        self._away: dict[str, float] = {}

    def look(self, url: str, has: Callable[[], bool], keep: Callable[[dict[str, Any]], None]) -> None:
        """Have the document kept (`keep`), unless what is kept will do (`has`) or it was asked for a moment ago. One
        at a time, so nobody finds a document that was fetched and not kept yet. Raises `SignInUnavailable`."""
        with self._lock:
            moment = time.monotonic()
            if moment - self._at.get(url, float("-inf")) < (_KEEP_SECONDS if has() else _AGAIN_SECONDS):
                return
            try:
                self._fetch(url, keep)
                self._at[url] = time.monotonic()
            except SignInUnavailable:
                if not has():
                    raise
                self._at[url] = moment - _KEEP_SECONDS + _LATER_SECONDS  # what is kept will do until they answer again

    def _fetch(self, url: str, keep: Callable[[dict[str, Any]], None]) -> None:
        if time.monotonic() - self._away.get(url, float("-inf")) < _AWAY_SECONDS:
            raise SignInUnavailable("away")
        try:
            keep(self._document(url))
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            self._away[url] = time.monotonic()
            raise SignInUnavailable("document") from None
        except SignInUnavailable:
            self._away[url] = time.monotonic()
            raise

    def _document(self, url: str) -> dict[str, Any]:
        try:
            answer = self._client.get(url)
            answer.raise_for_status()
            found = answer.json() if len(answer.content) <= _LONGEST_DOCUMENT else None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as exc:
            raise SignInUnavailable(type(exc).__name__) from None
        if not isinstance(found, dict):
            raise SignInUnavailable("document")
        return found

    def close(self) -> None:
        self._client.close()


def mailbox_of(keys: Iterable[str]) -> str:
    """The id of the mailbox that ids of its folders carry: small letters, "" when they do not agree or carry none.

    An EWS id that begins with the bytes 0, 3 and a length names its mailbox by GUID, as text. (EwsIdType
    MailboxItemMailboxGuidBased; MS-OXWSCDATA leaves the format to the server, so what does not fit is no proof.)
    """
    found = {guid for key in keys if (guid := _guid_in(key))}
    return found.pop() if len(found) == 1 else ""


def same_mailbox(one: str, other: str) -> bool:
    """Whether both name the same mailbox; nothing names none."""
    return bool(one) and hmac.compare_digest(one.encode(), other.encode())


def _guid_in(key: str) -> str:
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return ""
    if len(raw) < 40 or raw[:4] != b"\x00\x03\x24\x00":
        return ""
    text = raw[4:40].decode("ascii", "replace").casefold()
    return text if all(c in "0123456789abcdef-" for c in text) and text.count("-") == 4 else ""


def _header(token: str) -> Mapping[str, Any]:
    if not 0 < len(token) <= MOST:
        raise TokenRefused("bad-token")
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError):
        raise TokenRefused("bad-token") from None
    if header.get("alg") != "RS256":
        raise TokenRefused("algorithm")
    return header


def _context(token: str) -> Mapping[str, Any]:
    """`appctx` of a token whose signature is not checked yet: it says where the key would be."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        found = claims.get("appctx")
        context = json.loads(found) if isinstance(found, str) else found
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise TokenRefused("bad-token") from None
    if not isinstance(context, dict):
        raise TokenRefused("bad-claims")
    return context


def _published(document: Mapping[str, Any]) -> Iterable[tuple[str, RSAPublicKey]]:
    """(x5t, key) of each certificate of a metadata document whose thumbprint is what the document says."""
    for one in document.get("keys") or ():
        try:
            x5t, value = str(one["keyinfo"]["x5t"]), base64.b64decode(str(one["keyvalue"]["value"]))
            if one["keyvalue"]["type"] != "x509Certificate":
                continue
            key = load_der_x509_certificate(value).public_key()
        except (KeyError, TypeError, ValueError, UnsupportedAlgorithm):
            continue
        digest = hashlib.sha1(value, usedforsecurity=False).digest()  # what x5t is defined as
        if isinstance(key, RSAPublicKey) and base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == x5t:
            yield x5t, key


def _why(error: Exception) -> str:
    """A code for the audit."""
    table = {"ExpiredSignatureError": "expired", "ImmatureSignatureError": "not-yet-valid",
             "InvalidAudienceError": "audience", "InvalidIssuerError": "issuer",
             "InvalidSignatureError": "signature", "InvalidAlgorithmError": "algorithm",
             "MissingRequiredClaimError": "bad-claims"}
    return table.get(type(error).__name__, "bad-token")


def _moment(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        raise TokenRefused("bad-claims") from None
