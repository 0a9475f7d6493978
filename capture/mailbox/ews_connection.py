"""Signing in to an Exchange server, and how often it is asked.

One `Connection` holds one pool of sessions of its own, whatever exchangelib keeps for the same address and
account. Each request is sent once; what may work later comes out as `TryLater` with the seconds the server
asked for, else with a random pause that grows (full jitter, 15 minutes at most).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from exchangelib import (
    BASIC,
    DELEGATE,
    GSSAPI,
    IMPERSONATION,
    NTLM,
    OAUTH2,
    UTC,
    Account,
    Configuration,
    Credentials,
    Identity,
    OAuth2Credentials,
    Version,
)
from exchangelib.errors import ErrorServerBusy, UnauthorizedError
from exchangelib.protocol import BaseProtocol, FailFast, Protocol
from exchangelib.transport import AUTH_TYPE_MAP
from exchangelib.version import EXCHANGE_2013_SP1
from oauthlib.oauth2 import TokenExpiredError

from capture.errors import BadSettings, CaptureError, ItemUnreadable, TryLater
from capture.mailbox.ews_errors import FOREIGN, Forbidden, translated
from capture.settings import EwsSettings, Settings

R = TypeVar("R")

PER_MAILBOX: Final = 3
"""Requests at a time for one mailbox."""
LARGEST_REPLY: Final = 210_000_000
"""Bytes of one reply: an item of 150 MB. What is larger is not read to its end, and the item is held."""
LONGEST_PAUSE: Final = 900.0
FIRST_PAUSE: Final = 2.0
AUTH: Final = {"basic": BASIC, "ntlm": NTLM, "kerberos": GSSAPI, "oauth": OAUTH2}
_ONLINE: Final = ("office365.com", "outlook.com", "office365.us", "partner.outlook.cn")

_foreign = logging.getLogger("exchangelib")
_foreign.addHandler(logging.NullHandler())
_foreign.propagate = False
_foreign.setLevel(logging.CRITICAL + 1)  # it logs requests, cookies and sync states


class Policy(FailFast):  # type: ignore[misc] # exchangelib ships no types
    """Which HTTP status means what. Nothing is tried again here."""

    def raise_response_errors(self, response: Any) -> None:
        """Raise the error of a status; exchangelib takes any refusal on a closing connection for a busy server."""
        status = response.status_code
        if status == 401:
            raise UnauthorizedError("401")
        if status == 403:
            raise Forbidden("403")
        if status in (429, 503):
            raise ErrorServerBusy(str(status), back_off=_seconds(response.headers.get("Retry-After", "")))
        super().raise_response_errors(response)


def _bounded(response: Any, *_: Any, stream: bool = False, **__: Any) -> None:
    """Have a reply read to `LARGEST_REPLY` and no further. Raises `ItemUnreadable` while it is read."""
    if stream:
        return
    pieces = response.iter_content

    def counted(*args: Any, **options: Any) -> Iterator[bytes]:
        length = 0
        for piece in pieces(*args, **options):
            length += len(piece)
            if length > LARGEST_REPLY:
                response.close()
                raise ItemUnreadable("larger than is taken")
            yield piece

    response.iter_content = counted


def _seconds(value: str) -> float:
    return float(value) if value.isdigit() else 0.0


class _Pool(Protocol):  # type: ignore[misc] # as above
    """The sessions of one connection. exchangelib's own pool can lose a session for good, or wait for itself, when
    making a new one fails."""

    RETRY_WAIT = 0
    USERAGENT = "mailweir"
    verify: bool | str = True
    wait_seconds = 60.0

    def __init__(self, config: Configuration) -> None:
        super().__init__(config=config)
        self._free = threading.BoundedSemaphore(config.max_connections)
        self._open = True

    @classmethod
    def raw_session(cls, prefix: str, **oauth: Any) -> Any:
        """A session that checks certificates and takes nothing from the environment (proxies, .netrc)."""
        session = super().raw_session(prefix, **oauth)
        session.trust_env, session.verify = False, cls.verify
        session.hooks["response"].append(_bounded)
        return session

    def get_session(self) -> Any:
        """A session, made when there is none and the pool is not full."""
        if not self._free.acquire(timeout=self.wait_seconds):
            raise ErrorServerBusy("all sessions are in use")
        try:
            try:
                session = self._session_pool.get(block=False)
            except Empty:
                session = self.create_session()
        except BaseException:
            self._free.release()
            raise
        session.usage_count += 1
        return session

    def release_session(self, session: Any) -> None:
        """Give a session back."""
        if self._open:
            self._session_pool.put(session, block=False)
        else:
            self.close_session(session)
        self._free.release()

    def retire_session(self, session: Any) -> None:
        """Give a session back that is of no use any more."""
        self.close_session(session)
        self._free.release()

    def renew_session(self, session: Any) -> Any:
        """A new session in the place of another."""
        self.close_session(session)
        try:
            return self.create_session()
        except BaseException:
            self._free.release()
            raise

    def decrease_poolsize(self) -> None:
        """Stay as it is: slowing down is our own matter."""

    def close(self) -> None:
        """Close what is idle now, and what is in use when it is given back."""
        self._open = False
        super().close()


class _OAuth(OAuth2Credentials):  # type: ignore[misc] # as above
    """Client credentials at an issuer of our choice: hybrid modern authentication is not always Microsoft's cloud."""

    def __init__(self, issuer: str, scope: str, **known: Any) -> None:
        super().__init__(**known)
        self._issuer, self._scope = issuer, scope

    @property
    def token_url(self) -> str:
        """Where tokens are had."""
        return self._issuer

    @property
    def scope(self) -> list[str]:
        """What the token is for."""
        return [self._scope]


@dataclass
class _Pace:
    """How one mailbox is asked."""

    gate: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(PER_MAILBOX))
    failures: int = 0
    not_before: float = 0.0


class Connection:
    """The way to one Exchange server, for all mailboxes of an installation. Safe to share between threads.

    Raises `BadSettings` when the settings cannot work: Exchange Online, no https, no account.
    """

    def __init__(self, settings: Settings, *, connections: int | None = None) -> None:
        self.settings = settings.ews
        self._password = settings.ews_password.get_secret_value
        self._paces: dict[str, _Pace] = {}
        self._accounts: dict[str, Account] = {}
        self._lock = threading.Lock()
        self._asked = 0
        _checked(self.settings)
        self._pool = self._make_pool(connections or self.settings.connections)

    def __repr__(self) -> str:
        return "Connection(...)"

    @property
    def asked(self) -> int:
        """How many operations were asked of the server."""
        return self._asked

    def run(self, mailbox: str, ask: Callable[[Account], R]) -> R:
        """Ask the server something about a mailbox. Whatever is raised comes out as an error of ours.

        A refused sign-in is tried once more with a fresh session (and a fresh token), then the mailbox is parked.
        """
        pace = self._pace(mailbox)
        left = pace.not_before - time.monotonic()
        if left > 0:
            raise TryLater("the server asked to wait", wait=left)
        with pace.gate:
            try:
                try:
                    answer = self._ask(mailbox, ask)
                except (UnauthorizedError, TokenExpiredError):
                    answer = self._ask(mailbox, ask)
            except FOREIGN as error:
                raise self._paced(pace, translated(error)) from None
        pace.failures = 0
        return answer

    def account(self, mailbox: str) -> Account:
        """exchangelib's view of a mailbox, on our own sessions."""
        with self._lock:
            if mailbox not in self._accounts:
                self._accounts[mailbox] = self._make_account(mailbox)
            return self._accounts[mailbox]

    def close(self) -> None:
        """Close the sessions."""
        self._pool.close()

    def _ask(self, mailbox: str, ask: Callable[[Account], R]) -> R:
        with self._lock:
            self._asked += 1
        return ask(self.account(mailbox))

    def _paced(self, pace: _Pace, error: CaptureError) -> CaptureError:
        """A `TryLater` gets its pause: what the server asked for holds off every request for the mailbox."""
        if isinstance(error, TryLater):
            pace.failures += 1
            if error.wait > 0:
                pace.not_before = max(pace.not_before, time.monotonic() + error.wait)
            else:
                longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(pace.failures, 20))
                error.wait = random.uniform(0, longest)  # noqa: S311 - a pause, not a secret
        return error

    def _pace(self, mailbox: str) -> _Pace:
        with self._lock:
            return self._paces.setdefault(mailbox, _Pace())

    def _make_pool(self, connections: int) -> Any:
        chosen = self.settings
        kind: Any = type("EwsPool", (_Pool,), {
            "verify": chosen.ca_file or True, "TIMEOUT": chosen.timeout_seconds,
            "wait_seconds": chosen.timeout_seconds})
        config = Configuration(
            service_endpoint=chosen.endpoint, auth_type=AUTH[chosen.auth], credentials=self._credentials(),
            version=Version(build=EXCHANGE_2013_SP1), retry_policy=Policy(), max_connections=connections)
        return type.__call__(kind, config=config)  # past exchangelib's cache, which would hand out another's pool

    def _credentials(self) -> Any:
        chosen = self.settings
        if chosen.auth == "kerberos":
            return None
        if chosen.auth == "oauth":
            return _OAuth(chosen.token_url, chosen.scope or f"https://{urlsplit(chosen.endpoint).hostname}/.default",
                          client_id=chosen.user, client_secret=self._password())
        return Credentials(chosen.user, self._password())

    def _make_account(self, mailbox: str) -> Account:
        if "@" not in mailbox:
            raise BadSettings("ews.mailboxes: a mailbox is named by its primary address")
        access = IMPERSONATION if self.settings.access == "impersonation" else DELEGATE
        made = Account(mailbox, access_type=access, config=Configuration(
            service_endpoint=self.settings.endpoint, auth_type=AUTH["basic"], credentials=Credentials("", ""),
            version=Version(build=EXCHANGE_2013_SP1)), default_timezone=UTC, locale="en_US")
        made.protocol = self._pool
        made.identity = Identity(primary_smtp_address=mailbox)
        return made


def _checked(chosen: EwsSettings) -> None:
    """Refuse settings that cannot work, by the setting's name and never its value."""
    parts = urlsplit(chosen.endpoint)
    host = (parts.hostname or "").casefold().rstrip(".")
    if not host:
        raise BadSettings("ews.endpoint: missing; usually https://mail.example.org/EWS/Exchange.asmx")
    if any(host == online or host.endswith(f".{online}") for online in _ONLINE):
        raise BadSettings("ews.endpoint: Exchange Online is closed to EWS; use mailbox.kind = \"graph\"")
    if parts.scheme != "https" and host not in ("127.0.0.1", "::1", "localhost"):
        raise BadSettings("ews.endpoint: must be an https address")
    if chosen.auth != "kerberos" and not chosen.user:
        raise BadSettings("ews.user: missing; the service account, or the client id with oauth")
    if AUTH[chosen.auth] not in AUTH_TYPE_MAP:
        raise BadSettings("ews.auth: kerberos needs the package `exchangelib[kerberos]` installed beside mailweir")
    if chosen.auth == "oauth" and not (chosen.token_url.startswith("https://") and parts.scheme == "https"):
        raise BadSettings("ews.token_url: missing, or it or ews.endpoint is not https")


_: type[BaseProtocol] = _Pool
