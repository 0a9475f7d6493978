"""Settings and a backend for the fake Exchange server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ews_server import PASSWORD, USER, EwsServer

from capture.mailbox.ews import EwsMailbox
from capture.settings import Settings

BOX = "dana.reid@example.org"


def ews_settings(server: EwsServer, *mailboxes: str, mailbox: dict[str, Any] | None = None, home: Path | None = None,
                 **chosen: Any) -> Settings:
    """Settings that lead to the server."""
    ews = {"endpoint": server.url, "auth": "basic", "user": USER, "mailboxes": list(mailboxes or (BOX,)),
           "streaming": False, "timeout_seconds": 10} | chosen
    return Settings.model_validate({"mailbox": {"kind": "ews"} | (mailbox or {}), "ews": ews, "ews_password": PASSWORD,
                                    "home": home or Path()})


def ews_mailbox(server: EwsServer, **chosen: Any) -> EwsMailbox:
    """A backend, and Dana's mailbox on the server when there is none."""
    if BOX not in server.store.mailboxes:
        server.store.add_mailbox(BOX)
    return EwsMailbox(ews_settings(server, **chosen))
