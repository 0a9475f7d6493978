"""From a token of Outlook's pane to a bearer of ours, and out again.

A bearer holds ten minutes (`pane.bearer_minutes`), lives in the pane's memory and here as a hash, and opens nothing but
the pane's API. Whoever signed out is not let in again by what a directory issued before that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from addin.auth import Identity
from addin.errors import SignInRefused, TokenRefused
from addin.outlook.tokens import EntraTokens, ExchangeTokens, mailbox_of, same_mailbox
from addin.signing import note_refusal, person_of, require_active
from capture.errors import BadSettings, CaptureError
from capture.settings import Settings
from store import people, sessions
from store.columns import now
from store.database import Database
from store.people_tables import PersonRow

Folders = Callable[[str], Sequence[str]]
"""The ids of the folders of the mailbox with this address, as its server gives them."""


class PaneSignIn:
    """The ways into the pane that the settings open. Raises `BadSettings` for those that cannot work."""

    def __init__(self, settings: Settings) -> None:
        pane, sign = settings.pane, settings.sign_in
        self._settings = settings
        known = bool((pane.tenant or sign.tenant) and (pane.client_id or sign.client_id))
        self.entra = EntraTokens(settings) if known else None
        if pane.exchange_hosts and not sign.public_url:
            raise BadSettings("sign_in.public_url is not set; Exchange's identity tokens are made for it")
        self.exchange = ExchangeTokens(settings, audience(settings)) if pane.exchange_hosts else None
        self.demo = sign.kind == "demo"

    def let_in(self, database: Database, kind: str, token: str, mailbox: str, folders: Folders) -> str:
        """Begin a session of the pane; returns its bearer. Raises `TokenRefused`, `SignInRefused` for somebody who is
        not known or not active, `SignInUnavailable`; refusals are audited."""
        try:
            return self._let_in(database, kind, token, mailbox, folders)
        except (TokenRefused, SignInRefused) as refused:
            note_refusal(database, refused.why)
            raise

    def _let_in(self, database: Database, kind: str, token: str, mailbox: str, folders: Folders) -> str:
        if kind == "entra" and self.entra is not None:
            proof = self.entra.proof(token)
            return self._begin(database, proof.issued, lambda session: person_of(
                session, Identity(proof.subject, proof.address)))
        if kind == "exchange" and self.exchange is not None:
            proof = self.exchange.proof(token)
            if not same_mailbox(proof.mailbox, _mailbox(folders, mailbox)):
                raise SignInRefused("mailbox-not-proved")
            return self._begin(database, proof.issued, lambda session: people.by_address(session, mailbox))
        if kind == "demo" and self.demo:
            return self._begin(database, now(), lambda session: people.by_address(session, mailbox))
        raise TokenRefused("kind")

    def _begin(self, database: Database, issued: datetime, find: Callable[[Session], PersonRow | None]) -> str:
        with database.session() as session:
            row = require_active(find(session))
            if sessions.left_since(session, row.id, issued):
                raise TokenRefused("signed-out")
            token = sessions.begin(session, row.id, hours=self._settings.pane.bearer_minutes / 60, kind=sessions.PANE)
            begun = sessions.find(session, token)
            assert begun is not None  # noqa: S101 - made a line above
            sessions.carry_on(session, begun, hours=self._settings.sign_in.hours)
            return token

    def close(self) -> None:
        """Let go of connections."""
        for one in (self.entra, self.exchange):
            if one is not None:
                one.close()


def audience(settings: Settings) -> str:
    """The pane's address as the manifest names it: what an Exchange identity token is made for."""
    return settings.sign_in.public_url.rstrip("/") + "/pane/"


def _mailbox(folders: Folders, address: str) -> str:
    try:
        return mailbox_of(folders(address))
    except CaptureError:
        return ""
